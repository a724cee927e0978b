/* Printing the ledger. See ledger.h. */
#include "ledger.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The place without what follows its first comma: claims are grouped by it. */
static int group_length(const char *place)
{
    return (int)strcspn(place, ",");
}

static bool same_group(const char *a, const char *b)
{
    return group_length(a) == group_length(b) && strncmp(a, b, (size_t)group_length(a)) == 0;
}

static void print_number(char text[32], double x, const char *format)
{
    if (isfinite(x))
        snprintf(text, 32, format, x);
    else
        snprintf(text, 32, "-");
}

static void print_interval(char text[64], Interval i)
{
    if (isfinite(i.low) && isfinite(i.high))
        snprintf(text, 64, "%.3f..%.3f", i.low, i.high);
    else
        snprintf(text, 64, "-");
}

/* Kendall's tau between the paper's order of Table 1's cells and ours. */
static double order_tau(const Judgement *all, int count)
{
    int concordant = 0, discordant = 0;
    for (int a = 0; a < count; a++)
        for (int b = 0; b < a; b++) {
            if (strcmp(all[a].claim->family, "table1-cells") != 0 ||
                strcmp(all[b].claim->family, "table1-cells") != 0)
                continue;
            const double paper = all[a].claim->value - all[b].claim->value,
                         ours = all[a].estimate - all[b].estimate;
            concordant += paper * ours > 0;
            discordant += paper * ours < 0;
        }
    return concordant + discordant > 0 ? (double)(concordant - discordant) / (concordant + discordant) : NAN;
}

Summary ledger_summary(const Judgement *all, const Court *court)
{
    Summary s = {.tau = order_tau(all, court->claims->count)};
    for (int c = 0; c < court->claims->count; c++) {
        const Judgement *j = &all[c];
        s.weight += j->claim->weight;
        s.weight_decided += j->state == DECIDED ? j->claim->weight : 0;
        if (j->claim->rule == RULE_VALUE) {
            s.cells++;
            s.cells_reproduced += j->state == DECIDED && strcmp(j->verdict, "reproduced") == 0;
        }
        if (j->claim->rule == RULE_DIFFERENCE || j->claim->rule == RULE_DIRECTION) {
            s.directions++;
            s.directions_upheld += j->state == DECIDED && support_of(j->verdict) == UPHELD;
        }
    }
    return s;
}

static void print_summary(const Judgement *all, const Court *court, FILE *out)
{
    const Summary s = ledger_summary(all, court);
    char tau[32];
    print_number(tau, s.tau, "%.2f");
    fprintf(out,
            "\n%d claims. Cells of accuracy reproduced: %d of %d. Kendall's tau of Table 1's row order: %s.\n"
            "Directions upheld: %d of %d. Decided, by weight: %.0f%%.\n",
            court->claims->count, s.cells_reproduced, s.cells, tau, s.directions_upheld, s.directions,
            100 * s.weight_decided / s.weight);
}

/* A make command that still decides something: what it would train, and how long. */
typedef struct {
    char row[64];
    int seeds, epochs;
} Need;

enum { MAX_NEEDS = 128 };

static void need(Need *needs, int *count, const Rows *rows, const char *row, int seeds, int epochs)
{
    int i = 0;
    while (i < *count && strcmp(needs[i].row, row) != 0 && !rows_same(rows, needs[i].row, row))
        i++;
    if (i == MAX_NEEDS)
        return;
    if (i == *count)
        snprintf(needs[(*count)++].row, sizeof needs[i].row, "%s", row);
    needs[i].seeds = seeds > needs[i].seeds ? seeds : needs[i].seeds;
    needs[i].epochs = epochs > needs[i].epochs ? epochs : needs[i].epochs;
}

