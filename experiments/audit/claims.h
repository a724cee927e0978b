/* The claims of paper/claims.tsv: what the paper states, in our words, and the rule that decides it. No
 * column holds a verdict: verdicts are computed.
 *
 * A decider is a list of words, any number of the first two kinds and at most one of all others:
 *   test:NAME           a test function of tests/; the claim is broken while one of them fails
 *   code:PATH           a file that implements it, and says so in a comment `Claims: ID`
 *   run:ROW             accuracy of a row (paper/rows.tsv), with the rule `value`
 *   diff:A,B            accuracy of row A minus that of row B, per cent
 *   early:A,B           the same of the accuracy on D_a after a tenth of the epochs
 *   seconds:A,B         how many per cent of B's seconds an epoch A's takes less
 *   slope:ROW           Spearman's correlation of the expected level of a layer with its number
 *   depth:ROW, deeper:A,B   the learned depth of a row; of row A minus row B
 *   order:A,B,C         the rows' accuracies, ascending
 *   readings:NAME       how many readings of the text give the paper's value (readings.h)
 *   printed:OP,A,..     arithmetic on printed values of other claims: minus, ratio, less, order, noise
 *   outside:COLUMN,A,C  published nets (paper/expected/outside.tsv) of at most the printed C of this column,
 *                       macs or parameters: whether one has the printed accuracy A
 *   share:WHAT          of a bench record: the largest share of a weight step that it takes, per cent
 *   choice:ID,WORDS,..  the paper leaves it open: a row of paper/choices.tsv, and words that would say it,
 *                       of which the reader's copy has none (with _ for blanks)
 *   quote:SENTENCE,WORDS   the sentence of the reader's copy of the paper has these words (with _ for blanks)
 *   premises            nothing of its own: all the claims that it requires
 *   premises:K          as many of them at least; margin_reason says why K */
#ifndef NOPOOL_CLAIMS_H
#define NOPOOL_CLAIMS_H

#include "tsv.h"

typedef enum {
    RULE_VALUE,       /* a printed cell is one run */
    RULE_DIFFERENCE,  /* A beats B by x */
    RULE_DIRECTION,   /* A beats B */
    RULE_EQUIVALENCE, /* A equals B */
    RULE_NOT_WORSE,   /* A is comparable to B or better */
    RULE_ISOLATION,   /* removing it costs more than the margin */
    RULE_ORDER,       /* rows in this order: every neighbour beats the one before */
    RULE_READINGS,    /* k of n readings give it */
    RULE_PRINTED,     /* arithmetic on printed values */
    RULE_TESTS,       /* every test is green */
    RULE_BOUND,       /* a measured share is at most the margin */
    RULE_FRONTIER,    /* no published net does it for less */
    RULE_OPEN,        /* the paper does not say */
    RULE_QUOTE,       /* the words stand there */
    RULE_PREMISES,    /* the claims that it requires are upheld, or so many of them */
    RULES
} Rule;

extern const char *const rule_words[RULES];

typedef struct {
    const char *id, *place, *role, *statement, *kind, *family, *paper, *requires, *rival, *readings,
        *margin_reason, *decider, *min_grade;
    Rule rule;
    int weight, digits, line, needed; /* needed: of the claims that it requires, 0 for all */
    double value, margin;             /* the paper's value, NaN if it has none; the margin, NaN likewise */
} Claim;

/* A claim with no words, to be filled: every string is "". */
extern const Claim claim_without_words;

typedef struct {
    Tsv table;
    Claim *claims;
    int count;
} Claims;

/* Refuses, by id: a claim twice, without a decider, with words that are none of the vocabulary's, with a rule
 * that its decider cannot feed, with more or fewer names than that compares, with two words that would each
 * decide it; a `requires` or `rival` that no claim has, or that comes back to the claim.
 */
bool claims_read(Claims *claims, const char *path, Error *error);
const Claim *claim_of(const Claims *claims, const char *id);
void claims_free(Claims *claims);

/* The first word of the decider with this prefix, without it; false if there is none. */
bool decider_argument(char *argument, int size, const Claim *claim, const char *prefix);

/* The next name of a list between commas, copied; false at the end. */
bool next_name(char *name, int size, const char **list);

/* What a claim may have: bytes of its id, rows that one of its deciders compares, printed values that it
 * calculates with, premises, and premises behind one another. */
enum { CLAIM_ID = 64, CLAIM_ROWS = 16, CLAIM_VALUES = 8, CLAIM_PREMISES = 24, CLAIM_DEPTH = 12 };

/* The columns of claims.tsv, and how many there are. */
enum { CLAIM_COLUMNS = 17 };
extern const char claims_header[];

#endif
