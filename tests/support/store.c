#include "support/store.h"

#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db/sqlite/file_lock.h"
#include "support/folder.h"

enum { BUSY_MS = 10000 };

static char sqlite_folder[64];
static char sqlite_url[128];
static char postgres_name[64];
static char postgres_url[1024];
static char value[65536];

static void die(const char *what, const char *why)
{
    fprintf(stderr, "test store: %s: %s\n", what, why);
    exit(99);
}

const char *test_store_kind(void)
{
    const char *kind = getenv("CONVERSATION_TEST_KIND");
    if (kind == NULL) die("CONVERSATION_TEST_KIND is not set", "run the suite by ctest");
    return kind;
}

static PGconn *postgres_connect(const char *url)
{
    PGconn *connection = PQconnectdb(url);
    if (PQstatus(connection) != CONNECTION_OK) die("connecting", PQerrorMessage(connection));
    return connection;
}

static const char *server_url(void)
{
    const char *url = getenv("CONVERSATION_TEST_STORE");
    if (url == NULL)
        die("CONVERSATION_TEST_STORE is not set", "run scripts/test, or name a PostgreSQL server");
    return url;
}

static void postgres_run(const char *url, const char *sql)
{
    PGconn *connection = postgres_connect(url);
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        die(sql, PQerrorMessage(connection));
    PQclear(result);
    PQfinish(connection);
}

/* The server's connection string with the database replaced, by libpq's own rules: a later dbname
 * in key=value form would not work for a URI, so the parts are taken apart and written anew. */
static void postgres_url_of(const char *database)
{
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(server_url(), &message);
    if (options == NULL) die("CONVERSATION_TEST_STORE", message);
    size_t used = 0;
    for (PQconninfoOption *option = options; option->keyword != NULL; option++) {
        if (option->val == NULL || strcmp(option->keyword, "dbname") == 0) continue;
        used += (size_t)snprintf(postgres_url + used, sizeof postgres_url - used, "%s='%s' ",
                                 option->keyword, option->val);
    }
    snprintf(postgres_url + used, sizeof postgres_url - used, "dbname='%s'", database);
    PQconninfoFree(options);
}

const char *test_store_create(const char *kind)
{
    if (strcmp(kind, "sqlite") == 0) {
        if (!folder_make(sqlite_folder)) die("mkdtemp", sqlite_folder);
        snprintf(sqlite_url, sizeof sqlite_url, "sqlite:%s/store.db", sqlite_folder);
        return sqlite_url;
    }
    static int serial = 0;
    snprintf(postgres_name, sizeof postgres_name, "conversation_test_%d_%d", (int)getpid(),
             ++serial);
    char sql[256];
    const char *locale = getenv("CONVERSATION_TEST_LOCALE");
    snprintf(sql, sizeof sql, "CREATE DATABASE %s TEMPLATE template0 ENCODING 'UTF8'%s%s%s",
             postgres_name, locale != NULL ? " LOCALE '" : "", locale != NULL ? locale : "",
             locale != NULL ? "'" : "");
    postgres_run(server_url(), sql);
    postgres_url_of(postgres_name);
    return postgres_url;
}

void test_store_drop(const char *kind)
{
    char command[256];
    if (strcmp(kind, "sqlite") == 0) {
        if (sqlite_folder[0] == '\0') return;
        snprintf(command, sizeof command, "rm -rf '%s'", sqlite_folder);
        if (system(command) != 0) die("removing", sqlite_folder);
        sqlite_folder[0] = '\0';
        return;
    }
    if (postgres_name[0] == '\0') return;
    snprintf(command, sizeof command, "DROP DATABASE %s WITH (FORCE)", postgres_name);
    postgres_run(server_url(), command);
    postgres_name[0] = '\0';
}

static sqlite3 *sqlite_connect(void)
{
    sqlite3 *database = NULL;
    if (sqlite3_open(sqlite_url + strlen("sqlite:"), &database) != SQLITE_OK)
        die("opening", sqlite_url);
    sqlite3_busy_timeout(database, BUSY_MS);
    return database;
}

/* Queues where the library's writers do, if it gets its turn in time. SQLite itself only looks
 * again and again, and may find some of them at work each time. */
static void sqlite_run(const char *sql)
{
    char *message = NULL;
    sqlite3 *database = sqlite_connect();
    conv__file_lock turn = {.descriptor = -1};
    bool queued =
        conv__file_lock_open(sqlite3_db_filename(database, "main"), &turn, NULL) == CONV_OK &&
        conv__file_lock_acquire(&turn, conv__deadline_in_ms(BUSY_MS), NULL) == CONV_OK;
    if (sqlite3_exec(database, sql, NULL, NULL, &message) != SQLITE_OK) die(sql, message);
    if (queued) conv__file_lock_release(&turn);
    conv__file_lock_close(&turn);
    sqlite3_close(database);
}

void test_store_execute(const char *kind, const char *sql)
{
    if (strcmp(kind, "sqlite") != 0) {
        postgres_run(postgres_url, sql);
        return;
    }
    sqlite_run(sql);
}

const char *test_store_value(const char *kind, const char *sql)
{
    value[0] = '\0';
    if (strcmp(kind, "sqlite") != 0) {
        PGconn *connection = postgres_connect(postgres_url);
        PGresult *result = PQexec(connection, sql);
        if (PQresultStatus(result) != PGRES_TUPLES_OK) die(sql, PQerrorMessage(connection));
        if (PQntuples(result) > 0) snprintf(value, sizeof value, "%s", PQgetvalue(result, 0, 0));
        PQclear(result);
        PQfinish(connection);
        return value;
    }
    sqlite3 *database = sqlite_connect();
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK)
        die(sql, sqlite3_errmsg(database));
    if (sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_text(statement, 0) != NULL)
        snprintf(value, sizeof value, "%s", (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return value;
}

void contract_execute(const char *sql)
{
    test_store_execute(test_store_kind(), sql);
}

const char *contract_value(const char *sql)
{
    return test_store_value(test_store_kind(), sql);
}

long contract_count(const char *format, ...)
{
    char sql[4096];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(sql, sizeof sql, format, arguments);
    va_end(arguments);
    if (size < 0 || (size_t)size >= sizeof sql) die(format, "the statement is too long");
    return strtol(contract_value(sql), NULL, 10);
}

void contract_poison(bool set, const char *sqlstate)
{
    char sql[512];
    bool postgres = strcmp(test_store_kind(), "postgresql") == 0;
    if (!set)
        snprintf(sql, sizeof sql, "DROP TRIGGER poison%s", postgres ? " ON usage_logs" : "");
    else if (postgres)
        snprintf(sql, sizeof sql,
                 "CREATE OR REPLACE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                 " RAISE EXCEPTION USING ERRCODE = '%s', MESSAGE = 'poison'; END $$;"
                 "CREATE TRIGGER poison BEFORE INSERT ON usage_logs FOR EACH ROW"
                 " WHEN (NEW.operation = 'poison') EXECUTE FUNCTION poison()",
                 sqlstate);
    else
        snprintf(sql, sizeof sql,
                 "CREATE TRIGGER poison BEFORE INSERT ON usage_logs WHEN NEW.operation = 'poison'"
                 " BEGIN SELECT RAISE(ABORT, 'poison'); END");
    test_store_execute(test_store_kind(), sql);
}
