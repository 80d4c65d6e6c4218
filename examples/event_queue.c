/* A handler that is slower than the events. It has a thread and a queue of its own, and its
 * subscription says what gives way when the queue is full; whoever saves waits for nobody.
 * Usage: event_queue [STORE] */
#include <conversation/conversation.h>
#include <semaphore.h>
#include <stdio.h>

typedef struct dashboard {
    sem_t shown;   /* one for each event that it has begun to show */
    sem_t redrawn; /* it may take the next one */
} dashboard;

static conv_status show(void *context, const conv_event *event)
{
    dashboard *self = context;
    printf("shows %lld tokens\n", (long long)event->total_tokens);
    sem_post(&self->shown);
    sem_wait(&self->redrawn);
    return CONV_OK;
}

static conv_status save(conv_client *client, int64_t tokens, conv_error *error)
{
    conv_message messages[2] = {{0}, {0}};
    messages[0].role = CONV_ROLE_USER;
    messages[0].content = conv_text("Hello");
    messages[1].role = CONV_ROLE_ASSISTANT;
    messages[1].content = conv_text("Good day.");
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    exchange.session_id = "event-queue";
    exchange.messages = messages;
    exchange.message_count = 2;
    exchange.usage.total_tokens = tokens;
    return conv_save_exchange(client, &exchange, NULL, error);
}

static conv_status run(conv_client *client, dashboard *slow, conv_error *error)
{
    uint64_t number = 0;
    conv_subscription_counts counts;
    conv_subscription_params params = CONV_SUBSCRIPTION_PARAMS_INIT;
    params.kinds = CONV_EVENT_SET(CONV_EVENT_EXCHANGE_SAVED);
    params.delivery = CONV_DELIVERY_DROP_OLDEST; /* what is newest matters most to it */
    params.queue_events = 3;
    params.handler = show;
    params.context = slow;
    conv_status status = conv_event_subscribe(client, &params, &number, error);
    if (status == CONV_OK) status = save(client, 1, error);
    if (status == CONV_OK) sem_wait(&slow->shown); /* it is busy with the first from here on */
    for (int64_t tokens = 2; status == CONV_OK && tokens <= 6; tokens++)
        status = save(client, tokens, error);
    if (status == CONV_OK) status = conv_event_count(client, number, &counts, error);
    if (status == CONV_OK)
        printf("6 exchanges saved; %lld events wait, %lld were dropped\n",
               (long long)counts.waiting, (long long)counts.dropped);
    return status;
}

int main(int count, char **arguments)
{
    conv_error error = CONV_ERROR_INIT;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = count > 1 ? arguments[1] : "sqlite:event_queue.db";
    conv_client *client = NULL;
    dashboard slow;
    sem_init(&slow.shown, 0, 0);
    sem_init(&slow.redrawn, 0, 0);
    conv_status status = conv_client_open(&params, &client, &error);
    if (status == CONV_OK) status = run(client, &slow, &error);
    if (status != CONV_OK) fprintf(stderr, "%s: %s\n", error.action, error.message);

    for (int i = 0; i < 6; i++)
        sem_post(&slow.redrawn);
    conv_client_close(client, 5000, NULL); /* delivers what waits in the queue */
    return status == CONV_OK ? 0 : 1;
}
