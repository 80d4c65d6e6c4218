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
 * flushed; without one a crash loses what is buffered. A record's key is its log_id together with
 * its session_id: tracked twice under the same two it counts once, as what came first, whatever
 * the second says (while both wait in the journal, one that says something else, the time apart, is
 * kept there as a dead letter); so does the record of a turn or an exchange, which is saved with it
 * anyway, when it is tracked with that session_id, before or afterwards; it has the exchange's user
 * then. The same log_id with another session_id, or without one, is another record. A document_id
 * makes it findable by that document, which is not changed by it: see operation.h for that, and for
 * measuring. `usage` see conv_usage; borrowed for the call; a nil log_id gets a new one. `error`
 * may be NULL. CONV_INVALID_ARGUMENT: a JSON field is not JSON, a count or time is none (see
 * conv_usage). CONV_LIMIT: the buffer is full because the store takes nothing. CONV_UNAVAILABLE:
 * the journal's disk is full or failed. CONV_STATE, CONV_NO_MEMORY. Thread: any. Round trips: none.
 */
CONV_WARN_UNUSED conv_status conv_track_usage(conv_client *client, const conv_usage *usage,
                                              conv_error *error);

/* Saves what is buffered now. `timeout_ms` at most so long, also while another flush waits for the
 * store, or a queue of events for its handler (which changes no answer, see conv_delivery); writing
 * the journal gets half a second of its own. `pending` (may be NULL) receives how many records are
 * still neither in the store nor in the journal, and will be tried again. CONV_OK: none, and none
 * was refused. CONV_UNAVAILABLE, CONV_TIMEOUT, CONV_LIMIT: why some are. With a journal, it takes
 * also what the store refuses. Without one a refused record holds up no other:
 *   - One that the store refuses for good is gone, told by an event usage.failed, and not pending.
 *     The next call that finds the store answering says once how many there were, and why the last
 *     one: CONV_BAD_DATA or another status, with recovery CONV_RECOVERY_REJECT.
 *   - One for which a person must mend something first stays in memory and pending, and is tried
 *     again every 10 seconds, by each call, and when the client is closed: CONV_PERMISSION or
 *     another status, with recovery CONV_RECOVERY_OPERATOR.
 * CONV_STATE, CONV_NO_MEMORY. Thread: any. Round trips: 1 for each 1000 records; more to find those
 * that are refused. */
CONV_WARN_UNUSED conv_status conv_track_flush(conv_client *client, int64_t timeout_ms,
                                              size_t *pending, conv_error *error);

#ifdef __cplusplus
}
#endif
#endif
