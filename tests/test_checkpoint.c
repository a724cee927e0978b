/* Checkpoints: what was put is got, bit for bit; damage is noticed; a crash at any moment leaves one valid.
 */
#include "../experiments/base/files.h"
#include "../experiments/runs/checkpoint.h"
#include "suites.h"
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static char folder[64], file[96], hash_file[96];

static void setup(void)
{
    const char *base = getenv("TMPDIR");
    ck_assert_int_lt(snprintf(folder, sizeof folder, "%s/nopool-checkpoint-XXXXXX", base ? base : "/tmp"),
                     (int)sizeof folder);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/checkpoint.h5", folder);
    snprintf(hash_file, sizeof hash_file, "%s/checkpoint.sha256", folder);
}

static void teardown(void)
{
    unlink(file);
    unlink(hash_file);
    ck_assert_int_eq(rmdir(folder), 0); /* and no temporary file was left */
}

/* Numbers that decimal text would not keep. */
static const double numbers[] = {0.1, -0.0, 1e-310, INFINITY, 1.0 / 3, 12345678901234567.0};
enum { NUMBERS = sizeof numbers / sizeof *numbers };

static void write_checkpoint(double first)
{
    Error error;
    double values[NUMBERS];
    memcpy(values, numbers, sizeof values);
    values[0] = first;
    Checkpoint *c = checkpoint_create(folder, &error);
    ck_assert_msg(c != NULL, "%s", error.text);
    ck_assert_msg(checkpoint_put(c, "filters", values, NUMBERS, &error), "%s", error.text);
    ck_assert_msg(checkpoint_put(c, "sgd/velocity", values, 2, &error), "%s", error.text);
    ck_assert_msg(checkpoint_put(c, "nothing", values, 0, &error), "%s", error.text);
    ck_assert_msg(checkpoint_put_text(c, "commit", "abc", &error), "%s", error.text);
    ck_assert_msg(checkpoint_put_text(c, "empty", "", &error), "%s", error.text);
    ck_assert_msg(checkpoint_close(c, &error), "%s", error.text);
}

/* The first number of the checkpoint that opens now; NaN if none does. */
static double first_number(void)
{
    double values[NUMBERS] = {NAN};
    Checkpoint *c = checkpoint_open(folder, NULL);
    if (c == NULL)
        return NAN;
    ck_assert(checkpoint_get(c, "filters", values, NUMBERS, NULL));
    ck_assert(checkpoint_close(c, NULL));
    return values[0];
}

static void read_bytes(char **bytes, size_t *count, const char *path)
{
    Error error;
    ck_assert_msg(file_read(bytes, count, path, &error), "%s", error.text);
}

static void expect_no_open(const char *word)
{
    Error error;
    ck_assert_ptr_null(checkpoint_open(folder, &error));
    ck_assert_msg(strstr(error.text, word) != NULL, "'%s' lacks '%s'", error.text, word);
}

START_TEST(test_checkpoint_returns_what_was_put)
{
    Error error;
    double values[NUMBERS];
    char text[4];
    write_checkpoint(numbers[0]);
    Checkpoint *c = checkpoint_open(folder, &error);
    ck_assert_msg(c != NULL, "%s", error.text);
    ck_assert_msg(checkpoint_get(c, "filters", values, NUMBERS, &error), "%s", error.text);
    ck_assert(memcmp(values, numbers, sizeof values) == 0);
    ck_assert_msg(checkpoint_get(c, "sgd/velocity", values, 2, &error), "%s", error.text);
    ck_assert_msg(checkpoint_get(c, "nothing", values, 0, &error), "%s", error.text);
    ck_assert_msg(checkpoint_get_text(c, "commit", text, sizeof text, &error), "%s", error.text);
    ck_assert_str_eq(text, "abc");
    ck_assert_msg(checkpoint_get_text(c, "empty", text, sizeof text, &error), "%s", error.text);
    ck_assert_str_eq(text, "");
    ck_assert_msg(checkpoint_close(c, &error), "%s", error.text);
}
END_TEST

START_TEST(test_checkpoint_get_of_another_thing_says_which)
{
    Error error;
    double values[NUMBERS + 1];
    char text[3];
    write_checkpoint(1);
    Checkpoint *c = checkpoint_open(folder, &error);
    ck_assert(!checkpoint_get(c, "logits", values, 1, &error));
    ck_assert_msg(strstr(error.text, "'logits'") != NULL, "%s", error.text);
    ck_assert(!checkpoint_get(c, "sgd", values, 1, &error));
    ck_assert_msg(strstr(error.text, "'sgd'") != NULL, "%s", error.text);
    ck_assert(!checkpoint_get(c, "filters", values, NUMBERS + 1, &error));
    ck_assert_msg(strstr(error.text, "6 numbers, not 7") != NULL, "%s", error.text);
    ck_assert(!checkpoint_get(c, "filters", values, NUMBERS - 1, &error));
    ck_assert(!checkpoint_get_text(c, "author", text, sizeof text, &error));
    ck_assert_msg(strstr(error.text, "'author'") != NULL, "%s", error.text);
    ck_assert(!checkpoint_get_text(c, "commit", text, sizeof text, &error));
    ck_assert_msg(strstr(error.text, "4 bytes") != NULL, "%s", error.text);
    checkpoint_abandon(c);
}
END_TEST

