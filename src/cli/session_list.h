/* The ids of all sessions of a store, in an order that stays. */
#ifndef CLI_SESSION_LIST_H
#define CLI_SESSION_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "conversation/client.h"
#include "conversation/session.h"

typedef struct cli_session_key {
    int64_t created_us;
    conv_uuid session_id;
} cli_session_key;

typedef struct cli_session_keys {
    cli_session_key *keys; /* oldest first; of the same moment, by id; each once */
    size_t count;
    size_t capacity;
} cli_session_keys;

/* Gathers the keys of all sessions, or of one user's. Every session that exists from the beginning
 * to the end is among them, also one that is written to meanwhile and moves within the store's own
 * order. To be freed in any case. */
conv_status cli_session_keys_read(conv_client *client, conv_bytes user_id, cli_session_keys *list,
                                  conv_error *error);
void cli_session_keys_free(cli_session_keys *list);

#endif
