/* The bus by itself: who gets what, what a handler that fails, blocks or unsubscribes does to
 * others, and sixteen threads that do everything at once. */
#include "support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "core/time.h"
#include "events/bus.h"
#include "support/event_counts.h"
#include "support/failing_memory.h"

static conv__bus *bus;

static int setup(void **state)
{
    (void)state;
    bus = conv__bus_create();
    return bus == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    conv__bus_close(bus, conv__deadline_in_ms(10000));
    return 0;
}

/* What a handler saw, and how it is to behave. */
typedef struct listener {
    atomic_int seen;
    atomic_int released;
    conv_event_kind last;
    int64_t order[64]; /* record_count of what came, in order */
    conv_status answer;
    pthread_mutex_t *held; /* the handler waits for it; NULL: for nothing */
    uint64_t ends;         /* a subscription that the handler ends */
    conv_status ended;
    pthread_t thread;
    bool blocks_others;          /* waits for `held` with usage alone, which others bring */
    bool echoes;                 /* emits a session event for each exchange event */
    struct listener *subscribes; /* synchronously, with each of the first events */
} listener;

static pthread_mutex_t notes = PTHREAD_MUTEX_INITIALIZER;

static uint64_t subscribe(listener *self, conv_delivery delivery, int queue, int64_t wait_ms);

static conv_status hear(void *context, const conv_event *event)
{
    listener *self = context;
    /* A synchronous handler may be on several threads at once. */
    pthread_mutex_lock(&notes);
    int index = atomic_load(&self->seen);
    if (index < 64) self->order[index] = event->record_count;
    self->last = event->kind;
    self->thread = pthread_self();
    pthread_mutex_unlock(&notes);
    if (self->held != NULL && (!self->blocks_others || event->kind == CONV_EVENT_USAGE_RECORDED)) {
        pthread_mutex_lock(self->held);
        pthread_mutex_unlock(self->held);
    }
    if (self->ends != 0) self->ended = conv__bus_unsubscribe(bus, self->ends, NULL);
    if (self->echoes && event->kind != CONV_EVENT_SESSION_UPDATED) {
        conv_event more = conv__event_make(CONV_EVENT_SESSION_UPDATED);
        conv__bus_emit(bus, &more);
    }
    if (self->subscribes != NULL && index < 20)
        (void)subscribe(self->subscribes, CONV_DELIVERY_SYNCHRONOUS, 0, 0);
    conv_status answer = self->answer;
    atomic_fetch_add(&self->seen, 1); /* a test that waited for it may be over now */
    return answer;
}

static void released(void *context)
{
    listener *self = context;
    atomic_fetch_add(&self->released, 1);
}

static conv__subscriber subscriber_of(listener *self, conv_delivery delivery)
{
    return (conv__subscriber){.params = {.size = sizeof(conv_subscription_params),
                                         .delivery = delivery,
                                         .handler = hear,
                                         .context = self,
                                         .on_release = released}};
}

static uint64_t subscribe(listener *self, conv_delivery delivery, int queue, int64_t wait_ms)
{
    uint64_t number = 0;
    conv_error error;
    conv__subscriber subscriber = subscriber_of(self, delivery);
    subscriber.params.queue_events = queue;
    subscriber.params.wait_ms = wait_ms;
    assert_ok(conv__bus_subscribe(bus, &subscriber, &number, &error), error);
    return number;
}

static void emit(int64_t number)
{
    conv_event event = conv__event_make(CONV_EVENT_EXCHANGE_SAVED);
    event.record_count = number;
    conv__bus_emit(bus, &event);
}

/* Until one event is in the handler, so that the queue's own bound is what counts. */
static void fill_handler(uint64_t number)
{
    emit(0);
    for (int i = 0; i < 4000; i++) {
        conv_subscription_counts counts = event_counts_of_bus(bus, number);
        if (counts.waiting == 1 && i > 20) return;
        usleep(2500);
    }
}

