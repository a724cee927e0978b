/* Claims, evidence and judgements that tests of the court are made of. */
#ifndef NOPOOL_TESTS_COURT_H
#define NOPOOL_TESTS_COURT_H

#include "../experiments/audit/judge.h"

/* A claim "c" of margin 0.5 that wants grade B. */
Claim claim_about(Rule rule, double value, const char *decider);

/* Adds a row of n seeds around a mean, 0.1 apart, best epochs `better` higher. */
void add_row(Evidence *e, const char *key, char grade, const char *newest, const char *row, int n,
             double mean, double better);

/* The judgement of one claim, without sources, rows or premises. */
Judgement judged(const Claim *claim, const Evidence *evidence, char (*dates)[40]);

#endif
