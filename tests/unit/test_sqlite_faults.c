/* Every write and every sync of an SQLite store fails, once and for ever (promises P1, P2, P4):
 * what was acknowledged is there, nothing is there by half, and each failure is said. */
#include "support/test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "core/time.h"
#include "repositories/chat.h"
#include "repositories/sqlite/journal.h"
#include "repositories/sqlite/store.h"
#include "support/failing_disk.h"
#include "support/folder.h"
#include "support/sample.h"

enum { SAVES = 2, TEXT_SIZE = 3000, FILE_SIZE = 1 << 20 };

static char folder[64];
static char path[128];
static conv__arena arena;
static const conv__exchange *exchanges[SAVES];
static char empty_store[FILE_SIZE]; /* the file with nothing but the schema */
static size_t empty_size;

/* What became of each save. */
typedef struct answer {
    conv_status status;
    conv_error error;
} answer;
static answer *answers; /* shared with the process that crashes */

static conv_status open_store(conv__store **store, conv_error *error)
{
    const conv__sqlite_params params = {.path = path, .create = true};
    return conv__sqlite_store_open(&params, false, store, error);
}

static void remove_files(void)
{
    static const char *const endings[] = {"", "-wal", "-shm", "-lock", "-journal"};
    char name[160];
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        snprintf(name, sizeof name, "%s%s", path, endings[i]);
        remove(name);
    }
}

/* Migrating once and copying is much faster than migrating each time. */
static int make_empty_store(void)
{
    conv__store *store = NULL;
    conv_error error = CONV_ERROR_INIT;
    conv_schema_state schema;
    if (open_store(&store, &error) != CONV_OK) return -1;
    conv_status status =
        store->functions->migrate(store, conv__deadline_in_ms(10000), &schema, &error);
    store->functions->close(store);
    FILE *file = fopen(path, "r");
    if (status != CONV_OK || file == NULL) return -1;
    empty_size = fread(empty_store, 1, FILE_SIZE, file);
    fclose(file);
    return empty_size > 0 && empty_size < FILE_SIZE ? 0 : -1;
}

static void copy_empty_store(void)
{
    remove_files();
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(empty_store, 1, empty_size, file), empty_size);
    fclose(file);
}

