/* Every input of tests/fuzz/corpus, the ones that broke a reader among them, goes through the harnesses of
 * `make fuzz` again: what a harness promises (tests/fuzz/harness.h) holds in every build. */
#include "../experiments/base/files.h"
#include "fuzz/harness.h"
#include "suites.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static int stdout_before;

/* A table's literature is printed: not into Check's own lines. */
static void setup(void)
{
    fflush(stdout);
    stdout_before = dup(STDOUT_FILENO);
    const int null = open("/dev/null", O_WRONLY);
    ck_assert(stdout_before >= 0 && null >= 0 && dup2(null, STDOUT_FILENO) >= 0);
    close(null);
    scratch_begin(getenv("TMPDIR"));
}

static void teardown(void)
{
    scratch_end();
    fflush(stdout);
    dup2(stdout_before, STDOUT_FILENO);
    close(stdout_before);
}

START_TEST(test_fuzz_corpus_breaks_no_reader)
{
    const Reader *reader = reader_at(_i);
    char folder[128], path[512];
    struct dirent **entries;
    int inputs = 0;
    snprintf(folder, sizeof folder, "tests/fuzz/corpus/%s", reader->name);
    const int count = scandir(folder, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char *bytes;
        size_t size;
        Error error;
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.') {
            ck_assert_msg(file_read(&bytes, &size, path, &error), "%s", error.text);
            ck_assert_msg(size <= reader->most, "%s has more bytes than `make fuzz` gives", path);
            mark_point();
            reader->run((const uint8_t *)bytes, size);
            free(bytes);
            inputs++;
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    ck_assert_msg(inputs > 0, "%s has no inputs", folder);
}
END_TEST

START_TEST(test_fuzz_unpacks_the_files_of_an_input)
{
    static const char *const names[] = {"a.txt", "deep/b.txt", "c.txt", NULL};
    static const char input[] = "left out\n=== a.txt\none\n=== two\n=== deep/b.txt\n=== c.txt.\nx";
    char *bytes;
    size_t size;
    scratch_put("c.txt", "old", 3);
    ck_assert_int_eq(scratch_unpack(names, (const uint8_t *)input, sizeof input - 1), 2);
    ck_assert(file_read(&bytes, &size, scratch("a.txt"), NULL));
    ck_assert_str_eq(bytes, "one\n");
    free(bytes);
    ck_assert(file_read(&bytes, &size, scratch("deep/b.txt"), NULL));
    ck_assert_uint_eq(size, 0);
    free(bytes);
    ck_assert(!file_exists(scratch("c.txt")));
}
END_TEST

Suite *fuzz_suite(void)
{
    Suite *suite = suite_create("fuzz");
    TCase *tcase = tcase_create("corpus");
    int readers = 0;
    while (reader_at(readers))
        readers++;
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, test_fuzz_corpus_breaks_no_reader, 0, readers);
    tcase_add_test(tcase, test_fuzz_unpacks_the_files_of_an_input);
    suite_add_tcase(suite, tcase);
    return suite;
}
