/* Options: one table, made from options.def, that parses, prints, compares and documents them. */
#include "options.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef enum { KIND_INTEGER, KIND_REAL, KIND_CHOICE, KIND_TEXT } Kind;

typedef struct {
    Kind kind;
    const char *name;
    size_t offset;
    double standard, least, most; /* numbers; the standard of a choice is its position */
    const char *words;            /* choices: "a|b|c"; texts: the standard */
    const char *help;
} Option;

static const Option table[] = {
#define INTEGER(field, name, standard, least, most, help) \
    {KIND_INTEGER, name, offsetof(Options, field), standard, least, most, NULL, help},
#define REAL(field, name, standard, least, most, help) \
    {KIND_REAL, name, offsetof(Options, field), standard, least, most, NULL, help},
#define CHOICE(field, name, standard, words, help) \
    {KIND_CHOICE, name, offsetof(Options, field), standard, 0, 0, words, help},
#define TEXT(field, name, standard, help) \
    {KIND_TEXT, name, offsetof(Options, field), 0, 0, 0, standard, help},
#include "options.def"
#undef INTEGER
#undef REAL
#undef CHOICE
#undef TEXT
};

enum { COUNT = sizeof table / sizeof *table };

static const struct {
    const char *name, *value;
} stated[] = {
#define INTEGER(...)
#define REAL(...)
#define CHOICE(...)
#define TEXT(...)
#define PAPER(name, value) {name, value},
#include "options.def"
#undef INTEGER
#undef REAL
#undef CHOICE
#undef TEXT
};

static int *integer_of(const Options *o, const Option *option)
{
    return (int *)((char *)o + option->offset);
}

static double *real_of(const Options *o, const Option *option)
{
    return (double *)((char *)o + option->offset);
}

static char *text_of(const Options *o, const Option *option)
{
    return (char *)o + option->offset;
}

/* The length of word number `position` of "a|b|c" and where it starts; 0 if there are not so many. */
static size_t word_at(const char *words, int position, const char **start)
{
    while (position-- > 0) {
        words = strchr(words, '|');
        if (!words)
            return 0;
        words++;
    }
    *start = words;
    return strcspn(words, "|");
}

