/* Saving exchanges: whole or not at all, once, in order (promises P1, P3, P5, P6 for one writer).
 */
#include "support/contract_store.h"
#include "support/sample.h"
#include "support/store.h"
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

static conv__save_result save(const conv__exchange *exchange)
{
    conv__save_result result;
    assert_ok(contract_save(contract_store(), &exchange, 1, &result, &error), error);
    return result;
}

static conv__exchange_state find(const conv__exchange *exchange)
{
    conv__store *store = contract_store();
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_READ);
    conv__exchange_key key = {exchange->session.session_id, exchange->exchange_id};
    conv__exchange_state state;
    assert_ok(
        store->chat->functions->find_exchanges(store->chat, transaction, &key, 1, &state, &error),
        error);
    store->functions->rollback(transaction);
    return state;
}

/* Rows of a session, by SQL of the test's own. */
static void assert_rows(conv_uuid session_id, long sessions, long exchanges, long messages,
                        long usage)
{
    const char *id = contract_uuid(session_id);
    assert_int_equal(
        contract_count("SELECT count(*) FROM chat_sessions WHERE session_id = '%s'", id), sessions);
    assert_int_equal(
        contract_count("SELECT count(*) FROM chat_exchanges WHERE session_id = '%s'", id),
        exchanges);
    assert_int_equal(
        contract_count("SELECT count(*) FROM chat_messages WHERE session_id = '%s'", id), messages);
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs WHERE session_id = '%s'", id),
                     usage);
    if (sessions > 0)
        assert_int_equal(
            contract_count("SELECT message_count FROM chat_sessions WHERE session_id = '%s'", id),
            messages);
}

static const char *content_at(conv_uuid session_id, int position)
{
    char sql[256];
    snprintf(sql, sizeof sql,
             "SELECT content FROM chat_messages WHERE session_id = '%s' AND position = %d",
             contract_uuid(session_id), position);
    return test_store_value(test_store_kind(), sql);
}

static void test_an_exchange_leaves_its_rows(void **state)
{
    (void)state;
    conv__exchange *exchange = sample_exchange(&arena, "rows of one", "Where is it?", "Here.");
    conv__save_result result = save(exchange);
    assert_true(result.inserted);
    assert_int_equal(result.first_position, 1);
    conv_uuid id = exchange->session.session_id;
    assert_rows(id, 1, 1, 2, 1);
    assert_string_equal(content_at(id, 1), "Where is it?");
    assert_string_equal(content_at(id, 2), "Here.");
    const char *text = contract_uuid(id);
    assert_int_equal(
        contract_count("SELECT count(*) FROM chat_messages m JOIN chat_exchanges e"
                       " ON e.session_id = m.session_id AND e.first_message_id = m.message_id"
                       " WHERE m.session_id = '%s' AND m.position = 1 AND m.place = 0"
                       " AND m.role = 'user' AND m.status = 'complete'",
                       text),
        1);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_messages WHERE session_id = '%s'"
                                    " AND position = 2 AND place = 1 AND role = 'assistant'"
                                    " AND user_id = '%s'",
                                    text, contract_uuid(conv_uuid_ensure(conv_text("user-123")))),
                     1);
    assert_int_equal(
        contract_count("SELECT count(*) FROM usage_logs u JOIN chat_exchanges e"
                       " ON e.session_id = u.session_id AND e.log_id = u.log_id"
                       " WHERE u.session_id = '%s' AND u.input_tokens = 10 AND u.output_tokens = 5"
                       " AND u.total_tokens = 15 AND u.service = 'chat' AND u.operation = 'chat'"
                       " AND u.latency_ms IS NULL AND u.reasoning_tokens IS NULL"
                       " AND u.model IS NULL AND u.error IS NULL AND u.status = 'complete'",
                       text),
        1);
    char sql[256];
    snprintf(sql, sizeof sql, "SELECT cost_usd FROM usage_logs WHERE session_id = '%s'", text);
    assert_string_equal(test_store_value(test_store_kind(), sql), SAMPLE_COST);
    snprintf(sql, sizeof sql, "SELECT external_id FROM chat_sessions WHERE session_id = '%s'",
             text);
    assert_string_equal(test_store_value(test_store_kind(), sql), "rows of one");
    snprintf(sql, sizeof sql,
             "SELECT u.external_id FROM chat_users u JOIN chat_sessions s ON s.user_id = u.user_id"
             " WHERE s.session_id = '%s'",
             text);
    assert_string_equal(test_store_value(test_store_kind(), sql), "user-123");
}

