/* Reading the ledger's claims. See claims.h. */
#include "claims.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char claims_header[] =
    "id\tplace\trole\tstatement\tkind\tfamily\tweight\tpaper_value\tdigits\trequires\trival\treadings\trule\t"
    "margin\tmargin_reason\tdecider\tmin_grade";

enum {
    ID,
    PLACE,
    ROLE,
    STATEMENT,
    KIND,
    FAMILY,
    WEIGHT,
    PAPER_VALUE,
    DIGITS,
    REQUIRES,
    RIVAL,
    READINGS,
    RULE,
    MARGIN,
    MARGIN_REASON,
    DECIDER,
    MIN_GRADE
};

const Claim claim_without_words = {"", "", "", "", "", "", "", "", "", "", "", "", "", .rule = RULE_VALUE};

const char *const rule_words[RULES] = {"value",     "difference", "direction", "equivalence", "not-worse",
                                       "isolation", "order",      "readings",  "printed",     "tests",
                                       "bound",     "frontier",   "open",      "quote",       "premises"};

/* The deciders of which a rule needs one; "" where it takes what others leave. */
static const char *const feeds[RULES] = {[RULE_VALUE] = "run: depth:",
                                         [RULE_DIFFERENCE] = "diff: deeper:",
                                         [RULE_DIRECTION] = "diff: early: seconds: slope: deeper:",
                                         [RULE_EQUIVALENCE] = "diff: deeper:",
                                         [RULE_NOT_WORSE] = "diff:",
                                         [RULE_ISOLATION] = "diff:",
                                         [RULE_ORDER] = "order:",
                                         [RULE_READINGS] = "readings:",
                                         [RULE_PRINTED] = "printed:",
                                         [RULE_TESTS] = "test:",
                                         [RULE_BOUND] = "share:",
                                         [RULE_FRONTIER] = "outside:",
                                         [RULE_OPEN] = "choice:",
                                         [RULE_QUOTE] = "quote:",
                                         [RULE_PREMISES] = "premises"};

static const char known_deciders[] = "test: code: run: diff: early: seconds: slope: depth: deeper: order: "
                                     "readings: printed: outside: share: choice: quote: premises";
static const char known_roles[] = "result control mechanism arithmetic protocol conclusion";
static const char known_kinds[] =
    "value difference direction equivalence ranking arithmetic identity mechanism protocol conclusion";

/* Deciders that list names, and how many: what is too short has nothing to compare, what is too long would be
 * cut. The first name of `printed:` is its arithmetic. */
static const struct {
    const char *prefix;
    int least, most;
} lists[] = {{"run:", 1, 1},     {"depth:", 1, 1},          {"slope:", 1, 1},
             {"diff:", 2, 2},    {"early:", 2, 2},          {"seconds:", 2, 2},
             {"deeper:", 2, 2},  {"order:", 2, CLAIM_ROWS}, {"printed:", 3, 1 + CLAIM_VALUES},
             {"outside:", 3, 3}, {"choice:", 2, 12}};

static bool starts(const char *word, const char *list)
{
    char prefix[32];
    while (next_word(prefix, sizeof prefix, &list))
        if (strncmp(word, prefix, strlen(prefix)) == 0)
            return true;
    return false;
}

bool decider_argument(char *argument, int size, const Claim *claim, const char *prefix)
{
    char word[512];
    for (const char *at = claim->decider; next_word(word, sizeof word, &at);)
        if (strncmp(word, prefix, strlen(prefix)) == 0) {
            snprintf(argument, size, "%s", word + strlen(prefix));
            return true;
        }
    return false;
}

bool next_name(char *name, int size, const char **list)
{
    *list += strspn(*list, ",");
    const int length = (int)strcspn(*list, ",");
    snprintf(name, size, "%.*s", length, *list);
    *list += length;
    return length > 0;
}

static bool number(double *value, const char *text)
{
    char *end;
    *value = NAN;
    if (!*text)
        return true;
    *value = strtod(text, &end);
    return end != text && !*end && isfinite(*value);
}

static int count_names(const char *list)
{
    char name[64];
    int count = 0;
    while (next_name(name, sizeof name, &list))
        count++;
    return count;
}

static bool check_list(const Claim *claim, const char *word, Error *error)
{
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++) {
        const size_t length = strlen(lists[l].prefix);
        if (strncmp(word, lists[l].prefix, length) != 0)
            continue;
        const int count = count_names(word + length);
        return (count >= lists[l].least && count <= lists[l].most) ||
               fail(error, "claim %s: `%.60s` lists %d names; expected %d to %d after %s", claim->id, word,
                    count, lists[l].least, lists[l].most, lists[l].prefix);
    }
    return true;
}

