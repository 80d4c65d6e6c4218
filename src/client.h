/* The inside of conv_client: what the composition root has put together. */
#ifndef CONV__CLIENT_H
#define CONV__CLIENT_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "conversation/client.h"
#include "core/memory.h"
#include "events/bus.h"
#include "monitoring/health.h"
#include "monitoring/metrics.h"
#include "repositories/store.h"
#include "saving/saving.h"
#include "saving/tracker.h"
#include "services/conversation.h"
#include "services/documents.h"
#include "services/pricing.h"
#include "services/summarizer.h"

struct conv_client {
    pid_t pid; /* of the process that opened it */
    conv__arena arena;
    conv__store *store;
    conv__saving *saving;
    conv__tracker *tracker;
    conv__prices *prices;
    conv__provider_calls *provider_calls;
    const struct conv__chain *chain;
    conv__bus *bus;         /* outlives all that emits */
    conv__metrics *metrics; /* outlives the bus */
    conv__health *health;
    conv__conversation conversation;
    conv__summaries summaries;
    conv__summarizer *summarizer; /* NULL: nobody asks for summaries */
    conv_schema_policy schema;
    bool read_only;
    bool store_unseen; /* it was away when the client was opened */
    int64_t store_timeout_ms;
    _Atomic int64_t hurry_ns; /* closing ends by then; 0: nobody is in a hurry */
    _Atomic uint64_t calls;   /* under way, and how far the client is closed (client_close.c) */
    pthread_mutex_t lock;
    pthread_cond_t idle;       /* no call is under way */
    struct conv__async *async; /* made by its first use */
    bool pooler;
    const char *journal;     /* its file, in the arena; NULL: none */
    char *journal_set_aside; /* the damaged file; NULL: it was not damaged */
};

/* Every public call is between these two. CONV_INVALID_ARGUMENT: no client. CONV_STATE: forked
 * since, or closing. */
CONV_WARN_UNUSED conv_status conv__client_enter(conv_client *client, const char *action,
                                                conv_error *error);
void conv__client_leave(conv_client *client);

/* For what outlives the call that began it: it goes on as a call of its own, no matter on which
 * thread, and ends with conv__client_leave_at_last. */
void conv__client_stay(conv_client *client);
void conv__client_leave_at_last(conv_client *client);

/* Takes apart what was put together, by the deadline; no call may be under way. `remaining` and
 * `cause` (each may be NULL): what waits in the journal then, and why. Gives how many events nobody
 * got. */
size_t conv__client_destroy(conv_client *client, int64_t deadline_ns,
                            conv__journal_counts *remaining, conv_error *cause);

/* What is read at the moment, from the rooms that know it. */
conv__gauges conv__client_gauges(conv_client *client);
conv__provider_gauges conv__client_provider_gauges(const conv_client *client);

/* Tells what became of a turn: the announcer of the conversation service. */
void conv__client_announce(void *client, const conv__announcement *announcement);

/* Tells an event of a session, when it is true. `messages` CONV_UNKNOWN: not said. */
void conv__client_tell_session(conv_client *client, conv_event_kind kind, conv_uuid session_id,
                               int64_t messages);

/* Tells events of documents: how the document service's listener is made for this client. */
conv__document_listener conv__client_listener(conv_client *client);

#endif
