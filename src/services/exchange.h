/* Making an exchange from what the application said: ids, times, rows and hashes, all before the
 * first try, so that every retry carries the same. Asks nobody and saves nothing. */
#ifndef CONV__SERVICES_EXCHANGE_H
#define CONV__SERVICES_EXCHANGE_H

#include "conversation/message.h"
#include "conversation/status.h"
#include "core/memory.h"
#include "repositories/rows.h"

/* Who speaks where, as the application says it; NULL as in conv_turn. */
typedef struct conv__identity {
    const char *session_id;
    const char *user_id;
    const char *turn_id;
    const char *title;
} conv__identity;

/* Sets session, user and exchange id. Without a session id: a new UUIDv7, or, if there is a turn
 * id, the UUIDv5 of "session" in the turn's namespace, so that a repeat finds its session again.
 * CONV_NO_MEMORY and what conv__session_to_row answers. */
CONV_WARN_UNUSED conv_status conv__exchange_identify(conv__arena *arena, conv__exchange *exchange,
                                                     const conv__identity *identity,
                                                     int64_t created_us, conv_error *error);

/* Gives a message the id and time that it lacks. */
void conv__message_complete(conv_message *message, int64_t created_us);

/* The rows of a question and its answer. Points to both; `reply` may be NULL with count 0.
 * CONV_INVALID_ARGUMENT, CONV_LIMIT, CONV_NO_MEMORY: see conv__message_to_row. */
CONV_WARN_UNUSED conv_status conv__exchange_set_messages(
    conv__arena *arena, conv__exchange *exchange, const conv_message *request, size_t request_count,
    const conv_message *reply, size_t reply_count, conv_error *error);

/* The row of the usage record, which belongs to the exchange's session and user. */
CONV_WARN_UNUSED conv_status conv__exchange_set_usage(conv__arena *arena, conv__exchange *exchange,
                                                      const conv_usage *usage, conv_error *error);

/* Hash of what messages say: role, texts, parts and tool calls, not ids or times. */
CONV_WARN_UNUSED conv_status conv__hash_messages(const conv_message *messages, size_t count,
                                                 uint8_t hash[CONV__CONTENT_HASH_SIZE]);

#endif
