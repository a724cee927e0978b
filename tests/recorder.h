/* Looking over the shoulder of a run: the reference engine, which notes every step that training makes. */
#ifndef NOPOOL_TESTS_RECORDER_H
#define NOPOOL_TESTS_RECORDER_H

#include "../experiments/training/training.h"
#include <check.h>

/* The run of recorder.c: 200 training and 50 test images, 28 in D_a and 18 in D_b, batches of 8, 2 epochs. */
enum { TRAIN = 200, TEST = 50, A = 28, B = 18, BATCH = 8, ITERATIONS = 3, EPOCHS = 2, IN_PASS = 2 };
enum { LAYERS = 2, LEVELS = 2, TESTED = 11, TESTED_EPOCH = 5 };

/* A step of the filters, a step of the logits, or a batch of a test. */
typedef struct {
    Pass pass;
    int n, labels[16];
    float *images; /* (n,3,32,32), as the network was given them */
    double loss;
    Sgd sgd; /* what the optimizer was given */
    Adam adam;
    int t;
    bool filters_moved, logits_moved, statistics_moved; /* since the batch came */
    bool with_sgd, with_adam;                           /* optimizers that ran */
} Event;

enum { MOST_EVENTS = 64 };
typedef struct {
    int count;
    Event event[MOST_EVENTS];
} Record;

/* Options of a small run on program_write_data's images, in folder program_folder/name, with these changes,
 * "name=value name=value". */
void recorder_options(Options *options, const char *changes);

/* Opens the run: nothing is trained yet. Fails the test where it cannot be. The caller closes it. */
void recorder_open(Run *run, const char *name, const Options *options);

/* Trains the run to its end, or until it was asked to stop after so many steps of the filters (0: never), and
 * adds what it did to the record. The caller frees that. */
void recorder_train(Record *record, Run *run, int stop_after);
void recorder_free(Record *record);

/* Opens the run "run" with these changes and trains it to its end. */
void recorder_run(Run *run, Record *record, const char *changes);

/* Closes the run and frees its record. */
void recorder_close(Run *run, Record *record);

/* Event number i of this pass, of the record; NULL if there are not so many. */
const Event *recorder_event(const Record *record, Pass pass, int i);
int recorder_count(const Record *record, Pass pass);

/* A copy of a network's vector; the caller frees it. */
double *recorder_vector(const Network *net, const Vector *vector, size_t count);

/* Worked out here, not by what is tested: the images of D_a, then those of D_b, by the table in ref/random.h.
 */
void split_by_hand(uint32_t split[TRAIN], uint64_t seed);

/* What a network should be given for an image that is shifted by (top, left) and flipped. */
void image_by_hand(float to[IMAGE_BYTES], const Dataset *data, const ImageSet *set, uint32_t index, int top,
                   int left, bool flip);

/* The same for the crop and flip of image `index` of the training set in this epoch. */
void crop_by_hand(float to[IMAGE_BYTES], const Dataset *data, uint32_t index, uint32_t seed, uint32_t epoch);

/* Whether image i of an event is this one of the set, as it is in its file. */
bool recorder_shows(const Event *event, int i, const Run *run, const ImageSet *set, uint32_t index);

/* The other case of suite `protocol`. */
TCase *protocol_steps_case(void);

#endif
