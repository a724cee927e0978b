/* The two ends of the process that reads an HDF5 file. See hdf5_reader.h. */
#include "hdf5_reader.h"
#include "hdf5_image.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READING_SECONDS = 60 }; /* of one answer */

bool hdf5_reader_here;

struct Hdf5Reader {
    pid_t process; /* -1 once it has been waited for, or if there is none */
    int socket, ended;
    hid_t file;    /* where there is no process; else -1 */
    void *content; /* of its last answer */
    const char *path;
};

/* Both ends: all of it, or false. A process that has ended must not end this one by SIGPIPE. */
static bool give(int socket, const void *bytes, size_t count)
{
    for (const char *at = bytes; count > 0;) {
        const ssize_t given = send(socket, at, count < 1u << 30 ? count : 1u << 30, MSG_NOSIGNAL);
        if (given < 0 && errno == EINTR)
            continue;
        if (given <= 0)
            return false;
        at += given;
        count -= (size_t)given;
    }
    return true;
}

static bool take(void *bytes, size_t count, int socket)
{
    for (char *at = bytes; count > 0;) {
        const ssize_t taken = recv(socket, at, count < 1u << 30 ? count : 1u << 30, 0);
        if (taken < 0 && errno == EINTR)
            continue;
        if (taken <= 0)
            return false;
        at += taken;
        count -= (size_t)taken;
    }
    return true;
}

/* What a crash would print or leave is the caller's sentence alone, and a Ctrl-C is the caller's: with it
 * this process ends too. */
static void leave_callers_ways(void)
{
    static const struct rlimit no_core = {0, 0};
    sigset_t none;
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGALRM, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setrlimit(RLIMIT_CORE, &no_core);
    const int nowhere = open("/dev/null", O_WRONLY);
    if (nowhere >= 0)
        dup2(nowhere, STDERR_FILENO);
}

/* Answers until the caller closes its end. */
static _Noreturn void answer(int socket, const void *bytes, size_t count)
{
    Hdf5Request request;
    leave_callers_ways();
    alarm(READING_SECONDS);
    const hid_t file = hdf5_image_open(bytes, count);
    alarm(0);
    while (take(&request, sizeof request, socket)) {
        void *content = NULL;
        alarm(READING_SECONDS);
        Hdf5Reply reply = {.status = HDF5_MISSING};
        if (file >= 0)
            reply = hdf5_answer(&content, file, &request);
        alarm(0);
        if (!give(socket, &reply, sizeof reply) || !give(socket, content, reply.bytes))
            break;
        free(content);
    }
    _exit(EXIT_SUCCESS);
}

/* The caller's side of a question; the content is still to be taken. */
static Hdf5Reply ask(Hdf5Reader *reader, Hdf5Question question, const char *name, size_t count)
{
    Hdf5Request request = {.question = question, .count = count};
    Hdf5Reply reply;
    assert(strlen(name) < sizeof request.name);
    memcpy(request.name, name, strlen(name));
    if (reader->file >= 0) {
        free(reader->content);
        return hdf5_answer(&reader->content, reader->file, &request);
    }
    if (reader->process < 0 || !give(reader->socket, &request, sizeof request) ||
        !take(&reply, sizeof reply, reader->socket))
        return (Hdf5Reply){.status = HDF5_CRASHED};
    return reply;
}

/* A reply that does not have the bytes that it should is one of a process that has lost its way. */
static Hdf5Status take_content(void *content, size_t bytes, const Hdf5Reply *reply, Hdf5Reader *reader)
{
    if (reply->status != HDF5_FOUND)
        return reply->bytes == 0 ? reply->status : HDF5_CRASHED;
    if (reply->bytes == bytes && reader->file >= 0)
        memcpy(content, reader->content, bytes);
    else if (reply->bytes != bytes || !take(content, bytes, reader->socket))
        return HDF5_CRASHED;
    return HDF5_FOUND;
}

static void wait_for(Hdf5Reader *reader)
{
    if (reader->process < 0)
        return;
    shutdown(reader->socket, SHUT_RDWR); /* also where another process holds this end open */
    while (waitpid(reader->process, &reader->ended, 0) < 0 && errno == EINTR)
        continue;
    reader->process = -1;
}

