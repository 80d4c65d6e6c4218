/* One round trip to the server: what is acknowledged, and what is known after a failure. */
#include "support/postgres.h"
#include "support/test.h"

#include <stdlib.h>

#include "core/time.h"
#include "db/postgres/libpq.h"
#include "db/postgres/pipeline.h"
#include "db/postgres/session.h"

enum {
    INSERT,
    INSERT_ONCE_CHECKED,
    COUNT,
    END_BACKEND,
    DIVIDE,
    FORGET,
    WIDEN,
    ALL,
    RAISE,
    REPEAT,
};

static const conv__statement statements[] = {
    [INSERT] = {"test_insert", "insert thing", 2, false,
                "INSERT INTO things VALUES ($1::int8, $2::text)"},
    [INSERT_ONCE_CHECKED] = {"test_deferred", "insert deferred", 1, false,
                             "INSERT INTO deferred VALUES ($1::int8)"},
    [COUNT] = {"test_count", "count things", 0, false, "SELECT count(*) FROM things"},
    [END_BACKEND] = {"test_end", "end backend", 0, false,
                     "SELECT pg_terminate_backend(pg_backend_pid())"},
    [DIVIDE] = {"test_divide", "divide", 0, false, "SELECT 1 / 0"},
    [FORGET] = {"test_forget", "forget", 0, true, "DEALLOCATE ALL"},
    [WIDEN] = {"test_widen", "widen", 0, true, "ALTER TABLE wide ADD COLUMN more int8"},
    [ALL] = {"test_all", "read wide", 0, false, "SELECT * FROM wide"},
    [RAISE] = {"test_raise", "raise", 0, false,
               "DO $$ BEGIN RAISE EXCEPTION 'the reason' USING ERRCODE = 'P0001'; END $$"},
    [REPEAT] = {"test_repeat", "repeat", 0, false, "SELECT repeat('y', 20000000)"},
};

static const conv__bracket alone = {CONV__BEGIN_NOT, false};
static const conv__bracket whole = {CONV__BEGIN_WRITE, true};
static const conv__bracket opened = {CONV__BEGIN_WRITE, false};
static const conv__bracket closed = {CONV__BEGIN_NOT, true};

static conv_error error;
static conv__connection *connection;
static PGconn *beside;
static conv__operation operations[8];
static size_t operation_count;

static void forget_operations(void)
{
    for (size_t i = 0; i < operation_count; i++)
        conv__parameters_free(&operations[i].parameters);
    operation_count = 0;
}

static conv__operation *add(int which)
{
    conv__operation *one = &operations[operation_count++];
    *one = (conv__operation){.statement = &statements[which]};
    if (operation_count > 1) operations[operation_count - 2].next = one;
    return one;
}

static void add_insert(int64_t id, conv_bytes note)
{
    conv__operation *insert = add(INSERT);
    conv__parameter_int8(&insert->parameters, id);
    conv__parameter_bytes(&insert->parameters, note);
}

static conv_status run_within(conv__bracket bracket, int64_t timeout_ms)
{
    error = (conv_error)CONV_ERROR_INIT;
    conv_status status =
        conv__pipeline_run(connection, operation_count == 0 ? NULL : operations, bracket, "test",
                           conv__deadline_in_ms(timeout_ms), &error);
    forget_operations();
    return status;
}

static conv_status run(conv__bracket bracket)
{
    return run_within(bracket, 10000);
}

static conv_status receive_count(void *context, const conv__result *result, conv_error *failure)
{
    (void)failure;
    conv__reader reader = conv__reader_at(result, 0, NULL);
    *(int64_t *)context = conv__next_int8(&reader);
    return reader.status;
}

static long things(void)
{
    return postgres_number(beside, "SELECT count(*) FROM things");
}

static int setup_each(void **state)
{
    (void)state;
    beside = postgres_link();
    postgres_execute(beside, "SET client_min_messages = error; "
                             "DROP TABLE IF EXISTS things, deferred, wide");
    postgres_execute(beside, "CREATE TABLE things (id int8 PRIMARY KEY, note text)");
    postgres_execute(beside,
                     "CREATE TABLE deferred (id int8 UNIQUE DEFERRABLE INITIALLY DEFERRED)");
    postgres_execute(beside, "CREATE TABLE wide (id int8)");
    connection = postgres_connect();
    atomic_store(connection->unnamed, false);
    return 0;
}

static int teardown_each(void **state)
{
    (void)state;
    conv__connection_close(connection);
    PQfinish(beside);
    return 0;
}

