/* The saving room against a mocked store: group commit, retries, poison, bounds. */
#include "support/test.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/time.h"
#include "saving/batch.h"
#include "saving/retry.h"
#include "saving/writer.h"
#include "support/gate.h"
#include "support/mock_store.h"
#include "support/writer_fixture.h"

enum { THREADS = 16, SAVES_PER_THREAD = 100 };

typedef struct worker {
    conv__writer *writer;
    int failed;
} worker;

static void *save_many(void *context)
{
    worker *self = context;
    for (int i = 0; i < SAVES_PER_THREAD; i++) {
        conv__exchange exchange = writer_exchange();
        conv__save save = writer_input(&exchange, 20000);
        if (conv__writer_save(self->writer, &save) != CONV_OK || save.repeated) self->failed++;
    }
    return NULL;
}

static void yield_processor(void *context)
{
    (void)context;
    usleep(200);
}

static int by_id(const void *a, const void *b)
{
    return conv_uuid_compare(*(const conv_uuid *)a, *(const conv_uuid *)b);
}

static void callers_share_transactions_and_each_is_saved_once(void **state)
{
    (void)state;
    static mock_store mock;
    pthread_t threads[THREADS];
    worker workers[THREADS];
    mock_store_init(&mock);
    mock.on_commit = yield_processor;
    conv__writer *writer = writer_open(&mock, 64);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){writer, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, save_many, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].failed, 0);
    }
    assert_int_equal(mock.saved_count, THREADS * SAVES_PER_THREAD);
    qsort(mock.saved_ids, mock.saved_count, sizeof mock.saved_ids[0], by_id);
    for (size_t i = 1; i < mock.saved_count; i++)
        assert_true(conv_uuid_compare(mock.saved_ids[i - 1], mock.saved_ids[i]) < 0);
    assert_true(mock.writes < THREADS * SAVES_PER_THREAD / 2);
    assert_in_range(mock.largest_batch, 2, 8);
    conv__writer_free(writer);
}

static void a_lone_caller_pays_one_transaction(void **state)
{
    (void)state;
    mock_store mock;
    mock_store_init(&mock);
    conv__writer *writer = writer_open(&mock, 8);
    conv__exchange exchange = writer_exchange();
    conv__save save = writer_input(&exchange, 1000);
    assert_int_equal(conv__writer_save(writer, &save), CONV_OK);
    assert_int_equal(mock.writes, 1);
    assert_int_equal(mock.saves, 1);
    assert_int_equal(mock.reads, 0);
    conv__writer_free(writer);
}

/* Half of what a transaction may hold, four times. */
static void a_batch_is_bounded_by_its_bytes(void **state)
{
    (void)state;
    enum { COUNT = 4 };
    mock_store mock;
    conv__exchange exchanges[COUNT];
    conv__save all[COUNT];
    conv__save *saves[COUNT];
    char *text = calloc(1, CONV__BATCH_BYTES / 2);
    mock_store_init(&mock);
    for (int i = 0; i < COUNT; i++) {
        exchanges[i] = writer_exchange();
        exchanges[i].session.metadata = conv_view(text, CONV__BATCH_BYTES / 2 - 1024);
        all[i] = writer_input(&exchanges[i], 20000);
        saves[i] = &all[i];
    }
    conv__batch_save(&mock.store, saves, COUNT);
    assert_int_equal(mock.saved_count, COUNT);
    assert_int_equal(mock.writes, 2);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(conv_uuid_compare(mock.saved_ids[i], exchanges[i].exchange_id), 0);
    exchanges[0].session.metadata = conv_view(text, CONV__BATCH_BYTES / 2);
    conv__batch_save(&mock.store, saves, 1);
    assert_int_equal(mock.writes, 3);
    free(text);
}

