#include "support/postgres.h"

#include "support/store.h"
#include "support/test.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "core/time.h"

static char url[1024];

int postgres_setup_empty(void **state)
{
    (void)state;
    snprintf(url, sizeof url, "%s", test_store_create("postgresql"));
    return 0;
}

int postgres_setup(void **state)
{
    conv_error error = CONV_ERROR_INIT;
    conv_schema_state schema;
    postgres_setup_empty(state);
    conv__store *store = postgres_open(NULL);
    conv_status status =
        store->functions->migrate(store, conv__deadline_in_ms(30000), &schema, &error);
    store->functions->close(store);
    if (status != CONV_OK) fprintf(stderr, "%s: %s\n", error.action, error.message);
    return status == CONV_OK ? 0 : -1;
}

int postgres_teardown(void **state)
{
    (void)state;
    test_store_drop("postgresql");
    return 0;
}

const char *postgres_url(void)
{
    return url;
}

const char *postgres_url_with(const char *keyword, const char *value)
{
    static char text[1200];
    snprintf(text, sizeof text, "%s %s='%s'", url, keyword, value);
    return text;
}

conv__store *postgres_open(const conv__postgres_params *params)
{
    conv_error error = CONV_ERROR_INIT;
    conv__store *store = NULL;
    conv__postgres_params defaults = {.connection = url, .connections = 5};
    conv_status status =
        conv__postgres_store_open(params == NULL ? &defaults : params, &store, &error);
    if (status != CONV_OK) {
        fprintf(stderr, "%s: %s\n", error.action, error.message);
        exit(99);
    }
    return store;
}

conv__connection *postgres_connect(void)
{
    static atomic_bool unnamed;
    conv_error error = CONV_ERROR_INIT;
    conv__connection *connection = NULL;
    conv__connection_params params = {url, "conversation test", 10000, &unnamed, NULL};
    assert_ok(conv__connection_open(&params, conv__deadline_in_ms(10000), &connection, &error),
              error);
    return connection;
}

PGconn *postgres_link(void)
{
    PGconn *link = PQconnectdb(url);
    if (PQstatus(link) != CONNECTION_OK) fail_msg("%s", PQerrorMessage(link));
    return link;
}

void postgres_execute(PGconn *link, const char *sql)
{
    PGresult *result = PQexec(link, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(link));
    PQclear(result);
}

long postgres_number(PGconn *link, const char *sql)
{
    PGresult *result = PQexec(link, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1)
        fail_msg("%s: %s", sql, PQerrorMessage(link));
    long number = strtol(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return number;
}

bool postgres_becomes(PGconn *link, const char *sql, long wanted)
{
    struct timespec pause = {0, 10000000};
    for (int i = 0; i < 1000; i++) {
        if (postgres_number(link, sql) == wanted) return true;
        nanosleep(&pause, NULL);
    }
    return false;
}