static void test_ids_of_any_spelling(void **state)
{
    (void)state;
    /* Python: uuid.uuid5(uuid.NAMESPACE_DNS, "test-session"), and a UUID written in other ways. */
    save(sample_exchange(&arena, "test-session", "a", "b"));
    save(sample_exchange(&arena, "{AAAAAAAA-0000-4000-8000-00000000000F}", "a", "b"));
    save(sample_exchange(&arena, "urn:uuid:aaaaaaaa-0000-4000-8000-00000000000f", "c", "d"));
    save(sample_exchange(&arena, "", "empty", "id"));
    assert_int_equal(contract_count("SELECT message_count FROM chat_sessions"
                                    " WHERE session_id = 'aaaaaaaa-0000-4000-8000-00000000000f'"),
                     4);
    assert_string_equal(
        test_store_value(test_store_kind(), "SELECT session_id FROM chat_sessions"
                                            " WHERE external_id = 'test-session'"),
        contract_uuid(conv_uuid_v5(conv_uuid_namespace_dns(), conv_text("test-session"))));
    assert_int_equal(contract_count("SELECT count(*) FROM chat_sessions WHERE external_id = ''"),
                     1);
}

static void test_nobody_is_null(void **state)
{
    (void)state;
    conv__exchange *exchange = sample_exchange(&arena, "of nobody", "a", "b");
    exchange->session.user = (conv__name_row){0};
    exchange->usage.user = (conv__name_row){0};
    save(exchange);
    const char *id = contract_uuid(exchange->session.session_id);
    assert_int_equal(contract_count("SELECT (SELECT count(*) FROM chat_sessions WHERE session_id ="
                                    " '%s' AND user_id IS NULL) + (SELECT count(*) FROM"
                                    " chat_messages WHERE session_id = '%s' AND user_id IS NULL) +"
                                    " (SELECT count(*) FROM usage_logs WHERE session_id = '%s' AND"
                                    " user_id IS NULL)",
                                    id, id, id),
                     4);
}

static void test_the_same_exchange_twice(void **state)
{
    (void)state;
    conv__exchange *exchange = sample_exchange(&arena, "twice", "once", "only");
    assert_true(save(exchange).inserted);
    assert_false(save(exchange).inserted);
    assert_rows(exchange->session.session_id, 1, 1, 2, 1);

    /* Another attempt at the same turn: other ids, other text, same key. */
    conv__exchange *other = sample_exchange(&arena, "twice", "something", "else");
    other->exchange_id = exchange->exchange_id;
    other->session.title = conv_text("a title that must not apply");
    other->created_us = exchange->created_us + 1000000;
    assert_false(save(other).inserted);
    assert_rows(exchange->session.session_id, 1, 1, 2, 1);
    assert_string_equal(content_at(exchange->session.session_id, 1), "once");
    assert_int_equal(contract_count("SELECT count(*) FROM chat_sessions WHERE session_id = '%s'"
                                    " AND title IS NOT NULL",
                                    contract_uuid(exchange->session.session_id)),
                     0);

    conv__exchange_state stored = find(exchange);
    assert_true(stored.found);
    assert_int_equal(stored.status, CONV_OUTCOME_COMPLETE);
    assert_memory_equal(stored.request_hash, exchange->request_hash, CONV__CONTENT_HASH_SIZE);
    assert_memory_equal(stored.reply_hash, exchange->reply_hash, CONV__CONTENT_HASH_SIZE);
    assert_memory_not_equal(stored.request_hash, other->request_hash, CONV__CONTENT_HASH_SIZE);
    assert_memory_equal(&stored.log_id, &exchange->usage.usage.log_id, sizeof(conv_uuid));
}

static void test_the_same_turn_id_in_two_sessions(void **state)
{
    (void)state;
    conv__exchange *first = sample_exchange(&arena, "turn 1 of a", "a", "b");
    conv__exchange *second = sample_exchange(&arena, "turn 1 of b", "a", "b");
    second->exchange_id = first->exchange_id;
    assert_true(save(first).inserted);
    assert_true(save(second).inserted);
    assert_rows(first->session.session_id, 1, 1, 2, 1);
    assert_rows(second->session.session_id, 1, 1, 2, 1);
}

