/* Opening an SQLite file and making the connection ready. Changes no setting of the process. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/buffer.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/time.h"
#include "db/sqlite/connection_internal.h"
#include "db/sqlite/decimal_sum.h"
#include "db/sqlite/header_repair.h"
#include "db/sqlite/log_repair.h"
#include "db/sqlite/search_words.h"
#include "db/sqlite/zone_date.h"

#define ACTION "open store"

enum {
    OPEN_TIMEOUT_MS = 10000,
    LONGEST_PAUSE_MS = 20,
    OPERATIONS_BETWEEN_CHECKS = 4096 /* of SQLite's virtual machine: some 50 microseconds */
};

/* FULL: a commit is on the disk, power cut or not. What is deleted is overwritten. The log is cut
 * back after a large transaction, and the cache holds the inner pages of a large table. */
static const char settings[] = "PRAGMA synchronous=FULL;"
                               "PRAGMA secure_delete=ON;"
                               "PRAGMA foreign_keys=ON;"
                               "PRAGMA journal_size_limit=67108864;"
                               "PRAGMA cache_size=-16384;";

/* SQLite calls this when another program holds a lock; 0 gives up. */
static int wait_while_busy(void *context, int calls)
{
    const conv__sqlite *connection = context;
    int left_ms =
        conv__deadline_left_ms(conv__deadline_within(connection->deadline_ns, connection->latest));
    if (left_ms == 0) return 0;
    int pause_ms = calls < LONGEST_PAUSE_MS ? calls + 1 : LONGEST_PAUSE_MS;
    if (pause_ms > left_ms) pause_ms = left_ms;
    struct timespec pause = {0, pause_ms * 1000000L};
    nanosleep(&pause, NULL);
    return 1;
}

/* SQLite calls this while a statement runs; not 0 interrupts it. */
static int stop_when_late(void *context)
{
    const conv__sqlite *connection = context;
    /* What ends a transaction has no deadline and is never interrupted. */
    return connection->deadline_ns != CONV__NO_DEADLINE &&
           conv__deadline_passed(
               conv__deadline_within(connection->deadline_ns, connection->latest));
}

static conv_status fail_for_path(int code, const char *path, conv_error *error)
{
    conv_status status = conv__status_of_errno(code);
    conv__fail(error, status, ACTION, "can't open %s: %s", path, strerrordesc_np(code));
    if (error != NULL) error->recovery = CONV_RECOVERY_OPERATOR;
    return status;
}

/* An empty file is an empty database. It is made here and not by SQLite because conversations are
 * private: nobody but the owner may read the file until the owner says so. */
static conv_status create_file(const char *path, conv_error *error)
{
    int descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor >= 0) {
        close(descriptor);
        return CONV_OK;
    }
    if (errno == EEXIST) return CONV_OK;
    if (errno != ENOENT) return fail_for_path(errno, path, error);
    conv__fail(error, CONV_UNAVAILABLE, ACTION, "the folder of %s does not exist: create it", path);
    if (error != NULL) error->recovery = CONV_RECOVERY_OPERATOR;
    return CONV_UNAVAILABLE;
}

/* SQLite's own answer to all of this is "unable to open database file". */
static conv_status check_file(const conv__sqlite_params *params, conv_error *error)
{
    struct stat status;
    if (stat(params->path, &status) != 0) {
        if (errno != ENOENT) return fail_for_path(errno, params->path, error);
        if (params->create && !params->read_only) return create_file(params->path, error);
        conv__fail(error, CONV_UNAVAILABLE, ACTION, "there is no file %s", params->path);
        if (error != NULL) error->recovery = CONV_RECOVERY_OPERATOR;
        return CONV_UNAVAILABLE;
    }
    if (S_ISDIR(status.st_mode)) return fail_for_path(EISDIR, params->path, error);
    int wanted = params->read_only ? R_OK : R_OK | W_OK;
    if (access(params->path, wanted) != 0) return fail_for_path(errno, params->path, error);
    return CONV_OK;
}

