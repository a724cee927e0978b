/* Simulated tables with known truth. See calibration.h. */
#include "calibration.h"
#include "../base/text.h"
#include "../tables/verdict.h"
#include "judge.h"
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <math.h>
#include <string.h>

enum { TABLE_ROWS = 7, STREAM = 20191 };

/* A table under simulation: rows a and b are compared, the others lend their spread. */
typedef struct {
    gsl_rng *random;
    Evidence evidence;
    Group *group;
    int seeds;
    double sd, ratio;
} Simulation;

static bool start(Simulation *s, int seeds, double sd, double ratio, Error *error)
{
    *s = (Simulation){.random = gsl_rng_alloc(gsl_rng_mt19937), .seeds = seeds, .sd = sd, .ratio = ratio};
    s->group = evidence_group(&s->evidence, "simulated");
    if (!s->random || !s->group)
        return fail(error, "no memory to simulate tables");
    gsl_rng_set(s->random, STREAM);
    s->group->grade = 'A';
    snprintf(s->group->data, sizeof s->group->data, "cifar10");
    for (int r = 0; r < TABLE_ROWS; r++) {
        char id[64];
        snprintf(id, sizeof id, "t.%c", 'a' + r);
        RowRuns *row = group_row(s->group, id, true);
        row->n = seeds;
        for (int i = 0; i < seeds; i++)
            row->folder[i] = -1;
    }
    return true;
}

static void stop(Simulation *s)
{
    if (s->random)
        gsl_rng_free(s->random);
    evidence_free(&s->evidence);
}

/* New runs: row a is better than the others by `difference`. */
static void draw(Simulation *s, double difference)
{
    for (int r = 0; r < TABLE_ROWS; r++)
        for (int i = 0; i < s->seeds; i++) {
            const double x =
                90 + (r == 0 ? difference : 0) + gsl_ran_gaussian(s->random, s->sd * (r == 0 ? s->ratio : 1));
            for (int q = 0; q < QUANTITIES; q++)
                s->group->rows[r].x[q][i] = x;
        }
}

/* The verdict of a claim about the runs as they are. */
static void verdict_of(char verdict[96], const Simulation *s, Rule rule, double value, const char *decider)
{
    Claim claim = claim_without_words;
    claim.id = "simulated";
    claim.decider = decider;
    claim.min_grade = "A";
    claim.rule = rule;
    claim.digits = 1;
    claim.value = value;
    claim.margin = MARGIN;
    const Claims claims = {.claims = &claim, .count = 1};
    const Sources sources = {0};
    const Rows rows = {0};
    const Court court = {.claims = &claims, .sources = &sources, .evidence = &s->evidence, .rows = &rows};
    Judgement j;
    snprintf(verdict, 96, "%s", judge(&j, &court, NULL) ? j.verdict : "undecided");
}

static bool is(const Simulation *s, Rule rule, double value, const char *word)
{
    char verdict[96];
    verdict_of(verdict, s, rule, value,
               rule == RULE_VALUE       ? "run:t.b"
               : rule == RULE_NOT_WORSE ? "diff:t.b,t.a"
                                        : "diff:t.a,t.b");
    return strcmp(verdict, word) == 0;
}

static double worst(double a, double b)
{
    return a > b ? a : b;
}

