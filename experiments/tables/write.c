/* See write.h. */
#include "write.h"
#include "../base/files.h"
#include "../base/text.h"
#include "cells.h"
#include "findings.h"
#include <math.h>
#include <string.h>

static void write_rows(Text *text, const Table *table)
{
    const Spread spread = table_spread(table, false);
    text_add(
        text,
        "row\tlabel\tpaper_accuracy\taccuracy\thalf_width_95\tsd\tseeds\tbest_on_test\taccuracy_verdict\t"
        "paper_cost\tcost\tcost_at_paper_size\tcost_verdict\tparameters\tdepth_argmax\tdepth_expected\tdepth_"
        "last\t"
        "images_per_second\tpeak_mib\tepochs\ttotal_epochs\tseconds\tpaper_parameters\tparameters_at_paper_"
        "size\tparameters_by_formula\n");
    for (int i = 0; i < table->count; i++) {
        ParameterCounts weights;
        const Row *row = &table->rows[i];
        const double macs = row_paper_macs(&weights, row);
        const Sample accuracy = row_accuracies(row, false);
        text_add(text, "%s\t%s\t%.6g\t%.4f\t%.4f\t%.4f\t%d\t%.4f\t%s\t%.6g\t%.6f\t%.6f\t%s\t%.0f", row->id,
                 row->label, row->accuracy, accuracy.mean, row_half_width(row, spread), accuracy.sd,
                 row->count, row_accuracies(row, true).mean, row_accuracy_verdict(row, table), row->cost,
                 row_mean(row, offsetof(RunRecord, macs)) / 1e9, macs / 1e9, row_cost_verdict(row, macs),
                 row_mean(row, offsetof(RunRecord, parameters)));
        for (size_t k = 0; k < 3; k++)
            text_add(text, "\t%.4g", row_mean(row, offsetof(RunRecord, depth) + k * sizeof(double)));
        text_add(text, "\t%.1f\t%.0f\t%d\t%d\t%.1f\t%.6g\t%.0f\t%.0f\n",
                 row_mean(row, offsetof(RunRecord, images_per_second)),
                 row_mean(row, offsetof(RunRecord, peak_mib)), row->runs[0].epochs, row->runs[0].total_epochs,
                 row_mean(row, offsetof(RunRecord, seconds)) * row->count, row->parameters, weights.graph,
                 weights.formula);
    }
}

static void write_differences(Text *text, const Table *table)
{
    Finding found[MAX_DIFFERENCES];
    findings(found, table);
    if (table->differences)
        text_add(text, "\ndifference\tpaper\there\tlow_95\thigh_95\tdf\tp\tp_holm\tverdict\tonly_plus\tonly_"
                       "minus\tp_mcnemar\tlow_90\thigh_90\tlow_paired\thigh_paired\tp_paired\n");
    for (int i = 0; i < table->differences; i++) {
        const Finding *f = &found[i];
        const Interval interval = estimate_interval(f->here, 0.95);
        text_add(text, "%s\t%.6g\t%.4f\t%.4f\t%.4f\t%.2f\t%.6f\t%.6f\t%s\t%d\t%d\t%.6g",
                 table->difference[i].label, f->paper, f->here.mean, interval.low, interval.high, f->here.df,
                 f->p, f->adjusted, difference_word(f->verdict), f->only_plus, f->only_minus, f->mcnemar);
        const Interval i90 = estimate_interval(f->here, 0.90), paired = estimate_interval(f->paired, 0.95);
        text_add(text, "\t%.4f\t%.4f\t%.4f\t%.4f\t%.6f\n", i90.low, i90.high, paired.low, paired.high,
                 estimate_p(f->paired));
    }
}

bool table_write(const Table *table, const char *budget, const char *out, Error *error)
{
    Text text = {0};
    const RunRecord *first = &table->rows[0].runs[0];
    text_add(&text, "# budget\t%s\n# data\t%s\n# data_sha256\t%s\n# kernels\t%s (%s)\n# commit\t%s\n", budget,
             first->data, first->data_sha256, first->kernels, first->instruction_set, first->commit);
    write_rows(&text, table);
    write_differences(&text, table);
    const char *slash = strrchr(out, '/');
    char folder[4096];
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - out) : 1, slash ? out : ".");
    const bool ok = folder_make(folder, error) && text_write(&text, folder, slash ? slash + 1 : out, error);
    text_free(&text);
    return ok;
}
