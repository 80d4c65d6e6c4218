/* process_message: from what the user says to what is saved. The rules stand here; who asks, who
 * writes and what the rows look like stand elsewhere. */
#include "services/conversation.h"

#include <string.h>

#include "core/error.h"
#include "core/time.h"
#include "providers/response.h"
#include "services/exchange.h"
#include "services/question.h"
#include "services/reply.h"
#include "services/turn.h"

#define ACTION CONV__TURN_ACTION

/* One turn under way. What the caller will see lives in the reply's arena, the rest in `scratch`.
 */
typedef struct turn_run {
    const conv__conversation *service;
    const conv_turn *turn;
    conv_provider *provider;
    conv__arena scratch;
    conv_message *request;
    size_t request_count;
    conv__exchange exchange;
    conv__turn_state state;
    conv_provider_response *response;
    conv_status answer; /* how the provider ended */
    conv_error answer_error;
    int64_t deadline_ns;
    bool noted; /* in the journal, before the provider was asked */
    conv_reply *reply;
} turn_run;

static conv_status read_turn(conv__transaction *transaction, conv__arena *arena, void *context,
                             conv_error *error)
{
    turn_run *run = context;
    conv__chat_repository *chat = transaction->store->chat;
    conv__turn_query query = {.session_id = run->exchange.session.session_id,
                              .context_limit = conv__turn_context(run->service, run->turn)};
    if (run->turn->turn_id != NULL) query.exchange_id = run->exchange.exchange_id;
    run->state = (conv__turn_state){0};
    return chat->functions->read_turn(chat, transaction, &query, arena, &run->state, error);
}

static conv_status read_from_store(turn_run *run, conv_error *error)
{
    int64_t begun = conv__monotonic_ns();
    int64_t deadline = conv__deadline_in_ms(run->service->store_timeout_ms);
    if (conv__saving_is_away(run->service->saving, "read context", error))
        return conv__fail(
            error, CONV_UNAVAILABLE, "read context",
            "nothing was accepted, try again later: the turn's context can't be read, "
            "%s",
            error->message);
    if (run->deadline_ns < deadline) deadline = run->deadline_ns;
    conv_status status = conv__ask(run->service->store, CONV__ASK_READ, deadline, read_turn,
                                   &run->scratch, run, error);
    run->reply->store_us += (conv__monotonic_ns() - begun) / 1000;
    if (status != CONV_OK && conv__saving_has_journal(run->service->saving) &&
        conv__saving_may_wait(error))
        conv__saving_store_away(run->service->saving, error);
    return status;
}

/* Messages and ids as rows' makings; everything that a retry must repeat is fixed here. */
static conv_status prepare(turn_run *run, conv_error *error)
{
    const conv_turn *turn = run->turn;
    int64_t now = conv__now_us();
    conv__identity identity = {turn->session_id, turn->user_id, turn->turn_id, turn->title};
    conv__arena *arena = &run->reply->arena;
    conv_status status = conv__exchange_identify(arena, &run->exchange, &identity, now, error);
    if (status != CONV_OK) return status;
    if (conv__turn_messages(arena, turn, now, &run->request, &run->request_count) != CONV_OK)
        return conv__fail_memory(error, ACTION);
    /* Refuses what can't be saved before anybody is asked. */
    status = conv__exchange_set_messages(arena, &run->exchange, run->request, run->request_count,
                                         NULL, 0, error);
    conv_uuid_format(run->exchange.session.session_id, run->reply->session_id);
    conv_uuid_format(run->exchange.exchange_id, run->reply->turn_id);
    return status;
}

/* A turn id that is known: the saved reply, a failed attempt to be replaced, or a conflict.
 * `answered` says whether the reply is complete. */
static conv_status use_saved(turn_run *run, bool *answered, conv_error *error)
{
    const conv__exchange_state *saved = &run->state.exchange;
    *answered = false;
    if (!saved->found) return CONV_OK;
    if (memcmp(saved->request_hash, run->exchange.request_hash, sizeof saved->request_hash) != 0)
        return conv__fail(error, CONV_CONFLICT, ACTION,
                          "the turn id was used in this session for another message; nothing was "
                          "saved, use a new turn id");
    if (saved->status == CONV_OUTCOME_FAILED) {
        run->exchange.replaces_failed = true;
        return CONV_OK;
    }
    *answered = true;
    return conv__reply_set_saved(run->reply, &run->state, run->request_count, error);
}

