/* Closing a client, on either store. Sixteen threads subscribe, save and end subscriptions within
 * calls under way: each exchange is told to each handler that was there, and each handler's context
 * is given back once. Handlers call the library until they have all that was true before. */
#include "support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/store.h"

enum { THREADS = 16, ROUNDS = 8, DELIVERIES = 4 };

static conv_client *client;
static conv_provider *provider;
static atomic_bool last_round;
static atomic_bool until_shut;
static atomic_bool for_ever; /* then also until `held` can be had */
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static atomic_int inside; /* threads whose provider waits for the closing */
static atomic_int failures;
static atomic_int subscribed;
static atomic_int released;
static atomic_int saved;
static atomic_int told[DELIVERIES]; /* of those that stay to the end */

static void count_released(void *context)
{
    (void)context;
    atomic_fetch_add(&released, 1);
}

static conv_status count_told(void *context, const conv_event *event)
{
    if (context != NULL && event->kind == CONV_EVENT_EXCHANGE_SAVED)
        atomic_fetch_add((atomic_int *)context, 1);
    return CONV_OK;
}

static conv_status subscribe(int delivery, atomic_int *counter, uint64_t *number)
{
    conv_subscription_params params = CONV_SUBSCRIPTION_PARAMS_INIT;
    params.delivery = (conv_delivery)delivery;
    params.queue_events = counter != NULL ? 100000 : 2;
    params.wait_ms = counter != NULL ? 60000 : 1;
    params.handler = count_told;
    params.context = counter;
    params.on_release = count_released;
    conv_status status = conv_event_subscribe(client, &params, number, NULL);
    if (status == CONV_OK) atomic_fetch_add(&subscribed, 1);
    return status;
}

/* Called within a call under way, so the client is there until it returns. */
static void subscribe_until_closing(void)
{
    atomic_fetch_add(&inside, 1);
    for (int i = 0;; i++) {
        uint64_t number = 0;
        conv_subscription_counts counts;
        conv_status status = subscribe(i % DELIVERIES, NULL, &number);
        if (status == CONV_STATE) return;
        if (status != CONV_OK) atomic_fetch_add(&failures, 1);
        /* One that is not ended here goes with the client. */
        if (i % 3 == 0) continue;
        if (conv_event_count(client, number, &counts, NULL) == CONV_STATE) return;
        status = conv_event_unsubscribe(client, number, NULL);
        if (status == CONV_STATE) return;
        if (status != CONV_OK) atomic_fetch_add(&failures, 1);
        usleep(1000);
    }
}

/* A handler may call until its half of the close's time is over. */
static void call_until_shut(void)
{
    conv_subscription_counts counts;
    atomic_fetch_add(&inside, 1);
    while (conv_event_count(client, 1, &counts, NULL) != CONV_STATE)
        usleep(1000);
    if (!atomic_load(&for_ever)) return;
    pthread_mutex_lock(&held);
    pthread_mutex_unlock(&held);
}

static conv_status answer(void *context, const conv_provider_request *request,
                          conv_provider_response *response, conv_error *error)
{
    (void)context;
    (void)request;
    (void)error;
    if (atomic_load(&last_round)) subscribe_until_closing();
    if (atomic_load(&until_shut)) call_until_shut();
    return conv_provider_response_delta(response, conv_text("yes"));
}

static void say(void)
{
    conv_turn turn = CONV_TURN_INIT;
    conv_reply *reply = NULL;
    turn.message = conv_text("hello");
    turn.context_messages = -1;
    if (conv_process_message(client, &turn, &reply, NULL) == CONV_OK)
        atomic_fetch_add(&saved, 1);
    else
        atomic_fetch_add(&failures, 1);
    conv_reply_free(reply);
}

static void *subscribe_and_save(void *context)
{
    pthread_barrier_t *barrier = context;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t number = 0;
        if (subscribe(i % DELIVERIES, NULL, &number) != CONV_OK) atomic_fetch_add(&failures, 1);
        say();
        if (conv_event_unsubscribe(client, number, NULL) != CONV_OK) atomic_fetch_add(&failures, 1);
    }
    pthread_barrier_wait(barrier);
    atomic_store(&last_round, true);
    say();
    return NULL;
}

static void sixteen_threads_go_on_while_the_client_is_closed(void **state)
{
    (void)state;
    conv_error error;
    uint64_t number = 0;
    pthread_t threads[THREADS];
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (int i = 0; i < DELIVERIES; i++)
        assert_int_equal(subscribe(i, &told[i], &number), CONV_OK);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, subscribe_and_save, &barrier), 0);
    while (atomic_load(&inside) < THREADS)
        usleep(1000);
    assert_ok(conv_client_close(client, 60000, &error), error);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&barrier);
    assert_int_equal(atomic_load(&failures), 0);
    assert_int_equal(atomic_load(&saved), THREADS * (ROUNDS + 1));
    for (int i = 0; i < DELIVERIES; i++)
        assert_int_equal(atomic_load(&told[i]), THREADS * (ROUNDS + 1));
    assert_int_equal(atomic_load(&released), atomic_load(&subscribed));
}

static conv_status read_what_was_saved(void *context, const conv_event *event)
{
    char session_id[CONV_UUID_TEXT_SIZE];
    conv_history *history = NULL;
    conv_history_params params = CONV_HISTORY_PARAMS_INIT;
    (void)context;
    usleep(20000); /* the close is to come before most of the events */
    conv_uuid_format(event->session_id, session_id);
    params.session_id = session_id;
    conv_status status = conv_history_read(client, &params, &history, NULL);
    /* The usage record has no session. */
    if (status != CONV_OK && status != CONV_NOT_FOUND) atomic_fetch_add(&failures, 1);
    conv_history_free(history);
    atomic_fetch_add(&told[0], 1);
    return status;
}

