/* A server whose commits wait for a synchronous standby, and a wait that is cut off: the row is
 * there for everybody to see, but the standby does not have it. Nobody may be told that it is safe
 * until the standby does. */
#include "support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "fault/content.h"
#include "fault/server.h"
#include "support/program.h"

enum { SHORT_MS = 500, LONG_MS = 60000, LOOK_US = 10000, LOOKS = 3000 };

#define WAITING                                                                                    \
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND backend_type ="        \
    " 'client backend'"
#define CUT_OFF(how) "SELECT " how "(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"

static server *store;
static conv_client *client;
static conv_error error;

static void execute(const char *sql)
{
    assert_true(server_execute(server_url(store), sql));
}

static long number(const char *sql)
{
    return server_number(server_url(store), sql);
}

static void await(const char *sql, long wanted)
{
    for (int i = 0; i < LOOKS && number(sql) != wanted; i++)
        usleep(LOOK_US);
    assert_int_equal(number(sql), wanted);
}

/* The checkpointer is who makes commits wait, once it has read the setting. */
static void wait_for(const char *standbys)
{
    char sql[128];
    snprintf(sql, sizeof sql, "ALTER SYSTEM SET synchronous_standby_names = '%s'", standbys);
    execute(sql);
    execute("SELECT pg_reload_conf()");
    execute("CHECKPOINT");
}

/* Ends the wait as an operator's kill or a dying server does. */
static void cut_off_wait(void)
{
    await(WAITING, 1);
    execute(CUT_OFF("pg_terminate_backend"));
    await(WAITING, 0);
}

static void open_client(int64_t timeout_ms)
{
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = server_url(store);
    params.store_timeout_ms = timeout_ms;
    assert_ok(conv_client_open(&params, &client, &error), error);
}

static int setup(void **state)
{
    (void)state;
    test_program_setup(NULL);
    store = server_start();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    conv_client_close(client, 0, NULL);
    client = NULL;
    server_remove(store);
    test_program_teardown();
    return 0;
}

/* The second call finds what the first one has committed, and the standby does not have. */
static void assert_not_acknowledged(conv_status (*call)(void), const char *rows)
{
    open_client(SHORT_MS);
    wait_for("nobody");
    for (int i = 0; i < 2; i++) {
        assert_status(call(), CONV_TIMEOUT, error);
        cut_off_wait();
        assert_int_equal(number(rows), 1);
    }
}

static conv_status save(conv_reply **reply)
{
    conv_message messages[2] = {
        {.role = CONV_ROLE_USER, .content = conv_text("question")},
        {.role = CONV_ROLE_ASSISTANT, .content = conv_text("answer")},
    };
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    exchange.session_id = "session";
    exchange.turn_id = "turn";
    exchange.messages = messages;
    exchange.message_count = 2;
    return conv_save_exchange(client, &exchange, reply, &error);
}

static conv_status save_quietly(void)
{
    conv_status status = save(NULL);
    assert_true(error.outcome_unknown);
    return status;
}

static void an_exchange_is_not_acknowledged_for_being_visible(void **state)
{
    (void)state;
    conv_reply *reply = NULL;
    assert_not_acknowledged(save_quietly, "SELECT count(*) FROM chat_exchanges");
    wait_for("");
    assert_ok(save(&reply), error);
    assert_true(conv_reply_is_repeat(reply));
    conv_reply_free(reply);
}

static void a_turn_answered_before_is_not_acknowledged_either(void **state)
{
    (void)state;
    conv_turn turn = CONV_TURN_INIT;
    turn.session_id = "session";
    turn.turn_id = "turn";
    turn.message = conv_text("question");
    turn.provider = fault_provider();
    conv_reply *reply = NULL;
    open_client(SHORT_MS);
    wait_for("nobody");
    assert_status(save(NULL), CONV_TIMEOUT, error);
    cut_off_wait();
    assert_status(conv_process_message(client, &turn, &reply, &error), CONV_TIMEOUT, error);
    assert_null(reply);
    conv_provider_free(fault_provider());
}

static void usage_is_not_durable_for_being_visible(void **state)
{
    (void)state;
    size_t pending = 0;
    conv_usage usage = CONV_USAGE_INIT;
    usage.service = conv_text("embedding");
    usage.operation = conv_text("embed");
    open_client(SHORT_MS);
    wait_for("nobody");
    assert_ok(conv_track_usage(client, &usage, &error), error);
    for (int i = 0; i < 2; i++) {
        assert_status(conv_track_flush(client, SHORT_MS, &pending, &error), CONV_TIMEOUT, error);
        assert_int_equal(pending, 1);
        cut_off_wait();
        assert_int_equal(number("SELECT count(*) FROM usage_logs"), 1);
    }
    wait_for("");
    assert_ok(conv_track_flush(client, LONG_MS, &pending, &error), error);
    assert_int_equal(number("SELECT count(*) FROM usage_logs"), 1);
}

static conv_status create_session(void)
{
    conv_session_params params = CONV_SESSION_PARAMS_INIT;
    conv_session_page *page = NULL;
    params.session_id = "session";
    return conv_session_create(client, &params, &page, &error);
}

static void a_session_is_not_created_for_being_visible(void **state)
{
    (void)state;
    assert_not_acknowledged(create_session, "SELECT count(*) FROM chat_sessions");
}

static conv_status register_document(void)
{
    conv_document_params params = CONV_DOCUMENT_PARAMS_INIT;
    conv_document_page *page = NULL;
    params.document_id = "document";
    params.session_id = "session";
    return conv_document_register(client, &params, &page, &error);
}

/* Several round trips, of which the second call writes in none. */
static void a_document_is_not_registered_for_being_visible(void **state)
{
    (void)state;
    assert_not_acknowledged(register_document, "SELECT count(*) FROM chat_documents");
}

static atomic_bool answered;

static void *save_in_thread(void *status)
{
    *(conv_status *)status = save(NULL);
    atomic_store(&answered, true);
    return NULL;
}

/* A cancelled wait, or one that statement_timeout ends: the server answers COMMIT, and says only in
 * a warning that the standby may not have it. */
static void a_commit_with_a_warning_is_no_acknowledgement(void **state)
{
    (void)state;
    conv_status status = CONV_INTERNAL;
    pthread_t thread;
    open_client(LONG_MS);
    wait_for("nobody");
    atomic_store(&answered, false);
    assert_int_equal(pthread_create(&thread, NULL, save_in_thread, &status), 0);
    for (int i = 0; i < 3; i++) {
        await(WAITING, 1);
        execute(CUT_OFF("pg_cancel_backend"));
        usleep(LOOK_US);
    }
    await(WAITING, 1);
    assert_false(atomic_load(&answered));
    wait_for("");
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(status, CONV_OK);
    assert_int_equal(number("SELECT count(*) FROM chat_exchanges"), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_exchange_is_not_acknowledged_for_being_visible),
        TEST(a_turn_answered_before_is_not_acknowledged_either),
        TEST(usage_is_not_durable_for_being_visible),
        TEST(a_session_is_not_created_for_being_visible),
        TEST(a_document_is_not_registered_for_being_visible),
        TEST(a_commit_with_a_warning_is_no_acknowledgement),
    };
    return RUN_TESTS("synchronous commit", tests);
}
