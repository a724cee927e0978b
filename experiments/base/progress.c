/* The progress line. */
#include "progress.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static bool line_is_open;

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

void progress_show(const Progress *p)
{
    const bool live = isatty(STDOUT_FILENO);
    const int tenth = p->iterations / 10 > 0 ? p->iterations / 10 : 1;
    char left[32];
    if (!live && p->iteration % tenth != 0)
        return;
    progress_duration(left, p->seconds_left);
    printf("%sepoch %d/%d  batch %d/%d  loss %.4f  accuracy %.2f %%  %.0f images/s  %s left%s",
           live ? "\r" : "", p->epoch, p->epochs, p->iteration, p->iterations, p->loss, p->accuracy,
           p->images_per_second, left, live ? "   " : "\n");
    fflush(stdout);
    line_is_open = live;
}

void progress_note(const char *format, ...)
{
    va_list arguments;
    if (line_is_open)
        putchar('\n');
    line_is_open = false;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}
