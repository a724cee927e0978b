/* The court. See judge.h. */
#include "judge.h"
#include "readings.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const state_words[] = {"decided", "blocked", "stale", "exploratory", "not run"};

static const struct {
    const char *word;
    Support support;
} supports[] = {
    {"confirmed", UPHELD},
    {"confirmed, other size", UPHELD},
    {"in direction", UPHELD},
    {"reproduced", UPHELD},
    {"holds", UPHELD},
    {"isolated", UPHELD},
    {"compatible", WEAKENED},
    {"negligible", WEAKENED},
    {"only with test-set selection", WEAKENED},
    {"absent", AGAINST},
    {"contradicted", AGAINST},
    {"lower", AGAINST},
    {"higher", AGAINST},
    {"impossible", AGAINST},
    {"broken", AGAINST},
    {"not isolated", AGAINST},
    {"rival stands", AGAINST},
};

Support support_of(const char *verdict)
{
    for (size_t i = 0; i < sizeof supports / sizeof *supports; i++)
        if (strcmp(supports[i].word, verdict) == 0)
            return supports[i].support;
    return strncmp(verdict, "underdetermined", 15) == 0 ? WEAKENED : OPEN;
}

void judge_say(Judgement *j, const char *verdict)
{
    snprintf(j->verdict, sizeof j->verdict, "%s", verdict);
}

void judge_state(Judgement *j, State state, const char *why)
{
    j->state = state;
    snprintf(j->why, sizeof j->why, "%s", why);
}

void judge_evidence(Judgement *j, const char *word)
{
    const size_t used = strlen(j->evidence);
    snprintf(j->evidence + used, sizeof j->evidence - used, "%s%s", used ? " " : "", word);
}

void judge_date(Judgement *j)
{
    if (j->state == DECIDED && *j->rule_date && *j->run_date && strcmp(j->rule_date, j->run_date) > 0)
        judge_state(j, EXPLORATORY, "the rule is newer than the run");
}

Judgement *judgement_of(Judgement *all, const Claims *claims, const char *id)
{
    for (int c = 0; c < claims->count; c++)
        if (strcmp(all[c].claim->id, id) == 0)
            return &all[c];
    return NULL;
}

/* A broken test breaks the claim, whatever else decides it; tests that did not run leave it open only where
 * nothing but tests decides it. */
static void judge_tests(Judgement *j, const Court *court)
{
    char word[512];
    int failed = 0, failed_here = 0, waiting = 0, stale = 0, count = 0;
    for (const char *at = j->claim->decider; next_word(word, sizeof word, &at);) {
        const TestFunction *test =
            strncmp(word, "test:", 5) == 0 ? sources_test(court->sources, word + 5) : NULL;
        if (strncmp(word, "test:", 5) != 0)
            continue;
        count++;
        failed += test && test->outcome == FAILED;
        failed_here += test && test->outcome == FAILED && !test->stale;
        waiting += !test || test->outcome == NOT_RUN;
        stale += test && test->outcome != NOT_RUN && test->stale;
        if (test) {
            judge_evidence(j, test->file);
            judge_evidence(j, test->name);
        }
    }
    if (failed > 0) {
        judge_say(j, "broken");
        judge_state(j, failed_here ? DECIDED : STALE,
                    failed_here ? "" : "its tests ran in another commit: make check");
    } else if (j->claim->rule == RULE_TESTS) {
        judge_say(j, waiting ? "undecided" : "holds");
        judge_state(j,
                    waiting ? STATE_NOT_RUN
                    : stale ? STALE
                            : DECIDED,
                    waiting ? "its tests have not run: make check"
                    : stale ? "its tests ran in another commit: make check"
                            : "");
        snprintf(j->command, sizeof j->command, "make check");
        j->n = count;
    }
}

static void judge_readings(Judgement *j)
{
    char name[64];
    Readings r;
    decider_argument(name, sizeof name, j->claim, "readings:");
    if (!readings_count(&r, name, j->claim->value, j->claim->digits, NULL))
        return;
    if (r.given == 0)
        judge_say(j, "impossible");
    else if (r.given == r.all)
        judge_say(j, "holds");
    else
        snprintf(j->verdict, sizeof j->verdict, "underdetermined (%d of %d readings)", r.given, r.all);
    judge_state(j, DECIDED, "");
    j->estimate = r.nearest;
    j->n = r.all;
    char words[256];
    snprintf(words, sizeof words, "%d of %d readings: %s; nearest %.4f", r.given, r.all, r.space, r.nearest);
    judge_evidence(j, words);
    snprintf(j->command, sizeof j->command, "make audit");
}

/* z of the difference of two accuracies of one test set each, of 10,000 images. */
static double noise(double a, double b)
{
    const double images = 10000, p = a / 100, q = b / 100;
    return fabs(p - q) / sqrt((p * (1 - p) + q * (1 - q)) / images);
}

