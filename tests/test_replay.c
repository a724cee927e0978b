/* The protocol: build/train --kernels=ref against ref/training.c, a second telling of section 3.4 that shares
 * the operations of ref/ and the table of draws with it and nothing else. They agree to the last printed
 * digit over a matrix that moves every option that decides bits, and every move is seen in what a run
 * records.
 *
 * Claims: s3.4.interleaved s3.4.start. */
#include "program.h"
#include "replay.h"
#include "suites.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Each case but the first of a family moves one option of its base, so that a move without effect is found.
 * D_a and D_b end on partial batches, which are dropped, and the test on one, which counts. */
const ReplayCase replay_cases[] = {
    {"small", NULL,
     "layers=3 channels=4 images-a=28 images-b=18 images-test=11 images-epoch=5 "
     "epochs=2 "
     "batch=8 lr=0.05",
     NULL},
    {"ours", "small", "levels=3", NULL},
    {"seed", "ours", "seed=2", NULL},
    {"large-seed", "ours", "seed=2147483647", NULL},
    {"layers", "ours", "layers=2", NULL},
    {"channels", "ours", "channels=3", NULL},
    {"levels", "ours", "levels=2", NULL},
    {"one-level", "ours", "levels=1", NULL},
    {"first-level", "ours", "first-level=1", NULL},
    {"down-average", "ours", "down=average", NULL},
    {"down-subsample", "ours", "down=subsample", NULL},
    {"up", "ours", "up=bilinear", NULL},
    {"mbconv", "ours", "block=mbconv", NULL},
    {"mbconv-channels", "mbconv", "channels=9", NULL},
    {"mbconv-bias", "mbconv", "bias=no", NULL},
    {"mbconv-affine", "mbconv", "affine=yes", NULL},
    {"mbconv-shared", "mbconv-affine", "norm=shared", NULL},
    {"mbconv-one-res", "mbconv", "prune-threshold=1", "mbconv"},
    {"norm", "ours", "norm=shared", NULL},
    {"affine", "ours", "affine=yes", NULL},
    {"norm-affine", "norm", "affine=yes", NULL},
    {"norm-eps", "ours", "norm-eps=0.01", NULL},
    {"norm-momentum", "ours", "norm-momentum=0.3", NULL},
    {"head", "ours", "head=linear", NULL},
    {"one-layer", "head", "layers=1", NULL},
    {"bias", "ours", "bias=no", NULL},
    {"filters", "ours", "filters=unshared", NULL},
    {"filters-affine", "filters", "affine=yes", NULL},
    {"filters-first-level", "filters", "first-level=1", NULL},
    {"filters-threshold", "filters", "prune-threshold=0.333333", "filters"},
    {"depth", "ours", "depth=learned", NULL},
    {"depth-head", "depth", "head=linear", NULL},
    {"depth-layers", "depth", "layers=5", NULL},
    {"depth-filters", "depth", "filters=unshared", NULL},
    {"images-a", "ours", "images-a=17", NULL},
    {"images-b", "ours", "images-b=9", NULL},
    {"images-test", "ours", "images-test=16", NULL},
    {"images-epoch", "ours", "images-epoch=8", NULL},
    {"augment", "ours", "augment=no", NULL},
    {"epochs", "ours", "epochs=3", NULL},
    {"batch", "ours", "batch=5", NULL},
    {"lr", "ours", "lr=0.2", NULL},
    {"lr-min", "ours", "lr-min=0.02", NULL},
    {"momentum", "ours", "momentum=0.5", NULL},
    {"weight-decay", "ours", "weight-decay=0.01", NULL},
    {"logits-lr", "ours", "logits-lr=0.1", NULL},
    {"logits-beta1", "ours", "logits-beta1=0.9", NULL},
    {"logits-beta2", "ours", "logits-beta2=0.9", NULL},
    {"logits-eps", "ours", "logits-eps=0.001", NULL},
    {"logits-decay", "ours", "logits-decay=0.5", NULL},
    {"order", "ours", "order=logits-first", NULL},
    {"logits-data", "ours", "logits-data=a", NULL},
    {"logits-frozen", "ours", "logits-data=none", NULL},
    {"logits-random", "ours", "logits-start=random", NULL},
    {"random-frozen", "logits-random", "logits-data=none", NULL},
    {"logits-finest", "ours", "logits-start=finest", NULL},
    {"logits-coarsest", "ours", "logits-start=coarsest", NULL},
    {"coarsest-from-1", "first-level", "logits-start=coarsest", NULL},
    {"finest-from-1", "first-level", "logits-start=finest", NULL},
    {"reversed", "ours", "logits-start=reversed", "ours"},
    {"reversed-from-1", "first-level", "logits-start=reversed", "first-level"},
    {"none", "small", "pooling=none", NULL},
    {"none-all", "none", "fixed-data=all", NULL},
    {"none-linear", "none", "head=linear bias=no layers=2 channels=3", NULL},
    {"fabric-dense", "none-linear", "net=fabric-dense", NULL},
    {"fabric-sparse", "none-linear", "net=fabric-sparse channels=5", NULL},
    {"fabric-affine", "fabric-sparse", "affine=yes", NULL},
    {"uniform", "ours", "pooling=uniform", NULL},
    {"predefined", "small", "pooling=predefined", NULL},
    {"stages", "predefined", "stages=1,2", NULL},
    {"all-levels", "ours", "prune-threshold=0", "ours"},
    {"threshold", "all-levels", "prune-threshold=0.333333", "ours"},
    {"one-res", "threshold", "prune-threshold=1", "ours"},
    {"scratch", "one-res", "prune-start=scratch", "ours"},
    {"prune-epochs", "one-res", "prune-epochs=2", "ours"},
    {"mixed", "ours",
     "norm=shared affine=yes head=linear bias=no down=average up=bilinear first-level=1 "
     "weight-decay=0.01 augment=no batch=5",
     NULL},
    {"mixed-pruned", "mixed", "prune-threshold=0.333333", "mixed"},
};
enum { CASES = sizeof replay_cases / sizeof *replay_cases };
const int replay_count = CASES;

