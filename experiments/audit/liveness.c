/* Every verdict can change. See liveness.h. */
#include "liveness.h"
#include "readings.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SEEDS = 3 };

/* The list of rows that a claim takes. */
static bool rows_of(char *list, int size, const Claim *claim)
{
    static const char *const prefixes[] = {
        "run:", "diff:", "order:", "early:", "seconds:", "slope:", "depth:", "deeper:"};
    for (size_t p = 0; p < sizeof prefixes / sizeof *prefixes; p++)
        if (decider_argument(list, size, claim, prefixes[p]))
            return true;
    return false;
}

/* The number of row i of a claim: in its favour, or against it. */
static double made_up(const Claim *claim, int i, bool for_it)
{
    const double sign = for_it ? 1 : -1, value = isnan(claim->value) ? 0 : claim->value;
    char ignored[512];
    if (claim->rule == RULE_VALUE)
        return value + (for_it ? 0 : 20);
    if (claim->rule == RULE_EQUIVALENCE)
        return i == 0 && !for_it ? 60 : 50;
    if (claim->rule == RULE_NOT_WORSE)
        return i == 0 && !for_it ? 40 : 50;
    if (claim->rule == RULE_ORDER)
        return 50 + sign * 10 * i;
    if (decider_argument(ignored, sizeof ignored, claim, "slope:"))
        return sign * (value < 0 ? -0.9 : 0.9);
    if (decider_argument(ignored, sizeof ignored, claim, "seconds:"))
        return i == 0 ? 50 - sign * 20 : 50;
    const double size = claim->rule == RULE_DIFFERENCE ? value : value < 0 ? -10 : 10;
    return i == 0 ? 50 + sign * size : 50;
}

bool made_up_evidence(Evidence *evidence, const Claim *claim, bool for_it)
{
    char list[512], row[64];
    const char *at = list;
    *evidence = (Evidence){0};
    Group *group = rows_of(list, sizeof list, claim) ? evidence_group(evidence, "made up") : NULL;
    if (!group)
        return false;
    group->grade = 'A';
    snprintf(group->data, sizeof group->data, "cifar10");
    for (int i = 0; next_name(row, sizeof row, &at); i++) {
        RowRuns *runs = group_row(group, row, true);
        if (!runs)
            return false;
        runs->n = SEEDS;
        for (int s = 0; s < SEEDS; s++) {
            runs->seed[s] = s;
            runs->folder[s] = -1;
            for (int q = 0; q < QUANTITIES; q++)
                runs->x[q][s] = made_up(claim, i, for_it) + 0.02 * (s - 1);
        }
    }
    return true;
}

/* The verdict of one claim before this court. */
static void verdict_of(char verdict[96], const Court *court, const Claim *claim)
{
    Claim copy = *claim;
    copy.requires = copy.rival = "";
    Claims one = {.claims = &copy, .count = 1};
    Court alone = *court;
    Judgement j;
    /* Printed arithmetic looks other claims up. */
    const bool looks_up = claim->rule == RULE_PRINTED || claim->rule == RULE_FRONTIER;
    if (!looks_up)
        alone.claims = &one;
    alone.rule_dates = NULL;
    if (looks_up) {
        Judgement *all = calloc((size_t)court->claims->count, sizeof *all);
        snprintf(verdict, 96, "undecided");
        if (all && judge(all, &alone, NULL))
            snprintf(verdict, 96, "%s", all[claim - court->claims->claims].verdict);
        free(all);
        return;
    }
    snprintf(verdict, 96, "%s", judge(&j, &alone, NULL) ? j.verdict : "undecided");
}

static bool told(FILE *out, const char *id, const char *what, const char *before, const char *after,
                 bool favour)
{
    const bool alive = favour && strcmp(before, after) != 0;
    fprintf(out, "%s: %s -> %s (%s)%s\n", id, before, after, what, alive ? "" : " DEAD");
    return alive;
}

static bool runs_live(const Court *court, const Claim *claim, FILE *out)
{
    char before[96], after[96];
    Evidence favour = {0}, against = {0};
    Court with = *court;
    const bool ok = made_up_evidence(&favour, claim, true) && made_up_evidence(&against, claim, false);
    with.evidence = &favour;
    verdict_of(before, &with, claim);
    with.evidence = &against;
    verdict_of(after, &with, claim);
    evidence_free(&favour);
    evidence_free(&against);
    return told(out, claim->id, "other runs", before, after, ok && support_of(before) == UPHELD);
}

