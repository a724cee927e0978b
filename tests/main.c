/* Runs every suite, or the one that CK_RUN_SUITE names; the exit status is the verdict. No parallel code may
 * run here: each test is forked from this process, and OpenMP does not survive a fork. */
#include "../experiments/runs/provenance.h"
#include "../fast/kernels.h"
#include "results.h"
#include "suites.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const known[2][MAX_ISAS] = {{"plain", "avx2", "avx512"},
                                               {"plain", "avx2", "avx512bf16", "amx", "amx_emulated"}};

/* Tests of a set that this CPU lacks return at once: say so. */
static void print_sets(void)
{
    static const char *const names[] = {"f32", "bf16"};
    for (int set = 0; set < 2; set++) {
        const Kernels *versions[MAX_ISAS];
        const int count = kernels_versions(versions, names[set]);
        printf("Instruction sets of %s tested:", names[set]);
        for (int i = 0; i < count; i++)
            printf(" %s", versions[i]->instruction_set);
        for (int i = 0; i < MAX_ISAS && known[set][i]; i++) {
            bool tested = false;
            for (int j = 0; j < count; j++)
                tested |= strcmp(versions[j]->instruction_set, known[set][i]) == 0;
            if (!tested)
                printf("; skipped, since this machine lacks it: %s", known[set][i]);
        }
        printf("\n");
    }
    fflush(stdout);
}

/* What the tests came to stays in the build for the audit: check.tsv; this run's log is check.log. */
static void keep_results(const char *build, const char *log)
{
    char table[4096];
    Error error;
    snprintf(table, sizeof table, "%s/check.tsv", build);
    if (!results_take(table, log, provenance_commit(), &error))
        fprintf(stderr, "check: %s\n", error.text);
}

int main(void)
{
    const char *build = getenv("NOPOOL_BUILD");
    char log[4096];
    print_sets();
    SRunner *runner = srunner_create(NULL);
#define SUITE(name) srunner_add_suite(runner, name##_suite());
#include "suites.def"
#undef SUITE
    snprintf(log, sizeof log, "%s/check.log", build ? build : "");
    if (build)
        srunner_set_log(runner, log);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner), ran = srunner_ntests_run(runner);
    srunner_free(runner);
    if (build)
        keep_results(build, log);
    return failed == 0 && ran > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
