/* What is held back in the journal while everything else goes on: sessions, and usage records, that
 * the store can't take until a person has mended something. Used by one thread at a time. */
#ifndef CONV__SAVING_HELD_H
#define CONV__SAVING_HELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/uuid.h"

enum { CONV__HELD_AT_MOST = 128 };

typedef struct conv__held_one {
    conv_uuid id; /* of a session, or of a usage record */
    int64_t retry_at_ns;
    int failures;
} conv__held_one;

typedef struct conv__held {
    conv__held_one all[CONV__HELD_AT_MOST];
    size_t count;
} conv__held;

/* Holds it for half a second, twice as long after each failure, at most 10 s. False when there are
 * too many: then it is no matter of a few rows any more. */
bool conv__held_add(conv__held *held, conv_uuid id);

/* The store has taken it. */
void conv__held_release(conv__held *held, conv_uuid id);

/* Those that were due by then, and were not met: they have left the journal by another way. */
void conv__held_forget(conv__held *held, int64_t due_ns);

/* Those that are not to be tried yet, all at one moment: UUIDs as text, a space behind each. */
enum { CONV__HELD_TEXT_SIZE = CONV__HELD_AT_MOST * CONV_UUID_TEXT_SIZE + 1 };
void conv__held_text(const conv__held *held, char text[CONV__HELD_TEXT_SIZE]);

/* When the first of them is to be tried; CONV__NO_DEADLINE: none is held. */
int64_t conv__held_until(const conv__held *held);

#endif
