/* Time zones: offsets and calendar days, from the bytes of a TZif file (RFC 9636). Pure: it reads
 * no file and never asks for the process's own zone. */
#ifndef CONV__CORE_ZONE_H
#define CONV__CORE_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "conversation/bytes.h"
#include "conversation/status.h"

typedef struct conv__zone conv__zone;

/* Reads a whole file of the tz database, version 2 or later. `zone` is to be freed with
 * conv__zone_free. CONV_BAD_DATA: it is no such file, is cut off, or counts leap seconds (then its
 * times are not those of the stores). CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__zone_parse(conv_bytes file, conv__zone **zone);

void conv__zone_free(conv__zone *zone); /* NULL is allowed */

/* Seconds east of UTC at a moment; right for every year, also beyond the file's last transition. */
int32_t conv__zone_offset_s(const conv__zone *zone, int64_t time_us);

#define CONV__DATE_TEXT_SIZE 11

/* The calendar day of a moment, "2026-11-23". Years 0000 to 9999; others are clamped. */
void conv__zone_date(const conv__zone *zone, int64_t time_us, char text[CONV__DATE_TEXT_SIZE]);

/* The first moment of a calendar day, which need not be midnight. `date` is "2026-11-23"; false if
 * it is no day. */
bool conv__zone_day_start(const conv__zone *zone, conv_bytes date, int64_t *time_us);

#endif
