/* Calendar days in time zones. */
#ifndef CONVERSATION_ZONE_H
#define CONVERSATION_ZONE_H

#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The first moment of a calendar day in a zone; where the clock skips midnight it is later.
 * `zone` a name of the tz database, in its own spelling ("Europe/Berlin"); NULL, "" or "UTC": UTC.
 * `date` "2026-11-23". `time_us` receives microseconds since 1970 UTC; `error` may be NULL.
 * CONV_INVALID_ARGUMENT: the system's tz database ($TZDIR, else /usr/share/zoneinfo) has no such
 * zone, `date` is no day, `time_us` is NULL. CONV_UNAVAILABLE: there is no database, or its file
 * can't be read; UTC needs none. CONV_NO_MEMORY. Thread: any. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_zone_day_start(const char *zone, const char *date,
                                                 int64_t *time_us, conv_error *error);

#ifdef __cplusplus
}
#endif
#endif
