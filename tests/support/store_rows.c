#include "support/store_rows.h"

#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/sqlite/decimal_sum.h"

static void die(const char *what, const char *why)
{
    fprintf(stderr, "store rows: %s: %s\n", what, why);
    exit(99);
}

static void print_postgres(FILE *out, const char *url, const char *sql)
{
    PGconn *connection = PQconnectdb(url);
    PGresult *result = PQexec(connection, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) die(sql, PQerrorMessage(connection));
    for (int row = 0; row < PQntuples(result); row++)
        for (int column = 0; column < PQnfields(result); column++)
            fprintf(out, "%s%s", PQgetvalue(result, row, column),
                    column + 1 == PQnfields(result) ? "\n" : "\t");
    PQclear(result);
    PQfinish(connection);
}

static void print_sqlite(FILE *out, const char *url, const char *sql)
{
    sqlite3 *database = NULL;
    sqlite3_stmt *statement = NULL;
    if (sqlite3_open(url + strlen("sqlite:"), &database) != SQLITE_OK) die("opening", url);
    sqlite3_busy_timeout(database, 10000);
    if (conv__decimal_sum_register(database) != SQLITE_OK) die("opening", url);
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK)
        die(sql, sqlite3_errmsg(database));
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        int columns = sqlite3_column_count(statement);
        for (int column = 0; column < columns; column++) {
            /* As bytes, so that a NUL does not hide what stands behind it. */
            const void *bytes = sqlite3_column_blob(statement, column);
            size_t size = (size_t)sqlite3_column_bytes(statement, column);
            if (size > 0) fwrite(bytes, 1, size, out);
            fputc(column + 1 == columns ? '\n' : '\t', out);
        }
    }
    if (code != SQLITE_DONE) die(sql, sqlite3_errmsg(database));
    sqlite3_finalize(statement);
    sqlite3_close(database);
}

static void print(FILE *out, const char *kind, const char *url, const char *sql)
{
    if (strcmp(kind, "sqlite") == 0)
        print_sqlite(out, url, sql);
    else
        print_postgres(out, url, sql);
}

char *store_rows(const char *kind, const char *url, const char *sql, size_t *size)
{
    char *text = NULL;
    size_t written = 0;
    FILE *out = open_memstream(&text, &written);
    if (out == NULL) die(sql, "no memory");
    print(out, kind, url, sql);
    fclose(out);
    if (size != NULL) *size = written;
    return text;
}

/* A question for each relation, and for each binary column as text. */
static const char *questions_of(const char *kind)
{
    if (strcmp(kind, "sqlite") == 0)
        return "SELECT 'SELECT * FROM \"' || name || '\"' FROM sqlite_schema"
               " WHERE type IN ('table', 'view')";
    return "SELECT format('SELECT t::text FROM %s t', c.oid::regclass) FROM pg_class c"
           " JOIN pg_namespace n ON n.oid = c.relnamespace"
           " WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'v', 'm', 'p')"
           " UNION ALL"
           " SELECT format('SELECT encode(%I, ''escape'') FROM %s', a.attname, c.oid::regclass)"
           " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
           " JOIN pg_attribute a ON a.attrelid = c.oid"
           " WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'm', 'p')"
           " AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = 'bytea'::regtype";
}

char *store_everything(const char *kind, const char *url, size_t *size)
{
    char *text = NULL;
    char *rest = NULL;
    char *questions = store_rows(kind, url, questions_of(kind), NULL);
    FILE *out = open_memstream(&text, size);
    if (out == NULL) die("everything", "no memory");
    for (char *sql = strtok_r(questions, "\n", &rest); sql != NULL;
         sql = strtok_r(NULL, "\n", &rest))
        print(out, kind, url, sql);
    fclose(out);
    free(questions);
    return text;
}