static const Option *find(const char *name)
{
    for (size_t i = 0; i < COUNT; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

bool options_known(const char *name)
{
    return find(name) != NULL;
}

const char *options_name(int i)
{
    return i >= 0 && i < COUNT ? table[i].name : NULL;
}

const char *options_stated(const char *name)
{
    for (size_t i = 0; i < sizeof stated / sizeof *stated; i++)
        if (strcmp(stated[i].name, name) == 0)
            return stated[i].value;
    return NULL;
}

void options_default(Options *o)
{
    memset(o, 0, sizeof *o);
    for (size_t i = 0; i < COUNT; i++) {
        const Option *option = &table[i];
        if (option->kind == KIND_REAL)
            *real_of(o, option) = option->standard;
        else if (option->kind == KIND_TEXT)
            snprintf(text_of(o, option), TEXT_OPTION, "%s", option->words);
        else
            *integer_of(o, option) = (int)option->standard;
    }
}

static bool set_number(Options *o, const Option *option, const char *value, Error *error)
{
    char *end;
    errno = 0;
    const double number =
        option->kind == KIND_INTEGER ? (double)strtol(value, &end, 10) : strtod(value, &end);
    /* What is rounded to a number too small to be normal is that number: config.tsv may hold one. */
    const bool beyond = errno == ERANGE && (number == 0 || !isfinite(number));
    if (end == value || *end || beyond || !(number >= option->least && number <= option->most))
        return fail(error, "--%s is %s, but must be %s from %.10g to %.10g", option->name, value,
                    option->kind == KIND_INTEGER ? "a whole number" : "a number", option->least,
                    option->most);
    if (option->kind == KIND_INTEGER)
        *integer_of(o, option) = (int)number;
    else
        *real_of(o, option) = number;
    return true;
}

static bool set_choice(Options *o, const Option *option, const char *value, Error *error)
{
    const char *word;
    size_t length;
    for (int i = 0; (length = word_at(option->words, i, &word)); i++)
        if (strlen(value) == length && strncmp(value, word, length) == 0) {
            *integer_of(o, option) = i;
            return true;
        }
    return fail(error, "--%s is %s, but must be one of %s", option->name, value, option->words);
}

bool options_set(Options *o, const char *name, const char *value, Error *error)
{
    const Option *option = find(name);
    if (!option)
        return fail(error, "there is no option --%s; train --help lists them", name);
    if (option->kind == KIND_CHOICE)
        return set_choice(o, option, value, error);
    if (option->kind != KIND_TEXT)
        return set_number(o, option, value, error);
    if (strlen(value) >= TEXT_OPTION || strpbrk(value, "\t\n"))
        return fail(error, "--%s must be shorter than %d characters, without tabs and line ends", name,
                    TEXT_OPTION);
    snprintf(text_of(o, option), TEXT_OPTION, "%s", value);
    return true;
}

bool options_set_words(Options *o, const char *words, Error *error)
{
    for (words += strspn(words, " "); *words; words += strspn(words, " ")) {
        char name[64], value[TEXT_OPTION];
        const size_t length = strcspn(words, " "), split = strcspn(words, "= ");
        if (strncmp(words, "--", 2) != 0 || split == length || split - 2 >= sizeof name ||
            length - split > sizeof value)
            return fail(error, "%.*s is no option: write --NAME=VALUE", (int)length, words);
        snprintf(name, sizeof name, "%.*s", (int)split - 2, words + 2);
        snprintf(value, sizeof value, "%.*s", (int)(length - split - 1), words + split + 1);
        if (!options_set(o, name, value, error))
            return false;
        words += length;
    }
    return true;
}

static void print_value(char *value, size_t size, const Options *o, const Option *option)
{
    const char *word = "";
    switch (option->kind) {
    case KIND_INTEGER:
        snprintf(value, size, "%d", *integer_of(o, option));
        break;
    case KIND_REAL: /* short if that reads back to the same number, else all 17 digits */
        snprintf(value, size, "%.10g", *real_of(o, option));
        if (strtod(value, NULL) != *real_of(o, option))
            snprintf(value, size, "%.17g", *real_of(o, option));
        break;
    case KIND_CHOICE: {
        size_t length = word_at(option->words, *integer_of(o, option), &word);
        snprintf(value, size, "%.*s", (int)length, word);
        break;
    }
    case KIND_TEXT:
        snprintf(value, size, "%s", text_of(o, option));
        break;
    }
}

bool options_value(char *value, size_t size, const Options *o, const char *name)
{
    const Option *option = find(name);
    if (option)
        print_value(value, size, o, option);
    return option != NULL;
}

void options_write(char *text, size_t size, const Options *o)
{
    size_t at = 0;
    text[0] = 0;
    for (size_t i = 0; i < COUNT && at < size; i++) {
        char value[TEXT_OPTION];
        print_value(value, sizeof value, o, &table[i]);
        at += (size_t)snprintf(text + at, size - at, "%s\t%s\n", table[i].name, value);
    }
}

bool options_read(Options *o, const char *text, const char *path, Error *error)
{
    for (int line = 1; *text; line++) {
        char name[64], value[TEXT_OPTION];
        const size_t length = strcspn(text, "\n"), split = strcspn(text, "\t\n");
        if (split == length || split >= sizeof name || length - split > sizeof value)
            return fail(error,
                        "%s, line %d, is not `name <tab> value`; remove the run's folder to start it anew",
                        path, line);
        snprintf(name, sizeof name, "%.*s", (int)split, text);
        snprintf(value, sizeof value, "%.*s", (int)(length - split - 1), text + split + 1);
        Error why;
        if (name[0] != '#' && !options_set(o, name, value, &why))
            return fail(error, "%s, line %d: %.700s", path, line, why.text);
        text += length + (text[length] == '\n');
    }
    return true;
}

const char *options_difference(const Options *a, const Options *b)
{
    for (size_t i = 0; i < COUNT; i++) {
        char left[TEXT_OPTION], right[TEXT_OPTION];
        print_value(left, sizeof left, a, &table[i]);
        print_value(right, sizeof right, b, &table[i]);
        if (strcmp(left, right) != 0)
            return table[i].name;
    }
    return NULL;
}

const char *options_below(const Options *o, double least)
{
    for (size_t i = 0; i < COUNT; i++)
        if (table[i].kind == KIND_REAL && *real_of(o, &table[i]) != 0 && fabs(*real_of(o, &table[i])) < least)
            return table[i].name;
    return NULL;
}

void options_help(FILE *out)
{
    Options standard;
    options_default(&standard);
    for (size_t i = 0; i < COUNT; i++) {
        const Option *option = &table[i];
        char value[TEXT_OPTION];
        print_value(value, sizeof value, &standard, option);
        fprintf(out, "  --%s=", option->name);
        if (option->kind == KIND_CHOICE)
            fprintf(out, "%s", option->words);
        else if (option->kind == KIND_TEXT)
            fprintf(out, "TEXT");
        else
            fprintf(out, "%.10g..%.10g", option->least, option->most);
        fprintf(out, "  (%s)\n      %s\n", *value ? value : "none", option->help);
    }
}
