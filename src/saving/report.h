/* What became of exchanges and usage records, as events. Decides nothing: who calls knows that it
 * is true. */
#ifndef CONV__SAVING_REPORT_H
#define CONV__SAVING_REPORT_H

#include "conversation/summary.h"
#include "core/buffer.h"
#include "events/bus.h"
#include "saving/batch.h"
#include "saving/usage_batch.h"

typedef enum conv__report_way {
    CONV__REPORT_HERE,  /* on the thread of the call: handlers may run on it */
    CONV__REPORT_APART, /* on one that works for others */
    CONV__REPORT_COUNT  /* only counted: the chain of this turn does not publish */
} conv__report_way;

/* Whoever holds a lock that a handler may wait for, or has several events to tell, gathers them in
 * `later`, and tells them when it is released, together; where `later` is NULL, or out of memory,
 * an event is told at once: then, if there is a `later`, without waiting for room. This empties and
 * frees it; it waits for handlers once, at most until the deadline and the latest moment (NULL:
 * none). */
void conv__report_later(conv__bus *bus, conv__buffer *later, conv__report_way way,
                        int64_t deadline_ns, const conv__latest *latest);

/* Of a save that has its result: saved, journaled or failed; of one that was saved before, nothing.
 * `store_us` is how long the caller waited. */
void conv__report_save(conv__bus *bus, const conv__save *save, int64_t store_us,
                       conv__report_way way, conv__buffer *later);

/* Of a turn that ended before anything was saved. */
void conv__report_refused(conv__bus *bus, const conv__exchange *exchange, const conv_error *error);

/* Of an exchange that has left the journal: recovered and saved, or a dead letter. */
void conv__report_drained(conv__bus *bus, const conv__save *save, conv__buffer *later);

/* Of one that has left it unsaved, because what it belongs to was deleted. */
void conv__report_dropped(conv__bus *bus, const conv__exchange *exchange, conv__buffer *later);

/* Of a usage record that is in the store, or that it refused for good: what comes from the journal
 * is then a dead letter in it. */
void conv__report_usage(conv__bus *bus, const conv__usage_save *save, bool through_journal,
                        conv__buffer *later);

/* Of a usage record that was committed by the caller's own transaction, with a change of its
 * document: `kind` is told first, CONV_EVENT_KINDS for none; then the record, if it is `recorded`
 * newly. */
void conv__report_document(conv__bus *bus, conv_event_kind kind, const conv__usage_row *row,
                           bool recorded, conv__buffer *later);

/* Of a summary that is in the store; its usage record is told apart. */
void conv__report_summary(conv__bus *bus, const conv_summary *summary, conv__report_way way);

/* Of `records` that a flush brought to the store; nothing if there were none. */
void conv__report_flush(conv__bus *bus, int64_t records, conv__buffer *later);

#endif
