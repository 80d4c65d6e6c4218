/* The handlers that leave the process: a webhook against a scripted server, and NOTIFY against a
 * listening connection. */
#include "support/test.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "core/buffer.h"
#include "core/time.h"
#include "events/handlers.h"
#include "support/event_counts.h"
#include "support/http_server.h"
#include "support/postgres.h"
#include "support/program.h"

#define ANSWER(line) "HTTP/1.1 " line "\r\nContent-Length: 0\r\n\r\n"

static conv_client *client;

static void open_client(bool pooler)
{
    conv_error error;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = postgres_url();
    params.pooler = pooler;
    assert_ok(conv_client_open(&params, &client, &error), error);
}

static int setup(void **state)
{
    (void)state;
    open_client(false);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)conv_client_close(client, 5000, NULL);
    return 0;
}

static void save(int times)
{
    conv_message messages[2] = {
        {.role = CONV_ROLE_USER, .content = conv_text("my password is hunter2")},
        {.role = CONV_ROLE_ASSISTANT, .content = conv_text("yes")}};
    for (int i = 0; i < times; i++) {
        conv_error error;
        conv_exchange exchange = CONV_EXCHANGE_INIT;
        exchange.session_id = "hooked";
        exchange.messages = messages;
        exchange.message_count = 2;
        assert_ok(conv_save_exchange(client, &exchange, NULL, &error), error);
    }
}

static uint64_t hook(const char *url, int max_tries, conv_delivery delivery, int queue)
{
    conv_error error;
    uint64_t number = 0;
    conv_event_webhook webhook = CONV_EVENT_WEBHOOK_INIT;
    webhook.url = url;
    webhook.secret = "a shared secret";
    webhook.kinds = CONV_EVENT_SET(CONV_EVENT_EXCHANGE_SAVED);
    webhook.delivery = delivery;
    webhook.queue_events = queue;
    webhook.max_tries = max_tries;
    assert_ok(conv_event_subscribe_webhook(client, &webhook, &number, &error), error);
    return number;
}

static void wait_until_idle(uint64_t number)
{
    for (int i = 0; i < 4000 && event_counts(client, number).waiting > 0; i++)
        usleep(5000);
    assert_int_equal(event_counts(client, number).waiting, 0);
}

/* The value of a header, up to its line's end. */
static void header_of(const char *request, const char *name, char *value, size_t size)
{
    const char *at = strstr(request, name);
    assert_non_null(at);
    at += strlen(name);
    size_t length = strcspn(at, "\r\n");
    assert_true(length < size);
    memcpy(value, at, length);
    value[length] = '\0';
}

/* As a receiver would check it. */
static void assert_signed(const char *request, char *id, size_t size)
{
    char timestamp[32];
    char signature[128];
    conv__buffer wanted = {0};
    header_of(request, "webhook-id: ", id, size);
    header_of(request, "webhook-timestamp: ", timestamp, sizeof timestamp);
    header_of(request, "webhook-signature: ", signature, sizeof signature);
    const char *body = strstr(request, "\r\n\r\n");
    assert_non_null(body);
    conv__webhook_sign(&wanted, conv_text("a shared secret"), id, timestamp, conv_text(body + 4));
    assert_string_equal(signature, wanted.data);
    conv__buffer_free(&wanted);
    assert_contains(body, "\"event\":\"exchange.saved\"");
    assert_null(strstr(request, "hunter2"));
}

static void a_webhook_is_signed_and_repeated_with_its_id(void **state)
{
    (void)state;
    static const http_reply replies[] = {{.bytes = ANSWER("500 Oh no")},
                                         {.bytes = ANSWER("429 Slowly")},
                                         {.bytes = ANSWER("204 Good")}};
    char ids[4][64];
    http_server *server = http_server_start(replies, 3);
    uint64_t number = hook(http_server_url(server), 0, CONV_DELIVERY_WAIT, 0);
    save(2);
    wait_until_idle(number);
    assert_int_equal(http_server_requests(server), 4);
    for (size_t i = 0; i < 4; i++)
        assert_signed(http_server_request(server, i), ids[i], sizeof ids[i]);
    assert_string_equal(ids[0], ids[1]);
    assert_string_equal(ids[0], ids[2]);
    assert_string_not_equal(ids[0], ids[3]);
    assert_int_equal(event_counts(client, number).delivered, 2);
    assert_int_equal(event_counts(client, number).failed, 0);
    conv_error error;
    assert_ok(conv_event_unsubscribe(client, number, &error), error);
    http_server_stop(server);
}

