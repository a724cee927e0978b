/* A last word: a small process that prints a sentence when this one is killed, for a death that leaves no
 * time to. Whoever kills the whole group of processes kills it too. */
#ifndef NOPOOL_WATCH_H
#define NOPOOL_WATCH_H

/* Starts it, before any thread is started. */
void watch_begin(void);

/* The sentence, printed on standard error if this process ends before watch_end. */
void watch_say(const char *sentence);

/* Ends it in silence; nothing if there is none. */
void watch_end(void);

#endif
