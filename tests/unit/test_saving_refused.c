/* What a store refuses, and what a person must mend first: neither is lost, and neither holds up
 * others. */
#include "support/test.h"

#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/time.h"
#include "repositories/sqlite/journal.h"
#include "saving/record.h"
#include "support/saving_fixture.h"

static void poison_becomes_a_dead_letter_and_holds_up_nobody(void **state)
{
    saving_fixture *test = *state;
    char *set_aside = NULL;
    conv__exchange exchanges[5];
    conv__saving *saving = saving_open(test);
    mock_store_set_away(&test->mock, true);
    for (int i = 0; i < 5; i++) {
        exchanges[i] = saving_exchange(conv_uuid_v7());
        assert_int_equal(saving_save(saving, &exchanges[i], false, NULL), CONV_OK);
    }
    mock_store_set_poison(&test->mock, exchanges[2].exchange_id,
                          mock_error(CONV_BAD_DATA, CONV_RECOVERY_REJECT, "22P05"));
    mock_store_set_away(&test->mock, false);
    saving_wait_for_saved(test, 4);
    saving_wait_until_empty(saving);
    assert_int_equal(saving_count(saving).dead, 1);
    conv__saving_close(saving, 0, NULL, NULL);
    conv__journal *journal = NULL;
    conv__journal_entry entry;
    conv__arena arena = {0};
    conv__exchange letter;
    conv_error error;
    assert_ok(conv__sqlite_journal_open(test->path, false, &set_aside, &journal, &error), error);
    assert_ok(journal->functions->find(journal, exchanges[2].session.session_id,
                                       exchanges[2].exchange_id, false, conv__deadline_in_ms(5000),
                                       &arena, &entry, &error),
              error);
    assert_int_equal(entry.kind, CONV__JOURNAL_DEAD);
    assert_string_equal(entry.sqlstate, "22P05");
    assert_true(entry.reason.size > 0);
    assert_ok(conv__record_read_exchange(&arena, entry.record, &letter, &error), error);
    assert_bytes(letter.messages[0].message.content, "hi");
    conv__arena_reset(&arena);
    journal->functions->close(journal);
}

static void what_the_store_refuses_at_once_is_a_dead_letter_too(void **state)
{
    saving_fixture *test = *state;
    conv_error error;
    conv__saving *saving = saving_open(test);
    for (int noted = 0; noted < 2; noted++) {
        conv__exchange exchange = saving_exchange(conv_uuid_v7());
        conv__save one = {.exchange = &exchange, .deadline_ns = conv__deadline_in_ms(5000)};
        mock_store_set_poison(&test->mock, exchange.exchange_id,
                              mock_error(CONV_BAD_DATA, CONV_RECOVERY_REJECT, "22P05"));
        if (noted == 1)
            assert_ok(conv__saving_note(saving, &exchange, one.deadline_ns, &error), error);
        assert_int_equal(conv__saving_save(saving, &one, noted == 1), CONV_BAD_DATA);
        assert_int_equal(one.error.recovery, CONV_RECOVERY_REJECT);
        assert_string_equal(one.error.sqlstate, "22P05");
        assert_non_null(strstr(one.error.message, "it is kept as a dead letter"));
        conv__journal_counts counts = saving_count(saving);
        assert_int_equal(counts.dead, noted + 1);
        assert_int_equal(counts.turns, 0);
        assert_int_equal(counts.exchanges, 0);
    }
    assert_false(conv__saving_is_away(saving, "test", NULL));
    conv__saving_close(saving, 0, NULL, NULL);
}

static void a_refusal_of_another_reply_says_that_it_is_not_kept(void **state)
{
    saving_fixture *test = *state;
    conv__saving *saving = saving_open(test);
    conv__exchange exchange = saving_exchange(conv_uuid_v7());
    mock_store_set_poison(&test->mock, exchange.exchange_id,
                          mock_error(CONV_BAD_DATA, CONV_RECOVERY_REJECT, "22P05"));
    for (int other = 0; other < 2; other++) {
        conv__save one = {.exchange = &exchange, .deadline_ns = conv__deadline_in_ms(5000)};
        exchange.reply_hash[0] ^= (uint8_t)other;
        assert_int_equal(conv__saving_save(saving, &one, false), CONV_BAD_DATA);
        assert_int_equal(one.dead, other == 0);
        assert_non_null(strstr(one.error.message, other == 0 ? "; it is kept as a dead letter"
                                                             : "; the journal keeps what it had"));
        assert_int_equal(saving_count(saving).dead, 1);
    }
    conv__saving_close(saving, 0, NULL, NULL);
}

