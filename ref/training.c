/* Section 3.4, read from top to bottom: split, batch, schedule, the two steps, an epoch, the test, pruning
 * and fine-tuning. Settings, network and first values: training_start.c. Words in quotes are the paper's;
 * "choice x" is row x of paper/choices.tsv.
 *
 * Claims: s3.4.two-steps s3.4.interleaved. */
#include "training.h"
#include "mix.h"
#include "random.h"
#include "training_start.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGE = IMAGE_PLANES * IMAGE_EDGE * IMAGE_EDGE };

/* A training under way: the images, their split, and one batch. */
typedef struct {
    const TrainingImages *data;
    Normalisation normalisation;
    uint32_t *a, *b; /* "we split the training data D in two parts": D_a, then D_b */
    int count_a;     /* that the filters are trained on */
    uint32_t *order; /* of D_a or of D_b, in an epoch or a pass */
    double *x;
    int *labels;
    bool learns;          /* there are logits to learn */
    double schedule_from; /* the epoch of the schedule at which this training starts */
} Course;

// book: training_batch
/* "we split the training data D in two parts: D_a and D_b": disjoint and at random. */
static void split(Course *c, const TrainingSettings *s, uint32_t *all)
{
    random_permutation(all, c->data->train, s->seed, STREAM_SPLIT, 0);
    c->a = all;
    c->b = s->logits_data == LOGITS_ON_A ? all : all + s->images_a; /* a control: alpha learns on D_a too */
    /* Choice "baseline-data": D_a only, or what stands behind it too. */
    c->count_a = s->images_a + (s->mix != MIX_LEARNED && s->fixed_data_all ? s->images_b : 0);
}

/* A mini-batch of D_a: iteration i of an epoch takes the i-th batch of D_a in the epoch's order. The images
 * behind the last whole batch are left out of this epoch (choice "order"). Fine-tuning counts on from the
 * epochs of its source, so that it draws orders and crops of its own. */
static void batch_of_a(Course *c, const Training *t, int epoch, int iteration)
{
    const TrainingSettings *s = &t->settings;
    const uint32_t key = (uint32_t)(t->source_epochs + epoch);
    random_permutation(c->order, c->count_a, s->seed, STREAM_ORDER_A, key);
    for (int i = 0; i < s->batch; i++) {
        const uint32_t index = c->a[c->order[iteration * s->batch + i]];
        const Crop crop = s->augment ? training_crop(s->seed, key, index) : whole_image;
        training_image(c->x + (size_t)i * IMAGE, c->data->images + (size_t)index * IMAGE, crop,
                       c->normalisation);
        c->labels[i] = c->data->labels[index];
    }
}

/* A mini-batch of D_b, never augmented: D_b is gone through in passes of whole batches, which do not end with
 * the epochs; step counts from the first iteration of the run. */
static void batch_of_b(Course *c, const TrainingSettings *s, long step)
{
    const int batches = s->images_b / s->batch;
    random_permutation(c->order, s->images_b, s->seed, STREAM_ORDER_B, (uint32_t)(step / batches));
    for (int i = 0; i < s->batch; i++) {
        const uint32_t index = c->b[c->order[step % batches * s->batch + i]];
        training_image(c->x + (size_t)i * IMAGE, c->data->images + (size_t)index * IMAGE, whole_image,
                       c->normalisation);
        c->labels[i] = c->data->labels[index];
    }
}
// book: end

// book: training_steps
/* "cosine annealing learning rate decay": choice "sgd", a new rate each epoch. Fine-tuning of n epochs walks
 * the last tenth of the schedule (choice "pruning"). */
static double filters_rate(const Training *t, const Course *c, int epoch)
{
    const TrainingSettings *s = &t->settings;
    const double at = c->schedule_from + epoch * (s->epochs - c->schedule_from) / t->epochs;
    return ref_cosine_lr(at, s->epochs, s->lr, s->lr_min);
}

/* Choice "adam": 1e-4 in 400 epochs of 208 iterations; a shorter run multiplies it, at most to 1e-2. */
static double logits_rate(int iterations)
{
    const double paper = 400 * 208;
    return fmin(1e-4 * fmax(1, paper / iterations), 1e-2);
}

/* What the steps of one kind did in an epoch. */
typedef struct {
    double loss, gradient2, decay2; /* sums over images; over steps */
    long correct, images, steps;
} Sums;

static double norm2(const double *v, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += v[i] * v[i];
    return sum;
}

/* "a mini-batch from D_a for updating f_l": batch norm uses the statistics of this batch, which enter its
 * running averages; nothing but the filters moves. */
