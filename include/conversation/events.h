/* Events: what has happened, told to subscribers after it is true. */
#ifndef CONVERSATION_EVENTS_H
#define CONVERSATION_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "client.h"
#include "decimal.h"
#include "health.h"
#include "message.h"
#include "status.h"
#include "uuid.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One line for each kind: symbol, name, meaning. Within a process each event is told once: an
 * exchange has exactly one SAVED, however often it was tried; one that went through the journal has
 * JOURNALED, and, when it has left it, RECOVERED and SAVED. A process that dies after a commit and
 * before the event tells nobody, nor does a call about a session or a document that ends without
 * the answer to its COMMIT (error->outcome_unknown); one that dies before the journal has forgotten
 * what was committed leaves the next to tell it again: tell such apart by turn_id and kind. */
#define CONV_EVENT_MAP(X)                                                                          \
    X(SESSION_CREATED, "session.created", "by a call, or by its first exchange")                   \
    X(SESSION_UPDATED, "session.updated", "title, tags, metadata or archive were set")             \
    X(SESSION_BRANCHED, "session.branched", "by an exchange that named what it goes on after")     \
    X(SESSION_SUMMARIZED, "session.summarized", "a new summary of it is in the store")             \
    X(SESSION_DELETED, "session.deleted", "with all its messages; each of its documents before")   \
    X(USER_ERASED, "user.erased",                                                                  \
      "all that a user said; each document that went with it before, its sessions not one by one") \
    X(EXCHANGE_SAVED, "exchange.saved", "committed in the store, with its usage record")           \
    X(EXCHANGE_FAILED, "exchange.failed",                                                          \
      "neither in the store nor waiting in the journal: refused by a step or the provider, or "    \
      "not saved; `dead`: it is a dead letter. A turn whose ids are refused has none")             \
    X(EXCHANGE_JOURNALED, "exchange.journaled", "on the local disk, waits for the store")          \
    X(EXCHANGE_RECOVERED, "exchange.recovered", "brought from the journal to the store")           \
    X(EXCHANGE_DROPPED, "exchange.dropped",                                                        \
      "it waited in the journal, and its session or user was deleted; its usage record stays")     \
    X(USAGE_RECORDED, "usage.recorded", "a record that belongs to no exchange is in the store")    \
    X(USAGE_FLUSHED, "usage.flushed", "the tracker brought `record_count` records to the store")   \
    X(USAGE_FAILED, "usage.failed",                                                                \
      "the store refused a record for good; `dead`: it is a dead letter, else it is gone")         \
    X(DOCUMENT_REGISTERED, "document.registered", "it is in the store; usage.recorded follows")    \
    X(DOCUMENT_PROCESSED, "document.processed",                                                    \
      "an operation on it is in the store; its usage.recorded follows")                            \
    X(DOCUMENT_DELETED, "document.deleted",                                                        \
      "its row is gone: usage.recorded follows, or its session or user went, and then theirs")     \
    X(HEALTH_CHANGED, "health.changed", "a check answers otherwise than the time before")

typedef enum conv_event_kind {
#define CONV_EVENT_ENUM(symbol, name, meaning) CONV_EVENT_##symbol,
    CONV_EVENT_MAP(CONV_EVENT_ENUM)
#undef CONV_EVENT_ENUM
        CONV_EVENT_KINDS /* how many there are */
} conv_event_kind;

/* Sets of kinds, to be joined with |. */
#define CONV_EVENT_SET(kind) (UINT64_C(1) << (kind))
#define CONV_EVENTS_SESSION                                                                        \
    (CONV_EVENT_SET(CONV_EVENT_SESSION_CREATED) | CONV_EVENT_SET(CONV_EVENT_SESSION_UPDATED) |     \
     CONV_EVENT_SET(CONV_EVENT_SESSION_BRANCHED) | CONV_EVENT_SET(CONV_EVENT_SESSION_SUMMARIZED) | \
     CONV_EVENT_SET(CONV_EVENT_SESSION_DELETED))
