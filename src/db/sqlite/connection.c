/* Life of a connection and its transactions. One connection for each store: whoever reads or writes
 * leases it, so inside a process no two connections of a store ever meet. Holds no SQL of tables.
 */
#include "db/sqlite/connection.h"

#include <sqlite3.h>
#include <string.h>
#include <time.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/process.h"
#include "core/time.h"
#include "db/sqlite/classify.h"
#include "db/sqlite/connection_internal.h"

#define ACTION_BEGIN  "begin transaction"
#define ACTION_COMMIT "commit transaction"

enum { BEGIN_READ, BEGIN_WRITE, COMMIT, ROLLBACK };

static const conv__sqlite_statement statements[] = {
    [BEGIN_READ] = {"BEGIN DEFERRED"},
    [BEGIN_WRITE] = {"BEGIN IMMEDIATE"},
    [COMMIT] = {"COMMIT"},
    [ROLLBACK] = {"ROLLBACK"},
};

conv_status conv__sqlite_fail(sqlite3 *database, int code, const char *action, conv_error *error)
{
    conv__sqlite_meaning meaning =
        conv__sqlite_classify(code, database != NULL ? sqlite3_system_errno(database) : 0);
    const char *detail = database != NULL ? sqlite3_errmsg(database) : sqlite3_errstr(code);
    conv__fail(error, meaning.status, action, "%s (%s, sqlite %d)", meaning.text, detail, code);
    if (error != NULL) error->recovery = meaning.recovery;
    return meaning.status;
}

conv_status conv__sqlite_open(const conv__sqlite_params *params, conv__sqlite **connection,
                              conv_error *error)
{
    *connection = NULL;
    conv__sqlite *opened = conv__allocate(sizeof *opened);
    if (opened == NULL || !conv__lease_init(&opened->lease)) {
        conv__release(opened);
        return conv__fail_memory(error, "open store");
    }
    opened->file_lock.descriptor = -1;
    opened->process = conv__process_id();
    opened->read_only = params->read_only;
    opened->exclusive = params->exclusive;
    opened->latest = opened->file_lock.latest = params->latest;
    conv_status status = conv__sqlite_open_file(opened, params, error);
    if (status != CONV_OK) {
        conv__sqlite_close(opened);
        return status;
    }
    *connection = opened;
    return CONV_OK;
}

void conv__sqlite_close(conv__sqlite *connection)
{
    if (connection == NULL) return;
    /* In a forked child SQLite's handle stays as it is: closing it would take part in locks and a
     * checkpoint that belong to the parent. */
    if (connection->process == conv__process_id()) {
        conv__sqlite_forget_statements(connection);
        sqlite3_close_v2(connection->database);
        conv__file_lock_close(&connection->file_lock);
        conv__lease_destroy(&connection->lease);
    }
    conv__release(connection);
}

