/* A user of build/kernel: writes files of his own, runs the program, reads what it left. Every function
 * aborts the test if it cannot do what it says. Inputs are written from a short text, one word an item:
 *
 *     x:2,3,4,4      an array of this shape, of random numbers      eps=1e-5      a scalar dataset
 *     labels#0,1,2   an array of these whole numbers                mode@max      an attribute of the root
 * group x!             a dataset of text                              x?            an empty dataset */
#ifndef NOPOOL_TESTS_KERNEL_USER_H
#define NOPOOL_TESTS_KERNEL_USER_H

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>

/* The kernel sets, by the names that the program knows. */
enum { REF, F32, BF16, SETS };
extern const char *const user_sets[SETS];

/* The folder of one test, and the files in it. */
extern char user_folder[64], user_in[96], user_out[96];

/* The fixture: a fresh folder, and at the end the check that no other file was left in it. */
void user_setup(void);
void user_teardown(void);

/* Number i of the random array of this name: in -1..1, and a float holds it exactly. */
double user_number(const char *name, size_t i);

void user_write(const char *items);

/* A dataset of this file type; values may be NULL for one without content. */
void user_put(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dims, const double *values);

/* Runs kernel with these arguments, ended by NULL, or a pass from user_in to user_out. Returns the exit
 * status, or -1 if a signal ended it. */
int user_run(char *const arguments[]);
int user_run_pass(const char *pass, const char *set);

/* The last run printed this word, in one line that starts with the program's name if so asked. */
void user_expects_message(const char *word, bool one_line);

/* The last run, of this exit status, succeeded and printed nothing. */
void user_expects_success(int status);

/* All that the last run printed; the caller's to free. */
char *user_message(void);

/* Reads a result, whose shape is given as "2,3", contiguous, and of the type of its set; the caller's to
 * free. */
double *user_result(const char *name, const char *shape, bool single);

/* The part of suite kernel about what is refused (test_kernel_files.c). */
struct TCase *kernel_files_case(void);

#endif
