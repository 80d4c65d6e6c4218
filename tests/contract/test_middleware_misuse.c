/* Steps that break the rules of the chain, on either store with a journal: named by CONV_STATE, and
 * whatever they do, a turn is there whole or not at all, and others go on. */
#include "support/test.h"

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/program.h"
#include "support/store.h"

static conv_provider *echo;
static conv_middleware *step;
static conv_client *client;
static bool behaves;
static size_t replied; /* messages in the reply of the last turn */

static conv_status forget(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    (void)context;
    return behaves ? conv_next_run(next, call, error) : CONV_OK;
}

static conv_status call_twice(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    (void)context;
    conv_status status = conv_next_run(next, call, error);
    return behaves ? status : conv_next_run(next, call, NULL);
}

static conv_status refuse_afterwards(void *context, conv_call *call, conv_next *next,
                                     conv_error *error)
{
    (void)context;
    conv_status status = conv_next_run(next, call, error);
    if (behaves || status != CONV_OK) return status;
    snprintf(error->message, sizeof error->message, "not this one");
    return CONV_PERMISSION;
}

static int setup(void **state)
{
    conv_error error;
    if (contract_client_setup(state) != 0) return -1;
    behaves = false;
    assert_ok(conv_provider_echo(&echo, &error), error);
    return 0;
}

static int teardown(void **state)
{
    (void)conv_client_close(client, 30000, NULL);
    client = NULL;
    conv_middleware_free(step);
    conv_provider_free(echo);
    return contract_client_teardown(state);
}

enum { BEFORE_PROVIDER, AROUND_SAVING, BEHIND_SAVING };

/* `place`: where the step stands. */
static void open_client(conv_middleware_function function, int place)
{
    conv_error error;
    assert_ok(conv_middleware_callback("careless", function, NULL, &step, &error), error);
    conv_middleware *const before[] = {
        conv_middleware_validate_ids(), step,
        conv_middleware_provider(),     conv_middleware_save_to_database(),
        conv_middleware_track_usage(),  conv_middleware_publish()};
    conv_middleware *const after[] = {conv_middleware_validate_ids(),
                                      conv_middleware_provider(),
                                      step,
                                      conv_middleware_save_to_database(),
                                      conv_middleware_track_usage(),
                                      conv_middleware_publish()};
    conv_middleware *const behind[] = {
        conv_middleware_validate_ids(),     conv_middleware_provider(),
        conv_middleware_save_to_database(), step,
        conv_middleware_track_usage(),      conv_middleware_publish()};
    conv_middleware *const *const chains[] = {before, after, behind};
    conv_client_params params = contract_client_params();
    params.provider = echo;
    params.journal = contract_client_journal();
    params.chain = chains[place];
    params.chain_count = 6;
    client = contract_client_open(&params);
}

static conv_status say(conv_error *error)
{
    conv_reply *reply = NULL;
    conv_turn turn = CONV_TURN_INIT;
    turn.session_id = "careless";
    turn.turn_id = "t-1";
    turn.message = conv_text("hello");
    conv_status status = conv_process_message(client, &turn, &reply, error);
    replied = reply != NULL ? conv_reply_message_count(reply) : 0;
    conv_reply_free(reply);
    return status;
}

static void assert_rows(const char *table, const char *condition, long wanted)
{
    assert_int_equal(contract_count("SELECT count(*) FROM %s %s", table, condition), wanted);
}

/* The same turn, when the step behaves, is saved once. */
static void assert_it_goes_on(void)
{
    conv_error error;
    behaves = true;
    for (int i = 0; i < 2; i++)
        assert_ok(say(&error), error);
    assert_rows("chat_exchanges", "", 1);
    assert_rows("chat_messages", "WHERE status = 'complete'", 2);
    assert_rows("usage_logs", "WHERE status = 'complete'", 1);
    contract_client_await_empty_journal(client);
}

/* With an empty store, and without a client. */
static void start_again(void)
{
    conv_error error;
    contract_execute("DELETE FROM chat_messages; DELETE FROM chat_exchanges;"
                     " DELETE FROM chat_sessions; DELETE FROM usage_logs");
    assert_ok(conv_client_close(client, 30000, &error), error);
    conv_middleware_free(step);
    client = NULL;
    step = NULL;
}

