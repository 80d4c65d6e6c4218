/* Hearing what others tell over PostgreSQL's NOTIFY. */
#ifndef CONV__REPOSITORIES_POSTGRES_LISTEN_H
#define CONV__REPOSITORIES_POSTGRES_LISTEN_H

#include <stdint.h>

#include "conversation/status.h"
#include "core/buffer.h"

/* A connection of its own that listens on one channel. */
typedef struct conv__listener conv__listener;

/* Connects, by the deadline, and listens. `listener` is to be closed; NULL after a failure, as of
 * conv__postgres_store_open. */
CONV_WARN_UNUSED conv_status conv__postgres_listen(const char *conninfo, const char *channel,
                                                   int64_t deadline_ns, conv__listener **listener,
                                                   conv_error *error);

/* Waits for the next notification; see conv_event_listener_next. */
CONV_WARN_UNUSED conv_status conv__postgres_listener_next(conv__listener *listener,
                                                          int64_t deadline_ns,
                                                          conv__buffer *payload, conv_error *error);

/* NULL is allowed. In a forked child it frees memory only. */
void conv__postgres_listener_close(conv__listener *listener);

#endif
