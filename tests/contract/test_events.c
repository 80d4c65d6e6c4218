/* Events through the public API, on either store: each is told once, after it is true, and holds no
 * text of anybody. */
#include "support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/program.h"
#include "support/store.h"

/* As an operator's mistake would have it: what is needed for saving goes, and comes back. */
#define TAKE_AWAY                                                                                  \
    "ALTER TABLE chat_exchanges RENAME TO away; ALTER TABLE usage_logs RENAME TO usage_away"
#define BRING_BACK                                                                                 \
    "ALTER TABLE away RENAME TO chat_exchanges; ALTER TABLE usage_away RENAME TO usage_logs"

#define SECRET_TEXT "my password is hunter2"

enum { KEPT = 256 };

static char lines[96];
static FILE *log_file;
static conv_provider *echo;
static conv_client *client;
static conv_middleware *const *chain; /* of the next client; NULL: the default one */
static size_t chain_count;

/* What was told, in order. */
static pthread_mutex_t told_lock = PTHREAD_MUTEX_INITIALIZER;
static conv_event told[KEPT];
static int told_count;
static bool looks_into_store;
static atomic_int untrue;
static pthread_t testing;
static atomic_int elsewhere; /* told on other threads than the test's own */

/* A synchronous handler that asks the store whether what it hears is so. */
static conv_status hear(void *context, const conv_event *event)
{
    (void)context;
    if (looks_into_store && event->kind == CONV_EVENT_EXCHANGE_SAVED) {
        conv_session_page *page = NULL;
        char id[CONV_UUID_TEXT_SIZE];
        conv_uuid_format(event->session_id, id);
        if (conv_session_get(client, id, &page, NULL) != CONV_OK) atomic_fetch_add(&untrue, 1);
        conv_session_page_free(page);
    }
    if (!pthread_equal(pthread_self(), testing)) atomic_fetch_add(&elsewhere, 1);
    pthread_mutex_lock(&told_lock);
    if (told_count < KEPT) told[told_count] = *event;
    told_count++;
    pthread_mutex_unlock(&told_lock);
    return CONV_OK;
}

static int count_of(conv_event_kind wanted)
{
    int count = 0;
    pthread_mutex_lock(&told_lock);
    for (int i = 0; i < told_count && i < KEPT; i++)
        count += told[i].kind == wanted;
    pthread_mutex_unlock(&told_lock);
    return count;
}

static const conv_event *first_of(conv_event_kind wanted)
{
    for (int i = 0; i < told_count; i++)
        if (told[i].kind == wanted) return &told[i];
    fail_msg("no %s was told", conv_event_kind_name(wanted));
    return NULL;
}

static void wait_for(conv_event_kind wanted, int count)
{
    for (int i = 0; i < 4000 && count_of(wanted) < count; i++)
        usleep(5000);
    assert_int_equal(count_of(wanted), count);
}

static void open_client(bool with_journal)
{
    conv_error error;
    conv_client_params params = contract_client_params();
    conv_subscription_params subscription = CONV_SUBSCRIPTION_PARAMS_INIT;
    conv_event_log log = CONV_EVENT_LOG_INIT;
    uint64_t number = 0;
    params.provider = echo;
    params.context_messages = -1;
    params.tracker_records = 1000;
    params.chain = chain;
    params.chain_count = chain_count;
    if (with_journal) params.journal = contract_client_journal();
    client = contract_client_open(&params);
    subscription.handler = hear;
    assert_ok(conv_event_subscribe(client, &subscription, &number, &error), error);
    log.file = log_file;
    assert_ok(conv_event_subscribe_log(client, &log, &number, &error), error);
}

static int setup(void **state)
{
    conv_error error;
    if (contract_client_setup(state) != 0) return -1;
    snprintf(lines, sizeof lines, "%s/events.jsonl", contract_client_folder());
    log_file = fopen(lines, "w");
    assert_non_null(log_file);
    assert_ok(conv_provider_echo(&echo, &error), error);
    told_count = 0;
    chain = NULL;
    chain_count = 0;
    looks_into_store = false;
    atomic_store(&untrue, 0);
    testing = pthread_self();
    atomic_store(&elsewhere, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)conv_client_close(client, 30000, NULL);
    client = NULL;
    conv_provider_free(echo);
    fclose(log_file);
    return contract_client_teardown(state);
}

