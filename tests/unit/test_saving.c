/* The saving room with a real journal and a mocked store: what is kept while the store is away, and
 * how it gets there afterwards. */
#include "support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/time.h"
#include "support/saving_fixture.h"

static void what_the_store_misses_gets_there_by_itself(void **state)
{
    saving_fixture *test = *state;
    conv__saving *saving = saving_open(test);
    conv__exchange exchanges[3];
    mock_store_set_away(&test->mock, true);
    for (int i = 0; i < 3; i++) {
        bool journaled = false;
        exchanges[i] = saving_exchange(conv_uuid_v7());
        assert_int_equal(saving_save(saving, &exchanges[i], false, &journaled), CONV_OK);
        assert_true(journaled);
    }
    assert_int_equal(saving_count(saving).exchanges, 3);
    /* When it was accepted: the exchange itself is one of 1970. */
    assert_in_range(saving_count(saving).oldest_us, conv__now_us() - 60000000, conv__now_us());
    assert_true(conv__saving_is_away(saving, "test", NULL));
    mock_store_set_away(&test->mock, false);
    saving_wait_for_saved(test, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(conv_uuid_compare(test->mock.saved_ids[i], exchanges[i].exchange_id), 0);
    saving_wait_until_empty(saving);
    conv__saving_close(saving, 0, NULL, NULL);
}

static void what_waits_outlives_the_process(void **state)
{
    saving_fixture *test = *state;
    conv__journal_counts remaining;
    conv__saving *saving = saving_open(test);
    conv__exchange exchange = saving_exchange(conv_uuid_v7());
    mock_store_set_away(&test->mock, true);
    assert_int_equal(saving_save(saving, &exchange, false, NULL), CONV_OK);
    conv__saving_close(saving, conv__deadline_in_ms(50), &remaining, NULL);
    assert_int_equal(remaining.exchanges, 1);
    assert_int_equal(test->mock.saved_count, 0);
    mock_store_set_away(&test->mock, false);
    saving = saving_open(test);
    saving_wait_for_saved(test, 1);
    saving_wait_until_empty(saving);
    conv__saving_close(saving, conv__deadline_in_ms(1000), &remaining, NULL);
    assert_int_equal(remaining.exchanges, 0);
}

static void closing_drains(void **state)
{
    saving_fixture *test = *state;
    conv__journal_counts remaining;
    conv__saving *saving = saving_open(test);
    mock_store_set_away(&test->mock, true);
    for (int i = 0; i < 100; i++) {
        conv__exchange exchange = saving_exchange(conv_uuid_v7());
        assert_int_equal(saving_save(saving, &exchange, false, NULL), CONV_OK);
    }
    mock_store_set_away(&test->mock, false);
    conv__saving_close(saving, conv__deadline_in_ms(20000), &remaining, NULL);
    assert_int_equal(remaining.exchanges, 0);
    assert_int_equal(test->mock.saved_count, 100);
}

static void a_session_keeps_its_order(void **state)
{
    saving_fixture *test = *state;
    conv_uuid session = conv_uuid_v7();
    conv__exchange first = saving_exchange(session);
    conv__exchange second = saving_exchange(session);
    bool journaled = false;
    conv__saving *saving = saving_open(test);
    mock_store_set_away(&test->mock, true);
    assert_int_equal(saving_save(saving, &first, false, NULL), CONV_OK);
    mock_store_set_away(&test->mock, false);
    assert_int_equal(saving_save(saving, &second, false, &journaled), CONV_OK);
    saving_wait_for_saved(test, 2);
    assert_int_equal(conv_uuid_compare(test->mock.saved_ids[0], first.exchange_id), 0);
    assert_int_equal(conv_uuid_compare(test->mock.saved_ids[1], second.exchange_id), 0);
    conv__saving_close(saving, 0, NULL, NULL);
}

static void *bring_back(void *context)
{
    usleep(300000);
    mock_store_set_away(context, false);
    return NULL;
}

static void closing_waits_for_the_store(void **state)
{
    saving_fixture *test = *state;
    pthread_t thread;
    conv__journal_counts remaining;
    conv__saving *saving = saving_open(test);
    conv__exchange exchange = saving_exchange(conv_uuid_v7());
    mock_store_set_away(&test->mock, true);
    assert_int_equal(saving_save(saving, &exchange, false, NULL), CONV_OK);
    assert_int_equal(pthread_create(&thread, NULL, bring_back, &test->mock), 0);
    conv__saving_close(saving, conv__deadline_in_ms(20000), &remaining, NULL);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(remaining.exchanges, 0);
    assert_int_equal(test->mock.saved_count, 1);
}

static void what_waits_is_not_replaced_by_what_comes_later(void **state)
{
    saving_fixture *test = *state;
    conv_error error;
    conv__saving *saving = saving_open(test);
    conv__exchange first = saving_with_request(saving_exchange(conv_uuid_v7()), 1);
    conv__exchange same = saving_with_request(first, 1);
    conv__exchange other = saving_with_request(first, 2);
    bool journaled = false;
    mock_store_set_away(&test->mock, true);
    assert_int_equal(saving_save(saving, &first, false, NULL), CONV_OK);
    assert_int_equal(saving_save(saving, &same, false, &journaled), CONV_OK);
    assert_true(journaled);
    assert_int_equal(saving_save(saving, &other, false, NULL), CONV_CONFLICT);
    assert_ok(conv__saving_note(saving, &other, conv__deadline_in_ms(5000), &error), error);
    assert_int_equal(saving_count(saving).exchanges, 1);
    assert_int_equal(saving_count(saving).turns, 0);
    mock_store_set_away(&test->mock, false);
    saving_wait_for_saved(test, 1);
    saving_wait_until_empty(saving);
    assert_int_equal(
        conv_uuid_compare(test->mock.last.usage.usage.log_id, first.usage.usage.log_id), 0);
    conv__saving_close(saving, conv__deadline_in_ms(5000), NULL, NULL);
    assert_int_equal(test->mock.saved_count, 1);
}

static void a_failed_turn_that_waits_is_replaced_by_its_repetition(void **state)
{
    saving_fixture *test = *state;
    conv__saving *saving = saving_open(test);
    conv__exchange answered = saving_answer_after_failure(test, saving);
    assert_int_equal(saving_count(saving).exchanges, 1);
    mock_store_set_away(&test->mock, false);
    saving_wait_for_saved(test, 1);
    saving_wait_until_empty(saving);
    assert_int_equal(
        conv_uuid_compare(test->mock.last.usage.usage.log_id, answered.usage.usage.log_id), 0);
    conv__saving_close(saving, 0, NULL, NULL);
}

/* Its answers, and how often it was asked. */
typedef struct proof {
    atomic_int asked;
    atomic_bool there;
} proof;

static conv_status prove(void *context, conv_error *error)
{
    proof *self = context;
    atomic_fetch_add(&self->asked, 1);
    if (atomic_load(&self->there)) return CONV_OK;
    return conv__fail(error, CONV_UNAVAILABLE, "connect", "nobody is there");
}

static void an_unseen_store_is_not_used_before_it_was_seen(void **state)
{
    saving_fixture *test = *state;
    proof seen = {0};
    bool journaled = false;
    conv_error error = CONV_ERROR_INIT;
    conv__saving *saving =
        saving_open_with(test, (conv__saving_params){.prove = prove, .prove_context = &seen});
    conv__exchange exchange = saving_exchange(conv_uuid_v7());
    assert_int_equal(saving_save(saving, &exchange, false, &journaled), CONV_OK);
    assert_true(journaled);
    while (atomic_load(&seen.asked) < 3)
        usleep(1000);
    assert_int_equal(test->mock.writes, 0);
    assert_true(conv__saving_is_away(saving, "test", &error));
    assert_string_equal(error.message, "the store is away: nobody is there");
    atomic_store(&seen.there, true);
    saving_wait_for_saved(test, 1);
    saving_wait_until_empty(saving);
    assert_false(conv__saving_is_away(saving, "test", NULL));
    conv__saving_close(saving, 0, NULL, NULL);
}

static void what_a_closing_client_never_saw_stays_in_the_journal(void **state)
{
    saving_fixture *test = *state;
    proof seen = {0};
    conv__journal_counts remaining;
    conv__saving *saving =
        saving_open_with(test, (conv__saving_params){.prove = prove, .prove_context = &seen});
    conv__exchange exchange = saving_exchange(conv_uuid_v7());
    assert_int_equal(saving_save(saving, &exchange, false, NULL), CONV_OK);
    conv__saving_close(saving, conv__deadline_in_ms(50), &remaining, NULL);
    assert_int_equal(remaining.exchanges, 1);
    assert_int_equal(test->mock.writes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SAVING(what_the_store_misses_gets_there_by_itself),
        WITH_SAVING(what_waits_outlives_the_process),
        WITH_SAVING(closing_drains),
        WITH_SAVING(a_session_keeps_its_order),
        WITH_SAVING(closing_waits_for_the_store),
        WITH_SAVING(what_waits_is_not_replaced_by_what_comes_later),
        WITH_SAVING(a_failed_turn_that_waits_is_replaced_by_its_repetition),
        WITH_SAVING(an_unseen_store_is_not_used_before_it_was_seen),
        WITH_SAVING(what_a_closing_client_never_saw_stays_in_the_journal),
    };
    return RUN_TESTS("saving", tests);
}
