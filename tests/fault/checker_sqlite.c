/* See checker_rows.h: through SQLite alone. */
#include <sqlite3.h>
#include <stdlib.h>

#include "fault/checker_internal.h"
#include "fault/checker_rows.h"
#include "fault/sqlite_file.h"

typedef struct sqlite_link {
    sqlite3 *database;
    sqlite3_stmt *statement;
} sqlite_link;

static void ask(void *link, const char *sql)
{
    sqlite_link *self = link;
    if (sqlite3_prepare_v2(self->database, sql, -1, &self->statement, NULL) != SQLITE_OK)
        checker_die(sql, sqlite3_errmsg(self->database));
}

static bool next(void *link)
{
    sqlite_link *self = link;
    int result = sqlite3_step(self->statement);
    if (result == SQLITE_ROW) return true;
    if (result != SQLITE_DONE) checker_die("reading the store", sqlite3_errmsg(self->database));
    sqlite3_finalize(self->statement);
    return false;
}

static const char *value(void *link, int column)
{
    return (const char *)sqlite3_column_text(((sqlite_link *)link)->statement, column);
}

static void close_link(void *link)
{
    sqlite_link *self = link;
    sqlite3_exec(self->database, "COMMIT", NULL, NULL, NULL);
    sqlite_file_leave(self->database);
    free(self);
}

checker_rows checker_sqlite_rows(const char *path)
{
    sqlite_link *self = calloc(1, sizeof *self);
    if (self == NULL) checker_die(path, "no memory");
    self->database = sqlite_file_read(path);
    sqlite3_exec(self->database, "BEGIN", NULL, NULL, NULL);
    /* Costs are texts of nine decimals; see fault_usage. */
    return (checker_rows){.link = self,
                          .ask = ask,
                          .next = next,
                          .value = value,
                          .close = close_link,
                          .sums_sql = "SELECT tokens, printf('%d.%09d', cost / 1000000000,"
                                      " cost % 1000000000) FROM (SELECT"
                                      " coalesce(sum(total_tokens), 0) AS tokens, coalesce(sum("
                                      "CAST(round(cost_usd * 1e9) AS INTEGER)), 0) AS cost"
                                      " FROM usage_logs)"};
}
