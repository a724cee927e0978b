/* A small project written by hand, in the folder of the test that runs, for build/audit to judge. */
#ifndef NOPOOL_TESTS_PROJECT_H
#define NOPOOL_TESTS_PROJECT_H

/* In two parts, so that no test carries the ids itself. */
#define PROJECT_MARK \
    "Claims"         \
    ": "

/* Writes a file, and the folders around it; removes one, or a folder. */
void project_put(const char *name, const char *text);
void project_take_away(const char *name);

/* The sizes that project_put_run gives a run, the paper's or smaller ones, and its commit. */
extern const char project_paper_sizes[], project_smoke_sizes[];
extern const char *project_sizes, *project_commit;

/* A run records/ROWseed, with further options and an accuracy; and the list of all of them. */
void project_put_run(const char *row, int seed, const char *options, double accuracy);
void project_list_records(void);

/* Two claims: `eq`, that a test and a file decide, and `gain`, that six runs decide, a1 to a3 and b1 to b3.
 */
void project_write(void);

/* Audits it with further options; the exit status. */
int project_audit(const char *more);

/* The end of what the last program printed: its faults. And a cell of the audit's table, for the next call to
 * write over. */
const char *project_said(void);
char *project_column(const char *id, int number);

/* The part of suite audit_project about one claim (test_audit_way.c). */
struct TCase *project_way_case(void);

#endif
