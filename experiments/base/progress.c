/* The progress line. */
#include "progress.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool line_is_open, never_live;

void progress_plain(void)
{
    never_live = true;
}

double progress_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void progress_duration(char text[32], double seconds)
{
    const long s = seconds > 0 ? (long)(seconds + 0.5) : 0;
    if (s >= 3600)
        snprintf(text, 32, "%ld h %02ld min", s / 3600 % 100000, s / 60 % 60);
    else if (s >= 60)
        snprintf(text, 32, "%ld min %02ld s", s / 60, s % 60);
    else
        snprintf(text, 32, "%ld s", s);
}

/* "a/b/some-long-name/" to "..long-name", in `width` characters. */
static void short_name(char *name, size_t size, const char *folder, int width)
{
    int end = (int)strlen(folder);
    while (end > 1 && folder[end - 1] == '/')
        end--;
    int start = end;
    while (start > 0 && folder[start - 1] != '/')
        start--;
    if (end - start <= width)
        snprintf(name, size, "%.*s", end - start, folder + start);
    else
        snprintf(name, size, "..%.*s", width - 2, folder + end - (width - 2));
}

void progress_text(char line[PROGRESS_WIDTH + 1], const char *run, const char *figures)
{
    enum { LEAST_NAME = 12 };
    char name[PROGRESS_WIDTH + 1];
    int length = (int)strlen(figures);
    if (length > PROGRESS_WIDTH - 2 - LEAST_NAME)
        length = PROGRESS_WIDTH - 2 - LEAST_NAME;
    short_name(name, sizeof name, run, PROGRESS_WIDTH - 2 - length);
    snprintf(line, PROGRESS_WIDTH + 1, "%.*s  %.*s", PROGRESS_WIDTH - 2 - length, name, length, figures);
}

void progress_line(char line[PROGRESS_WIDTH + 1], const Progress *p)
{
    char figures[256], left[32];
    progress_duration(left, p->seconds_left);
    snprintf(figures, sizeof figures, "epoch %d/%d %d/%d  loss %.4g  %.2f %%  %.0f/s  %s left", p->epoch,
             p->epochs, p->iteration, p->iterations, p->loss, p->accuracy, p->images_per_second, left);
    progress_text(line, p->run, figures);
}

void progress_show(const Progress *p)
{
    const bool live = !never_live && isatty(STDOUT_FILENO);
    const int tenth = p->iterations / 10 > 0 ? p->iterations / 10 : 1;
    char line[PROGRESS_WIDTH + 1];
    if (!live && p->iteration % tenth != 0)
        return;
    progress_line(line, p);
    if (live)
        printf("\r%-*s", PROGRESS_WIDTH, line); /* blanks over what a longer line left */
    else
        puts(line);
    fflush(stdout);
    line_is_open = live;
}

void progress_end(void)
{
    if (line_is_open)
        putchar('\n');
    line_is_open = false;
    fflush(stdout);
}

void progress_note(const char *format, ...)
{
    va_list arguments;
    progress_end();
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}
