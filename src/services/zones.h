/* Time zones by name, from the system's tz database. Holds no SQL. */
#ifndef CONV__SERVICES_ZONES_H
#define CONV__SERVICES_ZONES_H

#include "conversation/bytes.h"
#include "conversation/status.h"
#include "core/zone.h"

/* Whether it is UTC, which needs no database: absent, empty or "UTC". */
bool conv__zone_is_utc(conv_bytes name);

/* Reads the zone; NULL for UTC. To be freed with conv__zone_free. CONV_INVALID_ARGUMENT: there is
 * no zone of this name. CONV_UNAVAILABLE: no database, or an unreadable file. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__zone_open(conv_bytes name, const char *action, conv__zone **zone,
                                             conv_error *error);

#endif
