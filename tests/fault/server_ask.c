/* What campaigns ask and order a server themselves; see server.h. */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault/server.h"

/* The last connection beside the library, which stays: to make one costs the server more than most
 * of what is asked over it. A child that was forked makes its own. */
static PGconn *beside;
static char beside_url[160];
static pid_t beside_of;

static void connect_beside(const char *url)
{
    if (beside_of == getpid()) PQfinish(beside);
    beside = PQconnectdb(url);
    beside_of = getpid();
    snprintf(beside_url, sizeof beside_url, "%s", url);
}

/* What the server says has a code; without one it is libpq that found it gone. */
static bool is_gone(const PGresult *result)
{
    return PQstatus(beside) != CONNECTION_OK ||
           (PQresultStatus(result) == PGRES_FATAL_ERROR &&
            PQresultErrorField(result, PG_DIAG_SQLSTATE) == NULL);
}

/* The server may have been restarted since it was last asked. */
static PGresult *ask(const char *url, const char *sql)
{
    bool kept = beside_of == getpid() && strcmp(beside_url, url) == 0;
    if (!kept) connect_beside(url);
    PGresult *result = PQexec(beside, sql);
    if (!kept || !is_gone(result)) return result;
    PQclear(result);
    connect_beside(url);
    return PQexec(beside, sql);
}

void server_kill_backend(server *self)
{
    long process =
        server_number(server_url(self), "SELECT pid FROM pg_stat_activity WHERE application_name ="
                                        " 'conversation' ORDER BY random() LIMIT 1");
    if (process > 0) kill((pid_t)process, SIGKILL);
}

bool server_execute(const char *url, const char *sql)
{
    PGresult *result = ask(url, sql);
    ExecStatusType status = PQresultStatus(result);
    bool done = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (!done) fprintf(stderr, "%s: %s", sql, PQerrorMessage(beside));
    PQclear(result);
    return done;
}

long server_number(const char *url, const char *sql)
{
    PGresult *row = ask(url, sql);
    long value = PQresultStatus(row) == PGRES_TUPLES_OK && PQntuples(row) > 0
                     ? strtol(PQgetvalue(row, 0, 0), NULL, 10)
                     : -1;
    PQclear(row);
    return value;
}

void server_empty(const char *url)
{
    if (server_execute(url, "TRUNCATE chat_users, chat_sessions, chat_exchanges, chat_messages,"
                            " usage_logs, chat_sessions_summary"))
        return;
    fprintf(stderr, "server: emptying the store failed\n");
    exit(99);
}
