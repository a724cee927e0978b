/* Claims that runs decide. See judge.h; the rules themselves are tables/verdict.h. */
#include "../tables/verdict.h"
#include "judge.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* The rows that a claim takes from one group, and which number of theirs. */
typedef struct {
    Quantity quantity;
    int count;
    char names[CLAIM_ROWS][64];
} Wanted;

static const struct {
    const char *prefix;
    Quantity quantity;
} measured[] = {{"run:", ACCURACY},    {"diff:", ACCURACY}, {"order:", ACCURACY}, {"early:", EARLY},
                {"seconds:", SECONDS}, {"slope:", SLOPE},   {"depth:", DEPTH},    {"deeper:", DEPTH}};

static void want(Wanted *wanted, const Claim *claim)
{
    char list[512];
    *wanted = (Wanted){0};
    for (size_t i = 0; i < sizeof measured / sizeof *measured; i++)
        if (decider_argument(list, sizeof list, claim, measured[i].prefix)) {
            const char *at = list;
            wanted->quantity = measured[i].quantity;
            while (wanted->count < CLAIM_ROWS && next_name(wanted->names[wanted->count], 64, &at))
                wanted->count++;
            return;
        }
}

/* The fewest seeds of the wanted rows that have the number; 0 if one has none. */
static int seeds_in(const Group *group, const Wanted *wanted)
{
    int least = wanted->count > 0 ? ROW_SEEDS : 0;
    for (int i = 0; i < wanted->count; i++) {
        const RowRuns *row = group_row((Group *)group, wanted->names[i], false);
        const int n = row ? row_sample(row, wanted->quantity).n : 0;
        least = n < least ? n : least;
    }
    return least;
}

/* Largest grade, then most seeds, then newest; evidence of several protocols is never mixed. */
static const Group *best_group(const Court *court, const Wanted *wanted)
{
    const Group *best = NULL;
    for (int g = 0; g < court->evidence->groups_count; g++) {
        const Group *group = &court->evidence->groups[g];
        const int seeds = seeds_in(group, wanted);
        if (seeds == 0)
            continue;
        const int have = best ? seeds_in(best, wanted) : 0;
        const char grade = evidence_grade(group, seeds), than = best ? evidence_grade(best, have) : 'E';
        if (grade < than ||
            (grade == than && (seeds > have || (seeds == have && strcmp(group->newest, best->newest) > 0))))
            best = group;
    }
    return best;
}

static Sample sample(const Group *group, const char *row, Quantity quantity)
{
    return row_sample(group_row((Group *)group, row, false), quantity);
}

static Sample scaled(Sample s, double by)
{
    return (Sample){s.mean * by, s.sd * by, s.n};
}

/* The difference that the claim is about. Seconds: how many per cent of B's A saves. */
static Estimate difference(const Group *group, const Wanted *wanted, Quantity quantity)
{
    const Sample a = sample(group, wanted->names[0], quantity);
    if (quantity == SLOPE)
        return estimate_mean(a, spread_pooled(&a, 1));
    const Sample b = sample(group, wanted->names[1], quantity);
    if (quantity == SECONDS) {
        const double unit = b.mean > 0 ? 100 / b.mean : 0;
        return estimate_welch(scaled(b, unit), scaled(a, unit));
    }
    return estimate_fair(a, b, group_spread(group, wanted->names[0], quantity));
}

static const char *value_verdict(const Claim *claim, const Group *group, const Wanted *wanted, double margin)
{
    const char *row = wanted->names[0];
    const Quantity q = wanted->quantity, best = q == ACCURACY ? BEST : q;
    return value_word(verdict_value(claim->value, 0.5 * pow(10, -claim->digits), sample(group, row, q),
                                    group_spread(group, row, q), sample(group, row, best),
                                    group_spread(group, row, best), margin));
}