/* Every test passes, then all but one in turn. */
static bool tests_live(const Court *court, const Claim *claim, FILE *out)
{
    char before[96], after[96], word[512];
    bool live = true;
    Sources made = *court->sources;
    Court with = *court;
    with.sources = &made;
    made.tests = malloc((size_t)(made.tests_count + 1) * sizeof *made.tests);
    if (!made.tests)
        return false;
    for (int t = 0; t < made.tests_count; t++) {
        made.tests[t] = court->sources->tests[t];
        made.tests[t].outcome = PASSED;
        made.tests[t].stale = false;
    }
    for (const char *at = claim->decider; next_word(word, sizeof word, &at);) {
        TestFunction *test =
            strncmp(word, "test:", 5) == 0 ? (TestFunction *)sources_test(&made, word + 5) : NULL;
        if (!test)
            continue;
        verdict_of(before, &with, claim);
        test->outcome = FAILED;
        verdict_of(after, &with, claim);
        test->outcome = PASSED;
        live = told(out, claim->id, test->name, before, after,
                    claim->rule != RULE_TESTS || support_of(before) == UPHELD) &&
               live;
    }
    free(made.tests);
    return live;
}

/* Other values of the paper's: of the claim, or of the cells that it calculates with. */
static bool value_live(const Court *court, const Claim *claim, FILE *out)
{
    char before[96], after[96];
    bool live = false;
    double values[] = {-1e6, 0, 50, 1e6, 0};
    char name[64];
    Readings readings;
    /* What no reading gives, the value that one gives is given. */
    if (decider_argument(name, sizeof name, claim, "readings:") &&
        readings_count(&readings, name, claim->value, claim->digits, NULL))
        values[4] = readings.nearest;
    Claims made = *court->claims;
    Court with = *court;
    with.claims = &made;
    made.claims = malloc((size_t)made.count * sizeof *made.claims);
    if (!made.claims)
        return false;
    verdict_of(before, court, claim);
    snprintf(after, sizeof after, "%s", before);
    for (int v = 0; v < 5 && !live; v++) {
        memcpy(made.claims, court->claims->claims, (size_t)made.count * sizeof *made.claims);
        Claim *changed = &made.claims[claim - court->claims->claims];
        char list[512], id[64];
        changed->value = values[v];
        if (decider_argument(list, sizeof list, claim, "printed:") ||
            decider_argument(list, sizeof list, claim, "outside:")) {
            const char *at = list;
            next_name(id, sizeof id, &at);
            next_name(id, sizeof id, &at);
            for (int c = 0; c < made.count; c++)
                if (strcmp(made.claims[c].id, id) == 0)
                    made.claims[c].value = values[v];
        }
        verdict_of(after, &with, changed);
        live = strcmp(before, after) != 0;
    }
    free(made.claims);
    return told(out, claim->id, "another value of the paper", before, after, live);
}

/* A paper that says each of the words in turn, and no row of choices. */
static bool choice_live(const Court *court, const Claim *claim, FILE *out)
{
    char before[96], after[96], list[512], name[64];
    const char *at = list;
    Sources made = *court->sources;
    Court with = *court;
    made.choices.rows = 0;
    with.sources = &made;
    verdict_of(before, court, claim);
    verdict_of(after, &with, claim);
    bool live = told(out, claim->id, "without its choice", before, after, support_of(before) == WEAKENED);
    decider_argument(list, sizeof list, claim, "choice:");
    next_name(name, sizeof name, &at);
    with.sources = court->sources;
    while (next_name(name, sizeof name, &at)) {
        Sentence sentence = {.number = 1, .words = normalised(name, strlen(name))};
        const Paper paper = {&sentence, 1};
        with.paper = &paper;
        verdict_of(after, &with, claim);
        live = told(out, claim->id, name, before, after, support_of(before) == WEAKENED) && live;
        free(sentence.words);
    }
    return live;
}

