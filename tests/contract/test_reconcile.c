/* What reconciling says of sessions and their usage records, on either store. */
#include "support/test.h"

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/store.h"

static conv_client *client;
static conv_reconciliation *result;

static void save(const char *session)
{
    conv_message messages[2] = {{.role = CONV_ROLE_USER, .content = conv_text("question")},
                                {.role = CONV_ROLE_ASSISTANT, .content = conv_text("answer")}};
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    conv_error error;
    exchange.session_id = session;
    exchange.messages = messages;
    exchange.message_count = 2;
    exchange.usage.total_tokens = 7;
    assert_ok(conv_save_exchange(client, &exchange, NULL, &error), error);
}

static int setup(void **state)
{
    if (contract_client_setup(state) != 0) return -1;
    conv_client_params params = contract_client_params();
    client = contract_client_open(&params);
    save("one");
    save("one");
    save("two");
    return 0;
}

static int teardown(void **state)
{
    conv_reconciliation_free(result);
    result = NULL;
    contract_client_close(&client);
    return contract_client_teardown(state);
}

static void reconcile(size_t differences)
{
    conv_error error;
    assert_ok(conv_usage_refresh(client, NULL, NULL, &error), error);
    assert_ok(conv_reconcile(client, NULL, &result, &error), error);
    assert_int_equal(conv_reconciliation_count(result), differences);
}

static void assert_difference(const char *relation, const char *session, const char *wanted,
                              const char *found)
{
    for (size_t i = 0; i < conv_reconciliation_count(result); i++) {
        const conv_difference *one = conv_reconciliation_difference(result, i);
        if (!conv_bytes_equal(one->session_id, conv_text(session))) continue;
        assert_string_equal(one->relation.data, relation);
        assert_string_equal(one->wanted.data, wanted);
        assert_string_equal(one->found.data, found);
        return;
    }
    fail_msg("no difference of session %s is named", session);
}

static void a_record_of_another_session_is_missing_there_and_too_many_here(void **state)
{
    (void)state;
    contract_execute(
        "UPDATE usage_logs SET session_id = (SELECT session_id FROM chat_sessions WHERE"
        " external_id = 'one') WHERE session_id = (SELECT session_id FROM"
        " chat_sessions WHERE external_id = 'two')");
    reconcile(2);
    assert_difference("usage_logs", "one", "2", "3");
    assert_difference("usage_logs", "two", "1", "0");
}

static void a_record_that_is_gone_is_missing(void **state)
{
    (void)state;
    contract_execute("DELETE FROM usage_logs WHERE session_id = (SELECT session_id FROM"
                     " chat_sessions WHERE external_id = 'two')");
    reconcile(1);
    assert_difference("usage_logs", "two", "1", "0");
    assert_int_equal(conv_reconciliation_sums(result, CONV_ACCOUNT_LEDGER)->records, 2);
    assert_int_equal(conv_reconciliation_sums(result, CONV_ACCOUNT_SESSIONS)->records, 3);
}

static void a_count_that_is_not_that_of_the_messages_is_named(void **state)
{
    (void)state;
    contract_execute("UPDATE chat_sessions SET message_count = 3 WHERE external_id = 'one'");
    reconcile(1);
    assert_difference("chat_sessions", "one", "4", "3");
}

/* An application's own records belong to no exchange: nothing is to be found for them. */
static void records_of_no_exchange_are_not_too_many(void **state)
{
    (void)state;
    conv_usage usage = CONV_USAGE_INIT;
    conv_error error;
    usage.service = conv_text("embedding");
    usage.operation = conv_text("embed");
    usage.session_id = conv_text("one");
    assert_ok(conv_track_usage(client, &usage, &error), error);
    assert_ok(conv_track_flush(client, 10000, NULL, &error), error);
    reconcile(0);
    assert_true(conv_reconciliation_agrees(result));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_record_of_another_session_is_missing_there_and_too_many_here, setup, teardown),
        cmocka_unit_test_setup_teardown(a_record_that_is_gone_is_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_count_that_is_not_that_of_the_messages_is_named, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(records_of_no_exchange_are_not_too_many, setup, teardown),
    };
    return RUN_TESTS("reconcile", tests);
}
