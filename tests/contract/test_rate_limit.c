/* The rate limit through the public API, on either store and with a journal: a turn that is refused
 * leaves nothing anywhere, and its id can be sent again. The clock is the test's own. */
#include "support/test.h"

#include "conversation/conversation.h"
#include "middleware/rate_limit.h"
#include "support/contract_client.h"
#include "support/folder.h"
#include "support/own_clock.h"
#include "support/store.h"

#define TAKE_AWAY  "ALTER TABLE chat_exchanges RENAME TO away"
#define BRING_BACK "ALTER TABLE away RENAME TO chat_exchanges"

#define PERIOD_NS INT64_C(1000000000)

static conv_client *client;
static conv_provider *provider;
static conv_middleware *limit;
static int asked;
static bool noted; /* the question was in the journal when the provider was asked */
static int told[CONV_EVENT_KINDS];
static conv_status told_status; /* of the last failure */

static conv_status answer(void *context, const conv_provider_request *request,
                          conv_provider_response *response, conv_error *error)
{
    (void)context;
    (void)error;
    const conv_message message = {.role = CONV_ROLE_ASSISTANT, .content = conv_text("yes")};
    asked++;
    noted = folder_holds(contract_client_folder(),
                         request->messages[request->message_count - 1].content.data);
    return conv_provider_response_message(response, &message);
}

static conv_status hear(void *context, const conv_event *event)
{
    (void)context;
    told[event->kind]++;
    if (event->kind == CONV_EVENT_EXCHANGE_FAILED) told_status = event->status;
    return CONV_OK;
}

/* Before validate_ids, as the documentation advises, or behind it. */
static conv_client *open_limited(bool before)
{
    conv_error error;
    uint64_t number = 0;
    conv_subscription_params subscription = CONV_SUBSCRIPTION_PARAMS_INIT;
    conv_middleware *ids = conv_middleware_validate_ids();
    conv_middleware *const chain[] = {
        before ? limit : ids,          before ? ids : limit,
        conv_middleware_provider(),    conv_middleware_save_to_database(),
        conv_middleware_track_usage(), conv_middleware_publish()};
    conv_client_params params = contract_client_params();
    params.provider = provider;
    params.journal = contract_client_journal();
    params.context_messages = -1;
    params.chain = chain;
    params.chain_count = sizeof chain / sizeof chain[0];
    conv_client *opened = contract_client_open(&params);
    subscription.handler = hear;
    assert_ok(conv_event_subscribe(opened, &subscription, &number, &error), error);
    return opened;
}

static int setup(void **state)
{
    conv_error error;
    conv_rate_limit_params params = CONV_RATE_LIMIT_PARAMS_INIT;
    if (contract_client_setup(state) != 0) return -1;
    params.turns = 1;
    params.period_ms = PERIOD_NS / 1000000;
    assert_ok(conv__rate_limit_create(&params, own_clock(), &limit, &error), error);
    assert_ok(conv_provider_callback("fake", answer, NULL, &provider, &error), error);
    asked = 0;
    told_status = CONV_OK;
    memset(told, 0, sizeof told);
    client = open_limited(true);
    return 0;
}

static int teardown(void **state)
{
    contract_client_close(&client);
    conv_middleware_free(limit);
    conv_provider_free(provider);
    return contract_client_teardown(state);
}

static conv_reply *say(const char *user, const char *session, const char *turn_id, const char *text,
                       conv_status wanted)
{
    conv_error error = CONV_ERROR_INIT;
    conv_turn turn = CONV_TURN_INIT;
    conv_reply *reply = NULL;
    turn.session_id = session;
    turn.user_id = user;
    turn.turn_id = turn_id;
    turn.message = conv_text(text);
    assert_status(conv_process_message(client, &turn, &reply, &error), wanted, error);
    if (wanted == CONV_LIMIT) {
        assert_null(reply);
        assert_int_equal(error.recovery, CONV_RECOVERY_BACKOFF);
    }
    return reply;
}

static void allowed(const char *user, const char *session, const char *turn_id, const char *text)
{
    conv_reply_free(say(user, session, turn_id, text, CONV_OK));
}

static void refused(const char *user, const char *session, const char *turn_id, const char *text)
{
    say(user, session, turn_id, text, CONV_LIMIT);
}

static void assert_rows(long sessions, long exchanges)
{
    conv_error error;
    assert_ok(conv_track_flush(client, 30000, NULL, &error), error);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_sessions"), sessions);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_exchanges"), exchanges);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_messages"), 2 * exchanges);
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs"), exchanges);
}

