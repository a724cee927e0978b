/* A finished run as its folder tells it: what tables and the audit read. */
#ifndef NOPOOL_RECORD_H
#define NOPOOL_RECORD_H

#include "../data/data.h"
#include "../network/cost.h"
#include "../protocol/options.h"

enum { MAX_SEEDS = 32 };

typedef struct {
    char folder[512];
    Options options;
    double accuracy, best_on_test;    /* per cent */
    double macs, parameters, seconds; /* of total_epochs, tests included */
    double images_per_second;         /* of D_a in training; the median over epochs */
    double peak_mib;                  /* NaN where the run does not tell */
    double depth[3]; /* learned: most likely, expected, last that counts; NaN where none was learned */
    int test_images, epochs, total_epochs;
    bool predicts; /* it has predictions (predictions.h) */
    unsigned kept[MAX_LAYERS];
    char data[64], data_sha256[65], kernels[16], instruction_set[64], commit[160];
} RunRecord;

/* Reads config, result, provenance and timing of a folder, and checks its predictions; what is missing, no
 * number or impossible is refused. */
bool run_record_read(RunRecord *record, const char *folder, Error *error);

#endif
