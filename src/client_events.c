/* The public calls around events: each hands over to the bus, or makes a built-in handler first. */
#include "client.h"

#include "conversation/events.h"
#include "core/error.h"
#include "core/time.h"
#include "events/handlers.h"
#include "saving/report.h"

enum { NOTIFY_TIMEOUT_MS = 2000 };

void conv__client_tell_session(conv_client *client, conv_event_kind kind, conv_uuid session_id,
                               int64_t messages)
{
    conv_event event = conv__event_make(kind);
    event.session_id = session_id;
    event.message_count = messages;
    conv__bus_emit(client->bus, &event);
}

void conv__client_announce(void *context, const conv__announcement *announcement)
{
    conv_client *client = context;
    if (announcement->save != NULL)
        conv__report_save(client->bus, announcement->save, announcement->save_us, CONV__REPORT_HERE,
                          NULL);
    else if (announcement->error != NULL)
        conv__report_refused(client->bus, announcement->exchange, announcement->error);
}

static void hear_documents(void *context, const conv__document_news *news, size_t count)
{
    static const conv_event_kind kinds[] = {
        [CONV__DOCUMENT_NONE] = CONV_EVENT_KINDS,
        [CONV__DOCUMENT_REGISTERED] = CONV_EVENT_DOCUMENT_REGISTERED,
        [CONV__DOCUMENT_PROCESSED] = CONV_EVENT_DOCUMENT_PROCESSED,
        [CONV__DOCUMENT_DELETED] = CONV_EVENT_DOCUMENT_DELETED};
    conv_client *client = context;
    conv__buffer told = {0};
    for (size_t i = 0; i < count; i++)
        conv__report_document(client->bus, kinds[news[i].change], news[i].usage, news[i].recorded,
                              &told);
    conv__report_later(client->bus, &told, CONV__REPORT_HERE, CONV__NO_DEADLINE, NULL);
}

conv__document_listener conv__client_listener(conv_client *client)
{
    return (conv__document_listener){hear_documents, client};
}

/* Between entering and leaving. */
static conv_status begin(conv_client *client, uint64_t *subscription, const char *action,
                         conv_error *error)
{
    if (subscription == NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, action,
                          "there is nowhere to put the subscription's number");
    *subscription = 0;
    return conv__client_enter(client, action, error);
}

/* Gives a handler of ours to the bus. */
static conv_status hand_over(conv_client *client, conv_status made,
                             const conv__subscriber *subscriber, uint64_t *subscription,
                             conv_error *error)
{
    conv_status status = made;
    if (status == CONV_OK) {
        status = conv__bus_subscribe(client->bus, subscriber, subscription, error);
        if (status != CONV_OK) subscriber->params.on_release(subscriber->params.context);
    }
    conv__client_leave(client);
    return status;
}

conv_status conv_event_subscribe(conv_client *client, const conv_subscription_params *params,
                                 uint64_t *subscription, conv_error *error)
{
    static const char action[] = "subscribe";
    conv_status status = begin(client, subscription, action, error);
    if (status != CONV_OK) return status;
    if (params == NULL || params->size != sizeof *params) {
        status = conv__fail(error, CONV_INVALID_ARGUMENT, action,
                            "the parameters were not begun with CONV_SUBSCRIPTION_PARAMS_INIT");
    } else {
        conv__subscriber subscriber = {.params = *params};
        status = conv__bus_subscribe(client->bus, &subscriber, subscription, error);
    }
    conv__client_leave(client);
    return status;
}

conv_status conv_event_unsubscribe(conv_client *client, uint64_t subscription, conv_error *error)
{
    conv_status status = conv__client_enter(client, "unsubscribe", error);
    if (status != CONV_OK) return status;
    status = conv__bus_unsubscribe(client->bus, subscription, error);
    conv__client_leave(client);
    return status;
}

conv_status conv_event_count(conv_client *client, uint64_t subscription,
                             conv_subscription_counts *counts, conv_error *error)
{
    static const char action[] = "count events";
    if (counts == NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, action,
                          "there is nowhere to put the counts");
    *counts = (conv_subscription_counts){0};
    conv_status status = conv__client_enter(client, action, error);
    if (status != CONV_OK) return status;
    status = conv__bus_count_one(client->bus, subscription, counts, error);
    conv__client_leave(client);
    return status;
}

conv_status conv_event_subscribe_log(conv_client *client, const conv_event_log *log,
                                     uint64_t *subscription, conv_error *error)
{
    conv__subscriber subscriber;
    conv_status status = begin(client, subscription, "subscribe log", error);
    if (status != CONV_OK) return status;
    status = conv__event_log_make(log, &subscriber, error);
    return hand_over(client, status, &subscriber, subscription, error);
}

conv_status conv_event_subscribe_webhook(conv_client *client, const conv_event_webhook *webhook,
                                         uint64_t *subscription, conv_error *error)
{
    conv__subscriber subscriber;
    conv_status status = begin(client, subscription, "subscribe webhook", error);
    if (status != CONV_OK) return status;
    status = conv__event_webhook_make(webhook, 1, &subscriber, error);
    return hand_over(client, status, &subscriber, subscription, error);
}

static conv_status send_notification(void *context, const char *channel, const char *payload,
                                     conv_error *error)
{
    conv__store *store = context;
    return store->functions->notify(store, channel, payload,
                                    conv__deadline_in_ms(NOTIFY_TIMEOUT_MS), error);
}

static conv_status make_notify(conv_client *client, const conv_event_notify *notify,
                               conv__subscriber *subscriber, conv_error *error)
{
    static const char action[] = "subscribe notify";
    if (notify == NULL || notify->size != sizeof *notify)
        return conv__fail(error, CONV_INVALID_ARGUMENT, action,
                          "the settings were not begun with CONV_EVENT_NOTIFY_INIT");
    if (client->store->functions->notify == NULL)
        return conv__fail(error, CONV_STATE, action,
                          "the store is %s, and only PostgreSQL has notifications",
                          client->store->functions->name);
    if (client->pooler)
        return conv__fail(error, CONV_STATE, action,
                          "nobody can listen through a pooler: connect to the server itself");
    return conv__event_notify_make(notify, send_notification, client->store, subscriber, error);
}

conv_status conv_event_subscribe_notify(conv_client *client, const conv_event_notify *notify,
                                        uint64_t *subscription, conv_error *error)
{
    conv__subscriber subscriber;
    conv_status status = begin(client, subscription, "subscribe notify", error);
    if (status != CONV_OK) return status;
    status = make_notify(client, notify, &subscriber, error);
    return hand_over(client, status, &subscriber, subscription, error);
}
