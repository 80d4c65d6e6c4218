/* Usage records as the application gave them, copied one behind the other: what taking one costs
 * its caller. Knows nothing of what becomes of them, and has no lock of its own. */
#ifndef CONV__SAVING_USAGE_COPIES_H
#define CONV__SAVING_USAGE_COPIES_H

#include <stdbool.h>
#include <stddef.h>

#include "conversation/usage.h"

struct conv__usage_chunk;

/* Zero is empty. */
typedef struct conv__usage_copies {
    struct conv__usage_chunk *first;
    struct conv__usage_chunk *last;
    struct conv__usage_chunk *spare; /* emptied, to be filled again: their memory is at hand */
    size_t bytes;
} conv__usage_copies;

typedef struct conv__usage_copy {
    size_t size; /* of all of it */
    const void *prices;
    conv_usage usage; /* its texts follow */
} conv__usage_copy;

/* Where reading has come to; zero is the beginning. */
typedef struct conv__usage_place {
    const struct conv__usage_chunk *chunk;
    size_t offset;
} conv__usage_place;

/* False when out of memory; then nothing was added. `prices` is kept beside it, and not looked at.
 */
CONV_WARN_UNUSED bool conv__usage_copies_add(conv__usage_copies *copies, const conv_usage *usage,
                                             const void *prices);

/* What adding it would add to `bytes`. */
size_t conv__usage_copy_size(const conv_usage *usage);

/* The next one, or NULL at the end. */
const conv__usage_copy *conv__usage_copies_next(const conv__usage_copies *copies,
                                                conv__usage_place *place);

/* Moves all of `from` behind those of `copies`; it needs no memory. */
void conv__usage_copies_join(conv__usage_copies *copies, conv__usage_copies *from);

void conv__usage_copies_clear(conv__usage_copies *copies); /* keeps some memory */
void conv__usage_copies_free(conv__usage_copies *copies);

#endif
