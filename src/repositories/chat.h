/* Sessions, exchanges and messages in a store. An implementation holds SQL and nothing else: it
 * opens no transaction, checks no rule and emits no event. */
#ifndef CONV__REPOSITORIES_CHAT_H
#define CONV__REPOSITORIES_CHAT_H

#include <stdbool.h>
#include <stddef.h>

#include "conversation/history.h"
#include "conversation/session.h"
#include "repositories/rows.h"
#include "repositories/store.h"

/* What became of one exchange. */
typedef struct conv__save_result {
    bool inserted;          /* false: its id existed already, and nothing of it was written */
    int64_t first_position; /* of its messages, when inserted */
    bool session_created;   /* with it, by it */
} conv__save_result;

typedef struct conv__exchange_key {
    conv_uuid session_id;
    conv_uuid exchange_id;
} conv__exchange_key;

/* What is stored under an exchange's key. */
typedef struct conv__exchange_state {
    bool found;
    conv_outcome status;
    uint8_t request_hash[CONV__CONTENT_HASH_SIZE];
    uint8_t reply_hash[CONV__CONTENT_HASH_SIZE];
    conv_uuid log_id; /* of its usage record: tells whether this very attempt was the one saved */
} conv__exchange_state;

/* What a turn needs to know before the provider is asked. */
typedef struct conv__turn_query {
    conv_uuid session_id;
    conv_uuid exchange_id; /* nil: do not look for a saved one */
    size_t context_limit;  /* last messages of the session; 0: none */
} conv__turn_query;

typedef struct conv__message_list {
    conv__message_row *rows; /* in the order of the session, restored by conv__message_from_row */
    size_t count;
    bool has_more; /* in the direction of reading */
} conv__message_list;

/* Of a list that was read with one row more than `limit`, to see whether there is more: leaves that
 * one out, and a list that was read backwards it turns round. */
void conv__message_list_cut(conv__message_list *list, size_t limit, bool backwards);

typedef struct conv__turn_state {
    conv__exchange_state exchange;
    conv__message_list saved; /* all messages of the saved exchange */
    conv__usage_row usage;    /* and its record, restored */
    /* Of the last `context_limit` messages whose own status is not failed: all from the first one
     * that begins an exchange (place 0). Before them, unless they are among them, the unbroken run
     * of system and developer messages that the session begins with, of any status, 16 at most. */
    conv__message_list context;
    bool branched; /* the session has branches, so that its last messages need not be one talk */
} conv__turn_state;

/* Keyset page: `before` > 0 reads backwards from there, else forwards after `after`. */
typedef struct conv__history_query {
    conv_uuid session_id;
    int64_t after;
    int64_t before;
    size_t limit;
} conv__history_query;

typedef struct conv__session_query {
    conv_uuid user_id; /* nil: everybody's */
    size_t limit;
    int64_t after_us; /* 0 and nil: from the newest */
    conv_uuid after_id;
    conv_bytes tag; /* absent: any */
    conv_archived archived;
} conv__session_query;

typedef struct conv__session_list {
    conv_session *sessions; /* restored by conv__session_from_row */
    size_t count;
    bool has_more;
} conv__session_list;

/* Every function works inside `transaction`. Reads answer at once, with memory from the arena.
 * Writes may be queued until commit: what they point to must live until then, and an answer CONV_OK
 * means only that they could be queued. */
typedef struct conv__chat_repository_functions {
    /* Saves exchanges, each whole or not at all by whether its key is new (the insert of its row in
     * chat_exchanges is the gate for messages, usage, counters and title). Keys must differ within
     * the call. A usage record that is there under its key stays; that of another exchange is
     * CONV_BAD_DATA with CONV_RECOVERY_REJECT. Rows are locked in the order of their keys, so that
     * callers never deadlock. */
    conv_status (*save)(conv__chat_repository *chat, conv__transaction *transaction,
                        const conv__exchange *const *exchanges, size_t count,
                        conv__save_result *results, conv_error *error);

    /* Removes the failed attempt that `exchange` replaces: exchange row, messages and usage record,
     * if its status is failed and its request_hash equal (reply_hash is not looked at); otherwise
     * nothing. */
    conv_status (*remove_failed)(conv__chat_repository *chat, conv__transaction *transaction,
                                 const conv__exchange *exchange, conv_error *error);

    /* states[i] belongs to keys[i]. */
    conv_status (*find_exchanges)(conv__chat_repository *chat, conv__transaction *transaction,
                                  const conv__exchange_key *keys, size_t count,
                                  conv__exchange_state *states, conv_error *error);

    conv_status (*read_turn)(conv__chat_repository *chat, conv__transaction *transaction,
                             const conv__turn_query *query, conv__arena *arena,
                             conv__turn_state *state, conv_error *error);

    conv_status (*read_history)(conv__chat_repository *chat, conv__transaction *transaction,
                                const conv__history_query *query, conv__arena *arena,
                                conv__message_list *list, conv_error *error);

    /* CONV_NOT_FOUND. */
    conv_status (*read_message)(conv__chat_repository *chat, conv__transaction *transaction,
                                conv_uuid message_id, conv__arena *arena, conv__message_list *list,
                                conv_error *error);

    /* Makes the session unless it exists; changes nothing of one that does. A new one's updated_at
     * is its created_at. */
    conv_status (*create_session)(conv__chat_repository *chat, conv__transaction *transaction,
                                  const conv__session_row *row, conv_error *error);

    /* CONV_NOT_FOUND. */
    conv_status (*read_session)(conv__chat_repository *chat, conv__transaction *transaction,
                                conv_uuid session_id, conv__arena *arena, conv__session_list *list,
                                conv_error *error);

    /* Sets title and metadata, and their originals, where the row has them; updated_at, which
     * orders the list, is the time of the last exchange and stays. `found` is valid after commit.
     */
    conv_status (*update_session)(conv__chat_repository *chat, conv__transaction *transaction,
                                  const conv__session_row *row, bool *found, conv_error *error);

    conv_status (*list_sessions)(conv__chat_repository *chat, conv__transaction *transaction,
                                 const conv__session_query *query, conv__arena *arena,
                                 conv__session_list *list, conv_error *error);

    /* `receipt` is valid after commit; sessions 0 means there was none. One that there was is
     * remembered as deleted at `deleted_us`; 0: nothing is to remember it. */
    conv_status (*delete_session)(conv__chat_repository *chat, conv__transaction *transaction,
                                  conv_uuid session_id, int64_t deleted_us,
                                  conv_delete_receipt *receipt, conv_error *error);
} conv__chat_repository_functions;

struct conv__chat_repository {
    const conv__chat_repository_functions *functions;
};

#endif