static void only_subscribed_kinds_come_and_in_order(void **state)
{
    (void)state;
    listener all = {0};
    listener some = {0};
    uint64_t number = subscribe(&all, CONV_DELIVERY_SYNCHRONOUS, 0, 0);
    conv__subscriber picky = subscriber_of(&some, CONV_DELIVERY_SYNCHRONOUS);
    conv_error error;
    uint64_t second = 0;
    picky.params.kinds = CONV_EVENTS_SESSION;
    assert_ok(conv__bus_subscribe(bus, &picky, &second, &error), error);
    assert_int_not_equal(number, second);
    for (int i = 1; i <= 3; i++)
        emit(i);
    conv_event event = conv__event_make(CONV_EVENT_SESSION_DELETED);
    conv__bus_emit(bus, &event);
    assert_int_equal(all.seen, 4);
    assert_int_equal(all.order[2], 3);
    assert_int_equal(some.seen, 1);
    assert_int_equal(some.last, CONV_EVENT_SESSION_DELETED);
    assert_ok(conv__bus_unsubscribe(bus, number, &error), error);
    assert_int_equal(all.released, 1);
    emit(5);
    assert_int_equal(all.seen, 4);
    assert_status(conv__bus_unsubscribe(bus, number, &error), CONV_NOT_FOUND, error);
}

static void wrong_parameters_are_refused(void **state)
{
    (void)state;
    listener self = {0};
    conv_error error;
    for (int i = 0; i < 5; i++) {
        uint64_t number = 7;
        conv__subscriber subscriber = subscriber_of(&self, CONV_DELIVERY_WAIT);
        if (i == 0) subscriber.params.handler = NULL;
        if (i == 1) subscriber.params.kinds = UINT64_C(1) << 63;
        if (i == 2) subscriber.params.delivery = (conv_delivery)9;
        if (i == 3) subscriber.params.queue_events = -1;
        if (i == 4) subscriber.params.wait_ms = -1;
        assert_status(conv__bus_subscribe(bus, &subscriber, &number, &error), CONV_INVALID_ARGUMENT,
                      error);
        assert_int_equal(number, 0);
    }
    assert_int_equal(self.released, 0);
}

static void a_failing_handler_is_counted_and_harms_nobody(void **state)
{
    (void)state;
    listener failing = {.answer = CONV_UNAVAILABLE};
    listener other = {0};
    uint64_t number = subscribe(&failing, CONV_DELIVERY_SYNCHRONOUS, 0, 0);
    (void)subscribe(&other, CONV_DELIVERY_SYNCHRONOUS, 0, 0);
    emit(1);
    emit(2);
    assert_int_equal(other.seen, 2);
    assert_int_equal(event_counts_of_bus(bus, number).failed, 2);
    assert_int_equal(event_counts_of_bus(bus, number).delivered, 2);
}

static void a_synchronous_handler_runs_here_but_never_on_a_thread_of_others(void **state)
{
    (void)state;
    listener self = {0};
    (void)subscribe(&self, CONV_DELIVERY_SYNCHRONOUS, 0, 0);
    emit(1);
    assert_true(pthread_equal(self.thread, pthread_self()));
    conv_event event = conv__event_make(CONV_EVENT_EXCHANGE_RECOVERED);
    conv__bus_post(bus, &event);
    event_await(&self.seen, 2);
    assert_false(pthread_equal(self.thread, pthread_self()));
}