/* And beta.tsv where there is one. */
static const char *const files[] = {"log.tsv", "alpha.tsv", "result.tsv", "predictions.tsv"};
enum { FILES = sizeof files / sizeof *files };

/* Starts build/train on a case, its words in <case>.output. */
static pid_t start(const ReplayCase *c)
{
    enum { MOST = 64 };
    static char texts[8][4096];
    static int turn;
    char *text = texts[turn++ % 8], *arguments[MOST], path[256], output[256], run[256], data[256], from[256];
    int count = 0;
    const char *build = getenv("NOPOOL_BUILD");
    snprintf(path, sizeof path, "%s/train", build ? build : "build");
    snprintf(output, sizeof output, "%s/%s.output", program_folder, c->name);
    snprintf(run, sizeof run, "run=%s/%s", program_folder, c->name);
    snprintf(data, sizeof data, "data=%s/data", program_folder);
    replay_options(text, sizeof texts[0], c);
    snprintf(from, sizeof from, "%s=%s", strstr(text, "logits-start=reversed") ? "logits-from" : "prune-from",
             c->source ? c->source : "");
    char *all[MOST] = {run, data, from, "kernels=ref", "threads=1"};
    for (char *word = strtok(text, " "); word && count < MOST - 8; word = strtok(NULL, " "))
        all[5 + count++] = word;
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        arguments[0] = path;
        for (int i = 0; i < 5 + count; i++) {
            arguments[i + 1] = malloc(strlen(all[i]) + 3);
            sprintf(arguments[i + 1], "--%s", all[i]);
        }
        arguments[6 + count] = NULL;
        const int out = open(output, O_CREAT | O_TRUNC | O_WRONLY, 0666);
        dup2(out, STDOUT_FILENO);
        dup2(out, STDERR_FILENO);
        execv(path, arguments);
        _exit(127);
    }
    return child;
}

/* Runs the cases with or without a source, as many at a time as there are cores. What fails is found by the
 * test of its case. */
static void run_all(bool pruned)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int running = 0;
    for (int i = 0; i < CASES; i++) {
        if ((replay_cases[i].source != NULL) != pruned)
            continue;
        if (running >= cores)
            running -= wait(NULL) > 0;
        start(&replay_cases[i]);
        running++;
    }
    while (running-- > 0)
        wait(NULL);
}

