/* Events for other processes, over whatever the store has for that. Holds no SQL. */
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "events/handlers.h"

#define ACTION "subscribe notify"

typedef struct notify_target {
    conv__notify_function function;
    void *context;
    char channel[CONV__CHANNEL_SIZE];
} notify_target;

static conv_status handle(void *context, const conv_event *event)
{
    const notify_target *target = context;
    char text[CONV_EVENT_TEXT_SIZE];
    if (conv_event_format(event, text, sizeof text) == 0) return CONV_NO_MEMORY;
    return target->function(target->context, target->channel, text, NULL);
}

conv_status conv__event_channel(const char *channel, char name[CONV__CHANNEL_SIZE],
                                const char *action, conv_error *error)
{
    if (channel == NULL) channel = "conversation";
    size_t size = strlen(channel);
    if (size == 0 || size >= CONV__CHANNEL_SIZE)
        return conv__fail(error, CONV_INVALID_ARGUMENT, action,
                          "the channel has %zu bytes, not 1 to %d", size, CONV__CHANNEL_SIZE - 1);
    memcpy(name, channel, size + 1);
    return CONV_OK;
}

conv_status conv__event_notify_make(const conv_event_notify *notify, conv__notify_function function,
                                    void *context, conv__subscriber *subscriber, conv_error *error)
{
    if (notify->delivery == CONV_DELIVERY_SYNCHRONOUS)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "its delivery has to be chosen: WAIT, DROP_NEWEST or DROP_OLDEST");
    notify_target *target = conv__allocate(sizeof *target);
    if (target == NULL) return conv__fail_memory(error, ACTION);
    target->function = function;
    target->context = context;
    conv_status status = conv__event_channel(notify->channel, target->channel, ACTION, error);
    if (status != CONV_OK) {
        conv__release(target);
        return status;
    }
    *subscriber = (conv__subscriber){.params = {.size = sizeof subscriber->params,
                                                .kinds = notify->kinds,
                                                .delivery = notify->delivery,
                                                .queue_events = notify->queue_events,
                                                .wait_ms = notify->wait_ms,
                                                .handler = handle,
                                                .context = target,
                                                .on_release = conv__release},
                                     .bounded = true};
    return CONV_OK;
}
