/* Copying usage records into large chunks that are used again. It must not look into the texts. */
#include "saving/usage_copies.h"

#include <stdalign.h>
#include <string.h>

#include "core/memory.h"

enum { CHUNK = 64 << 10, SPARE_CHUNKS = 16 };

struct conv__usage_chunk {
    struct conv__usage_chunk *next;
    size_t used;
    size_t capacity;
    max_align_t data[];
};

static const size_t texts[] = {
    offsetof(conv_usage, session_id), offsetof(conv_usage, user_id),
    offsetof(conv_usage, user_email), offsetof(conv_usage, document_id),
    offsetof(conv_usage, service),    offsetof(conv_usage, operation),
    offsetof(conv_usage, model),      offsetof(conv_usage, provider),
    offsetof(conv_usage, price),      offsetof(conv_usage, error),
    offsetof(conv_usage, raw),        offsetof(conv_usage, metadata),
};

enum { TEXTS = sizeof texts / sizeof texts[0] };

size_t conv__usage_copy_size(const conv_usage *usage)
{
    size_t size = sizeof(conv__usage_copy);
    for (size_t i = 0; i < TEXTS; i++) {
        const conv_bytes *text = (const void *)((const char *)usage + texts[i]);
        if (text->data != NULL) size += text->size;
    }
    return (size + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
}

static struct conv__usage_chunk *next_chunk(conv__usage_copies *copies, size_t size)
{
    struct conv__usage_chunk *chunk = size <= CHUNK ? copies->spare : NULL;
    size_t capacity = size > CHUNK ? size : CHUNK;
    if (chunk != NULL)
        copies->spare = chunk->next;
    else
        chunk = conv__resize(NULL, sizeof *chunk + capacity); /* not zeroed: it is written anyway */
    if (chunk == NULL) return NULL;
    chunk->next = NULL;
    chunk->used = 0;
    chunk->capacity = capacity;
    if (copies->last != NULL)
        copies->last->next = chunk;
    else
        copies->first = chunk;
    return copies->last = chunk;
}

bool conv__usage_copies_add(conv__usage_copies *copies, const conv_usage *usage, const void *prices)
{
    size_t size = conv__usage_copy_size(usage);
    struct conv__usage_chunk *chunk = copies->last;
    if (chunk == NULL || chunk->capacity - chunk->used < size) chunk = next_chunk(copies, size);
    if (chunk == NULL) return false;
    void *room = (char *)chunk->data + chunk->used;
    conv__usage_copy *copy = room;
    char *end = (char *)(copy + 1);
    copy->size = size;
    copy->prices = prices;
    copy->usage = *usage;
    for (size_t i = 0; i < TEXTS; i++) {
        conv_bytes *text = (conv_bytes *)(void *)((char *)&copy->usage + texts[i]);
        if (text->data == NULL) continue;
        memcpy(end, text->data, text->size);
        text->data = end;
        end += text->size;
    }
    chunk->used += size;
    copies->bytes += size;
    return true;
}

const conv__usage_copy *conv__usage_copies_next(const conv__usage_copies *copies,
                                                conv__usage_place *place)
{
    if (place->chunk == NULL) place->chunk = copies->first;
    while (place->chunk != NULL && place->offset == place->chunk->used) {
        if (place->chunk->next == NULL) return NULL;
        *place = (conv__usage_place){place->chunk->next, 0};
    }
    if (place->chunk == NULL) return NULL;
    const void *at = (const char *)place->chunk->data + place->offset;
    const conv__usage_copy *copy = at;
    place->offset += copy->size;
    return copy;
}

void conv__usage_copies_join(conv__usage_copies *copies, conv__usage_copies *from)
{
    if (from->first == NULL) return;
    if (copies->last != NULL)
        copies->last->next = from->first;
    else
        copies->first = from->first;
    copies->last = from->last;
    copies->bytes += from->bytes;
    from->first = from->last = NULL;
    from->bytes = 0;
}

static void release_all(struct conv__usage_chunk *chunk)
{
    while (chunk != NULL) {
        struct conv__usage_chunk *next = chunk->next;
        conv__release(chunk);
        chunk = next;
    }
}

void conv__usage_copies_clear(conv__usage_copies *copies)
{
    struct conv__usage_chunk *chunk = copies->first;
    size_t kept = 0;
    for (struct conv__usage_chunk *spare = copies->spare; spare != NULL; spare = spare->next)
        kept++;
    while (chunk != NULL && kept < SPARE_CHUNKS) {
        struct conv__usage_chunk *next = chunk->next;
        if (chunk->capacity == CHUNK) {
            chunk->next = copies->spare;
            copies->spare = chunk;
            kept++;
        } else {
            conv__release(chunk);
        }
        chunk = next;
    }
    release_all(chunk);
    copies->first = copies->last = NULL;
    copies->bytes = 0;
}

void conv__usage_copies_free(conv__usage_copies *copies)
{
    release_all(copies->first);
    release_all(copies->spare);
    *copies = (conv__usage_copies){0};
}
