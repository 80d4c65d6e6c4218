/* The conversation service: turns and exchanges. Holds the rules, no SQL. */
#ifndef CONV__SERVICES_CONVERSATION_H
#define CONV__SERVICES_CONVERSATION_H

#include "conversation/turn.h"
#include "repositories/store.h"
#include "saving/saving.h"
#include "services/pricing.h"

/* What the service works with; all of it is borrowed. Defaults are filled in already. */
typedef struct conv__conversation {
    conv__store *store;
    conv__saving *saving;
    const conv__prices *prices;
    conv_provider *provider; /* NULL: a turn must bring its own */
    const char *model;
    int context_messages; /* -1: none */
    int64_t store_timeout_ms;
    int64_t turn_timeout_ms;
} conv__conversation;

/* See conv_process_message. */
CONV_WARN_UNUSED conv_status conv__process_message(const conv__conversation *service,
                                                   const conv_turn *turn, conv_reply **reply,
                                                   conv_error *error);

/* See conv_save_exchange. */
CONV_WARN_UNUSED conv_status conv__save_exchange(const conv__conversation *service,
                                                 const conv_exchange *exchange, conv_reply **reply,
                                                 conv_error *error);

/* Checks an exchange and makes the row of it; ids go into the reply, and what the row needs beside
 * the exchange's own bytes. Asks nobody. Statuses as conv_save_exchange. */
CONV_WARN_UNUSED conv_status conv__prepare_exchange(const conv__conversation *service,
                                                    const conv_exchange *exchange,
                                                    conv_reply *reply, conv__exchange *row,
                                                    conv_error *error);

#endif