bool calibrate_at(FalseVerdicts *found, int tables, int seeds, double sd, double ratio, Error *error)
{
    Simulation s;
    int equal = 0, same = 0, sized = 0, absent = 0, none = 0, reversed = 0, unequal = 0, value = 0, fine = 0;
    const bool ok = start(&s, seeds, sd, ratio, error);
    for (int t = 0; ok && t < tables; t++) {
        draw(&s, 0); /* no difference: no sign is right */
        same += is(&s, RULE_DIRECTION, NAN, "confirmed");
        none += is(&s, RULE_DIRECTION, NAN, "contradicted");
        reversed += is(&s, RULE_DIFFERENCE, 2.5, "contradicted");
        const double paper = 90 + gsl_ran_gaussian(s.random, sd); /* the paper's cell is a run like ours */
        value += is(&s, RULE_VALUE, paper, "lower") || is(&s, RULE_VALUE, paper, "higher");
        draw(&s, MARGIN); /* just as far as matters: neither equal nor none, and b is just worse */
        fine += is(&s, RULE_NOT_WORSE, NAN, "confirmed");
        equal += is(&s, RULE_EQUIVALENCE, 0, "confirmed");
        unequal += is(&s, RULE_EQUIVALENCE, 0, "contradicted");
        absent += is(&s, RULE_DIRECTION, NAN, "absent");
        draw(&s, 2.5 - MARGIN); /* another size than the paper's 2.5 */
        sized += is(&s, RULE_DIFFERENCE, 2.5, "confirmed");
    }
    stop(&s);
    *found = (FalseVerdicts){worst(worst(equal, same), sized) / tables, (double)absent / tables,
                             worst(worst(none, reversed), unequal) / tables, (double)value / tables,
                             (double)fine / tables};
    return ok;
}

/* How often a true difference is seen: its sign is sure. */
static bool power_at(double *power, int tables, int seeds, double sd, double difference, Error *error)
{
    Simulation s;
    int seen = 0;
    const bool ok = start(&s, seeds, sd, 1, error);
    for (int t = 0; ok && t < tables; t++) {
        draw(&s, difference);
        seen += is(&s, RULE_DIRECTION, NAN, "confirmed") || is(&s, RULE_DIRECTION, NAN, "negligible");
    }
    stop(&s);
    *power = (double)seen / tables;
    return ok;
}

static bool write_power(const char *path, int tables, Error *error)
{
    static const double spreads[] = {0.15, 0.25, 0.4},
                        differences[] = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.5};
    static const int seeds[] = {2, 3, 5, 10};
    Text text = {0};
    bool ok = true;
    text_add(&text, "sd\tseeds\tdifference\tpower\n");
    for (int s = 0; s < 3; s++)
        for (int n = 0; n < 4; n++)
            for (int d = 0; ok && d < 10; d++) {
                double power;
                ok = power_at(&power, tables, seeds[n], spreads[s], differences[d], error);
                text_add(&text, "%.2f\t%d\t%.1f\t%.3f\n", spreads[s], seeds[n], differences[d], power);
            }
    const char *slash = strrchr(path, '/');
    char folder[1024];
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    ok = ok && text_write(&text, folder, slash ? slash + 1 : path, error);
    text_free(&text);
    return ok;
}

bool false_verdicts_too_many(const FalseVerdicts *found, int tables)
{
    const double most = 0.05 + 5 * sqrt(0.05 * 0.95 / tables);
    return found->confirmed > most || found->absent > most || found->contradicted > most ||
           found->missed_value > most || found->no_loss > most;
}

bool calibrate(int tables, const char *power, FILE *out, Error *error)
{
    static const double spreads[] = {0.1, 0.2, 0.4};
    static const int seeds[] = {2, 3, 10};
    fprintf(
        out,
        "sd\tratio\tseeds\tfalse_confirmed\tfalse_absent\tfalse_contradicted\tmissed_value\tfalse_no_loss\n");
    for (int s = 0; s < 3; s++)
        for (int n = 0; n < 3; n++)
            for (int r = 1; r <= 2; r++) {
                FalseVerdicts f;
                if (!calibrate_at(&f, tables, seeds[n], spreads[s], r, error))
                    return false;
                fprintf(out, "%.2f\t%d\t%d\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\n", spreads[s], r, seeds[n],
                        f.confirmed, f.absent, f.contradicted, f.missed_value, f.no_loss);
                if (r == 1 && false_verdicts_too_many(&f, tables))
                    return fail(error,
                                "with %d seeds and a spread of %.2f more than 5%% of the verdicts are false",
                                seeds[n], spreads[s]);
            }
    return !power || write_power(power, tables, error);
}
