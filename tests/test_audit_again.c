/* Which runs are of this tree's kernels: those of a commit with the same files, and those whose first epoch
 * was made anew, to the last digit (experiments/audit/again.sh). */
#include "../experiments/base/files.h"
#include "program.h"
#include "project.h"
#include "suites.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATE = 3, EVIDENCE = 18 }; /* their columns of audit.tsv */

/* Commits all of the project, at a time before its runs; the commit's name. */
static const char *commit_project(void)
{
    static char names[2][41];
    static int next;
    char *name = names[next++ % 2];
    ck_assert_msg(
        program_shell("cd %s && { [ -d .git ] || git init -q . ; } && git add -A && "
                      "GIT_COMMITTER_DATE=2020-01-01T00:00:00Z git -c user.name=a -c user.email=a@b commit "
                      "-q --allow-empty -m x && git rev-parse HEAD",
                      program_folder) == 0,
        "%s", program_output);
    snprintf(name, 41, "%.40s", program_output);
    return name;
}

static void put_runs(const char *commit)
{
    project_commit = commit;
    for (int seed = 1; seed <= 3; seed++) {
        project_put_run("a", seed, "pooling\tlearned", 92.4 + 0.05 * seed);
        project_put_run("b", seed, "pooling\tnone", 89.9 + 0.05 * seed);
    }
    project_commit = "c0";
}

/* What again.sh leaves in records/RUN for the head of this log. */
static void put_again(const char *run, const char *commit, const char *log)
{
    char name[64], text[256], sha256[65];
    const char *end = strchr(strchr(log, '\n') + 1, '\n') + 1;
    sha256_hex(sha256, log, (size_t)(end - log));
    snprintf(text, sizeof text, "commit\t%s\nlog_head_sha256\t%s\n", commit, sha256);
    snprintf(name, sizeof name, "records/%s/again.tsv", run);
    project_put(name, text);
}

/* For all six runs, each with its own log. */
static void put_agains(const char *commit)
{
    for (int i = 0; i < 6; i++) {
        char run[8];
        snprintf(run, sizeof run, "%c%d", "ab"[i / 3], i % 3 + 1);
        char *log = program_file("records/%s/log.tsv", run);
        put_again(run, commit, log);
        free(log);
    }
}

static const char *state(void)
{
    ck_assert_msg(project_audit("") == 0, "%s", project_said());
    return project_column("gain", STATE);
}

#define STALE "stale: what decides it changed since the run"

static const struct {
    const char *file, *changed,
        *anew; /* the state after its change, and with the first epoch made anew by it */
} changes[] = {
    {"ref/new.c", STALE, "decided"},
    {"fast/engine/new.c", STALE, "decided"},
    {"experiments/data/new.c", STALE, STALE},
    {"experiments/network/new.c", STALE, STALE},
    {"experiments/protocol/new.c", STALE, STALE},
    {"experiments/training/new.c", STALE, STALE},
    {"experiments/tables/new.c", "decided", "decided"},
    {"README.md", "decided", "decided"},
};

START_TEST(test_audit_stale_by_what_changed_since_the_run)
{
    project_write();
    put_runs(commit_project());
    ck_assert_str_eq(state(), "decided");
    project_put(changes[_i].file, "/* New. */\n");
    const char *after = commit_project();
    ck_assert_str_eq(state(), changes[_i].changed);
    put_agains(after);
    ck_assert_str_eq(state(), changes[_i].anew);
}
END_TEST

START_TEST(test_audit_stale_but_for_each_first_epoch_made_anew)
{
    char before[41], word[64];
    project_write();
    snprintf(before, sizeof before, "%s", commit_project());
    put_runs(before);
    project_put("fast/none.c", "/* Nothing new. */\n");
    const char *after = commit_project();
    put_agains(after);
    ck_assert_str_eq(state(), "decided");
    snprintf(word, sizeof word, "a2@%.12s=%.12s:", before, after);
    ck_assert_ptr_nonnull(strstr(project_column("gain", EVIDENCE), word));

    char *log = program_file("records/a1/log.tsv");
    put_again("a2", after, log); /* of another run's log */
    ck_assert_str_eq(state(), STALE);
    free(log);
    put_agains(after);
    put_again("b3", before, "epoch\n1\n");
    ck_assert_str_eq(state(), STALE);
    put_agains(before); /* the kernels of then, not of now */
    ck_assert_str_eq(state(), STALE);
    put_agains("HEAD"); /* a name that moves is no commit */
    ck_assert_str_eq(state(), STALE);
    put_agains(after);
    project_take_away("records/b1/again.tsv");
    ck_assert_str_eq(state(), STALE);
    put_agains(after);
    ck_assert_str_eq(state(), "decided");
    project_put("fast/none.c", "/* Changed once more. */\n");
    ck_assert_str_eq(state(), STALE);
}
END_TEST

/* Trains records/NAME of the test's folder for three epochs. */
static void train(const char *name, const char *more)
{
    ck_assert_msg(
        program_run("train --run=%s/records/%s --data=%s/data --layers=2 --channels=2 --images-a=100 "
                    "--images-b=50 --images-test=20 --images-epoch=20 --batch=20 --epochs=3 --common "
                    "--levels=2 %s",
                    program_folder, name, program_folder, more) == 0,
        "%s", program_output);
}

static int again(const char *name)
{
    return program_shell("bash experiments/audit/again.sh %s/train %s/data %s/records/%s", program_build(),
                         program_folder, program_folder, name);
}

/* A file of a run is edited by sed. */
static void edit(const char *file, const char *expression)
{
    ck_assert_int_eq(program_shell("sed -i '%s' %s/records/%s", expression, program_folder, file), 0);
}