void conv__sqlite_found_whole(conv__sqlite *connection)
{
    sqlite3_db_config(connection->database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
}

static conv_status run(conv__sqlite *connection, int which, const char *action, conv_error *error)
{
    conv__sqlite_query query;
    conv__sqlite_prepare(&query, connection, &statements[which], action);
    return conv__sqlite_execute(&query, NULL, error);
}

static conv_status fail_forked(const char *action, conv_error *error)
{
    return conv__fail(error, CONV_STATE, action,
                      "the store was opened before this process was forked: open it anew");
}

static void give_back(conv__sqlite *connection)
{
    /* Unlocking what a reader never locked does nothing: no other holder shares the descriptor. */
    if (!connection->exclusive) conv__file_lock_release(&connection->file_lock);
    conv__lease_release(&connection->lease);
}

/* A failed COMMIT may leave the transaction open, and some failures end it by themselves. */
static void end_transaction(conv__sqlite *connection)
{
    if (sqlite3_get_autocommit(connection->database)) return;
    /* The deadline may have passed, but ending must not be interrupted. */
    connection->deadline_ns = CONV__NO_DEADLINE;
    conv__error_clear(&connection->failure);
    (void)run(connection, ROLLBACK, "roll back transaction", NULL);
}

/* After a failed sync the system may hold as clean what never reached the disk, and a later sync of
 * the same log would succeed without it. So nothing is acknowledged behind it: what is committed is
 * copied into the file and synced there, and the log is begun anew, empty. That also removes what
 * the failed commit left in the log, which would look committed to the next one to open the file.
 */
static conv_status restart_log(conv__sqlite *connection, conv_error *error)
{
    int code = sqlite3_wal_checkpoint_v2(connection->database, "main", SQLITE_CHECKPOINT_TRUNCATE,
                                         NULL, NULL);
    if (code != SQLITE_OK)
        return conv__sqlite_fail(connection->database, code, ACTION_BEGIN, error);
    connection->suspect = false;
    return CONV_OK;
}

/* With a write-ahead log SQLite goes on writing into a file that nobody finds any more, so that a
 * commit would be acknowledged and lost. */
static conv_status refuse_moved(conv__sqlite *connection, conv_error *error)
{
    int moved = 0;
    if (sqlite3_file_control(connection->database, "main", SQLITE_FCNTL_HAS_MOVED, &moved) !=
            SQLITE_OK ||
        moved == 0)
        return CONV_OK;
    conv__sqlite_meaning meaning = conv__sqlite_classify(SQLITE_READONLY_DBMOVED, 0);
    conv__fail(error, meaning.status, ACTION_BEGIN,
               "%s: put it back, or open the store anew; nothing was saved", meaning.text);
    if (error != NULL) error->recovery = meaning.recovery;
    return meaning.status;
}

conv_status conv__sqlite_begin(conv__sqlite *connection, conv__sqlite_mode mode,
                               int64_t deadline_ns, conv_error *error)
{
    if (connection->process != conv__process_id()) return fail_forked(ACTION_BEGIN, error);
    if (mode == CONV__SQLITE_WRITE && connection->read_only)
        return conv__fail(error, CONV_PERMISSION, ACTION_BEGIN,
                          "the store was opened for reading only");
    if (!conv__lease_acquire(&connection->lease, deadline_ns))
        return conv__fail(error, CONV_LIMIT, ACTION_BEGIN,
                          "the connection did not become free before the deadline");
    /* Ending the one before may have failed for want of memory. */
    end_transaction(connection);
    connection->deadline_ns = deadline_ns;
    conv__error_clear(&connection->failure);
    conv_status status = CONV_OK;
    if (mode == CONV__SQLITE_WRITE && !connection->exclusive)
        status = conv__file_lock_acquire(&connection->file_lock, deadline_ns, error);
    if (status != CONV_OK) {
        conv__lease_release(&connection->lease);
        return status;
    }
    if (mode == CONV__SQLITE_WRITE) status = refuse_moved(connection, error);
    if (status == CONV_OK && mode == CONV__SQLITE_WRITE && connection->suspect)
        status = restart_log(connection, error);
    if (status == CONV_OK)
        status = run(connection, mode == CONV__SQLITE_WRITE ? BEGIN_WRITE : BEGIN_READ,
                     ACTION_BEGIN, error);
    if (status != CONV_OK) give_back(connection);
    return status;
}

conv_status conv__sqlite_commit(conv__sqlite *connection, conv_error *error)
{
    if (connection->process != conv__process_id()) return fail_forked(ACTION_COMMIT, error);
    conv_status status = connection->failure.status;
    if (status != CONV_OK) {
        if (error != NULL) *error = connection->failure;
    } else {
        status = run(connection, COMMIT, ACTION_COMMIT, error);
        int code = sqlite3_errcode(connection->database);
        /* All frames may stand in the log though the last sync failed; if the system stops now, the
         * next one to open the file finds them committed. */
        if (status != CONV_OK && (code & 0xFF) == SQLITE_IOERR) {
            connection->suspect = true;
            if (error != NULL) error->outcome_unknown = true;
        }
    }
    end_transaction(connection);
    give_back(connection);
    return status;
}

void conv__sqlite_rollback(conv__sqlite *connection)
{
    if (connection->process != conv__process_id()) return;
    end_transaction(connection);
    give_back(connection);
}

conv_status conv__sqlite_run_script(conv__sqlite *connection, const char *sql, const char *action,
                                    conv_error *error)
{
    int code = sqlite3_exec(connection->database, sql, NULL, NULL, NULL);
    if (code == SQLITE_OK) return CONV_OK;
    conv_status status = conv__sqlite_fail(connection->database, code, action, error);
    conv__sqlite_fail(connection->database, code, action, &connection->failure);
    return status;
}
