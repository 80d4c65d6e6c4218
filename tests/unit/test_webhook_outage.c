/* A webhook whose receiver answers 500 for an hour, in time that passes faster: nothing is lost,
 * nobody waits, and its end can be had at any moment. */
#include "support/test.h"

#include <stdlib.h>
#include <unistd.h>

#include "core/time.h"
#include "events/bus.h"
#include "events/handlers.h"
#include "support/http_server.h"
#include "support/program.h"

#define BAD  "HTTP/1.1 500 Oh no\r\nContent-Length: 0\r\n\r\n"
#define GOOD "HTTP/1.1 204 Good\r\nContent-Length: 0\r\n\r\n"

/* With pauses of 0.5, 1 … 32 and then 60 seconds, less a quarter of each, 86 are more than an hour.
 */
enum { TRIES_OF_AN_HOUR = 86, EVENTS = 20, PACE = 20000, MS_OF_AN_HOUR = 3600000 };

static conv__bus *bus;
static http_server *server;
static http_reply replies[TRIES_OF_AN_HOUR + 1];

static int setup(void **state)
{
    (void)state;
    for (int i = 0; i < TRIES_OF_AN_HOUR; i++)
        replies[i] = (http_reply){.bytes = BAD};
    replies[TRIES_OF_AN_HOUR] = (http_reply){.bytes = GOOD};
    bus = conv__bus_create();
    return bus == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)conv__bus_close(bus, 0);
    http_server_stop(server);
    server = NULL;
    return 0;
}

static uint64_t hook_to(const char *url, int pace, conv_delivery delivery, int queue)
{
    conv_error error;
    uint64_t number = 0;
    conv__subscriber subscriber;
    conv_event_webhook webhook = CONV_EVENT_WEBHOOK_INIT;
    webhook.url = url;
    webhook.delivery = delivery;
    webhook.queue_events = queue;
    assert_ok(conv__event_webhook_make(&webhook, pace, &subscriber, &error), error);
    assert_ok(conv__bus_subscribe(bus, &subscriber, &number, &error), error);
    return number;
}

static uint64_t hook(size_t answers, int pace, conv_delivery delivery, int queue)
{
    server = http_server_start(replies, answers);
    return hook_to(http_server_url(server), pace, delivery, queue);
}

static void emit(int count)
{
    for (int i = 0; i < count; i++) {
        conv_event event = conv__event_make(CONV_EVENT_EXCHANGE_SAVED);
        event.message_count = i;
        conv__bus_emit(bus, &event);
    }
}

static conv_subscription_counts counts_of(uint64_t number)
{
    conv_error error;
    conv_subscription_counts counts;
    assert_ok(conv__bus_count_one(bus, number, &counts, &error), error);
    return counts;
}

/* The least that so many pauses come to. */
static int64_t least_pauses_ms(void)
{
    int64_t least_ms = 0;
    int64_t pause_ms = 500;
    for (int i = 0; i < TRIES_OF_AN_HOUR; i++) {
        least_ms += pause_ms - pause_ms / 4;
        pause_ms = pause_ms * 2 > 60000 ? 60000 : pause_ms * 2;
    }
    return least_ms;
}

static void an_hour_of_500_loses_nothing(void **state)
{
    (void)state;
    char wanted[64];
    assert_true(least_pauses_ms() > MS_OF_AN_HOUR);
    uint64_t number = hook(TRIES_OF_AN_HOUR + 1, PACE, CONV_DELIVERY_WAIT, 0);
    emit(EVENTS);
    for (int i = 0; i < 12000 && counts_of(number).waiting > 0; i++)
        usleep(5000);
    conv_subscription_counts counts = counts_of(number);
    assert_int_equal(counts.delivered, EVENTS);
    assert_int_equal(counts.failed, 0);
    assert_int_equal(counts.dropped, 0);
    assert_int_equal(http_server_requests(server), TRIES_OF_AN_HOUR + EVENTS);
    /* All tries were of the first. */
    snprintf(wanted, sizeof wanted, "\"messages\":%d", 0);
    for (size_t i = 0; i < 64; i++)
        assert_contains(http_server_request(server, i), wanted);
}

static void a_full_queue_drops_by_choice_and_counts(void **state)
{
    (void)state;
    uint64_t number = hook(1, 1, CONV_DELIVERY_DROP_OLDEST, 4);
    int64_t begun = conv__monotonic_ns();
    emit(1000);
    /* Far less than one try's pause for each: nobody waited. */
    assert_true(conv__monotonic_ns() - begun < INT64_C(60000000000));
    conv_subscription_counts counts = counts_of(number);
    assert_int_equal(counts.delivered + counts.dropped + counts.waiting, 1000);
    assert_true(counts.dropped >= 990);
}

/* A host in bytes of no encoding: the parser takes it, the request can't be begun. At its pace a
 * second try would come after the test's end. */
static void a_url_that_no_try_can_use_is_tried_once(void **state)
{
    (void)state;
    uint64_t number = hook_to("http://\xff\xfe.example/", 1, CONV_DELIVERY_WAIT, 0);
    emit(1);
    for (int i = 0; i < 2000 && counts_of(number).waiting > 0; i++)
        usleep(5000);
    assert_int_equal(counts_of(number).failed, 1);
}

static void closing_breaks_off_a_pause(void **state)
{
    (void)state;
    (void)hook(1, 1, CONV_DELIVERY_WAIT, 0);
    emit(3);
    while (http_server_requests(server) < 2)
        usleep(5000);
    assert_int_equal(conv__bus_close(bus, conv__deadline_in_ms(50)), 3);
    bus = conv__bus_create();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_hour_of_500_loses_nothing),
        TEST(a_full_queue_drops_by_choice_and_counts),
        TEST(a_url_that_no_try_can_use_is_tried_once),
        TEST(closing_breaks_off_a_pause),
    };
    return RUN_TESTS("webhook outage", tests);
}
