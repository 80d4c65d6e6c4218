/* Transactions of the PostgreSQL store, and what it does about connections that die under it. */
#include "support/postgres.h"
#include "support/test.h"

#include "core/time.h"
#include "repositories/chat.h"
#include "repositories/postgres/transaction.h"
#include "repositories/rows.h"

static conv_error error;
static conv__store *store;
static PGconn *beside;
static conv__arena arena;

static int setup_each(void **state)
{
    (void)state;
    conv__postgres_params params = {
        .connection = postgres_url(), .application = "conversation store", .connections = 1};
    beside = postgres_link();
    postgres_execute(beside, "TRUNCATE chat_users, chat_sessions, chat_exchanges, chat_messages,"
                             " usage_logs, chat_sessions_summary");
    store = postgres_open(&params);
    error = (conv_error)CONV_ERROR_INIT;
    return 0;
}

static int teardown_each(void **state)
{
    (void)state;
    store->functions->close(store);
    PQfinish(beside);
    conv__arena_reset(&arena);
    return 0;
}

static conv__transaction *begin(conv__transaction_mode mode)
{
    conv__transaction *transaction = NULL;
    assert_ok(
        store->functions->begin(store, mode, conv__deadline_in_ms(10000), &transaction, &error),
        error);
    return transaction;
}

static conv__session_row session_row(const char *id)
{
    conv__session_row row;
    assert_ok(conv__session_to_row(&arena, conv_text(id), conv_text("user"), conv_text("title"),
                                   conv_text(NULL), &row, &error),
              error);
    row.created_us = 1700000000000000;
    return row;
}

static conv_status create(conv__transaction *transaction, const conv__session_row *row)
{
    return store->chat->functions->create_session(store->chat, transaction, row, &error);
}

static conv_status read(conv__transaction *transaction, const conv__session_row *row)
{
    conv__session_list list;
    return store->chat->functions->read_session(store->chat, transaction, row->session_id, &arena,
                                                &list, &error);
}

static void end_backends(void)
{
    postgres_execute(beside, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                             " WHERE application_name = 'conversation store'"
                             " AND datname = current_database()");
}

static long sessions(void)
{
    return postgres_number(beside, "SELECT count(*) FROM chat_sessions");
}

static void a_read_is_repeated_on_a_new_connection(void **state)
{
    (void)state;
    conv__session_row row = session_row("one");
    conv__transaction *transaction = begin(CONV__TRANSACTION_WRITE);
    assert_ok(create(transaction, &row), error);
    assert_ok(store->functions->commit(transaction, &error), error);
    transaction = begin(CONV__TRANSACTION_READ);
    assert_ok(read(transaction, &row), error);
    end_backends();
    assert_ok(read(transaction, &row), error);
    store->functions->rollback(transaction);
    conv__postgres_gauges gauges = conv__postgres_store_gauges(store);
    assert_int_equal(gauges.limit, 1);
    assert_int_equal(gauges.open, 1);
    assert_int_equal(gauges.idle, 1);
    assert_int_equal(gauges.waiting, 0);
}

static void a_write_is_not_repeated_but_can_be(void **state)
{
    (void)state;
    conv__session_row row = session_row("one");
    conv__transaction *transaction = begin(CONV__TRANSACTION_WRITE);
    assert_ok(create(transaction, &row), error);
    end_backends();
    assert_status(store->functions->commit(transaction, &error), CONV_UNAVAILABLE, error);
    assert_int_equal(error.recovery, CONV_RECOVERY_RETRY);
    assert_true(error.outcome_unknown);
    assert_int_equal(sessions(), 0);
    transaction = begin(CONV__TRANSACTION_WRITE);
    assert_ok(create(transaction, &row), error);
    assert_ok(store->functions->commit(transaction, &error), error);
    assert_int_equal(sessions(), 1);
}

static void a_dead_idle_connection_is_not_noticed(void **state)
{
    (void)state;
    end_backends();
    conv__session_row row = session_row("one");
    conv__transaction *transaction = begin(CONV__TRANSACTION_WRITE);
    assert_ok(create(transaction, &row), error);
    assert_ok(store->functions->commit(transaction, &error), error);
    assert_int_equal(sessions(), 1);
}

