/* A flush of more records than one transaction takes, with a journal, while the store is away. */
#include "support/test.h"

#include <stdatomic.h>
#include <stdio.h>

#include "core/time.h"
#include "saving/tracker.h"
#include "support/saving_fixture.h"

/* Two batches, and time that ends before the disk's own does. */
enum { RECORDS = 1500, BATCHES = 2, FLUSH_MS = 400, TRIES = 20 };

static conv__journal_functions functions;
static int64_t deadlines[BATCHES];
static atomic_int writes;

/* Nothing is written: only when it would have to be is looked at. */
static conv_status note_deadline(conv__journal *journal, conv__journal_change *changes,
                                 size_t count, int64_t deadline_ns, conv_error *error)
{
    (void)journal;
    (void)changes;
    (void)count;
    (void)error;
    int number = atomic_fetch_add(&writes, 1);
    if (number < BATCHES) deadlines[number] = deadline_ns;
    return CONV_OK;
}

static void hook(conv__journal *journal)
{
    functions = *journal->functions;
    functions.apply = note_deadline;
    journal->functions = &functions;
}

static void finish_nothing(const void *prices, conv_usage *usage)
{
    (void)prices;
    (void)usage;
}

static conv__tracker *open_tracker(saving_fixture *test, conv__saving *saving)
{
    char spool[96];
    conv_error error;
    conv__tracker *tracker = NULL;
    snprintf(spool, sizeof spool, "%s/spool", test->folder);
    conv__tracker_params params = {.saving = saving,
                                   .spool = spool,
                                   .flush_records = 100 * RECORDS,
                                   .flush_interval_ms = 3600000,
                                   .buffer_bytes = 1 << 28,
                                   .store_timeout_ms = 5000,
                                   .flushers = BATCHES,
                                   .finish = finish_nothing};
    assert_ok(conv__tracker_create(&params, &tracker, &error), error);
    return tracker;
}

static void track_all(conv__tracker *tracker)
{
    conv_error error;
    for (int i = 0; i < RECORDS; i++) {
        conv_usage usage = CONV_USAGE_INIT;
        usage.log_id = conv_uuid_v7();
        usage.created_us = 1;
        assert_ok(conv__tracker_take(tracker, &usage, NULL, &error), error);
    }
}

/* One after the other they wait for the same disk; with a time of its own for each the flush would
 * outlive its deadline by as many. A slow machine has not read both before its deadline. */
static void all_batches_of_a_flush_have_one_time_for_the_disk(void **state)
{
    saving_fixture *test = *state;
    size_t pending = 99;
    bool spooled = true;
    test->on_journal = hook;
    conv__saving *saving = saving_open(test);
    conv__tracker *tracker = open_tracker(test, saving);
    mock_store_set_away(&test->mock, true);
    for (int tries = 0; tries < TRIES && atomic_load(&writes) < BATCHES; tries++) {
        track_all(tracker);
        atomic_store(&writes, 0);
        (void)!conv__tracker_flush(tracker, conv__deadline_in_ms(FLUSH_MS), &pending, NULL);
    }
    assert_true(atomic_load(&writes) >= BATCHES);
    assert_int_equal(deadlines[0], deadlines[1]);
    assert_int_equal(conv__tracker_close(tracker, conv__deadline_in_ms(5000), &spooled), 0);
    conv__saving_close(saving, 0, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SAVING(all_batches_of_a_flush_have_one_time_for_the_disk),
    };
    return RUN_TESTS("tracker journal", tests);
}
