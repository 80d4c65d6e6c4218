/* See worker.h. */
#include "fault/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void start(worker *self, void (*work)(void *context, int end), void *context)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0 ||
        (self->process = fork()) < 0) {
        perror("starting a worker");
        exit(99);
    }
    if (self->process == 0) {
        close(ends[0]);
        work(context, ends[1]);
        _exit(0);
    }
    close(ends[1]);
    self->end = ends[0];
}

bool worker_send(worker *self, void (*work)(void *context, int end), void *context,
                 const void *order, size_t size)
{
    if (self->process == 0) start(self, work, context);
    return send(self->end, order, size, MSG_NOSIGNAL) == (ssize_t)size;
}

int worker_end(worker *self)
{
    int status = 0;
    if (self->process == 0) return 0;
    close(self->end);
    waitpid(self->process, &status, 0);
    self->process = 0;
    return status;
}
