#define _GNU_SOURCE /* posix_openpt */
/* What a program may use and how it tells where it is: threads under quotas, lines that fit a terminal, files
 * that are only pipes. */
#include "../experiments/base/files.h"
#include "../experiments/base/progress.h"
#include "../experiments/base/threads.h"
#include "program.h"
#include "suites.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void put(const char *name, const char *text)
{
    char path[256], folder[256];
    Error error;
    snprintf(path, sizeof path, "%s/%s", program_folder, name);
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    ck_assert_msg(folder_make(folder, &error) && file_write(path, text, strlen(text), &error), "%s",
                  error.text);
}

static int cpus(const char *groups)
{
    char file[256], root[256];
    put("cgroup", groups);
    snprintf(file, sizeof file, "%s/cgroup", program_folder);
    snprintf(root, sizeof root, "%s/sys", program_folder);
    return cgroup_cpus(file, root);
}

START_TEST(test_threads_respect_a_quota_of_version_2)
{
    ck_assert_int_eq(cpus("0::/a/b\n"), 0);
    put("sys/a/b/cpu.max", "max 100000\n");
    ck_assert_int_eq(cpus("0::/a/b\n"), 0);
    put("sys/a/b/cpu.max", "250000 100000\n");
    ck_assert_int_eq(cpus("0::/a/b\n"), 3); /* two and a half */
    put("sys/a/cpu.max", "200000 100000\n");
    ck_assert_int_eq(cpus("0::/a/b\n"), 2); /* of the group around it */
    put("sys/cpu.max", "50000 100000\n");
    ck_assert_int_eq(cpus("0::/a/b\n"), 1);
    ck_assert_int_eq(cpus("0::/elsewhere\n"), 1); /* what a container sees of its host's path */
    ck_assert_int_eq(cpus("nonsense\n"), 0);
    ck_assert_int_eq(cgroup_cpus("/nonexistent", "/nonexistent"), 0);
}
END_TEST

