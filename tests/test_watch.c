/* The last word of a process that is killed. */
#include "../experiments/base/watch.h"
#include "program.h"
#include "suites.h"
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How the process that is watched ends, and what the watching one prints. */
static const struct {
    int number; /* of the signal; 0: it ends by itself */
    bool says, ends_well;
    const char *printed;
} table[] = {{SIGKILL, true, false, "gone\n"}, {SIGKILL, false, false, ""}, {SIGSEGV, true, false, "gone\n"},
             {0, true, false, "gone\n"},       {0, true, true, ""},         {0, false, true, ""}};

/* A group of processes of its own, as mpirun makes one of each rank; its standard error is a file. */
static pid_t start(int row, const char *path)
{
    const pid_t child = fork();
    if (child != 0)
        return child;
    setpgid(0, 0);
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (file < 0 || dup2(file, STDERR_FILENO) < 0)
        _exit(9);
    close(file);
    watch_begin();
    if (table[row].says)
        watch_say("gone\n");
    if (table[row].ends_well)
        watch_end();
    if (table[row].number) {
        signal(table[row].number, SIG_DFL); /* the address sanitizer's handler would end it without one */
        kill(getpid(), table[row].number);
    }
    _exit(0);
}

START_TEST(test_watch_prints_after_a_death_alone)
{
    char path[128];
    int status;
    snprintf(path, sizeof path, "%s/error", program_folder);
    const pid_t child = start(_i, path);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), table[_i].number);
    /* The watching process is no child of this one; its group is empty once it has ended. */
    for (int i = 0; i < 2000 && kill(-child, 0) == 0; i++)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    char *printed = program_file("error");
    ck_assert_ptr_nonnull(printed);
    ck_assert_str_eq(printed, table[_i].printed);
    free(printed);
}
END_TEST

Suite *watch_suite(void)
{
    Suite *suite = suite_create("watch");
    TCase *tcase = tcase_create("last words");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_add_loop_test(tcase, test_watch_prints_after_a_death_alone, 0, 6);
    suite_add_tcase(suite, tcase);
    return suite;
}
