/* Events for other processes through PostgreSQL: a client saves, and a listener, which could be in
 * any program on any host, hears of it at once and asks the store for nothing meanwhile. A program
 * without this library hears the same with LISTEN, by any client of PostgreSQL.
 * Usage: notify STORE, a PostgreSQL database: SQLite has no notifications */
#include <conversation/conversation.h>
#include <stdio.h>

/* The other program: prints what it hears, each event as JSON. CONV_TIMEOUT would be no failure:
 * nothing was told in this time. */
static conv_status hear_one(conv_event_listener *listener, conv_error *error)
{
    const char *event = NULL;
    conv_status status = conv_event_listener_next(listener, 10000, &event, error);
    if (status == CONV_OK) puts(event);
    return status;
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
    conv_event_listener *listener = NULL;
    if (count < 2) {
        fprintf(stderr, "usage: notify STORE\n");
        return 2;
    }
    params.store = arguments[1];
    conv_status status = conv_provider_echo(&params.provider, &error);
    if (status == CONV_OK) status = conv_client_open(&params, &client, &error);
    /* It hears what is told from now on. */
    if (status == CONV_OK) status = conv_event_listener_open(params.store, NULL, &listener, &error);
    if (status == CONV_OK) status = save(client, &error);
    for (int i = 0; status == CONV_OK && i < 2; i++)
        status = hear_one(listener, &error);
    if (status != CONV_OK) fprintf(stderr, "%s: %s\n", error.action, error.message);
    conv_event_listener_close(listener);
    conv_client_close(client, 5000, NULL);
    conv_provider_free(params.provider);
    return status == CONV_OK ? 0 : 1;
}