static void poison_is_found_and_the_rest_commits(void **state)
{
    (void)state;
    enum { COUNT = 1000, POISONED = 617 };
    mock_store mock;
    conv__exchange *exchanges = calloc(COUNT, sizeof *exchanges);
    conv__save *all = calloc(COUNT, sizeof *all);
    conv__save **saves = calloc(COUNT, sizeof *saves);
    mock_store_init(&mock);
    for (int i = 0; i < COUNT; i++) {
        exchanges[i] = writer_exchange();
        all[i] = writer_input(&exchanges[i], 20000);
        saves[i] = &all[i];
    }
    mock_store_set_poison(&mock, exchanges[POISONED].exchange_id,
                          mock_error(CONV_BAD_DATA, CONV_RECOVERY_REJECT, "22P05"));
    conv__batch_save(&mock.store, saves, COUNT);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(all[i].status, i == POISONED ? CONV_BAD_DATA : CONV_OK);
    assert_string_equal(all[POISONED].error.sqlstate, "22P05");
    assert_int_equal(mock.saved_count, COUNT - 1);
    assert_true(mock.writes < 50); /* halving, not one by one */
    free(exchanges);
    free(all);
    free(saves);
}

/* Wherever the halves part: those of its session behind it fail with it, all others commit in the
 * order in which they came. */
static void no_session_skips_a_refused_exchange(void **state)
{
    (void)state;
    enum { COUNT = 24, SESSIONS = 3 };
    static mock_store mock;
    for (int poisoned = 0; poisoned < COUNT; poisoned++) {
        conv__exchange exchanges[COUNT];
        conv__save all[COUNT];
        conv__save *saves[COUNT];
        size_t committed = 0;
        mock_store_init(&mock);
        for (int i = 0; i < COUNT; i++) {
            exchanges[i] = writer_exchange();
            if (i >= SESSIONS)
                exchanges[i].session.session_id = exchanges[i - SESSIONS].session.session_id;
            all[i] = writer_input(&exchanges[i], 20000);
            all[i].in_order = true;
            saves[i] = &all[i];
        }
        mock_store_set_poison(&mock, exchanges[poisoned].exchange_id,
                              mock_error(CONV_BAD_DATA, CONV_RECOVERY_REJECT, "22P05"));
        conv__batch_save(&mock.store, saves, COUNT);
        for (int i = 0; i < COUNT; i++) {
            bool fails = i >= poisoned && i % SESSIONS == poisoned % SESSIONS;
            assert_int_equal(all[i].status, fails ? CONV_BAD_DATA : CONV_OK);
            assert_int_equal(all[i].error.recovery,
                             i == poisoned ? CONV_RECOVERY_REJECT : CONV_RECOVERY_NONE);
            if (fails) continue;
            assert_true(committed < mock.saved_count);
            assert_int_equal(
                conv_uuid_compare(mock.saved_ids[committed++], exchanges[i].exchange_id), 0);
        }
        assert_int_equal(mock.saved_count, committed);
    }
}

static void contention_is_tried_again(void **state)
{
    (void)state;
    mock_store mock;
    mock_store_init(&mock);
    conv__exchange exchange = writer_exchange();
    conv__save save = writer_input(&exchange, 20000);
    for (int i = 0; i < 5; i++)
        mock.commit_errors[i] =
            mock_error(CONV_UNAVAILABLE, CONV_RECOVERY_RETRY, i % 2 == 0 ? "40P01" : "40001");
    assert_int_equal(writer_save_alone(&mock, &save), CONV_OK);
    assert_int_equal(mock.writes, 6);
    assert_int_equal(mock.saved_count, 1);
}

static void a_lost_commit_reply_is_resolved(void **state)
{
    (void)state;
    mock_store mock;
    mock_store_init(&mock);
    conv__exchange exchange = writer_exchange();
    conv__save save = writer_input(&exchange, 20000);
    mock.commit_errors[0] = mock_error(CONV_UNAVAILABLE, CONV_RECOVERY_RETRY, "");
    mock.commit_errors[0].outcome_unknown = true;
    mock.not_inserted = true;
    mock.existing_is_last = true;
    assert_int_equal(writer_save_alone(&mock, &save), CONV_OK);
    assert_false(save.repeated); /* it was this very attempt that had been committed */
    assert_int_equal(mock.lookups, 1);
}

static void insert_from_now_on(void *context)
{
    ((mock_store *)context)->not_inserted = false;
}

/* The first transaction found it; the standby that took over, or a deletion, lets the second look
 * find nothing. */