static int find_needs(Need *needs, const Judgement *all, const Court *court)
{
    static const char *const prefixes[] = {
        "run:", "diff:", "order:", "early:", "seconds:", "slope:", "depth:", "deeper:"};
    int count = 0;
    for (int c = 0; c < court->claims->count; c++) {
        if (all[c].state == DECIDED || all[c].claim->rule > RULE_ORDER)
            continue;
        for (size_t p = 0; p < sizeof prefixes / sizeof *prefixes; p++) {
            char list[512], row[64];
            const char *at = list;
            if (!decider_argument(list, sizeof list, all[c].claim, prefixes[p]))
                continue;
            while (next_name(row, sizeof row, &at))
                need(needs, &count, court->rows, row, all[c].seeds_needed,
                     grade_epochs(all[c].claim->min_grade[0]));
        }
    }
    return count;
}

/* The runs that would decide something, with what they cost. */
static void print_runs(const Judgement *all, const Court *court, FILE *out)
{
    static Need needs[MAX_NEEDS];
    memset(needs, 0, sizeof needs);
    const int count = find_needs(needs, all, court);
    double hours = 0;
    int unknown = 0;
    if (count == 0)
        return;
    fprintf(out, "  %-28s %5s %6s %11s  %s\n", "runs of", "seeds", "epochs", "core-hours", "command");
    for (int i = 0; i < count; i++) {
        int threads = 1;
        char text[32], list[SEEDS_WORDS];
        const double seconds = row_seconds(court, needs[i].row, &threads);
        const double core_hours = seconds * threads * needs[i].epochs * needs[i].seeds / 3600;
        print_number(text, core_hours, "%.1f");
        seeds_words(list, needs[i].seeds);
        fprintf(out, "  %-28s %5d %6d %11s  make %s BUDGET=%s SEEDS=\"%s\"\n", needs[i].row, needs[i].seeds,
                needs[i].epochs, text, rows_target(court->rows, needs[i].row),
                needs[i].epochs == 400 ? "paper" : "day", list);
        hours += isnan(core_hours) ? 0 : core_hours;
        unknown += isnan(core_hours);
    }
    fprintf(out, "  in all %.0f core-hours, from timing.tsv of the fastest runs of each row", hours);
    if (unknown)
        fprintf(out, "; %d rows have no run at the paper's size yet (-)", unknown);
    fprintf(out, ".\n");
}

/* What would decide what is undecided. */
static void print_needs(const Judgement *all, const Court *court, FILE *out)
{
    Need some[MAX_NEEDS] = {0};
    int waiting = 0, reader = 0;
    for (int c = 0; c < court->claims->count; c++) {
        waiting += all[c].claim->rule == RULE_TESTS && all[c].state != DECIDED;
        reader += all[c].claim->rule == RULE_QUOTE && all[c].state != DECIDED;
    }
    if (waiting + reader + find_needs(some, all, court) > 0)
        fprintf(out, "\nWhat would decide what is undecided:\n");
    print_runs(all, court, out);
    if (waiting)
        fprintf(out, "  %d claims wait for tests: make check (minutes).\n", waiting);
    if (reader)
        fprintf(out, "  %d claims wait for the words of the paper: make audit PAPER=file.\n", reader);
}

static void print_claim(const Judgement *j, FILE *out)
{
    char estimate[32], paper[32];
    print_number(estimate, j->estimate, "%.4g");
    snprintf(paper, sizeof paper, "%.31s", *j->claim->paper ? j->claim->paper : "-");
    fprintf(out, "  %-32s %-44s %c  %-11s paper %-7s here %-8s n %d\n", j->claim->id, j->verdict, j->grade,
            state_words[j->state], paper, estimate, j->n);
    fprintf(out, "      %s\n", j->claim->statement);
    if (j->half[0] && (strcmp(j->half, j->twice) != 0))
        fprintf(out, "      at half the margin: %s; at twice: %s\n", j->half, j->twice);
    if (j->why[0])
        fprintf(out, "      %s\n", j->why);
    if (j->bounded_by[0])
        fprintf(out, "      bounded: %s (%s)\n", j->bounded, j->bounded_by);
}

