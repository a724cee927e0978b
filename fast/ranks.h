/* The processes that divide every batch between them, in MPI's word ranks. Like OpenMP's threads they belong
 * to the process: a program joins its ranks before it creates a network, and one that joins none is alone.
 *
 * Each rank passes its own images, whole groups of 16, through its copy of the network. A sum over the batch
 * starts from partials of groups: every rank is handed those of all, and adds all of them in the order of the
 * groups. So gradients and statistics have the same bits on every rank, and for any number of ranks. No sum
 * is taken on the way, where its order would depend on that number.
 *
 * What is gathered so: the sums that batch norm starts from and their gradients (fast/engine/channel_sums.c),
 * filters' and biases' gradients (fast/conv2d, fast/depthwise_backward_weights.c, fast/linear.c), the
 * gradients of the mixes (fast/mix.c), and the class logits (fast/engine/engine.c), from which every rank
 * has the loss of the whole batch. */
#ifndef NOPOOL_FAST_RANKS_H
#define NOPOOL_FAST_RANKS_H

#include <stddef.h>

/* Returns the parts of all ranks, one behind the other, of `bytes` each; `own` is this rank's, which may be
 * overwritten before the result is read. What it returns lasts until the next call with this place. Every
 * rank calls it with equal bytes and place, in the same order. */
typedef const void *RanksGather(const void *own, size_t bytes, int place);

/* Places: sums of two operands are gathered from both at once. */
enum { RANKS_FIRST, RANKS_SECOND, RANKS_PLACES };

/* This process is rank `own` of `count` from now on. */
void ranks_join(int count, int own, RanksGather *gather);

int ranks_count(void);

/* The images of a batch, of which every rank has n. Among several ranks those are whole groups. */
int ranks_batch(int n);

/* The most images of a batch of n that a rank has; among several ranks, whole groups. */
int ranks_share(int n);

/* This rank's images of a batch of n. Of a batch with fewer groups than ranks (the last one of a test set)
 * some ranks have no images: they take the first ones and nobody uses what comes of it. */
typedef struct {
    int first, count;
} RanksPart;
RanksPart ranks_part(int n);

/* RanksGather; alone it is `own` itself. */
const void *ranks_gathered(const void *own, size_t bytes, int place);

#endif
