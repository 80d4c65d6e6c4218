/* An exchange or a usage record as bytes, for the journal. The form is versioned and checked: what
 * was damaged on disk is told from what is whole. */
#ifndef CONV__SAVING_RECORD_H
#define CONV__SAVING_RECORD_H

#include <stdbool.h>

#include "core/buffer.h"
#include "core/memory.h"
#include "repositories/rows.h"

/* Appends the record; a failure sticks in the buffer. */
void conv__record_append_exchange(conv__buffer *buffer, const conv__exchange *exchange);
void conv__record_append_usage(conv__buffer *buffer, const conv__usage_row *row);

/* Whether it is a usage record's, as far as its first byte tells. */
bool conv__record_is_usage(conv_bytes record);

/* Reads a record that takes up all of `record`. Texts point into it; arrays live in the arena.
 * CONV_BAD_DATA: damaged, or of another kind. CONV_STATE: made by a newer version. CONV_NO_MEMORY.
 */
CONV_WARN_UNUSED conv_status conv__record_read_exchange(conv__arena *arena, conv_bytes record,
                                                        conv__exchange *exchange,
                                                        conv_error *error);
CONV_WARN_UNUSED conv_status conv__record_read_usage(conv_bytes record, conv__usage_row *row,
                                                     conv_error *error);

#endif
