/* Allocation: one seam to malloc for the whole library, and arenas for results that are freed as
 * one block. Knows nothing of what is stored in them. */
#ifndef CONV__CORE_MEMORY_H
#define CONV__CORE_MEMORY_H

#include <stddef.h>

#include "conversation/bytes.h"
#include "conversation/status.h"

/* The functions behind the three below. Tests replace them to make the n-th allocation fail; to be
 * set before any other call of the library, NULL restores malloc. */
typedef struct conv__memory_functions {
    void *(*allocate)(size_t size);
    void *(*resize)(void *block, size_t size);
    void (*release)(void *block);
} conv__memory_functions;

void conv__memory_set_functions(const conv__memory_functions *functions);

void *conv__allocate(size_t size); /* zeroed; NULL when out of memory */
void *conv__resize(void *block, size_t size);
void conv__release(void *block);
char *conv__copy_text(const char *text); /* NULL stays NULL, which is then no failure */
char *conv__join_text(const char *text, const char *ending);

/* Zero is an empty arena. Blocks are aligned for any type, never move, and live until reset. */
typedef struct conv__arena {
    struct conv__arena_chunk *chunks;
} conv__arena;

void *conv__arena_allocate(conv__arena *arena, size_t size); /* zeroed; NULL when out of memory */

/* A copy followed by a NUL that the size does not count; absent stays absent. `copy` may be
 * `&bytes`' own variable. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__arena_copy(conv__arena *arena, conv_bytes bytes,
                                              conv_bytes *copy);

void conv__arena_reset(conv__arena *arena);

#endif