static void a_full_queue_drops_as_was_chosen_and_counts(void **state)
{
    static const conv_delivery ways[] = {CONV_DELIVERY_DROP_NEWEST, CONV_DELIVERY_DROP_OLDEST,
                                         CONV_DELIVERY_WAIT};
    static const int64_t first_kept[] = {1, 7, 1};
    (void)state;
    for (size_t way = 0; way < 3; way++) {
        pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
        listener slow = {.held = &held};
        conv_error error;
        pthread_mutex_lock(&held);
        uint64_t number = subscribe(&slow, ways[way], 4, 20);
        fill_handler(number);
        for (int i = 1; i <= 10; i++)
            emit(i);
        assert_int_equal(event_counts_of_bus(bus, number).dropped, 6);
        assert_int_equal(event_counts_of_bus(bus, number).waiting, 5);
        pthread_mutex_unlock(&held);
        event_await(&slow.seen, 5);
        for (int i = 0; i < 4; i++)
            assert_int_equal(slow.order[i + 1], first_kept[way] + i);
        assert_ok(conv__bus_unsubscribe(bus, number, &error), error);
    }
    assert_int_equal(conv__bus_count(bus).dropped, 18);
}

static void after_one_wait_in_vain_nobody_waits_again(void **state)
{
    (void)state;
    pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
    listener slow = {.held = &held};
    pthread_mutex_lock(&held);
    uint64_t number = subscribe(&slow, CONV_DELIVERY_WAIT, 1, 100);
    fill_handler(number);
    int64_t begun = conv__monotonic_ns();
    for (int i = 0; i < 10000; i++)
        emit(i);
    /* Ten thousand waits would take a quarter of an hour. */
    assert_true(conv__monotonic_ns() - begun < INT64_C(60000000000));
    assert_int_equal(event_counts_of_bus(bus, number).dropped, 9999);
    pthread_mutex_unlock(&held);
    conv_error error;
    assert_ok(conv__bus_unsubscribe(bus, number, &error), error);
}

/* The default: nobody chose to lose an event. */
static void behind_a_synchronous_handler_nothing_is_dropped(void **state)
{
    enum { POSTED = 5000 };
    (void)state;
    pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
    listener slow = {.held = &held};
    pthread_mutex_lock(&held);
    uint64_t number = subscribe(&slow, CONV_DELIVERY_SYNCHRONOUS, 4, 20);
    for (int i = 0; i < POSTED; i++) {
        conv_event event = conv__event_make(CONV_EVENT_USAGE_RECORDED);
        event.record_count = i;
        conv__bus_post(bus, &event);
    }
    assert_int_equal(event_counts_of_bus(bus, number).dropped, 0);
    assert_int_equal(event_counts_of_bus(bus, number).waiting, POSTED);
    pthread_mutex_unlock(&held);
    event_await(&slow.seen, POSTED);
    for (int i = 0; i < 64; i++)
        assert_int_equal(slow.order[i], i);
    conv_error error;
    assert_ok(conv__bus_unsubscribe(bus, number, &error), error);
    assert_int_equal(conv__bus_count(bus).dropped, 0);
}

/* Calls that return on other threads make no room: the call that the queue is behind still blocks.
 */
static void others_that_return_do_not_make_a_thread_wait_again(void **state)
{
    enum { ROUNDS_OF_WAITING = 40, WAIT_MS = 400 };
    (void)state;
    pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
    listener blocked = {.held = &held, .blocks_others = true};
    uint64_t number = subscribe(&blocked, CONV_DELIVERY_SYNCHRONOUS, 1, WAIT_MS);
    const conv_event event = conv__event_make(CONV_EVENT_USAGE_RECORDED);
    pthread_mutex_lock(&held);
    int64_t patience = conv__deadline_in_ms((int64_t)ROUNDS_OF_WAITING * WAIT_MS / 2);
    for (int i = 0; i < ROUNDS_OF_WAITING; i++) {
        conv__bus_post(bus, &event); /* to the thread of the queue, which never comes back */
        emit(i);
    }
    assert_false(conv__deadline_passed(patience));
    assert_int_equal(event_counts_of_bus(bus, number).dropped, 0);
    pthread_mutex_unlock(&held);
    event_await(&blocked.seen, 2 * ROUNDS_OF_WAITING);
}

static void *emit_one(void *context)
{
    (void)context;
    emit(1);
    return NULL;
}

