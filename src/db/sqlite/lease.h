/* Who may use the one connection: a fair lock with a deadline. Knows nothing of SQLite. */
#ifndef CONV__DB_SQLITE_LEASE_H
#define CONV__DB_SQLITE_LEASE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct conv__lease {
    pthread_mutex_t mutex;
    bool taken;
    struct conv__lease_waiter *first;
    struct conv__lease_waiter **last;
} conv__lease;

bool conv__lease_init(conv__lease *lease); /* false: the system has no mutex left */
void conv__lease_destroy(conv__lease *lease);

/* Waits in the order of arrival. False when the deadline passed first; a free lease is given out
 * even then. It may be released by another thread. */
bool conv__lease_acquire(conv__lease *lease, int64_t deadline_ns);
void conv__lease_release(conv__lease *lease);

#endif
