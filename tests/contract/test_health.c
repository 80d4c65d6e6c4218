/* Health through the public API, on either store: it says what is so, within one check, and leaves
 * no trace. */
#include "support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/lock_holder.h"
#include "support/program.h"
#include "support/store.h"

#define TAKE_AWAY  "ALTER TABLE chat_exchanges RENAME TO away"
#define BRING_BACK "ALTER TABLE away RENAME TO chat_exchanges"

/* The store saves, but what was saved can't be removed. */
#define FORBID_POSTGRES                                                                            \
    "CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS"                                   \
    " 'BEGIN RAISE EXCEPTION ''stopped''; END';"                                                   \
    "CREATE TRIGGER stop BEFORE DELETE ON chat_exchanges FOR EACH ROW EXECUTE FUNCTION stop()"
#define ALLOW_POSTGRES "DROP TRIGGER stop ON chat_exchanges; DROP FUNCTION stop()"
#define FORBID_SQLITE                                                                              \
    "CREATE TRIGGER stop BEFORE DELETE ON chat_exchanges BEGIN SELECT raise(ABORT, 'stopped'); "   \
    "END"
#define ALLOW_SQLITE "DROP TRIGGER stop"

enum { KEPT = 64 };

static conv_provider *echo;
static conv_client *client;
static conv_event told[KEPT];
static int told_count;
static pthread_mutex_t told_lock = PTHREAD_MUTEX_INITIALIZER;

static conv_status hear(void *context, const conv_event *event)
{
    (void)context;
    pthread_mutex_lock(&told_lock);
    if (told_count < KEPT) told[told_count] = *event;
    told_count++;
    pthread_mutex_unlock(&told_lock);
    return CONV_OK;
}

static void open_client(const char *journal, bool read_only)
{
    conv_error error;
    uint64_t number = 0;
    conv_client_params params = contract_client_params();
    conv_subscription_params subscription = CONV_SUBSCRIPTION_PARAMS_INIT;
    if (read_only) params.schema = CONV_SCHEMA_DEFAULT;
    params.provider = echo;
    params.journal = journal;
    params.read_only = read_only;
    params.context_messages = -1;
    client = contract_client_open(&params);
    subscription.handler = hear;
    assert_ok(conv_event_subscribe(client, &subscription, &number, &error), error);
    told_count = 0;
}

static int setup(void **state)
{
    conv_error error;
    if (contract_client_setup(state) != 0) return -1;
    assert_ok(conv_provider_echo(&echo, &error), error);
    open_client(NULL, false);
    return 0;
}

static int teardown(void **state)
{
    (void)conv_client_close(client, 30000, NULL);
    client = NULL;
    conv_provider_free(echo);
    return contract_client_teardown(state);
}

static bool is_sqlite(void)
{
    return strcmp(test_store_kind(), "sqlite") == 0;
}

static long rows(void)
{
    return strtol(contract_value("SELECT (SELECT count(*) FROM chat_sessions) +"
                                 " (SELECT count(*) FROM chat_exchanges) +"
                                 " (SELECT count(*) FROM chat_messages) +"
                                 " (SELECT count(*) FROM usage_logs)"),
                  NULL, 10);
}

static conv_status ask(conv_error *error)
{
    conv_reply *reply = NULL;
    conv_turn turn = CONV_TURN_INIT;
    turn.message = conv_text("my password is hunter2");
    conv_status status = conv_process_message(client, &turn, &reply, error);
    conv_reply_free(reply);
    return status;
}

static conv_health *read_health(void)
{
    conv_error error;
    conv_health *health = NULL;
    assert_ok(conv_health_read(client, NULL, &health, &error), error);
    return health;
}

static const conv_health_check *check_of(const conv_health *health, const char *name)
{
    for (size_t i = 0; i < conv_health_check_count(health); i++)
        if (strcmp(conv_health_check_at(health, i)->name, name) == 0)
            return conv_health_check_at(health, i);
    fail_msg("there is no check %s", name);
    return NULL;
}

static conv_health_state state_of(const char *name)
{
    conv_health *health = read_health();
    conv_health_state state = check_of(health, name)->state;
    conv_health_free(health);
    return state;
}

