/* What the two views of build/probe share. */
#ifndef NOPOOL_PROBE_H
#define NOPOOL_PROBE_H

#include "../../data/data.h"
#include "../../runs/run.h"
#include "trained.h"

enum { PROBE_BATCH = 64 };

/* A whole number of the command line from least to most; a sentence that names what it is, otherwise. */
bool number_of(int *number, const char *text, const char *what, int least, int most, Error *error);

/* Images first .. first + n - 1 of set as the net was trained to see them, (n,C,H,W). */
void normalised_images(float *images, const TrainedNetwork *trained, const ImageSet *set, int first, int n);

/* Writes the tables that the help text of build/probe describes into the run's folder. */
bool probe_field(TrainedNetwork *trained, const ImageSet *set, const char *folder, const char *images,
                 Error *error);
bool probe_stages(TrainedNetwork *trained, const ImageSet *set, const char *folder,
                  char **layer_image_channel, Error *error);

#endif
