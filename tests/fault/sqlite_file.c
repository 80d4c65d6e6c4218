/* See sqlite_file.h. */
#include "fault/sqlite_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 4096, BUSY_MS = 10000 };

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

long sqlite_file_number(const char *path, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (access(path, F_OK) != 0) return 0;
    sqlite3 *database = sqlite_file_open(path);
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        die(sql, sqlite3_errmsg(database));
    long value = (long)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(database);
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