static conv_status ask(const char *session, const char *turn_id, conv_saved *saved,
                       conv_error *error)
{
    conv_turn turn = CONV_TURN_INIT;
    conv_reply *reply = NULL;
    turn.session_id = session;
    turn.turn_id = turn_id;
    turn.user_id = "user-1";
    turn.message = conv_text(SECRET_TEXT);
    turn.model = "gpt-test";
    conv_status status = conv_process_message(client, &turn, &reply, error);
    if (saved != NULL) *saved = reply != NULL ? conv_reply_saved(reply) : CONV_SAVED_NOT;
    conv_reply_free(reply);
    return status;
}

static void a_turn_is_told_once_and_after_it_is_true(void **state)
{
    (void)state;
    conv_error error;
    open_client(false);
    looks_into_store = true;
    assert_ok(ask("s-1", "t-1", NULL, &error), error);
    assert_ok(ask("s-1", "t-1", NULL, &error), error); /* a repeat */
    assert_ok(ask("s-1", "t-2", NULL, &error), error);
    assert_int_equal(count_of(CONV_EVENT_EXCHANGE_SAVED), 2);
    assert_int_equal(count_of(CONV_EVENT_SESSION_CREATED), 1);
    assert_int_equal(told_count, 3);
    assert_int_equal(untrue, 0);
    const conv_event *event = first_of(CONV_EVENT_EXCHANGE_SAVED);
    assert_int_equal(conv_uuid_compare(event->turn_id, conv_uuid_ensure(conv_text("t-1"))), 0);
    assert_int_equal(conv_uuid_compare(event->session_id, conv_uuid_ensure(conv_text("s-1"))), 0);
    assert_int_equal(conv_uuid_compare(event->user_id, conv_uuid_ensure(conv_text("user-1"))), 0);
    assert_int_equal(event->message_count, 2);
    assert_string_equal(event->service, "chat");
    assert_string_equal(event->provider, "echo");
    assert_false(event->through_journal);
    contract_client_close(&client);
}

static void sessions_are_told(void **state)
{
    (void)state;
    conv_error error;
    conv_session_params params = CONV_SESSION_PARAMS_INIT;
    conv_session_page *page = NULL;
    open_client(false);
    params.session_id = "s-2";
    for (int i = 0; i < 2; i++) {
        assert_ok(conv_session_create(client, &params, &page, &error), error);
        conv_session_page_free(page);
    }
    assert_int_equal(count_of(CONV_EVENT_SESSION_CREATED), 1);
    assert_ok(ask("s-2", NULL, NULL, &error), error); /* it exists already */
    assert_int_equal(count_of(CONV_EVENT_SESSION_CREATED), 1);
    params.title = "a title";
    assert_ok(conv_session_update(client, &params, &error), error);
    assert_int_equal(count_of(CONV_EVENT_SESSION_UPDATED), 1);
    assert_ok(conv_session_delete(client, "s-2", NULL, &error), error);
    assert_status(conv_session_delete(client, "s-2", NULL, &error), CONV_NOT_FOUND, error);
    assert_int_equal(count_of(CONV_EVENT_SESSION_DELETED), 1);
    assert_int_equal(first_of(CONV_EVENT_SESSION_DELETED)->message_count, 2);
    contract_client_close(&client);
}

static void a_refused_exchange_is_told_with_its_reason(void **state)
{
    (void)state;
    conv_error error;
    open_client(false);
    contract_execute(TAKE_AWAY);
    assert_int_not_equal(ask("s-3", NULL, NULL, &error), CONV_OK);
    contract_execute(BRING_BACK);
    assert_int_equal(count_of(CONV_EVENT_EXCHANGE_FAILED), 1);
    const conv_event *event = first_of(CONV_EVENT_EXCHANGE_FAILED);
    assert_int_equal(event->status, error.status);
    assert_string_equal(event->sqlstate, error.sqlstate);
    assert_int_equal(told_count, 1);
    contract_client_close(&client);
}

static void an_outage_is_journaled_then_recovered_and_saved_once(void **state)
{
    (void)state;
    conv_error error;
    conv_saved saved = CONV_SAVED_NOT;
    open_client(true);
    contract_execute(TAKE_AWAY);
    for (int i = 0; i < 3; i++) {
        assert_ok(ask("s-4", NULL, &saved, &error), error);
        assert_int_equal(saved, CONV_SAVED_JOURNALED);
    }
    assert_int_equal(count_of(CONV_EVENT_EXCHANGE_JOURNALED), 3);
    assert_int_equal(count_of(CONV_EVENT_EXCHANGE_SAVED), 0);
    contract_execute(BRING_BACK);
    wait_for(CONV_EVENT_EXCHANGE_SAVED, 3);
    wait_for(CONV_EVENT_EXCHANGE_RECOVERED, 3);
    contract_client_close(&client);
    assert_int_equal(count_of(CONV_EVENT_EXCHANGE_SAVED), 3);
    assert_int_equal(count_of(CONV_EVENT_SESSION_CREATED), 1);
    assert_true(first_of(CONV_EVENT_EXCHANGE_SAVED)->through_journal);
    assert_int_equal(told_count, 10);
}

