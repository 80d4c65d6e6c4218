/* A process beside the campaign's own that does its trials, one after the other: to make one for
 * each would cost more than most of what a trial does. */
#ifndef TESTS_FAULT_WORKER_H
#define TESTS_FAULT_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* All zero before the first order. */
typedef struct worker {
    pid_t process; /* or 0 */
    int end;       /* of the socket to it */
} worker;

/* Sends an order. Without a process one is started first, which calls `work` with its end of the
 * socket and reads its orders there; it ends when `work` returns, as it must when there is nothing
 * to read any more. False: it has ended. */
bool worker_send(worker *self, void (*work)(void *context, int end), void *context,
                 const void *order, size_t size);

/* Ends it, and gives what waitpid says of it; 0 if there is none. */
int worker_end(worker *self);

/* What this process has and a trial must give back, because the process does the next one, too. */
typedef struct worker_holdings {
    long descriptors;
    long threads;
} worker_holdings;

worker_holdings worker_hold(void);

/* Says what there is more than before. */
bool worker_has_left(const worker_holdings *before);

#endif
