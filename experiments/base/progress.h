/* What a person sees of a run: one live line on a terminal, plain lines (ten an epoch at most) otherwise. */
#ifndef NOPOOL_PROGRESS_H
#define NOPOOL_PROGRESS_H

enum { PROGRESS_WIDTH = 79 }; /* of a line: one less than a terminal's, so that it does not scroll */

typedef struct {
    const char *run;                          /* whose it is: the path of its folder */
    int epoch, epochs, iteration, iterations; /* from 1; of this run */
    double loss, accuracy;                    /* of the epoch so far; accuracy in per cent */
    double images_per_second;
    double seconds_left;
} Progress;

/* A run's name before figures. The end of the folder's name, which tells row and seed, is what stays of a
 * long one. */
void progress_text(char line[PROGRESS_WIDTH + 1], const char *run, const char *figures);

void progress_line(char line[PROGRESS_WIDTH + 1], const Progress *p);

void progress_show(const Progress *p);

/* From now on plain lines, on a terminal too: mpirun gives each rank one of its own, whatever it prints to.
 */
void progress_plain(void);

/* Ends the live line, then prints a plain one. */
void progress_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Ends the live line, if there is one. */
void progress_end(void);

/* Seconds on a clock that only goes forward. */
double progress_seconds(void);

/* "1 h 05 min", "3 min 20 s", "12 s". */
void progress_duration(char text[32], double seconds);

#endif