/* The event number `index` must be this change. */
static void assert_told(int index, const char *check, conv_health_state before,
                        conv_health_state now)
{
    assert_true(index < told_count);
    assert_int_equal(told[index].kind, CONV_EVENT_HEALTH_CHANGED);
    assert_string_equal(told[index].check, check);
    assert_int_equal(told[index].health_before, before);
    assert_int_equal(told[index].health, now);
}

static void a_check_saves_and_leaves_no_trace(void **state)
{
    (void)state;
    conv_error error;
    conv_save_latency latency;
    assert_ok(ask(&error), error);
    long before = rows();
    told_count = 0;
    for (int i = 0; i < 5; i++)
        assert_ok(conv_health_check_database_saves(client, 0, &latency, &error), error);
    assert_true(latency.write_us >= 0 && latency.read_us >= 0 && latency.remove_us >= 0);
    assert_int_equal(rows(), before);
    assert_int_equal(told_count, 0);
}

/* Of all tables but the schema's own. */
static long rows_of_all(void)
{
    char names[4096];
    char sql[256];
    long count = 0;
    snprintf(names, sizeof names, "%s",
             contract_value(is_sqlite() ? "SELECT group_concat(name, ' ') FROM sqlite_schema"
                                          " WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
                                          " AND name <> 'conversation_schema'"
                                        : "SELECT string_agg(tablename, ' ') FROM pg_tables"
                                          " WHERE schemaname = current_schema()"
                                          " AND tablename <> 'conversation_schema'"));
    for (char *name = strtok(names, " "); name != NULL; name = strtok(NULL, " ")) {
        snprintf(sql, sizeof sql, "SELECT count(*) FROM \"%s\"", name);
        count += strtol(contract_value(sql), NULL, 10);
    }
    return count;
}

static void after_a_refresh_no_table_has_anything_of_a_check(void **state)
{
    (void)state;
    conv_error error;
    assert_ok(ask(&error), error);
    assert_ok(conv_usage_refresh(client, NULL, NULL, &error), error);
    long before = rows_of_all();
    assert_true(before > 4);
    for (int i = 0; i < 2; i++)
        assert_ok(conv_health_check_database_saves(client, 0, NULL, &error), error);
    assert_ok(conv_usage_refresh(client, NULL, NULL, &error), error);
    assert_int_equal(rows_of_all(), before);
}

static void a_healthy_client_is_live_and_ready(void **state)
{
    (void)state;
    conv_health *health = read_health();
    assert_int_equal(conv_health_overall(health), CONV_HEALTH_OK);
    assert_true(conv_health_is_live(health));
    assert_true(conv_health_is_ready(health));
    assert_int_equal(conv_health_check_count(health), 7);
    assert_null(conv_health_check_at(health, 7));
    assert_int_equal(check_of(health, "schema")->state, CONV_HEALTH_OK);
    assert_int_equal(check_of(health, "provider")->state, CONV_HEALTH_OK);
    assert_int_equal(check_of(health, "journal")->state, CONV_HEALTH_UNKNOWN);
    assert_int_equal(check_of(health, "pool")->state,
                     is_sqlite() ? CONV_HEALTH_UNKNOWN : CONV_HEALTH_OK);
    conv_health_free(health);
    assert_int_equal(rows(), 0);
    assert_string_equal(contract_value("SELECT (SELECT count(*) FROM chat_deletions) +"
                                       " (SELECT count(*) FROM chat_search_queue)"),
                        "0");
    assert_int_equal(told_count, 0);
}