static void filters_step(Sums *sums, PlainNetwork *net, Course *c, const TrainingSettings *s, double rate)
{
    const Sgd sgd = {rate, s->momentum, s->weight_decay};
    sums->loss +=
        plain_network_forward(net, c->x, c->labels, s->batch, STATISTICS_OF_BATCH_TRACKED) * s->batch;
    sums->correct += plain_network_correct(net, c->labels, s->batch);
    plain_network_filters_gradient(net, c->x, c->labels, s->batch);
    sums->gradient2 += norm2(net->dfilters, net->filters_count);
    sums->decay2 += s->weight_decay * s->weight_decay * norm2(net->filters, net->filters_count);
    sums->images += s->batch;
    sums->steps++;
    ref_sgd_step(net->filters, net->velocity, net->dfilters, sgd, net->filters_count);
}

/* "and a mini-batch from D_b for updating alpha": batch norm uses the statistics of this batch, and leaves
 * the running averages alone (choice "batch-norm"); nothing but the logits moves. t = 1 in the run's first
 * step. */
static void logits_step(Sums *sums, PlainNetwork *net, Course *c, const TrainingSettings *s, long t)
{
    const Adam adam = {s->logits_lr, s->logits_beta1, s->logits_beta2, s->logits_eps, s->logits_decay};
    sums->loss += plain_network_forward(net, c->x, c->labels, s->batch, STATISTICS_OF_BATCH) * s->batch;
    sums->correct += plain_network_correct(net, c->labels, s->batch);
    plain_network_logits_gradient(net, c->x, c->labels, s->batch);
    sums->gradient2 += norm2(net->dlogits, net->logits_count);
    sums->decay2 += s->logits_decay * s->logits_decay * norm2(net->logits, net->logits_count);
    sums->images += s->batch;
    sums->steps++;
    ref_adam_step(net->logits, net->moment1, net->moment2, net->dlogits, (int)t, adam, net->logits_count);
}

/* "At each training iteration we interleave" the two. */
static void train_epoch(Sums *a, Sums *b, Training *t, Course *c, int epoch)
{
    const TrainingSettings *s = &t->settings;
    for (int i = 0; i < t->iterations; i++) {
        const long step = (long)epoch * t->iterations + i;
        for (int half = 0; half < 2; half++) {
            if ((half == 0) != s->logits_first) { /* choice "order" */
                batch_of_a(c, t, epoch, i);
                filters_step(a, t->network, c, s, filters_rate(t, c, epoch));
            } else if (c->learns) {
                batch_of_b(c, s, step);
                logits_step(b, t->network, c, s, step + 1);
            }
        }
    }
}
// book: end

// book: training_test
/* The first `count` test images, with the running averages; every image counts once, in the last batch too.
 */
static void test(EpochRecord *record, Prediction *prediction, PlainNetwork *net, Course *c, int batch,
                 int count)
{
    double loss = 0;
    int correct = 0;
    for (int at = 0; at < count; at += batch) {
        const int n = count - at < batch ? count - at : batch;
        for (int i = 0; i < n; i++) {
            training_image(c->x + (size_t)i * IMAGE, c->data->test_images + (size_t)(at + i) * IMAGE,
                           whole_image, c->normalisation);
            c->labels[i] = c->data->test_labels[at + i];
        }
        loss += n * plain_network_forward(net, c->x, c->labels, n, STATISTICS_TRACKED);
        correct += plain_network_correct(net, c->labels, n);
        for (int i = 0; i < n; i++)
            prediction[at + i] = (Prediction){c->labels[i], plain_network_class(net, i)};
    }
    record->test_images = count;
    record->test_loss = loss / count;
    record->test_accuracy = 100.0 * correct / count;
}
// book: end

static void record_epoch(EpochRecord *record, const Training *t, const Course *c, const Sums *a,
                         const Sums *b, int epoch)
{
    record->lr = filters_rate(t, c, epoch);
    record->logits_lr = c->learns ? t->settings.logits_lr : 0;
    record->loss_a = a->loss / (double)a->images;
    record->accuracy_a = 100.0 * (double)a->correct / (double)a->images;
    record->filters_gradient = sqrt(a->gradient2 / (double)a->steps);
    record->filters_decay = sqrt(a->decay2 / (double)a->steps);
    if (b->steps) {
        record->loss_b = b->loss / (double)b->images;
        record->accuracy_b = 100.0 * (double)b->correct / (double)b->images;
        record->logits_gradient = sqrt(b->gradient2 / (double)b->steps);
        record->logits_decay = sqrt(b->decay2 / (double)b->steps);
    }
    for (int l = 0; l < t->network->shape.layers; l++)
        plain_network_alpha(record->alpha[l], t->network, l);
    if (t->settings.learned_depth)
        plain_network_beta(record->beta, t->network);
}