void ledger_print(const Judgement *all, const Court *court, FILE *out)
{
    const char *place = "";
    for (int c = 0; c < court->claims->count; c++) {
        if (!same_group(all[c].claim->place, place))
            fprintf(out, "\n%.*s\n", group_length(all[c].claim->place), all[c].claim->place);
        place = all[c].claim->place;
        print_claim(&all[c], out);
    }
    print_summary(all, court, out);
    print_needs(all, court, out);
}

void ledger_tsv(Text *text, const Judgement *all, const Court *court)
{
    text_add(
        text,
        "id\tverdict\tgrade\tstate\testimate\tci95\tn\ts_pooled\tmde80\tseeds_needed\tverdict_half_margin\t"
        "verdict_twice_margin\tverdict_best_epoch\tp_raw\tp_holm\tbounded_verdict\tbounded_by\trule_date\t"
        "evidence\tcommand\tminutes\n");
    for (int c = 0; c < court->claims->count; c++) {
        const Judgement *j = &all[c];
        char estimate[32], interval[64], s[32], mde[32], p[32], adjusted[32], minutes[32];
        print_number(estimate, j->estimate, "%.4f");
        print_interval(interval, j->ci95);
        print_number(s, j->s, "%.4f");
        print_number(mde, j->mde80, "%.4f");
        print_number(p, j->p, "%.3g");
        print_number(adjusted, j->holm, "%.3g");
        print_number(minutes, j->minutes, "%.1f");
        text_add(text,
                 "%s\t%s\t%c\t%s%s%s\t%s\t%s\t%d\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
                 j->claim->id, j->verdict, j->grade, state_words[j->state], j->why[0] ? ": " : "", j->why,
                 estimate, interval, j->n, s, mde, j->seeds_needed, j->half, j->twice, j->best, p, adjusted,
                 j->bounded, j->bounded_by, j->rule_date, j->evidence, j->command, minutes);
    }
}

/* In a cell of a Markdown table. */
static void add_cell(Text *text, const char *words)
{
    for (; *words; words++)
        text_add(text, strchr("|*_<>`\\", *words) ? "\\%c" : "%c", *words);
    text_add(text, " | ");
}

static const char *verdict_class(const Judgement *j)
{
    static const char *const names[] = {"upheld", "weakened", "open", "against"};
    const bool decides = j->state == DECIDED || j->state == EXPLORATORY || j->state == STALE;
    return names[decides ? support_of(j->verdict) : OPEN];
}

void ledger_markdown(Text *text, const Judgement *all, const Court *court)
{
    const Summary s = ledger_summary(all, court);
    const char *place = "";
    char tau[32];
    print_number(tau, s.tau, "%.2f");
    text_add(text,
             "%d claims; cells of accuracy reproduced %d of %d; Kendall's tau of Table 1's row order %s; "
             "directions upheld "
             "%d of %d; decided, by weight, %.0f %%.\n",
             court->claims->count, s.cells_reproduced, s.cells, tau, s.directions_upheld, s.directions,
             100 * s.weight_decided / s.weight);
    for (int c = 0; c < court->claims->count; c++) {
        const Judgement *j = &all[c];
        char estimate[32];
        if (!same_group(j->claim->place, place))
            text_add(
                text,
                "\n### %.*s\n\n| claim | statement | paper | here | verdict | grade | state | bounded by |\n"
                "|---|---|---|---|---|---|---|---|\n",
                group_length(j->claim->place), j->claim->place);
        place = j->claim->place;
        print_number(estimate, j->estimate, "%.4g");
        text_add(text, "| []{#claim-%s .%s}`%s` | ", j->claim->id, verdict_class(j), j->claim->id);
        add_cell(text, j->claim->statement);
        add_cell(text, j->claim->paper);
        add_cell(text, estimate);
        add_cell(text, j->verdict);
        text_add(text, "%c | ", j->grade);
        add_cell(text, state_words[j->state]);
        add_cell(text, j->bounded_by);
        text_add(text, "\n");
    }
}