static void a_broken_store_is_seen_within_one_check_and_so_is_its_repair(void **state)
{
    (void)state;
    conv_error error;
    conv_metrics *metrics = NULL;
    for (int round = 0; round < 2; round++) {
        told_count = 0;
        contract_execute(TAKE_AWAY);
        conv_health *health = read_health();
        assert_int_equal(check_of(health, "database_saves")->state, CONV_HEALTH_FAILING);
        assert_int_equal(conv_health_overall(health), CONV_HEALTH_FAILING);
        assert_true(conv_health_is_live(health));
        assert_false(conv_health_is_ready(health));
        conv_health_free(health);
        assert_told(0, "database_saves", CONV_HEALTH_OK, CONV_HEALTH_FAILING);
        assert_told(1, "overall", CONV_HEALTH_OK, CONV_HEALTH_FAILING);
        assert_int_equal(state_of("database_saves"), CONV_HEALTH_FAILING); /* told once */
        assert_ok(conv_metrics_read(client, CONV_METRICS_PROMETHEUS, &metrics, &error), error);
        assert_contains(conv_metrics_text(metrics),
                        "\nconversation_health_ok{check=\"database_saves\"} 0\n");
        conv_metrics_free(metrics);
        contract_execute(BRING_BACK);
        health = read_health();
        assert_true(conv_health_is_ready(health));
        conv_health_free(health);
        assert_told(2, "database_saves", CONV_HEALTH_FAILING, CONV_HEALTH_OK);
        assert_told(3, "overall", CONV_HEALTH_FAILING, CONV_HEALTH_OK);
        assert_int_equal(told_count, 4);
        assert_int_equal(rows(), 0);
    }
}

static void the_single_check_says_why_and_tells_as_well(void **state)
{
    (void)state;
    conv_error error;
    conv_save_latency latency;
    contract_execute(TAKE_AWAY);
    conv_status status = conv_health_check_database_saves(client, 5000, &latency, &error);
    assert_int_not_equal(status, CONV_OK);
    assert_int_equal(error.status, status);
    assert_true(error.message[0] != '\0');
    assert_int_equal(latency.write_us, CONV_UNKNOWN);
    assert_told(0, "database_saves", CONV_HEALTH_OK, CONV_HEALTH_FAILING);
    contract_execute(BRING_BACK);
    assert_ok(conv_health_check_database_saves(client, 0, NULL, &error), error);
    assert_told(2, "database_saves", CONV_HEALTH_FAILING, CONV_HEALTH_OK);
}

static void what_could_not_be_removed_goes_with_the_next_check_or_the_client(void **state)
{
    (void)state;
    conv_error error;
    for (int round = 0; round < 2; round++) {
        contract_execute(is_sqlite() ? FORBID_SQLITE : FORBID_POSTGRES);
        assert_int_not_equal(conv_health_check_database_saves(client, 0, NULL, &error), CONV_OK);
        assert_int_equal(rows(), 5);
        /* It does not pile up. */
        assert_int_not_equal(conv_health_check_database_saves(client, 0, NULL, &error), CONV_OK);
        assert_int_equal(rows(), 5);
        contract_execute(is_sqlite() ? ALLOW_SQLITE : ALLOW_POSTGRES);
        if (round == 0)
            assert_ok(conv_health_check_database_saves(client, 0, NULL, &error), error);
        else
            contract_client_close(&client);
        assert_int_equal(rows(), 0);
    }
}

static void a_reader_is_not_asked_to_save(void **state)
{
    (void)state;
    conv_error error;
    if (!is_sqlite()) return;
    contract_client_close(&client);
    open_client(NULL, true);
    assert_status(conv_health_check_database_saves(client, 0, NULL, &error), CONV_STATE, error);
    conv_health *health = read_health();
    assert_int_equal(check_of(health, "database_saves")->state, CONV_HEALTH_UNKNOWN);
    assert_true(conv_health_is_ready(health));
    conv_health_free(health);
    assert_int_equal(told_count, 0);
}

static void a_journal_that_waits_too_long_is_degraded(void **state)
{
    (void)state;
    conv_error error;
    conv_health *health = NULL;
    conv_health_params params = CONV_HEALTH_PARAMS_INIT;
    contract_client_close(&client);
    open_client(contract_client_journal(), false);
    assert_int_equal(state_of("journal"), CONV_HEALTH_OK);
    contract_execute(TAKE_AWAY);
    assert_ok(ask(&error), error);
    params.journal_age_ms = 1;
    usleep(5000);
    assert_ok(conv_health_read(client, &params, &health, &error), error);
    assert_int_equal(check_of(health, "journal")->state, CONV_HEALTH_DEGRADED);
    assert_int_equal(check_of(health, "journal")->value, 1);
    assert_true(conv_health_is_live(health));
    conv_health_free(health);
    contract_execute(BRING_BACK);
    /* The test exchange never waits in the journal. */
    for (int i = 0; i < 2000 && state_of("journal") != CONV_HEALTH_OK; i++)
        usleep(10000);
    assert_int_equal(state_of("journal"), CONV_HEALTH_OK);
    contract_client_close(&client);
    assert_int_equal(rows(), 5);
}

