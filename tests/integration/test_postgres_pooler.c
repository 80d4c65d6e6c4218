/* Through PgBouncer in transaction mode, where a connection belongs to us for one transaction. */
#include "support/pooler.h"
#include "support/postgres.h"
#include "support/sample.h"
#include "support/test.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/time.h"
#include "repositories/chat.h"

enum { SERVER_CONNECTIONS = 3, THREADS = 8, EACH = 25 };

static const char *pooler;
static PGconn *beside;
static conv_error error;

typedef struct writer {
    pthread_t thread;
    conv__store *store;
    int number;
    int retries;
    conv_error error;
} writer;

static int setup(void **state)
{
    if (postgres_setup(state) != 0) return -1;
    pooler = pooler_start(postgres_url(), "transaction", SERVER_CONNECTIONS);
    beside = postgres_link();
    return 0;
}

static int teardown(void **state)
{
    PQfinish(beside);
    pooler_stop();
    return postgres_teardown(state);
}

static conv_status save_once(writer *self, const conv__exchange *exchange)
{
    conv__save_result result;
    conv__transaction *transaction = NULL;
    conv__store *store = self->store;
    conv_status status = store->functions->begin(
        store, CONV__TRANSACTION_WRITE, conv__deadline_in_ms(20000), &transaction, &self->error);
    if (status != CONV_OK) return status;
    status =
        store->chat->functions->save(store->chat, transaction, &exchange, 1, &result, &self->error);
    if (status == CONV_OK) return store->functions->commit(transaction, &self->error);
    store->functions->rollback(transaction);
    return status;
}

static conv_status read_once(writer *self, conv_uuid session_id, conv__arena *arena)
{
    conv__turn_state turn;
    conv__turn_query query = {.session_id = session_id, .context_limit = 10};
    conv__transaction *transaction = NULL;
    conv__store *store = self->store;
    query.exchange_id = conv_uuid_v7();
    conv_status status = store->functions->begin(
        store, CONV__TRANSACTION_READ, conv__deadline_in_ms(20000), &transaction, &self->error);
    if (status != CONV_OK) return status;
    status = store->chat->functions->read_turn(store->chat, transaction, &query, arena, &turn,
                                               &self->error);
    store->functions->rollback(transaction);
    return status;
}

/* As the writer does: again, where the error says that this helps. */
static void *save_and_read(void *argument)
{
    writer *self = argument;
    conv__arena arena = {NULL};
    for (int i = 0; i < EACH; i++) {
        char session[16];
        snprintf(session, sizeof session, "session %d", i % 3);
        const conv__exchange *exchange = sample_exchange(&arena, session, "question", "answer");
        conv_status status = save_once(self, exchange);
        while (status != CONV_OK && self->error.recovery == CONV_RECOVERY_RETRY &&
               self->retries < 50) {
            self->retries++;
            status = save_once(self, exchange);
        }
        if (status == CONV_OK) status = read_once(self, exchange->session.session_id, &arena);
        if (status != CONV_OK) break;
        self->error = (conv_error)CONV_ERROR_INIT;
    }
    conv__arena_reset(&arena);
    return NULL;
}

static int run_all(conv__store *store)
{
    static writer writers[THREADS];
    int retries = 0;
    memset(writers, 0, sizeof writers);
    postgres_execute(beside, "TRUNCATE chat_sessions, chat_exchanges, chat_messages, usage_logs,"
                             " chat_sessions_summary");
    for (int i = 0; i < THREADS; i++) {
        writers[i].store = store;
        writers[i].number = i;
        assert_int_equal(pthread_create(&writers[i].thread, NULL, save_and_read, &writers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(writers[i].thread, NULL);
    for (int i = 0; i < THREADS; i++) {
        if (writers[i].error.status != CONV_OK)
            fail_msg("%s: %s [%s]", writers[i].error.action, writers[i].error.message,
                     writers[i].error.sqlstate);
        retries += writers[i].retries;
    }
    assert_int_equal(postgres_number(beside, "SELECT count(*) FROM chat_messages"),
                     2 * THREADS * EACH);
    assert_int_equal(postgres_number(beside, "SELECT count(*) FROM usage_logs"), THREADS * EACH);
    return retries;
}

static void with_the_setting_nothing_goes_wrong(void **state)
{
    (void)state;
    conv__postgres_params params = {.connection = pooler, .connections = THREADS, .pooler = true};
    conv__store *store = postgres_open(&params);
    conv_schema_state schema;
    assert_ok(store->functions->migrate(store, conv__deadline_in_ms(20000), &schema, &error),
              error);
    assert_int_equal(run_all(store), 0);
    store->functions->close(store);
}

/* Without it named statements get lost and found; the store notices and goes without. */
static void without_the_setting_it_is_found_out(void **state)
{
    (void)state;
    conv__postgres_params params = {.connection = pooler, .connections = THREADS};
    conv__store *store = postgres_open(&params);
    /* On a slow machine a few connections may do all the work, each always finding its own server
     * connection: that store will never notice. What it left there is in the way of the next one.
     */
    int retries = run_all(store);
    for (int round = 0; round < 5 && retries == 0; round++) {
        store->functions->close(store);
        store = postgres_open(&params);
        retries = run_all(store);
    }
    assert_true(retries > 0);
    assert_int_equal(run_all(store), 0);
    store->functions->close(store);
}

/* PgBouncer has one SQLSTATE for all that it does not like. */
static void what_the_pooler_refuses(void **state)
{
    (void)state;
    char connection[512];
    conv__store *store = NULL;
    snprintf(connection, sizeof connection, "%s dbname=not_there", pooler);
    conv__postgres_params params = {.connection = connection};
    assert_status(conv__postgres_store_open(&params, &store, &error), CONV_UNAVAILABLE, error);
    assert_string_equal(error.sqlstate, "08P01");
    assert_int_equal(error.recovery, CONV_RECOVERY_BACKOFF);
    assert_non_null(strstr(error.message, "a pooler between may have refused"));
    assert_null(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_the_setting_nothing_goes_wrong),
        cmocka_unit_test(without_the_setting_it_is_found_out),
        cmocka_unit_test(what_the_pooler_refuses),
    };
    return RUN_TESTS_WITH("postgres pooler", tests, setup, teardown);
}
