/* See sqlite_file.h. */
#include "fault/sqlite_file.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096, BUSY_MS = 10000, PATH_SIZE = 160, READERS = 4 };

/* Where a file's header has its ways of writing and reading, which changes it has seen, and for
 * which of them its size is true. */
enum { HEADER_SIZE = 100, WAYS_AT = 18, CHANGES_AT = 24, SIZED_AT = 92 };

static void die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(99);
}

sqlite3 *sqlite_file_open(const char *path)
{
    sqlite3 *database = NULL;
    if (sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        die(path, sqlite3_errmsg(database));
    sqlite3_busy_timeout(database, BUSY_MS);
    return database;
}

/* Of a process; a child makes its own. */
typedef struct reader {
    char path[PATH_SIZE]; /* of the file that was copied last */
    sqlite3 *database;
    int copy; /* which has no name */
    uint32_t changes;
} reader;

static reader readers[READERS];
static pid_t readers_of;

static bool has_log(const char *path)
{
    char log[PATH_SIZE + 8];
    snprintf(log, sizeof log, "%s-wal", path);
    return access(log, F_OK) == 0;
}

static void begin_reader(reader *self, const char *path)
{
    char name[64];
    snprintf(name, sizeof name, "%s/conversation-read-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (self->database != NULL) {
        sqlite3_close(self->database);
        close(self->copy);
    }
    *self = (reader){.copy = mkstemp(name)};
    snprintf(self->path, sizeof self->path, "%s", path);
    if (self->copy < 0) die(name, "can't be made");
    self->database = sqlite_file_open(name);
    unlink(name);
}

/* The one of this file, or else the next in turn. */
static reader *find_reader(const char *path)
{
    static int next;
    if (readers_of != getpid()) memset(readers, 0, sizeof readers);
    readers_of = getpid();
    for (int i = 0; i < READERS; i++)
        if (strcmp(readers[i].path, path) == 0) return &readers[i];
    reader *chosen = &readers[next++ % READERS];
    begin_reader(chosen, path);
    return chosen;
}

/* That it is another state than the last one stands in the header, and that it needs no log. */
static void copy_file(reader *self, int file)
{
    struct stat status;
    if (fstat(file, &status) != 0) die(self->path, "can't be read");
    size_t size = (size_t)status.st_size;
    unsigned char *bytes = malloc(size + 1);
    if (bytes == NULL || read(file, bytes, size) != status.st_size)
        die(self->path, "can't be read");
    if (size >= HEADER_SIZE) {
        bytes[WAYS_AT] = bytes[WAYS_AT + 1] = 1;
        self->changes++;
        memcpy(bytes + CHANGES_AT, &self->changes, sizeof self->changes);
        memset(bytes + SIZED_AT, 0, sizeof self->changes);
    }
    if (pwrite(self->copy, bytes, size, 0) != status.st_size ||
        ftruncate(self->copy, status.st_size) != 0)
        die(self->path, "can't be copied");
    free(bytes);
}

sqlite3 *sqlite_file_read(const char *path)
{
    int file = has_log(path) ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return sqlite_file_open(path);
    reader *chosen = find_reader(path);
    copy_file(chosen, file);
    close(file);
    return chosen->database;
}

void sqlite_file_leave(sqlite3 *database)
{
    for (int i = 0; i < READERS; i++)
        if (readers[i].database == database && readers_of == getpid()) return;
    sqlite3_close(database);
}

long sqlite_file_number(const char *path, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (access(path, F_OK) != 0) return 0;
    sqlite3 *database = sqlite_file_read(path);
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        die(sql, sqlite3_errmsg(database));
    long value = (long)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite_file_leave(database);
    return value;
}

void sqlite_file_damage_journal(const char *path)
{
    char rubbish[PAGE];
    long page = sqlite_file_number(
        path, "SELECT rootpage FROM sqlite_schema WHERE name = 'idx_journal_item'");
    FILE *file = fopen(path, "r+be");
    memset(rubbish, 0xAA, sizeof rubbish);
    if (page < 2 || file == NULL || fseek(file, (page - 1) * PAGE, SEEK_SET) != 0 ||
        fwrite(rubbish, 1, sizeof rubbish, file) != sizeof rubbish || fclose(file) != 0)
        die(path, "can't be damaged");
}
