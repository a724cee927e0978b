/* Start and end of a program. */
#include "program.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void program_begin(void)
{
    signal(SIGXFSZ, SIG_IGN);
    /* Opened for reading: writing to a closed standard output fails as it would have. */
    for (int stream = 0; stream <= 2; stream++)
        if (fcntl(stream, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != stream)
            _Exit(EXIT_FAILURE);
}

bool program_asks_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

int program_end(const char *program)
{
    const bool failed = ferror(stdout);
    errno = 0;
    if (fclose(stdout) == 0 && !failed)
        return EXIT_SUCCESS;
    fprintf(stderr, "%s: not all of the output could be written: %s; free some space or write it elsewhere\n",
            program, errno ? strerror(errno) : "an earlier write failed");
    return EXIT_FAILURE;
}
