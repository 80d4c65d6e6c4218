/* Every byte comes back (promise P8): through messages, sessions and usage records. */
#include "support/contract_store.h"
#include "support/sample.h"
#include "support/test.h"

#include <stdlib.h>

static conv__arena arena;
static conv_error error;

static int reset(void **state)
{
    (void)state;
    conv__arena_reset(&arena);
    error = (conv_error)CONV_ERROR_INIT;
    return 0;
}

#define BYTES(literal)                                                                             \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

/* Texts that have broken somebody's store. */
static const conv_bytes hostile[] = {
    BYTES(""),
    BYTES("\0"),
    BYTES("a\0b"),
    BYTES("\0\0\0"),
    BYTES("ends with a NUL\0"),
    BYTES("\xFF"),
    BYTES("\x80\x81"),
    BYTES("cut \xF0\x9F\x98"),
    BYTES("overlong \xC0\xAF"),
    BYTES("lone surrogates \xED\xA0\x80 \xED\xBF\xBF"),
    BYTES("beyond \xF4\x90\x80\x80"),
    BYTES("\xEF\xBB\xBF byte order mark"),
    BYTES("\xEF\xBF\xBD is U+FFFD itself"),
    BYTES("\xEF\xBF\xBF and \xEF\xB7\x90 are no characters"),
    BYTES("emoji \xF0\x9F\xA4\x96 \xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7"),
    BYTES("\xD9\x85\xD8\xB1\xD8\xAD\xD8\xA8\xD8\xA7 \xE2\x80\xAE right to left"),
    BYTES("\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E"),
    BYTES("e\xCC\x81 and \xC3\xA9 are not the same"),
    BYTES("line\nfeed\r\nreturn\ttab \x1B[31m \x7F"),
    BYTES("'; DROP TABLE chat_messages; --"),
    BYTES("$1 ?1 :a @b %s %n \\ \\x00 \" ' `"),
    BYTES(" leading and trailing "),
    BYTES("NULL"),
    BYTES("{\"a\":1}"),
};
enum { HOSTILE = sizeof hostile / sizeof hostile[0] };

static void assert_same(conv_bytes got, conv_bytes wanted)
{
    if (conv_bytes_equal(got, wanted)) return;
    fail_msg("%zu bytes%s came back for %zu bytes%s: %.40s", got.size,
             got.data == NULL ? " (absent)" : "", wanted.size,
             wanted.data == NULL ? " (absent)" : "", wanted.data == NULL ? "" : wanted.data);
}

static void save(const conv__exchange *exchange)
{
    conv__save_result result;
    assert_ok(contract_save(contract_store(), &exchange, 1, &result, &error), error);
    assert_true(result.inserted);
}

static conv__message_list read_all(conv_uuid session_id)
{
    conv__store *store = contract_store();
    conv__message_list list;
    const conv__history_query query = {.session_id = session_id, .limit = 1000};
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_READ);
    assert_ok(store->chat->functions->read_history(store->chat, transaction, &query, &arena, &list,
                                                   &error),
              error);
    store->functions->rollback(transaction);
    return list;
}

static void test_texts_of_messages(void **state)
{
    (void)state;
    conv_message messages[HOSTILE];
    for (int i = 0; i < HOSTILE; i++)
        messages[i] = (conv_message){.role = CONV_ROLE_TOOL,
                                     .content = hostile[i],
                                     .tool_call_id = hostile[(i + 1) % HOSTILE],
                                     .name = hostile[(i + 2) % HOSTILE],
                                     .model = hostile[(i + 3) % HOSTILE]};
    conv__exchange *exchange = sample_exchange_of(&arena, "texts", messages, HOSTILE);
    save(exchange);
    conv__message_list list = read_all(exchange->session.session_id);
    assert_int_equal(list.count, HOSTILE);
    for (int i = 0; i < HOSTILE; i++) {
        const conv_message *got = &list.rows[i].message;
        assert_same(got->content, messages[i].content);
        assert_same(got->tool_call_id, messages[i].tool_call_id);
        assert_same(got->name, messages[i].name);
        assert_same(got->model, messages[i].model);
        assert_null(got->parts.data);
        assert_null(got->metadata.data);
        assert_int_equal(got->content.data[got->content.size], '\0');
    }
}