static void test_states_belong_to_their_keys(void **state)
{
    (void)state;
    conv__store *store = contract_store();
    conv__exchange *first = sample_exchange(&arena, "keys a", "a", "b");
    conv__exchange *failed = sample_failed_exchange(&arena, "keys b", "no answer");
    save(first);
    save(failed);
    const conv__exchange_key keys[] = {
        {failed->session.session_id, failed->exchange_id},
        {first->session.session_id, failed->exchange_id},
        {first->session.session_id, first->exchange_id},
        {first->session.session_id, first->exchange_id},
    };
    conv__exchange_state states[4];
    memset(states, 0xFF, sizeof states);
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_READ);
    assert_ok(
        store->chat->functions->find_exchanges(store->chat, transaction, keys, 4, states, &error),
        error);
    store->functions->rollback(transaction);
    assert_true(states[0].found);
    assert_int_equal(states[0].status, CONV_OUTCOME_FAILED);
    assert_memory_equal(states[0].request_hash, failed->request_hash, CONV__CONTENT_HASH_SIZE);
    assert_false(states[1].found);
    assert_true(states[2].found && states[3].found);
    assert_memory_equal(states[3].request_hash, first->request_hash, CONV__CONTENT_HASH_SIZE);
}

static void test_a_batch_keeps_the_order_of_each_session(void **state)
{
    (void)state;
    enum { SESSIONS = 3, EACH = 5, ALL = SESSIONS * EACH };
    const conv__exchange *exchanges[ALL];
    conv__save_result results[ALL];
    for (int i = 0; i < ALL; i++) {
        char session[32];
        char *question = conv__arena_allocate(&arena, 16);
        snprintf(session, sizeof session, "order %d", i % SESSIONS);
        snprintf(question, 16, "turn %d", i / SESSIONS);
        exchanges[i] = sample_exchange(&arena, session, question, "yes");
    }
    assert_ok(contract_save(contract_store(), exchanges, ALL, results, &error), error);
    for (int i = 0; i < ALL; i++) {
        char wanted[16];
        snprintf(wanted, sizeof wanted, "turn %d", i / SESSIONS);
        assert_true(results[i].inserted);
        assert_int_equal(results[i].first_position, i / SESSIONS * 2 + 1);
        assert_string_equal(
            content_at(exchanges[i]->session.session_id, (int)results[i].first_position), wanted);
    }
    assert_rows(exchanges[0]->session.session_id, 1, EACH, EACH * 2, EACH);
}

static void test_a_batch_of_old_and_new(void **state)
{
    (void)state;
    const conv__exchange *old = sample_exchange(&arena, "old and new", "1", "one");
    save(old);
    const conv__exchange *batch[] = {sample_exchange(&arena, "old and new", "2", "two"), old,
                                     sample_exchange(&arena, "old and new", "3", "three")};
    conv__save_result results[3];
    assert_ok(contract_save(contract_store(), batch, 3, results, &error), error);
    assert_true(results[0].inserted);
    assert_false(results[1].inserted);
    assert_true(results[2].inserted);
    assert_int_equal(results[0].first_position, 3);
    assert_int_equal(results[2].first_position, 5);
    assert_rows(old->session.session_id, 1, 3, 6, 3);
    assert_string_equal(content_at(old->session.session_id, 5), "3");
}

static void test_the_session_is_newer_after_each_exchange(void **state)
{
    (void)state;
    conv__exchange *first = sample_exchange(&arena, "times", "a", "b");
    first->session.title = conv_text("the first title");
    first->created_us = first->session.created_us = INT64_C(1700000000000001);
    conv__exchange *second = sample_exchange(&arena, "times", "c", "d");
    second->session.title = conv_text("the second title");
    second->created_us = second->session.created_us = INT64_C(1700000009000002);
    /* Another process, whose clock is behind. */
    conv__exchange *late = sample_exchange(&arena, "times", "e", "f");
    late->created_us = late->session.created_us = INT64_C(1700000004000003);
    save(first);
    save(second);
    assert_int_equal(save(late).first_position, 5);
    conv__store *store = contract_store();
    conv__session_list list;
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_READ);
    assert_ok(store->chat->functions->read_session(
                  store->chat, transaction, first->session.session_id, &arena, &list, &error),
              error);
    store->functions->rollback(transaction);
    assert_int_equal(list.count, 1);
    assert_bytes(list.sessions[0].title, "the first title");
    assert_int_equal(list.sessions[0].message_count, 6);
    assert_true(list.sessions[0].created_us == INT64_C(1700000000000001));
    assert_true(list.sessions[0].updated_us == INT64_C(1700000009000002));
}

/* Saves and must be refused as data; afterwards nothing of it may be there. */
static void refuse(const conv__exchange *const *exchanges, size_t count)
{
    conv_status status = contract_save(contract_store(), exchanges, count, NULL, &error);
    assert_status(status, CONV_BAD_DATA, error);
    assert_int_equal(error.recovery, CONV_RECOVERY_REJECT);
    assert_false(error.outcome_unknown);
    for (size_t i = 0; i < count; i++)
        assert_rows(exchanges[i]->session.session_id, 0, 0, 0, 0);
}

