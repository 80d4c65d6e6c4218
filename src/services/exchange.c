/* Ids, rows and hashes of an exchange. */
#include "services/exchange.h"

#include <string.h>

#include "core/error.h"
#include "core/hash.h"

#define ACTION "prepare exchange"

conv_status conv__exchange_identify(conv__arena *arena, conv__exchange *exchange,
                                    const conv__identity *identity, int64_t created_us,
                                    conv_error *error)
{
    conv_status status = conv__session_to_row(
        arena, conv_text(identity->session_id), conv_text(identity->user_id),
        conv_text(identity->title), conv_text(NULL), &exchange->session, error);
    if (status != CONV_OK) return status;
    exchange->exchange_id =
        identity->turn_id != NULL ? conv_uuid_ensure(conv_text(identity->turn_id)) : conv_uuid_v7();
    if (identity->session_id == NULL)
        exchange->session.session_id =
            identity->turn_id != NULL ? conv_uuid_v5(exchange->exchange_id, conv_text("session"))
                                      : conv_uuid_v7();
    exchange->session.created_us = created_us;
    exchange->created_us = created_us;
    return CONV_OK;
}

void conv__message_complete(conv_message *message, int64_t created_us)
{
    if (conv_uuid_is_nil(message->message_id)) message->message_id = conv_uuid_v7();
    if (message->created_us == 0) message->created_us = created_us;
}

conv_status conv__exchange_set_messages(conv__arena *arena, conv__exchange *exchange,
                                        const conv_message *request, size_t request_count,
                                        const conv_message *reply, size_t reply_count,
                                        conv_error *error)
{
    size_t count = request_count + reply_count;
    conv__message_row *rows = conv__arena_allocate(arena, count * sizeof *rows);
    if (rows == NULL) return conv__fail_memory(error, ACTION);
    for (size_t i = 0; i < count; i++) {
        const conv_message *message = i < request_count ? &request[i] : &reply[i - request_count];
        conv_status status = conv__message_to_row(arena, message, &rows[i], error);
        if (status != CONV_OK) return status;
    }
    exchange->messages = rows;
    exchange->message_count = count;
    if (conv__hash_messages(request, request_count, exchange->request_hash) != CONV_OK ||
        conv__hash_messages(reply, reply_count, exchange->reply_hash) != CONV_OK)
        return conv__fail_memory(error, ACTION);
    return CONV_OK;
}

conv_status conv__exchange_set_usage(conv__arena *arena, conv__exchange *exchange,
                                     const conv_usage *usage, conv_error *error)
{
    conv_status status = conv__usage_to_row(arena, usage, &exchange->usage, error);
    exchange->usage.session_id = exchange->session.session_id;
    exchange->usage.user = exchange->session.user;
    return status;
}

conv_status conv__hash_messages(const conv_message *messages, size_t count,
                                uint8_t hash[CONV__CONTENT_HASH_SIZE])
{
    uint8_t digest[CONV__SHA256_SIZE];
    conv__sha256 *sha256 = conv__sha256_create();
    if (sha256 == NULL) return CONV_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const conv_message *message = &messages[i];
        conv__sha256_field(sha256, conv_text(conv_role_name(message->role)));
        conv__sha256_field(sha256, message->content);
        conv__sha256_field(sha256, message->parts);
        conv__sha256_field(sha256, message->tool_calls);
        conv__sha256_field(sha256, message->tool_call_id);
        conv__sha256_field(sha256, message->name);
    }
    if (conv__sha256_finish(sha256, digest) != CONV_OK) return CONV_NO_MEMORY;
    memcpy(hash, digest, CONV__CONTENT_HASH_SIZE);
    return CONV_OK;
}