/* How many premises the word `premises` or `premises:K` asks for, 0 for all of them. */
static bool read_needed(Claim *claim, Error *error)
{
    char count[32];
    int length = 0;
    if (!decider_argument(count, sizeof count, claim, "premises") || !*count)
        return true;
    if (sscanf(count, ":%9d%n", &claim->needed, &length) != 1 || count[length] || claim->needed <= 0)
        return fail(error, "claim %s: `premises%s` must be premises, or premises:K for K of them at least",
                    claim->id, count);
    return *claim->margin_reason ||
           fail(error,
                "claim %s: `premises%s` without its reason: say in margin_reason why so many are enough",
                claim->id, count);
}

static bool check_deciders(const Claim *claim, Error *error)
{
    char word[512], alone[512] = "";
    bool fed = false;
    for (const char *at = claim->decider; next_word(word, sizeof word, &at);) {
        if (!starts(word, known_deciders))
            return fail(error, "claim %s: `%s` is no kind of decider; these are: %s", claim->id, word,
                        known_deciders);
        if (!check_list(claim, word, error))
            return false;
        if (*alone && !starts(word, "test: code:"))
            return fail(error, "claim %s: `%.60s` and `%.60s` cannot both decide it: leave one of them",
                        claim->id, alone, word);
        if (!starts(word, "test: code:"))
            snprintf(alone, sizeof alone, "%s", word);
        fed = fed || starts(word, feeds[claim->rule]);
    }
    if (!*claim->decider)
        return fail(error, "claim %s has no decider: say what decides it", claim->id);
    return fed || fail(error, "claim %s: the rule `%s` needs a decider %s", claim->id,
                       rule_words[claim->rule], feeds[claim->rule]);
}

static bool check_words(const Claim *claim, Error *error)
{
    if (!*claim->statement || !*claim->place)
        return fail(error, "claim %s has no statement or no place", claim->id);
    if (!has_word(known_roles, claim->role))
        return fail(error, "claim %s: its role `%s` is none of %s", claim->id, claim->role, known_roles);
    if (!has_word(known_kinds, claim->kind))
        return fail(error, "claim %s: its kind `%s` is none of %s", claim->id, claim->kind, known_kinds);
    if (claim->weight < 1 || claim->weight > 3)
        return fail(error, "claim %s: its weight must be 1, 2 or 3", claim->id);
    if (claim->digits < 0 || claim->digits > 15)
        return fail(error, "claim %s: its digits must be 0 to 15", claim->id);
    if (!has_word("A B -", claim->min_grade))
        return fail(error, "claim %s: min_grade must be A, B or -", claim->id);
    if (!isnan(claim->margin) && !*claim->margin_reason)
        return fail(error, "claim %s has a margin without its reason", claim->id);
    const bool measured = claim->rule <= RULE_ORDER;
    if (measured && (isnan(claim->margin) || *claim->min_grade == '-'))
        return fail(error, "claim %s is decided by runs: it needs a margin and a min_grade", claim->id);
    const bool valued = claim->rule == RULE_VALUE || claim->rule == RULE_DIFFERENCE;
    return !valued || !isnan(claim->value) ||
           fail(error, "claim %s: the rule `%s` needs the paper's value", claim->id, rule_words[claim->rule]);
}

static bool read_claim(Claim *claim, const Tsv *table, int row, Error *error)
{
    const char *cell[CLAIM_COLUMNS];
    for (int c = 0; c < CLAIM_COLUMNS; c++)
        cell[c] = tsv_cell(table, row, c);
    *claim = (Claim){.id = cell[ID],
                     .place = cell[PLACE],
                     .role = cell[ROLE],
                     .statement = cell[STATEMENT],
                     .kind = cell[KIND],
                     .family = cell[FAMILY],
                     .paper = cell[PAPER_VALUE],
                     .requires = cell[REQUIRES],
                     .rival = cell[RIVAL],
                     .readings = cell[READINGS],
                     .margin_reason = cell[MARGIN_REASON],
                     .decider = cell[DECIDER],
                     .min_grade = cell[MIN_GRADE],
                     .rule = RULES,
                     .weight = atoi(cell[WEIGHT]),
                     .digits = atoi(cell[DIGITS]),
                     .line = row + 2};
    for (int r = 0; r < RULES; r++)
        if (strcmp(cell[RULE], rule_words[r]) == 0)
            claim->rule = r;
    if (!*claim->id || strlen(claim->id) >= CLAIM_ID || strchr(claim->id, ' '))
        return fail(error, "%s: row %d has no id of up to %d characters without blanks", table->path, row + 1,
                    CLAIM_ID - 1);
    if (claim->rule == RULES)
        return fail(error, "claim %s: there is no rule `%s`", claim->id, cell[RULE]);
    if (!number(&claim->value, cell[PAPER_VALUE]) || !number(&claim->margin, cell[MARGIN]))
        return fail(error, "claim %s: paper_value and margin are numbers or nothing", claim->id);
    return check_words(claim, error) && check_deciders(claim, error) && read_needed(claim, error);
}

