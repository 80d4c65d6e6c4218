/* The conversation service: what it works with, and saving an exchange that is whole already. Turns
 * are call.h's. Holds the rules, no SQL. */
#ifndef CONV__SERVICES_CONVERSATION_H
#define CONV__SERVICES_CONVERSATION_H

#include "conversation/turn.h"
#include "repositories/store.h"
#include "saving/saving.h"
#include "saving/tracker.h"
#include "services/pricing.h"
#include "services/provider_calls.h"
#include "services/summarizer.h"

/* What became of a turn, for whoever tells others. Borrowed for the call. */
typedef struct conv__announcement {
    const conv__exchange *exchange; /* its ids; rows as far as it came */
    const conv_reply *reply;
    conv_outcome status;
    conv_saved saved;        /* NOT: it failed, or is stored nowhere */
    const conv_error *error; /* NULL, or why it failed */
    const conv__save *save;  /* what became of saving; NULL: that was not tried */
    int64_t save_us;         /* how long it took */
} conv__announcement;

/* Gets each announcement, on the turn's own thread, after it is true. Zero: nobody listens. */
typedef struct conv__announcer {
    void (*announce)(void *context, const conv__announcement *announcement);
    void *context;
} conv__announcer;

struct conv__chain;

/* What the service works with; all of it is borrowed. Defaults are filled in already. */
typedef struct conv__conversation {
    conv__store *store;
    conv__saving *saving;
    conv__tracker *tracker;
    const conv__prices *prices;
    const struct conv__chain *chain; /* of middleware; NULL: the default one */
    conv__announcer announcer;
    conv_provider *provider;              /* NULL: a turn must bring its own */
    conv__provider_calls *provider_calls; /* NULL: nobody remembers how they went */
    conv__redaction redaction;            /* of what passes no chain */
    const char *model;
    int context_messages;         /* -1: none */
    int64_t context_tokens;       /* 0: no limit */
    int64_t summary_tokens;       /* 0: summaries are not made here */
    conv__summarizer *summarizer; /* NULL: none */
    int64_t store_timeout_ms;
    int64_t turn_timeout_ms;
} conv__conversation;

/* See conv_save_exchange. */
CONV_WARN_UNUSED conv_status conv__save_exchange(const conv__conversation *service,
                                                 const conv_exchange *exchange, conv_reply **reply,
                                                 conv_error *error);

/* See conv_save_exchanges. */
CONV_WARN_UNUSED conv_status conv__save_exchanges(const conv__conversation *service,
                                                  const conv_exchange *exchanges, size_t count,
                                                  conv_exchange_result *results, conv_error *error);

/* Checks an exchange and makes the row of it; ids go into the reply, and what the row needs beside
 * the exchange's own bytes. Asks nobody. Statuses as conv_save_exchange. */
CONV_WARN_UNUSED conv_status conv__prepare_exchange(const conv__conversation *service,
                                                    const conv_exchange *exchange,
                                                    conv_reply *reply, conv__exchange *row,
                                                    conv_error *error);

#endif
