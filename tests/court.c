/* See court.h. */
#include "court.h"
#include <check.h>
#include <stdio.h>

Claim claim_about(Rule rule, double value, const char *decider)
{
    Claim claim = claim_without_words;
    claim.id = "c";
    claim.decider = decider;
    claim.min_grade = "B";
    claim.rule = rule;
    claim.digits = 1;
    claim.value = value;
    claim.margin = 0.5;
    return claim;
}

void add_row(Evidence *e, const char *key, char grade, const char *newest, const char *row, int n,
             double mean, double better)
{
    Group *group = evidence_group(e, key);
    group->grade = grade;
    snprintf(group->newest, sizeof group->newest, "%s", newest);
    snprintf(group->data, sizeof group->data, "cifar10");
    RowRuns *runs = group_row(group, row, true);
    runs->n = n;
    for (int s = 0; s < n; s++) {
        runs->folder[s] = -1;
        for (int q = 0; q < QUANTITIES; q++)
            runs->x[q][s] = mean + 0.1 * (s - (n - 1) / 2.0) + (q == BEST ? better : 0);
    }
}

Judgement judged(const Claim *claim, const Evidence *evidence, char (*dates)[40])
{
    Judgement j;
    Error error;
    const Claims claims = {.claims = (Claim *)claim, .count = 1};
    static const Sources sources;
    static const Rows rows;
    const Court court = {
        .claims = &claims, .sources = &sources, .evidence = evidence, .rows = &rows, .rule_dates = dates};
    ck_assert(judge(&j, &court, &error));
    return j;
}