static conv_error person_must_act(void)
{
    return mock_error(CONV_PERMISSION, CONV_RECOVERY_OPERATOR, "42501");
}

static void what_a_person_must_mend_holds_up_its_session_alone(void **state)
{
    saving_fixture *test = *state;
    conv__exchange exchanges[6];
    conv_error cause;
    conv__saving *saving = saving_open(test);
    mock_store_set_away(&test->mock, true);
    for (int i = 0; i < 6; i++) {
        /* The last belongs behind the third. */
        exchanges[i] = saving_exchange(i == 5 ? exchanges[2].session.session_id : conv_uuid_v7());
        assert_int_equal(saving_save(saving, &exchanges[i], false, NULL), CONV_OK);
    }
    mock_store_set_poison(&test->mock, exchanges[2].exchange_id, person_must_act());
    mock_store_set_away(&test->mock, false);
    saving_wait_for_saved(test, 4);
    for (int i = 0; i < 200 && conv__saving_is_away(saving, "test", NULL); i++)
        usleep(5000);
    assert_false(conv__saving_is_away(saving, "test", NULL));
    saving_wait_for_left(saving, 2);
    assert_int_equal(saving_count(saving).exchanges, 2);
    assert_int_equal(saving_count(saving).dead, 0);
    conv__saving_cause(saving, &cause);
    assert_string_equal(cause.sqlstate, "42501");
    bool journaled = true;
    conv__exchange other = saving_exchange(conv_uuid_v7());
    assert_int_equal(saving_save(saving, &other, false, &journaled), CONV_OK);
    assert_false(journaled);
    mock_store_set_poison(&test->mock, (conv_uuid){{0}}, person_must_act());
    saving_wait_for_saved(test, 7);
    assert_int_equal(conv_uuid_compare(test->mock.saved_ids[5], exchanges[2].exchange_id), 0);
    assert_int_equal(conv_uuid_compare(test->mock.saved_ids[6], exchanges[5].exchange_id), 0);
    saving_wait_until_empty(saving);
    /* What waits is counted down a moment after it has left the journal. */
    for (int i = 0; i < 2000; i++) {
        conv__saving_cause(saving, &cause);
        if (cause.status == CONV_OK) break;
        usleep(5000);
    }
    assert_int_equal(cause.status, CONV_OK);
    conv__saving_close(saving, 0, NULL, NULL);
}

/* As a session whose row another program has locked: the store answers, but not to this one. */
static void what_gets_no_answer_alone_holds_up_its_session_alone(void **state)
{
    saving_fixture *test = *state;
    conv__exchange exchanges[12];
    conv__saving *saving = saving_open(test);
    mock_store_set_away(&test->mock, true);
    for (int i = 0; i < 12; i++) {
        exchanges[i] = saving_exchange(i == 11 ? exchanges[2].session.session_id : conv_uuid_v7());
        assert_int_equal(saving_save(saving, &exchanges[i], false, NULL), CONV_OK);
    }
    mock_store_set_poison(&test->mock, exchanges[2].exchange_id,
                          mock_error(CONV_TIMEOUT, CONV_RECOVERY_WAIT, ""));
    mock_store_set_away(&test->mock, false);
    saving_wait_for_saved(test, 10);
    for (int i = 0; i < 200 && conv__saving_is_away(saving, "test", NULL); i++)
        usleep(5000);
    assert_false(conv__saving_is_away(saving, "test", NULL));
    saving_wait_for_left(saving, 2);
    assert_int_equal(saving_count(saving).exchanges, 2);
    mock_store_set_poison(&test->mock, (conv_uuid){{0}}, person_must_act());
    saving_wait_for_saved(test, 12);
    assert_int_equal(conv_uuid_compare(test->mock.saved_ids[10], exchanges[2].exchange_id), 0);
    assert_int_equal(conv_uuid_compare(test->mock.saved_ids[11], exchanges[11].exchange_id), 0);
    saving_wait_until_empty(saving);
    conv__saving_close(saving, 0, NULL, NULL);
}