// book: training_prune
/* "remove the feature map resolutions .. with low alpha": those under the threshold, but never a layer's
 * largest, the first of equal ones (choice "pruning"). */
static void prune(PlainNetworkShape *shape, const Training *source, double threshold)
{
    for (int l = 0; l < shape->layers; l++) {
        double alpha[MAX_LEVELS];
        int largest = 0;
        plain_network_alpha(alpha, source->network, l);
        for (int r = 0; r < shape->levels; r++)
            largest = alpha[r] > alpha[largest] ? r : largest;
        for (int r = 0; r < shape->levels; r++)
            if (r != largest && (alpha[r] < threshold || alpha[r] == 0))
                shape->kept[l] &= ~(1u << r);
    }
}

/* "fine tune the new configuration": from the source's logits, so that alpha is the softmax over those that
 * stay, and, unless it is trained from scratch, from its filters and running averages, with no velocity. */
static void take_over(PlainNetwork *net, const PlainNetwork *source, bool scratch)
{
    memcpy(net->logits, source->logits, net->logits_count * sizeof *net->logits);
    if (scratch)
        return;
    memcpy(net->filters, source->filters, net->filters_count * sizeof *net->filters);
    memcpy(net->statistics, source->statistics, net->statistics_count * sizeof *net->statistics);
}
// book: end

/* Lengths: whole batches of D_a an epoch; a tenth of the epochs for fine-tuning (choice "pruning"). */
static void plan(Training *t, Course *c, const Training *source)
{
    TrainingSettings *s = &t->settings;
    t->iterations = c->count_a / s->batch;
    t->epochs = s->epochs;
    if (s->logits_lr == 0)
        s->logits_lr = logits_rate(s->epochs * t->iterations);
    if (s->images_epoch > s->images_test)
        s->images_epoch = s->images_test;
    c->learns = s->mix == MIX_LEARNED && !source && /* pruned: "alpha then frozen" */
                s->logits_data != LOGITS_FROZEN;
    if (!source || s->prune_scratch)
        return;
    if (s->prune_epochs == 0)
        s->prune_epochs = s->epochs < 20 ? 1 : s->epochs / 10;
    t->epochs = s->prune_epochs;
    t->source_epochs = source->epochs;
    c->schedule_from = 0.9 * s->epochs;
}

// book: training_run
static bool train(Training *t, Course *c, const Training *source)
{
    const TrainingSettings *s = &t->settings;
    PlainNetworkShape shape = training_shape(s);
    if (source)
        prune(&shape, source, s->prune_threshold);
    t->network = plain_network_create(&shape, s->batch);
    t->epoch = calloc((size_t)t->epochs, sizeof *t->epoch);
    t->prediction = calloc((size_t)s->images_test, sizeof *t->prediction);
    if (!t->network || !t->epoch || !t->prediction)
        return false;
    training_initialise(t->network, s->seed);
    training_start_alpha(t->network, s);
    if (source)
        take_over(t->network, source->network, s->prune_scratch);
    for (int epoch = 0; epoch < t->epochs; epoch++) {
        Sums a = {0}, b = {0};
        train_epoch(&a, &b, t, c, epoch);
        test(&t->epoch[epoch], t->prediction, t->network, c, s->batch,
             epoch == t->epochs - 1 ? s->images_test : s->images_epoch); /* choice "test-images" */
        record_epoch(&t->epoch[epoch], t, c, &a, &b, epoch);
    }
    return true;
}
// book: end

bool training_run(Training *t, const TrainingSettings *settings, const TrainingImages *images,
                  const Training *source)
{
    *t = (Training){.settings = *settings};
    Course c = {.data = images,
                .order = calloc((size_t)images->train, sizeof *c.order),
                .x = calloc((size_t)settings->batch * IMAGE, sizeof *c.x),
                .labels = calloc((size_t)settings->batch, sizeof *c.labels)};
    uint32_t *all = calloc((size_t)images->train, sizeof *all);
    bool ok = all && c.order && c.x && c.labels;
    if (ok) {
        c.normalisation = training_normalisation(images);
        split(&c, settings, all);
        plan(t, &c, source);
        ok = train(t, &c, source);
    }
    free(all);
    free(c.order);
    free(c.x);
    free(c.labels);
    return ok;
}

void training_free(Training *t)
{
    plain_network_free(t->network);
    free(t->epoch);
    free(t->prediction);
    *t = (Training){0};
}
