/* See checkpoint_change.h. */
#include "checkpoint_change.h"
#include "../experiments/base/files.h"
#include "program.h"
#include <check.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A checkpoint whose hash is right. */
static void sign(const char *folder, const char *path)
{
    char *bytes, hash[65];
    size_t count;
    ck_assert(file_read(&bytes, &count, path, NULL));
    sha256_hex(hash, bytes, count);
    free(bytes);
    program_put("checkpoint.sha256", folder, "%s", hash);
}

void checkpoint_change(const char *folder, const char *name, int at, double value)
{
    double numbers[4096];
    char path[256];
    snprintf(path, sizeof path, "%s/%s/checkpoint.h5", program_folder, folder);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t data = H5Dopen2(file, name, H5P_DEFAULT);
    ck_assert_msg(data >= 0, "no %s", name);
    ck_assert(H5Dread(data, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers) >= 0);
    numbers[at] = value;
    ck_assert(H5Dwrite(data, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers) >= 0);
    H5Dclose(data);
    H5Fclose(file);
    sign(folder, path);
}
