/* The tracker without a journal: what one record meets is no matter of the others, and a flush
 * keeps to its time whatever another one waits for. */
#include "support/test.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "core/memory.h"
#include "core/thread.h"
#include "core/time.h"
#include "saving/tracker.h"
#include "support/gate.h"
#include "support/mock_store.h"

/* More than any test tracks: nothing is flushed but on demand. */
enum { FLUSH_RECORDS = 100000, RECORDS = 20, POISON = 7, PLENTY_MS = 30000 };

static mock_store mock;
static conv__bus *bus; /* of one test */
static conv__saving *saving;
static conv__tracker *tracker;
static conv_uuid ids[RECORDS];
static conv_error refusal;

static void finish(const void *prices, conv_usage *usage)
{
    (void)prices;
    (void)usage;
}

static int setup(void **state)
{
    conv_error error;
    conv__saving_params params = {.bus = bus,
                                  .writer = {.store = &mock.store,
                                             .leaders = 1,
                                             .batch_exchanges = 8,
                                             .batch_bytes = 1 << 20,
                                             .queue_exchanges = 8},
                                  .store_timeout_ms = PLENTY_MS};
    (void)state;
    mock_store_init(&mock);
    assert_ok(conv__saving_create(&params, &saving, &error), error);
    conv__tracker_params wanted = {.saving = saving,
                                   .flush_records = bus != NULL ? 1 : FLUSH_RECORDS,
                                   .flush_interval_ms = 3600000,
                                   .buffer_bytes = 1 << 20,
                                   .store_timeout_ms = PLENTY_MS,
                                   .flushers = 1,
                                   .finish = finish};
    assert_ok(conv__tracker_create(&wanted, &tracker, &error), error);
    return 0;
}

/* Gives how many records are gone. */
static size_t close_tracker(void)
{
    bool spooled = true;
    size_t gone = conv__tracker_close(tracker, conv__deadline_in_ms(PLENTY_MS), &spooled);
    assert_false(spooled);
    tracker = NULL;
    return gone;
}

static int teardown(void **state)
{
    (void)state;
    if (tracker != NULL) (void)close_tracker();
    conv__saving_close(saving, 0, NULL, NULL);
    return 0;
}

static void track_one(conv_uuid id)
{
    conv_error error;
    conv_usage usage = CONV_USAGE_INIT;
    usage.log_id = id;
    usage.created_us = 1;
    assert_ok(conv__tracker_take(tracker, &usage, NULL, &error), error);
}

static void track_all(void)
{
    for (size_t i = 0; i < RECORDS; i++) {
        ids[i] = conv_uuid_v7();
        track_one(ids[i]);
    }
}

static conv_status flush(size_t *pending, conv_error *error)
{
    return conv__tracker_flush(tracker, conv__deadline_in_ms(PLENTY_MS), pending, error);
}

static void assert_saved_once(conv_uuid id)
{
    int found = 0;
    for (size_t i = 0; i < mock.saved_count; i++)
        if (conv_uuid_compare(mock.saved_ids[i], id) == 0) found++;
    assert_int_equal(found, 1);
}

static void poison(conv_status status, conv_recovery recovery, const char *sqlstate)
{
    refusal = mock_error(status, recovery, sqlstate);
    mock_store_set_poison(&mock, ids[POISON], refusal);
}

static void a_record_refused_for_good_is_told_once_and_holds_up_nobody(void **state)
{
    (void)state;
    size_t pending = 99;
    conv_error error;
    track_all();
    poison(CONV_BAD_DATA, CONV_RECOVERY_REJECT, "22023");
    assert_status(flush(&pending, &error), CONV_BAD_DATA, error);
    assert_int_equal(error.recovery, CONV_RECOVERY_REJECT);
    assert_string_equal(error.sqlstate, "22023");
    assert_int_equal(pending, 0);
    for (size_t i = 0; i < RECORDS; i++)
        if (i != POISON) assert_saved_once(ids[i]);
    track_one(conv_uuid_v7());
    assert_ok(flush(&pending, &error), error);
    assert_int_equal(pending, 0);
    assert_int_equal(mock_store_saved(&mock), RECORDS);
    assert_int_equal(close_tracker(), 0);
}

