/* A table as data: what the paper prints (paper/expected/NAME.tsv), the differences that its text claims
 * (NAME-differences.tsv), numbers from the literature (NAME-literature.tsv), and the runs that stand for each
 * row. */
#ifndef NOPOOL_ROWS_H
#define NOPOOL_ROWS_H

#include "record.h"
#include "statistics.h"

enum { MAX_ROWS = 160, MAX_DIFFERENCES = 200, MAX_TERMS = 4 };

/* Numbers are NaN where the paper prints none. */
typedef struct {
    char id[64], label[64];
    double accuracy;   /* per cent; a column `error` is 100 minus it */
    double half_digit; /* half of the last digit printed of it */
    double cost;       /* 10^9 multiply-accumulates */
    double parameters; /* millions */
    double depth;      /* learned */
    char stated[512];  /* options that make the row, at the paper's size; "" if the file has none */
    Options paper;  /* the paper's protocol with them: what the paper states, our defaults, then `stated` */
    char made[512]; /* options that its runs must have been made with; "" for any */
    int count;
    RunRecord runs[MAX_SEEDS]; /* in the order of their seeds */
} Row;

typedef enum { CLAIM_SIZE, CLAIM_DIRECTION, CLAIM_EQUAL } ClaimKind;

/* The sum of the rows `plus` minus the sum of the rows `minus`, at least one each. */
typedef struct {
    char label[128];
    ClaimKind
        kind; /* size: by the difference of the cells; direction: its sign; equal: no loss, comparable */
    int count;
    int row[MAX_TERMS];
    double weight[MAX_TERMS];
} Difference;

typedef struct {
    const char *expected;
    bool errors; /* the paper prints errors */
    int count, differences;
    Row rows[MAX_ROWS];
    Difference difference[MAX_DIFFERENCES];
} Table;

/* Reads the paper's cells, and the differences beside them if that file is there. The first line names the
 * columns: row, label, and any of accuracy or error, cost, parameters, depth, options; `-` is no number. */
bool table_read(Table *table, const char *path, Error *error);

/* `ROW=FOLDER`: reads the finished run in FOLDER as one of the row's. */
bool table_add_run(Table *table, const char *argument, Error *error);

const Row *table_row(const Table *table, const char *id);

/* Refuses rows that do not compare, by name: no runs, the same run or seed twice, other seeds than another
 * row, runs of other data or kernels, options that differ in anything but what the rows are about, options
 * other than a row states or was made with. Budgets may scale the sizes (layers, channels, images, epochs,
 * batch), of all rows alike. */
bool table_check(const Table *table, Error *error);

/* Accuracies of a row's runs, of the last epoch or of the best one on the test set; their spread over all
 * rows. */
Sample row_accuracies(const Row *row, bool best_on_test);
Spread table_spread(const Table *table, bool best_on_test);

/* Multiply-accumulates of the row's network at the paper's size: of a network that its options fix, from them
 * alone; of a pruned one with the levels that its runs kept; 0 if these are of another number of layers. And
 * the numbers in its filters, without biases: of the network's graph, and of a fabric by its paper's formula,
 * which gives every node three full convolutions (else 0). */
typedef struct {
    double graph, formula;
} ParameterCounts;

double row_paper_macs(ParameterCounts *weights, const Row *row);
bool row_is_pruned(const Row *row);

/* The paper's value of an option in this row; NULL where it is no part of a protocol, or does not matter to
 * the run. */
const char *row_protocol(char *value, size_t size, const Row *row, const char *name);

#endif