static void test_absent_is_not_empty(void **state)
{
    (void)state;
    const conv_message messages[] = {
        {.role = CONV_ROLE_ASSISTANT},
        {.role = CONV_ROLE_ASSISTANT, .content = conv_text("")},
        {.role = CONV_ROLE_ASSISTANT, .parts = conv_text("[]"), .tool_calls = conv_text("[]")},
    };
    conv__exchange *exchange = sample_exchange_of(&arena, "absent", messages, 3);
    save(exchange);
    conv__message_list list = read_all(exchange->session.session_id);
    assert_null(list.rows[0].message.content.data);
    assert_null(list.rows[0].message.parts.data);
    assert_null(list.rows[0].message.tool_calls.data);
    assert_null(list.rows[0].message.metadata.data);
    assert_bytes(list.rows[1].message.content, "");
    assert_null(list.rows[2].message.content.data);
    assert_bytes(list.rows[2].message.parts, "[]");
    assert_bytes(list.rows[2].message.tool_calls, "[]");
}

/* Parts and tool calls come back as they were written: order, spaces, doubled keys, numbers. */
static const char *const exact_json[] = {
    "[]",
    "[ ]",
    "[{\"type\":\"text\",\"text\":\"a\"}]",
    "[ {\"z\" : 1 , \"a\":[ ] ,\"m\":{ }} ]",
    "[{\"a\":1,\"a\":2}]",
    "[1.10, 1e400, 0.1e-7, -0, 12345678901234567890123, 1E+2]",
    "[\"\\u0000 \\ud800 \\uDC00 \\ud83e\\udd16 \\/ \\u00e9\"]",
    "[\"\xD9\x85\xD8\xB1\xD8\xAD\xD8\xA8\xD8\xA7\", null, true, false]",
    "[\n\t{\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\": \\\"\\u0000\\\"}\"}}\r\n]",
};
enum { EXACT = sizeof exact_json / sizeof exact_json[0] };

static void test_json_is_kept_as_written(void **state)
{
    (void)state;
    conv_message messages[EXACT + 1];
    for (int i = 0; i < EXACT; i++)
        messages[i] = (conv_message){.role = CONV_ROLE_ASSISTANT,
                                     .parts = conv_text(exact_json[i]),
                                     .tool_calls = conv_text(exact_json[EXACT - 1 - i])};
    /* As deep as the library reads. */
    char deep[1025];
    memset(deep, '[', 512);
    memset(deep + 512, ']', 512);
    deep[1024] = '\0';
    messages[EXACT] = (conv_message){.role = CONV_ROLE_ASSISTANT, .parts = conv_text(deep)};
    conv__exchange *exchange = sample_exchange_of(&arena, "exact json", messages, EXACT + 1);
    save(exchange);
    conv__message_list list = read_all(exchange->session.session_id);
    assert_int_equal(list.count, EXACT + 1);
    for (int i = 0; i <= EXACT; i++) {
        assert_same(list.rows[i].message.parts, messages[i].parts);
        assert_same(list.rows[i].message.tool_calls, messages[i].tool_calls);
        assert_null(list.rows[i].message.content.data);
    }
}

static void test_metadata_that_no_column_takes(void **state)
{
    (void)state;
    const conv_message messages[] = {
        {.role = CONV_ROLE_USER, .metadata = conv_text("{\"a\": 1}")},
        {.role = CONV_ROLE_USER, .metadata = conv_text("{\"a\" : \"\\u0000\", \"Z\":\"\\ud800\"}")},
        {.role = CONV_ROLE_USER, .metadata = conv_view("{\"a\":\"\xFF\"}", 9)},
    };
    conv__exchange *exchange = sample_exchange_of(&arena, "metadata", messages, 3);
    exchange->usage.usage.status = CONV_OUTCOME_COMPLETE;
    save(exchange);
    conv__message_list list = read_all(exchange->session.session_id);
    for (int i = 0; i < 3; i++)
        assert_same(list.rows[i].message.metadata, messages[i].metadata);
}

static void test_a_long_text(void **state)
{
    (void)state;
    enum { SIZE = 10 << 20 };
    char *text = malloc(SIZE);
    assert_non_null(text);
    for (int i = 0; i < SIZE; i++)
        text[i] = (char)('a' + i * 7 % 26);
    text[SIZE / 2] = '\0';
    text[SIZE - 1] = '\xFE';
    const conv_message messages[] = {
        {.role = CONV_ROLE_USER, .content = conv_view(text, SIZE / 2)},
        {.role = CONV_ROLE_ASSISTANT, .content = conv_view(text, SIZE)},
        {.role = CONV_ROLE_ASSISTANT, .content = conv_text("x")},
    };
    conv__exchange *exchange = sample_exchange_of(&arena, "long", messages, 3);
    save(exchange);
    conv__message_list list = read_all(exchange->session.session_id);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(list.rows[i].message.content.size, messages[i].content.size);
        assert_memory_equal(list.rows[i].message.content.data, messages[i].content.data,
                            messages[i].content.size);
    }
    free(text);
}