static void what_can_not_be_mended_is_not_repeated(void **state)
{
    (void)state;
    static const http_reply replies[] = {{.bytes = ANSWER("400 Wrong")}};
    http_server *server = http_server_start(replies, 1);
    uint64_t number = hook(http_server_url(server), 0, CONV_DELIVERY_WAIT, 0);
    save(1);
    wait_until_idle(number);
    assert_int_equal(http_server_requests(server), 1);
    assert_int_equal(event_counts(client, number).failed, 1);
    conv_error error;
    assert_ok(conv_event_unsubscribe(client, number, &error), error);
    http_server_stop(server);
}

static void tries_are_bounded(void **state)
{
    (void)state;
    static const http_reply replies[] = {{.bytes = ANSWER("503 Away")}};
    http_server *server = http_server_start(replies, 1);
    uint64_t number = hook(http_server_url(server), 2, CONV_DELIVERY_WAIT, 0);
    save(1);
    wait_until_idle(number);
    assert_int_equal(http_server_requests(server), 2);
    assert_int_equal(event_counts(client, number).failed, 1);
    conv_error error;
    assert_ok(conv_event_unsubscribe(client, number, &error), error);
    http_server_stop(server);
}

static void a_webhook_that_hangs_slows_nobody_and_ends_when_told(void **state)
{
    (void)state;
    static const http_reply replies[] = {{.end = HTTP_HANG}};
    http_server *server = http_server_start(replies, 1);
    uint64_t number = hook(http_server_url(server), 0, CONV_DELIVERY_DROP_OLDEST, 4);
    save(20);
    conv_subscription_counts counts = event_counts(client, number);
    assert_int_equal(counts.delivered + counts.dropped + counts.waiting, 20);
    assert_true(counts.dropped >= 15);
    conv_error error;
    assert_ok(conv_event_unsubscribe(client, number, &error), error);
    http_server_stop(server);
}

static void closing_says_what_nobody_got(void **state)
{
    (void)state;
    static const http_reply replies[] = {{.end = HTTP_HANG}};
    conv_error error;
    http_server *server = http_server_start(replies, 1);
    (void)hook(http_server_url(server), 0, CONV_DELIVERY_WAIT, 0);
    save(3);
    assert_status(conv_client_close(client, 100, &error), CONV_TIMEOUT, error);
    assert_string_equal(error.message, "3 events did not reach their handlers in time; all that "
                                       "was accepted is saved");
    http_server_stop(server);
    open_client(false);
}

/* The payload of the next notification; NULL after ten seconds. */
static char *next_payload(PGconn *link)
{
    static char payload[CONV_EVENT_TEXT_SIZE];
    int64_t deadline = conv__deadline_in_ms(10000);
    while (!conv__deadline_passed(deadline)) {
        struct pollfd readable = {.fd = PQsocket(link), .events = POLLIN};
        (void)poll(&readable, 1, 100);
        PQconsumeInput(link);
        PGnotify *notify = PQnotifies(link);
        if (notify == NULL) continue;
        snprintf(payload, sizeof payload, "%s", notify->extra);
        PQfreemem(notify);
        return payload;
    }
    return NULL;
}

static void another_process_hears_through_notify(void **state)
{
    (void)state;
    conv_error error;
    uint64_t number = 0;
    PGconn *link = postgres_link();
    conv_event_notify notify = CONV_EVENT_NOTIFY_INIT;
    postgres_execute(link, "LISTEN \"My Channel\"");
    notify.channel = "My Channel";
    notify.delivery = CONV_DELIVERY_WAIT;
    notify.kinds = CONV_EVENTS_EXCHANGE;
    assert_ok(conv_event_subscribe_notify(client, &notify, &number, &error), error);
    save(2);
    for (int i = 0; i < 2; i++) {
        const char *payload = next_payload(link);
        assert_non_null(payload);
        assert_contains(payload, "\"event\":\"exchange.saved\"");
        assert_null(strstr(payload, "hunter2"));
    }
    wait_until_idle(number);
    assert_int_equal(event_counts(client, number).failed, 0);
    PQfinish(link);
}

static conv_event_listener *listen_on(const char *channel)
{
    conv_error error;
    conv_event_listener *listener = NULL;
    assert_ok(conv_event_listener_open(postgres_url(), channel, &listener, &error), error);
    return listener;
}