static void closing_counts_a_refused_record_that_nobody_was_told_of(void **state)
{
    (void)state;
    track_all();
    poison(CONV_BAD_DATA, CONV_RECOVERY_REJECT, "22023");
    assert_int_equal(close_tracker(), 1);
    assert_int_equal(mock_store_saved(&mock), RECORDS - 1);
}

static void what_a_person_must_mend_waits_alone(void **state)
{
    (void)state;
    size_t pending = 0;
    conv_error error;
    track_all();
    poison(CONV_PERMISSION, CONV_RECOVERY_OPERATOR, "42501");
    for (size_t round = 0; round < 3; round++) {
        assert_status(flush(&pending, &error), CONV_PERMISSION, error);
        assert_int_equal(error.recovery, CONV_RECOVERY_OPERATOR);
        assert_int_equal(pending, 1);
        assert_int_equal(conv__tracker_buffered(tracker), 1);
        assert_int_equal(mock_store_saved(&mock), RECORDS - 1 + round);
        track_one(conv_uuid_v7());
    }
    mock_store_set_poison(&mock, (conv_uuid){{0}}, (conv_error)CONV_ERROR_INIT);
    assert_ok(flush(&pending, &error), error);
    assert_int_equal(pending, 0);
    assert_int_equal(mock_store_saved(&mock), RECORDS + 3);
    for (size_t i = 0; i < RECORDS; i++)
        assert_saved_once(ids[i]);
    assert_int_equal(close_tracker(), 0);
}

static void closing_counts_what_still_waits(void **state)
{
    (void)state;
    track_all();
    poison(CONV_PERMISSION, CONV_RECOVERY_OPERATOR, "42501");
    assert_int_equal(close_tracker(), 1);
    assert_int_equal(mock_store_saved(&mock), RECORDS - 1);
}

/* What is held takes its part of the buffer, which stays bounded. */
static void held_records_fill_the_buffer(void **state)
{
    (void)state;
    static char text[(1 << 20) - 4096];
    size_t pending = 0;
    conv_error error;
    conv_usage usage = CONV_USAGE_INIT;
    memset(text, 'x', sizeof text);
    usage.log_id = ids[POISON] = conv_uuid_v7();
    usage.error = conv_view(text, sizeof text);
    poison(CONV_PERMISSION, CONV_RECOVERY_OPERATOR, "42501");
    assert_ok(conv__tracker_take(tracker, &usage, NULL, &error), error);
    assert_status(flush(&pending, &error), CONV_PERMISSION, error);
    usage.log_id = conv_uuid_v7();
    assert_status(conv__tracker_take(tracker, &usage, NULL, &error), CONV_LIMIT, error);
    track_one(usage.log_id);
    assert_status(flush(&pending, &error), CONV_PERMISSION, error);
    assert_saved_once(usage.log_id);
}

/* After its first commits the store goes away: what they brought is pending no more. */
static void pending_counts_only_what_is_not_stored(void **state)
{
    (void)state;
    size_t pending = 0;
    conv_error error;
    for (size_t i = 0; i < 1500; i++)
        track_one(conv_uuid_v7());
    for (size_t i = 1; i < MOCK_STORE_COMMITS; i++)
        mock.commit_errors[i] = mock_error(CONV_UNAVAILABLE, CONV_RECOVERY_WAIT, "");
    assert_status(flush(&pending, &error), CONV_UNAVAILABLE, error);
    assert_int_equal(mock_store_saved(&mock), 1000);
    assert_int_equal(pending, 500);
    /* The tracker's thread tries again by itself. */
    pthread_mutex_lock(&mock.lock);
    memset(mock.commit_errors, 0, sizeof mock.commit_errors);
    pthread_mutex_unlock(&mock.lock);
    assert_ok(flush(&pending, &error), error);
    assert_int_equal(pending, 0);
    assert_int_equal(mock_store_saved(&mock), 1500);
}

static void *flush_at_gate(void *status)
{
    *(conv_status *)status = flush(NULL, NULL);
    return NULL;
}