static void test_ids_titles_and_metadata_of_sessions(void **state)
{
    (void)state;
    conv__store *store = contract_store();
    for (int i = 0; i < HOSTILE; i++) {
        conv__session_row row;
        conv_bytes title = hostile[(i + 1) % HOSTILE];
        conv_bytes user = hostile[(i + 2) % HOSTILE];
        assert_ok(conv__session_to_row(&arena, hostile[i], user, title,
                                       conv_text("{\"a\": \"\\u0000\"}"), &row, &error),
                  error);
        row.created_us = 1700000000000000 + i;
        conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_WRITE);
        assert_ok(store->chat->functions->create_session(store->chat, transaction, &row, &error),
                  error);
        assert_ok(store->functions->commit(transaction, &error), error);
        conv__session_list list;
        transaction = contract_begin(store, CONV__TRANSACTION_READ);
        assert_ok(store->chat->functions->read_session(store->chat, transaction, row.session_id,
                                                       &arena, &list, &error),
                  error);
        store->functions->rollback(transaction);
        assert_same(list.sessions[0].external_id, hostile[i]);
        assert_same(list.sessions[0].external_user_id, user);
        assert_same(list.sessions[0].title, title);
        assert_bytes(list.sessions[0].metadata, "{\"a\": \"\\u0000\"}");
    }
}

static void test_texts_of_usage_records(void **state)
{
    (void)state;
    conv__store *store = contract_store();
    const conv__usage_row *rows[HOSTILE];
    bool inserted[HOSTILE];
    conv_usage usages[HOSTILE];
    for (int i = 0; i < HOSTILE; i++) {
        conv_usage usage = CONV_USAGE_INIT;
        usage.created_us = 1700000000000000 - i;
        usage.user_id = hostile[i];
        usage.user_email = hostile[(i + 1) % HOSTILE];
        usage.service = hostile[(i + 2) % HOSTILE];
        usage.operation = hostile[(i + 3) % HOSTILE];
        usage.model = hostile[(i + 4) % HOSTILE];
        usage.provider = hostile[(i + 5) % HOSTILE];
        usage.price = hostile[(i + 6) % HOSTILE];
        usage.error = hostile[(i + 7) % HOSTILE];
        usage.raw = conv_text("{\"b\": \"\\ud800\",\"a\":1}");
        usage.metadata = conv_text("{\"a\": \"\\u0000\"}");
        usages[i] = usage;
        rows[i] = sample_usage(&arena, &usage);
    }
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_WRITE);
    assert_ok(
        store->usage->functions->save(store->usage, transaction, rows, HOSTILE, inserted, &error),
        error);
    assert_ok(store->functions->commit(transaction, &error), error);
    const conv__usage_query query = {
        .from_us = 1700000000000000 - HOSTILE, .to_us = 1700000000000001, .limit = 1000};
    conv__usage_list list;
    transaction = contract_begin(store, CONV__TRANSACTION_READ);
    assert_ok(
        store->usage->functions->query(store->usage, transaction, &query, &arena, &list, &error),
        error);
    store->functions->rollback(transaction);
    assert_int_equal(list.count, HOSTILE);
    for (int i = 0; i < HOSTILE; i++) {
        const conv_usage *got = &list.records[i];
        assert_same(got->user_id, usages[i].user_id);
        assert_same(got->user_email, usages[i].user_email);
        assert_same(got->service, usages[i].service);
        assert_same(got->operation, usages[i].operation);
        assert_same(got->model, usages[i].model);
        assert_same(got->provider, usages[i].provider);
        assert_same(got->price, usages[i].price);
        assert_same(got->error, usages[i].error);
        assert_same(got->raw, usages[i].raw);
        assert_same(got->metadata, usages[i].metadata);
        assert_null(got->session_id.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_texts_of_messages, reset),
        cmocka_unit_test_setup(test_absent_is_not_empty, reset),
        cmocka_unit_test_setup(test_json_is_kept_as_written, reset),
        cmocka_unit_test_setup(test_metadata_that_no_column_takes, reset),
        cmocka_unit_test_setup(test_a_long_text, reset),
        cmocka_unit_test_setup(test_ids_titles_and_metadata_of_sessions, reset),
        cmocka_unit_test_setup(test_texts_of_usage_records, reset),
    };
    int failures = RUN_TESTS_WITH("bytes", tests, contract_setup, contract_teardown);
    conv__arena_reset(&arena);
    return failures;
}
