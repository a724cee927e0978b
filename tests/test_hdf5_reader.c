/* HDF5 read in a process of its own: what is in the file comes over, and an end of that process, whatever the
 * way, is a sentence. */
#include "../experiments/base/hdf5_image.h"
#include "../experiments/base/hdf5_reader.h"
#include "suites.h"
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LARGE = 300000 /* numbers: more bytes than a socket holds at once */, LONGEST = 20 /* seconds */ };

static void *bytes;
static size_t count;

/* A file of a number, an array, nothing, a large array, words and a dataset of text. */
static void make_file(void)
{
    alarm(LONGEST); /* who waits for a process in vain fails before Check's own limit */
    static double large[LARGE];
    const hsize_t dims[2] = {2, 3}, none[1] = {0}, many[1] = {LARGE};
    const double values[6] = {0.1, -0.0, 1e-310, INFINITY, 1.0 / 3, NAN};
    hid_t file = hdf5_image_create();
    for (int i = 0; i < LARGE; i++)
        large[i] = i;
    ck_assert(hdf5_image_put(file, "number", H5T_IEEE_F64LE, 0, NULL, values));
    ck_assert(hdf5_image_put(file, "group/array", H5T_IEEE_F64LE, 2, dims, values));
    ck_assert(hdf5_image_put(file, "none", H5T_IEEE_F64LE, 1, none, values));
    ck_assert(hdf5_image_put(file, "large", H5T_IEEE_F64LE, 1, many, large));
    ck_assert(hdf5_image_word(file, "word", "six or"));
    ck_assert(hdf5_image_word(file, "empty", ""));
    ck_assert(hdf5_image_bytes(file, &bytes, &count));
    H5Fclose(file);
}

static void forget_file(void)
{
    free(bytes);
}

static Hdf5Reader *open_file(void)
{
    Error error;
    Hdf5Reader *reader = hdf5_reader_open(bytes, count, "in.h5", &error);
    ck_assert_msg(reader != NULL, "%s", error.text);
    return reader;
}

START_TEST(test_hdf5_reader_gives_what_is_there)
{
    static double large[LARGE];
    const double values[6] = {0.1, -0.0, 1e-310, INFINITY, 1.0 / 3, NAN};
    double number[6];
    int rank;
    uint64_t dims[HDF5_RANK];
    Hdf5Reader *reader = open_file();
    ck_assert_int_eq(hdf5_reader_shape(&rank, dims, reader, "number"), HDF5_FOUND);
    ck_assert_int_eq(rank, 0);
    ck_assert_int_eq(hdf5_reader_values(number, 1, reader, "number"), HDF5_FOUND);
    ck_assert(number[0] == 0.1);
    ck_assert_int_eq(hdf5_reader_shape(&rank, dims, reader, "group/array"), HDF5_FOUND);
    ck_assert(rank == 2 && dims[0] == 2 && dims[1] == 3);
    ck_assert_int_eq(hdf5_reader_values(number, 6, reader, "group/array"), HDF5_FOUND);
    ck_assert(memcmp(number, values, sizeof values) == 0);
    ck_assert_int_eq(hdf5_reader_shape(&rank, dims, reader, "none"), HDF5_FOUND);
    ck_assert(rank == 1 && dims[0] == 0);
    ck_assert_int_eq(hdf5_reader_values(number, 0, reader, "none"), HDF5_FOUND);
    ck_assert_int_eq(hdf5_reader_values(large, LARGE, reader, "large"), HDF5_FOUND);
    for (int i = 0; i < LARGE; i++)
        ck_assert(large[i] == i);
    hdf5_reader_close(reader);
}
END_TEST

START_TEST(test_hdf5_reader_says_what_is_not_there)
{
    double numbers[12];
    int rank;
    uint64_t dims[HDF5_RANK];
    Hdf5Reader *reader = open_file();
    ck_assert_int_eq(hdf5_reader_shape(&rank, dims, reader, "absent"), HDF5_MISSING);
    ck_assert_int_eq(hdf5_reader_shape(&rank, dims, reader, "group"), HDF5_NO_DATASET);
    ck_assert_int_eq(hdf5_reader_values(numbers, 5, reader, "group/array"), HDF5_UNREADABLE);
    ck_assert_int_eq(hdf5_reader_values(numbers, 7, reader, "group/array"), HDF5_UNREADABLE);
    ck_assert_int_eq(hdf5_reader_values(numbers, 12, reader, "group/array"), HDF5_UNREADABLE);
    ck_assert_int_eq(hdf5_reader_values(numbers, 0, reader, "group/array"), HDF5_UNREADABLE);
    ck_assert_int_eq(hdf5_reader_values(numbers, 1, reader, "none"), HDF5_UNREADABLE);
    ck_assert_int_eq(hdf5_reader_values(numbers, 6, reader, "group/array"), HDF5_FOUND);
    hdf5_reader_close(reader);
}
END_TEST

