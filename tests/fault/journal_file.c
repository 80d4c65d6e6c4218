/* See journal_file.h. */
#include "fault/journal_file.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 4096 };

static void die(const char *path, const char *why)
{
    fprintf(stderr, "%s: %s\n", path, why);
    exit(99);
}

static long read_number(const char *path, const char *sql)
{
    sqlite3 *database = NULL;
    sqlite3_stmt *statement = NULL;
    if (sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        die(path, sqlite3_errmsg(database));
    long number = (long)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return number;
}

void journal_file_damage(const char *path)
{
    char rubbish[PAGE];
    long page =
        read_number(path, "SELECT rootpage FROM sqlite_schema WHERE name = 'idx_journal_item'");
    FILE *file = fopen(path, "r+be");
    memset(rubbish, 0xAA, sizeof rubbish);
    if (page < 2 || file == NULL || fseek(file, (page - 1) * PAGE, SEEK_SET) != 0 ||
        fwrite(rubbish, 1, sizeof rubbish, file) != sizeof rubbish || fclose(file) != 0)
        die(path, "can't be damaged");
}

long journal_file_count_dead(const char *path)
{
    return read_number(path, "SELECT count(*) FROM journal WHERE kind = 'dead'");
}
