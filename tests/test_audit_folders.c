/* What is taken of a run's folder: each number from its own place, the newest run of a seed, the grade of its
 * protocol. */
#include "../experiments/audit/evidence.h"
#include "program.h"
#include "project.h"
#include "suites.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static Error error;
static Rows rows;
static Evidence evidence;

/* A run of 20 of its 400 epochs, by what differs. On D_a it is right in 4 per cent an epoch. */
typedef struct {
    const char *folder, *started, *config; /* lines over the configuration */
    int seed, images_a;
    double accuracy;
} Made;

enum { EPOCHS_DONE = 20 };

static void put(const Made *run, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "records/%s/%s", run->folder, name);
    project_put(path, text);
}

static void make(Made run)
{
    static char text[8192];
    snprintf(
        text, sizeof text,
        "kernels\tf32\nseed\t%d\npooling\tlearned\nlayers\t10\nchannels\t64\nstages\t3,3,2,2\nimages-a\t%d\n"
        "images-b\t10000\nimages-test\t10000\nepochs\t400\nlogits-lr\t0.0001\nlogits-beta1\t0.5\n"
        "logits-beta2\t0.999\nlogits-decay\t0.0003\n%s",
        run.seed, run.images_a, run.config ? run.config : "");
    put(&run, "config.tsv", text);
    snprintf(text, sizeof text,
             "accuracy\t%.6f\ntest_images\t10000\ntest_loss\t0.5\ntrain_loss\t1\nbest_on_test\t%.6f\n"
             "best_on_test_epoch\t9\nepochs\t20\ntotal_epochs\t20\niterations\t4160\nweights\t302400\n"
             "parameters\t302986\nmacs\t412473600\ndepth_argmax\t7\ndepth_last\t9\n",
             run.accuracy, run.accuracy + 1);
    put(&run, "result.tsv", text);
    snprintf(text, sizeof text, "epoch\n");
    for (int e = 1; e <= EPOCHS_DONE; e++)
        snprintf(text + strlen(text), sizeof text - strlen(text),
                 "%d\t0.1\t0\t1\t%d\t2\t3\t10000\t0.5\t%.6f\t0\t0\t0\t0\n", e, 4 * e,
                 e == 9 ? run.accuracy + 1 : run.accuracy);
    put(&run, "log.tsv", text);
    put(&run, "alpha.tsv",
        "epoch\tlayer\talpha0\talpha1\talpha2\n1\t1\t0\t0\t1\n1\t2\t1\t0\t0\n\n20\t1\t0\t1\t0\n20\t2\t0."
        "4\t0\t0.6\n");
    snprintf(text, sizeof text,
             "commit\tc0\ncpu\ta "
             "CPU\nkernels\tf32\ninstruction_set\tavx2\nthreads\t3\ndata\tcifar10\ndata_sha256\t"
             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nstarted\t%s\n",
             run.started);
    put(&run, "provenance.tsv", text);
    snprintf(text, sizeof text, "epoch\ttrain_seconds\ttest_seconds\timages_per_second\n");
    for (int e = 1; e <= EPOCHS_DONE; e++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%d\t30\t6\t100\n", e);
    put(&run, "timing.tsv", text);
}

static void setup(void)
{
    char path[128];
    program_setup();
    project_put("rows.tsv",
                "row\tlayers\tchannels\toptions\ttarget\nt.a\t10\t64\t--pooling=learned\ttable1\n");
    snprintf(path, sizeof path, "%s/rows.tsv", program_folder);
    ck_assert_msg(rows_read(&rows, path, &error), "%s", error.text);
    evidence = (Evidence){0};
}

static void teardown(void)
{
    evidence_free(&evidence);
    tsv_free(&rows.table);
    program_teardown();
}

/* The runs of t.a in the only group that there is. */
static const RowRuns *read_row(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/records", program_folder);
    ck_assert_msg(evidence_add(&evidence, &rows, path, &error), "%s", error.text);
    ck_assert_int_eq(evidence.groups_count, 1);
    const RowRuns *row = group_row(&evidence.groups[0], "t.a", false);
    ck_assert_ptr_nonnull(row);
    return row;
}

/* Early is the second of 20 epochs; seconds are all of them over the 400 that were planned; the last epoch's
 * expected levels of two layers, 1 and 1.2, rise, and of two orders that is the likeliest. */
START_TEST(test_each_number_is_from_its_own_place)
{
    make((Made){"a", "2026-01-01T00:00:00Z", .seed = 1, .images_a = 40000, .accuracy = 80});
    const RowRuns *row = read_row();
    ck_assert_int_eq(row->n, 1);
    ck_assert_double_eq_tol(row->x[ACCURACY][0], 80, 1e-9);
    ck_assert_double_eq_tol(row->x[BEST][0], 81, 1e-9);
    ck_assert_double_eq_tol(row->x[EARLY][0], 8, 1e-9);
    ck_assert_double_eq_tol(row->x[SECONDS][0], 20 * 36 / 400.0, 1e-9);
    ck_assert_double_eq_tol(row->x[SLOPE][0], 1, 1e-9);
    ck_assert_double_eq_tol(row->x[DEPTH][0], 7, 1e-9);
    ck_assert_double_eq_tol(row->slope_p, 1, 1e-9);
    ck_assert_int_eq(evidence.folders[row->folder[0]].threads, 3);
    ck_assert_str_eq(evidence.folders[row->folder[0]].machine, "a CPU, avx2, 3 threads");
    ck_assert_str_eq(evidence.groups[0].newest, "2026-01-01T00:00:00Z");
}
END_TEST

/* In whatever order the folders are read. */
START_TEST(test_the_newest_run_of_a_seed_counts)
{
    static const char *const names[2][3] = {{"a", "b", "c"}, {"c", "b", "a"}};
    make((Made){names[_i][0], "2026-01-01T00:00:00Z", .seed = 1, .images_a = 40000, .accuracy = 80});
    make((Made){names[_i][1], "2026-03-01T00:00:00Z", .seed = 1, .images_a = 40000, .accuracy = 85});
    make((Made){names[_i][2], "2026-02-01T00:00:00Z", .seed = 2, .images_a = 40000, .accuracy = 70});
    const RowRuns *row = read_row();
    ck_assert_int_eq(row->n, 2);
    for (int s = 0; s < 2; s++)
        ck_assert_double_eq_tol(row->x[ACCURACY][s], row->seed[s] == 1 ? 85 : 70, 1e-9);
    ck_assert_str_eq(evidence.groups[0].newest, "2026-03-01T00:00:00Z");
}
END_TEST

/* The paper's protocol on all of the official images is A, another rate of the logits B, and half of the
 * images are D. */
static const struct {
    const char *config;
    int images_a;
    char grade;
} grades[] = {{"", 40000, 'A'}, {"logits-lr\t0.001\n", 40000, 'B'}, {"", 20000, 'D'}};

START_TEST(test_the_grade_is_of_images_and_protocol)
{
    make((Made){"a", "2026-01-01T00:00:00Z", grades[_i].config, 1, grades[_i].images_a, 80});
    read_row();
    ck_assert_int_eq(evidence.groups[0].grade, grades[_i].grade);
}
END_TEST

START_TEST(test_hidden_folders_are_passed_over)
{
    make((Made){"a", "2026-01-01T00:00:00Z", .seed = 1, .images_a = 40000, .accuracy = 80});
    make((Made){".old", "2026-02-01T00:00:00Z", .seed = 2, .images_a = 40000, .accuracy = 70});
    ck_assert_int_eq(read_row()->n, 1);
}
END_TEST

Suite *audit_folders_suite(void)
{
    Suite *suite = suite_create("audit_folders");
    TCase *tcase = tcase_create("by hand");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_each_number_is_from_its_own_place);
    tcase_add_loop_test(tcase, test_the_newest_run_of_a_seed_counts, 0, 2);
    tcase_add_loop_test(tcase, test_the_grade_is_of_images_and_protocol, 0, 3);
    tcase_add_test(tcase, test_hidden_folders_are_passed_over);
    suite_add_tcase(suite, tcase);
    return suite;
}