START_TEST(test_again_shows_a_run_to_be_what_is_trained_now)
{
    program_write_data();
    train("run", "");
    ck_assert_int_eq(program_shell("cp -r %s/records/run %s/before", program_folder, program_folder), 0);
    ck_assert_msg(again("run") == 0, "%s", program_output);
    ck_assert_ptr_nonnull(strstr(program_output, "same "));
    ck_assert_ptr_nonnull(strstr(program_output, "records/run: the first epoch, to the last digit"));
    ck_assert_msg(program_shell("cd %s && diff -r before records/run", program_folder) == 1 &&
                      strncmp(program_output, "Only in records/run: again.tsv\n", 31) == 0 &&
                      strlen(program_output) == 31,
                  "%s", program_output);
    ck_assert_int_eq(
        program_shell("cd %s/records/run && grep -q \"log_head_sha256.$(head -n 2 log.tsv | sha256sum | "
                      "cut -d' ' -f1)\" again.tsv && for name in commit instruction_set cpu; do "
                      "[ \"$(grep -w ^$name again.tsv)\" = \"$(grep -w ^$name provenance.tsv)\" ] || exit 3; "
                      "done && grep -q ^started.20 again.tsv",
                      program_folder),
        0);
    edit("run/log.tsv", "3s/[0-9]$/x/"); /* of the second epoch it does not speak */
    ck_assert_msg(again("run") == 0, "%s", program_output);
}
END_TEST

static const struct {
    const char *file, *expression, *says;
} differences[] = {
    {"log.tsv", "2s/^\\(1\\t[^\\t]*\\t[^\\t]*\\t[^\\t]*\\)[0-9]\\t/\\1x\\t/", "after an epoch loss_a is "},
    {"log.tsv", "2s/[0-9]$/x/", "after an epoch logits_decay is "},
    {"log.tsv", "1s/lr/rate/", "its columns is lr now, and was rate (log.tsv)"},
    {"alpha.tsv", "2s/[0-9]$/x/", "after an epoch alpha1 is "},
    {"alpha.tsv", "3s/[0-9]$/x/", "(alpha.tsv)"},
    {"config.tsv", "s/^seed.*/seed\\t2/", "after an epoch loss_a is "},
    {"config.tsv", "s/^lr\\t.*/lr\\t0.2/", "after an epoch lr is 0.2 now, and was 0.1 (log.tsv)"},
    {"config.tsv", "s/^#data-sha256.*/#data-sha256\\tabc/", "untried "},
    {"config.tsv", "s/^#data-sha256.*/#data-sha256\\tabc/", "have another SHA-256 than"},
    {"config.tsv", "s/^prune-from.*/prune-from\\tx/", "starts from another run (prune-from)"},
    {"config.tsv", "s/^logits-from.*/logits-from\\tx/", "starts from another run (logits-from)"},
    {"config.tsv", "s/^layers/stories/", "stories"},
    {"provenance.tsv", "s/^instruction_set.*/instruction_set\\tmoon/", "NOPOOL_ISA"},
};

START_TEST(test_again_says_what_differs_and_writes_nothing)
{
    char path[64];
    program_write_data();
    train("run", "");
    snprintf(path, sizeof path, "run/%s", differences[_i].file);
    edit(path, differences[_i].expression);
    ck_assert_int_eq(again("run"), 1);
    ck_assert_msg(strstr(program_output, differences[_i].says), "not `%s` but %s", differences[_i].says,
                  program_output);
    ck_assert_ptr_nonnull(
        strstr(program_output, "again: 1 of 1 runs are not shown to be what is trained now\n"));
    ck_assert_ptr_null(program_file("records/run/again.tsv"));
}
END_TEST

START_TEST(test_again_tries_every_run_of_a_folder)
{
    program_write_data();
    train("one", "");
    train("deeper/two", "--kernels=bf16");
    edit("one/log.tsv", "2s/[0-9]$/x/");
    ck_assert_int_eq(again(""), 1);
    ck_assert_ptr_nonnull(strstr(program_output, "deeper/two: the first epoch, to the last digit"));
    ck_assert_ptr_nonnull(strstr(program_output, "again: 1 of 2 runs are not"));
    ck_assert_ptr_nonnull(program_file("records/deeper/two/again.tsv"));
    ck_assert_int_eq(
        program_shell("rm %s/records/*/result.tsv %s/records/*/*/result.tsv", program_folder, program_folder),
        0);
    ck_assert_int_eq(again(""), 1);
    ck_assert_ptr_nonnull(strstr(program_output, "there is no finished run in"));
    ck_assert_int_ne(program_shell("unset MAKEFLAGS MFLAGS MAKELEVEL BUILD RUN; make again"), 0);
    ck_assert_ptr_nonnull(strstr(program_output, "again: name a run's folder"));
    ck_assert_int_ne(program_shell("unset MAKEFLAGS MFLAGS MAKELEVEL BUILD RUN; make again RUN=\"a'b\""), 0);
    ck_assert_ptr_nonnull(strstr(program_output, "RUN is a'b: choose a name without"));
}
END_TEST

Suite *audit_again_suite(void)
{
    Suite *suite = suite_create("audit_again");
    TCase *tcase = tcase_create("again");
    tcase_add_checked_fixture(tcase, program_setup, program_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_audit_stale_by_what_changed_since_the_run, 0,
                        sizeof changes / sizeof *changes);
    tcase_add_test(tcase, test_audit_stale_but_for_each_first_epoch_made_anew);
    tcase_add_test(tcase, test_again_shows_a_run_to_be_what_is_trained_now);
    tcase_add_loop_test(tcase, test_again_says_what_differs_and_writes_nothing, 0,
                        sizeof differences / sizeof *differences);
    tcase_add_test(tcase, test_again_tries_every_run_of_a_folder);
    suite_add_tcase(suite, tcase);
    return suite;
}
