/* The lock of a folder: flock on a file in it. The file stays: removing it would let two processes lock two
 * files of one name. */
#include "lock.h"
#include "files.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* "process 123 on host", as the owner wrote it. */
static void read_owner(char *owner, size_t size, int descriptor)
{
    const ssize_t count = pread(descriptor, owner, size - 1, 0);
    owner[count > 0 ? count : 0] = 0;
    owner[strcspn(owner, "\n")] = 0;
    if (!*owner)
        snprintf(owner, size, "another process");
}

static void write_owner(int descriptor)
{
    char owner[256], host[128] = "this host";
    gethostname(host, sizeof host - 1);
    const int length = snprintf(owner, sizeof owner, "process %ld on %s\n", (long)getpid(), host);
    /* Who it is is a help for people: the lock holds without. */
    if (ftruncate(descriptor, 0) == 0 && pwrite(descriptor, owner, (size_t)length, 0) != length)
        (void)!ftruncate(descriptor, 0);
}

bool folder_lock(int *descriptor, const char *folder, Error *error)
{
    char path[PATH_MAX], owner[256];
    struct stat status;
    *descriptor = -1;
    if ((size_t)snprintf(path, sizeof path, "%s/lock", folder) >= sizeof path)
        return fail(error, "the folder's name %.80s... is too long; choose a shorter one", folder);
    const int opened = open(path, O_RDWR | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0666);
    if (opened < 0)
        return fail(error, "cannot lock %s: %s; choose a folder that you may write to", path,
                    strerror(errno));
    if (fstat(opened, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(opened);
        return fail(error, "%s is no plain file: remove it", path);
    }
    if (flock(opened, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        read_owner(owner, sizeof owner, opened);
        close(opened);
        return fail(error, "%s is in use by %s: wait until that has ended, or choose another folder", folder,
                    owner);
    }
    write_owner(opened);
    *descriptor = opened;
    return true;
}

void folder_unlock(int descriptor)
{
    if (descriptor >= 0)
        close(descriptor);
}