const Claim *claim_of(const Claims *claims, const char *id)
{
    for (int i = 0; i < claims->count; i++)
        if (strcmp(claims->claims[i].id, id) == 0)
            return &claims->claims[i];
    return NULL;
}

/* Whether all that the claim requires is settled. */
static bool rests_on_settled(const Claims *claims, const Claim *claim, const bool *settled)
{
    char id[64];
    for (const char *at = claim->requires; next_word(id, sizeof id, &at);)
        if (!settled[claim_of(claims, id) - claims->claims])
            return false;
    return true;
}

/* A claim of a circle: whoever goes from an unsettled claim to an unsettled premise ends in one. */
static const Claim *of_a_circle(const Claims *claims, const bool *settled)
{
    const Claim *claim = claims->claims;
    char id[64];
    while (settled[claim - claims->claims])
        claim++;
    for (int step = 0; step < claims->count; step++)
        for (const char *at = claim->requires; next_word(id, sizeof id, &at);) {
            const Claim *premise = claim_of(claims, id);
            if (!settled[premise - claims->claims]) {
                claim = premise;
                break;
            }
        }
    return claim;
}

/* Settles the claims that require none, then those that require only these, and so on. */
static bool check_circles(const Claims *claims, Error *error)
{
    bool *settled = calloc((size_t)claims->count + 1, sizeof *settled),
         *next = calloc((size_t)claims->count + 1, sizeof *next);
    bool ok = (settled && next) || fail(error, "no memory to follow the premises of the claims");
    int count = 0;
    for (int row = 0; ok && count < claims->count; row++) {
        const int before = count;
        for (int c = 0; c < claims->count; c++)
            next[c] = rests_on_settled(claims, &claims->claims[c], settled);
        memcpy(settled, next, (size_t)claims->count * sizeof *settled);
        count = 0;
        for (int c = 0; c < claims->count; c++)
            count += settled[c];
        if (count == before)
            ok = fail(error, "claim %s requires itself, through its premises",
                      of_a_circle(claims, settled)->id);
        else if (row == CLAIM_DEPTH && count < claims->count)
            ok =
                fail(error, "premises stand more than %d behind one another: let claims require them at once",
                     CLAIM_DEPTH);
    }
    free(settled);
    free(next);
    return ok;
}

static bool check_links(const Claims *claims, const Claim *claim, Error *error)
{
    char id[64];
    const char *lists[] = {claim->requires, claim->rival};
    for (int l = 0; l < 2; l++)
        for (const char *at = lists[l]; next_word(id, sizeof id, &at);)
            if (!claim_of(claims, id))
                return fail(error, "claim %s names the claim %s, which does not exist", claim->id, id);
    if (strchr(claim->rival, ' '))
        return fail(error, "claim %s has several rivals: name one", claim->id);
    int premises = 0;
    for (const char *at = claim->requires; next_word(id, sizeof id, &at);)
        premises++;
    if (premises > CLAIM_PREMISES)
        return fail(error, "claim %s requires %d claims; at most %d are taken", claim->id, premises,
                    CLAIM_PREMISES);
    if (claim->rule == RULE_PREMISES && premises == 0)
        return fail(error, "claim %s is decided by its premises, but requires none", claim->id);
    return claim->needed <= premises ||
           fail(error, "claim %s is decided by %d of its %d premises", claim->id, claim->needed, premises);
}

bool claims_read(Claims *claims, const char *path, Error *error)
{
    *claims = (Claims){0};
    if (!tsv_read(&claims->table, path, claims_header, error))
        return false;
    if (claims->table.columns != CLAIM_COLUMNS)
        return fail(error, "%s has %d columns, but the ledger has %d: a verdict is computed, never typed",
                    path, claims->table.columns, CLAIM_COLUMNS);
    claims->claims = calloc((size_t)claims->table.rows + 1, sizeof *claims->claims);
    if (!claims->claims)
        return fail(error, "no memory for the claims of %s", path);
    for (int i = 0; i < claims->table.rows; i++) {
        if (!read_claim(&claims->claims[i], &claims->table, i, error))
            return false;
        if (claim_of(claims, claims->claims[i].id))
            return fail(error, "claim %s stands twice in %s", claims->claims[i].id, path);
        claims->count++;
    }
    for (int i = 0; i < claims->count; i++)
        if (!check_links(claims, &claims->claims[i], error))
            return false;
    return check_circles(claims, error) && (claims->count > 0 || fail(error, "%s has no claims", path));
}

void claims_free(Claims *claims)
{
    tsv_free(&claims->table);
    free(claims->claims);
    *claims = (Claims){0};
}