static void assert_leaves_nothing(void)
{
    allowed("ann", "s", NULL, "an allowed question");
    assert_true(noted);
    refused("ann", "never begun", NULL, "a refused question");
    assert_int_equal(asked, 1);
    assert_rows(1, 1);
    assert_false(folder_holds(contract_client_folder(), "a refused question"));
    contract_client_await_empty_journal(client);
    assert_int_equal(told[CONV_EVENT_EXCHANGE_FAILED], 1);
    assert_int_equal(told_status, CONV_LIMIT);
    assert_int_equal(told[CONV_EVENT_EXCHANGE_SAVED], 1);
    assert_int_equal(told[CONV_EVENT_EXCHANGE_JOURNALED] + told[CONV_EVENT_USAGE_RECORDED], 0);
}

static void a_refused_turn_leaves_nothing(void **state)
{
    (void)state;
    assert_leaves_nothing();
}

static void nor_does_one_that_is_refused_behind_validate_ids(void **state)
{
    (void)state;
    contract_client_close(&client);
    client = open_limited(false);
    assert_leaves_nothing();
}

static void a_refused_id_can_be_sent_again(void **state)
{
    (void)state;
    allowed("ann", "s", "t-1", "first");
    for (int i = 0; i < 2; i++)
        refused("ann", "s", "t-2", "second");
    own_clock_advance(PERIOD_NS - 1);
    refused("ann", "s", "t-2", "second");
    own_clock_advance(1);
    conv_reply *reply = say("ann", "s", "t-2", "second", CONV_OK);
    assert_false(conv_reply_is_repeat(reply));
    assert_int_equal(conv_reply_saved(reply), CONV_SAVED_COMMITTED);
    conv_reply_free(reply);
    assert_rows(1, 2);
    refused("ann", "s", "t-2", "second"); /* a repeat counts, too */
    own_clock_advance(PERIOD_NS);
    reply = say("ann", "s", "t-2", "second", CONV_OK);
    assert_true(conv_reply_is_repeat(reply));
    conv_reply_free(reply);
    assert_int_equal(asked, 2);
    assert_rows(1, 2);
    assert_int_equal(told[CONV_EVENT_EXCHANGE_SAVED], 2);
}

static void users_of_one_session_are_limited_each_for_themselves(void **state)
{
    (void)state;
    allowed("ann", "shared", NULL, "ann");
    refused("ann", "shared", NULL, "ann again");
    refused("ann", "another", NULL, "ann again");
    allowed("bob", "shared", NULL, "bob");
    allowed(NULL, "shared", NULL, "nobody");
    refused(NULL, "shared", NULL, "nobody again");
    refused("bob", "shared", NULL, "bob again");
    assert_rows(1, 3);
    own_clock_advance(PERIOD_NS);
    allowed("bob", "shared", NULL, "bob later");
    assert_rows(1, 4);
}

static void clients_share_the_limit_that_they_have_in_common(void **state)
{
    (void)state;
    allowed("ann", "s", NULL, "first");
    contract_client_close(&client);
    client = open_limited(true);
    refused("ann", "s", NULL, "second");
    assert_rows(1, 1);
}

static void what_passes_no_steps_is_not_limited(void **state)
{
    (void)state;
    conv_error error;
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    conv_message messages[2] = {{.role = CONV_ROLE_USER, .content = conv_text("question")},
                                {.role = CONV_ROLE_ASSISTANT, .content = conv_text("answer")}};
    exchange.session_id = "s";
    exchange.user_id = "ann";
    exchange.messages = messages;
    exchange.message_count = 2;
    allowed("ann", "s", NULL, "first");
    refused("ann", "s", NULL, "second");
    assert_ok(conv_save_exchange(client, &exchange, NULL, &error), error);
    assert_rows(1, 2);
}

/* What was allowed waits for the store in the journal; what was refused waits nowhere. */
static void a_store_that_is_away_changes_nothing_about_it(void **state)
{
    (void)state;
    conv_error error;
    conv_journal_counts counts;
    contract_execute(TAKE_AWAY);
    conv_reply *reply = say("ann", "s", NULL, "an allowed question", CONV_OK);
    assert_int_equal(conv_reply_saved(reply), CONV_SAVED_JOURNALED);
    conv_reply_free(reply);
    refused("ann", "never begun", NULL, "a refused question");
    assert_ok(conv_client_journal_count(client, &counts, &error), error);
    assert_int_equal(counts.turns + counts.exchanges, 1);
    assert_false(folder_holds(contract_client_folder(), "a refused question"));
    contract_execute(BRING_BACK);
    contract_client_close(&client);
    client = open_limited(true);
    assert_rows(1, 1);
    contract_client_await_empty_journal(client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_refused_turn_leaves_nothing),
        TEST(nor_does_one_that_is_refused_behind_validate_ids),
        TEST(a_refused_id_can_be_sent_again),
        TEST(users_of_one_session_are_limited_each_for_themselves),
        TEST(clients_share_the_limit_that_they_have_in_common),
        TEST(what_passes_no_steps_is_not_limited),
        TEST(a_store_that_is_away_changes_nothing_about_it),
    };
    return RUN_TESTS("rate limit", tests);
}
