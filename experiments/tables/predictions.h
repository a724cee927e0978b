/* What a run predicted of each test image, and on which of them two runs differ. */
#ifndef NOPOOL_PREDICTIONS_H
#define NOPOOL_PREDICTIONS_H

#include "record.h"

/* Whether the folder has a predictions.tsv; runs of before there were any have none. One that is not a class
 * and a predicted class for each of the run's test images, with the run's accuracy, is refused. */
bool predictions_check(bool *there, const RunRecord *run, Error *error);

/* The test images that only a, and that only b has right: McNemar's two counts. False where one of them has
 * no predictions, or they were tested on other images. */
bool predictions_discordant(int *only_a, int *only_b, const RunRecord *a, const RunRecord *b);

#endif
