/* Callers with more and with less time in one batch: nobody waits beyond the own deadline for the
 * others, nobody fails before it because of them, and each knows whether it may be stored. */
#include "support/test.h"

#include <pthread.h>
#include <unistd.h>

#include "core/time.h"
#include "saving/batch.h"
#include "saving/writer.h"
#include "support/gate.h"
#include "support/mock_store.h"
#include "support/writer_fixture.h"

static void an_outcome_stays_unknown_until_it_is_known(void **state)
{
    (void)state;
    mock_store mock;
    mock_store_init(&mock);
    conv__exchange exchange = writer_exchange();
    conv__save save = writer_input(&exchange, 20000);
    mock.commit_errors[0] = mock_error(CONV_UNAVAILABLE, CONV_RECOVERY_RETRY, "");
    mock.commit_errors[0].outcome_unknown = true;
    mock.commit_errors[1] = mock_error(CONV_UNAVAILABLE, CONV_RECOVERY_WAIT, "");
    assert_int_equal(writer_save_alone(&mock, &save), CONV_UNAVAILABLE);
    assert_true(save.error.outcome_unknown);
}

/* Waits in its COMMIT until the first one's time is up. */
static void wait_for_the_first(void *context)
{
    while (!conv__deadline_passed(((const conv__save *)context)->deadline_ns))
        usleep(1000);
}

static conv_status try_what_is_left(mock_store *mock, conv__save *save)
{
    assert_true(save->left);
    conv__batch_try(&mock->store, &save, 1);
    assert_false(save->left);
    return save->status;
}

typedef struct last_look {
    mock_store *mock;
    conv__save *first;
} last_look;

/* The COMMIT of both was not answered in time; what the second one hears afterwards says nothing
 * about that. */
static void who_goes_on_after_an_unknown_outcome_remembers_it(void **state)
{
    (void)state;
    mock_store mock;
    conv__exchange exchanges[] = {writer_exchange(), writer_exchange()};
    conv__save all[] = {writer_input(&exchanges[0], 50), writer_input(&exchanges[1], 20000)};
    conv__save *saves[] = {&all[0], &all[1]};
    mock_store_init(&mock);
    mock.on_commit = wait_for_the_first;
    mock.commit_context = &all[0];
    mock.commit_errors[0] = mock_error(CONV_TIMEOUT, CONV_RECOVERY_WAIT, "");
    mock.commit_errors[0].outcome_unknown = true;
    mock.commit_errors[1] = mock_error(CONV_UNAVAILABLE, CONV_RECOVERY_WAIT, "");
    conv__batch_try(&mock.store, saves, 2);
    assert_int_equal(all[0].status, CONV_TIMEOUT);
    assert_true(all[0].error.outcome_unknown);
    assert_int_equal(try_what_is_left(&mock, &all[1]), CONV_UNAVAILABLE);
    assert_true(all[1].error.outcome_unknown);
}

/* Whatever could be tried again, had the first one more time. */
static void who_has_time_is_not_failed_with_who_has_none(void **state)
{
    (void)state;
    mock_store mock;
    conv__exchange exchanges[] = {writer_exchange(), writer_exchange()};
    conv__save all[] = {writer_input(&exchanges[0], 50), writer_input(&exchanges[1], 20000)};
    conv__save *saves[] = {&all[0], &all[1]};
    mock_store_init(&mock);
    mock.on_commit = wait_for_the_first;
    mock.commit_context = &all[0];
    mock.commit_errors[0] = mock_error(CONV_UNAVAILABLE, CONV_RECOVERY_RETRY, "40001");
    conv__batch_try(&mock.store, saves, 2);
    assert_int_equal(all[0].status, CONV_UNAVAILABLE);
    assert_int_equal(try_what_is_left(&mock, &all[1]), CONV_OK);
    assert_int_equal(mock.saved_count, 1);
}

static void time_out_from_now_on(void *context)
{
    last_look *self = context;
    wait_for_the_first(self->first);
    self->mock->begin_error = mock_error(CONV_TIMEOUT, CONV_RECOVERY_WAIT, "");
}

/* Their ids are there, and the question with what content is not answered in time. */
static void who_could_not_be_looked_up_may_be_stored(void **state)
{
    (void)state;
    mock_store mock;
    conv__exchange exchanges[] = {writer_exchange(), writer_exchange()};
    conv__save all[] = {writer_input(&exchanges[0], 50), writer_input(&exchanges[1], 20000)};
    conv__save *saves[] = {&all[0], &all[1]};
    last_look look = {&mock, &all[0]};
    mock_store_init(&mock);
    mock.not_inserted = true;
    mock.on_commit = time_out_from_now_on;
    mock.commit_context = &look;
    conv__batch_try(&mock.store, saves, 2);
    assert_int_equal(all[0].status, CONV_TIMEOUT);
    assert_true(all[0].error.outcome_unknown);
    mock_store_set_away(&mock, true);
    assert_int_equal(try_what_is_left(&mock, &all[1]), CONV_UNAVAILABLE);
    assert_true(all[1].error.outcome_unknown);
}

