/* What is known of a turn before anybody is asked: its context, and whether its id was answered
 * before. Writes nothing. */
#include "services/call.h"

#include <string.h>

#include "core/error.h"
#include "core/time.h"
#include "services/branching.h"
#include "services/context.h"
#include "services/question.h"
#include "services/reply.h"
#include "services/turn.h"

#define ACTION CONV__TURN_ACTION

static size_t context_limit(const conv_call *call)
{
    return call->context_set ? 0 : conv__turn_context(call->service, &call->turn);
}

static bool uses_summaries(const conv__conversation *service)
{
    return service->context_tokens > 0 || service->summarizer != NULL;
}

static conv_status read_turn(conv__transaction *transaction, conv__arena *arena, void *context,
                             conv_error *error)
{
    conv_call *call = context;
    conv__chat_repository *chat = transaction->store->chat;
    conv__turn_query query = {.session_id = call->exchange.session.session_id,
                              .context_limit = context_limit(call)};
    if (call->turn.turn_id != NULL) query.exchange_id = call->exchange.exchange_id;
    call->state = (conv__turn_state){0};
    conv_status status =
        chat->functions->read_turn(chat, transaction, &query, arena, &call->state, error);
    if (status != CONV_OK) return status;
    status = conv__turn_read_branch(transaction, &call->turn, query.context_limit, arena,
                                    &call->exchange, &call->state, error);
    call->summary.count = 0;
    if (status != CONV_OK || query.context_limit == 0 || !uses_summaries(call->service))
        return status;
    return conv__context_read_summary(transaction, &call->turn, query.session_id, arena,
                                      &call->summary, error);
}

/* The store may be asked, and the breaker is told how that went. */
static conv_status ask_store(conv_call *call, int64_t deadline_ns, conv_error *error)
{
    conv__saving *saving = call->service->saving;
    int64_t begun = conv__monotonic_ns();
    conv_status status = conv__ask(call->service->store, CONV__ASK_READ, deadline_ns, read_turn,
                                   &call->read_arena, call, error);
    call->reply->store_us += (conv__monotonic_ns() - begun) / 1000;
    if (status != CONV_OK && conv__saving_has_journal(saving) && conv__saving_may_wait(error))
        conv__saving_store_away(saving, error);
    else if (status == CONV_NO_MEMORY)
        conv__saving_not_tried(saving);
    else
        conv__saving_store_back(saving);
    return status;
}

static conv_status read_from_store(conv_call *call, conv_error *error)
{
    int64_t deadline = conv__deadline_in_ms(call->service->store_timeout_ms);
    if (!conv__saving_may_try(call->service->saving, "read context", error))
        return conv__fail(
            error, CONV_UNAVAILABLE, "read context",
            "nothing was accepted, try again later: the turn's context can't be read, %s",
            error->message);
    if (call->deadline_ns < deadline) deadline = call->deadline_ns;
    return ask_store(call, deadline, error);
}

/* The same turn, answered while the store was away and waiting for it since. */
static conv_status find_in_journal(conv_call *call, int64_t deadline_ns, conv_error *error)
{
    conv__exchange found;
    conv_status status = conv__saving_find(call->service->saving, call->exchange.session.session_id,
                                           call->exchange.exchange_id, deadline_ns, &call->arena,
                                           &found, &call->waits, error);
    if (status != CONV_OK || !call->waits) return status;
    conv__message_row *rows =
        conv__arena_allocate(&call->arena, found.message_count * sizeof *rows);
    if (rows == NULL) return conv__fail_memory(error, ACTION);
    memcpy(rows, found.messages, found.message_count * sizeof *rows);
    for (size_t i = 0; status == CONV_OK && i < found.message_count; i++)
        status = conv__message_from_row(&rows[i], error);
    call->waiting = (conv__turn_state){.exchange = {.found = true, .status = found.status},
                                       .saved = {rows, found.message_count, false},
                                       .usage = found.usage};
    memcpy(call->waiting.exchange.request_hash, found.request_hash, CONV__CONTENT_HASH_SIZE);
    if (status == CONV_OK) status = conv__usage_from_row(&call->waiting.usage, error);
    return status;
}

