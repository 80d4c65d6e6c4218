/* Events of sessions through the public API, on either store: each change is told once, after it is
 * true, and what changed nothing tells nothing. */
#include "support/test.h"

#include <pthread.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/store.h"

#define TAKE_AWAY                                                                                  \
    "ALTER TABLE chat_exchanges RENAME TO away; ALTER TABLE usage_logs RENAME TO usage_away"
#define BRING_BACK                                                                                 \
    "ALTER TABLE away RENAME TO chat_exchanges; ALTER TABLE usage_away RENAME TO usage_logs"

enum { KEPT = 256 };

static conv_provider *witness;
static conv_client *client;
static const char *answer_text; /* of the provider; NULL: it fails */

static pthread_mutex_t told_lock = PTHREAD_MUTEX_INITIALIZER;
static conv_event told[KEPT];
static int told_count;

static conv_status hear(void *context, const conv_event *event)
{
    (void)context;
    pthread_mutex_lock(&told_lock);
    if (told_count < KEPT) told[told_count++] = *event;
    pthread_mutex_unlock(&told_lock);
    return CONV_OK;
}

static int count_of(conv_event_kind wanted)
{
    int count = 0;
    pthread_mutex_lock(&told_lock);
    for (int i = 0; i < told_count; i++)
        count += told[i].kind == wanted;
    pthread_mutex_unlock(&told_lock);
    return count;
}

static conv_event last_of(conv_event_kind wanted)
{
    conv_event found = {.kind = CONV_EVENT_KINDS};
    pthread_mutex_lock(&told_lock);
    for (int i = 0; i < told_count; i++)
        if (told[i].kind == wanted) found = told[i];
    pthread_mutex_unlock(&told_lock);
    assert_int_equal(found.kind, wanted);
    return found;
}

static void wait_for(conv_event_kind wanted, int count)
{
    for (int i = 0; i < 4000 && count_of(wanted) < count; i++)
        usleep(5000);
    assert_int_equal(count_of(wanted), count);
}

static conv_status answer(void *context, const conv_provider_request *request,
                          conv_provider_response *response, conv_error *error)
{
    (void)context;
    (void)request;
    if (answer_text == NULL) {
        *error = (conv_error){.status = CONV_PROVIDER};
        return CONV_PROVIDER;
    }
    const conv_message message = {.role = CONV_ROLE_ASSISTANT, .content = conv_text(answer_text)};
    return conv_provider_response_message(response, &message);
}

static void open_client(bool with_journal, int64_t summary_tokens)
{
    conv_error error;
    conv_client_params params = contract_client_params();
    conv_subscription_params subscription = CONV_SUBSCRIPTION_PARAMS_INIT;
    uint64_t number = 0;
    params.provider = witness;
    params.summary_tokens = summary_tokens;
    if (with_journal) params.journal = contract_client_journal();
    client = contract_client_open(&params);
    subscription.handler = hear;
    assert_ok(conv_event_subscribe(client, &subscription, &number, &error), error);
}

static int setup(void **state)
{
    conv_error error;
    if (contract_client_setup(state) != 0) return -1;
    assert_ok(conv_provider_callback("witness", answer, NULL, &witness, &error), error);
    answer_text = "{\"summary\": \"they talked of this and that\"}";
    told_count = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)conv_client_close(client, 30000, NULL);
    client = NULL;
    conv_provider_free(witness);
    return contract_client_teardown(state);
}

/* Without the table of tags a session can be written and not be read. */
static void a_session_that_is_there_has_been_told(void **state)
{
    (void)state;
    conv_error error;
    conv_session_page *page = NULL;
    conv_session_params params = CONV_SESSION_PARAMS_INIT;
    params.session_id = "made";
    open_client(false, 0);
    contract_execute("ALTER TABLE chat_session_tags RENAME TO away");
    assert_int_not_equal(conv_session_create(client, &params, &page, &error), CONV_OK);
    assert_null(page);
    assert_int_equal(count_of(CONV_EVENT_SESSION_CREATED),
                     contract_count("SELECT count(*) FROM chat_sessions"));
    contract_execute("ALTER TABLE away RENAME TO chat_session_tags");
    for (int i = 0; i < 2; i++) {
        assert_ok(conv_session_create(client, &params, &page, &error), error);
        conv_session_page_free(page);
        assert_int_equal(count_of(CONV_EVENT_SESSION_CREATED), 1);
    }
}

static bool is_id(conv_uuid id, const char *text)
{
    return conv_uuid_compare(id, conv_uuid_ensure(conv_text(text))) == 0;
}

