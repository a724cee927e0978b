/* Whether a claim's verdict can change at all: each is judged on evidence made up in its favour, then with
 * one thing changed - the runs, a test, the paper's value, a choice, the copy's words, a premise - and must
 * say something else. */
#ifndef NOPOOL_LIVENESS_H
#define NOPOOL_LIVENESS_H

#include "judge.h"

/* A line a claim on out, `id: verdict -> verdict`; returns how many are dead: whose verdict in favour does
 * not uphold the claim, or that the change leaves as it is. Of a claim with several tests each is broken in
 * turn. */
int liveness_check(const Court *court, FILE *out);

/* Evidence of one group at grade A in favour of a claim that runs decide (`for_it`) or against it: three
 * seeds a row. The caller frees it. */
bool made_up_evidence(Evidence *evidence, const Claim *claim, bool for_it);

#endif
