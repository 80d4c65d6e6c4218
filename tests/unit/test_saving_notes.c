/* Notes of turns in the journal: there before the provider is asked, and when they leave it. */
#include "support/test.h"

#include <pthread.h>
#include <unistd.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/time.h"
#include "repositories/sqlite/journal.h"
#include "saving/saving_internal.h"
#include "support/gate.h"
#include "support/saving_fixture.h"

static void a_note_is_taken_back_when_its_turn_is_saved(void **state)
{
    saving_fixture *test = *state;
    conv_error error;
    conv__saving *saving = saving_open(test);
    conv__exchange exchange = saving_exchange(conv_uuid_v7());
    int64_t deadline = conv__deadline_in_ms(5000);
    assert_ok(conv__saving_note(saving, &exchange, deadline, &error), error);
    assert_int_equal(saving_count(saving).turns, 1);
    assert_int_equal(saving_count(saving).exchanges, 0);
    assert_int_equal(saving_save(saving, &exchange, true, NULL), CONV_OK);
    saving_wait_until_empty(saving);
    conv__saving_close(saving, 0, NULL, NULL);
}

static void an_interrupted_turn_stays_until_it_is_completed(void **state)
{
    saving_fixture *test = *state;
    conv_error error;
    conv__saving *saving = saving_open(test);
    conv__exchange exchange = saving_exchange(conv_uuid_v7());
    assert_ok(conv__saving_note(saving, &exchange, conv__deadline_in_ms(5000), &error), error);
    conv__saving_close(saving, 0, NULL, NULL); /* before the provider has answered */
    saving = saving_open(test);
    usleep(500000);
    assert_int_equal(saving_count(saving).turns, 1);
    assert_ok(conv__saving_note(saving, &exchange, conv__deadline_in_ms(5000), &error), error);
    assert_int_equal(saving_count(saving).turns, 1);
    assert_int_equal(saving_save(saving, &exchange, true, NULL), CONV_OK);
    saving_wait_until_empty(saving);
    conv__saving_close(saving, 0, NULL, NULL);
}

static void a_note_whose_exchange_is_stored_goes_at_the_next_start(void **state)
{
    saving_fixture *test = *state;
    conv_error error;
    conv__saving *saving = saving_open(test);
    conv__exchange exchange = saving_exchange(conv_uuid_v7());
    assert_ok(conv__saving_note(saving, &exchange, conv__deadline_in_ms(5000), &error), error);
    conv__saving_close(saving, 0, NULL, NULL);
    test->mock.existing.found = true;
    test->mock.existing.status = CONV_OUTCOME_COMPLETE;
    saving = saving_open(test);
    saving_wait_until_empty(saving);
    conv__saving_close(saving, 0, NULL, NULL);
}

/* The room without its thread, which would take out needless notes at a moment of its own. */
static void open_room(conv__saving *saving, const char *path)
{
    char *set_aside = NULL;
    conv_error error;
    assert_ok(conv__sqlite_journal_open(path, false, &set_aside, &saving->params.journal, &error),
              error);
    pthread_mutex_init(&saving->lock, NULL);
    pthread_cond_init(&saving->wake, NULL);
    pthread_cond_init(&saving->room, NULL);
    saving->changes = conv__group_create(&(conv__group_params){.action = "test",
                                                               .work = conv__journal_apply_batch,
                                                               .context = saving,
                                                               .leaders = 1,
                                                               .batch_items = 8,
                                                               .batch_bytes = 1 << 20,
                                                               .queue_items = 8});
    assert_non_null(saving->changes);
}

static void close_room(conv__saving *saving)
{
    conv__group_free(saving->changes);
    saving->params.journal->functions->close(saving->params.journal);
    pthread_cond_destroy(&saving->room);
    pthread_cond_destroy(&saving->wake);
    pthread_mutex_destroy(&saving->lock);
    conv__release(saving->done);
}

/* More removals wait than one transaction takes; among them that of an earlier note of the turn. */
static void the_removal_of_an_old_note_leaves_a_new_one_alone(void **state)
{
    enum { REMOVALS = 600 };
    saving_fixture *test = *state;
    for (int place = 0; place < REMOVALS; place += REMOVALS - 1) {
        conv_error error;
        conv__saving saving = {.has_thread = false};
        conv__exchange exchange = saving_exchange(conv_uuid_v7());
        conv__journal_key key = {exchange.session.session_id, exchange.exchange_id};
        open_room(&saving, test->path);
        for (int i = 0; i < REMOVALS; i++)
            assert_true(conv__saving_forget_note(
                &saving, i == place ? key : (conv__journal_key){conv_uuid_v7(), conv_uuid_v7()}));
        assert_ok(conv__saving_note(&saving, &exchange, conv__deadline_in_ms(5000), &error), error);
        while (saving.done_count > 0)
            conv__saving_sweep_notes(&saving);
        assert_int_equal(saving_count(&saving).turns, 1);
        close_room(&saving);
        saving_empty_folder(test);
    }
}

