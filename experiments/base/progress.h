/* What a person sees of a run: one live line on a terminal, plain lines (ten an epoch at most) otherwise. */
#ifndef NOPOOL_PROGRESS_H
#define NOPOOL_PROGRESS_H

typedef struct {
    int epoch, epochs, iteration, iterations; /* from 1; of this run */
    double loss, accuracy;                    /* of the epoch so far; accuracy in per cent */
    double images_per_second;
    double seconds_left;
} Progress;

void progress_show(const Progress *p);

/* Ends the live line, then prints a plain one. */
void progress_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Seconds on a clock that only goes forward. */
double progress_seconds(void);

/* "1 h 05 min", "3 min 20 s", "12 s". */
void progress_duration(char text[32], double seconds);

#endif
