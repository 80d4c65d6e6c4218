/* Each allocation of an SQLite store fails, once and for ever: said as such, and nothing is left.
 */
#include "support/test.h"

#include <sqlite3.h>

#include "core/time.h"
#include "repositories/chat.h"
#include "repositories/sqlite/store.h"
#include "repositories/usage.h"
#include "support/failing_memory.h"
#include "support/sample.h"

enum { MESSAGES = 40 };

static conv__arena samples;
static const conv__exchange *exchange;
static conv__session_row changed;

/* SQLite's own allocations go another way. */
static sqlite3_mem_methods system_memory;
static int fail_at;
static bool fail_for_ever;
static int asked;

static bool fails(void)
{
    if (fail_at == 0) return false;
    asked++;
    return asked == fail_at || (fail_for_ever && asked > fail_at);
}

static void *allocate(int size)
{
    return fails() ? NULL : system_memory.xMalloc(size);
}

static void *resize(void *block, int size)
{
    return fails() ? NULL : system_memory.xRealloc(block, size);
}

static int install_memory(void)
{
    int code = sqlite3_config(SQLITE_CONFIG_GETMALLOC, &system_memory);
    sqlite3_mem_methods failing = system_memory;
    failing.xMalloc = allocate;
    failing.xRealloc = resize;
    if (code == SQLITE_OK) code = sqlite3_config(SQLITE_CONFIG_MALLOC, &failing);
    return code == SQLITE_OK ? sqlite3_initialize() : code;
}

static int setup(void **state)
{
    (void)state;
    conv_error error;
    if (install_memory() != SQLITE_OK) return -1;
    /* Enough for lists to grow out of the arena's first chunk. */
    conv_message messages[MESSAGES];
    for (int i = 0; i < MESSAGES; i++)
        messages[i] = (conv_message){.role = CONV_ROLE_ASSISTANT,
                                     .content = conv_view("a\0b", 3),
                                     .name = conv_text("\xFF"),
                                     .tool_calls = conv_text("[{\"id\": \"\\u0000\"}]")};
    exchange = sample_exchange_of(&samples, "not \xFF a UUID", messages, MESSAGES);
    return conv__session_to_row(&samples, conv_text("not \xFF a UUID"), conv_text(NULL),
                                conv_text("\xFE title"), conv_text("{\"a\": \"\\ud800\"}"),
                                &changed, &error);
}

static int teardown(void **state)
{
    (void)state;
    conv__arena_reset(&samples);
    return 0;
}

static conv_status write_all(conv__store *store, conv__transaction *transaction)
{
    conv__save_result result;
    bool found = false;
    conv_status status =
        store->chat->functions->save(store->chat, transaction, &exchange, 1, &result, NULL);
    if (status == CONV_OK)
        status = store->chat->functions->update_session(store->chat, transaction, &changed, &found,
                                                        NULL);
    return status;
}

static conv_status read_chat(conv__store *store, conv__transaction *transaction, conv__arena *arena)
{
    const conv__chat_repository_functions *chat = store->chat->functions;
    conv_uuid id = exchange->session.session_id;
    const conv__turn_query turn_query = {id, exchange->exchange_id, MESSAGES};
    const conv__history_query history_query = {.session_id = id, .limit = MESSAGES};
    const conv__session_query session_query = {.limit = 10};
    conv__turn_state turn;
    conv__message_list messages;
    conv__session_list sessions;
    conv_status status = chat->read_turn(store->chat, transaction, &turn_query, arena, &turn, NULL);
    if (status == CONV_OK)
        status =
            chat->read_history(store->chat, transaction, &history_query, arena, &messages, NULL);
    if (status == CONV_OK)
        status =
            chat->list_sessions(store->chat, transaction, &session_query, arena, &sessions, NULL);
    if (status != CONV_OK) return status;
    assert_int_equal(turn.saved.count, MESSAGES);
    assert_int_equal(turn.context.count, MESSAGES);
    assert_int_equal(messages.count, MESSAGES);
    assert_int_equal(sessions.count, 1);
    return CONV_OK;
}

static conv_status read_usage(conv__store *store, conv__transaction *transaction,
                              conv__arena *arena)
{
    const conv__usage_query query = {.limit = 10, .service = conv_text("chat")};
    conv__usage_list records;
    conv__usage_total_list totals;
    conv_status status =
        store->usage->functions->query(store->usage, transaction, &query, arena, &records, NULL);
    for (int group = 0; status == CONV_OK && group <= CONV_USAGE_GROUP_SESSION; group++)
        status = store->usage->functions->sum(store->usage, transaction, &query,
                                              (conv_usage_group)group, arena, &totals, NULL);
    return status;
}

static conv_status use_store(conv__store *store, conv__arena *arena)
{
    conv_schema_state schema;
    conv__transaction *transaction = NULL;
    int64_t deadline = conv__deadline_in_ms(60000);
    conv_status status = store->functions->migrate(store, deadline, &schema, NULL);
    if (status == CONV_OK)
        status =
            store->functions->begin(store, CONV__TRANSACTION_WRITE, deadline, &transaction, NULL);
    if (status != CONV_OK) return status;
    status = write_all(store, transaction);
    if (status != CONV_OK) {
        store->functions->rollback(transaction);
        return status;
    }
    status = store->functions->commit(transaction, NULL);
    if (status == CONV_OK)
        status =
            store->functions->begin(store, CONV__TRANSACTION_READ, deadline, &transaction, NULL);
    if (status != CONV_OK) return status;
    status = read_chat(store, transaction, arena);
    if (status == CONV_OK) status = read_usage(store, transaction, arena);
    store->functions->rollback(transaction);
    return status;
}

static conv_status run(void *context)
{
    (void)context;
    const conv__sqlite_params params = {.path = ":memory:"};
    conv__arena arena = {0};
    conv__store *store = NULL;
    conv_status status = conv__sqlite_store_open(&params, false, &store, NULL);
    if (status != CONV_OK) return status;
    status = use_store(store, &arena);
    conv__arena_reset(&arena);
    store->functions->close(store);
    return status;
}

static void test_each_allocation_fails(void **state)
{
    (void)state;
    assert_true(failing_memory_run(run, NULL) > 10);
}

/* There are some thousand: nearly all of the early ones, fewer and fewer of the late ones. */
static void test_allocations_of_sqlite_fail(void **state)
{
    (void)state;
    int failures = 0;
    for (int round = 0; round < 2; round++) {
        fail_for_ever = round == 1;
        bool reached = true;
        for (int next = 1; reached; next += 1 + next / 25) {
            asked = 0;
            fail_at = next;
            conv_status status = run(NULL);
            reached = asked >= next;
            fail_at = 0;
            if (status != CONV_OK) assert_int_equal(status, CONV_NO_MEMORY);
            failures += status != CONV_OK;
        }
    }
    assert_true(failures > 100);
    assert_int_equal(run(NULL), CONV_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation_fails),
        cmocka_unit_test(test_allocations_of_sqlite_fail),
    };
    return RUN_TESTS_WITH("sqlite memory", tests, setup, teardown);
}
