/* Threads and conditions of the library's own. Knows nothing of what they do. */
#ifndef CONV__CORE_THREAD_H
#define CONV__CORE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Starts a thread with all signals blocked: those are for the application's own threads. False when
 * there are none left. */
bool conv__thread_start(pthread_t *thread, void *(*run)(void *context), void *context);

/* A condition whose timed waits are of the monotonic clock. */
void conv__condition_init(pthread_cond_t *condition);

/* Waits for a signal or the deadline, CONV__NO_DEADLINE included; false when it has passed. */
bool conv__condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t deadline_ns);

/* A lock for what may take long: whoever waits for it does so no longer than a deadline. */
typedef struct conv__timed_lock {
    pthread_mutex_t mutex;
    pthread_cond_t released;
    bool taken;
} conv__timed_lock;

void conv__timed_lock_init(conv__timed_lock *lock);
void conv__timed_lock_destroy(conv__timed_lock *lock);

/* False: the deadline has passed and others still have it. */
bool conv__timed_lock_take(conv__timed_lock *lock, int64_t deadline_ns);
void conv__timed_lock_release(conv__timed_lock *lock);

#endif
