/* Every allocation of ours fails in turn: an error, no leak, and the store goes on. */
#include "support/failing_memory.h"
#include "support/postgres.h"
#include "support/sample.h"
#include "support/test.h"

#include <stdlib.h>

#include "core/time.h"
#include "repositories/chat.h"
#include "repositories/usage.h"

/* Each connection keeps one. */
enum { SPARE_BUFFERS = 2 };

static conv_error error;

static conv_status open_and_close(void *context)
{
    (void)context;
    conv__store *store = NULL;
    conv_schema_state schema;
    conv__postgres_params params = {.connection = postgres_url(), .connections = 2};
    conv_status status = conv__postgres_store_open(&params, &store, &error);
    if (status != CONV_OK) return status;
    status = store->functions->migrate(store, conv__deadline_in_ms(20000), &schema, &error);
    if (status == CONV_OK)
        status = store->functions->read_schema(store, conv__deadline_in_ms(20000), &schema, &error);
    store->functions->close(store);
    return status;
}

static void opening(void **state)
{
    (void)state;
    assert_true(failing_memory_run(open_and_close, NULL) > 5);
}

/* Made before memory fails. */
typedef struct things {
    conv__store *store;
    conv__exchange *exchange;
    conv__exchange *failed;
    conv__usage_row *record;
    conv__session_row session;
} things;

static conv_status begin(const things *self, conv__transaction_mode mode,
                         conv__transaction **transaction)
{
    return self->store->functions->begin(self->store, mode, conv__deadline_in_ms(20000),
                                         transaction, &error);
}

static conv_status end(const things *self, conv__transaction *transaction, conv_status status)
{
    if (status == CONV_OK) return self->store->functions->commit(transaction, &error);
    self->store->functions->rollback(transaction);
    return status;
}

static conv__exchange renewed(const conv__exchange *exchange)
{
    conv__exchange copy = *exchange;
    copy.exchange_id = conv_uuid_v7();
    copy.usage.usage.log_id = conv_uuid_v7();
    return copy;
}

static conv_status save(const things *self, const conv__exchange *exchange)
{
    conv__save_result result;
    conv__transaction *transaction = NULL;
    conv__chat_repository *chat = self->store->chat;
    conv_status status = begin(self, CONV__TRANSACTION_WRITE, &transaction);
    if (status != CONV_OK) return status;
    if (exchange->replaces_failed)
        status = chat->functions->remove_failed(chat, transaction, exchange, &error);
    if (status == CONV_OK)
        status = chat->functions->save(chat, transaction, &exchange, 1, &result, &error);
    return end(self, transaction, status);
}

/* What an earlier run left behind, too. */
static conv_status delete_session(const things *self, conv_uuid session_id)
{
    conv_delete_receipt receipt;
    conv__transaction *transaction = NULL;
    conv__chat_repository *chat = self->store->chat;
    conv_status status = begin(self, CONV__TRANSACTION_WRITE, &transaction);
    if (status != CONV_OK) return status;
    status = chat->functions->delete_session(chat, transaction, session_id, 1, &receipt, &error);
    return end(self, transaction, status);
}

static conv_status write_all(void *context)
{
    const things *self = context;
    bool found = false;
    bool inserted = false;
    const conv__usage_row *records[] = {self->record};
    conv__chat_repository *chat = self->store->chat;
    conv__usage_repository *usage = self->store->usage;
    conv__transaction *transaction = NULL;
    conv__exchange failed = renewed(self->failed);
    conv__exchange exchange = failed;
    exchange.replaces_failed = true;
    exchange.usage.usage.log_id = conv_uuid_v7();
    conv_status status = delete_session(self, failed.session.session_id);
    if (status == CONV_OK) status = save(self, &failed);
    if (status == CONV_OK) status = save(self, &exchange);
    if (status == CONV_OK) status = begin(self, CONV__TRANSACTION_WRITE, &transaction);
    if (status != CONV_OK) return status;
    status = chat->functions->create_session(chat, transaction, &self->session, &error);
    if (status == CONV_OK)
        status = chat->functions->update_session(chat, transaction, &self->session, &found, &error);
    if (status == CONV_OK)
        status = usage->functions->save(usage, transaction, records, 1, &inserted, &error);
    return end(self, transaction, status);
}

static void writing(void **state)
{
    assert_true(failing_memory_run_keeping(write_all, *state, SPARE_BUFFERS) > 20);
}

static conv_status read_chat(const things *self, conv__transaction *transaction, conv__arena *arena)
{
    conv__chat_repository *chat = self->store->chat;
    conv__turn_state turn;
    conv__message_list messages;
    conv__session_list sessions;
    conv__turn_query turn_query = {self->exchange->session.session_id, self->exchange->exchange_id,
                                   10};
    conv__history_query history = {.session_id = turn_query.session_id, .limit = 10};
    conv__session_query list = {.limit = 10};
    conv_status status =
        chat->functions->read_turn(chat, transaction, &turn_query, arena, &turn, &error);
    if (status == CONV_OK)
        status =
            chat->functions->read_history(chat, transaction, &history, arena, &messages, &error);
    if (status == CONV_OK)
        status = chat->functions->list_sessions(chat, transaction, &list, arena, &sessions, &error);
    return status;
}

static conv_status read_all(void *context)
{
    const things *self = context;
    conv__usage_repository *usage = self->store->usage;
    conv__usage_list records;
    conv__usage_total_list totals;
    conv__usage_query query = {.service = conv_text("chat"), .limit = 10};
    conv__arena arena = {NULL};
    conv__transaction *transaction = NULL;
    conv_status status = begin(self, CONV__TRANSACTION_READ, &transaction);
    if (status == CONV_OK) status = read_chat(self, transaction, &arena);
    if (status == CONV_OK)
        status = usage->functions->query(usage, transaction, &query, &arena, &records, &error);
    for (int group = CONV_USAGE_GROUP_NONE; status == CONV_OK && group <= CONV_USAGE_GROUP_SESSION;
         group++)
        status = usage->functions->sum(usage, transaction, &query, (conv_usage_group)group, &arena,
                                       &totals, &error);
    self->store->functions->rollback(transaction);
    conv__arena_reset(&arena);
    return status;
}

static void reading(void **state)
{
    const things *self = *state;
    assert_ok(save(self, self->exchange), error);
    assert_true(failing_memory_run(read_all, *state) > 20);
}

static conv__arena arena;
static things made;

static int setup(void **state)
{
    conv_usage usage = CONV_USAGE_INIT;
    if (postgres_setup(state) != 0) return -1;
    conv__postgres_params params = {.connection = postgres_url(), .connections = 1};
    usage.user_id = conv_text("a \xff user");
    usage.session_id = conv_text("nowhere");
    made.exchange = sample_exchange(&arena, "session", "question", "answer");
    made.failed = sample_failed_exchange(&arena, "other \xff", "question");
    made.record = sample_usage(&arena, &usage);
    made.exchange->session.user = made.failed->session.user = made.record->user;
    assert_ok(conv__session_to_row(&arena, conv_text("made"), conv_text("user"),
                                   conv_text("a \xff title"), conv_text("{}"), &made.session,
                                   &error),
              error);
    made.session.created_us = conv__now_us();
    made.store = postgres_open(&params);
    *state = &made;
    return 0;
}

static int teardown(void **state)
{
    made.store->functions->close(made.store);
    conv__arena_reset(&arena);
    return postgres_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening),
        cmocka_unit_test(writing),
        cmocka_unit_test(reading),
    };
    return RUN_TESTS_WITH("postgres memory", tests, setup, teardown);
}
