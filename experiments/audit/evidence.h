/* What runs have measured, in the form that verdicts take: groups of runs under one protocol, rows in a
 * group, seeds in a row. Filled from run folders, or by hand in tests and simulations. */
#ifndef NOPOOL_EVIDENCE_H
#define NOPOOL_EVIDENCE_H

#include "../protocol/options.h"
#include "../tables/statistics.h"
#include "tsv.h"

enum { ROW_SEEDS = 32, GROUP_ROWS = 64 };

/* What is measured of a run; NaN where it has none. */
typedef enum {
    ACCURACY, /* last epoch, test set, per cent */
    BEST,     /* best epoch on the test set */
    EARLY,    /* on D_a after a tenth of the epochs */
    SECONDS,  /* an epoch of the schedule; a pruned run has a tenth of them */
    SLOPE,    /* Spearman's correlation of the layers' expected levels with their numbers */
    DEPTH,    /* learned */
    QUANTITIES
} Quantity;

typedef struct {
    char id[64]; /* TABLE.ROW */
    int n;
    int seed[ROW_SEEDS], folder[ROW_SEEDS]; /* folder: index into Evidence.folders, -1 for none */
    double x[QUANTITIES][ROW_SEEDS];
    double slope_p; /* of the first run: exact permutation p of its SLOPE, two-sided */
} RowRuns;

typedef struct {
    char key[1536]; /* what runs under one protocol share */
    char data[64], kernels[64], newest[32];
    char grade; /* A to D, if there are three seeds */
    int epochs;
    int count;
    RowRuns *rows; /* (GROUP_ROWS) */
} Group;

typedef struct {
    char path[512], commit[160], started[32], sha256[65];
    char again[160]; /* a commit whose kernels made its first epoch anew, to the last digit; "" if none is
                        known */
    char rows[256];  /* the ids of the rows that it stands for, between blanks */
    char machine[160]; /* what its seconds depend on: CPU, instruction set and threads */
    double seconds;
    int threads;
    bool stale; /* what decides a run's bits changed since its commit; set by whoever asks git */
} Folder;

typedef struct {
    Group *groups;
    Folder *folders;
    int groups_count, folders_count;
    char *bench_lines, bench[512]; /* the lines of the bench record, and its path */
} Evidence;

/* The rows of tables, as paper/rows.tsv states them: the paper's sizes, the options of `train` that make the
 * row beside the defaults, and the make target that trains it. */
typedef struct {
    Tsv table;
} Rows;

/* Refuses an option, or a value of one, that `train` does not have. */
bool rows_read(Rows *rows, const char *path, Error *error);
bool rows_have(const Rows *rows, const char *id);

/* Whether the same runs stand for both rows, of two tables. */
bool rows_same(const Rows *rows, const char *a, const char *b);

/* The make target that trains the row; "" for a row that is not there. */
const char *rows_target(const Rows *rows, const char *id);

/* The scale at which a run, by its resolved options, stands for the row; NULL if it does not. Runs of
 * different scales are never compared. */
const char *rows_scale(const Rows *rows, const char *id, const Options *run);

/* Adds every finished run under a folder, at any depth; an unfinished folder is passed over, a broken one is
 * refused. Runs that stand for no row are kept as folders. A seed that is there twice in one group counts
 * once, the newest run. */
bool evidence_add(Evidence *evidence, const Rows *rows, const char *folder, Error *error);

/* The bench record (build/bench's lines) that shares are taken from; and the largest share of a weight step
 * at the paper's size (10x64) in it, per cent, over kernel sets and threads, and how many lines tell. */
bool evidence_bench(Evidence *evidence, const char *path, Error *error);
double evidence_share(const Evidence *evidence, const char *what, int *lines);
void evidence_free(Evidence *evidence);

/* The group with this key, made if it is not there; and its row. NULL if there is no room. */
Group *evidence_group(Evidence *evidence, const char *key);
RowRuns *group_row(Group *group, const char *id, bool make);

/* The grade of a row's evidence: what the group's protocol allows, C at most with fewer than three seeds. */
char evidence_grade(const Group *group, int seeds);

/* Of a protocol: A the paper's own on the official images; B at least 40 epochs of all images, net at the
 * paper's size; C at least 10; D the rest. */
char protocol_grade(const char *data, bool printed, bool whole, int epochs);

/* Spearman's correlation of x with 1..n, and its exact two-sided permutation p (NaN for n > 10); both are NaN
 * where one of x is. */
double spearman(const double *x, int n);
double spearman_p(const double *x, int n);

/* The seeds of a row and a quantity of it; the spread over all rows of the same table in the group. */
Sample row_sample(const RowRuns *row, Quantity quantity);
Spread group_spread(const Group *group, const char *row, Quantity quantity);

#endif
