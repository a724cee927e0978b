/* What spaces of readings are made of; for the files of readings alone. */
#ifndef NOPOOL_READINGS_SEARCH_H
#define NOPOOL_READINGS_SEARCH_H

#include "../data/data.h"
#include "../network/cost.h"
#include "readings.h"

typedef enum { EQUAL, BELOW, ABOVE } Relation;

/* A search under way: what is looked for, what was found. */
typedef struct {
    double paper, half;
    Relation relation;
    Readings *found;
} Search;

typedef struct {
    const char *name; /* as deciders say it; NULL ends a table */
    Relation relation;
    void (*search)(Search *);
    const char *space; /* in words */
} Space;

extern const Space readings_of_costs[], readings_of_systems[], readings_of_ratios[];

/* One more reading, and what it gives. */
void reading_count(Search *search, double value);

/* A network of the paper; every layer keeps the levels of `kept`. */
NetworkSpec reading_network(int layers, int channels, unsigned kept, bool linear);

/* Its cost, in 10^9 multiply-accumulates. */
double reading_giga(NetworkSpec s);

/* The set of the finest so many levels. */
unsigned reading_levels(int count);

#endif