static void judge_printed(Judgement *j, const Court *court)
{
    char list[512], operation[32], id[64];
    double x[CLAIM_VALUES] = {NAN, NAN};
    int n = 0;
    decider_argument(list, sizeof list, j->claim, "printed:");
    const char *at = list;
    next_name(operation, sizeof operation, &at);
    while (n < CLAIM_VALUES && next_name(id, sizeof id, &at)) {
        const Claim *other = claim_of(court->claims, id);
        x[n++] = other ? other->value : NAN;
    }
    bool holds = n >= 2;
    const double half = 0.5 * pow(10, -j->claim->digits) + 1e-9;
    if (strcmp(operation, "minus") == 0 || strcmp(operation, "ratio") == 0) {
        j->estimate = operation[0] == 'm' ? x[0] - x[1] : x[0] / x[1];
        holds = holds && fabs(j->estimate - j->claim->value) <= half;
    } else if (strcmp(operation, "noise") == 0) {
        j->estimate = noise(x[0], x[1]);
        holds = holds && j->estimate < 1.959964;
    } else
        for (int i = 1; i < n; i++)
            holds = holds && x[i - 1] < x[i];
    judge_say(j, holds ? "holds" : "impossible");
    judge_state(j, DECIDED, "");
    j->n = 1;
    judge_evidence(j, "the paper's own cells");
    snprintf(j->command, sizeof j->command, "make audit");
}

/* A choice is ours as long as the paper does not make it. */
static void judge_choice(Judgement *j, const Court *court)
{
    char list[512], id[64], name[64];
    const char *at = list;
    decider_argument(list, sizeof list, j->claim, "choice:");
    next_name(id, sizeof id, &at);
    const int values = sources_choice(court->sources, id);
    if (values == 0)
        return;
    snprintf(j->verdict, sizeof j->verdict, "underdetermined (%d of %d readings)", values, values);
    judge_state(j, DECIDED, "");
    j->n = values;
    judge_evidence(j, "paper/choices.tsv");
    judge_evidence(j, id);
    snprintf(j->command, sizeof j->command, "make audit PAPER=file");
    while (court->paper && next_name(name, sizeof name, &at)) {
        if (!paper_says(court->paper, name))
            continue;
        judge_say(j, "impossible");
        judge_evidence(j, "the paper says");
        judge_evidence(j, name);
    }
}

static void judge_quote(Judgement *j, const Court *court)
{
    char argument[512], words[512];
    decider_argument(argument, sizeof argument, j->claim, "quote:");
    const int split = (int)strcspn(argument, ",");
    snprintf(words, sizeof words, "%s", argument[split] ? argument + split + 1 : "");
    for (char *c = words; *c; c++)
        *c = *c == '_' ? ' ' : *c;
    argument[split] = '\0';
    snprintf(j->command, sizeof j->command, "make audit PAPER=file");
    judge_evidence(j, argument);
    if (!court->paper) {
        judge_state(j, STATE_NOT_RUN, "needs the reader's copy of the paper: make audit PAPER=file");
        return;
    }
    judge_say(j, paper_has(court->paper, argument, words) ? "holds" : "impossible");
    judge_state(j, DECIDED, "");
    j->n = 1;
}

/* What is at least as large as the share bounds it from above alone. */
static const char *share_word(double most, double margin)
{
    return most <= margin ? "holds" : "undecided";
}

static void judge_share(Judgement *j, const Court *court)
{
    char what[64];
    int lines = 0;
    decider_argument(what, sizeof what, j->claim, "share:");
    j->estimate = evidence_share(court->evidence, what, &lines);
    snprintf(j->command, sizeof j->command, "make bench");
    if (lines == 0) {
        judge_state(j, STATE_NOT_RUN, "no bench record has it: make bench");
        return;
    }
    j->n = lines;
    judge_say(j, share_word(j->estimate, j->claim->margin));
    snprintf(j->half, sizeof j->half, "%s", share_word(j->estimate, j->claim->margin / 2));
    snprintf(j->twice, sizeof j->twice, "%s", share_word(j->estimate, j->claim->margin * 2));
    if (j->estimate <= j->claim->margin)
        judge_state(j, DECIDED, "");
    else
        judge_state(j, BLOCKED,
                    "the bench measures it as passes of their own, an upper bound: it cannot refute");
    judge_evidence(j, court->evidence->bench);
}

