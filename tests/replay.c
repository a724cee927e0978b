/* Replaying a run: see replay.h. */
#include "replay.h"
#include "program.h"
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const ReplayCase *replay_find(const char *name)
{
    for (int i = 0; i < replay_count; i++)
        if (strcmp(replay_cases[i].name, name) == 0)
            return &replay_cases[i];
    ck_abort_msg("there is no case %s", name);
    return NULL;
}

void replay_options(char *text, size_t size, const ReplayCase *c)
{
    text[0] = 0;
    if (c->base)
        replay_options(text, size, replay_find(c->base));
    const size_t length = strlen(text);
    snprintf(text + length, size - length, "%s%s", length ? " " : "", c->changes);
}

/* The words of the options, for ref/training. */
typedef enum { INTEGER, REAL, BOOLEAN } Kind;
static const struct {
    const char *name;
    Kind kind;
    size_t offset;
} fields[] = {
#define FIELD(name, kind, field)                      \
    {                                                 \
        name, kind, offsetof(TrainingSettings, field) \
    }
    FIELD("layers", INTEGER, layers),
    FIELD("channels", INTEGER, channels),
    FIELD("levels", INTEGER, levels),
    FIELD("first-level", INTEGER, first_level),
    FIELD("images-a", INTEGER, images_a),
    FIELD("images-b", INTEGER, images_b),
    FIELD("images-test", INTEGER, images_test),
    FIELD("images-epoch", INTEGER, images_epoch),
    FIELD("epochs", INTEGER, epochs),
    FIELD("batch", INTEGER, batch),
    FIELD("prune-epochs", INTEGER, prune_epochs),
    FIELD("norm-eps", REAL, norm_eps),
    FIELD("norm-momentum", REAL, norm_momentum),
    FIELD("lr", REAL, lr),
    FIELD("lr-min", REAL, lr_min),
    FIELD("momentum", REAL, momentum),
    FIELD("weight-decay", REAL, weight_decay),
    FIELD("logits-lr", REAL, logits_lr),
    FIELD("logits-beta1", REAL, logits_beta1),
    FIELD("logits-beta2", REAL, logits_beta2),
    FIELD("logits-eps", REAL, logits_eps),
    FIELD("logits-decay", REAL, logits_decay),
    FIELD("prune-threshold", REAL, prune_threshold),
    FIELD("affine", BOOLEAN, affine),
    FIELD("bias", BOOLEAN, bias),
    FIELD("augment", BOOLEAN, augment),
#undef FIELD
};

static const struct {
    const char *name, *word;
    size_t offset;
    int value;
} words[] = {
#define WORD(name, word, field, value)                       \
    {                                                        \
        name, word, offsetof(TrainingSettings, field), value \
    }
    WORD("net", "layers", net, NET_LAYERS),
    WORD("net", "fabric-dense", net, NET_FABRIC_DENSE),
    WORD("net", "fabric-sparse", net, NET_FABRIC_SPARSE),
    WORD("pooling", "none", mix, MIX_NONE),
    WORD("pooling", "predefined", mix, MIX_PREDEFINED),
    WORD("pooling", "uniform", mix, MIX_UNIFORM),
    WORD("pooling", "learned", mix, MIX_LEARNED),
    WORD("down", "max", down, POOL_MAX),
    WORD("down", "average", down, POOL_AVERAGE),
    WORD("down", "subsample", down, POOL_SUBSAMPLE),
    WORD("block", "conv", block, BLOCK_CONV),
    WORD("block", "mbconv", block, BLOCK_MBCONV),
    WORD("up", "nearest", up, UPSAMPLE_NEAREST),
    WORD("up", "bilinear", up, UPSAMPLE_BILINEAR),
    WORD("logits-data", "b", logits_data, LOGITS_ON_B),
    WORD("logits-data", "a", logits_data, LOGITS_ON_A),
    WORD("logits-data", "none", logits_data, LOGITS_FROZEN),
    WORD("logits-start", "uniform", logits_start, START_UNIFORM),
    WORD("logits-start", "random", logits_start, START_RANDOM),
    WORD("logits-start", "finest", logits_start, START_FINEST),
    WORD("logits-start", "coarsest", logits_start, START_COARSEST),
    WORD("logits-start", "reversed", logits_start, START_REVERSED),
#undef WORD
};

