/* Where the messages of PostgreSQL's protocol begin and end in one direction of a connection. Takes
 * one byte at a time. It knows no sockets. Source: PostgreSQL, "Message Formats". */
#ifndef TESTS_FAULT_FRAMING_H
#define TESTS_FAULT_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct framing {
    bool untyped;    /* the next message is a client's first, which has a length only */
    size_t offset;   /* bytes of the current message so far */
    uint32_t length; /* as in the message; complete when its header is */
    char type;       /* 0 for an untyped message */
    char start[16];  /* the first bytes behind the header */
} framing;

/* Whether the next byte begins a message. */
bool framing_is_at_start(const framing *self);

/* Takes a byte; true when it ends the message. Type and start are then still there. */
bool framing_take(framing *self, char byte);

#endif