/* Gives the id of the question that was saved. */
static conv_uuid ask(const char *session, const char *turn_id, conv_uuid instead_of)
{
    conv_error error;
    conv_turn turn = CONV_TURN_INIT;
    conv_reply *reply = NULL;
    conv_history *history = NULL;
    conv_history_params params = CONV_HISTORY_PARAMS_INIT;
    turn.session_id = session;
    turn.user_id = "user-1";
    turn.turn_id = turn_id;
    turn.message = conv_text("a question of some length");
    turn.instead_of = instead_of;
    assert_ok(conv_process_message(client, &turn, &reply, &error), error);
    conv_reply_free(reply);
    params.session_id = session;
    assert_ok(conv_history_read(client, &params, &history, &error), error);
    conv_uuid id = conv_history_message(history, conv_history_count(history) - 2)->message_id;
    conv_history_free(history);
    return id;
}

static const conv_uuid nobody;

static void labels_are_updates(void **state)
{
    (void)state;
    conv_error error;
    conv_session_params params = CONV_SESSION_PARAMS_INIT;
    open_client(false, 0);
    ask("s-1", NULL, nobody);
    params.session_id = "s-1";
    params.title = "a title";
    assert_ok(conv_session_update(client, &params, &error), error);
    assert_int_equal(count_of(CONV_EVENT_SESSION_UPDATED), 1);
    assert_ok(conv_session_tag(client, "s-1", "urgent", &error), error);
    assert_ok(conv_session_untag(client, "s-1", "urgent", &error), error);
    assert_ok(conv_session_archive(client, "s-1", true, &error), error);
    assert_ok(conv_session_archive(client, "s-1", false, &error), error);
    assert_int_equal(count_of(CONV_EVENT_SESSION_UPDATED), 5);
    assert_true(is_id(last_of(CONV_EVENT_SESSION_UPDATED).session_id, "s-1"));
    assert_status(conv_session_tag(client, "s-1", "", &error), CONV_INVALID_ARGUMENT, error);
    assert_status(conv_session_tag(client, "no such", "x", &error), CONV_NOT_FOUND, error);
    assert_status(conv_session_untag(client, NULL, "x", &error), CONV_INVALID_ARGUMENT, error);
    assert_status(conv_session_archive(client, "no such", true, &error), CONV_NOT_FOUND, error);
    assert_status(conv_session_update(client, NULL, &error), CONV_INVALID_ARGUMENT, error);
    assert_int_equal(count_of(CONV_EVENT_SESSION_UPDATED), 5);
    contract_client_close(&client);
}

static void a_branch_is_told_once_with_its_turn(void **state)
{
    (void)state;
    open_client(false, 0);
    conv_uuid question = ask("s-2", "t-1", nobody);
    ask("s-2", "t-2", nobody);
    assert_int_equal(count_of(CONV_EVENT_SESSION_BRANCHED), 0);
    ask("s-2", "t-3", question);
    ask("s-2", "t-3", question); /* a repeat */
    assert_int_equal(count_of(CONV_EVENT_SESSION_BRANCHED), 1);
    assert_true(is_id(last_of(CONV_EVENT_SESSION_BRANCHED).session_id, "s-2"));
    assert_true(is_id(last_of(CONV_EVENT_SESSION_BRANCHED).turn_id, "t-3"));
    assert_int_equal(count_of(CONV_EVENT_SESSION_CREATED), 1);
    assert_int_equal(count_of(CONV_EVENT_EXCHANGE_SAVED), 3);
    contract_client_close(&client);
}

static void a_summary_is_told_with_its_usage(void **state)
{
    (void)state;
    conv_error error;
    conv_summary_page *page = NULL;
    open_client(false, 0);
    ask("s-3", NULL, nobody);
    assert_ok(conv_summary_make(client, "s-3", &page, &error), error);
    assert_int_equal(count_of(CONV_EVENT_SESSION_SUMMARIZED), 1);
    conv_event event = last_of(CONV_EVENT_SESSION_SUMMARIZED);
    assert_true(is_id(event.session_id, "s-3"));
    assert_int_equal(conv_uuid_compare(event.log_id, conv_summary_page_summary(page, 0)->log_id),
                     0);
    conv_summary_page_free(page);
    wait_for(CONV_EVENT_USAGE_RECORDED, 1);
    assert_string_equal(last_of(CONV_EVENT_USAGE_RECORDED).service, "summary");
    assert_ok(conv_summary_make(client, "s-3", &page, &error), error); /* nothing new */
    conv_summary_page_free(page);
    ask("s-3", NULL, nobody);
    answer_text = NULL;
    assert_status(conv_summary_make(client, "s-3", &page, &error), CONV_PROVIDER, error);
    wait_for(CONV_EVENT_USAGE_RECORDED, 2);
    assert_int_equal(last_of(CONV_EVENT_USAGE_RECORDED).outcome, CONV_OUTCOME_FAILED);
    contract_client_close(&client);
    assert_int_equal(count_of(CONV_EVENT_SESSION_SUMMARIZED), 1);
    assert_int_equal(count_of(CONV_EVENT_USAGE_RECORDED), 2);
}