static void a_rollback_leaves_nothing(void **state)
{
    (void)state;
    conv__session_row row = session_row("one");
    conv__transaction *transaction = begin(CONV__TRANSACTION_WRITE);
    assert_ok(create(transaction, &row), error);
    /* A question sends what is queued, and sees it. */
    assert_ok(read(transaction, &row), error);
    store->functions->rollback(transaction);
    assert_int_equal(sessions(), 0);
    store->functions->rollback(NULL);
    transaction = begin(CONV__TRANSACTION_READ);
    assert_status(read(transaction, &row), CONV_NOT_FOUND, error);
    store->functions->rollback(transaction);
}

static void nothing_to_commit(void **state)
{
    (void)state;
    assert_ok(store->functions->commit(begin(CONV__TRANSACTION_WRITE), &error), error);
    assert_ok(store->functions->commit(begin(CONV__TRANSACTION_READ), &error), error);
}

/* What follows a failure must not be committed as if it had not happened. */
static void after_a_failure_nothing_commits(void **state)
{
    (void)state;
    conv__session_row row = session_row("one");
    conv__session_row other = session_row("two");
    row.created_us = INT64_MIN; /* no moment that a store holds */
    conv__transaction *transaction = begin(CONV__TRANSACTION_WRITE);
    assert_ok(create(transaction, &row), error);
    assert_status(read(transaction, &row), CONV_BAD_DATA, error);
    assert_ok(create(transaction, &other), error);
    assert_status(read(transaction, &other), CONV_BAD_DATA, error);
    assert_status(store->functions->commit(transaction, &error), CONV_BAD_DATA, error);
    assert_int_equal(error.recovery, CONV_RECOVERY_REJECT);
    assert_int_equal(sessions(), 0);
}

static void a_failed_question_spoils_no_other(void **state)
{
    (void)state;
    conv__session_row row = session_row("one");
    conv__transaction *transaction = begin(CONV__TRANSACTION_WRITE);
    assert_ok(create(transaction, &row), error);
    assert_ok(store->functions->commit(transaction, &error), error);
    postgres_execute(beside, "UPDATE chat_sessions SET originals = '\\x0109'");
    transaction = begin(CONV__TRANSACTION_READ);
    assert_status(read(transaction, &row), CONV_BAD_DATA, error);
    postgres_execute(beside, "UPDATE chat_sessions SET originals = NULL");
    assert_ok(read(transaction, &row), error);
    store->functions->rollback(transaction);
}

/* A batch beyond what one message of the protocol holds is refused before it is sent, and so is a
 * statement that got too few parameters. */
static void what_can_not_be_sent(void **state)
{
    (void)state;
    static const conv__statement statement = {"test", "test", 1, false, "SELECT $1::int8"};
    conv__parameters parameters = {.too_large = true};
    conv__transaction *transaction = begin(CONV__TRANSACTION_WRITE);
    assert_status(conv__postgres_queue(transaction, &statement, &parameters, NULL, NULL, &error),
                  CONV_LIMIT, error);
    assert_int_equal(error.recovery, CONV_RECOVERY_REJECT);
    assert_status(store->functions->commit(transaction, &error), CONV_LIMIT, error);
    transaction = begin(CONV__TRANSACTION_WRITE);
    parameters = (conv__parameters){.count = 0};
    assert_status(conv__postgres_queue(transaction, &statement, &parameters, NULL, NULL, &error),
                  CONV_INTERNAL, error);
    store->functions->rollback(transaction);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup_each, teardown_each)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_read_is_repeated_on_a_new_connection),
        TEST(a_write_is_not_repeated_but_can_be),
        TEST(a_dead_idle_connection_is_not_noticed),
        TEST(a_rollback_leaves_nothing),
        TEST(nothing_to_commit),
        TEST(after_a_failure_nothing_commits),
        TEST(a_failed_question_spoils_no_other),
        TEST(what_can_not_be_sent),
    };
    return RUN_TESTS_WITH("postgres store", tests, postgres_setup, postgres_teardown);
}
