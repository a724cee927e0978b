/* The last word. The watching process reads a socket, whose other end the kernel closes when this process
 * ends, however it does: what it has read by then is the sentence, or ends in the sign of a good end. */
#include "watch.h"
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char good_end = 0;
static int to_watcher = -1;
static pid_t watcher;

/* mpirun kills the others of a job as groups of processes, watchers with them: so the rank that died first
 * has the last word, and no other. */
static void watch(int from)
{
    char text[2048];
    size_t count = 0;
    ssize_t got;
    while ((got = read(from, text + count, sizeof text - count)) > 0)
        count += (size_t)got;
    if (count > 0 && text[count - 1] != good_end)
        (void)!write(STDERR_FILENO, text, count);
    _exit(0);
}

void watch_begin(void)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        return; /* the job goes on without a last word */
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    watcher = fork();
    if (watcher == 0) {
        close(ends[1]);
        watch(ends[0]);
    }
    close(ends[0]);
    if (watcher < 0)
        close(ends[1]);
    else
        to_watcher = ends[1];
}

void watch_say(const char *sentence)
{
    if (to_watcher >= 0)
        send(to_watcher, sentence, strlen(sentence), MSG_NOSIGNAL);
}

void watch_end(void)
{
    if (to_watcher < 0)
        return;
    send(to_watcher, &good_end, 1, MSG_NOSIGNAL);
    close(to_watcher);
    to_watcher = -1;
    waitpid(watcher, NULL, 0);
}
