/* What a turn must be, and the messages it brings. Asks nobody. */
#include "services/turn.h"

#include <string.h>

#include "core/error.h"
#include "core/json.h"
#include "services/branching.h"
#include "services/exchange.h"

enum { CONTEXT_LIMIT = 10000 };

static conv_status invalid(conv_error *error, const char *what)
{
    return conv__fail(error, CONV_INVALID_ARGUMENT, CONV__TURN_ACTION, "%s", what);
}

bool conv__turn_is_object(const char *text)
{
    conv__json value;
    return text == NULL ||
           (conv__json_parse(conv_text(text), &value, NULL) && value.kind == CONV__JSON_OBJECT);
}

static bool is_empty_question(const conv_message *message)
{
    return message->role == CONV_ROLE_USER && message->content.size == 0 &&
           message->parts.data == NULL;
}

conv_status conv__turn_check_messages(const conv_turn *turn, conv_error *error)
{
    if (turn == NULL || turn->size != sizeof *turn)
        return invalid(error, "the turn was not begun with CONV_TURN_INIT");
    if (turn->message.data == NULL && turn->message_count == 0 &&
        conv_uuid_is_nil(turn->instead_of))
        return invalid(error, "the turn has no message");
    if (turn->message.data != NULL && turn->message.size == 0)
        return invalid(error, "the message is empty");
    if (turn->message_count > 0 && turn->messages == NULL)
        return invalid(error, "message_count is set but messages is NULL");
    for (size_t i = 0; i < turn->message_count; i++) {
        if (turn->messages[i].role < CONV_ROLE_SYSTEM || turn->messages[i].role > CONV_ROLE_TOOL)
            return conv__fail(error, CONV_INVALID_ARGUMENT, CONV__TURN_ACTION,
                              "message %zu has no known role", i + 1);
        if (is_empty_question(&turn->messages[i]))
            return conv__fail(error, CONV_INVALID_ARGUMENT, CONV__TURN_ACTION,
                              "message %zu of the user is empty", i + 1);
    }
    return CONV_OK;
}

conv_status conv__turn_check(const conv__conversation *service, const conv_turn *turn, bool asks,
                             conv_error *error)
{
    if (asks && turn->provider == NULL && service->provider == NULL)
        return invalid(error, "no provider: set one in the client's settings or in the turn");
    if (turn->context_messages < -1 || turn->context_messages > CONTEXT_LIMIT)
        return invalid(error, "context_messages is not -1 to 10000");
    if (turn->timeout_ms < 0) return invalid(error, "timeout_ms is negative");
    if (!conv_uuid_is_nil(turn->after) && !conv_uuid_is_nil(turn->instead_of))
        return invalid(error, "after and instead_of exclude each other");
    if (conv__turn_branches(turn) && turn->session_id == NULL)
        return invalid(error, "after and instead_of name a message of a session: give its id");
    if (!conv__turn_is_object(turn->metadata))
        return invalid(error, "metadata is not a JSON object");
    if (!conv__turn_is_object(turn->options)) return invalid(error, "options is not a JSON object");
    return CONV_OK;
}

conv_status conv__turn_messages(conv__arena *arena, const conv_turn *turn, int64_t created_us,
                                conv_message **messages, size_t *count)
{
    conv_message *made = conv__arena_allocate(arena, (turn->message_count + 1) * sizeof *made);
    if (made == NULL) return CONV_NO_MEMORY;
    if (turn->message_count > 0) memcpy(made, turn->messages, turn->message_count * sizeof *made);
    *count = turn->message_count;
    if (turn->message.data != NULL) {
        made[*count].role = CONV_ROLE_USER;
        made[*count].content = turn->message;
        (*count)++;
    }
    for (size_t i = 0; i < *count; i++)
        conv__message_complete(&made[i], created_us);
    *messages = made;
    return CONV_OK;
}

size_t conv__turn_context(const conv__conversation *service, const conv_turn *turn)
{
    int wanted = turn->context_messages != 0 ? turn->context_messages : service->context_messages;
    return wanted > 0 ? (size_t)wanted : 0;
}
