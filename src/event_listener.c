/* The public calls of a listener: hearing, without a client, what other processes tell. */
#include "conversation/events.h"

#include <sys/types.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/process.h"
#include "core/time.h"
#include "events/handlers.h"
#include "repositories/postgres/listen.h"
#include "store_location.h"

#define ACTION "listen for events"

enum { OPEN_TIMEOUT_MS = 10000 };

struct conv_event_listener {
    pid_t pid; /* of the process that opened it */
    conv__listener *listener;
    conv__buffer payload;
};

static conv_status listen_at(conv__arena *arena, const char *store, const char *channel,
                             conv__listener **listener, conv_error *error)
{
    char name[CONV__CHANNEL_SIZE];
    const char *location = NULL;
    conv_status status = conv__event_channel(channel, name, ACTION, error);
    if (status == CONV_OK) status = conv__store_location(arena, store, true, &location, error);
    if (status != CONV_OK) return status;
    if (conv__store_sqlite_file(location) != NULL)
        return conv__fail(error, CONV_STATE, ACTION,
                          "the store is SQLite, and only PostgreSQL has notifications");
    return conv__postgres_listen(location, name, conv__deadline_in_ms(OPEN_TIMEOUT_MS), listener,
                                 error);
}

conv_status conv_event_listener_open(const char *store, const char *channel,
                                     conv_event_listener **listener, conv_error *error)
{
    conv__error_clear(error);
    if (listener == NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "there is nowhere to put the listener");
    *listener = NULL;
    conv_event_listener *made = conv__allocate(sizeof *made);
    if (made == NULL) return conv__fail_memory(error, ACTION);
    made->pid = conv__process_id();
    conv__arena arena = {0};
    conv_status status = listen_at(&arena, store, channel, &made->listener, error);
    conv__arena_reset(&arena);
    if (status != CONV_OK) {
        conv_event_listener_close(made);
        return status;
    }
    *listener = made;
    return CONV_OK;
}

conv_status conv_event_listener_next(conv_event_listener *listener, int64_t timeout_ms,
                                     const char **event, conv_error *error)
{
    conv__error_clear(error);
    if (event != NULL) *event = NULL;
    if (listener == NULL || event == NULL || timeout_ms < 0)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "there is no listener, nowhere to put the event, or a negative timeout");
    if (listener->pid != conv__process_id())
        return conv__fail(error, CONV_STATE, ACTION,
                          "this process was forked after the listener was opened");
    conv_status status = conv__postgres_listener_next(
        listener->listener, conv__deadline_in_ms(timeout_ms), &listener->payload, error);
    if (status == CONV_OK) *event = listener->payload.data;
    return status;
}

void conv_event_listener_close(conv_event_listener *listener)
{
    if (listener == NULL) return;
    conv__postgres_listener_close(listener->listener);
    conv__buffer_free(&listener->payload);
    conv__release(listener);
}
