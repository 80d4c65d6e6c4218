/* Listening on one channel. What is told there is not looked at. */
#include "repositories/postgres/listen.h"

#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "db/postgres/connection.h"
#include "db/postgres/notification.h"
#include "db/postgres/script.h"

#define ACTION "listen for events"

struct conv__listener {
    conv__connection *connection;
    atomic_bool unnamed;
};

/* A channel is an identifier, which no parameter can be. */
static void append_listen(conv__buffer *sql, const char *channel)
{
    conv__buffer_append_text(sql, "LISTEN \"");
    for (const char *byte = channel; *byte != '\0'; byte++)
        conv__buffer_append(sql, *byte == '"' ? "\"\"" : byte, *byte == '"' ? 2 : 1);
    conv__buffer_append_text(sql, "\"");
}

static conv_status listen_on(conv__connection *connection, const char *channel, int64_t deadline_ns,
                             conv_error *error)
{
    conv__buffer sql = {0};
    append_listen(&sql, channel);
    conv_status status = sql.failed
                             ? conv__fail_memory(error, ACTION)
                             : conv__script_run(connection, sql.data, ACTION, deadline_ns, error);
    conv__buffer_free(&sql);
    return status;
}

conv_status conv__postgres_listen(const char *conninfo, const char *channel, int64_t deadline_ns,
                                  conv__listener **listener, conv_error *error)
{
    *listener = NULL;
    conv__listener *made = conv__allocate(sizeof *made);
    if (made == NULL) return conv__fail_memory(error, ACTION);
    atomic_init(&made->unnamed, true);
    conv__connection_params params = {.conninfo = conninfo,
                                      .application = "conversation",
                                      .timeout_ms = conv__deadline_left_ms(deadline_ns),
                                      .unnamed = &made->unnamed};
    conv_status status = conv__connection_open(&params, deadline_ns, &made->connection, error);
    if (status == CONV_OK) status = listen_on(made->connection, channel, deadline_ns, error);
    if (status != CONV_OK) {
        conv__postgres_listener_close(made);
        return status;
    }
    *listener = made;
    return CONV_OK;
}

conv_status conv__postgres_listener_next(conv__listener *listener, int64_t deadline_ns,
                                         conv__buffer *payload, conv_error *error)
{
    conv_status status =
        conv__notification_next(listener->connection, deadline_ns, payload, ACTION, error);
    /* Nothing was under way that could have come about. */
    if (error != NULL) error->outcome_unknown = false;
    return status;
}

void conv__postgres_listener_close(conv__listener *listener)
{
    if (listener == NULL) return;
    conv__connection_close(listener->connection);
    conv__release(listener);
}
