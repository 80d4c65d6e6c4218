/* A failed attempt makes room for the next one of the same turn. */
#include "support/contract_store.h"
#include "support/sample.h"
#include "support/store.h"
#include "support/test.h"

static conv__arena arena;
static conv_error error;

static int reset(void **state)
{
    (void)state;
    conv__arena_reset(&arena);
    error = (conv_error)CONV_ERROR_INIT;
    return 0;
}

static void save(const conv__exchange *exchange)
{
    conv__save_result result;
    assert_ok(contract_save(contract_store(), &exchange, 1, &result, &error), error);
    assert_true(result.inserted);
}

/* The same turn asked again: key and question are those of `failed`, the rest is new. */
static conv__exchange *next_attempt(const conv__exchange *failed, const char *session,
                                    const char *question, const char *answer)
{
    conv__exchange *exchange = sample_exchange(&arena, session, question, answer);
    exchange->exchange_id = failed->exchange_id;
    exchange->replaces_failed = true;
    memcpy(exchange->request_hash, failed->request_hash, sizeof exchange->request_hash);
    return exchange;
}

/* What the writer does with such an exchange. */
static conv__save_result replace(const conv__exchange *exchange)
{
    conv__store *store = contract_store();
    conv__save_result result = {0};
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_WRITE);
    assert_ok(store->chat->functions->remove_failed(store->chat, transaction, exchange, &error),
              error);
    assert_ok(store->chat->functions->save(store->chat, transaction, &exchange, 1, &result, &error),
              error);
    assert_ok(store->functions->commit(transaction, &error), error);
    return result;
}

static long rows(const char *table, conv_uuid session_id)
{
    return contract_count("SELECT count(*) FROM %s WHERE session_id = '%s'", table,
                          contract_uuid(session_id));
}

static long message_count(conv_uuid session_id)
{
    return contract_count("SELECT message_count FROM chat_sessions WHERE session_id = '%s'",
                          contract_uuid(session_id));
}

static void test_the_last_turn_is_replaced(void **state)
{
    (void)state;
    save(sample_exchange(&arena, "replace last", "a", "b"));
    conv__exchange *failed = sample_failed_exchange(&arena, "replace last", "lost");
    save(failed);
    conv_uuid id = failed->session.session_id;
    assert_int_equal(message_count(id), 3);
    conv__exchange *again = next_attempt(failed, "replace last", "lost", "found");
    assert_true(replace(again).inserted);
    assert_int_equal(message_count(id), 4);
    assert_int_equal(rows("chat_messages", id), 4);
    assert_int_equal(rows("chat_exchanges", id), 2);
    assert_int_equal(rows("usage_logs", id), 2);
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs WHERE log_id = '%s'",
                                    contract_uuid(failed->usage.usage.log_id)),
                     0);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_messages WHERE session_id = '%s'"
                                    " AND status = 'failed'",
                                    contract_uuid(id)),
                     0);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_exchanges WHERE session_id = '%s'"
                                    " AND exchange_id = '%s' AND status = 'complete'",
                                    contract_uuid(id), contract_uuid(failed->exchange_id)),
                     1);
}

static void test_a_turn_in_the_middle_moves_to_the_end(void **state)
{
    (void)state;
    conv__exchange *failed = sample_failed_exchange(&arena, "replace middle", "lost");
    save(sample_exchange(&arena, "replace middle", "a", "b"));
    save(failed);
    save(sample_exchange(&arena, "replace middle", "c", "d"));
    conv_uuid id = failed->session.session_id;
    conv__save_result result = replace(next_attempt(failed, "replace middle", "lost", "found"));
    assert_true(result.inserted);
    /* It happened after the others; a position is never used twice. */
    assert_int_equal(result.first_position, 6);
    assert_int_equal(message_count(id), 6);
    assert_int_equal(rows("chat_messages", id), 6);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_messages WHERE session_id = '%s'"
                                    " AND position = 3",
                                    contract_uuid(id)),
                     0);
    assert_string_equal(test_store_value(test_store_kind(),
                                         "SELECT m.content FROM chat_messages m JOIN chat_sessions"
                                         " s ON s.session_id = m.session_id WHERE s.external_id ="
                                         " 'replace middle' ORDER BY m.position DESC LIMIT 1"),
                        "found");
}

