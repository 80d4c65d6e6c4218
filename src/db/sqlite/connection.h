/* The one connection to an SQLite file, and its transactions. */
#ifndef CONV__DB_SQLITE_CONNECTION_H
#define CONV__DB_SQLITE_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "conversation/status.h"
#include "core/time.h"

typedef struct conv__sqlite_params {
    const char *path; /* a file, or ":memory:" */
    bool read_only;   /* never creates or changes the file */
    bool create;      /* make the file if it is not there; its folder must be */
    bool exclusive; /* for this process alone as long as it is open; a second one gets CONV_STATE */
    bool unsynced;  /* a commit survives the process, not a power cut */
    const conv__latest *latest; /* of the store; NULL: none */
    int64_t timeout_ms;         /* for locks of others while it is opened; 0: 10000 */
} conv__sqlite_params;

typedef struct conv__sqlite conv__sqlite;

typedef enum conv__sqlite_mode {
    CONV__SQLITE_READ, /* one snapshot, whatever others commit meanwhile */
    CONV__SQLITE_WRITE
} conv__sqlite_mode;

/* CONV_INVALID_ARGUMENT: no path. CONV_UNAVAILABLE: no such file or folder. CONV_PERMISSION.
 * CONV_BAD_DATA: not a database. CONV_TIMEOUT: locked by others for `timeout_ms`. CONV_NO_MEMORY.
 */
CONV_WARN_UNUSED conv_status conv__sqlite_open(const conv__sqlite_params *params,
                                               conv__sqlite **connection, conv_error *error);

/* Nobody may use it any more; NULL is allowed. In a forked child it only frees its own memory. */
void conv__sqlite_close(conv__sqlite *connection);

/* Closing folds the log into the file. It does not with a file opened as `exclusive`, so that a
 * damaged one stays as it was found, until this says that it is whole. */
void conv__sqlite_found_whole(conv__sqlite *connection);

/* Waits for whoever uses the connection, and for other processes that write; then begins.
 * CONV_LIMIT: the connection did not become free before the deadline. CONV_TIMEOUT: another process
 * wrote until then. CONV_STATE: this is a forked child. CONV_PERMISSION: opened for reading only.
 */
CONV_WARN_UNUSED conv_status conv__sqlite_begin(conv__sqlite *connection, conv__sqlite_mode mode,
                                                int64_t deadline_ns, conv_error *error);

/* Both end the transaction and give the connection back, whatever the answer. */
CONV_WARN_UNUSED conv_status conv__sqlite_commit(conv__sqlite *connection, conv_error *error);
void conv__sqlite_rollback(conv__sqlite *connection);

/* Looks through the whole file. CONV_BAD_DATA: it is damaged. */
CONV_WARN_UNUSED conv_status conv__sqlite_check(conv__sqlite *connection, conv_error *error);

/* Runs SQL text of any number of statements inside the transaction under way. */
CONV_WARN_UNUSED conv_status conv__sqlite_run_script(conv__sqlite *connection, const char *sql,
                                                     const char *action, conv_error *error);

#endif
