/* One subscription: its queue, its thread, and the calls of its handler. Knows no other. */
#ifndef CONV__EVENTS_SUBSCRIPTION_H
#define CONV__EVENTS_SUBSCRIPTION_H

#include <pthread.h>

#include "events/bus.h"

enum { CONV__MOST_QUEUED = 1000000 };

typedef struct conv__subscription {
    conv__subscriber subscriber;
    uint64_t number;
    struct conv__subscription *next; /* the bus's */

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    int references; /* the bus, each caller that brings an event, the thread */
    bool closed;    /* no call begins any more */
    bool draining;  /* the thread ends when the queue is empty */
    bool started;   /* the thread; once, and joined by whoever frees this */
    pthread_t thread;
    bool waits_no_more;
    bool stuck; /* somebody waited in vain, and the thread's call has not returned since */
    conv_event *queue;
    size_t capacity;
    size_t first;
    size_t count;
    conv_subscription_counts counts;
} conv__subscription;

/* With one reference, which is the caller's; starts the thread unless deliveries are synchronous.
 * CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__subscription_create(const conv__subscriber *subscriber,
                                                       conv__subscription **subscription,
                                                       conv_error *error);

void conv__subscription_take(conv__subscription *subscription);
void conv__subscription_drop(conv__subscription *subscription);

/* When a subscription's turn comes with an event: nobody waits behind another one's handler. */
typedef enum conv__bring_stage {
    CONV__BRING_AT_ONCE, /* into a queue, without waiting */
    CONV__BRING_QUEUE,   /* into a queue, perhaps after waiting for room */
    CONV__BRING_CALL     /* to the handler, on this thread */
} conv__bring_stage;

conv__bring_stage conv__subscription_stage(const conv__subscription *subscription, bool here);

/* Hands over the events of its kinds. */
void conv__subscription_bring(conv__subscription *subscription, const conv__news *news);

/* Nobody waits for room any more. */
void conv__subscription_stop_waiting(conv__subscription *subscription);

/* Waits until nothing is queued and no call of the handler is under way; false when the deadline has
 * passed. */
bool conv__subscription_wait_idle(conv__subscription *subscription, int64_t deadline_ns);

/* Begins to end it after what is queued. */
void conv__subscription_drain(conv__subscription *subscription);

/* Waits until nobody else has a reference; false when the deadline has passed. */
bool conv__subscription_wait(conv__subscription *subscription, int64_t deadline_ns);

/* No call of the handler begins from here on; what is queued counts as dropped. Gives how many
 * events did not get through, those in the handler now included. */
size_t conv__subscription_stop(conv__subscription *subscription);

conv_subscription_counts conv__subscription_count(conv__subscription *subscription);

#endif
