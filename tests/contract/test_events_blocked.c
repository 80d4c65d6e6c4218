/* A handler that blocks for ever, on either store: others go on saving and hearing, and the client
 * can be closed. */
#include "support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/event_counts.h"
#include "support/store.h"

enum { THREADS = 4, EACH = 25 };

static conv_client *client;
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static atomic_int entered;
static atomic_int heard;
static atomic_int released;
static atomic_int failures;

/* Its first event holds it. */
static conv_status block(void *context, const conv_event *event)
{
    (void)context;
    (void)event;
    if (atomic_fetch_add(&entered, 1) > 0) return CONV_OK;
    pthread_mutex_lock(&held);
    pthread_mutex_unlock(&held);
    return CONV_OK;
}

static conv_status hear(void *context, const conv_event *event)
{
    (void)context;
    atomic_fetch_add(&heard, event->kind == CONV_EVENT_EXCHANGE_SAVED);
    return CONV_OK;
}

static void let_go(void *context)
{
    (void)context;
    atomic_fetch_add(&released, 1);
}

static uint64_t subscribe_to(conv_event_kind kind, conv_event_handler handler,
                             conv_delivery delivery)
{
    conv_error error;
    uint64_t number = 0;
    conv_subscription_params params = CONV_SUBSCRIPTION_PARAMS_INIT;
    params.kinds = CONV_EVENT_SET(kind);
    params.handler = handler;
    params.delivery = delivery;
    params.queue_events = handler == block ? 4 : 10000;
    params.wait_ms = 10;
    params.on_release = handler == block ? let_go : NULL;
    assert_ok(conv_event_subscribe(client, &params, &number, &error), error);
    return number;
}

static void subscribe(conv_event_handler handler, conv_delivery delivery)
{
    (void)subscribe_to(CONV_EVENT_EXCHANGE_SAVED, handler, delivery);
}

static void *save(void *context)
{
    int count = *(int *)context;
    conv_message messages[2] = {{.role = CONV_ROLE_USER, .content = conv_text("hello")},
                                {.role = CONV_ROLE_ASSISTANT, .content = conv_text("yes")}};
    for (int i = 0; i < count; i++) {
        conv_exchange exchange = CONV_EXCHANGE_INIT;
        exchange.messages = messages;
        exchange.message_count = 2;
        if (conv_save_exchange(client, &exchange, NULL, NULL) != CONV_OK)
            atomic_fetch_add(&failures, 1);
    }
    return NULL;
}

static void save_on_threads(void)
{
    static int each = EACH;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, save, &each), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&failures), 0);
}

static int setup(void **state)
{
    if (contract_client_setup(state) != 0) return -1;
    conv_client_params params = contract_client_params();
    client = contract_client_open(&params);
    atomic_store(&entered, 0);
    atomic_store(&heard, 0);
    atomic_store(&released, 0);
    atomic_store(&failures, 0);
    pthread_mutex_lock(&held);
    return 0;
}

static void on_a_thread_of_its_own_it_holds_up_nobody(void **state)
{
    (void)state;
    conv_error error;
    conv_delivery deliveries[] = {CONV_DELIVERY_WAIT, CONV_DELIVERY_DROP_NEWEST,
                                  CONV_DELIVERY_DROP_OLDEST};
    pthread_mutex_unlock(&held);
    for (int i = 0; i < 3; i++) {
        pthread_mutex_lock(&held);
        atomic_store(&entered, 0);
        atomic_store(&heard, 0);
        subscribe(block, deliveries[i]);
        subscribe(hear, CONV_DELIVERY_WAIT);
        save_on_threads();
        event_await(&heard, THREADS * EACH);
        conv_client *closing = client;
        client = NULL;
        assert_status(conv_client_close(closing, 200, &error), CONV_TIMEOUT, error);
        /* The context is the handler's until it comes back. */
        assert_int_equal(atomic_load(&released), i);
        pthread_mutex_unlock(&held);
        event_await(&released, i + 1);
        if (i == 2) break;
        conv_client_params params = CONV_CLIENT_PARAMS_INIT;
        test_store_drop(test_store_kind());
        params.store = test_store_create(test_store_kind());
        params.schema = CONV_SCHEMA_MIGRATE;
        assert_ok(conv_client_open(&params, &client, &error), error);
    }
}

static void a_synchronous_one_holds_up_its_own_call_alone(void **state)
{
    (void)state;
    static int one = 1;
    conv_error error;
    pthread_t blocked;
    subscribe(block, CONV_DELIVERY_SYNCHRONOUS);
    assert_int_equal(pthread_create(&blocked, NULL, save, &one), 0);
    event_await(&entered, 1);
    save_on_threads();
    assert_int_equal(atomic_load(&entered), THREADS * EACH + 1);
    assert_status(conv_client_close(client, 100, &error), CONV_TIMEOUT, error);
    assert_string_equal(error.message, "1 call was still under way after 100 ms; each still "
                                       "tells its caller whether it was saved");
    pthread_mutex_unlock(&held);
    pthread_join(blocked, NULL);
    assert_int_equal(atomic_load(&failures), 0);
    event_await(&released, 1); /* with the call the client has gone, too */
    client = NULL;
}

static void track(int count)
{
    conv_error error;
    conv_usage usage = CONV_USAGE_INIT;
    usage.total_tokens = 1;
    for (int i = 0; i < count; i++)
        assert_ok(conv_track_usage(client, &usage, &error), error);
    assert_ok(conv_track_flush(client, 60000, NULL, &error), error);
}

/* Told once the flush, or the tracker's own thread, has left the store. */
static void await_waiting(uint64_t number, int64_t wanted)
{
    conv_error error;
    conv_subscription_counts counts = {0};
    for (int i = 0; i < 4000 && counts.waiting < wanted; i++) {
        usleep(5000);
        assert_ok(conv_event_count(client, number, &counts, &error), error);
    }
    assert_int_equal(counts.waiting, wanted);
    assert_int_equal(counts.dropped, 0);
}

/* Of what the library's own threads bring, while its queue of four is long full. */
static void behind_a_synchronous_one_nothing_is_dropped(void **state)
{
    enum { TRACKED = 300 };
    (void)state;
    conv_error error;
    uint64_t number = subscribe_to(CONV_EVENT_USAGE_RECORDED, block, CONV_DELIVERY_SYNCHRONOUS);
    track(TRACKED);
    save_on_threads();
    await_waiting(number, TRACKED);
    pthread_mutex_unlock(&held);
    event_await(&entered, TRACKED);
    pthread_mutex_lock(&held);
    atomic_store(&entered, 0);
    track(TRACKED);
    conv_client *closing = client;
    client = NULL;
    assert_status(conv_client_close(closing, 200, &error), CONV_TIMEOUT, error);
    assert_int_equal(atomic_load(&released), 0);
    pthread_mutex_unlock(&held);
    event_await(&released, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, contract_client_teardown)
    const struct CMUnitTest tests[] = {
        TEST(on_a_thread_of_its_own_it_holds_up_nobody),
        TEST(a_synchronous_one_holds_up_its_own_call_alone),
        TEST(behind_a_synchronous_one_nothing_is_dropped),
    };
    return RUN_TESTS("events blocked", tests);
}
