/* Reading notifications on a connection that has nothing else to do. It sends nothing. */
#include "db/postgres/notification.h"

#include "core/error.h"
#include "db/postgres/libpq.h"

static conv_status take(PGnotify *notify, conv__buffer *payload, const char *action,
                        conv_error *error)
{
    conv__buffer_clear(payload);
    conv__buffer_append_text(payload, notify->extra);
    PQfreemem(notify);
    return payload->failed ? conv__fail_memory(error, action) : CONV_OK;
}

conv_status conv__notification_next(conv__connection *connection, int64_t deadline_ns,
                                    conv__buffer *payload, const char *action, conv_error *error)
{
    PGconn *link = connection->link;
    for (bool readable = false;;) {
        bool ended = !PQconsumeInput(link);
        PGnotify *notify = PQnotifies(link);
        if (notify != NULL) return take(notify, payload, action, error);
        if (ended || connection->broken || PQstatus(link) != CONNECTION_OK) {
            connection->broken = true;
            return conv__connection_failure(connection, NULL, action, error);
        }
        if (conv__connection_wait(connection, false, deadline_ns, &readable) != CONV_OK)
            return conv__fail(error, CONV_TIMEOUT, action, "nothing was told in this time");
    }
}
