/* The test exchange. It is a failed one, because those can be removed with their usage record. */
#include "monitoring/probe.h"

#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/time.h"
#include "repositories/chat.h"
#include "services/question.h"

#define ACTION "check saving"

enum { MESSAGES = 2, TEXT_SIZE = 64 };

/* What every test exchange's question hashes to; it only has to equal itself. */
static const uint8_t probe_hash[CONV__CONTENT_HASH_SIZE] = "health check 1";

typedef struct probe_run {
    const conv__probe *probe;
    conv__exchange exchange;
    conv__message_row rows[MESSAGES];
    char text[TEXT_SIZE]; /* says something else each time */
    conv__message_list *read;
    conv_delete_receipt receipt;
} probe_run;

static conv_status set_messages(probe_run *run, conv__arena *arena, int64_t now, conv_error *error)
{
    static const conv_role roles[MESSAGES] = {CONV_ROLE_USER, CONV_ROLE_ASSISTANT};
    for (size_t i = 0; i < MESSAGES; i++) {
        conv_message message = {.message_id = conv_uuid_v7(),
                                .role = roles[i],
                                .content = conv_text(run->text),
                                .status = CONV_OUTCOME_FAILED,
                                .created_us = now};
        conv_status status = conv__message_to_row(arena, &message, &run->rows[i], error);
        if (status != CONV_OK) return status;
    }
    run->exchange.messages = run->rows;
    run->exchange.message_count = MESSAGES;
    return CONV_OK;
}

static conv_status make(probe_run *run, conv__arena *arena, conv_error *error)
{
    char id[CONV_UUID_TEXT_SIZE];
    int64_t now = conv__now_us();
    conv__exchange *exchange = &run->exchange;
    conv_uuid_format(conv_uuid_v7(), id);
    snprintf(run->text, sizeof run->text, "health check %s", id);
    conv_uuid_format(run->probe->session_id, id);
    conv_status status =
        conv__session_to_row(arena, conv_text(id), conv_text(NULL), conv_text("health check"),
                             conv_text(NULL), &exchange->session, error);
    exchange->session.created_us = now;
    exchange->exchange_id = run->probe->exchange_id;
    exchange->status = CONV_OUTCOME_FAILED;
    exchange->created_us = now;
    memcpy(exchange->request_hash, probe_hash, sizeof exchange->request_hash);
    if (status == CONV_OK) status = set_messages(run, arena, now, error);
    conv_usage usage = CONV_USAGE_INIT;
    usage.log_id = conv_uuid_v7();
    usage.created_us = now;
    usage.session_id = conv_text(id);
    usage.service = conv_text("health");
    usage.operation = conv_text("check");
    usage.status = CONV_OUTCOME_FAILED;
    usage.input_tokens = usage.output_tokens = usage.total_tokens = 0;
    usage.priced = true; /* at 0, so that it is not counted as unpriced in between */
    if (status == CONV_OK) status = conv__usage_to_row(arena, &usage, &exchange->usage, error);
    exchange->usage.session_id = exchange->session.session_id;
    return status;
}

static conv_status write_exchange(probe_run *run, conv__saving *saving, int64_t deadline_ns,
                                  conv_error *error)
{
    conv__save save = {.exchange = &run->exchange, .deadline_ns = deadline_ns};
    conv_status status = conv__saving_save_now(saving, &save);
    if (status != CONV_OK && error != NULL) *error = save.error;
    return status;
}

static conv_status read_messages(conv__transaction *transaction, conv__arena *arena, void *context,
                                 conv_error *error)
{
    probe_run *run = context;
    conv__chat_repository *chat = transaction->store->chat;
    conv__history_query query = {.session_id = run->probe->session_id, .limit = MESSAGES + 1};
    return chat->functions->read_history(chat, transaction, &query, arena, run->read, error);
}

