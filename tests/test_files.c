/* Files: whole or not at all, and every failure a sentence. */
#include "../experiments/base/files.h"
#include "suites.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static void setup(void)
{
    const char *base = getenv("TMPDIR");
    ck_assert_int_lt(snprintf(folder, sizeof folder, "%s/nopool-files-XXXXXX", base ? base : "/tmp"),
                     (int)sizeof folder);
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static const char *inside(const char *name)
{
    static char path[4][256];
    static int next;
    char *p = path[next++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

/* Entries of a folder, without . and .. */
static int entries(const char *path)
{
    DIR *directory = opendir(path);
    ck_assert_ptr_nonnull(directory);
    int count = 0;
    for (struct dirent *e; (e = readdir(directory)) != NULL;)
        count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(directory);
    return count;
}

static void remove_all(const char *path)
{
    DIR *directory = opendir(path);
    if (directory != NULL) {
        for (struct dirent *e; (e = readdir(directory)) != NULL;) {
            if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
                continue;
            char inner[1024];
            snprintf(inner, sizeof inner, "%s/%s", path, e->d_name);
            if (unlink(inner) != 0)
                remove_all(inner);
        }
        closedir(directory);
    }
    rmdir(path);
}

static void teardown(void)
{
    remove_all(folder);
}

static void expect_content(const char *path, const char *expected)
{
    Error error;
    char *bytes;
    size_t count;
    ck_assert_msg(file_read(&bytes, &count, path, &error), "%s", error.text);
    ck_assert_uint_eq(count, strlen(expected));
    ck_assert_str_eq(bytes, expected);
    free(bytes);
}

/* In brackets: check.h has a macro of this name. */
START_TEST(test_fail_formats_and_accepts_no_error)
{
    Error error;
    ck_assert(!(fail)(&error, "%s is %d", "x", 3));
    ck_assert_str_eq(error.text, "x is 3");
    ck_assert(!(fail)(NULL, "%s", "unread"));
    char longer[3000];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    ck_assert(!(fail)(&error, "%s", longer));
    ck_assert_uint_eq(strlen(error.text), sizeof error.text - 1);
}
END_TEST

START_TEST(test_sha256_matches_published_values)
{
    char hex[65];
    sha256_hex(hex, "", 0);
    ck_assert_str_eq(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256_hex(hex, "abc", 3);
    ck_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
END_TEST

/* Lengths around the first buffers, and bytes that are no text. */
static const size_t lengths[] = {0, 1, 4094, 4095, 4096, 4097, 1 << 20};

START_TEST(test_file_write_then_read_returns_the_bytes)
{
    Error error;
    size_t length = lengths[_i], count;
    char *bytes = malloc(length + 1), *back;
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)(i * 37 + i / 256);
    const char *path = inside("bytes");
    ck_assert_msg(file_write(path, bytes, length, &error), "%s", error.text);
    ck_assert_msg(file_read(&back, &count, path, &error), "%s", error.text);
    ck_assert_uint_eq(count, length);
    ck_assert(memcmp(back, bytes, length) == 0);
    ck_assert_int_eq(back[count], 0);
    ck_assert_int_eq(entries(folder), 1);
    free(back);
    free(bytes);
}
END_TEST

START_TEST(test_file_write_replaces_the_old_file)
{
    Error error;
    const char *path = inside("f");
    ck_assert(!file_exists(path));
    ck_assert(file_write(path, "a longer first text", 19, &error));
    ck_assert(file_write(path, "short", 5, &error));
    ck_assert(file_exists(path));
    expect_content(path, "short");
    ck_assert_int_eq(entries(folder), 1);
}
END_TEST

/* Whom the umask lets read it may read it. */
START_TEST(test_file_write_leaves_rights_to_the_umask)
{
    Error error;
    struct stat status;
    umask(027);
    ck_assert(file_write(inside("f"), "x", 1, &error));
    ck_assert_int_eq(stat(inside("f"), &status), 0);
    ck_assert_int_eq(status.st_mode & 0777, 0640);
}
END_TEST

/* A limit on the size of files fails as a full disk does: part of the bytes are written, then none. */
START_TEST(test_file_write_on_a_full_disk_keeps_the_old_file)
{
    Error error;
    const char *path = inside("f");
    ck_assert(file_write(path, "old", 3, &error));
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before, limit;
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = 1000;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    char bytes[2000] = {0};
    bool written = file_write(path, bytes, sizeof bytes, &error);
    setrlimit(RLIMIT_FSIZE, &before);
    ck_assert(!written);
    ck_assert_msg(strstr(error.text, "free some space") != NULL, "%s", error.text);
    expect_content(path, "old");
    ck_assert_int_eq(entries(folder), 1);
}
END_TEST

/* Under a plain file no name can be made, for root neither. */
static const struct {
    const char *path, *word;
} unwritable[] = {
    {"plain/f", "Not a directory"},
    {"absent/f", "No such file"},
    {"sub", "no plain file"},
};

START_TEST(test_file_write_to_an_impossible_path_says_why)
{
    Error error;
    ck_assert(file_write(inside("plain"), "p", 1, &error));
    ck_assert_int_eq(mkdir(inside("sub"), 0777), 0);
    ck_assert(!file_write(inside(unwritable[_i].path), "x", 1, &error));
    ck_assert_msg(strstr(error.text, unwritable[_i].word) != NULL, "%s", error.text);
    ck_assert_int_eq(entries(folder), 2);
    expect_content(inside("plain"), "p");
}
END_TEST

START_TEST(test_file_write_does_not_replace_a_device)
{
    Error error;
    const char *path = inside("pipe");
    ck_assert_int_eq(mkfifo(path, 0666), 0);
    ck_assert(!file_write(path, "x", 1, &error));
    ck_assert_msg(strstr(error.text, "no plain file") != NULL, "%s", error.text);
    struct stat status;
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert(S_ISFIFO(status.st_mode));
    ck_assert_int_eq(entries(folder), 1);
}
END_TEST

START_TEST(test_file_commit_moves_a_finished_file)
{
    Error error;
    ck_assert(file_write(inside("new"), "new", 3, &error));
    ck_assert(file_write(inside("f"), "old", 3, &error));
    ck_assert_msg(file_commit(inside("new"), inside("f"), &error), "%s", error.text);
    expect_content(inside("f"), "new");
    ck_assert_int_eq(entries(folder), 1);
    ck_assert(!file_commit(inside("new"), inside("f"), &error));
    expect_content(inside("f"), "new");
}
END_TEST

START_TEST(test_file_commit_into_a_missing_folder_removes_the_temporary)
{
    Error error;
    ck_assert(file_write(inside("new"), "new", 3, &error));
    ck_assert(!file_commit(inside("new"), inside("absent/f"), &error));
    ck_assert_msg(strstr(error.text, "No such file") != NULL, "%s", error.text);
    ck_assert_int_eq(entries(folder), 0);
}
END_TEST

START_TEST(test_file_read_of_nothing_or_a_folder_says_why)
{
    Error error;
    char *bytes;
    size_t count;
    ck_assert(!file_read(&bytes, &count, inside("absent"), &error));
    ck_assert_msg(strstr(error.text, "absent") && strstr(error.text, "No such file"), "%s", error.text);
    ck_assert(!file_read(&bytes, &count, folder, &error));
    ck_assert_msg(strstr(error.text, "Is a directory") != NULL, "%s", error.text);
    ck_assert(!file_exists(folder));
}
END_TEST

START_TEST(test_folder_make_makes_parents_and_accepts_its_own)
{
    Error error;
    for (int i = 0; i < 2; i++)
        ck_assert_msg(folder_make(inside("a/b/c/"), &error), "%s", error.text);
    struct stat status;
    ck_assert_int_eq(stat(inside("a/b/c"), &status), 0);
    ck_assert(S_ISDIR(status.st_mode));
    ck_assert_int_eq(entries(inside("a/b/c")), 0);
}
END_TEST

START_TEST(test_folder_make_below_a_file_says_why)
{
    Error error;
    char longer[5000];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    ck_assert(file_write(inside("plain"), "p", 1, &error));
    ck_assert(!folder_make(inside("plain"), &error));
    ck_assert_msg(strstr(error.text, "plain: no folder") != NULL, "%s", error.text);
    ck_assert(!folder_make(inside("plain/sub"), &error));
    ck_assert_msg(strstr(error.text, "plain/sub") != NULL, "%s", error.text);
    ck_assert(!folder_make("", &error));
    ck_assert(!folder_make(longer, &error));
    ck_assert(!file_write(longer, "x", 1, &error));
    ck_assert_int_eq(entries(folder), 1);
}
END_TEST

/* What files.c asks of the disk, in turn: these stand before the C library's, which do it as well. */
static struct {
    bool renames; /* else it syncs */
    ino_t file;
    off_t size;
} asked[8];
static int asked_count;
static int fsync_errno; /* with which fsync fails, on a plain file or on a folder; 0: it does not */
static bool fails_on_folder;

int fsync(int descriptor)
{
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        return -1;
    if (asked_count < 8) {
        asked[asked_count].file = status.st_ino;
        asked[asked_count].size = status.st_size;
        asked[asked_count++].renames = false;
    }
    if (fsync_errno && S_ISDIR(status.st_mode) == fails_on_folder) {
        errno = fsync_errno;
        return -1;
    }
    return fdatasync(descriptor);
}

int rename(const char *from, const char *to)
{
    if (asked_count < 8)
        asked[asked_count++].renames = true;
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

static ino_t number_of(const char *path)
{
    struct stat status;
    ck_assert_int_eq(stat(path, &status), 0);
    return status.st_ino;
}

/* All of a file is on the disk before it has its name, and its name before the next file is begun: whatever
 * the power does, the name is the old file's or the whole new one's. */
START_TEST(test_file_write_syncs_before_it_renames)
{
    Error error;
    const char *path = inside("f");
    for (int turn = 0; turn < 2; turn++) { /* a new file; in the place of an old one */
        const char *const text = turn ? "a longer second text" : "first";
        asked_count = 0;
        ck_assert_msg(file_write(path, text, strlen(text), &error), "%s", error.text);
        ck_assert_int_eq(asked_count, 3);
        ck_assert(!asked[0].renames && asked[1].renames && !asked[2].renames);
        ck_assert_uint_eq(asked[0].file, number_of(path));
        ck_assert_int_eq(asked[0].size, (off_t)strlen(text));
        ck_assert_uint_eq(asked[2].file, number_of(folder));
    }
}
END_TEST

/* How fsync fails, and what is said; NULL where that is no failure. */
static const struct {
    int why;
    bool folder;
    const char *word, *content;
} unsynced[] = {
    {EIO, false, "Input/output error", "old"},
    {ENOSPC, false, "free some space", "old"},
    {EINVAL, false, NULL, "new"}, /* of a file system that has nothing to sync */
    {EINVAL, true, NULL, "new"},
    {EIO, true, "cannot sync the folder", "new"},
};

START_TEST(test_file_write_says_that_a_file_is_not_on_the_disk)
{
    Error error;
    ck_assert(file_write(inside("f"), "old", 3, &error));
    fsync_errno = unsynced[_i].why;
    fails_on_folder = unsynced[_i].folder;
    const bool written = file_write(inside("f"), "new", 3, &error);
    fsync_errno = 0;
    ck_assert_int_eq(written, unsynced[_i].word == NULL);
    ck_assert_msg(written || strstr(error.text, unsynced[_i].word), "%s", error.text);
    expect_content(inside("f"), unsynced[_i].content);
    ck_assert_int_eq(entries(folder), 1);
}
END_TEST

/* Whatever stands in a file: no second line, nothing that a terminal obeys. */
START_TEST(test_fail_keeps_to_one_line)
{
    Error error;
    ck_assert(!(fail)(&error, "%s is %s", "a\nb\rc\033[31m", "d\te\x7f \xc3\xa9"));
    ck_assert_str_eq(error.text, "a?b?c?[31m is d\te? \xc3\xa9");
}
END_TEST

Suite *files_suite(void)
{
    Suite *suite = suite_create("files");
    TCase *tcase = tcase_create("files");
    tcase_set_timeout(tcase, 20);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_fail_formats_and_accepts_no_error);
    tcase_add_test(tcase, test_fail_keeps_to_one_line);
    tcase_add_test(tcase, test_sha256_matches_published_values);
    tcase_add_loop_test(tcase, test_file_write_then_read_returns_the_bytes, 0,
                        sizeof lengths / sizeof *lengths);
    tcase_add_test(tcase, test_file_write_replaces_the_old_file);
    tcase_add_test(tcase, test_file_write_leaves_rights_to_the_umask);
    tcase_add_test(tcase, test_file_write_on_a_full_disk_keeps_the_old_file);
    tcase_add_loop_test(tcase, test_file_write_to_an_impossible_path_says_why, 0,
                        sizeof unwritable / sizeof *unwritable);
    tcase_add_test(tcase, test_file_write_does_not_replace_a_device);
    tcase_add_test(tcase, test_file_write_syncs_before_it_renames);
    tcase_add_loop_test(tcase, test_file_write_says_that_a_file_is_not_on_the_disk, 0,
                        sizeof unsynced / sizeof *unsynced);
    tcase_add_test(tcase, test_file_commit_moves_a_finished_file);
    tcase_add_test(tcase, test_file_commit_into_a_missing_folder_removes_the_temporary);
    tcase_add_test(tcase, test_file_read_of_nothing_or_a_folder_says_why);
    tcase_add_test(tcase, test_folder_make_makes_parents_and_accepts_its_own);
    tcase_add_test(tcase, test_folder_make_below_a_file_says_why);
    suite_add_tcase(suite, tcase);
    return suite;
}
