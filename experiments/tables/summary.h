/* What a table needs of the runs of one row: figures over seeds, with intervals. */
#ifndef NOPOOL_SUMMARY_H
#define NOPOOL_SUMMARY_H

#include "../data/data.h"
#include "../network/cost.h"
#include "../protocol/options.h"

enum { MAX_SEEDS = 32 };

/* One finished run, as its folder tells it. */
typedef struct {
    Options options;
    double accuracy, best_on_test; /* per cent */
    double macs, seconds;
    int test_images, epochs, total_epochs;
    unsigned kept[MAX_LAYERS];
    char data[64], data_sha256[65], kernels[64], commit[160];
} RunRecord;

bool run_record_read(RunRecord *record, const char *folder, Error *error);

/* The cost of the record's masks in a network of other sizes; 0 if it has another number of layers. */
double cost_at_size(const RunRecord *record, int layers, int channels);

/* A mean with the half width of its 95% interval: Student's t over seeds; for a single seed the binomial
 * interval of the test set, which knows nothing of the spread between seeds. */
typedef struct {
    double mean, half_width;
    int seeds;
} Estimate;

Estimate estimate_accuracy(const RunRecord *runs, int count);

/* Of the difference a - b: paired by seed, or for single seeds from two independent binomials. */
Estimate estimate_difference(const RunRecord *a, const RunRecord *b, int count);

#endif