static void test_a_failing_statement_leaves_nothing(void **state)
{
    (void)state;
    conv__exchange *good = sample_exchange(&arena, "poisoned good", "a", "b");
    conv__exchange *bad = sample_exchange(&arena, "poisoned bad", "a", "b");
    /* The second message has the first one's id: the refusal comes in the middle of the exchange.
     */
    ((conv__message_row *)bad->messages)[1].message.message_id =
        bad->messages[0].message.message_id;
    const conv__exchange *batch[] = {good, bad};
    refuse(batch, 2);

    /* And at the very end: its usage record can't be stored. */
    conv__exchange *costly = sample_exchange(&arena, "poisoned cost", "a", "b");
    costly->usage.usage.cost_usd.negative = true;
    const conv__exchange *second_batch[] = {costly, good};
    refuse(second_batch, 2);
    assert_true(save(good).inserted);
}

static void test_a_failed_transaction_does_not_commit(void **state)
{
    (void)state;
    conv__store *store = contract_store();
    const conv__exchange *good = sample_exchange(&arena, "failed then committed", "a", "b");
    conv__exchange *bad = sample_exchange(&arena, "failed then committed", "c", "d");
    bad->usage.usage.cost_usd.negative = true;
    const conv__exchange *second = bad;
    conv__save_result results[2];
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_WRITE);
    /* Both may only be queued: what counts is that commit fails, whatever these answered. */
    conv_status first_status =
        store->chat->functions->save(store->chat, transaction, &good, 1, &results[0], &error);
    conv_status second_status =
        store->chat->functions->save(store->chat, transaction, &second, 1, &results[1], &error);
    assert_int_equal(first_status, CONV_OK);
    (void)second_status;
    assert_status(store->functions->commit(transaction, &error), CONV_BAD_DATA, error);
    assert_int_equal(error.recovery, CONV_RECOVERY_REJECT);
    assert_rows(good->session.session_id, 0, 0, 0, 0);
}

static void test_a_rollback_leaves_nothing(void **state)
{
    (void)state;
    conv__store *store = contract_store();
    const conv__exchange *exchange = sample_exchange(&arena, "rolled back", "a", "b");
    conv__save_result result;
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_WRITE);
    assert_ok(store->chat->functions->save(store->chat, transaction, &exchange, 1, &result, &error),
              error);
    store->functions->rollback(transaction);
    store->functions->rollback(NULL);
    assert_rows(exchange->session.session_id, 0, 0, 0, 0);
    assert_true(save(exchange).inserted);
}

static void test_what_is_not_committed_is_not_seen(void **state)
{
    (void)state;
    conv__store *store = contract_store();
    const conv__exchange *exchange = sample_exchange(&arena, "not yet", "a", "b");
    conv__save_result result;
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_WRITE);
    assert_ok(store->chat->functions->save(store->chat, transaction, &exchange, 1, &result, &error),
              error);
    assert_rows(exchange->session.session_id, 0, 0, 0, 0);
    assert_ok(store->functions->commit(transaction, &error), error);
    assert_rows(exchange->session.session_id, 1, 1, 2, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_an_exchange_leaves_its_rows, reset),
        cmocka_unit_test_setup(test_ids_of_any_spelling, reset),
        cmocka_unit_test_setup(test_nobody_is_null, reset),
        cmocka_unit_test_setup(test_the_same_exchange_twice, reset),
        cmocka_unit_test_setup(test_the_same_turn_id_in_two_sessions, reset),
        cmocka_unit_test_setup(test_states_belong_to_their_keys, reset),
        cmocka_unit_test_setup(test_a_batch_keeps_the_order_of_each_session, reset),
        cmocka_unit_test_setup(test_a_batch_of_old_and_new, reset),
        cmocka_unit_test_setup(test_the_session_is_newer_after_each_exchange, reset),
        cmocka_unit_test_setup(test_a_failing_statement_leaves_nothing, reset),
        cmocka_unit_test_setup(test_a_failed_transaction_does_not_commit, reset),
        cmocka_unit_test_setup(test_a_rollback_leaves_nothing, reset),
        cmocka_unit_test_setup(test_what_is_not_committed_is_not_seen, reset),
    };
    int failures = RUN_TESTS_WITH("chat", tests, contract_setup, contract_teardown);
    conv__arena_reset(&arena);
    return failures;
}
