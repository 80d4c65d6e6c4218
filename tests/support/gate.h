/* A gate at which one thread waits until a test opens it. */
#ifndef TESTS_SUPPORT_GATE_H
#define TESTS_SUPPORT_GATE_H

#include <pthread.h>
#include <stdbool.h>

typedef struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool reached;
    bool open;
} gate;

#define GATE_INIT                                                                                  \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false                          \
    }

/* Waits until it is open; `gate` is one, so that this fits as a callback. */
void gate_pass(void *gate);

/* Until somebody waits at it, or has passed. */
void gate_await(gate *self);

void gate_open(gate *self);

#endif