static void tracked_usage_is_told_when_it_is_in_the_store(void **state)
{
    (void)state;
    conv_error error;
    conv_usage usage = CONV_USAGE_INIT;
    size_t pending = 0;
    open_client(true);
    usage.operation = conv_text("embeddings");
    usage.log_id = conv_uuid_v7();
    usage.input_tokens = 12;
    usage.priced = true;
    assert_int_equal(conv_decimal_parse(conv_text("0.25"), &usage.cost_usd), CONV_OK);
    assert_ok(conv_track_usage(client, &usage, &error), error);
    assert_int_equal(told_count, 0);
    assert_ok(conv_track_flush(client, 30000, &pending, &error), error);
    wait_for(CONV_EVENT_USAGE_FLUSHED, 1);
    assert_ok(conv_track_usage(client, &usage, &error), error); /* the same record */
    assert_ok(conv_track_flush(client, 30000, &pending, &error), error);
    usage.log_id = conv_uuid_v7();
    contract_execute(TAKE_AWAY);
    assert_ok(conv_track_usage(client, &usage, &error), error);
    assert_ok(conv_track_flush(client, 30000, &pending, &error), error); /* into the journal */
    assert_int_equal(count_of(CONV_EVENT_USAGE_RECORDED), 1);
    contract_execute(BRING_BACK);
    wait_for(CONV_EVENT_USAGE_RECORDED, 2);
    contract_client_close(&client);
    assert_int_equal(told_count, 3);
    const conv_event *event = first_of(CONV_EVENT_USAGE_RECORDED);
    assert_int_equal(event->input_tokens, 12);
    assert_string_equal(event->operation, "embeddings");
    assert_true(event->priced);
}

static void the_log_has_a_line_for_each_and_no_text(void **state)
{
    (void)state;
    conv_error error;
    size_t size = 0;
    int newlines = 0;
    open_client(true);
    for (int i = 0; i < 5; i++)
        assert_ok(ask("s-5", NULL, NULL, &error), error);
    contract_execute(TAKE_AWAY);
    assert_ok(ask("s-5", NULL, NULL, &error), error);
    contract_execute(BRING_BACK);
    contract_client_close(&client);
    char *text = test_read_file(lines, &size);
    for (size_t i = 0; i < size; i++)
        newlines += text[i] == '\n';
    assert_int_equal(newlines, told_count);
    assert_contains(text, "\"event\":\"exchange.journaled\"");
    assert_null(strstr(text, "hunter2"));
    assert_null(strstr(text, "user-1"));
    free(text);
}

static void submitted_exchanges_are_told_too(void **state)
{
    (void)state;
    conv_error error;
    conv_message messages[2] = {{.role = CONV_ROLE_USER, .content = conv_text(SECRET_TEXT)},
                                {.role = CONV_ROLE_ASSISTANT, .content = conv_text("yes")}};
    open_client(false);
    for (int i = 0; i < 20; i++) {
        conv_exchange exchange = CONV_EXCHANGE_INIT;
        exchange.session_id = "s-6";
        exchange.messages = messages;
        exchange.message_count = 2;
        assert_ok(conv_async_submit(client, &exchange, NULL, &error), error);
    }
    wait_for(CONV_EVENT_EXCHANGE_SAVED, 20);
    assert_int_equal(count_of(CONV_EVENT_SESSION_CREATED), 1);
    contract_client_close(&client);
}

/* Of these none goes through the queue, which could lose it. */
static void exchanges_saved_together_are_told_before_the_call_returns(void **state)
{
    (void)state;
    enum { TOGETHER = 40 };
    conv_error error;
    conv_exchange exchanges[TOGETHER];
    conv_exchange_result results[TOGETHER];
    conv_message messages[2] = {{.role = CONV_ROLE_USER, .content = conv_text(SECRET_TEXT)},
                                {.role = CONV_ROLE_ASSISTANT, .content = conv_text("yes")}};
    for (int i = 0; i < TOGETHER; i++) {
        exchanges[i] = (conv_exchange)CONV_EXCHANGE_INIT;
        exchanges[i].session_id = "s-7";
        exchanges[i].messages = messages;
        exchanges[i].message_count = 2;
    }
    open_client(false);
    assert_ok(conv_save_exchanges(client, exchanges, TOGETHER, results, &error), error);
    assert_int_equal(count_of(CONV_EVENT_EXCHANGE_SAVED), TOGETHER);
    assert_int_equal(count_of(CONV_EVENT_SESSION_CREATED), 1);
    assert_int_equal(atomic_load(&elsewhere), 0);
    contract_client_close(&client);
}