/* The same turn, answered while the store was away and waiting for it since. */
static conv_status use_journaled(turn_run *run, bool *answered, conv_error *error)
{
    conv__exchange waiting;
    *answered = false;
    conv_status status = conv__saving_find(run->service->saving, run->exchange.session.session_id,
                                           run->exchange.exchange_id, run->deadline_ns,
                                           &run->scratch, &waiting, answered, error);
    if (status != CONV_OK || !*answered) return status;
    conv__turn_state *state = &run->state;
    conv__message_row *rows =
        conv__arena_allocate(&run->scratch, waiting.message_count * sizeof *rows);
    if (rows == NULL) return conv__fail_memory(error, ACTION);
    memcpy(rows, waiting.messages, waiting.message_count * sizeof *rows);
    for (size_t i = 0; status == CONV_OK && i < waiting.message_count; i++)
        status = conv__message_from_row(&rows[i], error);
    *state = (conv__turn_state){.exchange = {.found = true, .status = waiting.status},
                                .saved = {rows, waiting.message_count, false},
                                .usage = waiting.usage};
    memcpy(state->exchange.request_hash, waiting.request_hash, CONV__CONTENT_HASH_SIZE);
    if (status == CONV_OK) status = conv__usage_from_row(&state->usage, error);
    if (status == CONV_OK) status = use_saved(run, answered, error);
    if (status == CONV_OK && *answered) run->reply->saved = CONV_SAVED_JOURNALED;
    return status;
}

static conv_status note(turn_run *run, conv_error *error)
{
    conv__exchange noted = run->exchange;
    int64_t deadline = conv__deadline_in_ms(run->service->store_timeout_ms);
    noted.status = CONV_OUTCOME_INTERRUPTED;
    conv_usage usage = CONV_USAGE_INIT;
    usage.log_id = conv_uuid_v7();
    usage.created_us = noted.created_us;
    usage.service = conv_text("chat");
    usage.operation = conv_text("chat");
    usage.status = CONV_OUTCOME_INTERRUPTED;
    conv_status status = conv__exchange_set_usage(&run->scratch, &noted, &usage, error);
    if (status == CONV_OK)
        status = conv__saving_note(run->service->saving, &noted, deadline, error);
    run->noted = status == CONV_OK;
    return status;
}

static conv_status request_messages(turn_run *run, conv_provider_request *request)
{
    const conv__message_list *context = &run->state.context;
    size_t count = context->count + run->request_count;
    conv_message *messages = conv__arena_allocate(&run->scratch, count * sizeof *messages);
    if (messages == NULL) return CONV_NO_MEMORY;
    for (size_t i = 0; i < context->count; i++)
        messages[i] = context->rows[i].message;
    for (size_t i = 0; i < run->request_count; i++)
        messages[context->count + i] = run->request[i];
    request->messages = messages;
    request->message_count = count;
    return CONV_OK;
}

/* No connection is held here. */
static conv_status ask_provider(turn_run *run, conv_error *error)
{
    const conv_turn *turn = run->turn;
    const char *model = turn->model != NULL ? turn->model : run->service->model;
    conv_provider_request request = {.size = sizeof request,
                                     .model = conv_text(model),
                                     .options = conv_text(turn->options),
                                     .stream = turn->on_delta != NULL,
                                     .timeout_ms = conv__deadline_left_ms(run->deadline_ns),
                                     .session_id = run->reply->session_id,
                                     .turn_id = run->reply->turn_id};
    if (request_messages(run, &request) != CONV_OK ||
        conv__provider_response_create(turn->on_delta, turn->delta_context, &run->response) !=
            CONV_OK)
        return conv__fail_memory(error, ACTION);
    int64_t begun = conv__monotonic_ns();
    if (request.timeout_ms == 0)
        run->answer = conv__fail(&run->answer_error, CONV_TIMEOUT, "ask provider",
                                 "the turn's deadline passed before the provider was asked");
    else
        run->answer = run->provider->functions->complete(run->provider, &request, run->response,
                                                         &run->answer_error);
    run->reply->provider_us = (conv__monotonic_ns() - begun) / 1000;
    if (run->answer != CONV_OK) {
        /* A provider of the application's own may have left the details empty. */
        run->answer_error.status = run->answer;
        if (run->answer_error.message[0] == '\0')
            conv__fail(&run->answer_error, run->answer, "ask provider", "%s",
                       conv_status_text(run->answer));
    }
    return CONV_OK;
}