static void forgetting_before_the_provider_leaves_nothing(void **state)
{
    (void)state;
    conv_error error;
    open_client(forget, BEFORE_PROVIDER);
    assert_status(say(&error), CONV_STATE, error);
    assert_contains(error.message, "careless");
    assert_rows("chat_sessions", "", 0);
    assert_rows("chat_exchanges", "", 0);
    assert_rows("usage_logs", "", 0);
    contract_client_await_empty_journal(client);
    assert_it_goes_on();
}

static void forgetting_to_save_keeps_question_and_cost(void **state)
{
    (void)state;
    conv_error error;
    open_client(forget, AROUND_SAVING);
    assert_status(say(&error), CONV_STATE, error);
    assert_contains(error.message, "careless");
    assert_rows("chat_exchanges", "WHERE status = 'failed'", 1);
    assert_rows("chat_messages", "", 1);
    assert_rows("usage_logs", "WHERE status = 'failed'", 1);
    contract_client_await_empty_journal(client);
    assert_it_goes_on();
}

static conv_status count(void *context, const conv_event *event)
{
    (void)event;
    ++*(int *)context;
    return CONV_OK;
}

/* What is committed is neither taken back nor told as failed. */
static void forgetting_after_the_commit_leaves_it_complete(void **state)
{
    (void)state;
    conv_error error;
    int saved = 0;
    uint64_t number = 0;
    open_client(forget, BEHIND_SAVING);
    conv_subscription_params params = CONV_SUBSCRIPTION_PARAMS_INIT;
    params.kinds = CONV_EVENT_SET(CONV_EVENT_EXCHANGE_SAVED);
    params.handler = count;
    params.context = &saved;
    assert_ok(conv_event_subscribe(client, &params, &number, &error), error);
    assert_status(say(&error), CONV_STATE, error);
    assert_contains(error.message, "careless");
    assert_int_equal(saved, 1);
    assert_int_equal(replied, 1);
    assert_rows("chat_exchanges", "WHERE status = 'complete'", 1);
    assert_rows("usage_logs", "WHERE status = 'complete'", 1);
    contract_client_await_empty_journal(client);
    assert_it_goes_on();
}

/* Before the commit nothing of the reply is left, afterwards all of it. */
static void refusing_afterwards_gives_what_was_saved(void **state)
{
    (void)state;
    for (int place = BEFORE_PROVIDER; place <= BEHIND_SAVING; place++) {
        conv_error error;
        bool complete = place != BEFORE_PROVIDER;
        open_client(refuse_afterwards, place);
        behaves = false;
        assert_status(say(&error), CONV_PERMISSION, error);
        assert_string_equal(error.message, "not this one");
        assert_int_equal(replied, complete ? 1 : 0);
        assert_rows("chat_exchanges", "WHERE status = 'complete'", complete);
        assert_rows("chat_exchanges", "WHERE status = 'failed'", !complete);
        assert_it_goes_on();
        start_again();
    }
}

static void calling_twice_asks_and_saves_once(void **state)
{
    (void)state;
    conv_error error;
    for (int behind = 0; behind < 2; behind++) {
        open_client(call_twice, behind == 1 ? AROUND_SAVING : BEFORE_PROVIDER);
        behaves = false;
        assert_status(say(&error), CONV_STATE, error);
        assert_contains(error.message, "careless");
        assert_rows("chat_exchanges", "", 1);
        assert_rows("usage_logs", "", 1);
        contract_client_await_empty_journal(client);
        assert_it_goes_on();
        start_again();
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(forgetting_before_the_provider_leaves_nothing),
        TEST(forgetting_to_save_keeps_question_and_cost),
        TEST(forgetting_after_the_commit_leaves_it_complete),
        TEST(refusing_afterwards_gives_what_was_saved),
        TEST(calling_twice_asks_and_saves_once),
    };
    return RUN_TESTS("middleware misuse", tests);
}