static void a_transaction_is_one_round_trip(void **state)
{
    (void)state;
    char *trace = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&trace, &size);
    PQtrace(connection->link, file);
    add_insert(1, conv_text("one"));
    add_insert(2, conv_text(NULL));
    assert_ok(run(whole), error);
    PQuntrace(connection->link);
    fclose(file);
    assert_int_equal(things(), 2);
    size_t syncs = 0;
    for (const char *at = trace; (at = strstr(at, "\tSync\n")) != NULL; at++)
        syncs++;
    assert_int_equal(syncs, 1);
    assert_non_null(strstr(trace, "\"BEGIN ISOLATION LEVEL READ COMMITTED\""));
    assert_non_null(strstr(trace, "\"COMMIT\""));
    free(trace);
}

static void rows_reach_the_receiver(void **state)
{
    (void)state;
    int64_t counted = -5;
    add_insert(1, conv_text("one"));
    conv__operation *count = add(COUNT);
    count->receive = receive_count;
    count->context = &counted;
    assert_ok(run(whole), error);
    assert_int_equal(counted, 1);
}

static void an_error_leaves_nothing(void **state)
{
    (void)state;
    add_insert(1, conv_text("one"));
    add_insert(1, conv_text("again"));
    add_insert(2, conv_text("two"));
    assert_status(run(whole), CONV_BAD_DATA, error);
    assert_string_equal(error.sqlstate, "23505");
    assert_string_equal(error.action, "insert thing");
    assert_int_equal(error.recovery, CONV_RECOVERY_REJECT);
    assert_false(error.outcome_unknown);
    assert_false(connection->broken);
    assert_int_equal(PQtransactionStatus(connection->link), PQTRANS_IDLE);
    assert_int_equal(things(), 0);
    add_insert(1, conv_text("one"));
    assert_ok(run(whole), error);
    assert_int_equal(things(), 1);
}

/* The server would answer OK to a COMMIT of what it has rolled back; what goes before it fails. */
static void commit_of_an_aborted_transaction_is_no_success(void **state)
{
    (void)state;
    PQexitPipelineMode(connection->link);
    postgres_execute(connection->link, "BEGIN; INSERT INTO things VALUES (1, 'one')");
    PGresult *result = PQexec(connection->link, "SELECT 1 / 0");
    assert_int_equal(PQresultStatus(result), PGRES_FATAL_ERROR);
    PQclear(result);
    PQenterPipelineMode(connection->link);
    assert_status(run(closed), CONV_UNAVAILABLE, error);
    assert_string_equal(error.sqlstate, "25P02");
    assert_int_equal(error.recovery, CONV_RECOVERY_RETRY);
    assert_false(error.outcome_unknown);
    assert_int_equal(things(), 0);
}

/* An insert that was answered is not yet there. */
static void an_error_at_the_commit(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        conv__parameter_int8(&add(INSERT_ONCE_CHECKED)->parameters, 7);
    assert_status(run(whole), CONV_BAD_DATA, error);
    assert_string_equal(error.sqlstate, "23505");
    assert_false(error.outcome_unknown);
    assert_false(connection->broken);
    assert_int_equal(postgres_number(beside, "SELECT count(*) FROM deferred"), 0);
}

/* The Sync is never answered after a FATAL. */
static void a_fatal_before_the_commit(void **state)
{
    (void)state;
    add_insert(1, conv_text("one"));
    add(END_BACKEND);
    assert_status(run(whole), CONV_UNAVAILABLE, error);
    assert_string_equal(error.sqlstate, "57P01");
    assert_int_equal(error.recovery, CONV_RECOVERY_RETRY);
    assert_true(error.outcome_unknown);
    assert_true(connection->broken);
    assert_int_equal(things(), 0);
}

static void a_fatal_without_commit_is_known(void **state)
{
    (void)state;
    add_insert(1, conv_text("one"));
    add(END_BACKEND);
    assert_status(run(opened), CONV_UNAVAILABLE, error);
    assert_false(error.outcome_unknown);
    assert_true(connection->broken);
}

/* Its last word reaches only the notice receiver. */
static void a_fatal_while_idle(void **state)
{
    (void)state;
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d, 5000)",
             PQbackendPID(connection->link));
    postgres_execute(beside, sql);
    assert_status(run(alone), CONV_UNAVAILABLE, error);
    assert_string_equal(error.sqlstate, "57P01");
    assert_true(connection->broken);
    assert_false(conv__connection_is_alive(connection));
}