/* A provider that has nothing to say must mean it, by a finish reason (a recording that ends with
 * the question does); else silence would pass for an answer, and a repeat would ask nobody. */
static void refuse_silence(turn_run *run, size_t count)
{
    conv_bytes reason = conv__provider_response_finish_reason(run->response);
    if (run->answer != CONV_OK || count > 0 || reason.data != NULL) return;
    run->answer = conv__fail(&run->answer_error, CONV_PROVIDER, "ask provider",
                             "the provider answered without any message");
}

/* Takes over the answer's messages, as far as they came. */
static conv_status take_answer(turn_run *run, conv_error *error)
{
    size_t count = 0;
    const conv_message *messages = conv__provider_response_messages(run->response, &count);
    conv_bytes model = conv__provider_response_model(run->response);
    conv_reply *reply = run->reply;
    refuse_silence(run, count);
    reply->status = run->answer == CONV_OK ? CONV_OUTCOME_COMPLETE
                    : count > 0            ? CONV_OUTCOME_INTERRUPTED
                                           : CONV_OUTCOME_FAILED;
    if (conv__reply_set_messages(reply, messages, count) != CONV_OK ||
        conv__arena_copy(&reply->arena, conv__provider_response_finish_reason(run->response),
                         &reply->finish_reason) != CONV_OK ||
        conv__arena_copy(&reply->arena, model, &model) != CONV_OK)
        return conv__fail_memory(error, ACTION);
    int64_t now = conv__now_us();
    for (size_t i = 0; i < count; i++) {
        conv__message_complete(&reply->messages[i], now);
        if (run->answer != CONV_OK) reply->messages[i].status = CONV_OUTCOME_INTERRUPTED;
        if (reply->messages[i].role == CONV_ROLE_ASSISTANT && reply->messages[i].model.data == NULL)
            reply->messages[i].model = model;
    }
    if (reply->status == CONV_OUTCOME_FAILED)
        for (size_t i = 0; i < run->request_count; i++)
            run->request[i].status = CONV_OUTCOME_FAILED;
    return CONV_OK;
}

static conv_bytes text_or(const char *text, const char *fallback)
{
    return conv_text(text != NULL ? text : fallback);
}

static conv_status make_usage(turn_run *run, conv_error *error)
{
    const conv_turn *turn = run->turn;
    conv_usage usage = *conv__provider_response_usage(run->response);
    conv_bytes answered = conv__provider_response_model(run->response);
    const char *asked = turn->model != NULL ? turn->model : run->service->model;
    usage.log_id = conv_uuid_v7();
    usage.created_us = run->exchange.created_us;
    usage.session_id = text_or(turn->session_id, run->reply->session_id);
    usage.user_id = conv_text(turn->user_id);
    usage.user_email = conv_text(turn->user_email);
    usage.service = text_or(turn->service, "chat");
    usage.operation = text_or(turn->operation, "chat");
    usage.model = answered.data != NULL ? answered : conv_text(asked);
    usage.provider = conv_text(run->provider->functions->name);
    usage.latency_ms = run->reply->provider_us / 1000;
    usage.status = run->reply->status;
    usage.error = run->answer == CONV_OK ? conv_text(NULL) : conv_text(run->answer_error.message);
    usage.metadata = conv_text(turn->metadata);
    if (usage.total_tokens == CONV_UNKNOWN && usage.input_tokens != CONV_UNKNOWN &&
        usage.output_tokens != CONV_UNKNOWN)
        usage.total_tokens = usage.input_tokens + usage.output_tokens;
    conv__prices_apply(run->service->prices, &usage);
    if (conv__reply_set_usage(run->reply, &usage) != CONV_OK)
        return conv__fail_memory(error, ACTION);
    return conv__exchange_set_usage(&run->reply->arena, &run->exchange, &run->reply->usage, error);
}

