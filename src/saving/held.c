/* See held.h. */
#include "saving/held.h"

#include "core/time.h"

enum { BASE_MS = 500, LIMIT_MS = 10000 };

static conv__held_one *find(conv__held *held, conv_uuid id)
{
    for (size_t i = 0; i < held->count; i++)
        if (conv_uuid_compare(held->all[i].id, id) == 0) return &held->all[i];
    return NULL;
}

bool conv__held_add(conv__held *held, conv_uuid id)
{
    conv__held_one *one = find(held, id);
    if (one == NULL) {
        if (held->count == CONV__HELD_AT_MOST) return false;
        one = &held->all[held->count++];
        *one = (conv__held_one){.id = id};
    }
    int64_t pause_ms = BASE_MS;
    for (int i = 0; i < one->failures && pause_ms < LIMIT_MS; i++)
        pause_ms *= 2;
    one->failures++;
    one->retry_at_ns = conv__deadline_in_ms(pause_ms < LIMIT_MS ? pause_ms : LIMIT_MS);
    return true;
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

void conv__held_text(const conv__held *held, char text[CONV__HELD_TEXT_SIZE])
{
    int64_t now_ns = conv__monotonic_ns();
    for (size_t i = 0; i < held->count; i++) {
        if (held->all[i].retry_at_ns <= now_ns) continue;
        conv_uuid_format(held->all[i].id, text);
        text += CONV_UUID_TEXT_SIZE - 1;
        *text++ = ' ';
    }
    *text = '\0';
}

int64_t conv__held_until(const conv__held *held)
{
    int64_t first = CONV__NO_DEADLINE;
    for (size_t i = 0; i < held->count; i++)
        if (held->all[i].retry_at_ns < first) first = held->all[i].retry_at_ns;
    return first;
}
