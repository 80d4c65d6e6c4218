/* Tracking: usage of any metered operation, not only of turns. */
#ifndef CONVERSATION_TRACKING_H
#define CONVERSATION_TRACKING_H

#include <stddef.h>
#include <stdint.h>

#include "client.h"
#include "status.h"
#include "usage.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Takes a usage record (a document parsed, a text embedded, a search) and returns at once; it goes
 * to the store with others, after `tracker_records` of them or `tracker_interval_ms`, whichever
 * comes first. With a journal it outlives the process from here on, and a power cut once it is
 * flushed; without one a crash loses what is buffered. A record that is tracked twice under the
 * same log_id counts once; so does the record of a turn, which conv_process_message has saved
 * already. A document_id makes it findable by that document, which is not changed by it: see
 * operation.h for that, and for measuring. `usage` see conv_usage; borrowed for the call; a nil
 * log_id gets a new one. `error` may be NULL. CONV_INVALID_ARGUMENT: a JSON field is not JSON, a
 * count is below CONV_UNKNOWN. CONV_LIMIT: the buffer is full because the store takes nothing.
 * CONV_UNAVAILABLE: the journal's disk is full or failed. CONV_STATE, CONV_NO_MEMORY. Thread: any.
 * Round trips: none. */
CONV_WARN_UNUSED conv_status conv_track_usage(conv_client *client, const conv_usage *usage,
                                              conv_error *error);

/* Saves what is buffered now. `timeout_ms` at most so long; `pending` (may be NULL) receives how
 * many records are still neither in the store nor in the journal. CONV_OK: none. CONV_UNAVAILABLE,
 * CONV_TIMEOUT, CONV_LIMIT: why some are. CONV_STATE, CONV_NO_MEMORY. Thread: any.
 * Round trips: 1 for each 1000 records. */
CONV_WARN_UNUSED conv_status conv_track_flush(conv_client *client, int64_t timeout_ms,
                                              size_t *pending, conv_error *error);

#ifdef __cplusplus
}
#endif
#endif