static int setup(void **state)
{
    (void)state;
    static char text[TEXT_SIZE + 1];
    /* Failures come from the layer, so the disk below may be a fast one. */
    if (!folder_make(folder)) return -1;
    snprintf(path, sizeof path, "%s/store.db", folder);
    memset(text, 'x', TEXT_SIZE);
    for (int i = 0; i < SAVES; i++)
        exchanges[i] = sample_exchange(&arena, "faults", "question", text);
    answers = mmap(NULL, SAVES * sizeof *answers, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (answers == MAP_FAILED || failing_disk_install() != SQLITE_OK) return -1;
    return make_empty_store();
}

static int teardown(void **state)
{
    (void)state;
    remove_files();
    conv__arena_reset(&arena);
    return remove(folder);
}

static conv_status save(conv__store *store, const conv__exchange *exchange, conv_error *error)
{
    conv__transaction *transaction = NULL;
    conv__save_result result;
    conv_status status = store->functions->begin(store, CONV__TRANSACTION_WRITE,
                                                 conv__deadline_in_ms(10000), &transaction, error);
    if (status != CONV_OK) return status;
    status = store->chat->functions->save(store->chat, transaction, &exchange, 1, &result, error);
    if (status == CONV_OK) return store->functions->commit(transaction, error);
    store->functions->rollback(transaction);
    return status;
}

static void run_saves(bool crash)
{
    conv__store *store = NULL;
    conv_error error = CONV_ERROR_INIT;
    conv_status status = open_store(&store, &error);
    for (int i = 0; i < SAVES; i++) {
        answers[i] = (answer){status, error};
        if (status == CONV_OK) answers[i].status = save(store, exchanges[i], &answers[i].error);
        /* A crash right after the failure: what is in the log is then recovered by the next one. */
        if (crash && answers[i].status != CONV_OK) _exit(1);
    }
    if (store != NULL) store->functions->close(store);
}

/* Whether a call failed. */
static bool run_and_crash(void)
{
    int status = 0;
    for (int i = 0; i < SAVES; i++)
        answers[i] = (answer){CONV_INTERNAL, CONV_ERROR_INIT};
    pid_t child = fork();
    if (child == 0) {
        run_saves(true);
        _exit(failing_disk_has_failed());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status) == 1;
}

static long count_of(sqlite3 *database, const char *sql, const char *id)
{
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
    if (id != NULL) sqlite3_bind_text(statement, 1, id, -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    long count = (long)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return count;
}

static void check_stored(void)
{
    char id[CONV_UUID_TEXT_SIZE];
    long exchanges_stored = 0;
    sqlite3 *database = NULL;
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(count_of(database,
                              "SELECT count(*) = 1 AND min(integrity_check) = 'ok'"
                              " FROM pragma_integrity_check",
                              NULL),
                     1);
    for (int i = 0; i < SAVES; i++) {
        conv_uuid_format(exchanges[i]->exchange_id, id);
        long stored =
            count_of(database, "SELECT count(*) FROM chat_exchanges WHERE exchange_id = ?", id);
        if (answers[i].status == CONV_OK)
            assert_int_equal(stored, 1);
        else if (!answers[i].error.outcome_unknown)
            assert_int_equal(stored, 0);
        exchanges_stored += stored;
    }
    assert_int_equal(count_of(database, "SELECT count(*) FROM chat_messages", NULL),
                     2 * exchanges_stored);
    assert_int_equal(count_of(database, "SELECT count(*) FROM usage_logs", NULL), exchanges_stored);
    assert_int_equal(
        count_of(database, "SELECT coalesce(sum(message_count), 0) FROM chat_sessions", NULL),
        2 * exchanges_stored);
    sqlite3_close(database);
}

/* Runs the saves with call `number` failing. False when they don't make that many. */
static bool run_with_failure(failing_disk_call call, int number, int code, bool for_ever)
{
    copy_empty_store();
    failing_disk_start(call, number, code, for_ever);
    run_saves(false);
    bool failed = failing_disk_has_failed();
    failing_disk_start(call, 0, code, false);
    int failures = 0;
    for (int i = 0; i < SAVES; i++) {
        if (answers[i].status == CONV_OK) continue;
        failures++;
        assert_int_equal(answers[i].status, CONV_UNAVAILABLE);
        assert_int_equal(answers[i].error.recovery, CONV_RECOVERY_OPERATOR);
        if (code == SQLITE_FULL) assert_non_null(strstr(answers[i].error.message, "disk full"));
    }
    if (!failed) assert_int_equal(failures, 0);
    /* What fails once concerns one save: the next one finds the store as usable as before. */
    if (!for_ever) assert_true(failures <= 1);
    /* Without a sync there is no commit. */
    if (call == FAILING_DISK_SYNC && number <= 2 && for_ever) assert_int_equal(failures, SAVES);
    check_stored();
    return failed;
}

static void fail_each(failing_disk_call call, int code, bool for_ever, int at_least)
{
    int number = 1;
    while (run_with_failure(call, number, code, for_ever))
        number++;
    assert_true(number > at_least);
}

static void test_each_write_meets_a_full_disk(void **state)
{
    (void)state;
    fail_each(FAILING_DISK_WRITE, SQLITE_FULL, false, 20);
    fail_each(FAILING_DISK_WRITE, SQLITE_FULL, true, 20);
}

static void test_each_write_fails(void **state)
{
    (void)state;
    fail_each(FAILING_DISK_WRITE, SQLITE_IOERR_WRITE, false, 20);
}

static void test_each_sync_fails(void **state)
{
    (void)state;
    fail_each(FAILING_DISK_SYNC, SQLITE_IOERR_FSYNC, false, 3);
    fail_each(FAILING_DISK_SYNC, SQLITE_IOERR_FSYNC, true, 3);
}

/* A commit whose sync failed was refused, and yet it can be there after a crash: that is why it
 * must be called unknown. */
static void test_a_crash_after_a_failure(void **state)
{
    (void)state;
    static const struct {
        failing_disk_call call;
        int code;
    } faults[] = {{FAILING_DISK_WRITE, SQLITE_IOERR_WRITE},
                  {FAILING_DISK_SYNC, SQLITE_IOERR_FSYNC}};
    int unknown = 0;
    for (size_t i = 0; i < 2; i++) {
        bool failed = true;
        for (int number = 1; failed; number++) {
            copy_empty_store();
            failing_disk_start(faults[i].call, number, faults[i].code, true);
            failed = run_and_crash();
            failing_disk_start(faults[i].call, 0, 0, false);
            for (int j = 0; j < SAVES; j++)
                unknown += answers[j].error.outcome_unknown;
            check_stored();
        }
    }
    assert_true(unknown > 0);
}

/* CONV_JOURNAL_SYNC_PROCESS promises nothing about a power cut, and so pays for none. */
static void test_only_the_level_for_power_syncs_the_journal(void **state)
{
    (void)state;
    for (int unsynced = 0; unsynced < 2; unsynced++) {
        char name[160];
        char *set_aside = NULL;
        conv__journal *journal = NULL;
        conv_error error;
        snprintf(name, sizeof name, "%s-journal-%d", path, unsynced);
        assert_ok(conv__sqlite_journal_open(name, unsynced == 1, &set_aside, &journal, &error),
                  error);
        conv__journal_change change = {.what = CONV__JOURNAL_PUT,
                                       .entry = {.kind = CONV__JOURNAL_EXCHANGE,
                                                 .session_id = conv_uuid_v7(),
                                                 .item_id = conv_uuid_v7(),
                                                 .record = conv_text("record")}};
        failing_disk_start(FAILING_DISK_SYNC, 1, SQLITE_IOERR_FSYNC, true);
        conv_status status =
            journal->functions->apply(journal, &change, 1, conv__deadline_in_ms(5000), &error);
        assert_int_equal(failing_disk_has_failed(), unsynced == 0);
        assert_int_equal(status == CONV_OK, unsynced == 1);
        if (status != CONV_OK) {
            assert_string_equal(error.action, "write journal");
            assert_non_null(strstr(error.message, name));
        }
        failing_disk_start(FAILING_DISK_SYNC, 0, 0, false);
        journal->functions->close(journal);
        remove(name);
        strcat(name, "-lock");
        remove(name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_write_meets_a_full_disk),
        cmocka_unit_test(test_each_write_fails),
        cmocka_unit_test(test_each_sync_fails),
        cmocka_unit_test(test_a_crash_after_a_failure),
        cmocka_unit_test(test_only_the_level_for_power_syncs_the_journal),
    };
    return RUN_TESTS_WITH("sqlite faults", tests, setup, teardown);
}
