/* The simple query protocol, the only one that takes several commands in one text: for migrations,
 * and for LISTEN, which takes no parameter. */
#include "db/postgres/script.h"

#include "core/error.h"
#include "core/time.h"
#include "db/postgres/libpq.h"

static conv_status read_all(conv__connection *connection, const char *action, int64_t deadline_ns,
                            conv_error *error)
{
    PGconn *link = connection->link;
    conv_status status = CONV_OK;
    for (;;) {
        int unsent = PQflush(link);
        if (unsent > 0 || PQisBusy(link)) {
            bool readable = false;
            if (conv__connection_wait(connection, unsent > 0, deadline_ns, &readable) != CONV_OK)
                return conv__connection_timeout(connection, action, error);
            if (readable && !PQconsumeInput(link)) connection->broken = true;
            if (!connection->broken) continue;
        }
        PGresult *result = PQgetResult(link);
        if (result == NULL) break;
        ExecStatusType kind = PQresultStatus(result);
        if (kind != PGRES_COMMAND_OK && kind != PGRES_TUPLES_OK && status == CONV_OK)
            status = conv__connection_failure(connection, result, action, error);
        PQclear(result);
    }
    if (status == CONV_OK && PQstatus(link) != CONNECTION_OK)
        status = conv__connection_failure(connection, NULL, action, error);
    return status;
}

conv_status conv__script_run(conv__connection *connection, const char *sql, const char *action,
                             int64_t deadline_ns, conv_error *error)
{
    PGconn *link = connection->link;
    if (!PQexitPipelineMode(link) || !PQsendQuery(link, sql)) {
        connection->broken = true;
        return conv__connection_failure(connection, NULL, action, error);
    }
    conv_status status = read_all(connection, action, deadline_ns, error);
    if (!connection->broken && !PQenterPipelineMode(link)) {
        connection->broken = true;
        if (status == CONV_OK) status = conv__connection_failure(connection, NULL, action, error);
    }
    return status;
}
