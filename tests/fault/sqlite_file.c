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

#include "support/folder.h"

enum { PAGE = 4096, BUSY_MS = 10000, PATH_SIZE = 160, READERS = 4 };

/* Copies cost time with their size. */
enum { MOST_COPIED = 4 << 20 };

/* Of the database header: the file format's versions for writing and reading (1: with a rollback
 * journal, 2: with a log), the file change counter, and the version-valid-for number, which equals
 * it where the header's size is true. */
enum { HEADER_SIZE = 100, VERSIONS_AT = 18, CHANGES_AT = 24, VALID_FOR_AT = 92 };

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

static void begin_reader(reader *self, const char *path)
{
    char name[64];
    if (strlen(path) >= sizeof self->path) die(path, "the name is too long");
    snprintf(name, sizeof name, "%s/conversation-read-XXXXXX", folder_for_files(MOST_COPIED));
    if (self->database != NULL) {
        sqlite3_close(self->database);
        close(self->copy);
    }
    *self = (reader){.copy = mkostemp(name, O_CLOEXEC)};
    snprintf(self->path, sizeof self->path, "%s", path);
    if (self->copy < 0) die(name, "can't be made");
    if (sqlite3_open_v2(name, &self->database, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
        die(name, sqlite3_errmsg(self->database));
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

/* What was read of the copy before it is another state, and is to be read without a log. */
static void change_header(reader *self, unsigned char *bytes)
{
    bool valid = memcmp(bytes + VALID_FOR_AT, bytes + CHANGES_AT, sizeof self->changes) == 0;
    for (int i = VERSIONS_AT; i < VERSIONS_AT + 2; i++)
        if (bytes[i] == 2) bytes[i] = 1;
    self->changes++;
    memcpy(bytes + CHANGES_AT, &self->changes, sizeof self->changes);
    if (valid)
        memcpy(bytes + VALID_FOR_AT, &self->changes, sizeof self->changes);
    else
        memset(bytes + VALID_FOR_AT, 0, sizeof self->changes);
}

static void copy_file(reader *self, int file, off_t size)
{
    unsigned char *bytes = malloc((size_t)size + 1);
    if (bytes == NULL || read(file, bytes, (size_t)size) != size) die(self->path, "can't be read");
    if (size >= HEADER_SIZE) change_header(self, bytes);
    if (pwrite(self->copy, bytes, (size_t)size, 0) != size || ftruncate(self->copy, size) != 0)
        die(self->path, "can't be copied");
    free(bytes);
}

bool sqlite_file_has_log(const char *path)
{
    char log[PATH_SIZE + 8];
    snprintf(log, sizeof log, "%s-wal", path);
    return access(log, F_OK) == 0;
}

/* A rollback journal is beside a file that was never brought to use a log. */
static bool must_be_opened(const char *path, struct stat *status)
{
    char journal[PATH_SIZE + 16];
    snprintf(journal, sizeof journal, "%s-journal", path);
    return sqlite_file_has_log(path) || access(journal, F_OK) == 0 || stat(path, status) != 0 ||
           status->st_size > MOST_COPIED;
}

sqlite3 *sqlite_file_read(const char *path)
{
    struct stat status;
    int file = -1;
    if (!must_be_opened(path, &status)) file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return sqlite_file_open(path);
    reader *chosen = find_reader(path);
    copy_file(chosen, file, status.st_size);
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
