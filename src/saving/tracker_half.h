/* One half of the tracker's buffer, and its way into the store. Only the tracker includes it. */
#ifndef CONV__SAVING_TRACKER_HALF_H
#define CONV__SAVING_TRACKER_HALF_H

#include "core/buffer.h"
#include "saving/spool.h"
#include "saving/tracker.h"
#include "saving/usage_copies.h"

typedef struct conv__tracker_half {
    conv__usage_copies copies; /* without a spool */
    conv__buffer frames;       /* with one: what is in it */
    size_t records;            /* for which something is left to do */
    bool tried;                /* some may be in the store */
    conv__buffer settled;      /* a byte for each record, in order, as far as they were read: 1 when
                                * it is in the store or the journal, or was refused */
    conv__spool spool;
} conv__tracker_half;

/* What a flush did. Zero is nothing. */
typedef struct conv__flushed {
    int64_t stored; /* records that the store has now, and had not before */
    size_t settled; /* records for which nothing is left to do */
    size_t refused; /* of these: by the store, for good, and there is no journal to keep them in */
    size_t held;    /* records that wait until a person has mended something; without a journal */
    conv_error refusal;
    conv_error held_because;
    conv__buffer told; /* events of all that, for when no lock is held */
} conv__flushed;

/* Brings what is not settled into the store, or else the journal; adds to `flushed`. CONV_OK: all
 * are settled but those held. A failure is of the store or the journal as a whole. `records` is
 * left to the caller: to be lowered by what was settled. */
CONV_WARN_UNUSED conv_status conv__tracker_half_save(const conv__tracker_params *params,
                                                     conv__tracker_half *half, int64_t deadline_ns,
                                                     conv__flushed *flushed, conv_error *error);

/* Copies what a flush without a spool has left unsettled. False when out of memory; then `rest` is
 * empty. */
CONV_WARN_UNUSED bool conv__tracker_half_rest(const conv__tracker_half *half,
                                              conv__usage_copies *rest);

/* Empties a half without a spool, or one whose spool is empty. It keeps its memory. */
void conv__tracker_half_clear(conv__tracker_half *half);

void conv__tracker_half_free(conv__tracker_half *half);

#endif
