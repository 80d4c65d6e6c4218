/* The tracker: usage records of operations that are no exchange. Taking one is quick; they go to
 * the store together, when enough have come or enough time has passed. */
#ifndef CONV__SAVING_TRACKER_H
#define CONV__SAVING_TRACKER_H

#include <stddef.h>
#include <stdint.h>

#include "conversation/usage.h"
#include "saving/saving.h"

typedef struct conv__tracker conv__tracker;

typedef struct conv__tracker_params {
    conv__saving *saving;      /* with the store and, perhaps, the journal; outlives the tracker */
    const char *spool;         /* folder and start of the spool's file names, or NULL: none */
    size_t flush_records;      /* buffered records that start a flush; at least 1 */
    int64_t flush_interval_ms; /* age of a buffered record that starts one */
    size_t buffer_bytes;       /* of buffered records at most */
    int64_t store_timeout_ms;
    int flushers; /* transactions of one flush under way at once; at least 1 */
    /* Sets what the application left open and `prices` tell; when the record is made ready for the
     * store or the spool, which need not be in the call that brings it. */
    void (*finish)(const void *prices, conv_usage *usage);
} conv__tracker_params;

/* Takes over what an earlier process left in the spool, and starts the thread that flushes. */
CONV_WARN_UNUSED conv_status conv__tracker_create(const conv__tracker_params *params,
                                                  conv__tracker **tracker, conv_error *error);

/* Takes a record, which has its id and time; `prices`, for `finish`, outlive the tracker. With a
 * spool it outlives the process from here on. CONV_INVALID_ARGUMENT, CONV_LIMIT, CONV_UNAVAILABLE
 * (the spool), CONV_NO_MEMORY. Thread: any. */
CONV_WARN_UNUSED conv_status conv__tracker_take(conv__tracker *tracker, const conv_usage *usage,
                                                const void *prices, conv_error *error);

/* Saves what is buffered. `pending` (may be NULL) tells how many records are neither in the store
 * nor in the journal when the deadline has come. CONV_OK with pending 0; else why. Thread: any. */
CONV_WARN_UNUSED conv_status conv__tracker_flush(conv__tracker *tracker, int64_t deadline_ns,
                                                 size_t *pending, conv_error *error);

/* The same before a user is erased: what a record of others waits for is no failure of this one. It
 * fails when the store or the journal did as a whole, or a record of the user waits in memory. */
CONV_WARN_UNUSED conv_status conv__tracker_flush_user(conv__tracker *tracker, conv_uuid user_id,
                                                      int64_t deadline_ns, conv_error *error);

/* Records that are not in the store, nor in the journal's file, yet. Thread: any. */
size_t conv__tracker_buffered(conv__tracker *tracker);

/* Saves what it can; what becomes of single records is left for the close to tell. Thread: any. */
void conv__tracker_flush_before_close(conv__tracker *tracker, int64_t deadline_ns);

/* Flushes until the deadline and frees; gives how many records are neither in the store nor in the
 * journal. `spooled`: they are in the spool, whose records the next process takes over; else they
 * are gone. NULL is allowed. */
size_t conv__tracker_close(conv__tracker *tracker, int64_t deadline_ns, bool *spooled);

#endif