#define CONV_EVENTS_EXCHANGE                                                                       \
    (CONV_EVENT_SET(CONV_EVENT_EXCHANGE_SAVED) | CONV_EVENT_SET(CONV_EVENT_EXCHANGE_FAILED) |      \
     CONV_EVENT_SET(CONV_EVENT_EXCHANGE_JOURNALED) |                                               \
     CONV_EVENT_SET(CONV_EVENT_EXCHANGE_RECOVERED) | CONV_EVENT_SET(CONV_EVENT_EXCHANGE_DROPPED))
#define CONV_EVENTS_USAGE                                                                          \
    (CONV_EVENT_SET(CONV_EVENT_USAGE_RECORDED) | CONV_EVENT_SET(CONV_EVENT_USAGE_FLUSHED) |        \
     CONV_EVENT_SET(CONV_EVENT_USAGE_FAILED))
#define CONV_EVENTS_DOCUMENT                                                                       \
    (CONV_EVENT_SET(CONV_EVENT_DOCUMENT_REGISTERED) |                                              \
     CONV_EVENT_SET(CONV_EVENT_DOCUMENT_PROCESSED) | CONV_EVENT_SET(CONV_EVENT_DOCUMENT_DELETED))

#define CONV_EVENT_NAME_SIZE 64 /* bytes of a name, its NUL included; longer ones are cut */

/* What has happened: ids, names, counts, cost, status and times, never a text of a message. What a
 * kind does not have is zero, nil, empty or CONV_UNKNOWN. It holds no pointer: copy it to keep it.
 */
typedef struct conv_event {
    conv_uuid event_id; /* version 7: a receiver that gets it twice knows it by this */
    conv_event_kind kind;
    int64_t time_us; /* when it became true here */
    conv_uuid session_id;
    conv_uuid turn_id;     /* of an exchange */
    conv_uuid log_id;      /* of a usage record */
    conv_uuid document_id; /* of a document, and of a usage record about one */
    conv_uuid user_id;
    char service[CONV_EVENT_NAME_SIZE];
    char operation[CONV_EVENT_NAME_SIZE];
    char model[CONV_EVENT_NAME_SIZE];
    char provider[CONV_EVENT_NAME_SIZE];
    conv_outcome outcome; /* of the exchange or operation itself */
    conv_status status;   /* why it failed; of EXCHANGE_JOURNALED: why the store did not take it */
    char sqlstate[6];     /* likewise, from the store, or empty */
    bool dead;            /* EXCHANGE_FAILED, USAGE_FAILED: it is in the journal as a dead letter */
    bool through_journal; /* EXCHANGE_SAVED, USAGE_RECORDED: it had to wait for the store */
    int64_t message_count; /* of the exchange; of what was deleted or erased */
    int64_t record_count;  /* USAGE_FLUSHED */
    int64_t input_tokens;
    int64_t output_tokens;
    int64_t total_tokens;
    int64_t cache_read_tokens;
    int64_t cache_write_tokens;
    int64_t reasoning_tokens;
    int64_t latency_ms;               /* of the provider or the operation */
    int64_t store_us;                 /* how long the caller waited for the store or the journal */
    conv_health_state health;         /* HEALTH_CHANGED: of `check` now, and before */
    conv_health_state health_before;  /* likewise */
    char check[CONV_EVENT_NAME_SIZE]; /* likewise: a name of conv_health_read, or "overall" */
    bool priced;                      /* false: `cost_usd` means nothing */
    conv_decimal cost_usd;            /* exact */
} conv_event;

/* Gets an event. Any status but CONV_OK counts as a failure of the handler, and nothing else comes
 * of it. `event` is borrowed for the call. It may call the library, also subscribe (what comes
 * after this event) and unsubscribe (itself, too), but not conv_client_close, which then answers
 * CONV_STATE. While the client is being closed it still may, for what was true by then, buffered
 * usage included, and half of the close's time at most (a call it is in then gets the second that
 * the local disk has); what the close brings out of the journal may find it answered CONV_STATE. It
 * must not jump out. */
typedef conv_status (*conv_event_handler)(void *context, const conv_event *event);

