/* What is held back in the journal while everything else goes on: sessions, and usage records, that
 * the store can't take until a person has mended something, or another program has given up its
 * lock. Used by one thread at a time. */
#ifndef CONV__SAVING_HELD_H
#define CONV__SAVING_HELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/uuid.h"
#include "core/buffer.h"

enum { CONV__HELD_AT_MOST = 16384 };

typedef struct conv__held_one {
    conv_uuid id; /* of a session, or of a usage record */
    int64_t retry_at_ns;
    int failures;
} conv__held_one;

/* Zero is empty. */
typedef struct conv__held {
    conv__held_one *all;
    size_t count;
    size_t capacity;
} conv__held;

/* Holds it for half a second, twice as long after each failure, at most 10 s. False when there are
 * too many, then it is no matter of rows any more, or no memory. */
bool conv__held_add(conv__held *held, conv_uuid id);

/* How often in a row it failed; 0: it is not held. */
int conv__held_failures(const conv__held *held, conv_uuid id);

/* The store has taken it. */
void conv__held_release(conv__held *held, conv_uuid id);

/* Those that were due by then, and were not met: they have left the journal by another way. */
void conv__held_forget(conv__held *held, int64_t due_ns);

/* Appends those that are not to be tried yet, all at one moment: a JSON array of UUIDs. */
void conv__held_append(const conv__held *held, conv__buffer *json);

/* When the first of them is to be tried; CONV__NO_DEADLINE: none is held. */
int64_t conv__held_until(const conv__held *held);

void conv__held_free(conv__held *held);

#endif
