/* The inside of conv_client: what the composition root has put together. */
#ifndef CONV__CLIENT_H
#define CONV__CLIENT_H

#include <pthread.h>
#include <sys/types.h>

#include "conversation/client.h"
#include "core/memory.h"
#include "repositories/store.h"
#include "saving/saving.h"
#include "saving/tracker.h"
#include "services/conversation.h"
#include "services/pricing.h"
#include "services/summarizer.h"

struct conv_client {
    pid_t pid; /* of the process that opened it */
    conv__arena arena;
    conv__store *store;
    conv__saving *saving;
    conv__tracker *tracker;
    conv__prices *prices;
    const struct conv__chain *chain;
    conv__conversation conversation;
    conv__summaries summaries;
    conv__summarizer *summarizer; /* NULL: nobody asks for summaries */
    conv_schema_policy schema;
    bool read_only;
    bool store_unseen; /* it was away when the client was opened */
    int64_t store_timeout_ms;
    pthread_mutex_t lock;
    pthread_cond_t idle; /* no call is under way */
    size_t calls;
    struct conv__async *async; /* made by its first use */
    bool closing;
};

/* Every public call is between these two. CONV_INVALID_ARGUMENT: no client. CONV_STATE: forked
 * since, or closing. */
CONV_WARN_UNUSED conv_status conv__client_enter(conv_client *client, const char *action,
                                                conv_error *error);
void conv__client_leave(conv_client *client);

#endif
