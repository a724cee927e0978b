/* The training of section 3.4, in double and as plain code: what the paper says, and where it is silent, our
 * choice, named as in paper/choices.tsv. build/train is the second telling of it, for every kernel set; the
 * two share this folder's operations and the table of draws in random.h, and must agree to the last digit
 * that a run records. */
#ifndef NOPOOL_REF_TRAINING_H
#define NOPOOL_REF_TRAINING_H

#include "optimizer.h"
#include "training_images.h"
#include "training_network.h"

typedef enum {
    MIX_NONE,       /* "No Pooling": R = 1 */
    MIX_PREDEFINED, /* one level a layer, coarser from stage to stage */
    MIX_UNIFORM,    /* "Scale Invariant": R levels with equal, fixed alpha */
    MIX_LEARNED     /* "Our Model" */
} MixKind;

/* The paper's are the first ones; the others are controls. */
typedef enum { LOGITS_ON_B, LOGITS_ON_A, LOGITS_FROZEN } LogitsData;
typedef enum { START_UNIFORM, START_RANDOM, START_FINEST, START_COARSEST, START_REVERSED } LogitsStart;

typedef struct {
    uint64_t seed;
    /* The network. */
    int layers, channels;
    NetKind net;
    MixKind mix;
    int levels, first_level; /* R; the finest level is 2^first_level */
    int stages[MAX_LEVELS];  /* layers of each stage of MIX_PREDEFINED; all 0: four stages */
    PoolMode down;
    UpsampleMode up;
    BlockKind block; /* of every layer but the first and the last */
    bool shared_norm, affine, linear_head, bias;
    bool unshared_filters; /* F[l][r] of section 3.5 */
    bool learned_depth;    /* section 3.3 */
    double norm_eps, norm_momentum;
    /* The data. */
    int images_a, images_b;        /* sizes of D_a and D_b */
    int images_test, images_epoch; /* tested after the last epoch, after the others */
    bool fixed_data_all;           /* nets that learn no alpha are trained on D_b too */
    bool augment;
    /* The steps. */
    int epochs, batch;
    double lr, lr_min, momentum, weight_decay; /* SGD and its schedule */
    double logits_lr;                          /* 0: by the rule of choice "adam" */
    double logits_beta1, logits_beta2, logits_eps, logits_decay;
    bool logits_first; /* in an iteration */
    LogitsData logits_data;
    LogitsStart logits_start;
    const struct Training *logits_from; /* with START_REVERSED: the training whose logits it reverses */
    /* Pruning, where there is a network to prune. */
    double prune_threshold;
    bool prune_scratch; /* new filters, the whole schedule */
    int prune_epochs;   /* 0: a tenth of the epochs, at least 1 */
} TrainingSettings;

/* The paper's settings, and our choices where it gives none. */
TrainingSettings training_settings(void);

/* What is recorded of an epoch. Losses and accuracies (percent) are means over images, before each step;
 * gradients and decays are root mean squares over steps of Euclidean norms. */
typedef struct {
    double lr, logits_lr; /* logits_lr 0: no logits are learned */
    double loss_a, accuracy_a, loss_b, accuracy_b;
    int test_images;
    double test_loss, test_accuracy;
    double filters_gradient, filters_decay, logits_gradient, logits_decay;
    double alpha[MAX_LAYERS][MAX_LEVELS]; /* after the epoch */
    double beta[MAX_LAYERS];              /* the same, with a learned depth: of layers 1 to L - 1 */
} EpochRecord;

/* Of one test image. */
typedef struct {
    int label, predicted;
} Prediction;

typedef struct Training {
    TrainingSettings settings;
    PlainNetwork *network;
    int epochs, iterations; /* made; of an epoch */
    int source_epochs;      /* of the training that was fine-tuned, else 0 */
    EpochRecord *epoch;     /* (epochs) */
    Prediction *prediction; /* (images_test), of the last epoch, in the order of the data */
} Training;

/* Trains a network from the start, or, with a source, prunes the source's and fine-tunes it. The settings are
 * possible ones for these images (experiments/protocol/plan.h refuses others). False if memory runs out. The
 * caller frees the training in either case. */
bool training_run(Training *training, const TrainingSettings *settings, const TrainingImages *images,
                  const Training *source);
void training_free(Training *training);

#endif