static conv_status use_context(conv_call *call, conv_error *error)
{
    const conv__context context = {.history = &call->state.context,
                                   .summary =
                                       call->summary.count > 0 ? call->summary.summaries : NULL,
                                   .tokens = call->service->context_tokens};
    conv_message *messages = NULL;
    if (call->context_set || call->state.context.count == 0) return CONV_OK;
    call->uncovered_tokens = conv__context_tokens(&context);
    if (conv__context_build(&call->arena, &context, &messages, &call->context_count) != CONV_OK)
        return conv__fail_memory(error, ACTION);
    call->context = messages;
    return CONV_OK;
}

conv_status conv__call_look_up(conv_call *call, conv_error *error)
{
    conv_error details = CONV_ERROR_INIT;
    if (call->looked_up) return CONV_OK;
    conv_status status = conv__call_validate(call, error);
    bool has_id = call->turn.turn_id != NULL;
    if (status == CONV_OK && has_id) status = find_in_journal(call, call->deadline_ns, error);
    if (status != CONV_OK) return status;
    call->looked_up = true;
    size_t context = context_limit(call);
    bool answered = call->waits && call->waiting.exchange.status != CONV_OUTCOME_FAILED;
    bool branches = conv__turn_branches(&call->turn);
    if (answered || (!has_id && context == 0 && !branches)) return CONV_OK;
    status = read_from_store(call, &details);
    if (status == CONV_OK) return use_context(call, error);
    /* With a journal a turn that needs no context goes on while the store is away: if its id was
     * saved before, that comes out when it is saved. */
    if (context == 0 && !branches && conv__saving_may_wait(&details) &&
        conv__saving_has_journal(call->service->saving))
        return CONV_OK;
    call->looked_up = false;
    *error = details;
    return status;
}

/* A turn id that is known: the saved reply, a failed attempt to be replaced, or a conflict. */
static conv_status use_saved(conv_call *call, const conv__turn_state *state, conv_saved saved,
                             conv_error *error)
{
    const conv__exchange_state *exchange = &state->exchange;
    if (!exchange->found) return CONV_OK;
    if (memcmp(exchange->request_hash, call->exchange.request_hash,
               sizeof exchange->request_hash) != 0)
        return conv__fail(error, CONV_CONFLICT, ACTION,
                          "the turn id was used in this session for another message; nothing was "
                          "saved, use a new turn id");
    if (exchange->status == CONV_OUTCOME_FAILED) {
        call->exchange.replaces_failed = true;
        return CONV_OK;
    }
    conv_status status = conv__reply_set_saved(call->reply, state, call->request_count, error);
    if (status != CONV_OK) return status;
    call->reply->saved = saved;
    call->answered = CONV__ANSWERED_BEFORE;
    call->answer = CONV_OK;
    return CONV_OK;
}

conv_status conv__call_resolve(conv_call *call, conv_error *error)
{
    if (call->resolved) return CONV_OK;
    conv_status status = conv__call_fix(call, error);
    if (status == CONV_OK) status = conv__call_look_up(call, error);
    if (status == CONV_OK && call->waits)
        status = use_saved(call, &call->waiting, CONV_SAVED_JOURNALED, error);
    if (status == CONV_OK && call->answered != CONV__ANSWERED_BEFORE)
        status = use_saved(call, &call->state, CONV_SAVED_COMMITTED, error);
    call->resolved = status == CONV_OK;
    return status;
}

/* The turn's own time may be over by now. */
static conv_status read_saved(conv_call *call, bool journaled, conv_error *error)
{
    conv_status status = CONV_OK;
    int64_t deadline = conv__deadline_in_ms(call->service->store_timeout_ms);
    if (journaled) status = find_in_journal(call, deadline, error);
    if (status == CONV_OK && journaled && call->waits)
        status = use_saved(call, &call->waiting, CONV_SAVED_JOURNALED, error);
    if (status != CONV_OK || call->answered == CONV__ANSWERED_BEFORE) return status;
    if (!conv__saving_may_try(call->service->saving, "read saved reply", error))
        return CONV_UNAVAILABLE;
    status = ask_store(call, deadline, error);
    if (status == CONV_OK)
        status = conv__reply_set_saved(call->reply, &call->state, call->request_count, error);
    if (status == CONV_OK) call->answered = CONV__ANSWERED_BEFORE;
    return status;
}

conv_status conv__call_read_saved(conv_call *call, bool journaled, conv_error *error)
{
    conv_status status = read_saved(call, journaled, error);
    /* Something is stored under the turn id, and it is not what this reply says. */
    if (status != CONV_OK) error->outcome_unknown = true;
    return status;
}
