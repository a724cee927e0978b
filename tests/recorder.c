/* Recording a run: see recorder.h. */
#include "recorder.h"
#include "../experiments/base/stop.h"
#include "philox.h"
#include "program.h"
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static Record *record;
static Network *net;
static int steps_left; /* of the filters until the run is asked to stop; negative: never */
static double *filters, *logits, *statistics;
static const float *imported;
static int imported_count;

double *recorder_vector(const Network *network, const Vector *vector, size_t count)
{
    double *values = malloc((count + 1) * sizeof *values);
    network->engine->vector_read(values, vector, 0, count);
    return values;
}

/* Whether a vector differs from its copy, which is brought up to date. */
static bool moved(double **copy, const Vector *vector, size_t count)
{
    double *now = recorder_vector(net, vector, count);
    const bool differs = *copy && memcmp(now, *copy, count * sizeof *now) != 0;
    free(*copy);
    *copy = now;
    return differs;
}

static void look(Event *event)
{
    event->filters_moved |= moved(&filters, net->filters, net->filters_count);
    event->logits_moved |= moved(&logits, net->logits, net->logits_count);
    event->statistics_moved |= moved(&statistics, net->statistics, net->statistics_count);
}

static Event *last_event(void)
{
    ck_assert_int_gt(record->count, 0);
    return &record->event[record->count - 1];
}

static void tensor_import(Tensor *t, const float *images, int n)
{
    imported = images;
    imported_count = n;
    ref_engine.tensor_import(t, images, n);
}

static void layer_forward(Layer *layer, Tensor *y, const Tensor *x, Pass pass)
{
    if (layer == net->layer[0]) {
        ck_assert_int_lt(record->count, MOST_EVENTS);
        const size_t count = (size_t)imported_count * IMAGE_BYTES;
        Event *event = &record->event[record->count++];
        *event = (Event){.pass = pass, .n = imported_count, .images = malloc(count * sizeof(float))};
        memcpy(event->images, imported, count * sizeof(float));
    }
    ck_assert_int_eq(last_event()->pass, pass);
    ref_engine.layer_forward(layer, y, x, pass);
}

static double head_forward(Head *head, const Tensor *x, const int *labels, int n)
{
    Event *event = last_event();
    ck_assert_int_le(event->n, 16);
    memcpy(event->labels, labels, (size_t)event->n * sizeof *labels);
    event->loss = ref_engine.head_forward(head, x, labels, n);
    look(event);
    return event->loss;
}

static void sgd_step(Vector *w, Vector *v, const Vector *dw, Sgd sgd)
{
    Event *event = last_event();
    ck_assert(w == net->filters && v == net->velocity && dw == net->dfilters);
    ref_engine.sgd_step(w, v, dw, sgd);
    event->sgd = sgd;
    event->with_sgd = true;
    look(event);
    if (steps_left > 0 && --steps_left == 0)
        raise(SIGTERM);
}

static void adam_step(Vector *w, Vector *m, Vector *v, const Vector *dw, int t, Adam adam)
{
    Event *event = last_event();
    ck_assert(w == net->logits && m == net->moment1 && v == net->moment2 && dw == net->dlogits);
    ref_engine.adam_step(w, m, v, dw, t, adam);
    event->adam = adam;
    event->t = t;
    event->with_adam = true;
    look(event);
}

void recorder_options(Options *options, const char *changes)
{
    char text[1024], data[128];
    Error error;
    options_default(options);
    snprintf(data, sizeof data, "%s/data", program_folder);
    ck_assert(options_set(options, "data", data, &error));
    snprintf(text, sizeof text,
             "kernels=ref layers=2 channels=3 levels=2 images-a=28 images-b=18 images-test=11 images-epoch=5 "
             "epochs=2 batch=8 lr=0.05 %s",
             changes);
    for (char *name = strtok(text, " "); name; name = strtok(NULL, " ")) {
        char *value = strchr(name, '=');
        *value++ = 0;
        ck_assert_msg(options_set(options, name, value, &error), "%s", error.text);
    }
}