static void summaries_in_the_background_are_told(void **state)
{
    (void)state;
    open_client(false, 20);
    for (int i = 0; i < 3; i++)
        ask("s-4", NULL, nobody);
    for (int i = 0; i < 4000 && count_of(CONV_EVENT_SESSION_SUMMARIZED) == 0; i++)
        usleep(5000);
    assert_true(is_id(last_of(CONV_EVENT_SESSION_SUMMARIZED).session_id, "s-4"));
    contract_client_close(&client);
    assert_int_equal(count_of(CONV_EVENT_SESSION_SUMMARIZED), count_of(CONV_EVENT_USAGE_RECORDED));
}

static void an_erasure_is_told_with_the_user(void **state)
{
    (void)state;
    conv_error error;
    open_client(false, 0);
    ask("s-5", NULL, nobody);
    ask("s-6", NULL, nobody);
    assert_ok(conv_user_erase(client, "user-1", NULL, &error), error);
    assert_int_equal(count_of(CONV_EVENT_USER_ERASED), 1);
    assert_true(is_id(last_of(CONV_EVENT_USER_ERASED).user_id, "user-1"));
    assert_int_equal(last_of(CONV_EVENT_USER_ERASED).message_count, 4);
    assert_status(conv_user_erase(client, "user-1", NULL, &error), CONV_NOT_FOUND, error);
    assert_int_equal(count_of(CONV_EVENT_USER_ERASED), 1);
    contract_client_close(&client);
}

/* By the client that drains it, when the session was deleted by another. */
static void what_waited_for_a_deleted_session_is_told(void **state)
{
    (void)state;
    conv_error error;
    conv_delete_receipt receipt;
    conv_client *other = NULL;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    conv_message messages[2] = {{.role = CONV_ROLE_USER, .content = conv_text("q")},
                                {.role = CONV_ROLE_ASSISTANT, .content = conv_text("a")}};
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    exchange.session_id = "s-7";
    exchange.messages = messages;
    exchange.message_count = 2;
    open_client(true, 0);
    assert_ok(conv_save_exchange(client, &exchange, NULL, &error), error);
    contract_execute(TAKE_AWAY);
    assert_ok(conv_save_exchange(client, &exchange, NULL, &error), error);
    assert_int_equal(count_of(CONV_EVENT_EXCHANGE_JOURNALED), 1);
    (void)!conv_client_close(client, 0, &error);
    client = NULL;
    contract_execute(BRING_BACK);
    params.store = contract_client_url();
    assert_ok(conv_client_open(&params, &other, &error), error);
    assert_ok(conv_session_delete(other, "s-7", &receipt, &error), error);
    assert_int_equal(receipt.messages, 2);
    assert_ok(conv_client_close(other, 20000, &error), error);
    /* Nothing is drained before somebody listens. */
    contract_execute("ALTER TABLE chat_deletions RENAME TO away");
    open_client(true, 0);
    contract_execute("ALTER TABLE away RENAME TO chat_deletions");
    wait_for(CONV_EVENT_EXCHANGE_DROPPED, 1);
    wait_for(CONV_EVENT_USAGE_RECORDED, 1);
    assert_true(last_of(CONV_EVENT_USAGE_RECORDED).through_journal);
    contract_client_close(&client);
    assert_int_equal(count_of(CONV_EVENT_EXCHANGE_DROPPED), 1);
    assert_int_equal(count_of(CONV_EVENT_EXCHANGE_RECOVERED), 0);
    assert_int_equal(count_of(CONV_EVENT_EXCHANGE_SAVED), 1);
    assert_string_equal(contract_value("SELECT count(*) FROM chat_messages"), "0");
    assert_string_equal(contract_value("SELECT count(*) FROM usage_logs"), "2");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_session_that_is_there_has_been_told),     TEST(labels_are_updates),
        TEST(a_branch_is_told_once_with_its_turn),       TEST(a_summary_is_told_with_its_usage),
        TEST(summaries_in_the_background_are_told),      TEST(an_erasure_is_told_with_the_user),
        TEST(what_waited_for_a_deleted_session_is_told),
    };
    return RUN_TESTS("session events", tests);
}