static void what_is_there_no_more_is_saved_as_new(void **state)
{
    (void)state;
    mock_store mock;
    mock_store_init(&mock);
    conv__exchange exchange = writer_exchange();
    conv__save save = writer_input(&exchange, 20000);
    mock.not_inserted = true;
    mock.on_commit = insert_from_now_on;
    mock.commit_context = &mock;
    assert_int_equal(writer_save_alone(&mock, &save), CONV_OK);
    assert_int_equal(mock.lookups, 1);
    assert_int_equal(mock.saved_count, 1);
    assert_true(save.fresh);
    assert_false(save.repeated);
}

/* It came between the removal's look and the insert; an answer must not end as a repetition of a
 * failure. */
static void a_failed_attempt_that_appeared_late_is_replaced_after_all(void **state)
{
    (void)state;
    mock_store mock;
    mock_store_init(&mock);
    conv__exchange exchange = writer_exchange();
    exchange.replaces_failed = true;
    conv__save save = writer_input(&exchange, 20000);
    mock.not_inserted = true;
    mock.existing.found = true;
    mock.existing.status = CONV_OUTCOME_FAILED;
    mock.on_commit = insert_from_now_on;
    mock.commit_context = &mock;
    assert_int_equal(writer_save_alone(&mock, &save), CONV_OK);
    assert_int_equal(mock.removals, 2);
    assert_int_equal(mock.saved_count, 1);
    assert_true(save.fresh);
    assert_false(save.repeated);
}

static void an_id_with_other_content_is_a_conflict(void **state)
{
    (void)state;
    mock_store mock;
    mock_store_init(&mock);
    conv__exchange exchange = writer_exchange();
    conv__save save = writer_input(&exchange, 20000);
    mock.not_inserted = true;
    mock.existing.found = true;
    mock.existing.request_hash[3] = 1;
    assert_int_equal(writer_save_alone(&mock, &save), CONV_CONFLICT);
    mock.existing.request_hash[3] = 0;
    mock.existing.reply_hash[3] = 1;
    save = writer_input(&exchange, 20000);
    assert_int_equal(writer_save_alone(&mock, &save), CONV_OK); /* the question alone is compared */
    assert_true(save.repeated);
    save = writer_input(&exchange, 20000);
    save.compare_reply = true;
    assert_int_equal(writer_save_alone(&mock, &save), CONV_CONFLICT);
}

static void a_store_that_is_away_is_not_hammered(void **state)
{
    (void)state;
    mock_store mock;
    mock_store_init(&mock);
    conv__exchange exchange = writer_exchange();
    conv__save save = writer_input(&exchange, 20000);
    for (int i = 0; i < MOCK_STORE_COMMITS; i++)
        mock.commit_errors[i] = mock_error(CONV_UNAVAILABLE, CONV_RECOVERY_WAIT, "53300");
    assert_int_equal(writer_save_alone(&mock, &save), CONV_UNAVAILABLE);
    assert_int_equal(mock.writes, 1);
}

static void a_full_queue_pushes_back_and_a_deadline_is_kept(void **state)
{
    (void)state;
    static mock_store mock;
    gate barrier = GATE_INIT;
    pthread_t threads[2];
    mock_store_init(&mock);
    mock.on_commit = gate_pass;
    mock.commit_context = &barrier;
    conv__writer *writer = writer_open(&mock, 1);
    late_caller leader = {.writer = writer, .timeout_ms = 20000};
    late_caller waiting = {.writer = writer, .timeout_ms = 300};
    assert_int_equal(pthread_create(&threads[0], NULL, late_caller_run, &leader), 0);
    gate_await(&barrier);
    assert_int_equal(pthread_create(&threads[1], NULL, late_caller_run, &waiting), 0);
    usleep(50000); /* the second caller now fills the queue of one */
    late_caller third = {.writer = writer, .timeout_ms = 20};
    late_caller_run(&third);
    assert_int_equal(third.save.status, CONV_LIMIT);
    pthread_join(threads[1], NULL);
    assert_int_equal(waiting.save.status, CONV_TIMEOUT);
    gate_open(&barrier);
    pthread_join(threads[0], NULL);
    assert_int_equal(leader.save.status, CONV_OK);
    assert_int_equal(mock.saved_count, 1);
    conv__writer_free(writer);
}