static void the_oldest_needless_note_goes_first(void **state)
{
    saving_fixture *test = *state;
    conv__saving saving = {.has_thread = false};
    conv__journal_key keys[3];
    conv__journal_key taken[2];
    open_room(&saving, test->path);
    for (int i = 0; i < 3; i++) {
        keys[i] = (conv__journal_key){conv_uuid_v7(), conv_uuid_v7()};
        assert_true(conv__saving_forget_note(&saving, keys[i]));
    }
    assert_int_equal(conv__saving_take_notes(&saving, taken, 2), 2);
    assert_memory_equal(taken, keys, sizeof taken);
    assert_int_equal(conv__saving_take_notes(&saving, taken, 2), 1);
    assert_memory_equal(taken, &keys[2], sizeof taken[0]);
    close_room(&saving);
}

/* A journal that is slow: the first write waits at a gate, the second until its time is up. */
static struct {
    const conv__journal_functions *real;
    gate first;
    int writes;
    conv_status failure;
} slow;

static conv_status apply_slowly(conv__journal *journal, conv__journal_change *changes, size_t count,
                                int64_t deadline_ns, conv_error *error)
{
    int which = slow.writes++;
    if (which == 0) gate_pass(&slow.first);
    if (which != 1) return slow.real->apply(journal, changes, count, deadline_ns, error);
    while (!conv__deadline_passed(deadline_ns))
        usleep(1000);
    return conv__fail(error, slow.failure, "write journal", "the deadline passed");
}

static void slow_down(conv__journal *journal)
{
    static conv__journal_functions functions;
    slow.real = journal->functions;
    slow.first = (gate)GATE_INIT;
    slow.writes = 0;
    functions = *slow.real;
    functions.apply = apply_slowly;
    journal->functions = &functions;
}

typedef struct noting {
    conv__saving *saving;
    int64_t timeout_ms;
    conv_status status;
} noting;

static void *note_one(void *context)
{
    noting *self = context;
    conv_error error;
    conv__exchange exchange = saving_exchange(conv_uuid_v7());
    self->status =
        conv__saving_note(self->saving, &exchange, conv__deadline_in_ms(self->timeout_ms), &error);
    return NULL;
}

static void note_beside_one_without_time(saving_fixture *test, conv_status failure)
{
    enum { HASTY = 1, COUNT = 3 };
    pthread_t threads[COUNT];
    noting all[COUNT];
    slow.failure = failure;
    test->on_journal = slow_down;
    conv__saving *saving = saving_open(test);
    for (size_t i = 0; i < COUNT; i++) {
        all[i] = (noting){.saving = saving, .timeout_ms = i == HASTY ? 1000 : 20000};
        assert_int_equal(pthread_create(&threads[i], NULL, note_one, &all[i]), 0);
        if (i == 0) gate_await(&slow.first);
        for (int k = 0; k < 10000 && conv__group_waiting(saving->changes) < i; k++)
            usleep(1000);
    }
    gate_open(&slow.first);
    for (size_t i = 0; i < COUNT; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(all[i].status, i == HASTY ? failure : CONV_OK);
    }
    assert_int_equal(slow.writes, 3);
    assert_int_equal(saving_count(saving).turns, 2);
    conv__saving_close(saving, 0, NULL, NULL);
}

static void who_has_time_is_noted_beside_who_has_none(void **state)
{
    note_beside_one_without_time(*state, CONV_TIMEOUT);
}

/* The journal's connection did not become free. */
static void who_has_time_goes_on_waiting_for_the_journal(void **state)
{
    note_beside_one_without_time(*state, CONV_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SAVING(a_note_is_taken_back_when_its_turn_is_saved),
        WITH_SAVING(an_interrupted_turn_stays_until_it_is_completed),
        WITH_SAVING(a_note_whose_exchange_is_stored_goes_at_the_next_start),
        WITH_SAVING(the_removal_of_an_old_note_leaves_a_new_one_alone),
        WITH_SAVING(the_oldest_needless_note_goes_first),
        WITH_SAVING(who_has_time_is_noted_beside_who_has_none),
        WITH_SAVING(who_has_time_goes_on_waiting_for_the_journal),
    };
    return RUN_TESTS("saving notes", tests);
}
