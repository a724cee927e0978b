/* What a reader of an HDF5 file asks, and the answer: the part that calls HDF5 on bytes of unknown origin. It
 * runs in a process of its own (hdf5_reader.h). */
#ifndef NOPOOL_HDF5_ANSWERS_H
#define NOPOOL_HDF5_ANSWERS_H

#include <hdf5.h>
#include <stddef.h>
#include <stdint.h>

enum { HDF5_NAME = 64, HDF5_RANK = 8 };

typedef enum {
    HDF5_FOUND,
    HDF5_MISSING,    /* nothing has this name */
    HDF5_NO_DATASET, /* something else has it, or the file is damaged there */
    HDF5_ELSEWHERE,  /* its numbers are in another file */
    HDF5_NO_NUMBERS, /* it holds neither floating-point nor integer numbers */
    HDF5_NO_SHAPE,   /* it has no numbers at all (a null dataspace), or more than HDF5_RANK dimensions */
    HDF5_NO_TEXT,    /* it is not a single string */
    HDF5_TOO_LONG,   /* it is a string, but has more bytes than asked for */
    HDF5_UNREADABLE, /* damaged, compressed in a way that is unknown here, or too large for the memory */
    HDF5_CRASHED     /* the process that read the file has ended */
} Hdf5Status;

typedef enum { HDF5_OPEN, HDF5_SHAPE, HDF5_VALUES, HDF5_TEXT } Hdf5Question;

typedef struct {
    Hdf5Question question;
    char name[HDF5_NAME]; /* of a dataset, or of an attribute of the root group */
    size_t count;         /* values: how many there are; text: the most bytes, its 0 included */
} Hdf5Request;

typedef struct {
    Hdf5Status status;
    int rank;                 /* of a shape */
    uint64_t dims[HDF5_RANK]; /* of a shape; of a text that is too long dims[0] is its bytes */
    size_t bytes;             /* of the content */
} Hdf5Reply;

/* Answers from an open file. *content is the caller's to free: doubles, or a text with its 0; NULL if there
 * is none. */
Hdf5Reply hdf5_answer(void **content, hid_t file, const Hdf5Request *request);

#endif
