/* A queue of waiters in front of a flag. The lease is handed from one to the next, so that nobody
 * who comes later overtakes: a plain mutex lets a busy thread starve the others. */
#include "db/sqlite/lease.h"

#include <stddef.h>

#include "core/thread.h"
#include "core/time.h"

struct conv__lease_waiter {
    struct conv__lease_waiter *next;
    pthread_cond_t wake;
    bool granted;
};

bool conv__lease_init(conv__lease *lease)
{
    *lease = (conv__lease){.last = &lease->first};
    return pthread_mutex_init(&lease->mutex, NULL) == 0;
}

void conv__lease_destroy(conv__lease *lease)
{
    pthread_mutex_destroy(&lease->mutex);
}

static void leave_queue(conv__lease *lease, struct conv__lease_waiter *waiter)
{
    struct conv__lease_waiter **link = &lease->first;
    while (*link != waiter)
        link = &(*link)->next;
    *link = waiter->next;
    if (lease->last == &waiter->next) lease->last = link;
}

static void wait_for_turn(conv__lease *lease, struct conv__lease_waiter *waiter,
                          int64_t deadline_ns)
{
    while (!waiter->granted && !conv__deadline_passed(deadline_ns))
        (void)conv__condition_wait(&waiter->wake, &lease->mutex, deadline_ns);
}

bool conv__lease_acquire(conv__lease *lease, int64_t deadline_ns)
{
    pthread_mutex_lock(&lease->mutex);
    bool granted = !lease->taken;
    if (granted) {
        lease->taken = true;
    } else {
        struct conv__lease_waiter waiter = {0};
        conv__condition_init(&waiter.wake);
        *lease->last = &waiter;
        lease->last = &waiter.next;
        wait_for_turn(lease, &waiter, deadline_ns);
        granted = waiter.granted;
        if (!granted) leave_queue(lease, &waiter);
        pthread_cond_destroy(&waiter.wake);
    }
    pthread_mutex_unlock(&lease->mutex);
    return granted;
}

void conv__lease_release(conv__lease *lease)
{
    pthread_mutex_lock(&lease->mutex);
    struct conv__lease_waiter *next = lease->first;
    if (next == NULL) {
        lease->taken = false;
    } else {
        lease->first = next->next;
        if (lease->first == NULL) lease->last = &lease->first;
        next->granted = true;
        pthread_cond_signal(&next->wake);
    }
    pthread_mutex_unlock(&lease->mutex);
}