/* How events reach a handler. A handler that is slower than the events needs something to give way;
 * only the subscriber knows what: each way that loses an event has to be chosen by name. An event
 * goes first into all queues, those that nobody waits for before the others, and then to the
 * synchronous handlers, one after the other as they subscribed: one that blocks keeps no event from
 * any queue. Whoever waits for room holds up no other call: what is told is saved, and the answer
 * is the store's. conv_track_flush waits within its timeout, the tracker's own thread only while
 * half of its buffer is free. While the client is being closed nobody waits: the queues that would
 * be waited for grow, until the close's deadline. */
typedef enum conv_delivery {
    /* On the thread whose call made it true, before the call returns: only this call is slowed, not
     * those that shared its transaction. Several threads may be in the handler at once. What comes
     * about within a handler, or apart from what a call itself is about, reaches the handler
     * through a queue: what became of entries of the journal, tracked usage (also when
     * conv_track_flush brings it), the usage of summaries, summaries after a turn, and submitted
     * exchanges. None is dropped: when queue_events wait, whoever brings some waits up to wait_ms
     * for the handler, once for all that it brings together (of a flush, a batch of the journal or
     * of exchanges), then the queue grows. After one wait in vain nobody waits again until that
     * call of the handler has returned, whatever others of it return meanwhile. A handler that
     * blocks for ever so costs memory, sizeof(conv_event) for each event that waits. Only where no
     * memory or no thread is to be had, or a million events wait, the one that comes is dropped,
     * and counted. */
    CONV_DELIVERY_SYNCHRONOUS = 0,
    /* The others: on a thread of the subscription's own, one after the other, from a queue. When it
     * is full: */
    CONV_DELIVERY_WAIT, /* whoever brings events waits up to wait_ms for room, once for all that it
                           brings together; those that have none by then are dropped, and counted;
                           after one wait in vain nobody waits again until the handler has finished
                           an event */
    CONV_DELIVERY_DROP_NEWEST, /* the event that comes is dropped, and nobody waits */
    CONV_DELIVERY_DROP_OLDEST  /* the oldest in the queue is dropped, and nobody waits */
} conv_delivery;

/* A subscription. Start from CONV_SUBSCRIPTION_PARAMS_INIT. */
typedef struct conv_subscription_params {
    size_t size;
    uint64_t kinds; /* CONV_EVENT_SET(…) | …; 0: all */
    conv_delivery delivery;
    int queue_events; /* 1 to 1000000; 0: 1024 */
    int64_t wait_ms;  /* for CONV_DELIVERY_WAIT and _SYNCHRONOUS; 0: 1000 */
    conv_event_handler handler;
    void *context; /* for the handler; the application's */
    /* Called once, when no call of the handler is under way and none will come: the context may go
     * then. NULL: nobody needs to know. */
    void (*on_release)(void *context);
} conv_subscription_params;

#define CONV_SUBSCRIPTION_PARAMS_INIT                                                              \
    {                                                                                              \
        sizeof(conv_subscription_params), 0, CONV_DELIVERY_SYNCHRONOUS, 0, 0, NULL, NULL, NULL     \
    }

/* Subscribes a handler from now on. `params` is copied; `subscription` receives a number that is
 * never 0 nor used again in this client; 0 after a failure; `error` may be NULL.
 * CONV_INVALID_ARGUMENT: no handler, an unknown kind or delivery, a bound out of range. CONV_STATE:
 * the client is being closed, or the process was forked. CONV_NO_MEMORY: also when no thread can be
 * started. Thread: any. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_event_subscribe(conv_client *client,
                                                  const conv_subscription_params *params,
                                                  uint64_t *subscription, conv_error *error);

/* Ends a subscription; what waits in its queue is not delivered. When this returns, the handler is
 * not running and on_release was called; within a handler (any) it does not wait for that, and
 * on_release tells. CONV_NOT_FOUND: there is none with this number (any more). CONV_STATE,
 * CONV_INVALID_ARGUMENT. Thread: any. Round trips: none, but as long as the handler takes. */
CONV_WARN_UNUSED conv_status conv_event_unsubscribe(conv_client *client, uint64_t subscription,
                                                    conv_error *error);

