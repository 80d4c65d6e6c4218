/* Starting threads, and waiting by the monotonic clock. */
#include "core/thread.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "core/time.h"

bool conv__thread_start(pthread_t *thread, void *(*run)(void *context), void *context)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(thread, NULL, run, context);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code == 0;
}

void conv__condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

bool conv__condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t deadline_ns)
{
    if (deadline_ns == CONV__NO_DEADLINE) {
        pthread_cond_wait(condition, lock);
        return true;
    }
    struct timespec until = {deadline_ns / 1000000000, deadline_ns % 1000000000};
    return pthread_cond_timedwait(condition, lock, &until) != ETIMEDOUT;
}

void conv__timed_lock_init(conv__timed_lock *lock)
{
    pthread_mutex_init(&lock->mutex, NULL);
    conv__condition_init(&lock->released);
    lock->taken = false;
}

void conv__timed_lock_destroy(conv__timed_lock *lock)
{
    pthread_cond_destroy(&lock->released);
    pthread_mutex_destroy(&lock->mutex);
}

bool conv__timed_lock_take(conv__timed_lock *lock, int64_t deadline_ns)
{
    pthread_mutex_lock(&lock->mutex);
    bool free = true;
    while (free && lock->taken)
        free = conv__condition_wait(&lock->released, &lock->mutex, deadline_ns);
    if (free) lock->taken = true;
    pthread_mutex_unlock(&lock->mutex);
    return free;
}

void conv__timed_lock_release(conv__timed_lock *lock)
{
    pthread_mutex_lock(&lock->mutex);
    lock->taken = false;
    pthread_cond_signal(&lock->released);
    pthread_mutex_unlock(&lock->mutex);
}
