/* Exchanges that one caller brings together, on either store: each has its own result, and no
 * session skips a turn. */
#include "support/test.h"

#include <string.h>

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/store.h"

enum { MANY = CONV_EXCHANGES_MOST, SESSIONS = 16 };

static conv_client *client;
static conv_error error;
static conv_message messages[2];
static conv_exchange_result results[MANY + 1];

static int setup(void **state)
{
    if (contract_client_setup(state) != 0) return -1;
    conv_client_params params = contract_client_params();
    messages[0] = (conv_message){.role = CONV_ROLE_USER, .content = conv_text("question")};
    messages[1] = (conv_message){.role = CONV_ROLE_ASSISTANT, .content = conv_text("answer")};
    client = contract_client_open(&params);
    return 0;
}

static int teardown(void **state)
{
    contract_client_close(&client);
    return contract_client_teardown(state);
}

static conv_exchange make(const char *session, const char *turn)
{
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    exchange.session_id = session;
    exchange.turn_id = turn;
    exchange.messages = messages;
    exchange.message_count = 2;
    return exchange;
}

static void all_are_saved_in_order_and_once(void **state)
{
    (void)state;
    static conv_exchange exchanges[MANY];
    static conv_message texts[MANY][2];
    static char sessions[MANY][24];
    static char turns[MANY][24];
    for (int i = 0; i < MANY; i++) {
        snprintf(sessions[i], sizeof sessions[i], "session %d", i % SESSIONS);
        snprintf(turns[i], sizeof turns[i], "turn %d", i / SESSIONS);
        memcpy(texts[i], messages, sizeof texts[i]);
        texts[i][0].content = conv_text(turns[i]);
        exchanges[i] = make(sessions[i], turns[i]);
        exchanges[i].messages = texts[i];
    }
    for (int repeat = 0; repeat < 2; repeat++) {
        assert_ok(conv_save_exchanges(client, exchanges, MANY, results, &error), error);
        for (int i = 0; i < MANY; i++) {
            assert_int_equal(results[i].status, CONV_OK);
            assert_int_equal(results[i].saved, CONV_SAVED_COMMITTED);
            assert_int_equal(results[i].repeat, repeat == 1);
        }
    }
    assert_int_equal(contract_count("SELECT count(*) FROM chat_messages"), 2 * MANY);
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs"), MANY);
    for (int session = 0; session < SESSIONS; session++) {
        conv_history *history = NULL;
        conv_history_params params = CONV_HISTORY_PARAMS_INIT;
        params.session_id = sessions[session];
        params.limit = 1000;
        assert_ok(conv_history_read(client, &params, &history, &error), error);
        assert_int_equal(conv_history_count(history), 2 * MANY / SESSIONS);
        for (size_t i = 0; i < MANY / SESSIONS; i++)
            assert_true(conv_bytes_equal(conv_history_message(history, 2 * i)->content,
                                         conv_text(turns[(int)i * SESSIONS])));
        conv_history_free(history);
    }
}

static void those_behind_an_invalid_one_are_not_saved(void **state)
{
    (void)state;
    conv_message nobody = {.role = CONV_ROLE_NONE, .content = conv_text("?")};
    conv_exchange exchanges[] = {make("a", "1"), make("a", "2"),   make("b", "1"),
                                 make("a", "3"), make(NULL, NULL), make("b", "1")};
    exchanges[1].messages = &nobody;
    exchanges[1].message_count = 1;
    long before = contract_count("SELECT count(*) FROM chat_exchanges");
    assert_status(conv_save_exchanges(client, exchanges, 6, results, &error), CONV_INVALID_ARGUMENT,
                  error);
    const conv_status wanted[] = {CONV_OK, CONV_INVALID_ARGUMENT, CONV_OK, CONV_INVALID_ARGUMENT,
                                  CONV_OK, CONV_INVALID_ARGUMENT};
    for (int i = 0; i < 6; i++) {
        assert_int_equal(results[i].status, wanted[i]);
        assert_int_equal(results[i].saved,
                         wanted[i] == CONV_OK ? CONV_SAVED_COMMITTED : CONV_SAVED_NOT);
    }
    assert_non_null(strstr(results[3].error.message, "not tried"));
    assert_non_null(strstr(results[3].error.message, results[1].error.message));
    assert_string_equal(error.message, results[1].error.message);
    assert_non_null(strstr(results[5].error.message, "turn id"));
    assert_int_equal(contract_count("SELECT count(*) FROM chat_exchanges"), before + 3);
}

static void a_time_that_no_store_keeps_is_refused(void **state)
{
    (void)state;
    conv_exchange never = make("never", "1");
    never.created_us = INT64_MAX;
    assert_status(conv_save_exchange(client, &never, NULL, &error), CONV_INVALID_ARGUMENT, error);
    assert_non_null(strstr(error.message, "created_us"));
}

static void a_conflict_is_told_and_keeps_none_back(void **state)
{
    (void)state;
    conv_exchange first[] = {make("c", "1")};
    conv_exchange again[] = {make("c", "1"), make("c", "2")};
    conv_message others[] = {messages[0], messages[1]};
    others[0].content = conv_text("another question");
    assert_ok(conv_save_exchanges(client, first, 1, results, &error), error);
    again[0].messages = others;
    assert_status(conv_save_exchanges(client, again, 2, results, &error), CONV_CONFLICT, error);
    assert_int_equal(results[0].status, CONV_CONFLICT);
    assert_int_equal(results[1].status, CONV_OK);
}

static void what_is_no_call_is_refused(void **state)
{
    (void)state;
    static conv_exchange exchanges[MANY + 1];
    long before = contract_count("SELECT count(*) FROM chat_exchanges");
    for (int i = 0; i <= MANY; i++)
        exchanges[i] = make(NULL, NULL);
    assert_status(conv_save_exchanges(client, exchanges, 0, results, &error), CONV_INVALID_ARGUMENT,
                  error);
    assert_status(conv_save_exchanges(client, exchanges, MANY + 1, results, &error),
                  CONV_INVALID_ARGUMENT, error);
    assert_status(conv_save_exchanges(client, NULL, 1, results, &error), CONV_INVALID_ARGUMENT,
                  error);
    assert_status(conv_save_exchanges(client, exchanges, 1, NULL, &error), CONV_INVALID_ARGUMENT,
                  error);
    assert_status(conv_save_exchanges(NULL, exchanges, 1, results, &error), CONV_INVALID_ARGUMENT,
                  error);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_exchanges"), before);
}

/* Also when the application names the usage record itself, so that both have the same. */
static void the_second_with_a_log_id_of_its_own_is_a_repeat(void **state)
{
    (void)state;
    conv_exchange exchange = make("s", "turn");
    exchange.usage.log_id = conv_uuid_v7();
    long before = contract_count("SELECT count(*) FROM usage_logs");
    for (int repeat = 0; repeat < 2; repeat++) {
        conv_reply *reply = NULL;
        assert_ok(conv_save_exchange(client, &exchange, &reply, &error), error);
        assert_int_equal(conv_reply_is_repeat(reply), repeat == 1);
        conv_reply_free(reply);
    }
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs"), before + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_saved_in_order_and_once),
        cmocka_unit_test(those_behind_an_invalid_one_are_not_saved),
        cmocka_unit_test(a_time_that_no_store_keeps_is_refused),
        cmocka_unit_test(a_conflict_is_told_and_keeps_none_back),
        cmocka_unit_test(what_is_no_call_is_refused),
        cmocka_unit_test(the_second_with_a_log_id_of_its_own_is_a_repeat),
    };
    return RUN_TESTS_WITH("save exchanges", tests, setup, teardown);
}
