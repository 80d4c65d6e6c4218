/* History: the messages of a session, page by page. */
#ifndef CONVERSATION_HISTORY_H
#define CONVERSATION_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client.h"
#include "message.h"
#include "status.h"
#include "uuid.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Which messages. Start from CONV_HISTORY_PARAMS_INIT. Pages are keyed by position, so messages
 * that arrive meanwhile neither move nor hide others. A page is always in the order of the session.
 */
typedef struct conv_history_params {
    size_t size;
    const char *session_id; /* any string */
    int64_t after;  /* positions greater than this, forwards from there; 0: from the first */
    int64_t before; /* if > 0: the last messages before this position. INT64_MAX: the last
                       messages of all. Not together with `after` */
    size_t limit;   /* 1 to 1000; 0: 100 */
    bool branch;    /* only the branch that ends with `last`, from the session's beginning on */
    conv_uuid last; /* a message; nil: the session's last one */
} conv_history_params;

#define CONV_HISTORY_PARAMS_INIT                                                                   \
    {                                                                                              \
        sizeof(conv_history_params), NULL, 0, 0, 0, false,                                         \
        {                                                                                          \
            {                                                                                      \
                0                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }

typedef struct conv_history conv_history;

/* Reads one page. `history` receives it, to be freed with conv_history_free; NULL after a failure;
 * `error` may be NULL. CONV_INVALID_ARGUMENT: no session id, limit over 1000, after and before
 * together. CONV_NOT_FOUND: no such session, or it has no message `last`. CONV_UNAVAILABLE,
 * CONV_TIMEOUT, CONV_LIMIT, CONV_PERMISSION, CONV_STATE: the store. CONV_BAD_DATA: a stored message
 * is damaged. CONV_NO_MEMORY. Thread: any. Round trips: 1; 2 when the page is empty. */
CONV_WARN_UNUSED conv_status conv_history_read(conv_client *client,
                                               const conv_history_params *params,
                                               conv_history **history, conv_error *error);

/* Reads the last message of each branch of a session, in the order of the session, as a page: one
 * without branches has one. Statuses as conv_history_read. Thread: any. Round trips: 1; 2 when
 * the session is empty. */
CONV_WARN_UNUSED conv_status conv_history_branches(conv_client *client, const char *session_id,
                                                   conv_history **history, conv_error *error);

/* Reads one message by its id, as a page of one. CONV_NOT_FOUND: there is none. Else as
 * conv_history_read. Thread: any. Round trips: 1. */
CONV_WARN_UNUSED conv_status conv_history_message_by_id(conv_client *client, conv_uuid message_id,
                                                        conv_history **history, conv_error *error);

/* Messages in the page. Thread: any. */
size_t conv_history_count(const conv_history *history);

/* Message `index` (from 0), or NULL past the end; belongs to the page. Thread: any. */
const conv_message *conv_history_message(const conv_history *history, size_t index);

/* The id of the message that message `index` (from 0) goes on after: of the one before it in the
 * session, or, where a branch begins, of the one it branches off from. Nil: it begins the session,
 * or begins it anew; or past the end. Thread: any. */
conv_uuid conv_history_parent(const conv_history *history, size_t index);

/* Whether messages follow in the direction of reading. Thread: any. */
bool conv_history_has_more(const conv_history *history);

/* Frees the page and all it gave out; NULL is allowed. Thread: owner. */
void conv_history_free(conv_history *history);

#ifdef __cplusplus
}
#endif
#endif