static void setup(void)
{
    program_setup();
    program_write_data();
    run_all(false);
    run_all(true);
}

/* Where two texts part: their lines there. */
static void expect_same(const char *got, const char *want, const char *file, const char *name)
{
    int line = 1;
    while (*got && *got == *want)
        line += *got == '\n', got++, want++;
    ck_assert_msg(*got == *want,
                  "%s of case %s parts in line %d: build/train has ...%.60s\nref/training ...%.60s", file,
                  name, line, got, want);
}

START_TEST(test_replay_log_alpha_and_result_agree_to_the_last_digit)
{
    const ReplayCase *c = &replay_cases[_i];
    Training training, source;
    replay_train(&training, &source, c);
    const bool deep = training.settings.learned_depth;
    char *beta = program_file("%s/beta.tsv", c->name);
    ck_assert_msg((beta != NULL) == deep, "case %s: beta.tsv is there, or missing", c->name);
    free(beta);
    for (int i = 0; i < FILES + deep; i++) {
        const char *file = i < FILES ? files[i] : "beta.tsv";
        char *got = program_file("%s/%s", c->name, file), *want = replay_print(&training, file);
        if (!got) {
            char *output = program_file("%s.output", c->name);
            ck_abort_msg("build/train made no %s of case %s: %s", file, c->name, output ? output : "");
        }
        expect_same(got, want, file, c->name);
        free(got);
        free(want);
    }
    training_free(&training);
    training_free(&source);
}
END_TEST

/* The same file of two runs. */
static bool same(const char *a, const char *b, const char *file)
{
    char *left = program_file("%s/%s", a, file), *right = program_file("%s/%s", b, file);
    ck_assert_msg(left && right, "%s is missing in %s or %s", file, a, b);
    const bool equal = strcmp(left, right) == 0;
    free(left);
    free(right);
    return equal;
}

START_TEST(test_replay_every_move_of_an_option_changes_what_is_recorded)
{
    for (int i = 0; i < CASES; i++) {
        const ReplayCase *c = &replay_cases[i];
        bool differs = !c->base;
        for (int f = 0; f < FILES && !differs; f++)
            differs = !same(c->name, c->base, files[f]);
        ck_assert_msg(differs, "case %s: %s changes nothing of %s", c->name, c->changes, c->base);
    }
}
END_TEST

/* Every option but these decides bits, and the matrix must move it. */
static bool decides_bits(const char *name)
{
    return strcmp(name, "data") != 0 && strcmp(name, "kernels") != 0; /* what is read; who computes */
}

static bool moved(const char *name)
{
    const size_t length = strlen(name);
    if (strcmp(name, "prune-from") == 0 || strcmp(name, "logits-from") == 0)
        return true; /* every case with a source */
    for (int i = 0; i < CASES; i++)
        if (replay_cases[i].base && strncmp(replay_cases[i].changes, name, length) == 0 &&
            replay_cases[i].changes[length] == '=' && !strchr(replay_cases[i].changes, ' '))
            return true;
    return false;
}

START_TEST(test_replay_moves_every_option_alone)
{
    static const char *const names[] = {
#define INTEGER(field, name, ...) name,
#define REAL(field, name, ...)    name,
#define CHOICE(field, name, ...)  name,
#define TEXT(field, name, ...)    name,
#include "../experiments/protocol/options.def"
#undef INTEGER
#undef REAL
#undef CHOICE
#undef TEXT
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ck_assert_msg(!decides_bits(names[i]) || moved(names[i]),
                      "no case of the replay moves --%s and nothing else", names[i]);
}
END_TEST

Suite *replay_suite(void)
{
    Suite *suite = suite_create("replay");
    TCase *tcase = tcase_create("matrix");
    tcase_add_unchecked_fixture(tcase, setup, program_teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, test_replay_log_alpha_and_result_agree_to_the_last_digit, 0, CASES);
    tcase_add_test(tcase, test_replay_every_move_of_an_option_changes_what_is_recorded);
    tcase_add_test(tcase, test_replay_moves_every_option_alone);
    suite_add_tcase(suite, tcase);
    return suite;
}
