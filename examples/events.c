/* Events: a handler that counts what is saved, and a log of all that happens, as lines of JSON.
 * Usage: events [STORE] */
#include <conversation/conversation.h>
#include <stdio.h>

/* Called by the thread that saved, when the exchange is committed. */
static conv_status count_saved(void *context, const conv_event *event)
{
    int *saved = context;
    *saved += event->message_count > 0;
    return CONV_OK;
}

static conv_status ask(conv_client *client, const char *text, conv_error *error)
{
    conv_turn turn = CONV_TURN_INIT;
    turn.session_id = "events";
    turn.message = conv_text(text);
    conv_reply *reply = NULL;
    conv_status status = conv_process_message(client, &turn, &reply, error);
    conv_reply_free(reply);
    return status;
}

static conv_status run(conv_client *client, int *saved, conv_error *error)
{
    uint64_t number = 0;
    uint64_t counting = 0;
    conv_subscription_params counter = CONV_SUBSCRIPTION_PARAMS_INIT;
    counter.kinds = CONV_EVENT_SET(CONV_EVENT_EXCHANGE_SAVED);
    counter.handler = count_saved;
    counter.context = saved;
    conv_status status = conv_event_subscribe(client, &counter, &counting, error);

    /* Handlers that are slow, on another host or in another process: event_queue.c, webhook.c,
     * notify.c. */
    conv_event_log log = CONV_EVENT_LOG_INIT;
    log.file = stdout;
    if (status == CONV_OK) status = conv_event_subscribe_log(client, &log, &number, error);

    if (status == CONV_OK) status = ask(client, "Hello", error);
    if (status == CONV_OK) status = ask(client, "Are you still there?", error);

    /* Nobody counts any more, once this has returned; the log goes on. */
    if (status == CONV_OK) status = conv_event_unsubscribe(client, counting, error);
    if (status == CONV_OK) status = ask(client, "Bye", error);
    return status;
}

int main(int count, char **arguments)
{
    conv_error error = CONV_ERROR_INIT;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = count > 1 ? arguments[1] : "sqlite:events.db";
    conv_client *client = NULL;
    int saved = 0;
    conv_status status = conv_provider_echo(&params.provider, &error);
    if (status == CONV_OK) status = conv_client_open(&params, &client, &error);
    if (status == CONV_OK) status = run(client, &saved, &error);
    if (status != CONV_OK) fprintf(stderr, "%s: %s\n", error.action, error.message);
    conv_client_close(client, 5000, NULL);
    conv_provider_free(params.provider);
    printf("%d exchanges counted\n", saved);
    return status == CONV_OK ? 0 : 1;
}
