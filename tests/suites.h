/* A suite is one file tests/test_NAME.c that defines Suite *NAME_suite(void). */
#ifndef NOPOOL_TESTS_SUITES_H
#define NOPOOL_TESTS_SUITES_H

#include <check.h>

#define SUITE(name) Suite *name##_suite(void);
#include "suites.def"
#undef SUITE

#endif
