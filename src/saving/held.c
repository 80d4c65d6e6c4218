/* See held.h. */
#include "saving/held.h"

#include "core/memory.h"
#include "core/time.h"

enum { BASE_MS = 500, LIMIT_MS = 10000 };

static conv__held_one *find(const conv__held *held, conv_uuid id)
{
    for (size_t i = 0; i < held->count; i++)
        if (conv_uuid_compare(held->all[i].id, id) == 0) return &held->all[i];
    return NULL;
}

static conv__held_one *append(conv__held *held, conv_uuid id)
{
    if (held->count == CONV__HELD_AT_MOST) return NULL;
    if (held->count == held->capacity) {
        size_t capacity = held->capacity == 0 ? 16 : 2 * held->capacity;
        conv__held_one *grown = conv__resize(held->all, capacity * sizeof *grown);
        if (grown == NULL) return NULL;
        held->all = grown;
        held->capacity = capacity;
    }
    conv__held_one *one = &held->all[held->count++];
    *one = (conv__held_one){.id = id};
    return one;
}

bool conv__held_add(conv__held *held, conv_uuid id)
{
    conv__held_one *one = find(held, id);
    if (one == NULL) one = append(held, id);
    if (one == NULL) return false;
    int64_t pause_ms = BASE_MS;
    for (int i = 0; i < one->failures && pause_ms < LIMIT_MS; i++)
        pause_ms *= 2;
    one->failures++;
    one->retry_at_ns = conv__deadline_in_ms(pause_ms < LIMIT_MS ? pause_ms : LIMIT_MS);
    return true;
}

int conv__held_failures(const conv__held *held, conv_uuid id)
{
    const conv__held_one *one = find(held, id);
    return one == NULL ? 0 : one->failures;
}

void conv__held_release(conv__held *held, conv_uuid id)
{
    conv__held_one *one = find(held, id);
    if (one != NULL) *one = held->all[--held->count];
}

void conv__held_forget(conv__held *held, int64_t due_ns)
{
    for (size_t i = held->count; i-- > 0;)
        if (held->all[i].retry_at_ns <= due_ns) held->all[i] = held->all[--held->count];
}

void conv__held_append(const conv__held *held, conv__buffer *json)
{
    int64_t now_ns = conv__monotonic_ns();
    const char *before = "[\"";
    for (size_t i = 0; i < held->count; i++) {
        char text[CONV_UUID_TEXT_SIZE];
        if (held->all[i].retry_at_ns <= now_ns) continue;
        conv_uuid_format(held->all[i].id, text);
        conv__buffer_append_text(json, before);
        conv__buffer_append_text(json, text);
        before = "\",\"";
    }
    conv__buffer_append_text(json, before[0] == '[' ? "[]" : "\"]");
}

int64_t conv__held_until(const conv__held *held)
{
    int64_t first = CONV__NO_DEADLINE;
    for (size_t i = 0; i < held->count; i++)
        if (held->all[i].retry_at_ns < first) first = held->all[i].retry_at_ns;
    return first;
}

void conv__held_free(conv__held *held)
{
    conv__release(held->all);
    *held = (conv__held){0};
}