static void a_deadline_while_somebody_holds_a_lock(void **state)
{
    (void)state;
    char waiting[160];
    snprintf(waiting, sizeof waiting, "SELECT count(*) FROM pg_stat_activity WHERE pid = %d",
             PQbackendPID(connection->link));
    PGconn *watcher = postgres_link();
    assert_ok(conv__session_settle(connection, &error), error);
    postgres_execute(beside, "BEGIN; LOCK TABLE things");
    add_insert(1, conv_text("one"));
    assert_status(run_within(whole, 50), CONV_TIMEOUT, error);
    assert_true(error.outcome_unknown);
    assert_int_equal(error.recovery, CONV_RECOVERY_RETRY);
    assert_true(connection->broken);
    /* Nobody stays behind in the server, though the lock is held on. */
    conv__connection_close(connection);
    connection = NULL;
    assert_true(postgres_becomes(watcher, waiting, 0));
    PQfinish(watcher);
    postgres_execute(beside, "COMMIT");
    assert_int_equal(things(), 0);
}

static void a_deadline_that_has_passed(void **state)
{
    (void)state;
    add_insert(1, conv_text("one"));
    assert_status(run_within(whole, 0), CONV_TIMEOUT, error);
    assert_false(error.outcome_unknown);
    assert_false(connection->broken);
    assert_int_equal(things(), 0);
    add_insert(1, conv_text("one"));
    assert_ok(run(opened), error);
    assert_status(run_within(closed, 0), CONV_TIMEOUT, error);
    assert_int_equal(PQtransactionStatus(connection->link), PQTRANS_IDLE);
    assert_int_equal(things(), 0);
}

static void a_transaction_in_two_steps(void **state)
{
    (void)state;
    int64_t counted = 0;
    add_insert(1, conv_text("one"));
    assert_ok(run(opened), error);
    assert_int_equal(things(), 0);
    conv__operation *count = add(COUNT);
    count->receive = receive_count;
    count->context = &counted;
    assert_ok(run(alone), error);
    assert_int_equal(counted, 1);
    add_insert(2, conv_text("two"));
    assert_ok(run(closed), error);
    assert_int_equal(things(), 2);

    add_insert(3, conv_text("three"));
    assert_ok(run(opened), error);
    conv__pipeline_rollback(connection);
    assert_false(connection->broken);
    assert_int_equal(PQtransactionStatus(connection->link), PQTRANS_IDLE);
    assert_int_equal(things(), 2);

    add_insert(4, conv_text("four"));
    assert_ok(run(opened), error);
    add(DIVIDE);
    assert_status(run(alone), CONV_BAD_DATA, error);
    assert_int_equal(PQtransactionStatus(connection->link), PQTRANS_IDLE);
    assert_int_equal(things(), 2);
}

static int64_t prepared_count(void)
{
    static const conv__statement count = {"test_prepared", "count prepared", 0, true,
                                          "SELECT count(*) FROM pg_prepared_statements"};
    int64_t counted = -1;
    conv__operation ask = {.statement = &count, .receive = receive_count, .context = &counted};
    assert_ok(
        conv__pipeline_run(connection, &ask, alone, "test", conv__deadline_in_ms(5000), &error),
        error);
    return counted;
}

static void statements_are_prepared_once(void **state)
{
    (void)state;
    assert_int_equal(prepared_count(), 0);
    for (int64_t id = 1; id <= 3; id++) {
        add_insert(2 * id, conv_text("even"));
        add_insert(2 * id + 1, conv_text("odd"));
        assert_ok(run(whole), error);
        assert_int_equal(prepared_count(), 3); /* with BEGIN and COMMIT */
    }
    assert_int_equal(things(), 6);
}

static void nothing_is_prepared_for_a_pooler(void **state)
{
    (void)state;
    atomic_store(connection->unnamed, true);
    add_insert(1, conv_text("one"));
    assert_ok(run(whole), error);
    assert_int_equal(prepared_count(), 0);
    assert_int_equal(things(), 1);
}

/* A pooler gave the connection to somebody else: named statements are not to be relied on. */
static void statements_that_are_gone(void **state)
{
    (void)state;
    add_insert(1, conv_text("one"));
    assert_ok(run(whole), error);
    add(FORGET);
    assert_ok(run(alone), error);
    add_insert(2, conv_text("two"));
    assert_status(run(whole), CONV_UNAVAILABLE, error);
    assert_string_equal(error.sqlstate, "26000");
    assert_int_equal(error.recovery, CONV_RECOVERY_RETRY);
    assert_true(atomic_load(connection->unnamed));
    assert_false(connection->broken);
    add_insert(2, conv_text("two"));
    assert_ok(run(whole), error);
    assert_int_equal(things(), 2);
}

