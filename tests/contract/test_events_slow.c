/* A handler that is slower than the events, yet never so slow that its subscription gives it up, on
 * either store: it slows down neither flushes nor the journal, changes no answer, and keeps nobody
 * from closing. */
#include "support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/event_counts.h"
#include "support/gate.h"
#include "support/store.h"

#define TAKE_AWAY  "ALTER TABLE chat_exchanges RENAME TO away"
#define BRING_BACK "ALTER TABLE away RENAME TO chat_exchanges"

/* Room comes after nine tenths of the time that is waited for it. Of all events a few are handled
 * in one such time, and FEW is far more; who waited for each would have seen nearly all handled. */
enum { WAIT_MS = 500, HANDLER_US = 450000, EVENTS = 60, FEW = 20, PLENTY_MS = 120000 };

static conv_client *client;
static atomic_int entered;
static atomic_int released;
static atomic_bool quick;

static conv_status dawdle(void *context, const conv_event *event)
{
    (void)context;
    (void)event;
    atomic_fetch_add(&entered, 1);
    if (!atomic_load(&quick)) usleep(HANDLER_US);
    return CONV_OK;
}

static conv_status stand_at_gate(void *context, const conv_event *event)
{
    (void)event;
    gate_pass(context);
    return CONV_OK;
}

static void let_go(void *context)
{
    (void)context;
    atomic_fetch_add(&released, 1);
}

static uint64_t subscribe(conv_event_kind kind, conv_delivery delivery, conv_event_handler handler,
                          int64_t wait_ms, void *context)
{
    conv_error error;
    uint64_t number = 0;
    conv_subscription_params params = CONV_SUBSCRIPTION_PARAMS_INIT;
    params.kinds = CONV_EVENT_SET(kind);
    params.delivery = delivery;
    params.queue_events = 1;
    params.wait_ms = wait_ms;
    params.handler = handler;
    params.context = context;
    params.on_release = let_go;
    assert_ok(conv_event_subscribe(client, &params, &number, &error), error);
    return number;
}

static void track(int count)
{
    conv_error error;
    conv_usage usage = CONV_USAGE_INIT;
    for (int i = 0; i < count; i++)
        assert_ok(conv_track_usage(client, &usage, &error), error);
}

static void open_client(bool with_journal)
{
    conv_client_params params = contract_client_params();
    params.tracker_records = 100000; /* nothing is flushed but on demand */
    params.tracker_interval_ms = 3600000;
    if (with_journal) params.journal = contract_client_journal();
    client = contract_client_open(&params);
    atomic_store(&entered, 0);
    atomic_store(&released, 0);
    atomic_store(&quick, false);
}

static const conv_delivery waited_for[] = {CONV_DELIVERY_SYNCHRONOUS, CONV_DELIVERY_WAIT};

/* All its events together are waited for once. What WAIT then gives up is counted. */
static void a_flush_waits_once_for_a_slow_handler(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        conv_error error;
        size_t pending = 99;
        open_client(false);
        uint64_t number =
            subscribe(CONV_EVENT_USAGE_RECORDED, waited_for[i], dawdle, WAIT_MS, NULL);
        track(EVENTS);
        assert_ok(conv_track_flush(client, PLENTY_MS, &pending, &error), error);
        assert_int_equal(pending, 0);
        conv_subscription_counts counts = event_counts(client, number);
        assert_in_range(atomic_load(&entered), 0, FEW);
        assert_int_equal(counts.delivered + counts.dropped + counts.waiting, EVENTS);
        if (waited_for[i] == CONV_DELIVERY_SYNCHRONOUS) assert_int_equal(counts.dropped, 0);
        atomic_store(&quick, true);
        event_await(&entered, EVENTS - (int)counts.dropped);
        contract_client_close(&client);
    }
}

typedef struct flusher {
    pthread_t thread;
    atomic_bool ended;
    conv_status status;
    size_t pending;
} flusher;

static void *flush(void *context)
{
    flusher *self = context;
    self->status = conv_track_flush(client, PLENTY_MS, &self->pending, NULL);
    atomic_store(&self->ended, true);
    return NULL;
}

/* Three records are flushed on another thread, which then waits for a handler that stands at its
 * gate: the first event is in it, the second in its queue, the third with the thread. */
static void flush_up_to_the_gate(flusher *self, uint64_t number)
{
    *self = (flusher){.status = CONV_INTERNAL, .pending = 99};
    track(3);
    assert_int_equal(pthread_create(&self->thread, NULL, flush, self), 0);
    for (int i = 0; i < 4000 && event_counts(client, number).waiting < 2; i++)
        usleep(5000);
    assert_int_equal(event_counts(client, number).waiting, 2);
}

static void while_one_waits_for_a_handler_others_flush_and_erase(void **state)
{
    (void)state;
    conv_error error;
    size_t pending = 99;
    gate held = GATE_INIT;
    flusher other;
    open_client(false);
    uint64_t number = subscribe(CONV_EVENT_USAGE_RECORDED, CONV_DELIVERY_SYNCHRONOUS, stand_at_gate,
                                PLENTY_MS, &held);
    flush_up_to_the_gate(&other, number);
    assert_status(conv_user_erase(client, "nobody", NULL, &error), CONV_NOT_FOUND, error);
    track(1);
    assert_ok(conv_track_flush(client, 2000, &pending, &error), error);
    assert_int_equal(pending, 0);
    assert_false(atomic_load(&other.ended));
    gate_open(&held);
    pthread_join(other.thread, NULL);
    assert_int_equal(other.status, CONV_OK);
    assert_int_equal(other.pending, 0);
    assert_int_equal(event_counts(client, number).dropped, 0);
    contract_client_close(&client);
}