/* The one that blocks was there first. */
static void a_synchronous_handler_that_blocks_keeps_no_event_from_the_queues_of_others(void **state)
{
    (void)state;
    enum { OTHERS = 3 };
    static const conv_delivery ways[OTHERS] = {CONV_DELIVERY_WAIT, CONV_DELIVERY_DROP_NEWEST,
                                               CONV_DELIVERY_DROP_OLDEST};
    pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
    listener blocked = {.held = &held};
    listener others[OTHERS] = {{0}};
    pthread_t thread;
    pthread_mutex_lock(&held);
    (void)subscribe(&blocked, CONV_DELIVERY_SYNCHRONOUS, 0, 0);
    for (int i = 0; i < OTHERS; i++)
        (void)subscribe(&others[i], ways[i], 0, 0);
    assert_int_equal(pthread_create(&thread, NULL, emit_one, NULL), 0);
    for (int i = 0; i < OTHERS; i++)
        event_await(&others[i].seen, 1);
    assert_int_equal(blocked.seen, 0);
    pthread_mutex_unlock(&held);
    pthread_join(thread, NULL);
    assert_int_equal(blocked.seen, 1);
}

static void a_queue_that_is_waited_for_keeps_no_event_from_those_that_drop(void **state)
{
    (void)state;
    enum { HOURS_MS = 36000000 };
    pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
    listener slow = {.held = &held};
    listener dropping = {0};
    pthread_t thread;
    pthread_mutex_lock(&held);
    uint64_t number = subscribe(&slow, CONV_DELIVERY_WAIT, 1, HOURS_MS);
    fill_handler(number);
    emit(0); /* the queue is full */
    (void)subscribe(&dropping, CONV_DELIVERY_DROP_NEWEST, 0, 0);
    assert_int_equal(pthread_create(&thread, NULL, emit_one, NULL), 0);
    event_await(&dropping.seen, 1);
    assert_int_equal(event_counts_of_bus(bus, number).waiting, 2);
    pthread_mutex_unlock(&held);
    pthread_join(thread, NULL);
    event_await(&slow.seen, 3);
}

static void handlers_may_end_themselves_and_each_other(void **state)
{
    (void)state;
    listener first = {0};
    listener second = {0};
    uint64_t one = subscribe(&first, CONV_DELIVERY_SYNCHRONOUS, 0, 0);
    uint64_t two = subscribe(&second, CONV_DELIVERY_WAIT, 0, 0);
    first.ends = one;
    second.ends = two;
    emit(1);
    event_await(&first.released, 1);
    event_await(&second.released, 1);
    assert_int_equal(first.ended, CONV_OK);
    assert_int_equal(second.ended, CONV_OK);
    emit(2);
    assert_int_equal(first.seen, 1);
    assert_int_equal(second.seen, 1);
    assert_int_equal(conv__bus_count(bus).subscriptions, 0);
}

static void what_a_handler_subscribes_gets_only_what_comes_later(void **state)
{
    (void)state;
    listener other = {0};
    listener first = {.subscribes = &other};
    listener again = {0};
    again.subscribes = &again;
    conv_error error;
    uint64_t number = subscribe(&first, CONV_DELIVERY_SYNCHRONOUS, 0, 0);
    emit(1);
    assert_int_equal(other.seen, 0);
    assert_ok(conv__bus_unsubscribe(bus, number, &error), error);
    emit(2);
    assert_int_equal(other.seen, 1);
    assert_int_equal(other.order[0], 2);
    (void)subscribe(&again, CONV_DELIVERY_SYNCHRONOUS, 0, 0);
    emit(3);
    assert_int_equal(again.seen, 1);
    emit(4); /* to both that there are now */
    assert_int_equal(again.seen, 3);
}

