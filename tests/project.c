/* A project to audit. See project.h. */
#include "project.h"
#include "../experiments/audit/claims.h"
#include "../experiments/base/files.h"
#include "program.h"
#include "suites.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static Error error;

void project_put(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", program_folder, name);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0777);
        *slash = '/';
    }
    ck_assert_msg(file_write(path, text, strlen(text), &error), "%s", error.text);
}

void project_take_away(const char *name)
{
    char command[512];
    snprintf(command, sizeof command, "rm -r %s/%s", program_folder, name);
    ck_assert_int_eq(system(command), 0);
}

const char project_paper_sizes[] =
    "layers\t10\nchannels\t64\nstages\t3,3,2,2\nimages-a\t40000\nimages-b\t10000\n";
const char project_smoke_sizes[] = "layers\t4\nchannels\t8\nstages\t1,1,1,1\nimages-a\t2000\nimages-b\t500\n";
const char *project_sizes = project_paper_sizes, *project_commit = "c0";

void project_put_run(const char *row, int seed, const char *options, double accuracy)
{
    char name[128], text[2048];
    snprintf(name, sizeof name, "records/%s%d/config.tsv", row, seed);
    snprintf(text, sizeof text,
             "kernels\tf32\nseed\t%d\n%s\n%simages-test\t10000\nepochs\t400\nlogits-lr\t0.0001\n"
             "logits-beta1\t0.5\nlogits-beta2\t0.999\nlogits-decay\t0.0003\n",
             seed, options, project_sizes);
    project_put(name, text);
    snprintf(name, sizeof name, "records/%s%d/result.tsv", row, seed);
    snprintf(
        text, sizeof text,
        "accuracy\t%.6f\ntest_images\t10000\ntest_loss\t0.5\ntrain_loss\t1\nbest_on_test\t%.6f\nbest_on_test_"
        "epoch\t1\n"
        "epochs\t1\ntotal_epochs\t1\niterations\t208\nweights\t302400\nparameters\t302986\nmacs\t412473600\n",
        accuracy, accuracy);
    project_put(name, text);
    snprintf(name, sizeof name, "records/%s%d/log.tsv", row, seed);
    snprintf(text, sizeof text, "epoch\n1\t0.1\t0\t1\t50\t1\t50\t10000\t0.5\t%.6f\t0\t0\t0\t0\n", accuracy);
    project_put(name, text);
    snprintf(name, sizeof name, "records/%s%d/alpha.tsv", row, seed);
    project_put(name, "epoch\tlayer\talpha0\talpha1\n1\t1\t0.9\t0.1\n1\t2\t0.5\t0.5\n");
    snprintf(name, sizeof name, "records/%s%d/provenance.tsv", row, seed);
    snprintf(
        text, sizeof text,
        "commit\t%s\nkernels\tf32\ninstruction_set\tavx2\nthreads\t2\ndata\tcifar10\ndata_sha256\t"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nstarted\t2026-01-01T00:00:00Z\n",
        project_commit);
    project_put(name, text);
    snprintf(name, sizeof name, "records/%s%d/timing.tsv", row, seed);
    project_put(name, "epoch\ttrain_seconds\ttest_seconds\timages_per_second\n1\t36\t0\t100\n");
}

void project_list_records(void)
{
    ck_assert_int_eq(program_run("audit --root=%s --manifest %s/records", program_folder, program_folder), 0);
}

void project_write(void)
{
    char claims[2048];
    snprintf(claims, sizeof claims,
             "%s\neq\tSection 1\tarithmetic\tIt adds up\tidentity\t\t1\t\t\t\t\t\ttests\t\t\ttest:test_one "
             "code:ref/sum.c\t-\n"
             "gain\tTable 1\tresult\tA beats "
             "B\tdifference\tt\t3\t2.5\t1\t\t\tdown\tdifference\t0.5\twhy\tdiff:t.a,t.b\tB\n",
             claims_header);
    project_put("paper/claims.tsv", claims);
    project_put("paper/rows.tsv",
                "row\tlayers\tchannels\toptions\ttarget\nt.a\t10\t64\t--pooling=learned\ttable1\n"
                "t.b\t10\t64\t--pooling=none\ttable1\n");
    project_put("paper/choices.tsv",
                "id\tpaper\tdefault\treason\toption\ndown\tpooling\tmax\tusual\t--down=average\n");
    project_put("paper/coverage.tsv",
                "section\tsentence\tsha256\tclaims\n1\t1\tabc\teq gain\n1\t2\tdef\tno claim\n");
    project_put("tests/test_x.c",
                "/* A suite. " PROJECT_MARK
                "eq. */\n\nSTART_TEST(test_one)\n    tcase_add_test(x, test_one);\nSuite *x_suite(void)\n");
    project_put("tests/suites.def", "SUITE(x)\n");
    project_put("ref/sum.c", "/* A sum.\n *\n * " PROJECT_MARK "eq. */\n");
    project_put("fast/none.c", "/* Nothing. */\n");
    project_put("experiments/none.c", "/* Nothing. */\n");
    for (int seed = 1; seed <= 3; seed++) {
        project_put_run("a", seed, "pooling\tlearned", 92.4 + 0.05 * seed);
        project_put_run("b", seed, "pooling\tnone", 89.9 + 0.05 * seed);
    }
    project_put("check.tsv", "test_one\tpass\tc0\n");
    project_list_records();
}

const char *project_said(void)
{
    const size_t length = strlen(program_output), most = 1500;
    return program_output + (length > most ? length - most : 0);
}

int project_audit(const char *more)
{
    return program_run("audit --root=%s --results=%s/check.tsv --out=%s/out %s %s/records", program_folder,
                       program_folder, program_folder, more, program_folder);
}

char *project_column(const char *id, int number)
{
    static char cell[4096];
    char *table = program_file("out/audit.tsv"), start[64];
    snprintf(start, sizeof start, "\n%s\t", id);
    const char *at = strstr(table, start);
    ck_assert_ptr_nonnull(at);
    for (at++; number > 0; number--)
        at = strchr(at, '\t') + 1;
    snprintf(cell, sizeof cell, "%.*s", (int)strcspn(at, "\t\n"), at);
    free(table);
    return cell;
}
