/* The download of CIFAR-10 (experiments/data/fetch_cifar10.sh) from file:// addresses. Part of the suite
 * "data".
 */
#include "../experiments/base/files.h"
#include "data_fixture.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static int run(const char *command)
{
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Packs a set whose six files have that many bytes; sha256 becomes the archive's. */
static void make_archive(const char *name, int64_t bytes, char sha256[65])
{
    char command[1200];
    make_folder("pack/cifar-10-batches-bin");
    for (int i = 0; i < 6; i++)
        put_named("pack/cifar-10-batches-bin", i, bytes);
    snprintf(command, sizeof command, "tar -C '%s' -cf - cifar-10-batches-bin | gzip -1 >'%s'",
             under("pack", ""), under("", name));
    ck_assert_int_eq(run(command), 0);
    Error error;
    char *archive;
    size_t count;
    ck_assert_msg(file_read(&archive, &count, under("", name), &error), "%s", error.text);
    sha256_hex(sha256, archive, count);
    free(archive);
}

/* Runs the script on an archive of the root; its standard error goes to the text. */
static int fetch(const char *archive, const char *folder, const char *sha256, Error *text)
{
    char command[2000], *bytes;
    size_t count;
    Error error;
    snprintf(command, sizeof command,
             "bash experiments/data/fetch_cifar10.sh 'file://%s' '%s' %s >/dev/null 2>'%s'",
             under("", archive), under(folder, ""), sha256, under("", "said"));
    int status = run(command);
    ck_assert_msg(file_read(&bytes, &count, under("", "said"), &error), "%s", error.text);
    snprintf(text->text, sizeof text->text, "%s", bytes);
    free(bytes);
    return status;
}

/* The folder `refused` is empty, hidden files included: nothing half-done was left. */
static bool nothing_left(void)
{
    char command[600];
    snprintf(command, sizeof command, "test -z \"$(ls -A '%s')\"", under("refused", ""));
    return run(command) == 0;
}

START_TEST(test_fetch_puts_the_archive_into_place_once)
{
    Error said;
    char sha256[65];
    make_folder("into");
    make_archive("good", NAMED_BYTES, sha256);
    ck_assert_msg(fetch("good", "into/new folder", sha256, &said) == 0, "%s", said.text);
    for (int i = 0; i < 6; i++) {
        ImageSet set = {0};
        Error error;
        ck_assert_msg(read_cifar10(&set, under("into/new folder", cifar10_names[i]), &error), "%s",
                      error.text);
        ck_assert(set.count == 10000 && set.labels[0] == i + 1);
        image_set_free(&set);
    }
    ck_assert_msg(fetch("absent", "into/new folder", sha256, &said) == 0, "%s", said.text);
}
END_TEST

START_TEST(test_fetch_refuses_a_bad_archive_and_leaves_nothing)
{
    static const struct {
        const char *archive, *says;
        bool wrong_sha256;
    } cases[] = {{"absent", "cannot download", false},
                 {"small", "has SHA-256", true},
                 {"small", "lacks cifar-10-batches-bin/data_batch_1.bin (100 bytes", false}};
    for (int i = 0; i < (int)(sizeof cases / sizeof cases[0]); i++) {
        Error said;
        char sha256[65];
        make_folder("refused");
        make_archive("small", 100, sha256);
        if (cases[i].wrong_sha256)
            sha256[0] = sha256[0] == '0' ? '1' : '0';
        int status = fetch(cases[i].archive, "refused/folder", sha256, &said);
        check_refused(status == 0, &said, under("", cases[i].archive), cases[i].says);
        const char *end = strchr(said.text, '\n');
        ck_assert_msg(end != NULL && end[1] == 0, "more than one line: %s", said.text);
        ck_assert(nothing_left());
    }
}
END_TEST

START_TEST(test_fetch_leaves_a_folder_of_something_else_alone)
{
    Error said;
    char sha256[65];
    make_archive("small", 100, sha256);
    make_folder("mine");
    put(under("mine", "data_batch_1.bin"), "mine", 4);
    int status = fetch("small", "mine", sha256, &said);
    check_refused(status == 0, &said, under("mine", ""), "lacks data_batch_1.bin (4 bytes");
    ck_assert(file_exists(under("mine", "data_batch_1.bin")));
}
END_TEST

TCase *data_fetch_case(void)
{
    TCase *tcase = tcase_create("fetch");
    tcase_set_timeout(tcase, 120);
    tcase_add_unchecked_fixture(tcase, make_root, remove_root);
    tcase_add_test(tcase, test_fetch_puts_the_archive_into_place_once);
    tcase_add_test(tcase, test_fetch_refuses_a_bad_archive_and_leaves_nothing);
    tcase_add_test(tcase, test_fetch_leaves_a_folder_of_something_else_alone);
    return tcase;
}
