/* What the files of this room share about a connection. Nobody outside includes this. */
#ifndef CONV__DB_SQLITE_CONNECTION_INTERNAL_H
#define CONV__DB_SQLITE_CONNECTION_INTERNAL_H

#include <sqlite3.h>
#include <sys/types.h>

#include "db/sqlite/connection.h"
#include "db/sqlite/file_lock.h"
#include "db/sqlite/lease.h"
#include "db/sqlite/query.h"

enum { CONV__SQLITE_SLOTS = 256 }; /* a power of two, several times the number of statements */

struct conv__sqlite {
    sqlite3 *database;
    pid_t process; /* that opened it */
    bool read_only;
    bool exclusive;      /* the file lock is held from opening to closing */
    bool suspect;        /* a write or a sync of the log failed, see restart_log in connection.c */
    int64_t deadline_ns; /* of the transaction under way: for the handlers */
    const conv__latest *latest; /* for every transaction */
    conv_error failure; /* the first one of the transaction under way; it can't commit any more */
    conv__lease lease;
    conv__file_lock file_lock;
    /* Statements once prepared, found by the address of their text (open addressing). */
    struct {
        const conv__sqlite_statement *statement;
        sqlite3_stmt *prepared;
    } slots[CONV__SQLITE_SLOTS];
};

/* Fills `error` from the result code and the connection's message about its last call. */
conv_status conv__sqlite_fail(sqlite3 *database, int code, const char *action, conv_error *error);

/* Opens the file and makes it ready; open.c. `connection` is zero but for its file lock of -1. */
CONV_WARN_UNUSED conv_status conv__sqlite_open_file(conv__sqlite *connection,
                                                    const conv__sqlite_params *params,
                                                    conv_error *error);

/* Finalises all statements of the cache; query.c. */
void conv__sqlite_forget_statements(conv__sqlite *connection);

#endif