static void a_flush_keeps_to_its_time_while_another_one_hangs(void **state)
{
    (void)state;
    gate hang = GATE_INIT;
    pthread_t thread;
    conv_status status = CONV_INTERNAL;
    size_t pending = 0;
    conv_error error;
    mock.on_commit = gate_pass;
    mock.commit_context = &hang;
    track_all();
    assert_int_equal(pthread_create(&thread, NULL, flush_at_gate, &status), 0);
    gate_await(&hang);
    /* The other one goes on only when this one has returned. */
    assert_status(conv__tracker_flush(tracker, conv__deadline_in_ms(50), &pending, &error),
                  CONV_TIMEOUT, error);
    assert_int_equal(pending, RECORDS);
    assert_int_equal(status, CONV_INTERNAL);
    gate_open(&hang);
    pthread_join(thread, NULL);
    assert_int_equal(status, CONV_OK);
    assert_ok(flush(&pending, &error), error);
    assert_int_equal(pending, 0);
}

static conv_status stand(void *context, const conv_event *event)
{
    (void)event;
    gate_pass(context);
    return CONV_OK;
}

static int setup_with_bus(void **state)
{
    bus = conv__bus_create();
    return bus == NULL ? -1 : setup(state);
}

static int teardown_with_bus(void **state)
{
    int result = teardown(state);
    (void)conv__bus_close(bus, conv__deadline_in_ms(PLENTY_MS));
    bus = NULL;
    return result;
}

/* The tracker's thread would wait for the handler for hours; it does so only while there is room
 * for more records. */
static void a_handler_that_stands_keeps_no_record_out(void **state)
{
    (void)state;
    enum { LARGE = 60000, MANY = 100, HOURS_MS = 36000000 }; /* six times what the buffer holds */
    static char text[LARGE];
    static gate held = GATE_INIT; /* the last events pass it until the bus is closed */
    uint64_t number = 0;
    conv_error error;
    conv_subscription_counts counts;
    conv_usage usage = CONV_USAGE_INIT;
    conv__subscriber subscriber = {.params = {.size = sizeof(conv_subscription_params),
                                              .kinds = CONV_EVENT_SET(CONV_EVENT_USAGE_RECORDED),
                                              .queue_events = 1,
                                              .wait_ms = HOURS_MS,
                                              .handler = stand,
                                              .context = &held}};
    assert_ok(conv__bus_subscribe(bus, &subscriber, &number, &error), error);
    memset(text, 'x', sizeof text);
    usage.error = conv_view(text, sizeof text);
    usage.created_us = 1;
    for (int i = 0; i < MANY; i++) {
        conv_status status = CONV_LIMIT;
        usage.log_id = conv_uuid_v7();
        for (int tries = 0; tries < 5000 && status == CONV_LIMIT; tries++) {
            status = conv__tracker_take(tracker, &usage, NULL, &error);
            if (status == CONV_LIMIT) usleep(2000);
        }
        assert_ok(status, error);
    }
    gate_open(&held);
    assert_int_equal(close_tracker(), 0);
    assert_int_equal(mock_store_saved(&mock), MANY);
    assert_ok(conv__bus_count_one(bus, number, &counts, &error), error);
    assert_int_equal(counts.delivered + counts.waiting, MANY);
}

#define WITH_TRACKER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TRACKER(a_record_refused_for_good_is_told_once_and_holds_up_nobody),
        WITH_TRACKER(closing_counts_a_refused_record_that_nobody_was_told_of),
        WITH_TRACKER(what_a_person_must_mend_waits_alone),
        WITH_TRACKER(closing_counts_what_still_waits),
        WITH_TRACKER(held_records_fill_the_buffer),
        WITH_TRACKER(pending_counts_only_what_is_not_stored),
        WITH_TRACKER(a_flush_keeps_to_its_time_while_another_one_hangs),
        cmocka_unit_test_setup_teardown(a_handler_that_stands_keeps_no_record_out, setup_with_bus,
                                        teardown_with_bus),
    };
    return RUN_TESTS("tracker", tests);
}