/* What is still waited for goes into the queue then, so that nothing is lost but by the deadline.
 */
static void closing_ends_the_waiting_of_others(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        conv_error error;
        gate held = GATE_INIT;
        flusher other;
        open_client(false);
        uint64_t number =
            subscribe(CONV_EVENT_USAGE_RECORDED, waited_for[i], stand_at_gate, PLENTY_MS, &held);
        flush_up_to_the_gate(&other, number);
        conv_client *closing = client;
        client = NULL;
        assert_status(conv_client_close(closing, 500, &error), CONV_TIMEOUT, error);
        assert_string_equal(error.message,
                            "3 events did not reach their handlers in time; all that "
                            "was accepted is saved");
        pthread_join(other.thread, NULL);
        assert_int_equal(other.status, CONV_OK);
        assert_int_equal(atomic_load(&released), 0);
        gate_open(&held);
        event_await(&released, 1);
    }
}

static void closing_says_how_many_events_a_slow_handler_did_not_get(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        conv_error error;
        int left = 0;
        open_client(false);
        (void)subscribe(CONV_EVENT_USAGE_RECORDED, waited_for[i], dawdle, WAIT_MS, NULL);
        track(EVENTS);
        conv_client *closing = client;
        client = NULL;
        assert_status(conv_client_close(closing, 1000, &error), CONV_TIMEOUT, error);
        assert_int_equal(sscanf(error.message, "%d events did not reach", &left), 1);
        event_await(&released, 1);
        assert_in_range(atomic_load(&entered), 0, FEW);
        /* The one under way was begun, and had not come to its end. */
        assert_in_range(atomic_load(&entered) + left, EVENTS, EVENTS + 1);
    }
}

static void a_deletion_waits_once_for_all_its_documents(void **state)
{
    (void)state;
    conv_error error;
    conv_document_params document = CONV_DOCUMENT_PARAMS_INIT;
    open_client(false);
    uint64_t number =
        subscribe(CONV_EVENT_DOCUMENT_DELETED, CONV_DELIVERY_WAIT, dawdle, WAIT_MS, NULL);
    document.session_id = "s-1";
    for (int i = 0; i < EVENTS; i++)
        assert_ok(conv_document_register(client, &document, NULL, &error), error);
    assert_ok(conv_session_delete(client, "s-1", NULL, &error), error);
    conv_subscription_counts counts = event_counts(client, number);
    assert_in_range(atomic_load(&entered), 0, FEW);
    assert_int_equal(counts.delivered + counts.dropped + counts.waiting, EVENTS);
    contract_client_close(&client);
}

static void await_empty_journal(void)
{
    conv_error error;
    conv_journal_counts counts = {.exchanges = 1};
    for (int i = 0; i < 4000 && counts.exchanges > 0; i++) {
        usleep(5000);
        assert_ok(conv_client_journal_count(client, &counts, &error), error);
    }
    assert_int_equal(counts.exchanges, 0);
}

/* In several batches. */
static void what_waits_in_the_journal_waits_for_no_handler(void **state)
{
    (void)state;
    enum { JOURNALED = 200 };
    conv_error error;
    conv_exchange exchanges[JOURNALED];
    conv_exchange_result results[JOURNALED];
    conv_message messages[2] = {{.role = CONV_ROLE_USER, .content = conv_text("hello")},
                                {.role = CONV_ROLE_ASSISTANT, .content = conv_text("yes")}};
    for (int i = 0; i < JOURNALED; i++) {
        exchanges[i] = (conv_exchange)CONV_EXCHANGE_INIT;
        exchanges[i].messages = messages;
        exchanges[i].message_count = 2;
    }
    open_client(true);
    uint64_t number =
        subscribe(CONV_EVENT_EXCHANGE_RECOVERED, CONV_DELIVERY_SYNCHRONOUS, dawdle, WAIT_MS, NULL);
    contract_execute(TAKE_AWAY);
    assert_ok(conv_save_exchanges(client, exchanges, JOURNALED, results, &error), error);
    contract_execute(BRING_BACK);
    await_empty_journal();
    assert_in_range(atomic_load(&entered), 0, JOURNALED / 4);
    atomic_store(&quick, true);
    event_await(&entered, JOURNALED);
    assert_int_equal(event_counts(client, number).dropped, 0);
    contract_client_close(&client);
}

/* A test that failed has left its client. */
static int teardown(void **state)
{
    atomic_store(&quick, true);
    (void)conv_client_close(client, 1000, NULL);
    client = NULL;
    return contract_client_teardown(state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, contract_client_setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_flush_waits_once_for_a_slow_handler),
        TEST(while_one_waits_for_a_handler_others_flush_and_erase),
        TEST(closing_ends_the_waiting_of_others),
        TEST(closing_says_how_many_events_a_slow_handler_did_not_get),
        TEST(a_deletion_waits_once_for_all_its_documents),
        TEST(what_waits_in_the_journal_waits_for_no_handler),
    };
    return RUN_TESTS("events slow", tests);
}