static void a_handler_may_emit(void **state)
{
    (void)state;
    listener self = {.echoes = true};
    (void)subscribe(&self, CONV_DELIVERY_SYNCHRONOUS, 0, 0);
    for (int i = 0; i < 5; i++)
        emit(i);
    event_await(&self.seen, 10);
}

static void closing_delivers_what_is_queued(void **state)
{
    (void)state;
    listener self = {0};
    pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
    self.held = &held;
    pthread_mutex_lock(&held);
    (void)subscribe(&self, CONV_DELIVERY_WAIT, 0, 0);
    for (int i = 0; i < 50; i++)
        emit(i);
    pthread_mutex_unlock(&held);
    assert_int_equal(conv__bus_close(bus, conv__deadline_in_ms(20000)), 0);
    assert_int_equal(self.seen, 50);
    assert_int_equal(self.released, 1);
    bus = conv__bus_create();
}

static void a_handler_that_blocks_for_ever_does_not_hold_up_closing(void **state)
{
    (void)state;
    static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
    static listener self;
    self = (listener){.held = &held};
    pthread_mutex_lock(&held);
    uint64_t number = subscribe(&self, CONV_DELIVERY_WAIT, 0, 0);
    fill_handler(number);
    emit(1);
    assert_int_equal(conv__bus_close(bus, conv__deadline_in_ms(10)), 2);
    assert_int_equal(self.released, 0);
    pthread_mutex_unlock(&held);
    event_await(&self.released, 1);
    assert_int_equal(self.seen, 1);
    bus = conv__bus_create();
}

enum { THREADS = 16, ROUNDS = 150 };

static void count_for_tap(void *context, const conv_event *event)
{
    (void)event;
    atomic_fetch_add((atomic_int *)context, 1);
}

static conv_status count_only(void *context, const conv_event *event)
{
    (void)event;
    atomic_fetch_add((atomic_int *)context, 1);
    return CONV_OK;
}

static void *do_everything(void *context)
{
    static atomic_int sink;
    (void)context;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t number = 0;
        conv__subscriber subscriber = {.params = {.size = sizeof(conv_subscription_params),
                                                  .delivery = (conv_delivery)(i % 4),
                                                  .queue_events = 2,
                                                  .wait_ms = 1,
                                                  .handler = count_only,
                                                  .context = &sink}};
        conv_status status = conv__bus_subscribe(bus, &subscriber, &number, NULL);
        emit(i);
        conv_event event = conv__event_make(CONV_EVENT_USAGE_RECORDED);
        conv__bus_post(bus, &event);
        if (status == CONV_OK && conv__bus_unsubscribe(bus, number, NULL) != CONV_OK) return bus;
    }
    return NULL;
}

static void sixteen_threads_subscribe_emit_and_end(void **state)
{
    (void)state;
    atomic_int tapped = 0;
    atomic_int steady = 0;
    pthread_t threads[THREADS];
    uint64_t number = 0;
    conv_error error;
    conv__bus_set_tap(bus, count_for_tap, &tapped);
    conv__subscriber subscriber = {.params = {.size = sizeof(conv_subscription_params),
                                              .kinds = CONV_EVENTS_EXCHANGE,
                                              .handler = count_only,
                                              .context = &steady}};
    assert_ok(conv__bus_subscribe(bus, &subscriber, &number, &error), error);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, do_everything, &steady), 0);
    for (int i = 0; i < THREADS; i++) {
        void *wrong = NULL;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    assert_int_equal(tapped, 2 * THREADS * ROUNDS);
    assert_int_equal(steady, THREADS * ROUNDS);
    assert_int_equal(conv__bus_count(bus).subscriptions, 1);
    conv__bus_close(bus, conv__deadline_in_ms(10000));
    bus = conv__bus_create();
}

