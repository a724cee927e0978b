/* Tables of runs whose folders are written by hand, in the folder of the test that runs. */
#ifndef NOPOOL_TESTS_TABLE_RUNS_H
#define NOPOOL_TESTS_TABLE_RUNS_H

#define SHA_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/* A run of 10 layers of 64 for 400 epochs, with these lines over its configuration. Its log has three epochs
 * of 66 seconds each, of which the second is better on the test set, by 0.1 or as much as is said. */
typedef struct {
    const char *name, *config;
    double accuracy;
    const char *sha, *kernels, *set, *result;
    const char *more;   /* lines over those of result.tsv */
    const char *origin; /* lines over those of provenance.tsv */
    double better;
} Written;

void put_file(const char *folder, const char *name, const char *text);
void write_run(Written w);

/* Two rows of three seeds, none1, .. and ours1, .., and the table t.tsv of them, with three differences: none
 * 87.2, 87.3, 87.4; ours 92.4, 92.5, 92.6. */
void write_runs(void);

/* Runs build/table on t.tsv, with further options and runs, "row=run row=run"; its exit status. */
int make_table_of(const char *more, const char *runs);

/* The same with the runs of these names in the two rows of write_runs. */
int make_table(const char *more, const char *none, const char *ours);

/* Each fails the test: unless the last table has the words; if it has; unless a line starts and ends so. */
void expects(const char *words);
void expects_not(const char *words);
void expects_line(const char *start, const char *end);

/* Fails the test unless a table of these runs is refused by one line with both words, and none is written. */
void refuses(const char *none, const char *ours, const char *word, const char *other);

#endif