/* Words that are true or false to ref/training. */
static const struct {
    const char *name, *no, *yes;
    size_t offset;
} pairs[] = {
    {"norm", "per-resolution", "shared", offsetof(TrainingSettings, shared_norm)},
    {"head", "convolution", "linear", offsetof(TrainingSettings, linear_head)},
    {"fixed-data", "split", "all", offsetof(TrainingSettings, fixed_data_all)},
    {"order", "filters-first", "logits-first", offsetof(TrainingSettings, logits_first)},
    {"filters", "shared", "unshared", offsetof(TrainingSettings, unshared_filters)},
    {"depth", "fixed", "learned", offsetof(TrainingSettings, learned_depth)},
    {"prune-start", "trained", "scratch", offsetof(TrainingSettings, prune_scratch)},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool set_stages(TrainingSettings *s, const char *value)
{
    for (int stage = 0; *value && stage < MAX_LEVELS; stage++) {
        s->stages[stage] = (int)strtol(value, (char **)&value, 10);
        value += *value == ',';
    }
    return *value == 0;
}

bool replay_set(TrainingSettings *s, const char *name, const char *value)
{
    char *end = NULL;
    if (strcmp(name, "seed") == 0) {
        s->seed = strtoull(value, &end, 10);
        return *end == 0;
    }
    if (strcmp(name, "stages") == 0)
        return set_stages(s, value);
    for (size_t i = 0; i < COUNT(fields); i++) {
        void *field = (char *)s + fields[i].offset;
        if (strcmp(fields[i].name, name) != 0)
            continue;
        if (fields[i].kind == BOOLEAN) {
            *(bool *)field = strcmp(value, "yes") == 0;
            return *(bool *)field || strcmp(value, "no") == 0;
        }
        if (fields[i].kind == INTEGER)
            *(int *)field = (int)strtol(value, &end, 10);
        else
            *(double *)field = strtod(value, &end);
        return *end == 0;
    }
    for (size_t i = 0; i < COUNT(words); i++)
        if (strcmp(words[i].name, name) == 0 && strcmp(words[i].word, value) == 0) {
            memcpy((char *)s + words[i].offset, &words[i].value, sizeof words[i].value);
            return true;
        }
    for (size_t i = 0; i < COUNT(pairs); i++)
        if (strcmp(pairs[i].name, name) == 0) {
            bool *field = (bool *)((char *)s + pairs[i].offset);
            *field = strcmp(value, pairs[i].yes) == 0;
            return *field || strcmp(value, pairs[i].no) == 0;
        }
    return false;
}

static TrainingSettings settings_of(const ReplayCase *c)
{
    TrainingSettings s = training_settings();
    char text[4096];
    replay_options(text, sizeof text, c);
    for (char *name = strtok(text, " "); name; name = strtok(NULL, " ")) {
        char *value = strchr(name, '=');
        ck_assert_msg(value != NULL, "case %s: %s has no value", c->name, name);
        *value++ = 0;
        ck_assert_msg(replay_set(&s, name, value), "case %s: ref/training has no word for %s=%s", c->name,
                      name, value);
    }
    return s;
}

/* Appends a file of program_write_data: a label and 3,072 pixels an image. */
static int read_records(uint8_t *images, uint8_t *labels, int at, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/data/%s", program_folder, name);
    FILE *in = fopen(path, "rb");
    ck_assert_msg(in != NULL, "%s is missing", path);
    for (int label; (label = fgetc(in)) != EOF; at++) {
        labels[at] = (uint8_t)label;
        ck_assert_uint_eq(fread(images + (size_t)at * 3072, 1, 3072, in), 3072);
    }
    fclose(in);
    return at;
}

static TrainingImages read_images(void)
{
    enum { MOST = 300 };
    static uint8_t images[MOST * 3072], labels[MOST], test_images[MOST * 3072], test_labels[MOST];
    int train = 0;
    for (int i = 1; i <= 5; i++) {
        char name[32];
        snprintf(name, sizeof name, "data_batch_%d.bin", i);
        train = read_records(images, labels, train, name);
    }
    return (TrainingImages){train,       read_records(test_images, test_labels, 0, "test_batch.bin"),
                            images,      labels,
                            test_images, test_labels};
}

void replay_train(Training *training, Training *source, const ReplayCase *c)
{
    const TrainingImages images = read_images();
    TrainingSettings settings = settings_of(c);
    const bool reverses = settings.logits_start == START_REVERSED;
    *source = (Training){0};
    if (c->source) {
        const TrainingSettings of_source = settings_of(replay_find(c->source));
        ck_assert(training_run(source, &of_source, &images, NULL));
    }
    settings.logits_from = reverses ? source : NULL;
    ck_assert(training_run(training, &settings, &images, c->source && !reverses ? source : NULL));
}

static void print_log(FILE *out, const Training *t)
{
    fprintf(
        out,
        "epoch\tlr\tlogits_lr\tloss_a\taccuracy_a\tloss_b\taccuracy_b\ttest_images\ttest_loss\ttest_accuracy"
        "\tfilters_gradient\tfilters_decay\tlogits_gradient\tlogits_decay\n");
    for (int i = 0; i < t->epochs; i++) {
        const EpochRecord *e = &t->epoch[i];
        fprintf(out, "%d\t%.9g\t%.9g\t%.9g\t%.6f\t%.9g\t%.6f\t%d\t%.9g\t%.6f\t%.9g\t%.9g\t%.9g\t%.9g\n",
                i + 1, e->lr, e->logits_lr, e->loss_a, e->accuracy_a, e->loss_b, e->accuracy_b,
                e->test_images, e->test_loss, e->test_accuracy, e->filters_gradient, e->filters_decay,
                e->logits_gradient, e->logits_decay);
    }
}

static void print_alpha(FILE *out, const Training *t)
{
    const PlainNetworkShape *s = &t->network->shape;
    fprintf(out, "epoch\tlayer");
    for (int r = 0; r < s->levels; r++)
        fprintf(out, "\talpha%d", r);
    fprintf(out, "\n");
    for (int i = 0; i < t->epochs; i++) {
        for (int l = 0; l < s->layers; l++) {
            fprintf(out, "%d\t%d", i + 1, l + 1);
            for (int r = 0; r < s->levels; r++)
                fprintf(out, "\t%.9g", t->epoch[i].alpha[l][r]);
            fprintf(out, "\n");
        }
        if (s->layers > 0) /* a fabric has no alpha */
            fprintf(out, "\n");
    }
}

static void print_beta(FILE *out, const Training *t)
{
    const int hidden = t->network->shape.layers - 1;
    fprintf(out, "epoch");
    for (int l = 1; l <= hidden; l++)
        fprintf(out, "\tbeta%d", l);
    fprintf(out, "\n");
    for (int i = 0; i < t->epochs; i++) {
        fprintf(out, "%d", i + 1);
        for (int l = 0; l < hidden; l++)
            fprintf(out, "\t%.9g", t->epoch[i].beta[l]);
        fprintf(out, "\n");
    }
}

/* The learned depth, read as DESIGN has it: the layer of the largest beta, the mean of the layer, the last
 * one whose beta is not under its share; each plus 1, for the last layer. */
static void print_depth(FILE *out, const double *beta, int hidden)
{
    int largest = 1, last = 0;
    double mean = 0;
    for (int l = 1; l <= hidden; l++) {
        largest = beta[l - 1] > beta[largest - 1] ? l : largest;
        mean += l * beta[l - 1];
        last = beta[l - 1] >= 1.0 / hidden ? l : last;
    }
    fprintf(out, "depth_argmax\t%d\ndepth_expected\t%.6f\ndepth_last\t%d\n", largest + 1, mean + 1, last + 1);
}

static void print_result(FILE *out, const Training *t)
{
    const PlainNetworkShape *s = &t->network->shape;
    const PlainCost cost = plain_network_cost(s);
    const EpochRecord *last = &t->epoch[t->epochs - 1];
    int best = 0;
    for (int i = 0; i < t->epochs; i++)
        best = t->epoch[i].test_accuracy > t->epoch[best].test_accuracy ? i : best;
    fprintf(out, "accuracy\t%.6f\ntest_images\t%d\ntest_loss\t%.9g\ntrain_loss\t%.9g\n", last->test_accuracy,
            last->test_images, last->test_loss, last->loss_a);
    fprintf(out, "best_on_test\t%.6f\nbest_on_test_epoch\t%d\n", t->epoch[best].test_accuracy, best + 1);
    fprintf(out, "epochs\t%d\ntotal_epochs\t%d\niterations\t%d\n", t->epochs, t->epochs + t->source_epochs,
            t->epochs * t->iterations);
    fprintf(out, "weights\t%zu\nparameters\t%zu\n", cost.weights, cost.parameters);
    if (cost.formula)
        fprintf(out, "weights_by_formula\t%zu\n", cost.formula);
    fprintf(out, "macs\t%.0f\n", cost.macs);
    for (int l = 0; l < MAX_LAYERS; l++)
        for (int r = 0; r < MAX_LEVELS; r++)
            if (cost.level_macs[l][r] > 0)
                fprintf(out, "macs_layer_%d_level_%d\t%.0f\n", l + 1, r, cost.level_macs[l][r]);
    if (t->settings.learned_depth)
        print_depth(out, last->beta, s->layers - 1);
}

static void print_predictions(FILE *out, const Training *t)
{
    fprintf(out, "label\tpredicted\n");
    for (int i = 0; i < t->epoch[t->epochs - 1].test_images; i++)
        fprintf(out, "%d\t%d\n", t->prediction[i].label, t->prediction[i].predicted);
}

char *replay_print(const Training *training, const char *file)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(out);
    if (strcmp(file, "log.tsv") == 0)
        print_log(out, training);
    else if (strcmp(file, "alpha.tsv") == 0)
        print_alpha(out, training);
    else if (strcmp(file, "beta.tsv") == 0)
        print_beta(out, training);
    else if (strcmp(file, "predictions.tsv") == 0)
        print_predictions(out, training);
    else
        print_result(out, training);
    fclose(out);
    return text;
}