static conv_status save(turn_run *run, conv_error *error)
{
    run->exchange.status = run->reply->status;
    conv_status status = conv__exchange_set_messages(
        &run->reply->arena, &run->exchange, run->request, run->request_count, run->reply->messages,
        run->reply->message_count, error);
    if (status == CONV_OK) status = make_usage(run, error);
    if (status != CONV_OK) return status;
    int64_t begun = conv__monotonic_ns();
    conv__save one = {.exchange = &run->exchange,
                      .deadline_ns = conv__deadline_in_ms(run->service->store_timeout_ms)};
    status = conv__saving_save(run->service->saving, &one, run->noted);
    run->reply->store_us += (conv__monotonic_ns() - begun) / 1000;
    if (status != CONV_OK) {
        *error = one.error;
        return status;
    }
    run->reply->saved = one.journaled ? CONV_SAVED_JOURNALED : CONV_SAVED_COMMITTED;
    if (!one.repeated) return CONV_OK;
    /* The same turn was answered elsewhere meanwhile; what was kept first is the truth. */
    if (one.journaled) {
        bool answered = false;
        status = use_journaled(run, &answered, error);
        if (status != CONV_OK || answered) return status;
    }
    status = read_from_store(run, error);
    if (status != CONV_OK) return status;
    return conv__reply_set_saved(run->reply, &run->state, run->request_count, error);
}

static conv_status run_turn(turn_run *run, conv_error *error)
{
    conv_status status = prepare(run, error);
    if (status != CONV_OK) return status;
    bool answered = false;
    if (run->turn->turn_id != NULL) status = use_journaled(run, &answered, error);
    if (status != CONV_OK || answered) return status;
    size_t context = conv__turn_context(run->service, run->turn);
    if (run->turn->turn_id != NULL || context > 0) {
        conv_error details = CONV_ERROR_INIT;
        status = read_from_store(run, &details);
        /* With a journal a turn that needs no context goes on while the store is away: if its id
         * was saved before, that comes out when it is saved. */
        if (status != CONV_OK && context == 0 && conv__saving_may_wait(&details) &&
            conv__saving_has_journal(run->service->saving))
            status = CONV_OK;
        else if (status != CONV_OK)
            *error = details;
        if (status == CONV_OK) status = use_saved(run, &answered, error);
        if (status != CONV_OK || answered) return status;
    }
    status = note(run, error);
    if (status == CONV_OK) status = ask_provider(run, error);
    if (status == CONV_OK) status = take_answer(run, error);
    if (status == CONV_OK) status = save(run, error);
    return status;
}

conv_status conv__process_message(const conv__conversation *service, const conv_turn *turn,
                                  conv_reply **reply, conv_error *error)
{
    conv_error unused;
    if (error == NULL) error = &unused;
    *reply = NULL;
    conv_status status = conv__turn_check(service, turn, error);
    if (status != CONV_OK) return status;
    turn_run run = {.service = service,
                    .turn = turn,
                    .provider = turn->provider != NULL ? turn->provider : service->provider,
                    .deadline_ns = conv__deadline_in_ms(
                        turn->timeout_ms > 0 ? turn->timeout_ms : service->turn_timeout_ms),
                    .reply = conv__reply_create()};
    if (run.reply == NULL) return conv__fail_memory(error, ACTION);
    status = run_turn(&run, error);
    conv__provider_response_free(run.response);
    conv__arena_reset(&run.scratch);
    if (status != CONV_OK) {
        conv_reply_free(run.reply);
        return status;
    }
    *reply = run.reply;
    if (run.answer == CONV_OK || run.reply->repeat) return CONV_OK;
    *error = run.answer_error;
    return run.answer;
}
