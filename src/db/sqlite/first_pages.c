/* Why through SQLite, which is never asked for a row here: closing any other descriptor of a file
 * that this process has open would drop SQLite's locks on it. */
#include "db/sqlite/first_pages.h"

#include <sqlite3.h>
#include <string.h>

#include "core/buffer.h"
#include "core/error.h"
#include "db/sqlite/connection_internal.h"

#define ACTION "read file"

static int read_start(sqlite3 *database, uint8_t *bytes, size_t size, int64_t *file_size)
{
    sqlite3_file *file = NULL;
    sqlite3_int64 there = 0;
    int code = sqlite3_file_control(database, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (code == SQLITE_OK && file->pMethods == NULL) code = SQLITE_CANTOPEN;
    if (code == SQLITE_OK) code = file->pMethods->xFileSize(file, &there);
    if (code == SQLITE_OK) code = file->pMethods->xRead(file, bytes, (int)size, 0);
    *file_size = there;
    return code == SQLITE_IOERR_SHORT_READ ? SQLITE_OK : code;
}

conv_status conv__sqlite_read_start(const char *path, uint8_t *bytes, size_t size,
                                    int64_t *file_size, conv_error *error)
{
    enum { FLAGS = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE };
    sqlite3 *database = NULL;
    conv__buffer name = {0};
    conv_status status = CONV_OK;
    memset(bytes, 0, size);
    /* As in open.c: a path of ours is only ever a path. */
    if (path[0] != '/') conv__buffer_append_text(&name, "./");
    conv__buffer_append_text(&name, path);
    if (name.failed) {
        status = conv__fail_memory(error, ACTION);
    } else {
        int code = sqlite3_open_v2(name.data, &database, FLAGS, NULL);
        if (code == SQLITE_OK) code = read_start(database, bytes, size, file_size);
        if (code != SQLITE_OK) status = conv__sqlite_fail(database, code, ACTION, error);
        sqlite3_close(database);
    }
    conv__buffer_free(&name);
    return status;
}
