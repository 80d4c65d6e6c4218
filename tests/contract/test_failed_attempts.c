/* A turn whose earlier attempt failed, asked again while nobody can see that attempt: its answer
 * replaces the attempt all the same, in the order of the session. */
#include "support/test.h"

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/store.h"

#define TAKE_AWAY  "ALTER TABLE chat_exchanges RENAME TO away"
#define BRING_BACK "ALTER TABLE away RENAME TO chat_exchanges"

static conv_provider *echo;

static int setup(void **state)
{
    conv_error error;
    assert_ok(conv_provider_echo(&echo, &error), error);
    return contract_client_setup(state);
}

static int teardown(void **state)
{
    conv_provider_free(echo);
    return contract_client_teardown(state);
}

static conv_client *open_client(void)
{
    conv_client_params params = contract_client_params();
    params.provider = echo;
    params.journal = contract_client_journal();
    params.context_messages = -1;
    return contract_client_open(&params);
}

static void save_failed_attempt(conv_client *client)
{
    conv_error error;
    conv_message question = {.role = CONV_ROLE_USER, .content = conv_text("first")};
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    exchange.session_id = "session";
    exchange.turn_id = "turn-1";
    exchange.messages = &question;
    exchange.message_count = 1;
    exchange.status = CONV_OUTCOME_FAILED;
    assert_ok(conv_save_exchange(client, &exchange, NULL, &error), error);
}

static void answer(conv_client *client, const char *turn_id, const char *question)
{
    conv_error error;
    conv_reply *reply = NULL;
    conv_turn turn = CONV_TURN_INIT;
    turn.session_id = "session";
    turn.turn_id = turn_id;
    turn.message = conv_text(question);
    assert_ok(conv_process_message(client, &turn, &reply, &error), error);
    assert_int_equal(conv_reply_saved(reply), CONV_SAVED_JOURNALED);
    assert_int_equal(conv_reply_status(reply), CONV_OUTCOME_COMPLETE);
    conv_reply_free(reply);
}

static void an_answer_from_the_journal_replaces_a_failed_attempt(void **state)
{
    (void)state;
    conv_client *client = open_client();
    save_failed_attempt(client);
    test_store_execute(test_store_kind(), TAKE_AWAY);
    answer(client, "turn-1", "first");
    answer(client, "turn-2", "second");
    test_store_execute(test_store_kind(), BRING_BACK);
    contract_client_close(&client);
    assert_int_equal(contract_count("SELECT count(*) FROM %s", "chat_exchanges"), 2);
    assert_int_equal(
        contract_count("SELECT count(*) FROM %s", "chat_exchanges WHERE status = 'failed'"), 0);
    assert_int_equal(contract_count("SELECT count(*) FROM %s", "usage_logs"), 2);
    assert_int_equal(contract_count("SELECT count(*) FROM %s", "chat_messages"), 4);
    assert_int_equal(contract_count("SELECT count(*) FROM %s",
                                    "chat_messages WHERE role = 'assistant' AND content LIKE"
                                    " '%first%'"),
                     1);
    /* What was said first stands first. */
    assert_int_equal(contract_count("SELECT count(*) FROM %s",
                                    "chat_messages a, chat_messages b WHERE a.content LIKE"
                                    " '%first%' AND b.content LIKE '%second%'"
                                    " AND a.position > b.position"),
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_answer_from_the_journal_replaces_a_failed_attempt, setup,
                                        teardown),
    };
    return RUN_TESTS("failed attempts", tests);
}
