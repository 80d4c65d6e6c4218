/* Events for other processes through PostgreSQL: one connection saves, another one, which could be
 * that of any program on any host, hears of it at once and asks the store for nothing meanwhile.
 * Usage: notify STORE, a PostgreSQL database: SQLite has no notifications */
#include <conversation/conversation.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>

/* The other program. It knows libpq and the name of the channel, and needs nothing of ours. */
static PGconn *start_listening(const char *store)
{
    PGconn *connection = PQconnectdb(store);
    PGresult *result = PQexec(connection, "LISTEN conversation");
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        fprintf(stderr, "%s", PQerrorMessage(connection));
    PQclear(result);
    return connection;
}

/* Sleeps until there is something to hear, and prints that: an event as JSON. */
static void hear_one(PGconn *connection)
{
    PGnotify *heard = NULL;
    struct pollfd readable = {PQsocket(connection), POLLIN, 0};
    while (PQconsumeInput(connection) == 1 && (heard = PQnotifies(connection)) == NULL)
        poll(&readable, 1, -1);
    if (heard != NULL) puts(heard->extra);
    PQfreemem(heard);
}

static conv_status save(conv_client *client, conv_error *error)
{
    uint64_t number = 0;
    conv_reply *reply = NULL;
    conv_event_notify notify = CONV_EVENT_NOTIFY_INIT;
    notify.kinds = CONV_EVENT_SET(CONV_EVENT_SESSION_CREATED) | CONV_EVENTS_EXCHANGE;
    notify.delivery = CONV_DELIVERY_DROP_NEWEST; /* a listener has to look into the store anyway
                                                    after an interruption */
    conv_status status = conv_event_subscribe_notify(client, &notify, &number, error);
    conv_turn turn = CONV_TURN_INIT;
    turn.session_id = "support-42";
    turn.message = conv_text("Where is my order?");
    if (status == CONV_OK) status = conv_process_message(client, &turn, &reply, error);
    conv_reply_free(reply);
    return status;
}

int main(int count, char **arguments)
{
    conv_error error = CONV_ERROR_INIT;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    conv_client *client = NULL;
    if (count < 2) {
        fprintf(stderr, "usage: notify STORE\n");
        return 2;
    }
    params.store = arguments[1];
    conv_status status = conv_provider_echo(&params.provider, &error);
    if (status == CONV_OK) status = conv_client_open(&params, &client, &error);
    if (status == CONV_OK) {
        PGconn *listener = start_listening(params.store);
        status = save(client, &error);
        for (int i = 0; status == CONV_OK && i < 2; i++)
            hear_one(listener);
        PQfinish(listener);
    }
    if (status != CONV_OK) fprintf(stderr, "%s: %s\n", error.action, error.message);
    conv_client_close(client, 5000, NULL);
    conv_provider_free(params.provider);
    return status == CONV_OK ? 0 : 1;
}