static void a_save_that_a_person_must_mend_opens_no_breaker(void **state)
{
    saving_fixture *test = *state;
    bool journaled = false;
    conv__saving *saving = saving_open(test);
    conv__exchange odd = saving_exchange(conv_uuid_v7());
    conv__exchange good = saving_exchange(conv_uuid_v7());
    mock_store_set_poison(&test->mock, odd.exchange_id, person_must_act());
    assert_int_equal(saving_save(saving, &odd, false, &journaled), CONV_OK);
    assert_true(journaled);
    assert_false(conv__saving_is_away(saving, "test", NULL));
    assert_int_equal(saving_save(saving, &good, false, &journaled), CONV_OK);
    assert_false(journaled);
    conv_error cause;
    conv__journal_counts remaining;
    conv__saving_close(saving, conv__deadline_in_ms(20000), &remaining, &cause);
    assert_int_equal(remaining.exchanges, 1);
    assert_string_equal(cause.sqlstate, "42501");
}

static conv_status take_usage(conv__usage_repository *usage, conv__transaction *transaction,
                              const conv__usage_row *const *rows, size_t count, bool *inserted,
                              conv_error *error)
{
    (void)usage;
    (void)transaction;
    (void)rows;
    (void)error;
    for (size_t i = 0; i < count; i++)
        inserted[i] = true;
    return CONV_OK;
}

static int writes_of(mock_store *mock)
{
    pthread_mutex_lock(&mock->lock);
    int writes = mock->writes;
    pthread_mutex_unlock(&mock->lock);
    return writes;
}

/* Processor time, which nothing but this program's own work makes more. */
static void the_drain_rests_when_what_it_held_was_deleted(void **state)
{
    static const conv__usage_repository_functions functions = {.save = take_usage};
    saving_fixture *test = *state;
    conv_error error;
    conv__forgotten forgotten;
    test->mock.usage.functions = &functions;
    conv__saving *saving = saving_open(test);
    conv__exchange odd = saving_exchange(conv_uuid_v7());
    mock_store_set_poison(&test->mock, odd.exchange_id, person_must_act());
    assert_int_equal(saving_save(saving, &odd, false, NULL), CONV_OK);
    for (int i = 0; i < 2000 && writes_of(&test->mock) < 2; i++)
        usleep(5000);
    assert_true(writes_of(&test->mock) >= 2); /* the caller's, and the drain's */
    assert_true(conv__saving_hold_drain(saving, CONV__NO_DEADLINE));
    const conv__forgetting what = {.session_id = odd.session.session_id};
    assert_ok(conv__saving_forget(saving, &what, conv__deadline_in_ms(5000), &forgotten, &error),
              error);
    conv__saving_release_drain(saving, 0);
    assert_int_equal(forgotten.removed, 1);
    usleep(700000); /* it was held for half a second */
    clock_t before = clock();
    usleep(500000);
    assert_true(clock() - before < CLOCKS_PER_SEC / 4);
    assert_int_equal(saving_count(saving).usage, 0);
    conv__saving_close(saving, 0, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SAVING(poison_becomes_a_dead_letter_and_holds_up_nobody),
        WITH_SAVING(what_the_store_refuses_at_once_is_a_dead_letter_too),
        WITH_SAVING(a_refusal_of_another_reply_says_that_it_is_not_kept),
        WITH_SAVING(what_a_person_must_mend_holds_up_its_session_alone),
        WITH_SAVING(what_gets_no_answer_alone_holds_up_its_session_alone),
        WITH_SAVING(a_save_that_a_person_must_mend_opens_no_breaker),
        WITH_SAVING(the_drain_rests_when_what_it_held_was_deleted),
    };
    return RUN_TESTS("saving refused", tests);
}
