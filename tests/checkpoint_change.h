/* A checkpoint of a test's run with other numbers in it. */
#ifndef NOPOOL_TESTS_CHECKPOINT_CHANGE_H
#define NOPOOL_TESTS_CHECKPOINT_CHANGE_H

/* Number `at` of array `name` in FOLDER/checkpoint.h5 of the test's folder becomes value, and the hash beside
 * it right. */
void checkpoint_change(const char *folder, const char *name, int at, double value);

#endif
