/* Draining the journal: what waits goes to the store, in the order in which it was accepted. One
 * batch stands in drain_batch.c. */
#include "saving/saving_internal.h"

#include "core/thread.h"
#include "core/time.h"
#include "saving/drain_batch.h"

enum { IDLE_MS = 200, PARTS = 8 };

/* Whether something waits that was not held when all was last looked through, or is held no longer.
 * With the lock. */
static bool has_work(const conv__saving *saving)
{
    return saving->waiting > saving->left || conv__deadline_passed(conv__held_until(&saving->held));
}

/* Of what waits, so many are held; gives how many wait. */
static int64_t set_left(conv__saving *saving, int64_t left)
{
    pthread_mutex_lock(&saving->lock);
    saving->left = left;
    int64_t waiting = saving->waiting;
    pthread_mutex_unlock(&saving->lock);
    return waiting;
}

/* A batch of exchanges and one of usage records. When nothing was found all that waits is held: no
 * deletion came between, and what others bring is counted after it is in the journal. */
static bool drain_both(conv__saving *saving, int64_t deadline_ns, bool *more)
{
    bool more_usage = false;
    int64_t begun_ns = conv__monotonic_ns();
    conv__saving_begin_drain(saving);
    int64_t waiting = set_left(saving, 0);
    bool settled = conv__drain_exchanges(saving, deadline_ns, more) &&
                   conv__drain_usage(saving, deadline_ns, &more_usage);
    *more = *more || more_usage;
    /* A batch that a slow store, or a lock on one of its sessions, does not let through in time is
     * tried in parts. */
    if (!settled && saving->at_once > 1)
        saving->at_once = saving->at_once > PARTS ? saving->at_once / PARTS : 1;
    else if (settled && saving->at_once < CONV__DRAIN_BATCH)
        saving->at_once *= 2;
    if (settled && !*more) {
        conv__held_forget(&saving->held, begun_ns);
        (void)set_left(saving, waiting);
    }
    conv__saving_release_drain(saving, deadline_ns);
    return settled;
}

/* Whether the time is over; the thread's is when closing, which then drains by itself, begins. */
static bool is_over(conv__saving *saving, int64_t deadline_ns)
{
    pthread_mutex_lock(&saving->lock);
    bool stopping = saving->stopping;
    pthread_mutex_unlock(&saving->lock);
    return conv__deadline_passed(deadline_ns) || (stopping && deadline_ns == CONV__NO_DEADLINE);
}

bool conv__drain_all(conv__saving *saving, int64_t deadline_ns)
{
    if (saving->at_once == 0) saving->at_once = CONV__DRAIN_BATCH;
    pthread_mutex_lock(&saving->lock);
    bool more = has_work(saving);
    pthread_mutex_unlock(&saving->lock);
    if (more && !conv__saving_prove(saving)) return false;
    while (more) {
        if (is_over(saving, deadline_ns)) return false;
        if (!drain_both(saving, deadline_ns, &more)) return false;
    }
    return true;
}

/* When to try again what failed. A store that is away has its own time; where that is over, it was
 * not the store that failed. With the lock. */
static int64_t next_try(const conv__saving *saving)
{
    bool later = saving->away && !conv__deadline_passed(saving->retry_at_ns);
    return later ? saving->retry_at_ns : conv__deadline_in_ms(IDLE_MS);
}

void conv__drain_until(conv__saving *saving, int64_t deadline_ns)
{
    saving->held.count = 0; /* everything is tried once more */
    (void)set_left(saving, 0);
    while (!conv__drain_all(saving, deadline_ns)) {
        pthread_mutex_lock(&saving->lock);
        int64_t until = next_try(saving);
        if (until > deadline_ns) until = deadline_ns;
        while (conv__condition_wait(&saving->wake, &saving->lock, until))
            ;
        pthread_mutex_unlock(&saving->lock);
        if (conv__deadline_passed(deadline_ns)) return;
    }
}

/* Until there is something to do, or the time has come to try again what failed. */
static bool wait_for_work(conv__saving *saving, bool failed)
{
    pthread_mutex_lock(&saving->lock);
    int64_t until = next_try(saving);
    int64_t held_until = conv__held_until(&saving->held);
    if (held_until < until && !failed) until = held_until;
    bool nothing = !has_work(saving) && saving->done_count < CONV__DRAIN_BATCH;
    if (!saving->stopping && (nothing || failed))
        (void)conv__condition_wait(&saving->wake, &saving->lock, until);
    bool go_on = !saving->stopping;
    pthread_mutex_unlock(&saving->lock);
    return go_on;
}

void *conv__drain_run(void *context)
{
    conv__saving *saving = context;
    bool turns_known = false;
    bool failed = false;
    while (wait_for_work(saving, failed)) {
        conv__saving_sweep_notes(saving);
        failed = !conv__saving_may_drain(saving) || !conv__saving_prove(saving);
        if (failed) continue;
        if (!turns_known) turns_known = conv__saving_forget_completed_turns(saving);
        failed = !conv__drain_all(saving, CONV__NO_DEADLINE);
        conv__saving_not_tried(saving);
    }
    conv__saving_sweep_notes(saving);
    return NULL;
}
