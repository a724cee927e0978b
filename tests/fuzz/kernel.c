/* Readers of build/kernel: the HDF5 file as bytes, and jobs on files that are sound HDF5. */
#include "../../experiments/base/files.h"
#include "../../experiments/base/hdf5_image.h"
#include "../../experiments/base/hdf5_reader.h"
#include "../../experiments/programs/kernel/operations.h"
#include "harness.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const sets[] = {"ref", "f32", "bf16"};
enum { SETS = 3, MOST_NUMBERS = 4096 };

/* Reads the job's file; a small one that is accepted is run, and every result is an array of its shape. */
static void run_job(const char *pass, const char *set)
{
    static Job job;
    size_t numbers = 0;
    Error error = {""};
    job = (Job){0};
    job.operation = operation_find(&job.backward, pass);
    if (!job.operation)
        return;
    job.kernels = kernels_best(set);
    const bool read = job_read(&job, scratch("in.h5"), &error);
    expect_sentence(read, &error);
    for (int i = 0; read && i < job.output_count; i++) {
        const Array *a = &job.outputs[i].array;
        size_t count = 1;
        for (int d = 0; d < a->rank; d++)
            count *= (size_t)a->dims[d];
        expect(count == a->count && a->values, "an output has room for its shape");
        numbers += a->count;
    }
    for (int i = 0; read && i < job.input_count; i++)
        numbers += job.inputs[i].array.count;
    if (read && numbers <= 8 * MOST_NUMBERS)
        expect_sentence(job_run(&job, &error), &error);
    job_free(&job);
}

/* Byte 0 says which pass, byte 1 in which set; the rest is the file. */
void fuzz_kernel(const uint8_t *bytes, size_t count)
{
    char list[64];
    if (count < 2)
        return;
    const Operation *o = &operations[bytes[0] / 2 % operations_count];
    snprintf(list, sizeof list, "%s%s", o->name, !o->backward ? "" : bytes[0] % 2 ? "_backward" : "_forward");
    scratch_put("in.h5", bytes + 2, count - 2);
    run_job(list, sets[bytes[1] % SETS]);
}

static void put_array(hid_t file, const char *name, const char *shape)
{
    static double values[MOST_NUMBERS];
    hsize_t dims[8];
    size_t count = 1;
    int rank = 0;
    for (char *end; rank < 8 && *shape; shape = *end == ',' ? end + 1 : end) {
        dims[rank] = strtoull(shape, &end, 10);
        if (end == shape || dims[rank] > MOST_NUMBERS || (count *= dims[rank]) > MOST_NUMBERS)
            return;
        rank++;
    }
    for (size_t i = 0; i < count; i++)
        values[i] = (double)((int)(i * 2654435761u >> 20 & 0xff) - 128) / 128;
    hdf5_image_put(file, name, H5T_IEEE_F64LE, rank, dims, values);
}

static void put_list(hid_t file, const char *name, const char *list)
{
    double values[64];
    hsize_t count = 0;
    for (char *end; count < 64 && *list; list = *end == ',' ? end + 1 : end) {
        values[count] = strtod(list, &end);
        if (end == list)
            break;
        count++;
    }
    hdf5_image_put(file, name, H5T_IEEE_F64LE, 1, &count, values);
}

/* x:2,3 an array of this shape; eps=0.1 a number; labels#0,1 an array of these; mode@max a word. */
static void put_item(hid_t file, char *item)
{
    char *mark = item + strcspn(item, ":=#@"), kind = *mark;
    if (!kind || mark == item)
        return;
    *mark++ = 0;
    const double value = strtod(mark, NULL);
    if (kind == ':')
        put_array(file, item, mark);
    else if (kind == '=')
        hdf5_image_put(file, item, H5T_IEEE_F64LE, 0, NULL, &value);
    else if (kind == '#')
        put_list(file, item, mark);
    else
        hdf5_image_word(file, item, mark);
}

/* A line `PASS SET`, then the items of its file between blanks. */
void fuzz_job(const uint8_t *bytes, size_t count)
{
    char *text = text_of(bytes, count), *rest = NULL;
    const char *pass = strtok_r(text, " \n", &rest), *set = strtok_r(NULL, " \n", &rest);
    void *file_bytes = NULL;
    size_t size = 0;
    if (pass && set) {
        hid_t file = hdf5_image_create();
        expect(file >= 0, "HDF5 makes a file");
        for (char *item = strtok_r(NULL, " \n", &rest); item; item = strtok_r(NULL, " \n", &rest))
            put_item(file, item);
        expect(hdf5_image_bytes(file, &file_bytes, &size), "HDF5 finishes a file");
        H5Fclose(file);
        scratch_put("in.h5", file_bytes, size);
        free(file_bytes);
        hdf5_reader_here = true;
        run_job(pass, set);
        hdf5_reader_here = false;
    }
    free(text);
}
