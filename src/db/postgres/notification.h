/* What the server tells a connection unasked, because it listens. */
#ifndef CONV__DB_POSTGRES_NOTIFICATION_H
#define CONV__DB_POSTGRES_NOTIFICATION_H

#include <stdint.h>

#include "conversation/status.h"
#include "core/buffer.h"
#include "db/postgres/connection.h"

/* Waits for the next notification on any channel of the connection; `payload` is what it says.
 * CONV_TIMEOUT: none came before the deadline; the connection can go on. Else the connection is
 * broken, and why. What came before it broke is given out first. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__notification_next(conv__connection *connection,
                                                     int64_t deadline_ns, conv__buffer *payload,
                                                     const char *action, conv_error *error);

#endif