START_TEST(test_threads_respect_a_quota_of_version_1)
{
    const char *groups = "5:memory:/a\n4:cpuset:/b\n3:cpu,cpuacct:/a\n0::/\n";
    put("sys/cpu,cpuacct/a/cpu.cfs_quota_us", "-1\n");
    put("sys/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
    ck_assert_int_eq(cpus(groups), 0);
    put("sys/cpu,cpuacct/a/cpu.cfs_quota_us", "400000\n");
    ck_assert_int_eq(cpus(groups), 4);
    put("sys/cpu/a/cpu.cfs_quota_us", "100000\n");
    put("sys/cpu/a/cpu.cfs_period_us", "50000\n");
    ck_assert_int_eq(cpus(groups), 2);
    put("sys/unified/a/cpu.max", "100000 100000\n"); /* both versions at once */
    ck_assert_int_eq(cpus("0::/a\n"), 1);
    put("sys/cpu/b/cpu.cfs_quota_us", "10000\n"); /* cpuset's path is not cpu's */
    put("sys/cpu/b/cpu.cfs_period_us", "50000\n");
    ck_assert_int_eq(cpus(groups), 2);
}
END_TEST

START_TEST(test_progress_fits_a_terminal_and_names_the_run)
{
    static const char *const runs[] = {
        "r", "runs/cifar10-quick-f32-10x16-ours-thr-0.1-seed1", "a/b/c/",
        "a-very-long-name-that-alone-is-longer-than-a-line-of-eighty-characters-is-long"};
    char line[PROGRESS_WIDTH + 1];
    for (int i = 0; i < 4; i++)
        for (int large = 0; large < 2; large++) {
            const int k = large ? 100000 : 1;
            progress_line(line, &(Progress){.run = runs[i],
                                            .epoch = k,
                                            .epochs = k,
                                            .iteration = k,
                                            .iterations = k,
                                            .loss = large ? 123456789e30 : 2.5,
                                            .accuracy = 100,
                                            .images_per_second = 1e5,
                                            .seconds_left = large ? 1e9 : 70});
            ck_assert_msg(strlen(line) < 80, "%zu: %s", strlen(line), line);
            ck_assert_ptr_nonnull(strstr(line, "epoch 1"));
            const char *name = strrchr(runs[i], '/');
            name = i == 2 ? "c  " : name ? name + 1 : runs[i];
            ck_assert_msg(strncmp(line, name, i == 2 ? 3 : 1) == 0 || strncmp(line, "..", 2) == 0, "%s",
                          line);
        }
    progress_line(line,
                  &(Progress){"runs/cifar10-quick-f32-10x16-ours-seed1", 1, 5, 20, 156, 2.25, 17.5, 692, 75});
    ck_assert_str_eq(line, "..0x16-ours-seed1  epoch 1/5 20/156  loss 2.25  17.50 %  692/s  1 min 15 s left");
}
END_TEST

/* Steps of an epoch of 156, a sentence and a step again, in a process whose standard output is this. */
static void show_progress(int output)
{
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        Progress p = {"runs/cifar10-quick-f32-10x16-ours-seed1", 1, 5, 30, 156, 2.25, 17.5, 692, 75};
        dup2(output, STDOUT_FILENO);
        progress_show(&p);
        p = (Progress){"r", 1, 5, 31, 156, 2.5, 20, 700, 5};
        progress_show(&p);
        progress_note("it is %s", "late");
        progress_show(&p);
        progress_end();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}

#define LONG_LINE  "..0x16-ours-seed1  epoch 1/5 30/156  loss 2.25  17.50 %  692/s  1 min 15 s left"
#define SHORT_LINE "r  epoch 1/5 31/156  loss 2.5  20.00 %  700/s  5 s left                        "

/* On a terminal the line of progress stays where it is, covers the one before, and is not written behind. */
START_TEST(test_progress_stays_in_its_line_on_a_terminal)
{
    static const char right[] = "\r" LONG_LINE "\r" SHORT_LINE "\r\nit is late\r\n\r" SHORT_LINE "\r\n";
    char seen[1024];
    size_t count = 0;
    const int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    ck_assert_msg(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0, "no terminal");
    const int line = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    show_progress(line);
    for (ssize_t got; (got = read(terminal, seen + count, sizeof seen - 1 - count)) > 0;)
        count += (size_t)got;
    seen[count] = '\0';
    ck_assert_str_eq(seen, right);
    close(line);
    close(terminal);
}
END_TEST

/* In a file it is a line every tenth of an epoch, here 15 steps, and there are no others. */
START_TEST(test_progress_is_plain_lines_in_a_file)
{
    char path[128];
    snprintf(path, sizeof path, "%s/lines", program_folder);
    const int file = open(path, O_WRONLY | O_CREAT, 0666);
    show_progress(file);
    close(file);
    char *seen = program_file("lines");
    ck_assert_str_eq(seen, LONG_LINE "\nit is late\n");
    free(seen);
}
END_TEST

START_TEST(test_files_that_are_pipes_are_refused_at_once)
{
    char path[256], *bytes;
    size_t count;
    Error error;
    snprintf(path, sizeof path, "%s/pipe", program_folder);
    ck_assert_int_eq(mkfifo(path, 0666), 0);
    ck_assert(!file_read(&bytes, &count, path, &error));
    ck_assert_msg(strstr(error.text, "a pipe or a device"), "%s", error.text);
    ck_assert(!file_read(&bytes, &count, "/dev/zero", &error));
    ck_assert_int_eq(file_kind(path), FILE_OTHER);
    ck_assert_int_eq(file_kind(program_folder), FILE_OTHER);
    ck_assert_int_eq(file_kind("/nonexistent"), FILE_ABSENT);
    snprintf(path, sizeof path, "%s/f.tmp", program_folder);
    ck_assert_int_eq(mkfifo(path, 0666), 0);
    snprintf(path, sizeof path, "%s/f", program_folder);
    ck_assert_msg(file_write(path, "x", 1, &error), "%s", error.text);
    ck_assert_int_eq(file_kind(path), FILE_PLAIN);
}
END_TEST

START_TEST(test_durations_are_rounded_and_read)
{
    static const struct {
        double seconds;
        const char *text;
    } durations[] = {{-1, "0 s"},
                     {0.4, "0 s"},
                     {59.4, "59 s"},
                     {59.6, "1 min 00 s"},
                     {200, "3 min 20 s"},
                     {3599.4, "59 min 59 s"},
                     {3599.6, "1 h 00 min"},
                     {3900, "1 h 05 min"},
                     {90061, "25 h 01 min"}};
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        char text[32];
        progress_duration(text, durations[i].seconds);
        ck_assert_str_eq(text, durations[i].text);
    }
}
END_TEST

Suite *limits_suite(void)
{
    Suite *suite = suite_create("limits");
    TCase *tcase = tcase_create("limits");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_set_timeout(tcase, 20);
    tcase_add_test(tcase, test_threads_respect_a_quota_of_version_2);
    tcase_add_test(tcase, test_threads_respect_a_quota_of_version_1);
    tcase_add_test(tcase, test_progress_fits_a_terminal_and_names_the_run);
    tcase_add_test(tcase, test_progress_stays_in_its_line_on_a_terminal);
    tcase_add_test(tcase, test_progress_is_plain_lines_in_a_file);
    tcase_add_test(tcase, test_files_that_are_pipes_are_refused_at_once);
    tcase_add_test(tcase, test_durations_are_rounded_and_read);
    suite_add_tcase(suite, tcase);
    return suite;
}
