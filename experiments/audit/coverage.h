/* Which sentence of the paper which claim covers. The paper is not in the project: sentences are known by
 * their hash, and the reader's own copy is cut and hashed anew. */
#ifndef NOPOOL_COVERAGE_H
#define NOPOOL_COVERAGE_H

#include "claims.h"
#include <stdio.h>

typedef struct {
    char section[24];
    int number; /* from 1 in its section */
    char sha256[65];
    char *words; /* normalised */
} Sentence;

typedef struct {
    Sentence *sentences;
    int count;
} Paper;

/* Reads a copy as text: headings such as "3.2. Multi-resolution Convolution" begin sections, captions and
 * table rows are sections of their own (`table-1`, `figure-2`), equations between $$ stand in `equations`;
 * line numbers and the references are left out. A sentence is normalised to its letters and digits, in small
 * letters, one blank between words, so that line breaks, hyphens and marks of a copy do not matter. */
bool paper_read(Paper *paper, const char *path, Error *error);
void paper_free(Paper *paper);

/* Whether the sentence SECTION-NUMBER has these words, normalised. */
bool paper_has(const Paper *paper, const char *sentence, const char *words);

/* Whether any sentence has them, from the beginning of a word on. */
bool paper_says(const Paper *paper, const char *words);

/* The words of a text as above; the caller frees. NULL without memory. */
char *normalised(const char *text, size_t length);

/* Checks paper/coverage.tsv (section, sentence, sha256, claims) against the claims and, if the reader gave
 * one, against a copy; a sentence a line on out for what is wrong: a claim that no line names, a line that
 * names none (write "no claim"), an id that no claim has, a sentence of the copy that is not covered or has
 * another hash. Returns how many. */
int coverage_check(const Tsv *coverage, const Claims *claims, const Paper *paper, FILE *out);
extern const char coverage_header[];

/* Prints coverage.tsv anew from a copy: hashes from the copy, claims from the lines of before with that hash,
 * "?" where there is none. */
void coverage_print(const Tsv *before, const Paper *paper, FILE *out);

#endif
