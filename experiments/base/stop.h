/* Being asked to stop: SIGTERM, SIGINT, SIGHUP and SIGXCPU are noted, and whoever works looks from time to
 * time, at a place from which the work can go on later. The second signal of a kind kills. */
#ifndef NOPOOL_STOP_H
#define NOPOOL_STOP_H

/* From now on these signals are noted. SIGHUP stays ignored under nohup. */
void stop_on_signals(void);

/* The signal that asked; 0 if none did. */
int stop_signal(void);

/* "SIGTERM". */
const char *stop_name(int number);

#endif
