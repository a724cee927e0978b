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

const char *const rule_words[RULES] = {"value", "difference", "direction", "equivalence", "isolation",
                                       "order", "readings",   "printed",   "tests",       "bound",
                                       "open",  "quote",      "premises"};

/* The deciders of which a rule needs one; "" where it takes what others leave. */
static const char *const feeds[RULES] = {[RULE_VALUE] = "run: depth:",
                                         [RULE_DIFFERENCE] = "diff: deeper:",
                                         [RULE_DIRECTION] = "diff: early: seconds: slope: deeper:",
                                         [RULE_EQUIVALENCE] = "diff: deeper:",
                                         [RULE_ISOLATION] = "diff:",
                                         [RULE_ORDER] = "order:",
                                         [RULE_READINGS] = "readings:",
                                         [RULE_PRINTED] = "printed:",
                                         [RULE_TESTS] = "test:",
                                         [RULE_BOUND] = "share:",
                                         [RULE_OPEN] = "choice:",
                                         [RULE_QUOTE] = "quote:",
                                         [RULE_PREMISES] = "premises"};

static const char known_deciders[] = "test: code: run: diff: early: seconds: slope: depth: deeper: order: "
                                     "readings: printed: share: choice: quote: premises";
static const char known_roles[] = "result control mechanism arithmetic protocol conclusion";
static const char known_kinds[] =
    "value difference direction equivalence ranking arithmetic identity mechanism protocol conclusion";

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

static bool check_deciders(const Claim *claim, Error *error)
{
    char word[512];
    bool fed = false;
    for (const char *at = claim->decider; next_word(word, sizeof word, &at);) {
        if (!starts(word, known_deciders))
            return fail(error, "claim %s: `%s` is no kind of decider; these are: %s", claim->id, word,
                        known_deciders);
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
    if (!*claim->id)
        return fail(error, "%s: row %d has no id", table->path, row + 1);
    if (claim->rule == RULES)
        return fail(error, "claim %s: there is no rule `%s`", claim->id, cell[RULE]);
    if (!number(&claim->value, cell[PAPER_VALUE]) || !number(&claim->margin, cell[MARGIN]))
        return fail(error, "claim %s: paper_value and margin are numbers or nothing", claim->id);
    return check_words(claim, error) && check_deciders(claim, error);
}

const Claim *claim_of(const Claims *claims, const char *id)
{
    for (int i = 0; i < claims->count; i++)
        if (strcmp(claims->claims[i].id, id) == 0)
            return &claims->claims[i];
    return NULL;
}

/* Whether following `requires` from a claim comes to `target`; depth bounds a circle that avoids it. */
static bool comes_to(const Claims *claims, const Claim *from, const char *target, int depth)
{
    char id[64];
    for (const char *at = from->requires; depth > 0 && next_word(id, sizeof id, &at);) {
        const Claim *premise = claim_of(claims, id);
        if (strcmp(id, target) == 0 || (premise && comes_to(claims, premise, target, depth - 1)))
            return true;
    }
    return false;
}

static bool check_links(const Claims *claims, const Claim *claim, Error *error)
{
    char id[64];
    const char *lists[] = {claim->requires, claim->rival};
    for (int l = 0; l < 2; l++)
        for (const char *at = lists[l]; next_word(id, sizeof id, &at);)
            if (!claim_of(claims, id))
                return fail(error, "claim %s names the claim %s, which does not exist", claim->id, id);
    if (comes_to(claims, claim, claim->id, 12))
        return fail(error, "claim %s requires itself, through its premises", claim->id);
    return claim->rule != RULE_PREMISES || *claim->requires ||
           fail(error, "claim %s is decided by its premises, but requires none", claim->id);
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
    return claims->count > 0 || fail(error, "%s has no claims", path);
}

void claims_free(Claims *claims)
{
    tsv_free(&claims->table);
    free(claims->claims);
    *claims = (Claims){0};
}