START_TEST(test_checkpoint_put_of_a_taken_name_or_an_overlong_text_fails)
{
    Error error;
    char longer[70000];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    Checkpoint *c = checkpoint_create(folder, &error);
    ck_assert(checkpoint_put(c, "a", numbers, 1, &error));
    ck_assert(!checkpoint_put(c, "a", numbers, 1, &error));
    ck_assert_msg(strstr(error.text, "'a'") != NULL, "%s", error.text);
    ck_assert(!checkpoint_put_text(c, "t", longer, &error));
    ck_assert_msg(strstr(error.text, "'t'") != NULL, "%s", error.text);
    checkpoint_abandon(c);
    ck_assert(!file_exists(file));
}
END_TEST

START_TEST(test_checkpoint_abandon_keeps_the_earlier_one)
{
    write_checkpoint(1);
    Checkpoint *c = checkpoint_create(folder, NULL);
    ck_assert(checkpoint_put(c, "filters", numbers, 1, NULL));
    checkpoint_abandon(c);
    ck_assert_double_eq(first_number(), 1);
}
END_TEST

START_TEST(test_checkpoint_of_equal_content_has_equal_bytes)
{
    char *a, *b;
    size_t count_a, count_b;
    write_checkpoint(1);
    read_bytes(&a, &count_a, file);
    sleep(1); /* a time stamp would differ now */
    write_checkpoint(1);
    read_bytes(&b, &count_b, file);
    ck_assert_uint_eq(count_a, count_b);
    ck_assert(memcmp(a, b, count_a) == 0);
    free(a);
    free(b);
}
END_TEST

START_TEST(test_checkpoint_hash_file_lists_the_file_alone)
{
    char *bytes, *listed, hex[65], expected[128];
    size_t count, length;
    for (int i = 1; i <= 2; i++) {
        write_checkpoint(i);
        read_bytes(&bytes, &count, file);
        read_bytes(&listed, &length, hash_file);
        sha256_hex(hex, bytes, count);
        snprintf(expected, sizeof expected, "%s  checkpoint.h5\n", hex);
        ck_assert_str_eq(listed, expected);
        free(listed);
        free(bytes);
    }
}
END_TEST

/* One byte flipped at several places, and the file cut at several lengths. */
START_TEST(test_checkpoint_notices_damage)
{
    char *bytes;
    size_t count;
    write_checkpoint(1);
    read_bytes(&bytes, &count, file);
    for (int i = 0; i < 8; i++) {
        size_t at = (count - 1) * (size_t)i / 7;
        bytes[at] ^= 1;
        ck_assert(file_write(file, bytes, count, NULL));
        expect_no_open("SHA-256");
        bytes[at] ^= 1;
        ck_assert(file_write(file, bytes, at, NULL));
        expect_no_open("SHA-256");
    }
    ck_assert(file_write(file, bytes, count, NULL));
    ck_assert_double_eq(first_number(), 1);
    free(bytes);
}
END_TEST

START_TEST(test_checkpoint_needs_both_files)
{
    char *bytes, *other = "not HDF5", hex[65];
    size_t count;
    expect_no_open("checkpoint.h5");
    write_checkpoint(1);
    read_bytes(&bytes, &count, hash_file);
    unlink(hash_file);
    expect_no_open("checkpoint.sha256");
    ck_assert(file_write(hash_file, "", 0, NULL));
    expect_no_open("SHA-256");
    ck_assert(file_write(hash_file, bytes, 63, NULL)); /* a shortened hash is none */
    expect_no_open("SHA-256");
    sha256_hex(hex, other, strlen(other));
    ck_assert(file_write(file, other, strlen(other), NULL));
    ck_assert(file_write(hash_file, hex, 64, NULL));
    expect_no_open("no HDF5 file");
    free(bytes);
}
END_TEST

/* Closing stops after each of its writes: the new hash file beside the old checkpoint, then beside the new.
 */
START_TEST(test_checkpoint_survives_a_crash_between_its_writes)
{
    char *old, *old_hash, *new, *new_hash, both[256];
    size_t old_count, new_count, length;
    write_checkpoint(1);
    read_bytes(&old, &old_count, file);
    read_bytes(&old_hash, &length, hash_file);
    write_checkpoint(2);
    read_bytes(&new, &new_count, file);
    read_bytes(&new_hash, &length, hash_file);
    int both_length = snprintf(both, sizeof both, "%s%s", new_hash, old_hash);

    ck_assert(file_write(hash_file, both, (size_t)both_length, NULL));
    ck_assert(file_write(file, old, old_count, NULL));
    ck_assert_double_eq(first_number(), 1);
    ck_assert(file_write(file, new, new_count, NULL));
    ck_assert_double_eq(first_number(), 2);
    write_checkpoint(3);
    ck_assert_double_eq(first_number(), 3);
    free(old);
    free(old_hash);
    free(new);
    free(new_hash);
}
END_TEST

