/* A finished run as its folder tells it: what tables and the audit read. */
#ifndef NOPOOL_RECORD_H
#define NOPOOL_RECORD_H

#include "../data/data.h"
#include "../network/cost.h"
#include "../protocol/options.h"

enum { MAX_SEEDS = 32 };

typedef struct {
    Options options;
    double accuracy, best_on_test; /* per cent */
    double macs, seconds;
    int test_images, epochs, total_epochs;
    unsigned kept[MAX_LAYERS];
    char data[64], data_sha256[65], kernels[64], commit[160];
} RunRecord;

/* Reads config, result, provenance and timing of a folder; what is missing or no number is refused. */
bool run_record_read(RunRecord *record, const char *folder, Error *error);

/* The cost of the record's masks in a network of other sizes; 0 if it has another number of layers. */
double cost_at_size(const RunRecord *record, int layers, int channels);

#endif