static void wrong_calls_are_refused(void **state)
{
    (void)state;
    conv_error error;
    conv_health *health = NULL;
    conv_health_params params = CONV_HEALTH_PARAMS_INIT;
    assert_status(conv_health_check_database_saves(client, -1, NULL, &error), CONV_INVALID_ARGUMENT,
                  error);
    assert_status(conv_health_read(client, NULL, NULL, &error), CONV_INVALID_ARGUMENT, error);
    params.journal_age_ms = -1;
    assert_status(conv_health_read(client, &params, &health, &error), CONV_INVALID_ARGUMENT, error);
    assert_status(conv_health_read(NULL, NULL, &health, &error), CONV_INVALID_ARGUMENT, error);
    assert_null(health);
    conv_health_free(NULL);
    assert_string_equal(conv_health_state_name((conv_health_state)9), "unknown");
}

static void *check_for_long(void *context)
{
    conv_error error;
    (void)!conv_health_check_database_saves(client, 60000, NULL, &error);
    atomic_store((atomic_bool *)context, true);
    return NULL;
}

/* The other's check lasts until the store is let go, or a minute. */
static void waiting_for_another_check_counts_as_time(void **state)
{
    (void)state;
    conv_error error = CONV_ERROR_INIT;
    atomic_bool other_done = false;
    bool waited = false;
    pthread_t other;
    lock_holder holder = lock_holder_take(contract_client_url());
    assert_int_equal(pthread_create(&other, NULL, check_for_long, &other_done), 0);
    while (!waited && !atomic_load(&other_done)) {
        conv_status status = conv_health_check_database_saves(client, 1, NULL, &error);
        waited = status == CONV_TIMEOUT && strstr(error.message, "another check") != NULL;
    }
    bool other_was_done = atomic_load(&other_done);
    lock_holder_release(&holder);
    pthread_join(other, NULL);
    assert_true(waited);
    assert_false(other_was_done);
    assert_ok(conv_health_check_database_saves(client, 0, NULL, &error), error);
}

enum { THREADS = 16, ROUNDS = 6 };

static void *check_and_save(void *context)
{
    atomic_int *failures = context;
    for (int i = 0; i < ROUNDS; i++) {
        conv_error error;
        conv_health *health = NULL;
        conv_health_params params = CONV_HEALTH_PARAMS_INIT;
        params.timeout_ms = 120000;
        if (conv_health_read(client, &params, &health, &error) != CONV_OK ||
            !conv_health_is_ready(health) || ask(&error) != CONV_OK)
            atomic_fetch_add(failures, 1);
        conv_health_free(health);
    }
    return NULL;
}

static void sixteen_threads_check_and_save(void **state)
{
    (void)state;
    atomic_int failures = 0;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, check_and_save, &failures), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(failures, 0);
    assert_int_equal(rows(),
                     5 * THREADS * ROUNDS); /* a session, an exchange, two messages, usage */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_check_saves_and_leaves_no_trace),
        TEST(after_a_refresh_no_table_has_anything_of_a_check),
        TEST(a_healthy_client_is_live_and_ready),
        TEST(a_broken_store_is_seen_within_one_check_and_so_is_its_repair),
        TEST(the_single_check_says_why_and_tells_as_well),
        TEST(what_could_not_be_removed_goes_with_the_next_check_or_the_client),
        TEST(a_reader_is_not_asked_to_save),
        TEST(a_journal_that_waits_too_long_is_degraded),
        TEST(wrong_calls_are_refused),
        TEST(waiting_for_another_check_counts_as_time),
        TEST(sixteen_threads_check_and_save),
    };
    return RUN_TESTS("health", tests);
}
