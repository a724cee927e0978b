/* Verdicts: three fields that are never folded into one. `verdict` says what the evidence says of the
 * statement as printed, `grade` how strong that evidence is, `state` whether it decides. All are computed
 * here, from claims, sources, evidence and nothing else. */
#ifndef NOPOOL_JUDGE_H
#define NOPOOL_JUDGE_H

#include "coverage.h"
#include "evidence.h"
#include "sources.h"

typedef enum { DECIDED, BLOCKED, STALE, EXPLORATORY, STATE_NOT_RUN } State;

/* What a verdict does to a claim that rests on it. */
typedef enum { UPHELD, WEAKENED, OPEN, AGAINST } Support;

typedef struct {
    const Claim *claim;
    char verdict[96], half[96], twice[96],
        best[96]; /* at the margin, at D/2 and 2D, by the best epoch on test */
    char grade;   /* A to D; - where no run decides */
    State state;
    char why[256];            /* of a state that is not `decided` */
    double estimate, p, holm; /* NaN where there is none; p of a difference, or of chance placing rows so */
    Interval ci95;            /* of a value: where one more run would fall */
    int n, seeds_needed;      /* seeds a row; 0: unknown */
    double s, mde80;          /* pooled spread; what 80% power could see */
    Support support;          /* with its premises */
    State basis;              /* of the judgement, its own or a premise's, that the support comes from */
    char bounded[96], bounded_by[64]; /* the verdict with its premises, and the premise that bounds it */
    char rule_date[40], run_date[40]; /* of the newest run in evidence */
    char evidence[16384];
    char command[256];
    double minutes; /* to decide it; NaN where it is unknown, 0 where it is decided */
} Judgement;

/* What is before the court. paper may be NULL: the reader gave none. rule_dates[i] is when claim i's line was
 * last changed, "" if unknown; NULL for none known. */
typedef struct {
    const Claims *claims;
    const Sources *sources;
    const Evidence *evidence;
    const Rows *rows;
    const Paper *paper;
    char (*rule_dates)[40];
} Court;

/* One judgement a claim, in their order. */
bool judge(Judgement *judgements, const Court *court, Error *error);

extern const char *const state_words[];

/* What a verdict's word stands for; OPEN for a word that is none. */
Support support_of(const char *verdict);

/* What the files of the court write a judgement with; judge_date finds it exploratory where its rule is
 * younger than its newest run. */
void judge_say(Judgement *j, const char *verdict);
void judge_state(Judgement *j, State state, const char *why);
void judge_evidence(Judgement *j, const char *word);
void judge_date(Judgement *j);

/* NULL if there is no such claim. */
Judgement *judgement_of(Judgement *all, const Claims *claims, const char *id);

/* A claim that runs decide (judge_runs.c), and one that published nets do (judge_outside.c). */
void judge_runs(Judgement *j, const Court *court);
void judge_outside(Judgement *j, const Court *court);

/* Bounds a verdict by its premises, which are bounded first; of a claim that is made of premises alone it
 * makes the verdict (judge_premises.c). */
void judge_bound(Judgement *j, Judgement *all, const Claims *claims, int depth);

/* Seconds that an epoch of this row takes at the paper's size, from the fastest evidence of it, and its
 * threads; NaN if no run tells. */
double row_seconds(const Court *court, const char *row, int *threads);

/* What SEEDS of a make command is: the seeds from 1 on, or from six on how a shell lists them. */
enum { SEEDS_WORDS = 40 };
void seeds_words(char words[SEEDS_WORDS], int seeds);

/* Epochs that a grade needs, and at least how many seeds. */
enum { DECIDING_SEEDS = 3 };
int grade_epochs(char grade);

#endif
