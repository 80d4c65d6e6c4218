/* A spool: records appended to a file so fast that nobody notices, and read back after the process
 * has died. What was appended outlives the process, not a power cut: nothing is synced. */
#ifndef CONV__SAVING_SPOOL_H
#define CONV__SAVING_SPOOL_H

#include "conversation/bytes.h"
#include "conversation/status.h"
#include "core/buffer.h"

typedef struct conv__spool {
    int descriptor; /* -1: none */
    int64_t size;
    char *path; /* for errors; belongs to the spool while it is open */
} conv__spool;

/* A journal has so many beside it. */
enum { CONV__SPOOLS = 2 };

/* The name of the spool `index` (from 0) of a journal. A failure sticks in the buffer. */
void conv__spool_name(const char *journal, int index, conv__buffer *name);

/* Opens or makes the file, and appends what is in it to `content`.
 * CONV_UNAVAILABLE, CONV_PERMISSION, CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__spool_open(const char *path, conv__spool *spool,
                                              conv__buffer *content, conv_error *error);

/* Appends whole or not at all. CONV_UNAVAILABLE: the disk is full or failed. */
CONV_WARN_UNUSED conv_status conv__spool_append(conv__spool *spool, conv_bytes frame,
                                                conv_error *error);

/* Empties the file. CONV_UNAVAILABLE. */
CONV_WARN_UNUSED conv_status conv__spool_clear(conv__spool *spool, conv_error *error);

void conv__spool_close(conv__spool *spool);

/* A frame is a record behind a mark and its length. Appends one; a failure sticks in the buffer. */
void conv__frame_append(conv__buffer *buffer, conv_bytes record);

/* Walks over frames: start with a zero `position`. False at the end. Where no whole frame begins,
 * `damaged` is set and `record` is what lies before the next one. A frame's length may be damaged
 * too: who finds a record not whole goes on with `position` at its first byte. */
bool conv__frame_next(conv_bytes frames, size_t *position, conv_bytes *record, bool *damaged);

#endif
