/* The circuit breaker: who may ask a store that was away, and what the others do meanwhile. */
#include "support/test.h"

#include <unistd.h>

#include "core/time.h"
#include "saving/saving_internal.h"
#include "saving/tracker.h"
#include "support/failing_memory.h"
#include "support/saving_fixture.h"

/* The pause after a first failure is 100 ms; whoever asks then is the one that tries. */
static bool one_may_try(conv__saving *saving)
{
    for (int i = 0; i < 2000; i++) {
        if (conv__saving_may_try(saving, "test", NULL)) return true;
        usleep(5000);
    }
    return false;
}

static void one_alone_tries_a_store_that_was_away(void **state)
{
    saving_fixture *test = *state;
    conv_error away = mock_error(CONV_UNAVAILABLE, CONV_RECOVERY_WAIT, "");
    conv__saving *saving = saving_open(test);
    assert_true(conv__saving_may_try(saving, "test", NULL));
    assert_true(conv__saving_may_try(saving, "test", NULL));
    conv__saving_store_away(saving, &away);
    assert_true(one_may_try(saving));
    assert_true(conv__saving_is_away(saving, "test", NULL));
    assert_false(conv__saving_may_try(saving, "test", NULL));
    conv__saving_store_away(saving, &away); /* it was, still */
    assert_true(conv__saving_is_away(saving, "test", NULL));
    assert_true(one_may_try(saving));
    conv__saving_store_back(saving);
    assert_false(conv__saving_is_away(saving, "test", NULL));
    assert_true(conv__saving_may_try(saving, "test", NULL));
    assert_true(conv__saving_may_try(saving, "test", NULL));
    conv__saving_close(saving, 0, NULL, NULL);
}

static void a_caller_that_is_answered_opens_the_store_to_all(void **state)
{
    saving_fixture *test = *state;
    conv_error away = mock_error(CONV_UNAVAILABLE, CONV_RECOVERY_WAIT, "");
    conv__saving *saving = saving_open(test);
    conv__saving_store_away(saving, &away);
    bool journaled = true;
    for (int i = 0; i < 2000 && journaled; i++) {
        conv__exchange exchange = saving_exchange(conv_uuid_v7());
        assert_int_equal(saving_save(saving, &exchange, false, &journaled), CONV_OK);
        usleep(5000);
    }
    assert_false(journaled);
    assert_false(conv__saving_is_away(saving, "test", NULL));
    conv__saving_close(saving, conv__deadline_in_ms(20000), NULL, NULL);
}

/* The first is the one that tries; the second must not stand in the journal before it. */
static void two_of_a_session_keep_their_order_when_the_first_tries(void **state)
{
    saving_fixture *test = *state;
    conv_error away = mock_error(CONV_UNAVAILABLE, CONV_RECOVERY_WAIT, "");
    conv__saving *saving = saving_open(test);
    conv__exchange exchanges[2];
    conv__save saves[2];
    conv__save *both[] = {&saves[0], &saves[1]};
    exchanges[0] = saving_exchange(conv_uuid_v7());
    exchanges[1] = saving_exchange(exchanges[0].session.session_id);
    mock_store_set_away(&test->mock, true);
    conv__saving_store_away(saving, &away);
    while (conv__saving_is_away(saving, "test", NULL))
        usleep(1000);
    for (int i = 0; i < 2; i++)
        saves[i] = (conv__save){
            .exchange = &exchanges[i], .in_order = true, .deadline_ns = conv__deadline_in_ms(5000)};
    conv__saving_save_many(saving, both, 2, true);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(saves[i].status, CONV_OK);
        assert_true(saves[i].journaled);
    }
    mock_store_set_away(&test->mock, false);
    saving_wait_for_saved(test, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(conv_uuid_compare(test->mock.saved_ids[i], exchanges[i].exchange_id), 0);
    conv__saving_close(saving, conv__deadline_in_ms(20000), NULL, NULL);
}

/* A store that takes nothing in time but small batches. */
static void a_slow_store_is_drained_in_small_batches(void **state)
{
    saving_fixture *test = *state;
    conv__saving *saving = saving_open(test);
    mock_store_set_away(&test->mock, true);
    for (int i = 0; i < 20; i++) {
        conv__exchange exchange = saving_exchange(conv_uuid_v7());
        assert_int_equal(saving_save(saving, &exchange, false, NULL), CONV_OK);
    }
    mock_store_set_most(&test->mock, 3);
    mock_store_set_away(&test->mock, false);
    saving_wait_for_saved(test, 20);
    saving_wait_until_empty(saving);
    conv__saving_close(saving, conv__deadline_in_ms(20000), NULL, NULL);
}