/* False when the path is too long. */
static bool folder_of(const char *path, char folder[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t size = slash == NULL ? 0 : (size_t)(slash - path) + 1;
    if (size >= PATH_MAX) return false;
    memcpy(folder, size == 0 ? "." : path, size == 0 ? 1 : size);
    folder[size == 0 ? 1 : size] = '\0';
    return true;
}

static bool is_in_writable_folder(const char *path)
{
    char folder[PATH_MAX];
    return !folder_of(path, folder) || access(folder, W_OK) == 0;
}

static conv_status fail_for_file(const conv__sqlite *connection, int code, const char *path,
                                 conv_error *error)
{
    conv_error inner = CONV_ERROR_INIT;
    /* The file itself was there; on a read-only file system SQLite does not say what else it wants.
     */
    if ((code & 0xFF) == SQLITE_CANTOPEN && !is_in_writable_folder(path))
        code = SQLITE_READONLY_DIRECTORY;
    conv_status status = conv__sqlite_fail(connection->database, code, ACTION, &inner);
    conv__fail(error, status, ACTION, "%s: %s", path, inner.message);
    if (error != NULL) error->recovery = inner.recovery;
    return status;
}

static int run(conv__sqlite *connection, const char *sql)
{
    return sqlite3_exec(connection->database, sql, NULL, NULL, NULL);
}

static int install_handlers(conv__sqlite *connection)
{
    sqlite3 *database = connection->database;
    sqlite3_busy_handler(database, wait_while_busy, connection);
    sqlite3_progress_handler(database, OPERATIONS_BETWEEN_CHECKS, stop_when_late, connection);
    /* A file from elsewhere may hold triggers and views: they get no dangerous functions. */
    sqlite3_db_config(database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    int code = conv__decimal_sum_register(database);
    if (code == SQLITE_OK) code = conv__search_words_register(database);
    return code == SQLITE_OK ? conv__zone_date_register(database) : code;
}

static int count_column(void *context, int columns, char **values, char **names)
{
    (void)columns;
    (void)names;
    *(bool *)context = values[0] != NULL && strcmp(values[0], "wal") == 0;
    return 0;
}

/* What says that this folder is never synced, by nobody: that is left to the file system. */
static bool never_syncs(int code)
{
    return code == EACCES || code == EPERM || code == EINVAL || code == EBADF || code == ENOSYS ||
           code == ENOTSUP || code == EOPNOTSUPP;
}

/* 0, or an errno. */
static int sync_folder(const char *folder)
{
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return errno;
    int failed = fsync(descriptor);
    while (failed != 0 && errno == EINTR)
        failed = fsync(descriptor);
    int code = failed == 0 ? 0 : errno;
    close(descriptor);
    return code;
}

/* A commit is lost with the name of the log that holds it, and undone by a rollback journal whose
 * removal is. SQLite syncs the folder, too, but does not look whether that failed (unixSync). */
static conv_status sync_names(conv__sqlite *connection, conv_error *error)
{
    char folder[PATH_MAX];
    const char *resolved = sqlite3_db_filename(connection->database, "main");
    /* A new file's log is made when it is first read. */
    int read = run(connection, "PRAGMA schema_version");
    if (read != SQLITE_OK) return fail_for_file(connection, read, resolved, error);
    int code = folder_of(resolved, folder) ? sync_folder(folder) : ENAMETOOLONG;
    if (code == 0 || never_syncs(code)) return CONV_OK;
    conv_status status = conv__status_of_errno(code);
    conv__fail(error, status, ACTION,
               "the names of %s and of its log can't be brought to the disk: %s", resolved,
               strerrordesc_np(code));
    if (error != NULL) error->recovery = CONV_RECOVERY_OPERATOR;
    return status;
}

/* Readers and the writer don't wait for each other, and a commit is one sync. */
static conv_status use_log(conv__sqlite *connection, const char *path, conv_error *error)
{
    bool is_log = false;
    int code =
        sqlite3_exec(connection->database, "PRAGMA journal_mode=WAL", count_column, &is_log, NULL);
    if (code != SQLITE_OK) return fail_for_file(connection, code, path, error);
    if (is_log) return CONV_OK;
    conv__fail(error, CONV_UNAVAILABLE, ACTION,
               "%s: this file system can't hold a write-ahead log: use a local disk", path);
    if (error != NULL) error->recovery = CONV_RECOVERY_OPERATOR;
    return CONV_UNAVAILABLE;
}

static conv_status open_lock(conv__sqlite *connection, conv_error *error)
{
    /* The name as SQLite resolved it: every symbolic link must lead to the same lock. */
    const char *resolved = sqlite3_db_filename(connection->database, "main");
    return conv__file_lock_open(resolved, &connection->file_lock, error);
}

static conv_status fail_held(const char *path, conv_error *error)
{
    conv__fail(error, CONV_STATE, ACTION, "%s is open in another live process", path);
    if (error != NULL) error->recovery = CONV_RECOVERY_WAIT;
    return CONV_STATE;
}

/* Before anything is read. The lock stays until the file is closed or the process has died, so
 * there is nothing to wait for. */
static conv_status take_for_good(conv__sqlite *connection, const char *path, conv_error *error)
{
    conv_status status = open_lock(connection, error);
    if (status != CONV_OK) return status;
    status = conv__file_lock_acquire(&connection->file_lock, 0, error);
    if (status == CONV_TIMEOUT) return fail_held(path, error);
    if (status == CONV_OK && run(connection, "PRAGMA locking_mode=EXCLUSIVE") != SQLITE_OK)
        return fail_for_file(connection, sqlite3_errcode(connection->database), path, error);
    return status;
}

/* What SQLite might take for another file than it is, and change. */
static conv_status refuse_damaged(const char *path, conv_error *error)
{
    if (conv__sqlite_header_is_damaged(path))
        return conv__fail(error, CONV_BAD_DATA, ACTION, "%s: its header is damaged", path);
    if (conv__sqlite_log_is_damaged(path))
        return conv__fail(error, CONV_BAD_DATA, ACTION, "%s: its write-ahead log is damaged", path);
    return CONV_OK;
}

/* Under the writers' lock: changing to the log is a write, and two may open a new file at once. */
static conv_status prepare_for_writing(conv__sqlite *connection, const char *path,
                                       conv_error *error)
{
    if (connection->exclusive) return use_log(connection, path, error);
    conv_status status = open_lock(connection, error);
    if (status != CONV_OK) return status;
    status = conv__file_lock_acquire(&connection->file_lock, connection->deadline_ns, error);
    if (status != CONV_OK) return status;
    status = use_log(connection, path, error);
    conv__file_lock_release(&connection->file_lock);
    return status;
}

static conv_status open_handle(conv__sqlite *connection, const conv__sqlite_params *params,
                               bool in_memory, conv_error *error)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE;
    flags |= params->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    if (in_memory) flags |= SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY;
    /* Some builds of SQLite read "file:x" as a URI: a path of ours is only ever a path. */
    conv__buffer name = {0};
    if (!in_memory && params->path[0] != '/') conv__buffer_append_text(&name, "./");
    conv__buffer_append_text(&name, params->path);
    if (name.failed) {
        conv__buffer_free(&name);
        return conv__fail_memory(error, ACTION);
    }
    int code = sqlite3_open_v2(name.data, &connection->database, flags, NULL);
    conv__buffer_free(&name);
    if (code == SQLITE_OK) code = install_handlers(connection);
    if (code != SQLITE_OK) return fail_for_file(connection, code, params->path, error);
    return CONV_OK;
}

conv_status conv__sqlite_open_file(conv__sqlite *connection, const conv__sqlite_params *params,
                                   conv_error *error)
{
    const char *path = params->path;
    if (path == NULL || path[0] == '\0')
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION, "the path of the file is empty");
    bool in_memory = strcmp(path, ":memory:") == 0;
    if (in_memory && params->read_only)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "a store in memory can't be opened for reading only");
    connection->deadline_ns =
        conv__deadline_in_ms(params->timeout_ms > 0 ? params->timeout_ms : OPEN_TIMEOUT_MS);
    conv_status status = in_memory ? CONV_OK : check_file(params, error);
    if (status == CONV_OK) status = open_handle(connection, params, in_memory, error);
    if (status == CONV_OK && params->exclusive) status = take_for_good(connection, path, error);
    if (status == CONV_OK && params->exclusive) {
        sqlite3_db_config(connection->database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        status = refuse_damaged(path, error);
    }
    if (status != CONV_OK) return status;
    /* Opening reads nothing; this does, and finds out whether it is a database at all. */
    int code = run(connection, "PRAGMA schema_version");
    if (code == SQLITE_OK) code = run(connection, settings);
    if (code == SQLITE_OK && params->unsynced) code = run(connection, "PRAGMA synchronous=NORMAL");
    if (code != SQLITE_OK) return fail_for_file(connection, code, path, error);
    if (in_memory || params->read_only) return CONV_OK;
    status = prepare_for_writing(connection, path, error);
    return status == CONV_OK && !params->unsynced ? sync_names(connection, error) : status;
}

static int collect_answer(void *context, int columns, char **values, char **names)
{
    (void)columns;
    (void)names;
    *(bool *)context = values[0] != NULL && strcmp(values[0], "ok") == 0;
    return 0;
}

conv_status conv__sqlite_check(conv__sqlite *connection, conv_error *error)
{
    bool whole = false;
    connection->deadline_ns = CONV__NO_DEADLINE;
    int code = sqlite3_exec(connection->database, "PRAGMA integrity_check(1)", collect_answer,
                            &whole, NULL);
    if (code != SQLITE_OK)
        return conv__sqlite_fail(connection->database, code, "check file", error);
    if (whole) return CONV_OK;
    return conv__fail(error, CONV_BAD_DATA, "check file", "the file is damaged");
}