static conv_status close_within(void *context, const conv_event *event)
{
    (void)event;
    *(conv_status *)context = conv_client_close(client, 0, NULL);
    return CONV_OK;
}

static void a_handler_can_not_close_the_client(void **state)
{
    (void)state;
    conv_error error;
    conv_status closed = CONV_OK;
    uint64_t number = 0;
    conv_subscription_params params = CONV_SUBSCRIPTION_PARAMS_INIT;
    open_client(false);
    params.handler = close_within;
    params.context = &closed;
    assert_ok(conv_event_subscribe(client, &params, &number, &error), error);
    assert_ok(ask("s-7", NULL, NULL, &error), error);
    assert_int_equal(closed, CONV_STATE);
    contract_client_close(&client);
}

/* Whoever reads the error knows which URL is meant, and none of its secrets. */
static void a_webhook_wants_a_url_that_can_be_used(void **state)
{
    (void)state;
    conv_error error;
    static const struct {
        const char *url;
        const char *said;
    } urls[] = {
        {"ftp://example.org", "URL does not begin with http:// or https://"},
        {"http://", "http:// can't"},
        {"http:///hidden", "http:// can't"},
        {"http://?hidden", "http:// can't"},
        {"http://:80/", "http://:80 can't"},
        {"http://exa mple/", "http://exa can't"},
        {"https://[::1", "https://[::1 can't"},
        {"http://h:99999/hidden?hidden#hidden", "http://h:99999 can't"},
        {"https://user:hidden@h:99999/", "https:// can't"},
        {"https://user:99999/hidden@h", "https:// can't"},
    };
    open_client(false);
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        uint64_t number = 7;
        conv_event_webhook webhook = CONV_EVENT_WEBHOOK_INIT;
        webhook.url = urls[i].url;
        webhook.delivery = CONV_DELIVERY_WAIT;
        assert_status(conv_event_subscribe_webhook(client, &webhook, &number, &error),
                      CONV_INVALID_ARGUMENT, error);
        assert_contains(error.message, urls[i].said);
        assert_null(strstr(error.message, "hid"));
        assert_int_equal(number, 0);
    }
    contract_client_close(&client);
}

static void wrong_settings_are_refused(void **state)
{
    (void)state;
    conv_error error;
    uint64_t number = 7;
    conv_event_log log = CONV_EVENT_LOG_INIT;
    conv_event_webhook webhook = CONV_EVENT_WEBHOOK_INIT;
    conv_event_notify notify = CONV_EVENT_NOTIFY_INIT;
    conv_subscription_counts counts;
    open_client(false);
    assert_status(conv_event_subscribe(client, NULL, &number, &error), CONV_INVALID_ARGUMENT,
                  error);
    assert_int_equal(number, 0);
    assert_status(conv_event_subscribe_log(client, &log, &number, &error), CONV_INVALID_ARGUMENT,
                  error);
    webhook.url = "http://127.0.0.1:9";
    webhook.delivery = CONV_DELIVERY_SYNCHRONOUS;
    assert_status(conv_event_subscribe_webhook(client, &webhook, &number, &error),
                  CONV_INVALID_ARGUMENT, error);
    webhook.delivery = CONV_DELIVERY_WAIT;
    webhook.secret = "whsec_***";
    assert_status(conv_event_subscribe_webhook(client, &webhook, &number, &error),
                  CONV_INVALID_ARGUMENT, error);
    assert_status(conv_event_subscribe_notify(client, &notify, &number, &error),
                  strcmp(test_store_kind(), "sqlite") == 0 ? CONV_STATE : CONV_INVALID_ARGUMENT,
                  error);
    assert_status(conv_event_unsubscribe(client, 99, &error), CONV_NOT_FOUND, error);
    assert_status(conv_event_count(client, 99, &counts, &error), CONV_NOT_FOUND, error);
    contract_client_close(&client);
}