bool hdf5_reader_crashed(Hdf5Reader *reader, Error *error)
{
    wait_for(reader);
    const int signal = WIFSIGNALED(reader->ended) ? WTERMSIG(reader->ended) : 0;
    if (signal == SIGKILL)
        return fail(error, "%s: the process that read it was killed: free some memory and try again",
                    reader->path);
    if (signal == SIGALRM)
        return fail(error, "%s is damaged: HDF5 took over %d s to read of it; write it again", reader->path,
                    READING_SECONDS);
    return fail(error, "%s is damaged: HDF5 crashed on it; write it again", reader->path);
}

static Hdf5Reader *open_here(const void *bytes, size_t count, const char *path)
{
    Hdf5Reader *reader = malloc(sizeof *reader);
    if (!reader)
        return NULL;
    *reader = (Hdf5Reader){-1, -1, 0, hdf5_image_open(bytes, count), NULL, path};
    if (reader->file >= 0)
        return reader;
    free(reader);
    return NULL;
}

Hdf5Reader *hdf5_reader_open(const void *bytes, size_t count, const char *path, Error *error)
{
    int ends[2] = {-1, -1};
    fail(error, "%s", "");
    if (hdf5_reader_here)
        return open_here(bytes, count, path);
    Hdf5Reader *reader = malloc(sizeof *reader);
    const bool paired = reader && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0;
    const pid_t process = paired ? fork() : -1;
    if (process == 0) {
        close(ends[0]);
        free(reader); /* the caller's */
        answer(ends[1], bytes, count);
    }
    if (process < 0) {
        fail(error, "%s: no process to read it in: %s; end some programs and try again", path,
             strerror(errno));
        if (paired) {
            close(ends[0]);
            close(ends[1]);
        }
        free(reader);
        return NULL;
    }
    close(ends[1]);
    *reader = (Hdf5Reader){.process = process, .socket = ends[0], .file = -1, .path = path};
    const Hdf5Status status = ask(reader, HDF5_OPEN, "", 0).status;
    if (status == HDF5_FOUND)
        return reader;
    if (status == HDF5_CRASHED)
        hdf5_reader_crashed(reader, error);
    hdf5_reader_close(reader);
    return NULL;
}

void hdf5_reader_close(Hdf5Reader *reader)
{
    wait_for(reader);
    if (reader->file >= 0)
        H5Fclose(reader->file);
    else
        close(reader->socket);
    free(reader->content);
    free(reader);
}

Hdf5Status hdf5_reader_shape(int *rank, uint64_t dims[HDF5_RANK], Hdf5Reader *reader, const char *name)
{
    const Hdf5Reply reply = ask(reader, HDF5_SHAPE, name, 0);
    if (reply.status == HDF5_FOUND && (reply.bytes != 0 || reply.rank < 0 || reply.rank > HDF5_RANK))
        return HDF5_CRASHED;
    *rank = reply.rank;
    memcpy(dims, reply.dims, sizeof reply.dims);
    return reply.status;
}

Hdf5Status hdf5_reader_values(double *values, size_t count, Hdf5Reader *reader, const char *name)
{
    const Hdf5Reply reply = ask(reader, HDF5_VALUES, name, count);
    return take_content(values, count * sizeof *values, &reply, reader);
}

Hdf5Status hdf5_reader_text(char *text, size_t size, size_t *bytes, Hdf5Reader *reader, const char *name)
{
    const Hdf5Reply reply = ask(reader, HDF5_TEXT, name, size);
    if (bytes)
        *bytes = (size_t)reply.dims[0];
    if (reply.status == HDF5_FOUND && (reply.bytes < 1 || reply.bytes > size))
        return HDF5_CRASHED;
    const Hdf5Status status = take_content(text, reply.bytes, &reply, reader);
    return status == HDF5_FOUND && text[reply.bytes - 1] != 0 ? HDF5_CRASHED : status;
}

pid_t hdf5_reader_process(const Hdf5Reader *reader)
{
    return reader->process;
}
