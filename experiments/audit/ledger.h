/* The ledger as text for the terminal, as audit.tsv and as a part of the book; and the way of one claim. */
#ifndef NOPOOL_LEDGER_H
#define NOPOOL_LEDGER_H

#include "../base/text.h"
#include "judge.h"

void ledger_print(const Judgement *all, const Court *court, FILE *out);
void ledger_tsv(Text *text, const Judgement *all, const Court *court);
void ledger_markdown(Text *text, const Judgement *all, const Court *court);

/* From the paper to ref, fast, test, run and back. */
bool ledger_way(const char *id, const Judgement *all, const Court *court, const Tsv *coverage, FILE *out,
                Error *error);

/* The four numbers that stand for no single score. */
typedef struct {
    int cells, cells_reproduced;
    double tau; /* Kendall's, of the row order of Table 1; NaN without its rows */
    int directions, directions_upheld;
    double weight, weight_decided;
} Summary;
Summary ledger_summary(const Judgement *all, const Court *court);

#endif