/* Every row beats the one before: the first neighbour that decides against, or is open, decides. */
static const char *order_verdict(const Group *group, const Wanted *wanted, Quantity quantity, double margin)
{
    bool open = false, tied = false;
    for (int i = 1; i < wanted->count; i++) {
        const Estimate d = estimate_fair(sample(group, wanted->names[i], quantity),
                                         sample(group, wanted->names[i - 1], quantity),
                                         group_spread(group, wanted->names[i], quantity));
        const DifferenceVerdict v = verdict_direction(d, 1, margin);
        if (v == DIFFERENCE_CONTRADICTED)
            return difference_word(v);
        open = open || v == DIFFERENCE_UNDECIDED;
        tied = tied || v == DIFFERENCE_ABSENT || v == DIFFERENCE_NEGLIGIBLE;
    }
    return open ? "undecided" : tied ? "in direction" : "confirmed";
}

static const char *isolation_verdict(Estimate d, double margin)
{
    if (d.n < 2 || d.df <= 0)
        return "undecided";
    return estimate_interval(d, 0.95).low > margin    ? "isolated"
           : estimate_interval(d, 0.90).high < margin ? "not isolated"
                                                      : "undecided";
}

static const char *verdict_at(const Claim *claim, const Group *group, const Wanted *wanted, Quantity quantity,
                              double margin)
{
    switch (claim->rule) {
    case RULE_VALUE:
        return value_verdict(claim, group, wanted, margin);
    case RULE_ORDER:
        return order_verdict(group, wanted, quantity, margin);
    case RULE_DIFFERENCE:
        return difference_word(verdict_difference(difference(group, wanted, quantity), claim->value, margin));
    case RULE_EQUIVALENCE:
        return difference_word(verdict_equality(difference(group, wanted, quantity), margin));
    case RULE_NOT_WORSE:
        return difference_word(verdict_not_worse(difference(group, wanted, quantity), margin));
    case RULE_ISOLATION:
        return isolation_verdict(difference(group, wanted, quantity), margin);
    default:
        return difference_word(
            verdict_direction(difference(group, wanted, quantity), claim->value < 0 ? -1 : 1, margin));
    }
}

/* How far the means stand in the order that is claimed, Spearman's correlation, and how often chance alone
 * would place them so, either way; it decides nothing. */
static void rank_order(Judgement *j, const Group *group, const Wanted *wanted)
{
    double mean[CLAIM_ROWS];
    for (int i = 0; i < wanted->count; i++)
        mean[i] = sample(group, wanted->names[i], wanted->quantity).mean;
    j->estimate = spearman(mean, wanted->count);
    j->p = spearman_p(mean, wanted->count);
}

static void estimate(Judgement *j, const Group *group, const Wanted *wanted)
{
    const Spread spread = group_spread(group, wanted->names[0], wanted->quantity);
    if (spread.df > 0)
        j->s = spread.sd;
    if (j->claim->rule == RULE_VALUE) {
        const Sample s = sample(group, wanted->names[0], wanted->quantity);
        j->estimate = s.mean;
        if (spread.df > 0)
            j->ci95 = prediction_interval(s, spread, 0.95);
        return;
    }
    if (j->claim->rule == RULE_ORDER) {
        rank_order(j, group, wanted);
        return;
    }
    const Estimate d = difference(group, wanted, wanted->quantity);
    j->estimate = d.mean;
    if (d.df <= 0)
        return;
    j->ci95 = estimate_interval(d, 0.95);
    j->p = estimate_p(d);
    if (wanted->quantity == ACCURACY)
        j->mde80 = detectable_difference(spread, j->n);
}

/* Seeds a row that would decide: to see the paper's difference, or the margin where it claims none. */
static int seeds_wanted(const Judgement *j, const Group *group, const Wanted *wanted)
{
    const Claim *claim = j->claim;
    double size = claim->margin;
    if (claim->rule == RULE_DIFFERENCE && fabs(claim->value) > 0)
        size = fabs(claim->value);
    /* The spread of small nets and short runs says nothing of that of the paper's. */
    const bool known = !isnan(j->s) && group->grade < 'D' && wanted->quantity == ACCURACY;
    const int seeds = known ? seeds_needed(size, j->s, group->count) : 0;
    return seeds > DECIDING_SEEDS ? seeds : DECIDING_SEEDS;
}

