/* The part of layer_check.h for layers whose block is MBConv: stage by stage from what the set exports, with
 * errors carried along where one stage takes several steps. An error is a bound on |got - ref|, itself. */
#ifndef NOPOOL_TESTS_LAYER_CHECK_MBCONV_H
#define NOPOOL_TESTS_LAYER_CHECK_MBCONV_H

#include "layer_case.h"

/* |got - ref| <= error. Errors are of first order; two of them meet in products, where each is at most 2^-8
 * of what it belongs to, so 1 + 2^-7 of them is right. */
void layer_check_bounded(const double *got, const double *ref, const double *error, size_t count,
                         const char *what);

/* expanded, filtered, gate, excited and projected at level r, from the pooled maps. */
void layer_check_mbconv_forward(const LayerCase *c, int r);

/* dfiltered and dexpanded at level r; adds the gradients of the filters, of gamma and beta of the first two
 * norms, and their errors. */
void layer_check_mbconv_backward(double *dfilters, double *error, const LayerCase *c, int r);

/* Adds what the expansion hands back, and the sum over its absolute terms; returns its terms. */
int layer_check_mbconv_input(double *dpooled, double *gauge, const LayerCase *c, int r);

#endif
