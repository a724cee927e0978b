/* Files of a run: a temporary name in the same folder, then fsync, rename, fsync of the folder. */
#include "files.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the user can do about an errno. */
static const char *remedy(int why)
{
    switch (why) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return "free some space or raise the limit, then run again";
    case EACCES:
    case EPERM:
    case EROFS:
        return "choose a folder that you may write to";
    case ENOENT:
    case ENOTDIR:
        return "check the path";
    default:
        return "check the disk and the path";
    }
}

static bool is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* The only sure check is to make a file: root passes every access(). */
static bool check_writable(const char *folder, Error *error)
{
    char probe[PATH_MAX];
    if ((size_t)snprintf(probe, sizeof probe, "%s/.writable-XXXXXX", folder) >= sizeof probe)
        return fail(error, "the folder's name %.80s... is too long; choose a shorter one", folder);
    int descriptor = mkstemp(probe);
    if (descriptor < 0)
        return fail(error, "cannot make files in %s: %s; %s", folder, strerror(errno), remedy(errno));
    close(descriptor);
    unlink(probe);
    return true;
}

bool folder_make(const char *folder, Error *error)
{
    char path[PATH_MAX];
    size_t length = strlen(folder);
    if (length == 0 || length >= sizeof path)
        return fail(error, "a folder's name must have 1 to %d bytes, not %zu; choose another", PATH_MAX - 1,
                    length);
    memcpy(path, folder, length + 1);
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != 0)
            continue;
        char end = path[i];
        path[i] = 0;
        if (mkdir(path, 0777) != 0) {
            int why = errno;
            if (!is_folder(path))
                return fail(error, "cannot make the folder %s: %s: %s; %s", folder, path,
                            why == EEXIST ? "no folder" : strerror(why), remedy(why));
        }
        path[i] = end;
    }
    return check_writable(folder, error);
}

FileKind file_kind(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return FILE_ABSENT;
    return S_ISREG(status.st_mode) ? FILE_PLAIN : FILE_OTHER;
}

bool file_exists(const char *path)
{
    return file_kind(path) == FILE_PLAIN;
}

bool file_is_being_written(const char *path)
{
    const int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    const bool locked = flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(descriptor);
    return locked;
}

static bool write_all(int descriptor, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t written = write(descriptor, bytes, count < 1u << 30 ? count : 1u << 30);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        bytes += written;
        count -= (size_t)written;
    }
    return true;
}

bool file_write(const char *path, const void *bytes, size_t count, Error *error)
{
    char temporary[PATH_MAX];
    if ((size_t)snprintf(temporary, sizeof temporary, "%s.tmp", path) >= sizeof temporary)
        return fail(error, "the file name %.80s... is too long; choose a shorter one", path);
    /* What a killed process, or anybody, left under this name is not written through. */
    unlink(temporary);
    int descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0)
        return fail(error, "cannot create %s: %s; %s", temporary, strerror(errno), remedy(errno));
    bool written = write_all(descriptor, bytes, count);
    int why = errno;
    if (close(descriptor) != 0 && written) {
        written = false;
        why = errno;
    }
    if (!written) {
        unlink(temporary);
        return fail(error, "cannot write %s: %s; %s", path, strerror(why), remedy(why));
    }
    return file_commit(temporary, path, error);
}

static bool read_all(char **bytes, size_t *count, int descriptor, size_t expected)
{
    size_t capacity = expected + 2, filled = 0; /* the 0 at the end, and room to meet the end of the file */
    char *buffer = malloc(capacity);
    while (buffer != NULL) {
        if (filled + 1 == capacity) {
            char *larger = capacity <= SIZE_MAX / 2 ? realloc(buffer, 2 * capacity) : NULL;
            if (larger == NULL)
                break;
            buffer = larger;
            capacity *= 2;
        }
        ssize_t got = read(descriptor, buffer + filled, capacity - filled - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            break;
        if (got == 0) {
            buffer[filled] = 0;
            *bytes = buffer;
            *count = filled;
            return true;
        }
        filled += (size_t)got;
    }
    free(buffer);
    return false;
}

bool file_read(char **bytes, size_t *count, const char *path, Error *error)
{
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* without, opening a pipe waits */
    if (descriptor < 0)
        return fail(error, "cannot open %s: %s; %s", path, strerror(errno), remedy(errno));
    struct stat status;
    bool known = fstat(descriptor, &status) == 0;
    if (known && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
        close(descriptor);
        return fail(error, "%s is a pipe or a device, not a plain file: name a file", path);
    }
    errno = ENOMEM;
    bool read = read_all(bytes, count, descriptor, known ? (size_t)status.st_size : 4096);
    int why = errno;
    close(descriptor);
    return read || fail(error, "cannot read %s: %s; %s", path, strerror(why), remedy(why));
}

void sha256_hex(char hex[65], const void *bytes, size_t count)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    if (SHA256(bytes, count, digest) == NULL) {
        Error error;
        fail(&error, "OpenSSL cannot compute SHA-256; check its installation and the free memory");
        die("sha256", &error);
    }
    for (int i = 0; i < SHA256_DIGEST_LENGTH; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

static bool sync_path(const char *path, int flags)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | flags);
    if (descriptor < 0)
        return false;
    bool synced =
        fsync(descriptor) == 0 || errno == EINVAL; /* EINVAL: this file system has nothing to sync */
    int why = errno;
    close(descriptor);
    errno = why;
    return synced;
}

/* A rename would replace a device or a socket by a plain file. */
static bool is_replaceable(const char *path)
{
    struct stat status;
    return stat(path, &status) != 0 || S_ISREG(status.st_mode);
}

bool file_commit(const char *temporary, const char *path, Error *error)
{
    if (!is_replaceable(path)) {
        unlink(temporary);
        return fail(error, "%s is no plain file and is not replaced; choose another name", path);
    }
    if (!sync_path(temporary, 0) || rename(temporary, path) != 0) {
        int why = errno;
        unlink(temporary);
        return fail(error, "cannot put %s in place: %s; %s", path, strerror(why), remedy(why));
    }
    char folder[PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');
    if (slash != NULL) {
        size_t length = slash == path ? 1 : (size_t)(slash - path);
        assert(length < sizeof folder); /* rename accepted the whole path */
        memcpy(folder, path, length);
        folder[length] = 0;
    }
    return sync_path(folder, O_DIRECTORY) ||
           fail(error, "cannot sync the folder %s: %s; %s", folder, strerror(errno), remedy(errno));
}