static void the_same_id_twice_never_shares_a_statement(void **state)
{
    (void)state;
    static mock_store mock;
    gate barrier = GATE_INIT;
    pthread_t thread;
    mock_store_init(&mock);
    mock.on_commit = gate_pass;
    mock.commit_context = &barrier;
    conv__writer *writer = writer_open(&mock, 8);
    late_caller leader = {.writer = writer, .timeout_ms = 20000};
    assert_int_equal(pthread_create(&thread, NULL, late_caller_run, &leader), 0);
    gate_await(&barrier);
    conv__exchange exchange = writer_exchange();
    late_caller same[2];
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        same[i] = (late_caller){.writer = writer, .timeout_ms = 20000, .exchange = &exchange};
        assert_int_equal(pthread_create(&threads[i], NULL, late_caller_run, &same[i]), 0);
    }
    usleep(50000); /* both wait behind the first transaction now */
    gate_open(&barrier);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(same[i].save.status, CONV_OK);
    }
    pthread_join(thread, NULL);
    assert_int_equal(mock.largest_batch, 1);
    assert_int_equal(mock.writes, 3);
    conv__writer_free(writer);
}

static void retries_follow_the_table(void **state)
{
    (void)state;
    static const struct {
        conv_recovery recovery;
        const char *sqlstate;
        int tries; /* failures after which it is still tried again */
    } table[] = {
        {CONV_RECOVERY_RETRY, "", 3},       {CONV_RECOVERY_RETRY, "08006", 3},
        {CONV_RECOVERY_RETRY, "40001", 5},  {CONV_RECOVERY_RETRY, "40P01", 5},
        {CONV_RECOVERY_RETRY, "57P01", 3},  {CONV_RECOVERY_BACKOFF, "55P03", 5},
        {CONV_RECOVERY_WAIT, "", 0},        {CONV_RECOVERY_OPERATOR, "53100", 0},
        {CONV_RECOVERY_REJECT, "22P05", 0}, {CONV_RECOVERY_NONE, "", 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        conv_error error = mock_error(CONV_UNAVAILABLE, table[i].recovery, table[i].sqlstate);
        int64_t pause = -1;
        for (int failures = 1; failures <= table[i].tries; failures++) {
            assert_true(conv__retry_after(&error, failures, UINT32_MAX, &pause));
            assert_in_range(pause, 0, 30000);
        }
        assert_false(conv__retry_after(&error, table[i].tries + 1, 0, &pause));
    }
}

static void what_one_row_may_have_caused(void **state)
{
    (void)state;
    static const char *const of_rows[] = {"42501", "55000", "XX000", "P0001"};
    static const char *const of_all[] = {"28P01", "42P01", "53100", "58030", "XX001", "XX002", ""};
    for (size_t i = 0; i < sizeof of_rows / sizeof of_rows[0]; i++) {
        conv_error error = mock_error(CONV_PERMISSION, CONV_RECOVERY_OPERATOR, of_rows[i]);
        assert_true(conv__failure_of_row(&error));
    }
    for (size_t i = 0; i < sizeof of_all / sizeof of_all[0]; i++) {
        conv_error error = mock_error(CONV_PERMISSION, CONV_RECOVERY_OPERATOR, of_all[i]);
        assert_false(conv__failure_of_row(&error));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(callers_share_transactions_and_each_is_saved_once),
        cmocka_unit_test(a_lone_caller_pays_one_transaction),
        cmocka_unit_test(a_batch_is_bounded_by_its_bytes),
        cmocka_unit_test(poison_is_found_and_the_rest_commits),
        cmocka_unit_test(what_one_row_may_have_caused),
        cmocka_unit_test(no_session_skips_a_refused_exchange),
        cmocka_unit_test(contention_is_tried_again),
        cmocka_unit_test(a_lost_commit_reply_is_resolved),
        cmocka_unit_test(what_is_there_no_more_is_saved_as_new),
        cmocka_unit_test(a_failed_attempt_that_appeared_late_is_replaced_after_all),
        cmocka_unit_test(an_id_with_other_content_is_a_conflict),
        cmocka_unit_test(a_store_that_is_away_is_not_hammered),
        cmocka_unit_test(a_full_queue_pushes_back_and_a_deadline_is_kept),
        cmocka_unit_test(the_same_id_twice_never_shares_a_statement),
        cmocka_unit_test(retries_follow_the_table),
    };
    return RUN_TESTS("writer", tests);
}