/* Who goes on from either state leaves the hash of the file that is there, alone, and no temporary file. */
START_TEST(test_checkpoint_is_settled_after_a_crash)
{
    char *hashes[2], *bytes, *now, both[256], temporary[128];
    size_t length, count;
    Error error;
    for (int i = 0; i < 2; i++) {
        write_checkpoint(i);
        read_bytes(&hashes[i], &length, hash_file);
    }
    read_bytes(&bytes, &count, file);
    snprintf(temporary, sizeof temporary, "%s.tmp", hash_file);
    for (int i = 0; i < 2; i++) {
        if (i == 1)
            write_checkpoint(0);
        const int both_length = snprintf(both, sizeof both, "%s%s", hashes[1], hashes[0]);
        ck_assert(file_write(hash_file, both, (size_t)both_length, NULL));
        ck_assert(file_write(temporary, "", 0, NULL));
        ck_assert_msg(checkpoint_settle(folder, &error), "%s", error.text);
        read_bytes(&now, &length, hash_file);
        ck_assert_str_eq(now, hashes[1 - i]);
        ck_assert_int_ne(access(temporary, F_OK), 0);
        free(now);
    }
    free(hashes[0]);
    free(hashes[1]);
    bytes[0] ^= 1;
    ck_assert(file_write(file, bytes, count, NULL));
    ck_assert(!checkpoint_settle(folder, &error));
    ck_assert_ptr_nonnull(strstr(error.text, "does not have the SHA-256"));
    free(bytes);
}
END_TEST

/* The limit lets the hash file through and stops checkpoint.h5: the protocol's middle. */
START_TEST(test_checkpoint_on_a_full_disk_keeps_the_earlier_one)
{
    Error error;
    write_checkpoint(1);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before, limit;
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = 1000;
    Checkpoint *c = checkpoint_create(folder, &error);
    ck_assert(checkpoint_put(c, "filters", numbers, NUMBERS, &error));
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    bool closed = checkpoint_close(c, &error);
    setrlimit(RLIMIT_FSIZE, &before);
    ck_assert(!closed);
    ck_assert_msg(strstr(error.text, "free some space") != NULL, "%s", error.text);
    char *listed;
    size_t length;
    read_bytes(&listed, &length, hash_file);
    ck_assert_ptr_ne(strchr(listed, '\n') + 1, listed + length); /* two hashes: it did stop in the middle */
    free(listed);
    ck_assert_double_eq(first_number(), 1);
}
END_TEST

START_TEST(test_checkpoint_in_a_missing_folder_says_so)
{
    Error error;
    char absent[128];
    snprintf(absent, sizeof absent, "%s/absent", folder);
    ck_assert_ptr_null(checkpoint_open(absent, &error));
    ck_assert_msg(strstr(error.text, "absent") != NULL, "%s", error.text);
    Checkpoint *c = checkpoint_create(absent, &error);
    ck_assert(c == NULL || !checkpoint_close(c, &error));
    ck_assert_msg(strstr(error.text, "No such file") != NULL, "%s", error.text);
}
END_TEST

Suite *checkpoint_suite(void)
{
    Suite *suite = suite_create("checkpoint");
    TCase *tcase = tcase_create("checkpoint");
    tcase_set_timeout(tcase, 20);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_checkpoint_returns_what_was_put);
    tcase_add_test(tcase, test_checkpoint_get_of_another_thing_says_which);
    tcase_add_test(tcase, test_checkpoint_put_of_a_taken_name_or_an_overlong_text_fails);
    tcase_add_test(tcase, test_checkpoint_abandon_keeps_the_earlier_one);
    tcase_add_test(tcase, test_checkpoint_of_equal_content_has_equal_bytes);
    tcase_add_test(tcase, test_checkpoint_hash_file_lists_the_file_alone);
    tcase_add_test(tcase, test_checkpoint_notices_damage);
    tcase_add_test(tcase, test_checkpoint_needs_both_files);
    tcase_add_test(tcase, test_checkpoint_survives_a_crash_between_its_writes);
    tcase_add_test(tcase, test_checkpoint_is_settled_after_a_crash);
    tcase_add_test(tcase, test_checkpoint_on_a_full_disk_keeps_the_earlier_one);
    tcase_add_test(tcase, test_checkpoint_in_a_missing_folder_says_so);
    suite_add_tcase(suite, tcase);
    return suite;
}