static void a_handler_may_call_while_the_client_is_closed(void **state)
{
    enum { TURNS = 10 };
    (void)state;
    conv_error error;
    uint64_t number = 0;
    conv_subscription_params params = CONV_SUBSCRIPTION_PARAMS_INIT;
    params.kinds =
        CONV_EVENT_SET(CONV_EVENT_EXCHANGE_SAVED) | CONV_EVENT_SET(CONV_EVENT_USAGE_RECORDED);
    params.delivery = CONV_DELIVERY_WAIT;
    params.handler = read_what_was_saved;
    assert_ok(conv_event_subscribe(client, &params, &number, &error), error);
    for (int i = 0; i < TURNS; i++)
        say();
    conv_usage usage = CONV_USAGE_INIT; /* is flushed by the close */
    assert_ok(conv_track_usage(client, &usage, &error), error);
    assert_ok(conv_client_close(client, 60000, &error), error);
    assert_int_equal(atomic_load(&told[0]), TURNS + 1);
    assert_int_equal(atomic_load(&failures), 0);
}

static conv_status wait_for_ever(void *context, const conv_event *event)
{
    (void)event;
    pthread_mutex_lock(context);
    pthread_mutex_unlock(context);
    return CONV_OK;
}

static void a_handler_that_blocks_takes_no_record_with_it(void **state)
{
    (void)state;
    conv_error error;
    uint64_t number = 0;
    conv_subscription_params params = CONV_SUBSCRIPTION_PARAMS_INIT;
    params.delivery = CONV_DELIVERY_WAIT;
    params.handler = wait_for_ever;
    params.context = &held;
    params.on_release = count_released;
    assert_ok(conv_event_subscribe(client, &params, &number, &error), error);
    pthread_mutex_lock(&held);
    say();
    conv_usage usage = CONV_USAGE_INIT;
    assert_ok(conv_track_usage(client, &usage, &error), error);
    assert_status(conv_client_close(client, 2000, &error), CONV_TIMEOUT, error);
    assert_string_equal(contract_value("SELECT count(*) FROM usage_logs"), "2");
    pthread_mutex_unlock(&held);
    while (atomic_load(&released) == 0)
        usleep(1000);
}

static conv_status call_once(void *context, const conv_event *event)
{
    (void)context;
    (void)event;
    if (atomic_fetch_add(&told[0], 1) > 0) return CONV_OK;
    atomic_store(&until_shut, true);
    say();
    return CONV_OK;
}

/* Comes back when the handler is in its call. */
static void start_calling_handler(void)
{
    conv_error error;
    uint64_t number = 0;
    conv_subscription_params params = CONV_SUBSCRIPTION_PARAMS_INIT;
    params.kinds = CONV_EVENT_SET(CONV_EVENT_EXCHANGE_SAVED);
    params.delivery = CONV_DELIVERY_WAIT;
    params.handler = call_once;
    params.on_release = count_released;
    assert_ok(conv_event_subscribe(client, &params, &number, &error), error);
    say();
    while (atomic_load(&inside) == 0)
        usleep(1000);
}

/* Were it waited for as other calls are, nobody would be shut out until all of the time is over,
 * and the close would end with this call under way. */
static void a_handler_within_a_call_has_half_of_the_time(void **state)
{
    (void)state;
    conv_error error;
    start_calling_handler();
    assert_ok(conv_client_close(client, 4000, &error), error);
    assert_int_equal(atomic_load(&failures), 0);
    assert_int_equal(atomic_load(&told[0]), 2);
}

static void a_handler_that_stays_in_a_call_is_left_alone(void **state)
{
    (void)state;
    conv_error error;
    atomic_store(&for_ever, true);
    pthread_mutex_lock(&held);
    start_calling_handler();
    assert_status(conv_client_close(client, 400, &error), CONV_TIMEOUT, error);
    assert_string_equal(error.message, "1 call was still under way after a handler's half of 400 "
                                       "ms; each still tells its caller whether it was saved");
    assert_int_equal(atomic_load(&released), 0);
    pthread_mutex_unlock(&held);
    while (atomic_load(&released) == 0)
        usleep(1000);
}

static int setup(void **state)
{
    conv_error error;
    if (contract_client_setup(state) != 0) return -1;
    atomic_store(&last_round, false);
    atomic_store(&until_shut, false);
    atomic_store(&for_ever, false);
    atomic_store(&inside, 0);
    atomic_store(&failures, 0);
    atomic_store(&subscribed, 0);
    atomic_store(&released, 0);
    atomic_store(&saved, 0);
    for (int i = 0; i < DELIVERIES; i++)
        atomic_store(&told[i], 0);
    assert_ok(conv_provider_callback("waiting", answer, NULL, &provider, &error), error);
    conv_client_params params = contract_client_params();
    params.provider = provider;
    client = contract_client_open(&params);
    return 0;
}

static int teardown(void **state)
{
    conv_provider_free(provider);
    return contract_client_teardown(state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(sixteen_threads_go_on_while_the_client_is_closed),
        TEST(a_handler_may_call_while_the_client_is_closed),
        TEST(a_handler_that_blocks_takes_no_record_with_it),
        TEST(a_handler_within_a_call_has_half_of_the_time),
        TEST(a_handler_that_stays_in_a_call_is_left_alone),
    };
    return RUN_TESTS("events closing", tests);
}
