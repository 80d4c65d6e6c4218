/* Allocation and arenas. The only file of the library that calls malloc; it must not know what the
 * blocks are used for. */
#include "core/memory.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const conv__memory_functions system_functions = {malloc, realloc, free};
static conv__memory_functions functions = {malloc, realloc, free};

void conv__memory_set_functions(const conv__memory_functions *replacement)
{
    functions = replacement == NULL ? system_functions : *replacement;
}

static void *allocate_raw(size_t size)
{
    /* malloc(0) may give NULL, which would look like a failure. */
    return functions.allocate(size == 0 ? 1 : size);
}

void *conv__allocate(size_t size)
{
    void *block = allocate_raw(size);
    if (block != NULL) memset(block, 0, size);
    return block;
}

void *conv__resize(void *block, size_t size)
{
    return functions.resize(block, size == 0 ? 1 : size);
}

void conv__release(void *block)
{
    if (block != NULL) functions.release(block);
}

char *conv__copy_text(const char *text)
{
    if (text == NULL) return NULL;
    size_t size = strlen(text) + 1;
    char *copy = allocate_raw(size);
    if (copy != NULL) memcpy(copy, text, size);
    return copy;
}

char *conv__join_text(const char *text, const char *ending)
{
    size_t size = strlen(text);
    size_t more = strlen(ending) + 1;
    char *joined = allocate_raw(size + more);
    if (joined == NULL) return NULL;
    memcpy(joined, text, size);
    memcpy(joined + size, ending, more);
    return joined;
}

/* The first chunk of the list is the one that still has room; bigger blocks get one of their own
 * behind it, so that they do not end it early. */
struct conv__arena_chunk {
    struct conv__arena_chunk *next;
    size_t used;
    size_t capacity;
    max_align_t data[];
};

#define FIRST_CHUNK   ((size_t)1024)
#define LARGEST_CHUNK ((size_t)64 << 10)

static struct conv__arena_chunk *chunk_create(size_t capacity)
{
    if (capacity > SIZE_MAX - sizeof(struct conv__arena_chunk)) return NULL;
    struct conv__arena_chunk *chunk = allocate_raw(sizeof *chunk + capacity);
    if (chunk == NULL) return NULL;
    chunk->next = NULL;
    chunk->used = 0;
    chunk->capacity = capacity;
    return chunk;
}

static void *chunk_take(struct conv__arena_chunk *chunk, size_t size)
{
    void *block = (char *)chunk->data + chunk->used;
    chunk->used += size;
    return block;
}

static size_t next_capacity(const conv__arena *arena)
{
    if (arena->chunks == NULL) return FIRST_CHUNK;
    size_t doubled = arena->chunks->capacity * 2;
    return doubled > LARGEST_CHUNK ? LARGEST_CHUNK : doubled;
}

static void *arena_take(conv__arena *arena, size_t size)
{
    size_t alignment = alignof(max_align_t);
    if (size > SIZE_MAX - alignment) return NULL;
    size = (size + alignment - 1) / alignment * alignment;

    struct conv__arena_chunk *first = arena->chunks;
    if (first != NULL && first->capacity - first->used >= size) return chunk_take(first, size);

    size_t capacity = next_capacity(arena);
    bool alone = size > capacity / 2;
    struct conv__arena_chunk *chunk = chunk_create(alone ? size : capacity);
    if (chunk == NULL) return NULL;
    if (alone && first != NULL) {
        chunk->next = first->next;
        first->next = chunk;
    } else {
        chunk->next = first;
        arena->chunks = chunk;
    }
    return chunk_take(chunk, size);
}

void *conv__arena_allocate(conv__arena *arena, size_t size)
{
    void *block = arena_take(arena, size);
    if (block != NULL) memset(block, 0, size);
    return block;
}

conv_status conv__arena_copy(conv__arena *arena, conv_bytes bytes, conv_bytes *copy)
{
    if (bytes.data == NULL) {
        *copy = bytes;
        return CONV_OK;
    }
    if (bytes.size == SIZE_MAX) return CONV_NO_MEMORY;
    char *data = arena_take(arena, bytes.size + 1);
    if (data == NULL) return CONV_NO_MEMORY;
    memcpy(data, bytes.data, bytes.size);
    data[bytes.size] = '\0';
    *copy = conv_view(data, bytes.size);
    return CONV_OK;
}

void conv__arena_reset(conv__arena *arena)
{
    struct conv__arena_chunk *chunk = arena->chunks;
    arena->chunks = NULL;
    while (chunk != NULL) {
        struct conv__arena_chunk *next = chunk->next;
        conv__release(chunk);
        chunk = next;
    }
}
