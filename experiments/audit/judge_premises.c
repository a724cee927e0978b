/* Claims that other claims decide, and verdicts that other claims bound. See judge.h. */
#include "judge.h"
#include <stdio.h>
#include <string.h>

/* As strong as the weakest of those that are needed, taken from the strongest on. */
static Support strength(const int of_support[AGAINST + 1], int needed)
{
    Support worst = UPHELD;
    for (int found = of_support[UPHELD]; found < needed && worst < AGAINST; found += of_support[worst])
        worst++;
    return worst;
}

/* Whether a premise is one of those that make the conclusion what it is: the failed ones make it fail. */
static bool decides(const Judgement *premise, Support conclusion)
{
    return conclusion == AGAINST ? premise->support == AGAINST : premise->support <= conclusion;
}

/* A conclusion is no firmer than what it rests on: it is decided where its decided premises alone say the
 * same, and its runs are those of the premises that decide it. */
static void rest(Judgement *j, Judgement *all, const Claims *claims, Support own, bool firm)
{
    char id[64];
    bool stale = false;
    for (const char *at = j->claim->requires; next_word(id, sizeof id, &at);) {
        const Judgement *premise = judgement_of(all, claims, id);
        if (!decides(premise, own))
            continue;
        stale = stale || premise->basis == STALE;
        if (strcmp(premise->run_date, j->run_date) > 0)
            snprintf(j->run_date, sizeof j->run_date, "%s", premise->run_date);
    }
    judge_state(j,
                firm    ? DECIDED
                : stale ? STALE
                        : EXPLORATORY,
                firm    ? ""
                : stale ? "a premise is stale"
                        : "a premise is exploratory");
    judge_date(j);
}

/* Its own verdict, from its premises alone. Where all are needed, one that fails decides, whatever is still
 * open. */
static void judge_premises(Judgement *j, Judgement *all, const Claims *claims)
{
    char id[64];
    int of_support[AGAINST + 1] = {0}, decided[AGAINST + 1] = {0}, count = 0;
    for (const char *at = j->claim->requires; next_word(id, sizeof id, &at); count++) {
        const Judgement *premise = judgement_of(all, claims, id);
        of_support[premise->support]++;
        decided[premise->basis == DECIDED ? premise->support : OPEN]++;
        judge_evidence(j, id);
    }
    const int needed = j->claim->needed > 0 ? j->claim->needed : count;
    const Support own = strength(of_support, needed);
    if (own == WEAKENED)
        snprintf(j->verdict, sizeof j->verdict, "underdetermined (%d of %d premises)", of_support[UPHELD],
                 count);
    else
        judge_say(j, own == UPHELD ? "confirmed" : own == AGAINST ? "contradicted" : "undecided");
    if (own == OPEN)
        judge_state(j, BLOCKED, "a premise is undecided");
    else
        rest(j, all, claims, own, strength(decided, needed) == own);
    j->n = count;
}

/* A verdict holds as far as its premises do: the worst of them, theirs included, bounds it. One that is made
 * of its premises has been bounded by those that it needs. */
void judge_bound(Judgement *j, Judgement *all, const Claims *claims, int depth)
{
    static const char *const words[] = {"upheld", "weakened by a premise", "undecided, by a premise",
                                        "contradicted by a premise"};
    char id[64];
    if (j->bounded[0] || depth > CLAIM_DEPTH)
        return;
    for (const char *at = j->claim->requires; next_word(id, sizeof id, &at);)
        judge_bound(judgement_of(all, claims, id), all, claims, depth + 1);
    if (j->claim->rule == RULE_PREMISES)
        judge_premises(j, all, claims);
    j->support =
        j->state == DECIDED || j->state == EXPLORATORY || j->state == STALE ? support_of(j->verdict) : OPEN;
    j->basis = j->state;
    snprintf(j->bounded, sizeof j->bounded, "%s", j->verdict);
    const bool bounds = j->claim->rule != RULE_PREMISES || j->claim->needed == 0;
    for (const char *at = j->claim->requires; bounds && next_word(id, sizeof id, &at);) {
        const Judgement *premise = judgement_of(all, claims, id);
        if (premise->support > j->support) {
            j->support = premise->support;
            j->basis = premise->basis;
            snprintf(j->bounded, sizeof j->bounded, "%s", words[j->support]);
            snprintf(j->bounded_by, sizeof j->bounded_by, "%s", id);
        }
    }
}
