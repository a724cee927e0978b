/* How often the verdicts are wrong: tables whose truth is known, simulated and judged by the code that judges
 * runs. */
#ifndef NOPOOL_CALIBRATION_H
#define NOPOOL_CALIBRATION_H

#include "../base/error.h"
#include <stdio.h>

/* Of simulated tables, the share with each wrong verdict. */
typedef struct {
    double confirmed, absent, contradicted; /* each false */
    double missed_value;                    /* a cell of the runs' own population called lower or higher */
    double no_loss;                         /* a loss of the margin called comparable or better */
} FalseVerdicts;

/* Seven rows of `seeds` runs with this spread between seeds. The truths are the hardest ones: no difference
 * at all, or one of exactly the margin. `ratio` is the spread of one of the compared rows over that of the
 * others. */
bool calibrate_at(FalseVerdicts *found, int tables, int seeds, double sd, double ratio, Error *error);

/* Whether one of the shares is above 5 % by more than chance: five standard errors. */
bool false_verdicts_too_many(const FalseVerdicts *found, int tables);

/* All of it as a table on out, and the power curve (sd, seeds, difference, power) as TSV in a file, if one is
 * named. Refuses, by a sentence, if a false verdict is found in more than 5 % of tables. */
bool calibrate(int tables, const char *power, FILE *out, Error *error);

#endif
