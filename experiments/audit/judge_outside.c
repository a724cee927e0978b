/* Claims that published nets decide: whether what the paper prints is on the frontier of accuracy and cost.
 * See judge.h. The nets are those of paper/expected/outside.tsv, trained by other protocols. */
#include "judge.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a printed cost is in the units of a column: 10^9 multiply-accumulates, 10^6 parameters. */
static double unit_of(const char *column)
{
    return strcmp(column, "macs") == 0 ? 1e9 : 1e6;
}

/* The most that the paper's net can cost, by the digits that it prints; NaN without a claim. */
static double most(const Claim *cost, double unit)
{
    return cost ? (cost->value + 0.5 * pow(10, -cost->digits)) * unit * (1 + 1e-12) : NAN;
}

/* A published net that costs no more: how far it stays below, and its name if it does not. */
static void weigh(Judgement *j, const Tsv *nets, int net, const char *column, double paper)
{
    char words[512];
    const char *cost = tsv_cell(nets, net, tsv_column(nets, column));
    const double reached = atof(tsv_cell(nets, net, tsv_column(nets, "accuracy")));
    j->n++;
    if (!(paper - reached >= j->estimate))
        j->estimate = paper - reached;
    if (reached >= paper) {
        snprintf(words, sizeof words, "%s: %g %% with %s %s", tsv_cell(nets, net, 0), reached, cost, column);
        judge_evidence(j, words);
    }
}

void judge_outside(Judgement *j, const Court *court)
{
    char list[512], column[32], accuracy[CLAIM_ID], cost[CLAIM_ID];
    const char *at = list;
    decider_argument(list, sizeof list, j->claim, "outside:");
    next_name(column, sizeof column, &at);
    next_name(accuracy, sizeof accuracy, &at);
    next_name(cost, sizeof cost, &at);
    const Claim *paper = claim_of(court->claims, accuracy);
    const double room = most(claim_of(court->claims, cost), unit_of(column));
    const Tsv *nets = &court->sources->outside;
    const int at_cost = tsv_column(nets, column);
    for (int r = 0; paper && at_cost >= 0 && r < nets->rows; r++) {
        const double theirs = atof(tsv_cell(nets, r, at_cost)); /* 0 where nobody tells */
        if (theirs > 0 && theirs <= room)
            weigh(j, nets, r, column, paper->value);
    }
    snprintf(j->command, sizeof j->command, "make audit");
    if (j->n == 0) {
        judge_state(j, STATE_NOT_RUN,
                    "no published net that costs no more is known: paper/expected/outside.tsv");
        return;
    }
    judge_say(j, j->estimate > 0 ? "confirmed" : "contradicted");
    judge_evidence(j, "paper/expected/outside.tsv");
    judge_state(j, DECIDED, "");
}
