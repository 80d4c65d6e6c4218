/* An event loop that never waits for the store: exchanges are submitted, poll(2) says when results
 * are there. Usage: event_loop [STORE] */
#include <conversation/conversation.h>
#include <poll.h>
#include <stdio.h>

#define EXCHANGES 5

/* The application has the reply already; the exchange is copied. */
static conv_status submit(conv_client *client, int number, conv_error *error)
{
    char question[32];
    snprintf(question, sizeof question, "Question %d?", number);
    conv_message messages[2] = {{0}, {0}};
    messages[0].role = CONV_ROLE_USER;
    messages[0].content = conv_text(question);
    messages[1].role = CONV_ROLE_ASSISTANT;
    messages[1].content = conv_text("An answer.");
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    exchange.session_id = "event-loop";
    exchange.messages = messages;
    exchange.message_count = 2;
    return conv_async_submit(client, &exchange, NULL, error);
}

/* Collects what is there and gives how many were saved, or -1. */
static int collect(conv_client *client)
{
    conv_async_result result;
    int saved = 0;
    while (conv_async_next(client, &result, NULL) == CONV_OK) {
        if (result.status != CONV_OK) {
            fprintf(stderr, "%s: %s\n", result.error.action, result.error.message);
            return -1;
        }
        saved++;
    }
    return saved;
}

static conv_status run(conv_client *client, conv_error *error)
{
    struct pollfd readable = {-1, POLLIN, 0};
    conv_status status = conv_async_descriptor(client, &readable.fd, error);
    for (int i = 1; status == CONV_OK && i <= EXCHANGES; i++)
        status = submit(client, i, error);
    for (int saved = 0; status == CONV_OK && saved < EXCHANGES;) {
        /* An application would wait for its sockets here, too. */
        if (poll(&readable, 1, -1) < 0) continue;
        int more = collect(client);
        if (more < 0) return CONV_INTERNAL;
        saved += more;
        if (saved == EXCHANGES) printf("%d exchanges saved\n", saved);
    }
    return status;
}

int main(int count, char **arguments)
{
    conv_error error = CONV_ERROR_INIT;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = count > 1 ? arguments[1] : "sqlite:event_loop.db";
    conv_client *client = NULL;
    conv_status status = conv_client_open(&params, &client, &error);
    if (status == CONV_OK) status = run(client, &error);
    if (status != CONV_OK) fprintf(stderr, "%s: %s\n", error.action, error.message);
    conv_client_close(client, 5000, NULL);
    return status == CONV_OK ? 0 : 1;
}
