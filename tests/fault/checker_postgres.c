/* See checker_rows.h: through libpq alone. */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault/checker_internal.h"
#include "fault/checker_rows.h"

enum { RECOVERY_SECONDS = 60, QUESTIONS = 8, NAME_SIZE = 24 };

typedef struct postgres_link {
    PGconn *connection;
    PGresult *row;
    bool own;
} postgres_link;

/* What the last connection that stays has planned already; the place is the name. */
static const char *planned[QUESTIONS];
static int planned_by;

static void plan(PGconn *connection, const char *sql, char name[NAME_SIZE])
{
    int place = 0;
    if (planned_by != PQbackendPID(connection)) memset(planned, 0, sizeof planned);
    planned_by = PQbackendPID(connection);
    while (planned[place] != NULL && planned[place] != sql)
        if (++place == QUESTIONS) checker_die(sql, "one question too many");
    snprintf(name, NAME_SIZE, "question %d", place);
    if (planned[place] != NULL) return;
    PGresult *result = PQprepare(connection, name, sql, 0, NULL);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) checker_die(sql, PQerrorMessage(connection));
    PQclear(result);
    planned[place] = sql;
}

static int ask_again(PGconn *connection, const char *sql)
{
    char name[NAME_SIZE];
    plan(connection, sql, name);
    return PQsendQueryPrepared(connection, name, 0, NULL, NULL, NULL, 0);
}

/* Over a connection that stays, the same is asked again and again. */
static void ask(void *link, const char *sql)
{
    PGconn *connection = ((postgres_link *)link)->connection;
    bool own = ((postgres_link *)link)->own;
    int sent = own ? PQsendQuery(connection, sql) : ask_again(connection, sql);
    if (sent == 0 || !PQsetSingleRowMode(connection)) checker_die(sql, PQerrorMessage(connection));
}

static bool next(void *link)
{
    postgres_link *self = link;
    PQclear(self->row);
    self->row = PQgetResult(self->connection);
    if (self->row != NULL && PQresultStatus(self->row) == PGRES_SINGLE_TUPLE) return true;
    if (self->row == NULL || PQresultStatus(self->row) != PGRES_TUPLES_OK)
        checker_die("reading the store", PQerrorMessage(self->connection));
    do
        PQclear(self->row);
    while ((self->row = PQgetResult(self->connection)) != NULL);
    return false;
}

static const char *value(void *link, int column)
{
    const PGresult *row = ((postgres_link *)link)->row;
    return PQgetisnull(row, 0, column) ? NULL : PQgetvalue(row, 0, column);
}

static void close_link(void *link)
{
    postgres_link *self = link;
    PQclear(PQexec(self->connection, "COMMIT"));
    if (self->own) PQfinish(self->connection);
    free(self);
}

/* A server whose backend was just killed recovers first, and says so. */
static PGconn *connect_to(const char *store)
{
    for (int i = 0; i < RECOVERY_SECONDS * 50 && PQping(store) == PQPING_REJECT; i++)
        usleep(20000);
    return PQconnectdb(store);
}

checker_rows checker_postgres_rows(const checker_params *params)
{
    postgres_link *self = calloc(1, sizeof *self);
    if (self == NULL) checker_die("connecting", "no memory");
    self->own = params->link == NULL;
    self->connection = self->own ? connect_to(params->store) : params->link;
    if (PQstatus(self->connection) != CONNECTION_OK)
        checker_die("connecting", PQerrorMessage(self->connection));
    PQclear(PQexec(self->connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
    return (checker_rows){.link = self,
                          .ask = ask,
                          .next = next,
                          .value = value,
                          .close = close_link,
                          .sums_sql = "SELECT coalesce(sum(total_tokens), 0),"
                                      " coalesce(sum(cost_usd), 0) FROM usage_logs"};
}
