/* A user of build/kernel, for tests/test_kernel.c. */
#include "kernel_user.h"
#include "../experiments/base/files.h"
#include "suites.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

const char *const user_sets[SETS] = {"ref", "f32", "bf16"};
char user_folder[64], user_in[96], user_out[96];
static char message[96];

void user_setup(void)
{
    strcpy(user_folder, "/tmp/nopool-kernel-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(user_folder));
    snprintf(user_in, sizeof user_in, "%s/in.h5", user_folder);
    snprintf(user_out, sizeof user_out, "%s/out.h5", user_folder);
    snprintf(message, sizeof message, "%s/message", user_folder);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

void user_teardown(void)
{
    unlink(user_in);
    unlink(user_out);
    unlink(message);
    ck_assert_int_eq(rmdir(user_folder), 0); /* and no temporary file was left */
}

double user_number(const char *name, size_t i)
{
    unsigned hash = 2166136261u;
    for (const char *c = name; *c != 0; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    hash = (hash ^ (unsigned)i) * 2654435761u;
    return (double)(hash >> 12 & 0xffff) / 32768 - 1;
}

void user_put(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dims, const double *values)
{
    hid_t space = rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(rank, dims, NULL);
    hid_t dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert_msg(dataset >= 0, "%s", name);
    if (values != NULL)
        ck_assert_int_ge(H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), 0);
    H5Dclose(dataset);
    H5Sclose(space);
}

/* Splits "2,3,4" into numbers; returns how many. */
static int split(hsize_t numbers[8], const char *list)
{
    int count = 0;
    for (char *end; *list != 0 && count < 8; list = *end == ',' ? end + 1 : end)
        numbers[count++] = strtoull(list, &end, 10);
    return count;
}

static void put_random(hid_t file, const char *name, const char *shape)
{
    hsize_t dims[8];
    int rank = split(dims, shape);
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= dims[i];
    double *values = malloc((count + 1) * sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = user_number(name, i);
    user_put(file, name, H5T_IEEE_F32BE, rank, dims, values);
    free(values);
}

static void put_word(hid_t file, const char *name, const char *word)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    H5Tset_size(type, H5T_VARIABLE);
    hid_t attribute = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert_int_ge(H5Awrite(attribute, type, &word), 0);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
}

static void put_item(hid_t file, char *item)
{
    char *mark = item + strcspn(item, ":=#@!?"), kind = *mark;
    const char *value = mark + 1;
    hsize_t numbers[8], length, none[1] = {0};
    double values[8];
    *mark = 0;
    switch (kind) {
    case ':':
        put_random(file, item, value);
        break;
    case '=':
        values[0] = strtod(value, NULL);
        user_put(file, item, H5T_IEEE_F64LE, 0, NULL, values);
        break;
    case '#':
        length = (hsize_t)split(numbers, value);
        for (hsize_t i = 0; i < length; i++)
            values[i] = (double)numbers[i];
        user_put(file, item, H5T_STD_I16LE, 1, &length, values);
        break;
    case '@':
        put_word(file, item, value);
        break;
    case '!':
        user_put(file, item, H5T_C_S1, 0, NULL, NULL);
        break;
    case '?':
        user_put(file, item, H5T_IEEE_F64LE, 1, none, NULL);
        break;
    default:
        ck_abort_msg("no item: %s", item);
    }
}

void user_write(const char *items)
{
    hid_t file = H5Fcreate(user_in, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert_int_ge(file, 0);
    char copy[512], *rest = NULL;
    snprintf(copy, sizeof copy, "%s", items);
    for (char *item = strtok_r(copy, " ", &rest); item != NULL; item = strtok_r(NULL, " ", &rest))
        put_item(file, item);
    H5Fclose(file);
}

/* The program's messages go to a file. */
int user_run(char *const arguments[])
{
    const char *build = getenv("NOPOOL_BUILD");
    char program[512];
    snprintf(program, sizeof program, "%s/kernel", build == NULL ? "build" : build);
    pid_t child = fork();
    if (child == 0) {
        int descriptor = open(message, O_WRONLY | O_CREAT | O_TRUNC, 0666);
        dup2(descriptor, 1);
        dup2(descriptor, 2);
        execv(program, arguments);
        _exit(127);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int user_run_pass(const char *pass, const char *set)
{
    char *arguments[] = {"kernel", (char *)pass, (char *)set, user_in, user_out, NULL};
    return user_run(arguments);
}

char *user_message(void)
{
    Error error;
    char *text = NULL;
    size_t count;
    ck_assert_msg(file_read(&text, &count, message, &error), "%s", error.text);
    return text;
}

void user_expects_message(const char *word, bool one_line)
{
    char *text = user_message();
    ck_assert_msg(strstr(text, word) != NULL, "'%s' lacks '%s'", text, word);
    if (one_line)
        ck_assert_msg(strncmp(text, "kernel: ", 8) == 0 && strchr(text, '\n') == text + strlen(text) - 1,
                      "not one line: '%s'", text);
    free(text);
}

void user_expects_success(int status)
{
    char *text = user_message();
    ck_assert_msg(status == 0 && *text == 0, "exit status %d: %s", status, text);
    free(text);
}

double *user_result(const char *name, const char *shape, bool single)
{
    hid_t file = H5Fopen(user_out, H5F_ACC_RDONLY, H5P_DEFAULT);
    ck_assert_msg(file >= 0, "no results");
    hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
    ck_assert_msg(dataset >= 0, "no result '%s'", name);
    hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset), plist = H5Dget_create_plist(dataset);
    ck_assert_msg(H5Tequal(type, single ? H5T_IEEE_F32LE : H5T_IEEE_F64LE) > 0, "type of '%s'", name);
    ck_assert_int_eq(H5Pget_layout(plist), H5D_CONTIGUOUS);
    hsize_t dims[H5S_MAX_RANK], expected[8];
    int rank = split(expected, shape);
    ck_assert_msg(H5Sget_simple_extent_dims(space, dims, NULL) == rank, "rank of '%s'", name);
    size_t count = 1;
    for (int i = 0; i < rank; i++) {
        ck_assert_msg(dims[i] == expected[i], "dimension %d of '%s'", i, name);
        count *= dims[i];
    }
    double *values = malloc(count * sizeof *values);
    ck_assert_int_ge(H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), 0);
    H5Pclose(plist);
    H5Sclose(space);
    H5Tclose(type);
    H5Dclose(dataset);
    H5Fclose(file);
    return values;
}
