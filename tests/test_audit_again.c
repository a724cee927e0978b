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
    put_agains("HEAD~0~0~0~0~0~0~0~0~0~0~0~0~0~0~0~0~0~0"); /* a name that moves is no commit */
    ck_assert_str_eq(state(), STALE);
    snprintf(word, sizeof word, "%.12s", after);
    put_agains(word);
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

/* A program in place of build/train that calls it, and then does as it is told: whatever this build is, its
 * runs are of some commit. */
static void put_train(const char *then)
{
    char path[512];
    ck_assert_int_eq(program_shell("cd %s && pwd", program_build()), 0);
    snprintf(path, sizeof path, "%.*s", (int)strcspn(program_output, "\n"), program_output);
    program_put("train", "",
                "#!/bin/bash\ntrap '' TERM\nfor word; do [[ $word = --run=* ]] && run=${word#--run=}; done\n"
                "%s/train \"$@\" || exit\n%s\n",
                path, then);
    ck_assert_int_eq(program_shell("chmod +x %s/train", program_folder), 0);
}

#define OF_COMMIT(name) "sed -i 's/^commit\t.*/commit\t" name "/' $run/provenance.tsv"
#define COMMIT          "0123456789abcdef0123456789abcdef01234567"

static int again(const char *runs)
{
    return program_shell(
        "TMPDIR=%s; export TMPDIR; cd=$PWD; cd %s/records && bash $cd/experiments/audit/again.sh "
        "%s/train %s/data %s",
        program_folder, program_folder, program_folder, program_folder, runs);
}

/* A file of a run is edited by sed. */
static void edit(const char *file, const char *expression)
{
    ck_assert_int_eq(program_shell("sed -i '%s' %s/records/%s", expression, program_folder, file), 0);
}

static void begin(const char *options)
{
    program_write_data();
    train("run", options);
    edit("run/provenance.tsv", "s/^commit\t.*/commit\t" COMMIT "/");
    put_train(OF_COMMIT(COMMIT));
}

static bool is_there(const char *name)
{
    char *bytes = program_file("records/%s", name);
    free(bytes);
    return bytes != NULL;
}

static const char *const kinds[] = {"", "--depth=learned", "--kernels=ref", "--kernels=bf16 --pooling=none"};

START_TEST(test_again_shows_a_run_to_be_what_is_trained_now)
{
    begin(kinds[_i]);
    edit("run/config.tsv", "s/^data\t.*/data\tmoon/"); /* the same bytes may stand under another path */
    ck_assert_int_eq(program_shell("cp -r %s/records/run %s/before", program_folder, program_folder), 0);
    ck_assert_msg(again("run") == 0, "%s", program_output);
    ck_assert_str_eq(program_output, "same       run: the first epoch, to the last digit, by " COMMIT "\n");
    ck_assert_int_eq(program_shell("cd %s && diff -r before records/run; ls -A", program_folder), 0);
    ck_assert_str_eq(program_output,
                     "Only in records/run: again.tsv\nbefore\ndata\noutput\nrecords\ntrain\n");
    ck_assert_int_eq(
        program_shell("cd %s/records/run && grep -q \"log_head_sha256.$(head -n 2 log.tsv | sha256sum | "
                      "cut -d' ' -f1)\" again.tsv && for name in commit instruction_set compiler flags glibc "
                      "cpu; do [ \"$(grep -w ^$name again.tsv)\" = \"$(grep -w ^$name provenance.tsv)\" ] || "
                      "exit 3; done && grep -q ^started.20 again.tsv",
                      program_folder),
        0);
    edit("run/log.tsv", "3s/[0-9]$/x/"); /* of the second epoch it does not speak */
    ck_assert_msg(again("run") == 0, "%s", program_output);
}
END_TEST