static void test_other_content_is_not_replaced(void **state)
{
    (void)state;
    conv__exchange *failed = sample_failed_exchange(&arena, "replace other", "lost");
    save(failed);
    conv__exchange *other = next_attempt(failed, "replace other", "quite different", "reply");
    other->request_hash[15] ^= 1;
    assert_false(replace(other).inserted);
    conv_uuid id = failed->session.session_id;
    assert_int_equal(rows("chat_messages", id), 1);
    assert_int_equal(rows("usage_logs", id), 1);
    assert_int_equal(message_count(id), 1);
}

static void test_only_failed_turns_are_replaced(void **state)
{
    (void)state;
    const conv_outcome kept[] = {CONV_OUTCOME_COMPLETE, CONV_OUTCOME_INTERRUPTED};
    for (size_t i = 0; i < 2; i++) {
        char session[32];
        snprintf(session, sizeof session, "replace kept %d", (int)i);
        conv__exchange *exchange = sample_exchange(&arena, session, "a", "b");
        exchange->status = kept[i];
        save(exchange);
        assert_false(replace(next_attempt(exchange, session, "a", "c")).inserted);
        assert_int_equal(rows("chat_messages", exchange->session.session_id), 2);
        assert_int_equal(rows("chat_exchanges", exchange->session.session_id), 1);
        assert_int_equal(message_count(exchange->session.session_id), 2);
    }
}

static void test_nothing_to_replace(void **state)
{
    (void)state;
    conv__exchange *exchange = sample_exchange(&arena, "replace nothing", "a", "b");
    exchange->replaces_failed = true;
    assert_true(replace(exchange).inserted);
    assert_int_equal(message_count(exchange->session.session_id), 2);
}

static void test_a_second_failure_replaces_the_first(void **state)
{
    (void)state;
    conv__exchange *failed = sample_failed_exchange(&arena, "replace again", "lost");
    save(failed);
    conv__exchange *again = sample_failed_exchange(&arena, "replace again", "lost");
    again->exchange_id = failed->exchange_id;
    assert_true(replace(again).inserted);
    conv_uuid id = failed->session.session_id;
    assert_int_equal(rows("chat_messages", id), 1);
    assert_int_equal(rows("usage_logs", id), 1);
    assert_int_equal(message_count(id), 1);
}

static void test_a_rollback_keeps_the_failed_attempt(void **state)
{
    (void)state;
    conv__store *store = contract_store();
    conv__exchange *failed = sample_failed_exchange(&arena, "replace rolled back", "lost");
    save(failed);
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_WRITE);
    conv__exchange *again = next_attempt(failed, "replace rolled back", "lost", "found");
    assert_ok(store->chat->functions->remove_failed(store->chat, transaction, again, &error),
              error);
    store->functions->rollback(transaction);
    assert_int_equal(rows("chat_messages", failed->session.session_id), 1);
    assert_int_equal(message_count(failed->session.session_id), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_the_last_turn_is_replaced, reset),
        cmocka_unit_test_setup(test_a_turn_in_the_middle_moves_to_the_end, reset),
        cmocka_unit_test_setup(test_other_content_is_not_replaced, reset),
        cmocka_unit_test_setup(test_only_failed_turns_are_replaced, reset),
        cmocka_unit_test_setup(test_nothing_to_replace, reset),
        cmocka_unit_test_setup(test_a_second_failure_replaces_the_first, reset),
        cmocka_unit_test_setup(test_a_rollback_keeps_the_failed_attempt, reset),
    };
    int failures = RUN_TESTS_WITH("chat replacing", tests, contract_setup, contract_teardown);
    conv__arena_reset(&arena);
    return failures;
}
