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

#endif
