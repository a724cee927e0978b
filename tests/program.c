/* Running programs. */
#include "program.h"
#include "../experiments/base/files.h"
#include <check.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_ARGUMENTS = 64, IMAGE = 3072 };

char program_folder[64];
char program_output[65536];
const char *program_stdout;

void program_setup(void)
{
    const char *base = getenv("TMPDIR");
    const int length =
        snprintf(program_folder, sizeof program_folder, "%s/nopool-test-XXXXXX", base ? base : "/tmp");
    ck_assert_msg(length < (int)sizeof program_folder, "TMPDIR is too long");
    ck_assert_ptr_nonnull(mkdtemp(program_folder));
}

void program_teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", program_folder);
    ck_assert_int_eq(system(command), 0);
}

static void write_images(const char *name, int count, int first)
{
    char path[128];
    snprintf(path, sizeof path, "%s/data/%s", program_folder, name);
    FILE *out = fopen(path, "wb");
    ck_assert_ptr_nonnull(out);
    for (int n = first; n < first + count; n++) {
        const int label = n % 10;
        fputc(label, out);
        for (int i = 0; i < IMAGE; i++) {
            const uint32_t noise = (uint32_t)(n * IMAGE + i) * 2654435761u >> 26; /* 0..63 */
            const int row = i % 1024 / 32;
            fputc((int)noise + (row >= 3 * label && row < 3 * label + 3 ? 150 : 20), out);
        }
    }
    ck_assert_int_eq(fclose(out), 0);
}

void program_write_data(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/data", program_folder);
    ck_assert_int_eq(mkdir(path, 0777), 0);
    for (int i = 0; i < 5; i++) {
        snprintf(path, sizeof path, "data_batch_%d.bin", i + 1);
        write_images(path, 40, 40 * i);
    }
    write_images("test_batch.bin", 50, 200);
}

/* Splits a line at blanks, in place, into arguments; the program's name becomes its path. */
static void split(char *arguments[MOST_ARGUMENTS], char *path, size_t size, char *line)
{
    int count = 0;
    for (char *word = strtok(line, " "); word && count < MOST_ARGUMENTS - 1; word = strtok(NULL, " "))
        arguments[count++] = word;
    arguments[count] = NULL;
    const char *build = getenv("NOPOOL_BUILD");
    snprintf(path, size, "%s/%s", build ? build : "build", arguments[0]);
}

static pid_t start(char *line)
{
    char *arguments[MOST_ARGUMENTS], path[256], output[128];
    split(arguments, path, sizeof path, line);
    snprintf(output, sizeof output, "%s/output", program_folder);
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        const int out = open(output, O_CREAT | O_TRUNC | O_WRONLY, 0666);
        dup2(program_stdout ? open(program_stdout, O_WRONLY) : out, STDOUT_FILENO);
        dup2(out, STDERR_FILENO);
        execv(path, arguments);
        _exit(127);
    }
    return child;
}

pid_t program_start(const char *format, ...)
{
    char line[4096];
    va_list values;
    va_start(values, format);
    vsnprintf(line, sizeof line, format, values);
    va_end(values);
    return start(line);
}

int program_run(const char *format, ...)
{
    char line[4096];
    int status;
    va_list values;
    va_start(values, format);
    vsnprintf(line, sizeof line, format, values);
    va_end(values);
    const pid_t child = start(line);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    char *output = program_file("output");
    snprintf(program_output, sizeof program_output, "%s", output ? output : "");
    free(output);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void program_expects_one_line(const char *program, const char *word)
{
    const char *end = strchr(program_output, '\n');
    ck_assert_msg(end && end[1] == 0, "not one line: %s", program_output);
    ck_assert_msg(strncmp(program_output, program, strlen(program)) == 0, "does not begin with %s: %s",
                  program, program_output);
    ck_assert_msg(strstr(program_output, word) != NULL, "does not say %s: %s", word, program_output);
}

char *program_file(const char *format, ...)
{
    char name[256], path[512], *bytes = NULL;
    size_t count;
    va_list values;
    va_start(values, format);
    vsnprintf(name, sizeof name, format, values);
    va_end(values);
    snprintf(path, sizeof path, "%s/%s", program_folder, name);
    return file_read(&bytes, &count, path, NULL) ? bytes : NULL;
}

/* A line of shell, its output in program_output; its exit status. */
int program_shell(const char *format, ...)
{
    char line[4096], whole[4300];
    va_list values;
    va_start(values, format);
    vsnprintf(line, sizeof line, format, values);
    va_end(values);
    snprintf(whole, sizeof whole, "{ %s ; } > %s/output 2>&1", line, program_folder);
    const int status = system(whole);
    char *output = program_file("output");
    snprintf(program_output, sizeof program_output, "%s", output ? output : "");
    free(output);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Writes folder/name in the test's folder. */
void program_put(const char *name, const char *folder, const char *format, ...)
{
    char path[512];
    va_list values;
    snprintf(path, sizeof path, "%s/%s/%s", program_folder, folder, name);
    FILE *out = fopen(path, "w");
    ck_assert_ptr_nonnull(out);
    va_start(values, format);
    vfprintf(out, format, values);
    va_end(values);
    ck_assert_int_eq(fclose(out), 0);
}

const char *program_build(void)
{
    const char *build = getenv("NOPOOL_BUILD");
    return build ? build : "build";
}

int program_train(const char *more)
{
    return program_run("train --run=%s/run --data=%s/data " PROGRAM_SMALL " %s", program_folder,
                       program_folder, more);
}
