/* The source of version 7 UUIDs, with its clock exposed. */
#ifndef CONV__CORE_UUID_H
#define CONV__CORE_UUID_H

#include <stdatomic.h>
#include <stdint.h>

#include "conversation/uuid.h"
#include "core/time.h"

/* `last` is 48 bits of milliseconds and 16 bits of counter. Start with {clock, 0}, or
 * with zero for the clock of the system. */
typedef struct conv__uuid_source {
    const conv__clock *clock;
    _Atomic uint64_t last;
} conv__uuid_source;

/* Each is greater than the one before, whatever the clock does. Thread: any. */
conv_uuid conv__uuid_source_next(conv__uuid_source *source);

/* conv_uuid_v7 for whoever has read the clock already. Thread: any. */
conv_uuid conv__uuid_v7_at(int64_t now_us);

#endif
