/* The bus: hands events to subscribers. Knows no store and decides nothing; who emits makes sure
 * that the event is true. */
#ifndef CONV__EVENTS_BUS_H
#define CONV__EVENTS_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/events.h"
#include "core/time.h"

typedef struct conv__bus conv__bus;

/* A subscription and what only the library's own handlers need. */
typedef struct conv__subscriber {
    conv_subscription_params params;
    void (*on_stop)(void *context); /* breaks off a call of the handler under way; may be NULL */
    bool bounded; /* the handler ends by itself soon, and uses the client: closing waits for it */
} conv__subscriber;

/* Sees every event first, on the emitting thread; must be quick and never fail. */
typedef void (*conv__bus_tap)(void *context, const conv_event *event);

/* Over all subscriptions that ever were. */
typedef struct conv__bus_counts {
    int64_t delivered;
    int64_t failed;
    int64_t dropped;
    int64_t waiting;
    int64_t subscriptions; /* now */
} conv__bus_counts;

/* Events that became true together, to be told in this order. */
typedef struct conv__news {
    const conv_event *events;
    size_t count;
    bool here; /* on the thread of the call that made them true: handlers may run on it */
    /* Each queue is waited for once, for all of them: up to its wait_ms, and beyond neither of: */
    int64_t deadline_ns;
    const conv__latest *latest; /* NULL: none */
} conv__news;

/* NULL when out of memory. */
conv__bus *conv__bus_create(void);

/* Before anything is emitted. */
void conv__bus_set_tap(conv__bus *bus, conv__bus_tap tap, void *context);

/* An event of `kind` that has nothing yet: unknown counts, a new id, the time of now. */
conv_event conv__event_make(conv_event_kind kind);

/* Copies a name, cut between characters, so that it and its NUL fit. */
void conv__event_set_name(char name[CONV_EVENT_NAME_SIZE], conv_bytes text);

/* Tells what has happened, with no lock held. `bus` NULL is allowed. */
void conv__bus_tell(conv__bus *bus, const conv__news *news);

/* Tells one event, on the thread of the call that made it true. */
void conv__bus_emit(conv__bus *bus, const conv_event *event);

/* The same on a thread that works for others: no handler runs on it. */
void conv__bus_post(conv__bus *bus, const conv_event *event);

/* Whether anybody has subscribed the kind. */
bool conv__bus_wants(conv__bus *bus, conv_event_kind kind);

/* Only for the tap: counted, told to nobody. */
void conv__bus_count_only(conv__bus *bus, const conv_event *event);

/* Takes over the context, unless it fails. See conv_event_subscribe. */
CONV_WARN_UNUSED conv_status conv__bus_subscribe(conv__bus *bus, const conv__subscriber *subscriber,
                                                 uint64_t *subscription, conv_error *error);
CONV_WARN_UNUSED conv_status conv__bus_unsubscribe(conv__bus *bus, uint64_t subscription,
                                                   conv_error *error);
CONV_WARN_UNUSED conv_status conv__bus_count_one(conv__bus *bus, uint64_t subscription,
                                                 conv_subscription_counts *counts,
                                                 conv_error *error);
conv__bus_counts conv__bus_count(conv__bus *bus);

/* Whether this thread is within a handler. */
bool conv__bus_in_handler(void);

/* From here on nobody waits for room: it is about to be closed. What would be waited for goes into
 * the queue, whatever its bound. */
void conv__bus_stop_waiting(conv__bus *bus);

/* Waits until all that was told has been handled, also what handlers bring about meanwhile, or the
 * deadline has passed. Not within a handler. */
void conv__bus_settle(conv__bus *bus, int64_t deadline_ns);

/* Delivers what is queued until the deadline, ends all subscriptions and frees the bus. Gives how
 * many events nobody got. A handler that does not end is left alone with its context. NULL is
 * allowed. */
size_t conv__bus_close(conv__bus *bus, int64_t deadline_ns);

#endif
