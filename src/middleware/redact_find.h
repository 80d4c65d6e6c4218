/* Finding in one line what is to be redacted. Changes nothing. */
#ifndef CONV__MIDDLEWARE_REDACT_FIND_H
#define CONV__MIDDLEWARE_REDACT_FIND_H

#include <stdbool.h>
#include <stddef.h>

#include "conversation/bytes.h"

/* A piece of a line, and the name of what it is; the name is borrowed. */
typedef struct conv__mark {
    size_t begin;
    size_t end;
    const char *name;
} conv__mark;

/* Zero is empty. A failed allocation sticks. */
typedef struct conv__marks {
    conv__mark *items;
    size_t count;
    size_t capacity;
    bool failed;
} conv__marks;

void conv__marks_add(conv__marks *marks, size_t begin, size_t end, const char *name);
void conv__marks_free(conv__marks *marks);

/* e-mail addresses, as people write them: no quoted names, no comments. */
void conv__find_emails(conv_bytes line, conv__marks *marks);

/* Payment card numbers: 13 to 19 digits that begin with 2 to 6, or 16 to 19 that begin with 8 or 9,
 * and pass Luhn's check (ISO/IEC 7812-1), in groups or without. Between groups is one space, hyphen
 * or, behind four digits or more, dot; one dot alone makes a decimal. */
void conv__find_cards(conv_bytes line, conv__marks *marks);

/* Keys that carry a known prefix, and JSON web tokens. */
void conv__find_keys(conv_bytes line, conv__marks *marks);

#endif
