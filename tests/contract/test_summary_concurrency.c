/* The summary while many save: at every moment summary, ledger and sessions agree, and at the end
 * not a record is missing or doubled (promises P3, P14). */
#include "support/contract_store.h"
#include "support/sample.h"
#include "support/store.h"
#include "support/test.h"

#include <pthread.h>
#include <stdatomic.h>

enum { WRITERS = 6, EACH = 40, REFRESHERS = 2 };
#define HOUR_US INT64_C(3600000000)

static conv__arena arena;
static conv_error error;
static atomic_int writing;

/* What one thread does on a store of its own, and how it went. */
typedef struct worker {
    pthread_t thread;
    conv__store *store;
    const conv__exchange *exchanges[EACH];
    conv_error error;
    bool failed;
} worker;

/* The last three of ten are saved again, as after a lost answer. */
static void *write_all(void *argument)
{
    worker *self = argument;
    for (int i = 0; i < EACH && !self->failed; i++)
        for (int tries = i % 10 < 7 ? 1 : 2; tries > 0 && !self->failed; tries--)
            self->failed =
                contract_save(self->store, &self->exchanges[i], 1, NULL, &self->error) != CONV_OK;
    atomic_fetch_sub(&writing, 1);
    return NULL;
}

static conv_status refresh(conv__store *store, conv_error *failure)
{
    conv__transaction *transaction = NULL;
    conv__refresh step = {.rebuild = false};
    conv_status status = store->functions->begin(store, CONV__TRANSACTION_WRITE,
                                                 contract_deadline(), &transaction, failure);
    if (status != CONV_OK) return status;
    status = store->usage->functions->refresh(store->usage, transaction, &step, failure);
    if (status == CONV_OK) return store->functions->commit(transaction, failure);
    store->functions->rollback(transaction);
    return status;
}

static void *refresh_always(void *argument)
{
    worker *self = argument;
    while (atomic_load(&writing) > 0 && !self->failed)
        self->failed = refresh(self->store, &self->error) != CONV_OK;
    return NULL;
}

/* Gives the number of records at that moment. */
static int64_t assert_agrees(void)
{
    conv__store *store = contract_store();
    conv__reconciliation found = {0};
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_READ);
    assert_ok(
        store->usage->functions->reconcile(store->usage, transaction, 10, &arena, &found, &error),
        error);
    store->functions->rollback(transaction);
    if (found.list.count > 0) {
        const conv_difference *one = &found.list.differences[0];
        fail_msg("%s.%s: %s, not %s", one->relation.data, one->field.data, one->found.data,
                 one->wanted.data);
    }
    const conv_account_sums *ledger = &found.sums[CONV_ACCOUNT_LEDGER];
    for (int i = CONV_ACCOUNT_SUMMARY; i <= CONV_ACCOUNT_SESSIONS; i++) {
        assert_int_equal(found.sums[i].records, ledger->records);
        assert_int_equal(found.sums[i].total_tokens, ledger->total_tokens);
        assert_int_equal(conv_decimal_compare(found.sums[i].cost_usd, ledger->cost_usd), 0);
    }
    return ledger->records;
}

static void prepare(worker *self, int number)
{
    assert_ok(contract_open(&self->store, &error), error);
    for (int i = 0; i < EACH; i++) {
        char session[32];
        snprintf(session, sizeof session, "session %d", (number + i) % 5);
        conv__exchange *exchange = sample_exchange(&arena, session, "a", "b");
        exchange->usage.usage.created_us -= (i % 30) * HOUR_US;
        self->exchanges[i] = exchange;
    }
}

static void test_all_agree_while_many_save(void **state)
{
    (void)state;
    static worker workers[WRITERS + REFRESHERS];
    atomic_store(&writing, WRITERS);
    for (int i = 0; i < WRITERS + REFRESHERS; i++)
        prepare(&workers[i], i);
    for (int i = 0; i < WRITERS + REFRESHERS; i++)
        assert_int_equal(pthread_create(&workers[i].thread, NULL,
                                        i < WRITERS ? write_all : refresh_always, &workers[i]),
                         0);
    int64_t seen = 0;
    while (atomic_load(&writing) > 0) {
        int64_t records = assert_agrees();
        assert_true(records >= seen);
        seen = records;
    }
    for (int i = 0; i < WRITERS + REFRESHERS; i++)
        pthread_join(workers[i].thread, NULL);
    for (int i = 0; i < WRITERS + REFRESHERS; i++) {
        if (workers[i].failed)
            fail_msg("%s: %s", workers[i].error.action, workers[i].error.message);
        workers[i].store->functions->close(workers[i].store);
    }
    assert_ok(refresh(contract_store(), &error), error);
    assert_int_equal(assert_agrees(), WRITERS * EACH);
    /* By other SQL: the view itself, and nothing left to add. */
    assert_int_equal(contract_count("SELECT sum(count) FROM daily_usage_summary"), WRITERS * EACH);
    assert_int_equal(contract_count("SELECT sum(total_tokens) FROM daily_usage_summary"),
                     WRITERS * EACH * 15);
    assert_int_equal(contract_count("SELECT count(*) FROM usage_hourly_changes"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_agree_while_many_save)};
    int failures = RUN_TESTS_WITH("summary concurrency", tests, contract_setup, contract_teardown);
    conv__arena_reset(&arena);
    return failures;
}
