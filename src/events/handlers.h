/* The built-in handlers: each fills a subscriber that the bus then takes over. */
#ifndef CONV__EVENTS_HANDLERS_H
#define CONV__EVENTS_HANDLERS_H

#include "conversation/events.h"
#include "core/buffer.h"
#include "events/bus.h"

/* After a success the context belongs to the subscriber: give it to the bus, or, if that refuses
 * it, to its on_release. */
CONV_WARN_UNUSED conv_status conv__event_log_make(const conv_event_log *log,
                                                  conv__subscriber *subscriber, conv_error *error);

/* `pace` is how much faster than the clock its pauses pass: 1, but in tests. */
CONV_WARN_UNUSED conv_status conv__event_webhook_make(const conv_event_webhook *webhook, int pace,
                                                      conv__subscriber *subscriber,
                                                      conv_error *error);

enum { CONV__CHANNEL_SIZE = 64 };

/* The name of the channel that is meant, NULL for the usual one. CONV_INVALID_ARGUMENT: its length.
 */
CONV_WARN_UNUSED conv_status conv__event_channel(const char *channel, char name[CONV__CHANNEL_SIZE],
                                                 const char *action, conv_error *error);

/* Sends one text to whoever listens on the channel. */
typedef conv_status (*conv__notify_function)(void *context, const char *channel,
                                             const char *payload, conv_error *error);

CONV_WARN_UNUSED conv_status conv__event_notify_make(const conv_event_notify *notify,
                                                     conv__notify_function function, void *context,
                                                     conv__subscriber *subscriber,
                                                     conv_error *error);

/* The header webhook-signature over an event's id, a time and a body; a failure sticks in the
 * buffer. `secret` as bytes, not in its Base64 form. */
void conv__webhook_sign(conv__buffer *header, conv_bytes secret, const char *id,
                        const char *timestamp, conv_bytes body);

#endif