void recorder_open(Run *run, const char *name, const Options *options)
{
    static char folders[4][128];
    static int turn;
    char *folder = folders[turn++ % 4];
    Error error;
    snprintf(folder, sizeof folders[0], "%s/%s", program_folder, name);
    ck_assert_msg(training_open(run, folder, options, &error), "%s", error.text);
}

/* Training prints its progress, which is no business of a test's; returns where the output went. */
static int quiet(void)
{
    fflush(stdout);
    const int out = dup(STDOUT_FILENO), nothing = open("/dev/null", O_WRONLY);
    dup2(nothing, STDOUT_FILENO);
    close(nothing);
    return out;
}

static void loud(int out)
{
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    close(out);
}

void recorder_train(Record *to, Run *run, int stop_after)
{
    Engine watched = ref_engine;
    Error error;
    record = to;
    net = run->net;
    steps_left = stop_after > 0 ? stop_after : -1;
    watched.tensor_import = tensor_import;
    watched.layer_forward = layer_forward;
    watched.head_forward = head_forward;
    watched.sgd_step = sgd_step;
    watched.adam_step = adam_step;
    net->engine = &watched;
    if (stop_after)
        stop_on_signals();
    look(&(Event){0});
    const int out = quiet();
    const bool ok = training_finish(run, 1e9, NULL, &error);
    loud(out);
    ck_assert_msg(ok, "%s", error.text);
    net->engine = &ref_engine;
    free(filters);
    free(logits);
    free(statistics);
    filters = logits = statistics = NULL;
}

void recorder_run(Run *run, Record *record, const char *changes)
{
    Options options;
    recorder_options(&options, changes);
    recorder_open(run, "run", &options);
    *record = (Record){0};
    recorder_train(record, run, 0);
}

void recorder_free(Record *r)
{
    for (int i = 0; i < r->count; i++)
        free(r->event[i].images);
    *r = (Record){0};
}

void recorder_close(Run *run, Record *r)
{
    run_close(run);
    recorder_free(r);
}

const Event *recorder_event(const Record *r, Pass pass, int i)
{
    for (int at = 0; at < r->count; at++)
        if (r->event[at].pass == pass && i-- == 0)
            return &r->event[at];
    return NULL;
}

int recorder_count(const Record *r, Pass pass)
{
    int count = 0;
    for (int at = 0; at < r->count; at++)
        count += r->event[at].pass == pass;
    return count;
}

void split_by_hand(uint32_t split[TRAIN], uint64_t seed)
{
    plain_permutation(split, TRAIN, seed, 2, 0);
}

void image_by_hand(float to[IMAGE_BYTES], const Dataset *data, const ImageSet *set, uint32_t index, int top,
                   int left, bool flip)
{
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < 32; y++)
            for (int x = 0; x < 32; x++) {
                const int from_y = y + top, from_x = (flip ? 31 - x : x) + left;
                const bool inside = from_y >= 0 && from_y < 32 && from_x >= 0 && from_x < 32;
                const uint8_t pixel =
                    inside ? set->images[((index * 3 + (uint32_t)c) * 32 + (uint32_t)from_y) * 32 +
                                         (uint32_t)from_x]
                           : 0;
                to[(c * 32 + y) * 32 + x] = ((float)pixel / 255 - data->mean[c]) / data->deviation[c];
            }
}

void crop_by_hand(float to[IMAGE_BYTES], const Dataset *data, uint32_t index, uint32_t seed, uint32_t epoch)
{
    uint32_t words[4];
    plain_philox(words, (uint32_t[4]){5, epoch, index, 0}, (uint32_t[2]){seed, 0});
    image_by_hand(to, data, &data->train, index, (int)((uint64_t)words[0] * 9 >> 32) - 4,
                  (int)((uint64_t)words[1] * 9 >> 32) - 4, words[2] >> 31);
}

bool recorder_shows(const Event *event, int i, const Run *run, const ImageSet *set, uint32_t index)
{
    float image[IMAGE_BYTES];
    image_by_hand(image, &run->data, set, index, 0, 0, false);
    return event->labels[i] == set->labels[index] &&
           memcmp(event->images + (size_t)i * IMAGE_BYTES, image, sizeof image) == 0;
}