static void judge_one(Judgement *j, const Court *court)
{
    switch (j->claim->rule) {
    case RULE_READINGS:
        judge_readings(j);
        break;
    case RULE_PRINTED:
        judge_printed(j, court);
        break;
    case RULE_OPEN:
        judge_choice(j, court);
        break;
    case RULE_QUOTE:
        judge_quote(j, court);
        break;
    case RULE_BOUND:
        judge_share(j, court);
        break;
    case RULE_FRONTIER:
        judge_outside(j, court);
        break;
    case RULE_TESTS:
    case RULE_PREMISES:
        break;
    default:
        judge_runs(j, court);
    }
    judge_tests(j, court);
}

/* A mechanism that was not shown to be needed leaves the field to its rival, if that one is upheld. */
static void weigh_rivals(Judgement *all, const Court *court)
{
    for (int c = 0; c < court->claims->count; c++) {
        Judgement *j = &all[c];
        const bool measured = j->n >= 2 && j->grade <= j->claim->min_grade[0];
        if (j->claim->rule != RULE_ISOLATION || !*j->claim->rival || !measured ||
            strcmp(j->verdict, "undecided") != 0)
            continue;
        const Judgement *rival = judgement_of(all, court->claims, j->claim->rival);
        if (rival->state == DECIDED && support_of(rival->verdict) == UPHELD) {
            judge_say(j, "rival stands");
            judge_state(j, DECIDED, "");
        }
    }
}

/* Whether Holm adjusts it: the p of a difference. */
static bool adjusted(const Judgement *j)
{
    return (j->claim->rule == RULE_DIFFERENCE || j->claim->rule == RULE_DIRECTION) && !isnan(j->p);
}

static bool same_family(const Judgement *a, const Judgement *b)
{
    return adjusted(a) && adjusted(b) && strcmp(a->claim->family, b->claim->family) == 0;
}

/* Whether two claims rest on one test: the same rows of the same quantity, in either order. */
static bool same_test(const Claim *a, const Claim *b)
{
    char list[512], first[64], second[64], turned[600], word[512];
    for (const char *at = a->decider; next_word(word, sizeof word, &at);) {
        if (strncmp(word, "test:", 5) == 0 || strncmp(word, "code:", 5) == 0)
            continue;
        if (has_word(b->decider, word))
            return true;
        const char *names = list;
        const int kind = (int)strcspn(word, ":") + 1;
        snprintf(list, sizeof list, "%s", word + kind);
        if (!next_name(first, sizeof first, &names) || !next_name(second, sizeof second, &names))
            continue;
        snprintf(turned, sizeof turned, "%.*s%s,%s", kind, word, second, first);
        if (has_word(b->decider, turned))
            return true;
    }
    return false;
}

/* The first claim of the same family that rests on the same test; the claim itself, if there is none. */
static int first_of(const Judgement *all, int c)
{
    for (int o = 0; o < c; o++)
        if (same_family(&all[o], &all[c]) && same_test(all[o].claim, all[c].claim))
            return o;
    return c;
}

/* Holm over the differences of one family; claims that rest on one test count once. */
static bool adjust(Judgement *all, const Court *court, Error *error)
{
    const int count = court->claims->count;
    double *p = calloc((size_t)count * 2 + 1, sizeof *p);
    int *at = calloc((size_t)count + 1, sizeof *at);
    if (!p || !at) {
        free(p);
        free(at);
        return fail(error, "no memory to adjust the p values of %d claims", count);
    }
    for (int c = 0; c < count; c++) {
        int members = 0;
        if (!adjusted(&all[c]) || !isnan(all[c].holm))
            continue;
        for (int o = c; o < count; o++)
            if (same_family(&all[o], &all[c]) && first_of(all, o) == o) {
                at[members] = o;
                p[members++] = all[o].p;
            }
        holm(p + count, p, members);
        for (int m = 0; m < members; m++)
            all[at[m]].holm = p[count + m];
        for (int o = c; o < count; o++)
            if (same_family(&all[o], &all[c]))
                all[o].holm = all[first_of(all, o)].holm;
    }
    free(p);
    free(at);
    return true;
}

bool judge(Judgement *all, const Court *court, Error *error)
{
    for (int c = 0; c < court->claims->count; c++) {
        Judgement *j = &all[c];
        *j = (Judgement){.claim = &court->claims->claims[c],
                         .grade = '-',
                         .state = STATE_NOT_RUN,
                         .estimate = NAN,
                         .p = NAN,
                         .holm = NAN,
                         .ci95 = {NAN, NAN},
                         .s = NAN,
                         .mde80 = NAN};
        judge_say(j, "undecided");
        judge_one(j, court);
        snprintf(j->rule_date, sizeof j->rule_date, "%s", court->rule_dates ? court->rule_dates[c] : "");
        judge_date(j);
    }
    weigh_rivals(all, court);
    for (int c = 0; c < court->claims->count; c++)
        judge_bound(&all[c], all, court->claims, 0);
    return adjust(all, court, error);
}
