/* Runs every suite, or the one that CK_RUN_SUITE names; the exit status is the verdict. No parallel code may
 * run here: each test is forked from this process, and OpenMP does not survive a fork. */
#include "suites.h"
#include <stdlib.h>

int main(void)
{
    SRunner *runner = srunner_create(NULL);
#define SUITE(name) srunner_add_suite(runner, name##_suite());
#include "suites.def"
#undef SUITE
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner), ran = srunner_ntests_run(runner);
    srunner_free(runner);
    return failed == 0 && ran > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