/* It is settled when the same ids were stored by a transaction that was answered. */
static void who_is_saved_apart_after_an_unknown_outcome_remembers_it(void **state)
{
    (void)state;
    mock_store mock;
    conv__exchange exchanges[] = {writer_exchange(), writer_exchange()};
    conv__save all[] = {writer_input(&exchanges[0], 20000), writer_input(&exchanges[1], 20000)};
    conv__save *saves[] = {&all[0], &all[1]};
    mock_store_init(&mock);
    mock_store_set_poison(&mock, exchanges[1].exchange_id,
                          mock_error(CONV_PERMISSION, CONV_RECOVERY_OPERATOR, "P0001"));
    mock.commit_errors[0] = mock_error(CONV_UNAVAILABLE, CONV_RECOVERY_RETRY, "");
    mock.commit_errors[0].outcome_unknown = true;
    conv__batch_save(&mock.store, saves, 2);
    assert_int_equal(all[0].status, CONV_OK);
    assert_false(all[0].error.outcome_unknown);
    assert_int_equal(all[1].status, CONV_PERMISSION);
    assert_true(all[1].error.outcome_unknown);
}

/* The second COMMIT lasts until the time of one of its two is up; the others wait at a gate. */
typedef struct slow_commits {
    gate first;
    gate third;
    int64_t until_ns;
    int seen;
} slow_commits;

static void commit_slowly(void *context)
{
    slow_commits *self = context;
    int which = self->seen++;
    if (which == 0) gate_pass(&self->first);
    if (which == 2) gate_pass(&self->third);
    while (which == 1 && !conv__deadline_passed(self->until_ns))
        usleep(1000);
}

static void wait_for_waiting(conv__writer *writer, size_t wanted)
{
    for (int i = 0; i < 10000 && conv__writer_waiting(writer) < wanted; i++)
        usleep(1000);
    assert_int_equal(conv__writer_waiting(writer), wanted);
}

/* Two share a transaction, and only one of them has the time to try again. */
static void let_one_run_out_of_time(int hasty)
{
    static mock_store mock;
    slow_commits commits = {GATE_INIT, GATE_INIT, 0, 0};
    pthread_t threads[3];
    mock_store_init(&mock);
    mock.on_commit = commit_slowly;
    mock.commit_context = &commits;
    mock.commit_errors[1] = mock_error(CONV_TIMEOUT, CONV_RECOVERY_WAIT, "");
    conv__writer *writer = writer_open(&mock, 8);
    late_caller leader = {.writer = writer, .timeout_ms = 20000};
    late_caller both[2] = {{.writer = writer, .timeout_ms = 20000},
                           {.writer = writer, .timeout_ms = 20000}};
    both[hasty].timeout_ms = 1000;
    assert_int_equal(pthread_create(&threads[2], NULL, late_caller_run, &leader), 0);
    gate_await(&commits.first);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, late_caller_run, &both[i]), 0);
        wait_for_waiting(writer, (size_t)i + 1);
    }
    commits.until_ns = both[hasty].save.deadline_ns;
    gate_open(&commits.first);
    gate_await(&commits.third);
    for (int i = 0; i < 10000 && !both[hasty].done; i++)
        usleep(1000);
    bool in_time = both[hasty].done;
    gate_open(&commits.third);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_true(in_time);
    assert_int_equal(both[hasty].save.status, CONV_TIMEOUT);
    assert_int_equal(both[1 - hasty].save.status, CONV_OK);
    assert_int_equal(leader.save.status, CONV_OK);
    assert_int_equal(mock.largest_batch, 2);
    conv__writer_free(writer);
}

static void a_leader_does_not_stay_for_those_who_have_more_time(void **state)
{
    (void)state;
    let_one_run_out_of_time(0);
}

static void a_follower_does_not_stay_for_those_who_have_more_time(void **state)
{
    (void)state;
    let_one_run_out_of_time(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_outcome_stays_unknown_until_it_is_known),
        cmocka_unit_test(who_goes_on_after_an_unknown_outcome_remembers_it),
        cmocka_unit_test(who_has_time_is_not_failed_with_who_has_none),
        cmocka_unit_test(who_could_not_be_looked_up_may_be_stored),
        cmocka_unit_test(who_is_saved_apart_after_an_unknown_outcome_remembers_it),
        cmocka_unit_test(a_leader_does_not_stay_for_those_who_have_more_time),
        cmocka_unit_test(a_follower_does_not_stay_for_those_who_have_more_time),
    };
    return RUN_TESTS("writer deadlines", tests);
}