int grade_epochs(char grade)
{
    return grade == 'A' ? 400 : 40;
}

double row_seconds(const Court *court, const char *row, int *threads)
{
    double fastest = NAN;
    for (int g = 0; g < court->evidence->groups_count; g++) {
        const Group *group = &court->evidence->groups[g];
        const RowRuns *runs = group->grade < 'D' ? group_row((Group *)group, row, false) : NULL;
        for (int i = 0; runs && i < runs->n; i++)
            if (!(runs->x[SECONDS][i] >= fastest) && runs->x[SECONDS][i] > 0) {
                fastest = runs->x[SECONDS][i];
                *threads = runs->folder[i] >= 0 ? court->evidence->folders[runs->folder[i]].threads : 1;
            }
    }
    return fastest;
}

void seeds_words(char words[SEEDS_WORDS], int seeds)
{
    *words = '\0';
    if (seeds > 5)
        snprintf(words, SEEDS_WORDS, "$(seq -s' ' %d)", seeds);
    for (int s = 1; s <= seeds && seeds <= 5; s++)
        snprintf(words + strlen(words), SEEDS_WORDS - strlen(words), "%s%d", s > 1 ? " " : "", s);
}

/* The make targets that train these rows, each once. */
static void targets_of(char *targets, size_t size, const Rows *rows, const Wanted *wanted)
{
    *targets = '\0';
    for (int i = 0; i < wanted->count; i++) {
        const char *target = rows_target(rows, wanted->names[i]);
        const size_t used = strlen(targets);
        if (!has_word(targets, target))
            snprintf(targets + used, size - used, "%s%s", used ? " " : "", target);
    }
}

static void tell_cost(Judgement *j, const Court *court, const Wanted *wanted)
{
    const char grade = j->claim->min_grade[0];
    double seconds = 0;
    for (int i = 0; i < wanted->count; i++) {
        int threads = 1;
        seconds += row_seconds(court, wanted->names[i], &threads);
    }
    j->minutes = seconds * grade_epochs(grade) * j->seeds_needed / 60;
    char targets[128], seeds[SEEDS_WORDS];
    targets_of(targets, sizeof targets, court->rows, wanted);
    seeds_words(seeds, j->seeds_needed);
    snprintf(j->command, sizeof j->command, "make %s BUDGET=%s SEEDS=\"%s\"", targets,
             grade == 'A' ? "paper" : "day", seeds);
}

static bool has_run(const Evidence *evidence, const char *name)
{
    for (int g = 0; g < evidence->groups_count; g++) {
        const RowRuns *row = group_row((Group *)&evidence->groups[g], name, false);
        if (row && row->n > 0)
            return true;
    }
    return false;
}

/* The rows that have no run; or that they have, but not by one protocol. */
static void tell_missing(Judgement *j, const Court *court, const Wanted *wanted)
{
    char missing[sizeof j->why - 32] = "";
    for (int i = 0; i < wanted->count; i++) {
        const size_t used = strlen(missing);
        if (!has_run(court->evidence, wanted->names[i]))
            snprintf(missing + used, sizeof missing - used, "%s%s", used ? ", " : "", wanted->names[i]);
    }
    if (*missing)
        snprintf(j->why, sizeof j->why, "no runs of %s", missing);
    else
        snprintf(j->why, sizeof j->why, "no runs of %s and its partners by one protocol", wanted->names[0]);
}

/* Of a claim's runs: whether one is stale, and whether they were timed on different machines. */
typedef struct {
    bool stale, mixed;
} Told;

/* Paths, commits and hashes, PATH@COMMIT=AGAIN:SHA256, where AGAIN made the first epoch anew, and when the
 * newest of them began. */
