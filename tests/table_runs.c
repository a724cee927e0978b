/* See table_runs.h. */
#include "table_runs.h"
#include "../experiments/base/files.h"
#include "program.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void put_file(const char *folder, const char *name, const char *text)
{
    char path[512];
    Error error;
    snprintf(path, sizeof path, "%s/%s", program_folder, folder);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/%s", program_folder, folder, name);
    ck_assert_msg(file_write(path, text, strlen(text), &error), "%s", error.text);
}

/* Of two lines with one name the first counts. */
void write_run(Written w)
{
    char text[2048];
    const double better = w.better > 0 ? w.better : 0.1;
    snprintf(text, sizeof text, "kernels\t%s\nstages\t3,3,2,2\nlogits-lr\t0.0001\n%s",
             w.kernels ? w.kernels : "f32", w.config);
    put_file(w.name, "config.tsv", text);
    snprintf(text, sizeof text,
             "%saccuracy\t%.6f\ntest_images\t10000\ntest_loss\t0.5\ntrain_loss\t1\nbest_on_test\t%.6f\n"
             "best_on_test_epoch\t2\nepochs\t3\ntotal_epochs\t3\niterations\t624\nweights\t302400\n"
             "parameters\t302986\nmacs\t412473600\n",
             w.more ? w.more : "", w.accuracy, w.accuracy + better);
    put_file(w.name, "result.tsv", w.result ? w.result : text);
    int length = snprintf(text, sizeof text, "epoch\n");
    for (int epoch = 1; epoch <= 3; epoch++)
        length += snprintf(text + length, sizeof text - (size_t)length,
                           "%d\t0.1\t0\t1\t50\t1\t50\t10000\t0.5\t%.6f\t0\t0\t0\t0\n", epoch,
                           w.accuracy + (epoch == 2   ? better
                                         : epoch == 1 ? -1
                                                      : 0));
    put_file(w.name, "log.tsv", text);
    snprintf(text, sizeof text,
             "%scommit\tc0\nkernels\t%s\ninstruction_set\t%s\ndata\tcifar10\ndata_sha256\t%s\n",
             w.origin ? w.origin : "", w.kernels ? w.kernels : "f32", w.set ? w.set : "avx2",
             w.sha ? w.sha : SHA_A);
    put_file(w.name, "provenance.tsv", text);
    put_file(w.name, "timing.tsv",
             "epoch\ttrain_seconds\ttest_seconds\timages_per_second\n1\t60\t6\t100\n2\t60\t6\t300\n"
             "3\t60\t6\t200\n");
}

void write_runs(void)
{
    for (int seed = 1; seed <= 3; seed++) {
        char name[64], config[128];
        snprintf(name, sizeof name, "none%d", seed);
        snprintf(config, sizeof config, "seed\t%d\npooling\tnone\n", seed);
        write_run((Written){name, config, .accuracy = 87.1 + 0.1 * seed});
        snprintf(name, sizeof name, "ours%d", seed);
        snprintf(config, sizeof config, "seed\t%d\npooling\tlearned\n", seed);
        write_run((Written){name, config, .accuracy = 92.3 + 0.1 * seed});
    }
    put_file("", "t.tsv",
             "row\tlabel\taccuracy\tcost\toptions\nnone\tNo Pooling\t87.3\t0.31\t--pooling=none\n"
             "ours\tOur Model\t92.5\t0.41\t--pooling=learned\n");
    put_file("", "t-differences.tsv",
             "label\tplus\tminus\tclaim\nours - none\tours\tnone\tsize\nnone - ours\tnone\tours\tsize\n"
             "none = ours\tnone\tours\tequal\n");
}

int make_table_of(const char *more, const char *runs)
{
    char line[4096] = "", names[1024], *rest;
    snprintf(names, sizeof names, "%s", runs);
    for (char *row = strtok_r(names, " ", &rest); row; row = strtok_r(NULL, " ", &rest)) {
        const int length = (int)strcspn(row, "=");
        snprintf(line + strlen(line), sizeof line - strlen(line), " %.*s=%s/%s", length, row, program_folder,
                 row + length + 1);
    }
    return program_run("table --expected=%s/t.tsv --out=%s/out.tsv %s%s", program_folder, program_folder,
                       more, line);
}

int make_table(const char *more, const char *none, const char *ours)
{
    char runs[1024] = "";
    for (int i = 0; i < 2; i++) {
        char names[256], *rest;
        snprintf(names, sizeof names, "%s", i ? ours : none);
        for (char *name = strtok_r(names, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
            snprintf(runs + strlen(runs), sizeof runs - strlen(runs), "%s=%s ", i ? "ours" : "none", name);
    }
    return make_table_of(more, runs);
}

void expects(const char *words)
{
    ck_assert_msg(strstr(program_output, words) != NULL, "does not say %s:\n%s", words, program_output);
}

void expects_not(const char *words)
{
    ck_assert_msg(strstr(program_output, words) == NULL, "says %s:\n%s", words, program_output);
}

void expects_line(const char *start, const char *end)
{
    char words[256];
    snprintf(words, sizeof words, "\n%s", start);
    const char *at = strstr(program_output, words);
    ck_assert_msg(at != NULL, "no line starts with %s:\n%s", start, program_output);
    const size_t length = strcspn(at + 1, "\n");
    ck_assert_msg(length >= strlen(end) && strncmp(at + 1 + length - strlen(end), end, strlen(end)) == 0,
                  "the line of %s does not end with %s:\n%s", start, end, program_output);
}

void refuses(const char *none, const char *ours, const char *word, const char *other)
{
    ck_assert_int_eq(make_table("", none, ours), 1);
    program_expects_one_line("table: ", word);
    program_expects_one_line("table: ", other);
    char *out = program_file("out.tsv");
    ck_assert_ptr_null(out);
}