/* A dataset of `numbers` chunks of two numbers each, of which the first alone is written. */
static void put_one_chunk(hid_t file, const char *name, hsize_t numbers)
{
    const hsize_t chunk = 2, none = 0, both = 2;
    const double values[2] = {7, 8};
    hid_t space = H5Screate_simple(1, &numbers, NULL), memory = H5Screate_simple(1, &both, NULL);
    hid_t create = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(create, 1, &chunk);
    hid_t dataset = H5Dcreate2(file, name, H5T_IEEE_F64LE, space, H5P_DEFAULT, create, H5P_DEFAULT);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, &none, NULL, &both, NULL);
    ck_assert(H5Dwrite(dataset, H5T_NATIVE_DOUBLE, memory, space, H5P_DEFAULT, values) >= 0);
    H5Dclose(dataset);
    H5Pclose(create);
    H5Sclose(memory);
    H5Sclose(space);
}

/* HDF5 would look for a million chunks in a file of a few thousand bytes: eight seconds, and minutes for
 * more. */
START_TEST(test_hdf5_reader_does_not_look_for_chunks_that_cannot_be_there)
{
    enum { MANY = 400000, FEW = 501 };
    static double numbers[MANY];
    hid_t file = hdf5_image_create();
    put_one_chunk(file, "many", MANY);
    put_one_chunk(file, "few", FEW);
    free(bytes);
    ck_assert(hdf5_image_bytes(file, &bytes, &count));
    H5Fclose(file);
    ck_assert_int_lt(count, MANY / 2);
    Hdf5Reader *reader = open_file();
    ck_assert_int_eq(hdf5_reader_values(numbers, MANY, reader, "many"), HDF5_UNREADABLE);
    ck_assert_int_eq(hdf5_reader_values(numbers, FEW, reader, "few"), HDF5_FOUND);
    ck_assert(numbers[0] == 7 && numbers[1] == 8 && numbers[2] == 0 && numbers[FEW - 1] == 0);
    hdf5_reader_close(reader);
}
END_TEST

START_TEST(test_hdf5_reader_gives_texts_that_fit)
{
    char text[8] = "xxxxxxx";
    size_t needed = 0;
    Hdf5Reader *reader = open_file();
    ck_assert_int_eq(hdf5_reader_text(text, 7, &needed, reader, "word"), HDF5_FOUND);
    ck_assert_str_eq(text, "six or");
    ck_assert_int_eq(hdf5_reader_text(text, 6, &needed, reader, "word"), HDF5_TOO_LONG);
    ck_assert_uint_eq(needed, 7);
    ck_assert_int_eq(hdf5_reader_text(text, 1, NULL, reader, "empty"), HDF5_FOUND);
    ck_assert_str_eq(text, "");
    ck_assert_int_eq(hdf5_reader_text(text, 7, NULL, reader, "absent"), HDF5_MISSING);
    hdf5_reader_close(reader);
}
END_TEST

START_TEST(test_hdf5_reader_refuses_what_is_no_file)
{
    Error error;
    ck_assert_ptr_null(hdf5_reader_open("no arrays", 9, "in.h5", &error));
    ck_assert_str_eq(error.text, "");
    ck_assert_ptr_null(hdf5_reader_open("", 0, "in.h5", NULL));
    ck_assert_ptr_null(hdf5_reader_open(bytes, count / 2, "in.h5", &error));
    ck_assert_str_eq(error.text, "");
}
END_TEST

static const struct {
    int signal;
    const char *sentence;
} ends[] = {{SIGSEGV, "in.h5 is damaged: HDF5 crashed on it; write it again"},
            {SIGABRT, "in.h5 is damaged: HDF5 crashed on it; write it again"},
            {SIGALRM, "in.h5 is damaged: HDF5 took over 60 s to read of it; write it again"},
            {SIGKILL, "in.h5: the process that read it was killed: free some memory and try again"}};