/* The time to try the store again comes, but it is not the store that fails. */
static void closing_without_memory_waits_between_its_tries(void **state)
{
    saving_fixture *test = *state;
    conv_error away = mock_error(CONV_UNAVAILABLE, CONV_RECOVERY_WAIT, "");
    conv__saving *saving = saving_open(test);
    conv__exchange exchange = saving_exchange(conv_uuid_v7());
    bool journaled = false;
    mock_store_set_away(&test->mock, true);
    conv__saving_store_away(saving, &away);
    assert_int_equal(saving_save(saving, &exchange, false, &journaled), CONV_OK);
    assert_true(journaled);
    failing_memory_start(1, true);
    conv__saving_close(saving, conv__deadline_in_ms(500), NULL, NULL);
    size_t asked = failing_memory_asked();
    failing_memory_stop();
    assert_in_range(asked, 1, 200);
}

/* The one that may try finds no memory for it: that says nothing about the store. */
static void no_memory_is_no_answer_of_the_store(void **state)
{
    saving_fixture *test = *state;
    conv_error away = mock_error(CONV_UNAVAILABLE, CONV_RECOVERY_WAIT, "");
    conv__saving *saving = saving_open(test);
    conv__exchange exchange = saving_exchange(conv_uuid_v7());
    conv__saving_store_away(saving, &away);
    while (conv__saving_is_away(saving, "test", NULL))
        usleep(1000);
    failing_memory_start(1, true);
    conv_status status = saving_save(saving, &exchange, false, NULL);
    failing_memory_stop();
    assert_int_equal(status, CONV_NO_MEMORY);
    pthread_mutex_lock(&saving->lock);
    bool still_away = saving->away;
    pthread_mutex_unlock(&saving->lock);
    assert_true(still_away);
    assert_true(one_may_try(saving));
    conv__saving_close(saving, conv__deadline_in_ms(20000), NULL, NULL);
}

static void finish_nothing(const void *prices, conv_usage *usage)
{
    (void)prices;
    (void)usage;
}

/* Tracks one record and flushes it: into the journal, while the store is away. */
static void track_one(saving_fixture *test, conv__saving *saving)
{
    char spool[96];
    bool spooled = true;
    conv_error error;
    conv__tracker *tracker = NULL;
    conv_usage usage = CONV_USAGE_INIT;
    snprintf(spool, sizeof spool, "%s/spool", test->folder);
    conv__tracker_params params = {.saving = saving,
                                   .spool = spool,
                                   .flush_records = 10,
                                   .flush_interval_ms = 3600000,
                                   .buffer_bytes = 1 << 20,
                                   .store_timeout_ms = 5000,
                                   .flushers = 1,
                                   .finish = finish_nothing};
    usage.log_id = conv_uuid_v7();
    usage.created_us = 1;
    assert_ok(conv__tracker_create(&params, &tracker, &error), error);
    assert_ok(conv__tracker_take(tracker, &usage, NULL, &error), error);
    assert_int_equal(conv__tracker_close(tracker, conv__deadline_in_ms(5000), &spooled), 0);
    assert_int_equal(saving_count(saving).usage, 1);
}

/* A record that goes past a store known to be away has not tried it: else each would put the next
 * try off, and tell the breaker's own words as the reason. */
static void what_the_breaker_keeps_away_is_no_failure_of_the_store(void **state)
{
    saving_fixture *test = *state;
    conv_error away = mock_error(CONV_UNAVAILABLE, CONV_RECOVERY_WAIT, "");
    conv_error cause = CONV_ERROR_INIT;
    conv__saving *saving = saving_open(test);
    conv__saving_store_away(saving, &away);
    assert_true(one_may_try(saving));
    track_one(test, saving);
    pthread_mutex_lock(&saving->lock);
    int failures = saving->failures;
    bool trying = saving->trying;
    pthread_mutex_unlock(&saving->lock);
    assert_int_equal(failures, 1);
    assert_true(trying);
    conv__saving_cause(saving, &cause);
    assert_string_equal(cause.message, away.message);
    conv__saving_close(saving, 0, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SAVING(one_alone_tries_a_store_that_was_away),
        WITH_SAVING(a_caller_that_is_answered_opens_the_store_to_all),
        WITH_SAVING(two_of_a_session_keep_their_order_when_the_first_tries),
        WITH_SAVING(a_slow_store_is_drained_in_small_batches),
        WITH_SAVING(closing_without_memory_waits_between_its_tries),
        WITH_SAVING(no_memory_is_no_answer_of_the_store),
        WITH_SAVING(what_the_breaker_keeps_away_is_no_failure_of_the_store),
    };
    return RUN_TESTS("saving breaker", tests);
}