static void a_listener_hears_what_another_process_tells(void **state)
{
    (void)state;
    conv_error error;
    uint64_t number = 0;
    const char *event = NULL;
    conv_event_notify notify = CONV_EVENT_NOTIFY_INIT;
    conv_event_listener *listener = listen_on("My \"Channel\"");
    conv_event_listener *usual = listen_on(NULL);
    notify.channel = "My \"Channel\"";
    notify.delivery = CONV_DELIVERY_WAIT;
    notify.kinds = CONV_EVENTS_EXCHANGE;
    assert_ok(conv_event_subscribe_notify(client, &notify, &number, &error), error);
    save(2);
    for (int i = 0; i < 2; i++) {
        assert_ok(conv_event_listener_next(listener, 10000, &event, &error), error);
        assert_contains(event, "\"event\":\"exchange.saved\"");
    }
    assert_status(conv_event_listener_next(listener, 0, &event, &error), CONV_TIMEOUT, error);
    assert_null(event);
    assert_status(conv_event_listener_next(usual, 0, &event, &error), CONV_TIMEOUT, error);
    conv_event_listener_close(usual);
    conv_event_listener_close(listener);
}

static void a_listener_tells_that_its_connection_was_lost(void **state)
{
    (void)state;
    conv_error error;
    const char *event = NULL;
    PGconn *link = postgres_link();
    conv_event_listener *listener = listen_on(NULL);
    postgres_execute(link, "SELECT pg_notify('conversation', 'somebody else')");
    assert_ok(conv_event_listener_next(listener, 10000, &event, &error), error);
    assert_string_equal(event, "somebody else");
    postgres_execute(link, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                           " WHERE datname = current_database() AND query LIKE 'LISTEN%'");
    PQfinish(link);
    for (int i = 0; i < 2; i++) {
        assert_status(conv_event_listener_next(listener, 10000, &event, &error), CONV_UNAVAILABLE,
                      error);
        assert_null(event);
        assert_false(error.outcome_unknown);
        assert_string_equal(error.sqlstate, "57P01");
    }
    conv_event_listener_close(listener);
}

static void a_listener_refuses_what_can_not_work(void **state)
{
    (void)state;
    conv_error error;
    const char *event = "";
    conv_event_listener *listener = NULL;
    assert_status(conv_event_listener_open("sqlite:none.db", NULL, &listener, &error), CONV_STATE,
                  error);
    assert_contains(error.message, "SQLite");
    assert_null(listener);
    assert_status(conv_event_listener_open(postgres_url(), "", &listener, &error),
                  CONV_INVALID_ARGUMENT, error);
    assert_status(conv_event_listener_open("host=127.0.0.1 port=1", NULL, &listener, &error),
                  CONV_UNAVAILABLE, error);
    assert_status(conv_event_listener_open(postgres_url(), NULL, NULL, &error),
                  CONV_INVALID_ARGUMENT, error);
    assert_status(conv_event_listener_next(NULL, 0, &event, &error), CONV_INVALID_ARGUMENT, error);
    assert_null(event);
    listener = listen_on(NULL);
    assert_status(conv_event_listener_next(listener, -1, &event, &error), CONV_INVALID_ARGUMENT,
                  error);
    assert_status(conv_event_listener_next(listener, 0, NULL, &error), CONV_INVALID_ARGUMENT,
                  error);
    conv_event_listener_close(listener);
    conv_event_listener_close(NULL);
}

static void notify_refuses_what_can_not_work(void **state)
{
    (void)state;
    conv_error error;
    uint64_t number = 0;
    conv_event_notify notify = CONV_EVENT_NOTIFY_INIT;
    notify.delivery = CONV_DELIVERY_DROP_NEWEST;
    notify.channel = "";
    assert_status(conv_event_subscribe_notify(client, &notify, &number, &error),
                  CONV_INVALID_ARGUMENT, error);
    notify.channel = NULL;
    assert_ok(conv_client_close(client, 5000, &error), error);
    open_client(true);
    assert_status(conv_event_subscribe_notify(client, &notify, &number, &error), CONV_STATE, error);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_webhook_is_signed_and_repeated_with_its_id),
        TEST(what_can_not_be_mended_is_not_repeated),
        TEST(tries_are_bounded),
        TEST(a_webhook_that_hangs_slows_nobody_and_ends_when_told),
        TEST(closing_says_what_nobody_got),
        TEST(another_process_hears_through_notify),
        TEST(a_listener_hears_what_another_process_tells),
        TEST(a_listener_tells_that_its_connection_was_lost),
        TEST(a_listener_refuses_what_can_not_work),
        TEST(notify_refuses_what_can_not_work),
    };
    return RUN_TESTS_WITH("event handlers", tests, postgres_setup, postgres_teardown);
}