/* Whatever was asked then, and afterwards again. */
START_TEST(test_hdf5_reader_makes_a_crash_a_sentence)
{
    Error error;
    double number;
    char text[8];
    int rank;
    uint64_t dims[HDF5_RANK];
    Hdf5Reader *reader = open_file();
    ck_assert_int_eq(kill(hdf5_reader_process(reader), ends[_i].signal), 0);
    if (_i % 2)
        ck_assert_int_eq(hdf5_reader_values(&number, 1, reader, "number"), HDF5_CRASHED);
    else
        ck_assert_int_eq(hdf5_reader_shape(&rank, dims, reader, "number"), HDF5_CRASHED);
    for (int round = 0; round < 2; round++) {
        ck_assert(!hdf5_reader_crashed(reader, &error));
        ck_assert_str_eq(error.text, ends[_i].sentence);
        ck_assert_int_eq(hdf5_reader_text(text, sizeof text, NULL, reader, "word"), HDF5_CRASHED);
    }
    hdf5_reader_close(reader);
}
END_TEST

/* A Ctrl-C goes to all processes of a terminal: what it does is the caller's to decide. */
START_TEST(test_hdf5_reader_outlives_the_signals_that_stop_a_run)
{
    double number;
    Hdf5Reader *reader = open_file();
    ck_assert_int_eq(kill(hdf5_reader_process(reader), SIGINT), 0);
    ck_assert_int_eq(kill(hdf5_reader_process(reader), SIGTERM), 0);
    ck_assert_int_eq(hdf5_reader_values(&number, 1, reader, "number"), HDF5_FOUND);
    hdf5_reader_close(reader);
}
END_TEST

/* Each ends with its reader, in any order, though the second holds the first one's socket open; at once, so
 * that the alarm, which would end the test, never rings. */
START_TEST(test_hdf5_readers_end_in_any_order)
{
    alarm(10);
    for (int first = 0; first < 2; first++) {
        Hdf5Reader *readers[2] = {open_file(), open_file()};
        const pid_t processes[2] = {hdf5_reader_process(readers[0]), hdf5_reader_process(readers[1])};
        double number;
        hdf5_reader_close(readers[first]);
        ck_assert_int_ne(kill(processes[first], 0), 0);
        ck_assert_int_eq(hdf5_reader_values(&number, 1, readers[!first], "number"), HDF5_FOUND);
        hdf5_reader_close(readers[!first]);
        ck_assert_int_ne(kill(processes[!first], 0), 0);
    }
}
END_TEST

/* A caller that is killed leaves no process behind: the pipe that both hold comes to its end. */
START_TEST(test_hdf5_reader_ends_with_its_caller)
{
    int ends[2];
    char byte;
    ck_assert_int_eq(pipe(ends), 0);
    const pid_t caller = fork();
    if (caller == 0) {
        close(ends[0]);
        open_file();
        raise(SIGKILL);
    }
    close(ends[1]);
    ck_assert_int_eq(poll(&(struct pollfd){.fd = ends[0], .events = POLLIN}, 1, 10000), 1);
    ck_assert_int_eq(read(ends[0], &byte, 1), 0);
    waitpid(caller, NULL, 0);
}
END_TEST

Suite *hdf5_reader_suite(void)
{
    Suite *suite = suite_create("hdf5_reader");
    TCase *tcase = tcase_create("process");
    tcase_set_timeout(tcase, 2 * LONGEST);
    tcase_add_checked_fixture(tcase, make_file, forget_file);
    tcase_add_test(tcase, test_hdf5_reader_gives_what_is_there);
    tcase_add_test(tcase, test_hdf5_reader_says_what_is_not_there);
    tcase_add_test(tcase, test_hdf5_reader_does_not_look_for_chunks_that_cannot_be_there);
    tcase_add_test(tcase, test_hdf5_reader_gives_texts_that_fit);
    tcase_add_test(tcase, test_hdf5_reader_refuses_what_is_no_file);
    tcase_add_loop_test(tcase, test_hdf5_reader_makes_a_crash_a_sentence, 0, sizeof ends / sizeof *ends);
    tcase_add_test(tcase, test_hdf5_reader_outlives_the_signals_that_stop_a_run);
    tcase_add_test(tcase, test_hdf5_readers_end_in_any_order);
    tcase_add_test(tcase, test_hdf5_reader_ends_with_its_caller);
    suite_add_tcase(suite, tcase);
    return suite;
}