/* What became of a subscription's events. Each is in one of delivered, dropped and waiting. */
typedef struct conv_subscription_counts {
    int64_t delivered; /* the handler has returned */
    int64_t failed;    /* of those: with another answer than CONV_OK */
    int64_t dropped;
    int64_t waiting; /* in the queue, or in the handler now */
} conv_subscription_counts;

/* Counts. CONV_NOT_FOUND, CONV_INVALID_ARGUMENT, CONV_STATE. Thread: any. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_event_count(conv_client *client, uint64_t subscription,
                                              conv_subscription_counts *counts, conv_error *error);

/* "exchange.saved" and so on; "unknown" for any other number. Static. Thread: any. */
const char *conv_event_kind_name(conv_event_kind kind);

/* Writes the event as one JSON object without line breaks, and a NUL, into `text`, as far as `size`
 * bytes go; gives the length that it has without the NUL, less than CONV_EVENT_TEXT_SIZE; 0 when
 * out of memory. What the event does not have is left out; times are RFC 3339, cost is a decimal
 * string. Thread: any. Round trips: none. */
#define CONV_EVENT_TEXT_SIZE 4096
size_t conv_event_format(const conv_event *event, char *text, size_t size);

/* Where events are written, one JSON object a line. Start from CONV_EVENT_LOG_INIT. */
typedef struct conv_event_log {
    size_t size;
    FILE *file;     /* flushed after each line; stays open, and is the application's; NULL: */
    int descriptor; /* to this one; each line in one write */
    uint64_t kinds; /* as of a subscription, like what follows */
    conv_delivery delivery;
    int queue_events;
    int64_t wait_ms;
} conv_event_log;

#define CONV_EVENT_LOG_INIT                                                                        \
    {                                                                                              \
        sizeof(conv_event_log), NULL, -1, 0, CONV_DELIVERY_SYNCHRONOUS, 0, 0                       \
    }

/* Subscribes a writer of lines. File and descriptor must stay open until the subscription has
 * ended. A line that can't be written counts as a failure of the handler. CONV_INVALID_ARGUMENT:
 * neither file nor descriptor. Else as conv_event_subscribe. Thread: any. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_event_subscribe_log(conv_client *client,
                                                      const conv_event_log *log,
                                                      uint64_t *subscription, conv_error *error);

/* Where events are posted. Start from CONV_EVENT_WEBHOOK_INIT; texts are copied. */
typedef struct conv_event_webhook {
    size_t size;
    const char *url; /* http or https, with a host; redirects are not followed */
    /* Signs each request: any text, or "whsec_" and Base64. NULL: unsigned. */
    const char *secret;
    int max_tries;          /* 1 to 100; 0: 100, which is more than an hour */
    int64_t timeout_ms;     /* of one try; 0: 10000 */
    uint64_t kinds;         /* as of a subscription, like what follows */
    conv_delivery delivery; /* not SYNCHRONOUS: whoever saves must not wait for another host */
    int queue_events;
    int64_t wait_ms;
} conv_event_webhook;

#define CONV_EVENT_WEBHOOK_INIT                                                                    \
    {                                                                                              \
        sizeof(conv_event_webhook), NULL, NULL, 0, 0, 0, CONV_DELIVERY_SYNCHRONOUS, 0, 0           \
    }

/* Subscribes a webhook: each event is one POST of its JSON, with the headers webhook-id (the
 * event's id), webhook-timestamp (seconds since 1970) and, with a secret, webhook-signature ("v1,"
 * and the Base64 of HMAC-SHA256 over "id.timestamp.body"); source: standardwebhooks.com. A try that
 * can't connect, times out or is answered 408, 409, 429 or 5xx is repeated after 0.5 s, doubled up
 * to 60 s, less up to a quarter by chance; each try has a timestamp of its own. Any other answer
 * but 2xx, and the last try, count as a failure of the handler. The order of events is kept, so an
 * outage fills the queue; then its delivery decides. CONV_INVALID_ARGUMENT: no http or https URL,
 * one that curl can't read or without a host, a secret that is not what it says, delivery
 * SYNCHRONOUS. Else as conv_event_subscribe. Ending the subscription breaks off what is under way.
 * Thread: any. Round trips: none to the store. */