static conv_status memory_scenario(void *context)
{
    listener self = {0};
    uint64_t number = 0;
    (void)context;
    conv__bus *own = conv__bus_create();
    if (own == NULL) return CONV_NO_MEMORY;
    conv__subscriber subscriber = subscriber_of(&self, CONV_DELIVERY_SYNCHRONOUS);
    conv_status status = conv__bus_subscribe(own, &subscriber, &number, NULL);
    conv_event event = conv__event_make(CONV_EVENT_EXCHANGE_SAVED);
    conv__bus_emit(own, &event);
    conv__bus_close(own, conv__deadline_in_ms(10000));
    return status;
}

static void out_of_memory_is_told(void **state)
{
    (void)state;
    assert_true(failing_memory_run(memory_scenario, NULL) >= 2);
}

static void an_event_has_one_line_of_json(void **state)
{
    (void)state;
    char text[CONV_EVENT_TEXT_SIZE];
    conv_event event = conv__event_make(CONV_EVENT_EXCHANGE_SAVED);
    event.event_id = (conv_uuid){{1}};
    event.turn_id = (conv_uuid){{2}};
    event.time_us = 0;
    event.input_tokens = 0;
    event.priced = true;
    event.cost_usd = (conv_decimal){.low = 375, .scale = 6};
    conv__event_set_name(event.model, conv_text("a\"b\nc"));
    size_t length = conv_event_format(&event, text, sizeof text);
    assert_string_equal(
        text, "{\"event_id\":\"01000000-0000-0000-0000-000000000000\",\"event\":\"exchange.saved\","
              "\"time\":\"1970-01-01T00:00:00.000000Z\","
              "\"turn_id\":\"02000000-0000-0000-0000-000000000000\",\"model\":\"a\\\"b\\nc\","
              "\"outcome\":\"complete\",\"input_tokens\":0,\"cost_usd\":\"0.000375\"}");
    assert_int_equal(length, strlen(text));
    assert_int_equal(conv_event_format(&event, text, 5), length);
    assert_string_equal(text, "{\"ev");
}

static void names_are_cut_between_characters(void **state)
{
    (void)state;
    char name[CONV_EVENT_NAME_SIZE];
    char text[100];
    memset(text, 'x', sizeof text);
    memcpy(text + 62, "\xC3\xA4", 2);
    conv__event_set_name(name, conv_view(text, sizeof text));
    assert_int_equal(strlen(name), 62);
    conv__event_set_name(name, conv_view("a\0b", 3));
    assert_string_equal(name, "a");
    conv__event_set_name(name, conv_text(NULL));
    assert_string_equal(name, "");
    assert_string_equal(conv_event_kind_name(CONV_EVENT_HEALTH_CHANGED), "health.changed");
    assert_string_equal(conv_event_kind_name(CONV_EVENT_KINDS), "unknown");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(only_subscribed_kinds_come_and_in_order),
        TEST(wrong_parameters_are_refused),
        TEST(a_failing_handler_is_counted_and_harms_nobody),
        TEST(a_synchronous_handler_runs_here_but_never_on_a_thread_of_others),
        TEST(a_full_queue_drops_as_was_chosen_and_counts),
        TEST(after_one_wait_in_vain_nobody_waits_again),
        TEST(behind_a_synchronous_handler_nothing_is_dropped),
        TEST(others_that_return_do_not_make_a_thread_wait_again),
        TEST(a_synchronous_handler_that_blocks_keeps_no_event_from_the_queues_of_others),
        TEST(a_queue_that_is_waited_for_keeps_no_event_from_those_that_drop),
        TEST(handlers_may_end_themselves_and_each_other),
        TEST(what_a_handler_subscribes_gets_only_what_comes_later),
        TEST(a_handler_may_emit),
        TEST(closing_delivers_what_is_queued),
        TEST(a_handler_that_blocks_for_ever_does_not_hold_up_closing),
        TEST(sixteen_threads_subscribe_emit_and_end),
        TEST(out_of_memory_is_told),
        TEST(an_event_has_one_line_of_json),
        TEST(names_are_cut_between_characters),
    };
    return RUN_TESTS("bus", tests);
}
