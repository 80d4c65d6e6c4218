/* See framing.h. */
#include "fault/framing.h"

#include <string.h>

bool framing_is_at_start(const framing *self)
{
    return self->offset == 0;
}

bool framing_take(framing *self, char byte)
{
    size_t header = self->untyped ? 4 : 5;
    if (self->offset == 0) {
        self->length = 0;
        self->type = self->untyped ? '\0' : byte;
        memset(self->start, 0, sizeof self->start);
    }
    size_t at = self->offset++;
    if (at < header && (self->untyped || at > 0))
        self->length = self->length << 8 | (unsigned char)byte;
    else if (at >= header && at - header < sizeof self->start)
        self->start[at - header] = byte;
    if (self->offset < header || self->offset < self->length + (header - 4)) return false;
    self->offset = 0;
    self->untyped = false;
    return true;
}
