/* Running the built programs as a user does, on a small data set of the test's own. */
#ifndef NOPOOL_TESTS_PROGRAM_H
#define NOPOOL_TESTS_PROGRAM_H

#include <stddef.h>
#include <sys/types.h>

/* A fresh folder for the test that runs, without a '/' at its end, and its removal. */
extern char program_folder[64];
void program_setup(void);
void program_teardown(void);

/* Writes folder/data in CIFAR-10 layout: 5 training files of 40 images, a test file of 50; class k is a
 * bright band at row 3 k, so that a network can learn it. */
void program_write_data(void);

/* Runs a program of the build with arguments from a format, split at blanks; "%" in the format is printf's.
 * Returns its exit status, -1 if a signal ended it; what it printed (both streams) is in program_output. */
extern char program_output[65536];
int program_run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A tiny network's options. Some of what is tried has no levels, hence --common. */
#define PROGRAM_SMALL                                                                          \
    "--layers=2 --channels=2 --images-a=100 --images-b=50 --images-test=20 --images-epoch=20 " \
    "--batch=20 --epochs=1 --common --levels=2"

/* Trains it on folder/data into folder/run, with further options; its exit status. */
int program_train(const char *more);

/* Where standard output goes instead, if not NULL; the other stream stays. */
extern const char *program_stdout;

/* The same, not waited for. */
pid_t program_start(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Fails the test unless the last run printed one line that begins with the program's name and contains the
 * word. */
void program_expects_one_line(const char *program, const char *word);

/* A file of the test's folder, whole; the caller's to free. NULL if it is not there. */
char *program_file(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A line of shell from the checkout's root, what it printed in program_output; its exit status. */
int program_shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Writes folder/name in the test's folder. */
void program_put(const char *name, const char *folder, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The part of suite programs about finished runs (test_programs_finished.c). */
struct TCase *programs_finished_case(void);

/* Where the programs are. */
const char *program_build(void);

#endif