static void statements_that_are_there_already(void **state)
{
    (void)state;
    add_insert(1, conv_text("one"));
    assert_ok(run(whole), error);
    connection->prepared_count = 0;
    add_insert(2, conv_text("two"));
    assert_status(run(whole), CONV_UNAVAILABLE, error);
    assert_string_equal(error.sqlstate, "42P05");
    assert_true(atomic_load(connection->unnamed));
    add_insert(2, conv_text("two"));
    assert_ok(run(whole), error);
    assert_int_equal(things(), 2);
}

static void a_plan_that_became_stale(void **state)
{
    (void)state;
    add(ALL);
    assert_ok(run(alone), error);
    add(WIDEN);
    assert_ok(run(alone), error);
    add(ALL);
    assert_status(run(alone), CONV_UNAVAILABLE, error);
    assert_string_equal(error.sqlstate, "0A000");
    assert_int_equal(error.recovery, CONV_RECOVERY_RETRY);
    assert_true(connection->broken);
}

/* No text of a message comes out with the error. */
static void what_the_server_refuses_is_not_shown(void **state)
{
    (void)state;
    add_insert(1, conv_text("secret \xff words"));
    assert_status(run(whole), CONV_BAD_DATA, error);
    assert_string_equal(error.sqlstate, "22021");
    assert_int_equal(error.recovery, CONV_RECOVERY_REJECT);
    assert_null(strstr(error.message, "secret"));
    add(RAISE);
    assert_status(run(whole), CONV_BAD_DATA, error);
    assert_string_equal(error.sqlstate, "P0001");
    assert_null(strstr(error.message, "the reason"));
    assert_non_null(strstr(error.message, "P0001"));
}

static conv_status refuse(void *context, const conv__result *result, conv_error *failure)
{
    (void)context;
    (void)result;
    (void)failure;
    return CONV_NO_MEMORY;
}

/* The transaction is committed then, and the caller must not think that it is not. */
static void a_receiver_that_fails(void **state)
{
    (void)state;
    add_insert(1, conv_text("one"));
    add(COUNT)->receive = refuse;
    assert_status(run(whole), CONV_NO_MEMORY, error);
    assert_true(error.outcome_unknown);
    assert_string_equal(error.action, "count things");
    assert_false(connection->broken);
    assert_int_equal(things(), 1);
}

static conv_status receive_length(void *context, const conv__result *result, conv_error *failure)
{
    (void)failure;
    conv__arena arena = {NULL};
    conv__reader reader = conv__reader_at(result, 0, &arena);
    *(size_t *)context = conv__next_bytes(&reader).size;
    conv__arena_reset(&arena);
    return reader.status;
}

/* Both sides write more than their buffers hold: whoever does not read meanwhile waits for ever. */
static void both_sides_send_much(void **state)
{
    (void)state;
    size_t length = 0;
    size_t size = 20000000;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, 'x', size);
    conv__operation *repeat = add(REPEAT);
    repeat->receive = receive_length;
    repeat->context = &length;
    add_insert(1, conv_view(text, size));
    assert_ok(run_within(whole, 60000), error);
    assert_int_equal(length, 20000000);
    assert_int_equal(postgres_number(beside, "SELECT length(note) FROM things"), 20000000);
    free(text);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup_each, teardown_each)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_transaction_is_one_round_trip),
        TEST(rows_reach_the_receiver),
        TEST(an_error_leaves_nothing),
        TEST(commit_of_an_aborted_transaction_is_no_success),
        TEST(an_error_at_the_commit),
        TEST(a_fatal_before_the_commit),
        TEST(a_fatal_without_commit_is_known),
        TEST(a_fatal_while_idle),
        TEST(a_deadline_while_somebody_holds_a_lock),
        TEST(a_deadline_that_has_passed),
        TEST(a_transaction_in_two_steps),
        TEST(statements_are_prepared_once),
        TEST(nothing_is_prepared_for_a_pooler),
        TEST(statements_that_are_gone),
        TEST(statements_that_are_there_already),
        TEST(a_plan_that_became_stale),
        TEST(what_the_server_refuses_is_not_shown),
        TEST(a_receiver_that_fails),
        TEST(both_sides_send_much),
    };
    return RUN_TESTS_WITH("postgres pipeline", tests, postgres_setup_empty, postgres_teardown);
}
