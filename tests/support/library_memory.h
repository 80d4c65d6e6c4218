/* Replaces where one shared library gets its memory from, in this process: for libraries that offer
 * no way of their own. */
#ifndef TESTS_SUPPORT_LIBRARY_MEMORY_H
#define TESTS_SUPPORT_LIBRARY_MEMORY_H

#include <stddef.h>

typedef struct library_memory {
    void *(*take)(size_t size);
    void *(*resize)(void *block, size_t size);
    void (*give_back)(void *block);
} library_memory;

/* `library` is the beginning of the file's name, e.g. "libpq.so"; one library in a process. Its
 * calls of malloc, calloc, realloc, strdup and free then come here. Gives how many of the five were
 * found: 0 when there is no such library. */
int library_memory_replace(const char *library, const library_memory *functions);

#endif