static void without_publish_a_turn_is_counted_and_told_to_nobody(void **state)
{
    (void)state;
    conv_error error;
    conv_metrics *metrics = NULL;
    conv_middleware *const steps[] = {conv_middleware_validate_ids(), conv_middleware_provider(),
                                      conv_middleware_save_to_database(),
                                      conv_middleware_track_usage()};
    chain = steps;
    chain_count = 4;
    open_client(false);
    assert_ok(ask("s-8", NULL, NULL, &error), error);
    assert_int_equal(told_count, 0);
    assert_ok(conv_metrics_read(client, CONV_METRICS_PROMETHEUS, &metrics, &error), error);
    assert_contains(conv_metrics_text(metrics), "{event=\"exchange.saved\"} 1\n");
    conv_metrics_free(metrics);
    contract_client_close(&client);
}

static conv_status refuse(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    (void)context;
    (void)call;
    (void)next;
    if (error != NULL) snprintf(error->message, sizeof error->message, "not on Sundays");
    return CONV_PERMISSION;
}

static void be_refused(conv_middleware *const *steps)
{
    conv_error error;
    told_count = 0;
    chain = steps;
    chain_count = 6;
    open_client(true);
    assert_status(ask("s-9", NULL, NULL, &error), CONV_PERMISSION, error);
    assert_int_equal(told_count, 1);
    const conv_event *event = first_of(CONV_EVENT_EXCHANGE_FAILED);
    assert_int_equal(event->status, CONV_PERMISSION);
    assert_int_equal(conv_uuid_compare(event->session_id, conv_uuid_ensure(conv_text("s-9"))), 0);
    assert_int_equal(event->store_us, CONV_UNKNOWN);
    contract_client_close(&client);
}

static void a_turn_that_a_step_refuses_is_told_as_failed(void **state)
{
    (void)state;
    conv_error error;
    conv_middleware *guard = NULL;
    assert_ok(conv_middleware_callback("guard", refuse, NULL, &guard, &error), error);
    conv_middleware *const validate = conv_middleware_validate_ids();
    for (int first = 0; first < 2; first++)
        be_refused((conv_middleware *const[]){
            first ? guard : validate, first ? validate : guard, conv_middleware_provider(),
            conv_middleware_save_to_database(), conv_middleware_track_usage(),
            conv_middleware_publish()});
    conv_middleware_free(guard);
}

enum { THREADS = 16, ROUNDS = 12 };

static conv_status count_only(void *context, const conv_event *event)
{
    (void)event;
    atomic_fetch_add((atomic_int *)context, 1);
    return CONV_OK;
}

static void *subscribe_save_end(void *context)
{
    static atomic_int sink;
    atomic_int *failures = context;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t number = 0;
        conv_error error;
        conv_subscription_params params = CONV_SUBSCRIPTION_PARAMS_INIT;
        params.handler = count_only;
        params.context = &sink;
        params.delivery = (conv_delivery)(i % 4);
        params.queue_events = 2;
        params.wait_ms = 1;
        if (conv_event_subscribe(client, &params, &number, &error) != CONV_OK ||
            ask(NULL, NULL, NULL, &error) != CONV_OK ||
            conv_event_unsubscribe(client, number, &error) != CONV_OK)
            atomic_fetch_add(failures, 1);
    }
    return NULL;
}

static void sixteen_threads_subscribe_save_and_end(void **state)
{
    (void)state;
    atomic_int failures = 0;
    pthread_t threads[THREADS];
    open_client(false);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, subscribe_save_end, &failures), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    contract_client_close(&client);
    assert_int_equal(failures, 0);
    assert_int_equal(told_count, 2 * THREADS * ROUNDS); /* each with a session of its own */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_turn_is_told_once_and_after_it_is_true),
        TEST(sessions_are_told),
        TEST(a_refused_exchange_is_told_with_its_reason),
        TEST(an_outage_is_journaled_then_recovered_and_saved_once),
        TEST(tracked_usage_is_told_when_it_is_in_the_store),
        TEST(the_log_has_a_line_for_each_and_no_text),
        TEST(submitted_exchanges_are_told_too),
        TEST(exchanges_saved_together_are_told_before_the_call_returns),
        TEST(a_handler_can_not_close_the_client),
        TEST(a_webhook_wants_a_url_that_can_be_used),
        TEST(wrong_settings_are_refused),
        TEST(without_publish_a_turn_is_counted_and_told_to_nobody),
        TEST(a_turn_that_a_step_refuses_is_told_as_failed),
        TEST(sixteen_threads_subscribe_save_and_end),
    };
    return RUN_TESTS("events", tests);
}
