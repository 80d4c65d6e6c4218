#include "support/store_rows.h"

#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK)
        die(sql, sqlite3_errmsg(database));
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        int columns = sqlite3_column_count(statement);
        for (int column = 0; column < columns; column++) {
            /* As bytes, so that a NUL does not hide what stands behind it. */
            bool binary = sqlite3_column_type(statement, column) == SQLITE_BLOB;
            const unsigned char *bytes = sqlite3_column_blob(statement, column);
            size_t size = (size_t)sqlite3_column_bytes(statement, column);
            for (size_t i = 0; binary && i < size; i++)
                fprintf(out, "%02x", bytes[i]);
            if (!binary && size > 0) fwrite(bytes, 1, size, out);
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

/* Prints the rows of all questions that a question gives. */
static char *answers(const char *kind, const char *url, const char *sql, size_t *size)
{
    char *text = NULL;
    char *rest = NULL;
    char *questions = store_rows(kind, url, sql, NULL);
    FILE *out = open_memstream(&text, size);
    if (out == NULL) die(sql, "no memory");
    for (char *one = strtok_r(questions, "\n", &rest); one != NULL;
         one = strtok_r(NULL, "\n", &rest))
        print(out, kind, url, one);
    fclose(out);
    free(questions);
    return text;
}

char *store_everything(const char *kind, const char *url, size_t *size)
{
    if (strcmp(kind, "sqlite") == 0)
        return answers(kind, url,
                       "SELECT 'SELECT * FROM \"' || name || '\"' FROM sqlite_schema"
                       " WHERE type IN ('table', 'view')",
                       size);
    return answers(kind, url,
                   "SELECT format('SELECT t::text FROM %s t', c.oid::regclass) FROM pg_class c"
                   " JOIN pg_namespace n ON n.oid = c.relnamespace"
                   " WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'v', 'm', 'p')",
                   size);
}

char *store_binaries(const char *kind, const char *url, size_t *size)
{
    if (strcmp(kind, "sqlite") == 0) return answers(kind, url, "SELECT 'SELECT NULL'", size);
    return answers(kind, url,
                   "SELECT format('SELECT encode(%I, ''escape'') FROM %s', a.attname,"
                   " c.oid::regclass)"
                   " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                   " JOIN pg_attribute a ON a.attrelid = c.oid"
                   " WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'm', 'p')"
                   " AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = 'bytea'::regtype",
                   size);
}
