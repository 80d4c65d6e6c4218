/* Who may use an SQLite store when: threads, processes, deadlines, and other programs. */
#include "support/test.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "core/time.h"
#include "db/sqlite/lease.h"
#include "repositories/chat.h"
#include "repositories/sqlite/store.h"
#include "repositories/usage.h"
#include "support/sample.h"

static char folder[64];
static char path[128];
static conv_error error;
static conv__store *store;

static conv_status open_store(conv__store **opened, conv_error *details)
{
    const conv__sqlite_params params = {.path = path, .create = true};
    return conv__sqlite_store_open(&params, false, opened, details);
}

static int setup(void **state)
{
    (void)state;
    conv_schema_state schema;
    error = (conv_error)CONV_ERROR_INIT;
    snprintf(folder, sizeof folder, "/tmp/conversation-locks-XXXXXX");
    if (mkdtemp(folder) == NULL) return -1;
    snprintf(path, sizeof path, "%s/store.db", folder);
    if (open_store(&store, &error) != CONV_OK) return -1;
    return store->functions->migrate(store, conv__deadline_in_ms(10000), &schema, &error);
}

static int teardown(void **state)
{
    (void)state;
    char command[128];
    store->functions->close(store);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static conv_status begin(conv__store *which, conv__transaction_mode mode, int timeout_ms,
                         conv__transaction **transaction)
{
    return which->functions->begin(which, mode, conv__deadline_in_ms(timeout_ms), transaction,
                                   &error);
}

/* Arrivals are let in one by one, and each remembers when its turn came. */
typedef struct arrival {
    pthread_t thread;
    conv__lease *lease;
    atomic_int *served;
    int turn;
} arrival;

static void *wait_for_lease(void *argument)
{
    arrival *self = argument;
    if (!conv__lease_acquire(self->lease, CONV__NO_DEADLINE)) return NULL;
    self->turn = atomic_fetch_add(self->served, 1);
    conv__lease_release(self->lease);
    return NULL;
}

static int queue_length(conv__lease *lease)
{
    int count = 0;
    pthread_mutex_lock(&lease->mutex);
    for (void *next = lease->first; next != NULL; next = *(void **)next)
        count++;
    pthread_mutex_unlock(&lease->mutex);
    return count;
}

static void test_a_lease_is_given_in_order_of_arrival(void **state)
{
    (void)state;
    enum { ARRIVALS = 8 };
    arrival arrivals[ARRIVALS] = {0};
    atomic_int served = 0;
    conv__lease lease;
    assert_true(conv__lease_init(&lease));
    assert_true(conv__lease_acquire(&lease, 0));
    for (int i = 0; i < ARRIVALS; i++) {
        arrivals[i].lease = &lease;
        arrivals[i].served = &served;
        assert_int_equal(pthread_create(&arrivals[i].thread, NULL, wait_for_lease, &arrivals[i]),
                         0);
        while (queue_length(&lease) <= i)
            usleep(100);
    }
    /* One in a hurry gives up and leaves the others as they were. */
    assert_false(conv__lease_acquire(&lease, conv__deadline_in_ms(5)));
    assert_int_equal(queue_length(&lease), ARRIVALS);
    conv__lease_release(&lease);
    for (int i = 0; i < ARRIVALS; i++) {
        pthread_join(arrivals[i].thread, NULL);
        assert_int_equal(arrivals[i].turn, i);
    }
    assert_true(conv__lease_acquire(&lease, 0));
    assert_false(conv__lease_acquire(&lease, 0));
    conv__lease_release(&lease);
    assert_true(conv__lease_acquire(&lease, 0));
    conv__lease_release(&lease);
    conv__lease_destroy(&lease);
}

static void test_the_connection_is_not_free_in_time(void **state)
{
    (void)state;
    conv__transaction *held = NULL;
    conv__transaction *other = NULL;
    for (int mode = CONV__TRANSACTION_READ; mode <= CONV__TRANSACTION_WRITE; mode++) {
        assert_ok(begin(store, (conv__transaction_mode)mode, 1000, &held), error);
        assert_status(begin(store, CONV__TRANSACTION_READ, 5, &other), CONV_LIMIT, error);
        assert_status(begin(store, CONV__TRANSACTION_WRITE, 0, &other), CONV_LIMIT, error);
        assert_true(conv_error_is_retryable(&error));
        store->functions->rollback(held);
    }
    assert_ok(begin(store, CONV__TRANSACTION_WRITE, 0, &held), error);
    assert_ok(store->functions->commit(held, &error), error);
}

static void test_another_store_writes_too_long(void **state)
{
    (void)state;
    conv__store *other = NULL;
    conv__transaction *held = NULL;
    conv__transaction *waiting = NULL;
    assert_ok(open_store(&other, &error), error);
    assert_ok(begin(other, CONV__TRANSACTION_WRITE, 1000, &held), error);
    assert_status(begin(store, CONV__TRANSACTION_WRITE, 5, &waiting), CONV_TIMEOUT, error);
    assert_int_equal(error.recovery, CONV_RECOVERY_BACKOFF);
    /* Readers don't wait for writers. */
    assert_ok(begin(store, CONV__TRANSACTION_READ, 1000, &waiting), error);
    store->functions->rollback(waiting);
    other->functions->rollback(held);
    assert_ok(begin(store, CONV__TRANSACTION_WRITE, 1000, &waiting), error);
    store->functions->rollback(waiting);
    other->functions->close(other);
}

/* Whether somebody holds the writers' lock, which is byte 0 of the file beside the database. */
static bool lock_is_held(void)
{
    char name[160];
    snprintf(name, sizeof name, "%s-lock", path);
    int descriptor = open(name, O_RDWR);
    assert_true(descriptor >= 0);
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    assert_int_equal(fcntl(descriptor, F_OFD_GETLK, &range), 0);
    close(descriptor);
    return range.l_type != F_UNLCK;
}

/* SQLite's own lock is given back before its automatic checkpoint: ours must outlast both. */
static void test_a_writer_holds_the_lock_to_the_end(void **state)
{
    (void)state;
    conv__transaction *transaction = NULL;
    assert_false(lock_is_held());
    assert_ok(begin(store, CONV__TRANSACTION_WRITE, 1000, &transaction), error);
    assert_true(lock_is_held());
    assert_ok(store->functions->commit(transaction, &error), error);
    assert_false(lock_is_held());
    assert_ok(begin(store, CONV__TRANSACTION_WRITE, 1000, &transaction), error);
    store->functions->rollback(transaction);
    assert_false(lock_is_held());
    assert_ok(begin(store, CONV__TRANSACTION_READ, 1000, &transaction), error);
    assert_false(lock_is_held());
    store->functions->rollback(transaction);
}

/* The sqlite3 shell knows nothing of our lock, but SQLite's own holds it back. */
static void test_another_program_writes_too_long(void **state)
{
    (void)state;
    sqlite3 *shell = NULL;
    conv__transaction *transaction = NULL;
    assert_int_equal(sqlite3_open(path, &shell), SQLITE_OK);
    assert_int_equal(sqlite3_exec(shell, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_status(begin(store, CONV__TRANSACTION_WRITE, 20, &transaction), CONV_TIMEOUT, error);
    assert_int_equal(error.recovery, CONV_RECOVERY_BACKOFF);
    assert_int_equal(sqlite3_exec(shell, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    assert_ok(begin(store, CONV__TRANSACTION_WRITE, 1000, &transaction), error);
    assert_int_equal(sqlite3_exec(shell, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_BUSY);
    store->functions->rollback(transaction);
    sqlite3_close(shell);
}

static void *release_later(void *argument)
{
    sqlite3 *shell = argument;
    usleep(30000);
    sqlite3_exec(shell, "COMMIT", NULL, NULL, NULL);
    return NULL;
}

static void test_a_short_lock_is_waited_for(void **state)
{
    (void)state;
    pthread_t thread;
    sqlite3 *shell = NULL;
    conv__transaction *transaction = NULL;
    assert_int_equal(sqlite3_open(path, &shell), SQLITE_OK);
    assert_int_equal(sqlite3_exec(shell, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(pthread_create(&thread, NULL, release_later, shell), 0);
    assert_ok(begin(store, CONV__TRANSACTION_WRITE, 10000, &transaction), error);
    pthread_join(thread, NULL);
    store->functions->rollback(transaction);
    sqlite3_close(shell);
}

static void test_a_statement_ends_at_the_deadline(void **state)
{
    (void)state;
    sqlite3 *shell = NULL;
    conv__arena arena = {0};
    assert_int_equal(sqlite3_open(path, &shell), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(shell,
                     "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000)"
                     " INSERT INTO usage_logs (log_id, created_at, service, operation, status)"
                     " SELECT printf('%036d', i), '2026-01-01T00:00:00.000000Z', 's', 'o',"
                     " 'complete' FROM n",
                     NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(shell);
    const conv__usage_query question = {0};
    conv__usage_total_list list;
    conv__transaction *transaction = NULL;
    assert_ok(begin(store, CONV__TRANSACTION_READ, 0, &transaction), error);
    assert_status(store->usage->functions->sum(store->usage, transaction, &question,
                                               CONV_USAGE_GROUP_NONE, &arena, &list, &error),
                  CONV_TIMEOUT, error);
    store->functions->rollback(transaction);
    assert_ok(begin(store, CONV__TRANSACTION_READ, 10000, &transaction), error);
    assert_ok(store->usage->functions->sum(store->usage, transaction, &question,
                                           CONV_USAGE_GROUP_NONE, &arena, &list, &error),
              error);
    assert_int_equal(list.rows[0].records, 20000);
    store->functions->rollback(transaction);
    conv__arena_reset(&arena);
}

static void test_opening_waits_as_long_as_it_is_told(void **state)
{
    (void)state;
    conv__store *other = NULL;
    conv__transaction *transaction = NULL;
    const conv__sqlite_params params = {.path = path, .timeout_ms = 200};
    assert_ok(begin(store, CONV__TRANSACTION_WRITE, 10000, &transaction), error);
    int64_t begun = conv__monotonic_ns();
    assert_status(conv__sqlite_store_open(&params, false, &other, &error), CONV_TIMEOUT, error);
    assert_in_range((conv__monotonic_ns() - begun) / 1000000, 200, 5000);
    store->functions->rollback(transaction);
    assert_ok(conv__sqlite_store_open(&params, false, &other, &error), error);
    other->functions->close(other);
}

enum { PROCESSES = 3, EACH = 80, TEXT_SIZE = 40000 };

/* Texts long enough that the log is checkpointed and begun anew many times. */
static int write_much(const conv__exchange *const *exchanges)
{
    conv_error details = CONV_ERROR_INIT;
    conv__store *own = NULL;
    if (open_store(&own, &details) != CONV_OK) return 2;
    for (int i = 0; i < EACH; i++) {
        conv__transaction *transaction = NULL;
        conv__save_result result;
        if (own->functions->begin(own, CONV__TRANSACTION_WRITE, conv__deadline_in_ms(60000),
                                  &transaction, &details) != CONV_OK)
            return 3;
        if (own->chat->functions->save(own->chat, transaction, &exchanges[i], 1, &result,
                                       &details) != CONV_OK)
            return 4;
        if (own->functions->commit(transaction, &details) != CONV_OK || !result.inserted) return 5;
        /* Opening and closing take part in the race as well. */
        if (i % 20 == 19) {
            own->functions->close(own);
            if (open_store(&own, &details) != CONV_OK) return 6;
        }
    }
    own->functions->close(own);
    return 0;
}

static long value_of(const char *sql)
{
    sqlite3 *database = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    long value = (long)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return value;
}

static void test_processes_write_at_once(void **state)
{
    (void)state;
    conv__arena arena = {0};
    static char text[TEXT_SIZE + 1];
    memset(text, 'x', TEXT_SIZE);
    static const conv__exchange *exchanges[PROCESSES][EACH];
    for (int i = 0; i < PROCESSES; i++)
        for (int j = 0; j < EACH; j++)
            exchanges[i][j] = sample_exchange(&arena, "much", text, text);
    pid_t children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0) _exit(write_much(exchanges[i]));
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status = 0;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    assert_int_equal(value_of("SELECT count(*) = 1 AND min(integrity_check) = 'ok'"
                              " FROM pragma_integrity_check"),
                     1);
    assert_int_equal(value_of("SELECT message_count FROM chat_sessions"), PROCESSES * EACH * 2);
    assert_int_equal(value_of("SELECT count(*) FROM chat_messages WHERE length(content) = 40000"),
                     PROCESSES * EACH * 2);
    assert_int_equal(value_of("SELECT count(DISTINCT position) FROM chat_messages"),
                     PROCESSES * EACH * 2);
    assert_int_equal(value_of("SELECT count(*) FROM usage_logs"), PROCESSES * EACH);
    conv__arena_reset(&arena);
}

/* A writer that dies holds nothing back. */
static void test_a_killed_writer_leaves_no_lock(void **state)
{
    (void)state;
    conv__transaction *transaction = NULL;
    pid_t child = fork();
    if (child == 0) {
        conv__store *own = NULL;
        conv_error details;
        if (open_store(&own, &details) != CONV_OK) _exit(2);
        if (own->functions->begin(own, CONV__TRANSACTION_WRITE, conv__deadline_in_ms(1000),
                                  &transaction, &details) != CONV_OK)
            _exit(3);
        kill(getpid(), SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_ok(begin(store, CONV__TRANSACTION_WRITE, 1000, &transaction), error);
    store->functions->rollback(transaction);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lease_is_given_in_order_of_arrival),
        cmocka_unit_test_setup_teardown(test_the_connection_is_not_free_in_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_store_writes_too_long, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_writer_holds_the_lock_to_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_program_writes_too_long, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_short_lock_is_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_statement_ends_at_the_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(test_opening_waits_as_long_as_it_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_processes_write_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_killed_writer_leaves_no_lock, setup, teardown),
    };
    return RUN_TESTS("sqlite locks", tests);
}
