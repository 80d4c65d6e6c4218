/* The table of SQLite's result codes. It must not ask a connection. */
#include "db/sqlite/classify.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

/* Not SQLite's immutable=1, which reads without the log: nothing then notices a writer who has more
 * rights than we, and torn pages would be taken for data. */
#define FOLDER_READ_ONLY                                                                           \
    "the file's folder can't be written to, which even reading needs for the write-ahead log: "    \
    "make the folder writable, or copy the file to one that is"

#define DISK_FULL "disk full, or quota used up: make room"

static const struct {
    int code;
    conv__sqlite_meaning meaning;
} meanings[] = {
    {SQLITE_OK, {CONV_OK, CONV_RECOVERY_NONE, "done"}},
    {SQLITE_ROW, {CONV_OK, CONV_RECOVERY_NONE, "done"}},
    {SQLITE_DONE, {CONV_OK, CONV_RECOVERY_NONE, "done"}},

    /* The machine. */
    {SQLITE_NOMEM, {CONV_NO_MEMORY, CONV_RECOVERY_NONE, "out of memory"}},
    {SQLITE_IOERR_NOMEM, {CONV_NO_MEMORY, CONV_RECOVERY_NONE, "out of memory"}},
    {SQLITE_FULL, {CONV_UNAVAILABLE, CONV_RECOVERY_OPERATOR, DISK_FULL}},
    {SQLITE_IOERR,
     {CONV_UNAVAILABLE, CONV_RECOVERY_OPERATOR, "the disk failed: look at the system's log"}},
    {SQLITE_IOERR_LOCK, {CONV_UNAVAILABLE, CONV_RECOVERY_OPERATOR, "the file system can't lock"}},
    {SQLITE_IOERR_DATA, {CONV_BAD_DATA, CONV_RECOVERY_OPERATOR, "the file is damaged"}},
    {SQLITE_IOERR_CORRUPTFS, {CONV_BAD_DATA, CONV_RECOVERY_OPERATOR, "the file system is damaged"}},
    {SQLITE_NOLFS,
     {CONV_LIMIT, CONV_RECOVERY_OPERATOR, "the file system can't hold a file of this size"}},

    /* The file. */
    {SQLITE_CANTOPEN, {CONV_UNAVAILABLE, CONV_RECOVERY_OPERATOR, "can't open the file"}},
    {SQLITE_NOTFOUND, {CONV_UNAVAILABLE, CONV_RECOVERY_OPERATOR, "can't open the file"}},
    {SQLITE_PERM, {CONV_PERMISSION, CONV_RECOVERY_OPERATOR, "no permission for the file"}},
    {SQLITE_AUTH, {CONV_PERMISSION, CONV_RECOVERY_OPERATOR, "not allowed"}},
    {SQLITE_READONLY, {CONV_PERMISSION, CONV_RECOVERY_OPERATOR, "the store is read-only"}},
    {SQLITE_READONLY_DIRECTORY, {CONV_PERMISSION, CONV_RECOVERY_OPERATOR, FOLDER_READ_ONLY}},
    {SQLITE_READONLY_CANTINIT, {CONV_PERMISSION, CONV_RECOVERY_OPERATOR, FOLDER_READ_ONLY}},
    {SQLITE_READONLY_DBMOVED,
     {CONV_UNAVAILABLE, CONV_RECOVERY_OPERATOR, "the file was moved or removed while it was open"}},
    {SQLITE_NOTADB, {CONV_BAD_DATA, CONV_RECOVERY_OPERATOR, "the file is not an SQLite database"}},
    {SQLITE_FORMAT, {CONV_BAD_DATA, CONV_RECOVERY_OPERATOR, "the file is not an SQLite database"}},
    {SQLITE_CORRUPT,
     {CONV_BAD_DATA, CONV_RECOVERY_OPERATOR, "the file is damaged: restore it, or recover it"}},

    /* The others. */
    {SQLITE_BUSY,
     {CONV_TIMEOUT, CONV_RECOVERY_BACKOFF, "the file was locked by another program too long"}},
    {SQLITE_BUSY_SNAPSHOT, {CONV_UNAVAILABLE, CONV_RECOVERY_RETRY, "the snapshot is out of date"}},
    {SQLITE_LOCKED, {CONV_TIMEOUT, CONV_RECOVERY_BACKOFF, "a table was locked too long"}},
    {SQLITE_PROTOCOL, {CONV_UNAVAILABLE, CONV_RECOVERY_BACKOFF, "too many others open the file"}},
    {SQLITE_INTERRUPT, {CONV_TIMEOUT, CONV_RECOVERY_BACKOFF, "the deadline passed"}},
    {SQLITE_ABORT, {CONV_UNAVAILABLE, CONV_RECOVERY_RETRY, "the transaction was ended"}},
    {SQLITE_SCHEMA, {CONV_UNAVAILABLE, CONV_RECOVERY_RETRY, "the schema is being changed"}},

    /* The data. */
    {SQLITE_TOOBIG, {CONV_LIMIT, CONV_RECOVERY_REJECT, "larger than SQLite takes"}},
    {SQLITE_CONSTRAINT, {CONV_BAD_DATA, CONV_RECOVERY_REJECT, "the schema refuses the data"}},
    {SQLITE_MISMATCH, {CONV_BAD_DATA, CONV_RECOVERY_REJECT, "the schema refuses the data"}},
};

static const conv__sqlite_meaning unknown = {CONV_INTERNAL, CONV_RECOVERY_OPERATOR,
                                             "SQLite refused"};

static const conv__sqlite_meaning *find(int code)
{
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (meanings[i].code == code) return &meanings[i].meaning;
    return NULL;
}

conv__sqlite_meaning conv__sqlite_classify(int code, int system_error)
{
    const conv__sqlite_meaning *meaning = find(code);
    int primary = code & 0xFF;
    bool may_be_full = code > 0 && (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN);
    /* SQLite may have left the number from an earlier call, so a code with a meaning of its own
     * keeps that. */
    bool own_meaning = meaning != NULL && code != primary;
    if (may_be_full && !own_meaning && (system_error == ENOSPC || system_error == EDQUOT))
        meaning = find(SQLITE_FULL);
    /* The low byte is the primary code. Negative numbers are none of SQLite's. */
    if (meaning == NULL && code > 0xFF) meaning = find(code & 0xFF);
    return meaning != NULL ? *meaning : unknown;
}