START_TEST(test_again_writes_what_is_new)
{
    begin("");
    put_train(OF_COMMIT("unknown"));
    ck_assert_int_eq(again("run"), 0);
    ck_assert_ptr_nonnull(strstr(program_output, "same "));
    ck_assert_ptr_nonnull(strstr(program_output, "by unknown, which is no commit: again.tsv is not written"));
    put_train(OF_COMMIT(COMMIT "-dirty"));
    ck_assert_int_eq(again("run"), 0);
    ck_assert_ptr_nonnull(strstr(program_output, "-dirty, which is no commit"));
    ck_assert(!is_there("run/again.tsv"));
    put_train(OF_COMMIT(COMMIT));
    ck_assert_int_eq(again("run"), 0);
    edit("run/again.tsv", "s/^started.*/started\tthen/");
    ck_assert_int_eq(again("run"), 0); /* it stands there already */
    ck_assert_int_eq(program_shell("grep -q then %s/records/run/again.tsv", program_folder), 0);
    edit("run/again.tsv", "s/^log_head_sha256.*/log_head_sha256\tx/");
    ck_assert_int_eq(again("run"), 0);
    ck_assert_int_eq(program_shell("grep -q then %s/records/run/again.tsv", program_folder), 1);
    edit("run/again.tsv", "s/^commit.*/commit\tx/");
    ck_assert_int_eq(again("run"), 0);
    ck_assert_int_eq(program_shell("grep -q ^commit.%s %s/records/run/again.tsv", COMMIT, program_folder), 0);
    ck_assert_int_eq(program_shell("rm %s/records/run/again.tsv", program_folder), 0);
    edit("run/provenance.tsv", "s/^commit\t.*/&-dirty/");
    ck_assert_int_eq(again("run"), 0);
    ck_assert_ptr_nonnull(
        strstr(program_output, "the audit cannot count it, since the run itself is of " COMMIT "-dirty"));
    ck_assert(!is_there("run/again.tsv"));
}
END_TEST

static const struct {
    const char *file, *expression, *word, *says;
} differences[] = {
    {"log.tsv", "2s/^\\(1\\t[^\\t]*\\t[^\\t]*\\t[^\\t]*\\)[0-9]\\t/\\1x\\t/", "different",
     "after an epoch loss_a is "},
    {"log.tsv", "2s/[0-9]$/x/", "different", "after an epoch logits_decay is "},
    {"log.tsv", "2s/^1\\t0.1\\t/1\\t0.10\\t/", "different",
     "after an epoch lr is 0.1 now, and was 0.10 (log.tsv)"},
    {"log.tsv", "1s/lr/rate/", "different", "a column is lr now, and was rate (log.tsv)"},
    {"log.tsv", "2,$d", "different", "after an epoch epoch is 1 now, and was  (log.tsv)"},
    {"alpha.tsv", "2s/[0-9]$/x/", "different", "after an epoch alpha1 is "},
    {"alpha.tsv", "3s/[0-9]$/x/", "different", "(alpha.tsv)"},
    {"alpha.tsv", "3s/.*/&\\n&/", "different", "after an epoch there are other lines (alpha.tsv)"},
    {"beta.tsv", "2s/[0-9]$/x/", "different", "(beta.tsv)"},
    {"beta.tsv", "d", "different", "(beta.tsv)"},
    {"config.tsv", "s/^seed.*/seed\\t2/", "different", "after an epoch loss_a is "},
    {"config.tsv", "s/^lr\\t.*/lr\\t0.2/", "different",
     "after an epoch lr is 0.2 now, and was 0.1 (log.tsv)"},
    {"config.tsv", "s/^#data-sha256.*/#data-sha256\\tabc/", "untried", "have another SHA-256 than"},
    {"config.tsv", "s/^prune-from.*/prune-from\\tx/", "untried", "starts from another run (prune-from)"},
    {"config.tsv", "s/^logits-from.*/logits-from\\tx/", "untried", "starts from another run (logits-from)"},
    {"config.tsv", "s/^layers/stories/", "untried", "stories"},
    {"provenance.tsv", "s/^instruction_set.*/instruction_set\\tmoon/", "untried", "NOPOOL_ISA"},
};

START_TEST(test_again_says_what_differs_and_writes_nothing)
{
    char path[64];
    const bool differs = strcmp(differences[_i].word, "different") == 0;
    begin("--depth=learned");
    snprintf(path, sizeof path, "run/%s", differences[_i].file);
    edit(path, differences[_i].expression);
    ck_assert_int_eq(again("run"), 1);
    ck_assert_msg(strncmp(program_output, differences[_i].word, strlen(differences[_i].word)) == 0 &&
                      strstr(program_output, differences[_i].says),
                  "not `%s` but %s", differences[_i].says, program_output);
    ck_assert_msg(strstr(program_output, differs ? "again: of 1 runs 1 differ, and 0 could not be tried\n"
                                                 : "again: of 1 runs 0 differ, and 1 could not be tried\n"),
                  "%s", program_output);
    ck_assert(!is_there("run/again.tsv"));
}
END_TEST

/* A program that fails when its first epoch is logged has shown nothing. */
START_TEST(test_again_believes_no_program_that_fails)
{
    begin("");
    put_train("echo no space left; exit 1");
    ck_assert_int_eq(again("run"), 1);
    ck_assert_ptr_nonnull(strstr(program_output, "untried    run: no space left"));
}
END_TEST

