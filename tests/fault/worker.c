/* See worker.h. */
#include "fault/worker.h"

#include <dirent.h>
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

/* Of this process: what a folder of /proc has, without the folder itself. */
static long count_own(const char *folder)
{
    long count = 0;
    DIR *open = opendir(folder);
    if (open == NULL) _exit(99);
    for (const struct dirent *one = readdir(open); one != NULL; one = readdir(open))
        count += one->d_name[0] != '.';
    closedir(open);
    return count;
}

/* A thread that was joined may still be on its way out of the system's list. */
static long count_threads(long expected)
{
    long count = count_own("/proc/self/task");
    for (int ms = 0; count > expected && ms < 1000; ms++) {
        usleep(1000);
        count = count_own("/proc/self/task");
    }
    return count;
}

worker_holdings worker_hold(void)
{
    return (worker_holdings){count_own("/proc/self/fd"), count_own("/proc/self/task")};
}

bool worker_has_left(const worker_holdings *before)
{
    long threads = count_threads(before->threads) - before->threads;
    long descriptors = count_own("/proc/self/fd") - before->descriptors;
    if (descriptors > 0) fprintf(stderr, "violation: %ld descriptors left open\n", descriptors);
    if (threads > 0) fprintf(stderr, "violation: %ld threads go on\n", threads);
    return descriptors > 0 || threads > 0;
}
