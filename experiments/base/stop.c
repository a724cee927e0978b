/* Signals that ask to stop. */
#include "stop.h"
#include <signal.h>
#include <stddef.h>

static const struct {
    int number;
    const char *name;
} signals[] = {{SIGTERM, "SIGTERM"}, {SIGINT, "SIGINT"}, {SIGHUP, "SIGHUP"}, {SIGXCPU, "SIGXCPU"}};

static volatile sig_atomic_t received;

static void note(int number)
{
    received = number;
}

void stop_on_signals(void)
{
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART | (int)SA_RESETHAND}, before;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        sigaction(signals[i].number, NULL, &before);
        if (signals[i].number != SIGHUP || before.sa_handler != SIG_IGN)
            sigaction(signals[i].number, &action, NULL);
    }
}

int stop_signal(void)
{
    return received;
}

const char *stop_name(int number)
{
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (signals[i].number == number)
            return signals[i].name;
    return "a signal";
}
