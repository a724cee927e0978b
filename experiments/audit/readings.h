/* Arithmetic claims: the readings that the text allows are listed, the cost model works out each, and those
 * that give the paper's value are counted. */
#ifndef NOPOOL_READINGS_H
#define NOPOOL_READINGS_H

#include "../base/error.h"

typedef struct {
    int given, all;    /* k of n readings give the paper's value */
    double nearest;    /* the value that comes nearest to it */
    const char *space; /* what was searched, in words */
} Readings;

/* By the name after `readings:` in a decider. The paper's value is printed to so many digits; half a unit of
 * the last one is allowed. False for a name that is not there. */
bool readings_count(Readings *readings, const char *name, double paper, int digits, Error *error);
bool readings_known(const char *name);

#endif