/* The last of many epochs would never come. */
START_TEST(test_again_stops_after_an_epoch)
{
    begin("");
    edit("run/config.tsv", "s/^epochs\t.*/epochs\t100000/");
    ck_assert_int_eq(program_shell("bash experiments/audit/again.sh %s/train %s/data %s/records/run",
                                   program_build(), program_folder, program_folder),
                     0);
    ck_assert_ptr_nonnull(strstr(program_output, "same "));
}
END_TEST

START_TEST(test_again_leaves_nothing_behind_when_it_is_stopped)
{
    begin("");
    program_put("train", "", "#!/bin/bash\necho $$ > %s/pid\nexec sleep 60\n", program_folder);
    ck_assert_int_eq(
        program_shell("export TMPDIR=%s; bash experiments/audit/again.sh %s/train %s/data %s/records & "
                      "until [ -s %s/pid ]; do sleep 0.1; done; kill $!; wait $!; echo status $?; "
                      "kill -0 $(cat %s/pid) 2>/dev/null && echo alive; ls -A %s",
                      program_folder, program_folder, program_folder, program_folder, program_folder,
                      program_folder, program_folder),
        0);
    ck_assert_str_eq(program_output, "status 143\ndata\noutput\npid\nrecords\ntrain\n");
}
END_TEST

START_TEST(test_again_tries_every_run_of_every_folder)
{
    begin("");
    train("deeper/two", "--kernels=bf16");
    edit("deeper/two/provenance.tsv", "s/^commit\t.*/commit\t" COMMIT "/");
    train("another", "--seed=2");
    edit("run/log.tsv", "2s/[0-9]$/x/");
    ck_assert_int_eq(again("deeper run another"), 1);
    ck_assert_ptr_nonnull(strstr(program_output, "same       deeper/two: "));
    ck_assert_ptr_nonnull(strstr(program_output, "different  run: after an epoch logits_decay is "));
    ck_assert_ptr_nonnull(strstr(program_output, "same       another: "));
    ck_assert_ptr_nonnull(strstr(program_output, "again: of 3 runs 1 differ, and 0 could"));
    ck_assert_int_eq(program_shell("rm %s/records/another/result.tsv", program_folder), 0);
    ck_assert_int_eq(again("another moon deeper/two -delete"), 1);
    ck_assert_ptr_nonnull(strstr(program_output, "untried    another: there is no finished run in it"));
    ck_assert_ptr_nonnull(strstr(program_output, "untried    moon: there is no finished run in it"));
    ck_assert_ptr_nonnull(strstr(program_output, "untried    -delete: there is no finished run in it"));
    ck_assert(is_there("run/result.tsv"));
    ck_assert_int_eq(program_shell("ln -s deeper/two %s/records/link", program_folder), 0);
    ck_assert_int_eq(again("link"), 0);
}
END_TEST

START_TEST(test_again_is_what_make_calls)
{
    static const char make[] = "unset MAKEFLAGS MFLAGS MAKELEVEL BUILD RUN; make";
    ck_assert_int_eq(
        program_shell("%s -n again BUILD=nothing-built DATA=there/ RUN='one two' | grep again.sh", make), 0);
    ck_assert_str_eq(program_output,
                     "bash experiments/audit/again.sh nothing-built/train \"there/\" one two\n");
    ck_assert_int_ne(program_shell("%s again", make), 0);
    ck_assert_ptr_nonnull(strstr(program_output, "again: name a run's folder"));
    ck_assert_int_ne(program_shell("%s again RUN=\"a'b\"", make), 0);
    ck_assert_ptr_nonnull(strstr(program_output, "RUN is a'b: choose a name without"));
    ck_assert_int_eq(program_shell("%s help RUN=\"a'b\"", make), 0);
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
    tcase_add_loop_test(tcase, test_again_shows_a_run_to_be_what_is_trained_now, 0,
                        sizeof kinds / sizeof *kinds);
    tcase_add_test(tcase, test_again_writes_what_is_new);
    tcase_add_loop_test(tcase, test_again_says_what_differs_and_writes_nothing, 0,
                        sizeof differences / sizeof *differences);
    tcase_add_test(tcase, test_again_believes_no_program_that_fails);
    tcase_add_test(tcase, test_again_stops_after_an_epoch);
    tcase_add_test(tcase, test_again_leaves_nothing_behind_when_it_is_stopped);
    tcase_add_test(tcase, test_again_tries_every_run_of_every_folder);
    tcase_add_test(tcase, test_again_is_what_make_calls);
    suite_add_tcase(suite, tcase);
    return suite;
}