CONV_WARN_UNUSED conv_status conv_event_subscribe_webhook(conv_client *client,
                                                          const conv_event_webhook *webhook,
                                                          uint64_t *subscription,
                                                          conv_error *error);

/* How other processes hear of events through PostgreSQL. Start from CONV_EVENT_NOTIFY_INIT. */
typedef struct conv_event_notify {
    size_t size;
    const char
        *channel;   /* for LISTEN, 1 to 63 bytes, as a quoted identifier; NULL: "conversation" */
    uint64_t kinds; /* as of a subscription, like what follows */
    conv_delivery delivery; /* not SYNCHRONOUS: it would hold up who saves by one more commit */
    int queue_events;
    int64_t wait_ms;
} conv_event_notify;

#define CONV_EVENT_NOTIFY_INIT                                                                     \
    {                                                                                              \
        sizeof(conv_event_notify), NULL, 0, CONV_DELIVERY_SYNCHRONOUS, 0, 0                        \
    }

/* Subscribes NOTIFY: each event's JSON is the payload of one notification. A store that is away
 * drops it: that counts as a failure of the handler, and is not tried again, because whoever
 * listens on a connection that broke has to look into the store anyway. CONV_STATE: the store is
 * not PostgreSQL, or reached through a pooler (params.pooler), where nobody can listen.
 * CONV_INVALID_ARGUMENT: the channel's length, delivery SYNCHRONOUS. Else as conv_event_subscribe.
 * Thread: any. Round trips: 1 for each event, on the subscription's thread. */
CONV_WARN_UNUSED conv_status conv_event_subscribe_notify(conv_client *client,
                                                         const conv_event_notify *notify,
                                                         uint64_t *subscription, conv_error *error);

/* Hears, without a client, the events that other processes tell by conv_event_subscribe_notify; it
 * needs no right but to connect. What is told while nobody listens is told to nobody. */
typedef struct conv_event_listener conv_event_listener;

/* Connects to a PostgreSQL store and listens from now on; a connection of its own, directly to the
 * server: through a transaction pooler nothing is heard. `store` as in conv_client_params, NULL for
 * that of the environment; `channel` as in conv_event_notify, NULL: "conversation"; `listener`
 * receives the handle, to be given back with conv_event_listener_close, NULL after a failure;
 * `error` may be NULL. CONV_STATE: the store is SQLite, where events reach subscribers of the
 * process that saves and nobody else. CONV_INVALID_ARGUMENT: the channel's length, a connection
 * string that is malformed, or nowhere to put the handle. CONV_UNAVAILABLE, CONV_PERMISSION,
 * CONV_NOT_FOUND, CONV_LIMIT, CONV_TIMEOUT (10 seconds): as conv_client_open.
 * CONV_NO_MEMORY. Thread: any. Round trips: connecting and 1. */
CONV_WARN_UNUSED conv_status conv_event_listener_open(const char *store, const char *channel,
                                                      conv_event_listener **listener,
                                                      conv_error *error);

/* Waits for the next event, `timeout_ms` at most, 0 for no wait. `event` receives what was told,
 * one JSON object as conv_event_format writes it (unless somebody else uses the channel: then
 * whatever they told); it belongs to the listener, until the next call; NULL after a failure.
 * `error` may be NULL. CONV_TIMEOUT: nothing was told in this time; call again. CONV_UNAVAILABLE,
 * or another status but these: the connection is lost; close this listener and open another one,
 * and look into the store for what happened meanwhile. A host that went away in silence is noticed
 * after a minute. CONV_INVALID_ARGUMENT, CONV_STATE (forked), CONV_NO_MEMORY (the event is lost).
 * Thread: owner. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_event_listener_next(conv_event_listener *listener,
                                                      int64_t timeout_ms, const char **event,
                                                      conv_error *error);

/* Disconnects and frees the handle, with the event that it gave out; NULL is allowed. In a forked
 * child it frees memory only. Thread: owner. Round trips: none. */
void conv_event_listener_close(conv_event_listener *listener);

#ifdef __cplusplus
}
#endif
#endif