static conv_status read_back(probe_run *run, conv__saving *saving, conv__arena *arena,
                             int64_t deadline_ns, conv_error *error)
{
    conv__message_list list = {0};
    run->read = &list;
    conv_status status = conv__ask(conv__saving_store(saving), CONV__ASK_READ, deadline_ns,
                                   read_messages, arena, run, error);
    if (status != CONV_OK) return status;
    bool same = list.count == MESSAGES;
    for (size_t i = 0; same && i < MESSAGES; i++)
        same = list.rows[i].message.role == run->rows[i].message.role &&
               conv_bytes_equal(list.rows[i].message.content, conv_text(run->text));
    if (same) return CONV_OK;
    return conv__fail(error, CONV_BAD_DATA, ACTION,
                      "the test exchange was saved, but %zu messages came back instead of the %d "
                      "that were in it: look into the store",
                      list.count, MESSAGES);
}

static conv_status remove_all(conv__transaction *transaction, conv__arena *arena, void *context,
                              conv_error *error)
{
    (void)arena;
    probe_run *run = context;
    conv__chat_repository *chat = transaction->store->chat;
    conv_status status = chat->functions->remove_failed(chat, transaction, &run->exchange, error);
    if (status != CONV_OK) return status;
    return chat->functions->delete_session(chat, transaction, run->probe->session_id, 0,
                                           &run->receipt, error);
}

static conv_status remove_exchange(probe_run *run, conv__probe *probe, conv__saving *saving,
                                   int64_t deadline_ns, conv_error *error)
{
    conv_status status = conv__ask(conv__saving_store(saving), CONV__ASK_WRITE, deadline_ns,
                                   remove_all, NULL, run, error);
    if (status == CONV_OK) *probe = (conv__probe){{{0}}, {{0}}};
    return status;
}

conv_status conv__probe_clean(conv__probe *probe, conv__saving *saving, int64_t deadline_ns,
                              conv_error *error)
{
    probe_run run = {.probe = probe};
    if (conv_uuid_is_nil(probe->session_id)) return CONV_OK;
    run.exchange.session.session_id = probe->session_id;
    run.exchange.exchange_id = probe->exchange_id;
    memcpy(run.exchange.request_hash, probe_hash, sizeof run.exchange.request_hash);
    return remove_exchange(&run, probe, saving, deadline_ns, error);
}

static int64_t step(int64_t *begun_ns)
{
    int64_t now = conv__monotonic_ns();
    int64_t took_us = (now - *begun_ns) / 1000;
    *begun_ns = now;
    return took_us;
}

conv_status conv__probe_run(conv__probe *probe, conv__saving *saving, int64_t deadline_ns,
                            conv_save_latency *latency, conv_error *error)
{
    probe_run run = {.probe = probe};
    conv__arena arena = {0};
    conv__arena read = {0};
    *latency = (conv_save_latency){CONV_UNKNOWN, CONV_UNKNOWN, CONV_UNKNOWN};
    conv_status status = conv__probe_clean(probe, saving, deadline_ns, error);
    if (status != CONV_OK) return status;
    *probe = (conv__probe){conv_uuid_v7(), conv_uuid_v7()};
    status = make(&run, &arena, error);
    int64_t begun = conv__monotonic_ns();
    if (status == CONV_OK) status = write_exchange(&run, saving, deadline_ns, error);
    if (status == CONV_OK) {
        latency->write_us = step(&begun);
        status = read_back(&run, saving, &read, deadline_ns, error);
    }
    if (status == CONV_OK) {
        latency->read_us = step(&begun);
        status = remove_exchange(&run, probe, saving, deadline_ns, error);
    } else {
        /* Whether it is there or not, it has to go; the next run tries again. */
        (void)!remove_exchange(&run, probe, saving, deadline_ns, NULL);
    }
    if (status == CONV_OK) latency->remove_us = step(&begun);
    conv__arena_reset(&arena);
    conv__arena_reset(&read);
    return status;
}