static bool quote_live(const Court *court, const Claim *claim, FILE *out)
{
    char before[96], after[96], argument[512];
    decider_argument(argument, sizeof argument, claim, "quote:");
    const int split = (int)strcspn(argument, ",");
    char *dash = argument + split;
    while (dash > argument && *dash != '-')
        dash--;
    for (char *c = argument + split; *c; c++)
        *c = *c == '_' ? ' ' : *c;
    Sentence sentence = {.number = atoi(dash + 1)};
    snprintf(sentence.section, sizeof sentence.section, "%.*s", (int)(dash - argument), argument);
    sentence.words = normalised(argument + split, strlen(argument + split));
    Paper paper = {&sentence, 1};
    Court with = *court;
    with.paper = &paper;
    verdict_of(before, &with, claim);
    sentence.number = sentence.number == 1 ? 2 : 1;
    verdict_of(after, &with, claim);
    free(sentence.words);
    return told(out, claim->id, "other words", before, after, support_of(before) == UPHELD);
}

static bool share_live(const Court *court, const Claim *claim, FILE *out)
{
    char before[96], after[96], what[64], low[256], high[256];
    Evidence made = {0};
    Court with = *court;
    decider_argument(what, sizeof what, claim, "share:");
    snprintf(low, sizeof low, "%s\tf32\tR=5,10x64\t1\t%g\t%% of weight_step\n", what, claim->margin / 10);
    snprintf(high, sizeof high, "%s\tf32\tR=5,10x64\t1\t%g\t%% of weight_step\n", what, claim->margin * 10);
    with.evidence = &made;
    made.bench_lines = low;
    verdict_of(before, &with, claim);
    made.bench_lines = high;
    verdict_of(after, &with, claim);
    return told(out, claim->id, "another bench", before, after, support_of(before) == UPHELD);
}

/* The claim with premises that tests decide, as many of them green as it needs: each of these broken in turn.
 */
static bool premises_live(const Claim *claim, FILE *out)
{
    Claim made[CLAIM_PREMISES + 1] = {*claim};
    TestFunction tests[CLAIM_PREMISES];
    char words[CLAIM_PREMISES][128], ids[CLAIM_PREMISES][64];
    Judgement all[CLAIM_PREMISES + 1];
    int count = 0;
    for (const char *at = claim->requires;
         count < CLAIM_PREMISES && next_word(ids[count], sizeof ids[count], &at); count++) {
        snprintf(words[count], sizeof words[count], "test:%.63s", ids[count]);
        made[count + 1] = (Claim){.id = ids[count],
                                  .rule = RULE_TESTS,
                                  .decider = words[count],
                                  .paper = "",
                                  .place = "",
                                  .requires = "",
                                  .rival = "",
                                  .family = "",
                                  .readings = "",
                                  .min_grade = "-"};
        tests[count] = (TestFunction){.outcome = PASSED};
        snprintf(tests[count].name, sizeof tests[count].name, "%.63s", ids[count]);
    }
    const Claims claims = {.claims = made, .count = count + 1};
    const Sources sources = {.tests = tests, .tests_count = count};
    const Evidence none = {0};
    const Court court = {.claims = &claims, .sources = &sources, .evidence = &none};
    bool live = count > 0 && judge(all, &court, NULL);
    for (int i = 0; live && i < count; i++) {
        char before[96];
        for (int needed = 0; needed < count; needed++)
            tests[(i + needed) % count].outcome =
                claim->needed == 0 || needed < claim->needed ? PASSED : FAILED;
        live = judge(all, &court, NULL);
        snprintf(before, sizeof before, "%s", all[0].verdict);
        tests[i].outcome = FAILED;
        live = live && judge(all, &court, NULL) &&
               told(out, claim->id, ids[i], before, all[0].verdict, support_of(before) == UPHELD);
    }
    return live;
}

static bool lives(const Court *court, const Claim *claim, FILE *out)
{
    switch (claim->rule) {
    case RULE_READINGS:
    case RULE_PRINTED:
    case RULE_FRONTIER:
        return value_live(court, claim, out);
    case RULE_TESTS:
        return true; /* its tests are broken below */
    case RULE_BOUND:
        return share_live(court, claim, out);
    case RULE_OPEN:
        return choice_live(court, claim, out);
    case RULE_QUOTE:
        return quote_live(court, claim, out);
    case RULE_PREMISES:
        return premises_live(claim, out);
    default:
        return runs_live(court, claim, out);
    }
}

int liveness_check(const Court *court, FILE *out)
{
    int dead = 0;
    for (int c = 0; c < court->claims->count; c++) {
        const Claim *claim = &court->claims->claims[c];
        const bool rule = lives(court, claim, out), tests = tests_live(court, claim, out);
        dead += !rule || !tests;
    }
    return dead;
}