static Told tell_evidence(Judgement *j, const Court *court, const Group *group, const Wanted *wanted)
{
    Told told = {false, false};
    const char *machine = NULL;
    for (int i = 0; i < wanted->count; i++) {
        const RowRuns *row = group_row((Group *)group, wanted->names[i], false);
        for (int s = 0; s < row->n; s++) {
            if (row->folder[s] < 0)
                continue;
            const Folder *f = &court->evidence->folders[row->folder[s]];
            const size_t used = strlen(j->evidence);
            snprintf(j->evidence + used, sizeof j->evidence - used, "%s%s@%.12s%s%.12s:%.16s",
                     used ? " " : "", f->path, f->commit, f->again[0] ? "=" : "", f->again, f->sha256);
            told.stale = told.stale || f->stale;
            told.mixed = told.mixed || (machine && strcmp(f->machine, machine) != 0);
            machine = f->machine;
            if (strcmp(f->started, j->run_date) > 0)
                snprintf(j->run_date, sizeof j->run_date, "%s", f->started);
        }
    }
    if (!*j->run_date)
        snprintf(j->run_date, sizeof j->run_date, "%s", group->newest);
    return told;
}

static void set_state(Judgement *j, const Group *group, bool stale)
{
    const char least = j->claim->min_grade[0];
    if (j->grade > least) {
        char would[64];
        snprintf(would, sizeof would, "%.60s", j->verdict);
        if (strcmp(would, "undecided") != 0)
            snprintf(j->verdict, sizeof j->verdict, "%s (not decided at this grade)", would);
        j->state = BLOCKED;
        snprintf(j->why, sizeof j->why, "compute%s: grade %c needs %d epochs of %sthe paper's size, %d seeds",
                 strcmp(group->data, "cifar10") != 0 && least == 'A' ? ", data" : "", least,
                 grade_epochs(least), least == 'A' ? "the official CIFAR-10 at " : "all images at ",
                 DECIDING_SEEDS);
    } else if (strcmp(j->verdict, "undecided") == 0) {
        j->state = BLOCKED;
        snprintf(j->why, sizeof j->why, "compute: %d seeds a row", j->seeds_needed);
    } else if (stale) {
        j->state = STALE;
        snprintf(j->why, sizeof j->why, "what decides it changed since the run");
    } else
        j->state = DECIDED;
}

void judge_runs(Judgement *j, const Court *court)
{
    Wanted wanted;
    want(&wanted, j->claim);
    const Group *group = best_group(court, &wanted);
    j->seeds_needed = DECIDING_SEEDS;
    if (!group) {
        j->state = STATE_NOT_RUN;
        tell_missing(j, court, &wanted);
        tell_cost(j, court, &wanted);
        return;
    }
    const Quantity q = wanted.quantity;
    const double margin = j->claim->margin;
    j->n = seeds_in(group, &wanted);
    j->grade = evidence_grade(group, j->n);
    snprintf(j->verdict, sizeof j->verdict, "%s", verdict_at(j->claim, group, &wanted, q, margin));
    snprintf(j->half, sizeof j->half, "%s", verdict_at(j->claim, group, &wanted, q, margin / 2));
    snprintf(j->twice, sizeof j->twice, "%s", verdict_at(j->claim, group, &wanted, q, margin * 2));
    if (q == ACCURACY && j->claim->rule != RULE_VALUE)
        snprintf(j->best, sizeof j->best, "%s", verdict_at(j->claim, group, &wanted, BEST, margin));
    estimate(j, group, &wanted);
    if (q == SLOPE && isnan(j->p))
        j->p = group_row((Group *)group, wanted.names[0], false)->slope_p;
    j->seeds_needed = seeds_wanted(j, group, &wanted);
    const Told told = tell_evidence(j, court, group, &wanted);
    tell_cost(j, court, &wanted);
    if (q == SECONDS && told.mixed) {
        judge_say(j, "undecided");
        judge_state(j, BLOCKED, "its runs were timed on different CPUs, instruction sets or threads");
    } else
        set_state(j, group, told.stale);
    if (j->state == DECIDED)
        j->minutes = 0;
}
