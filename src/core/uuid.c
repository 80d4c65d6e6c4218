/* UUIDs: libuuid hashes them; version 7, which it does not know, is made here. They are read and
 * written here as well: every exchange has several, and libuuid asks strtoul for each group. It
 * must never make a time-based version 1: that one gives away the machine's address. */
#include "core/uuid.h"

#include <string.h>
#include <uuid/uuid.h>

#include "core/hex.h"
#include "core/random.h"

#define HYPHENATED 36
#define PLAIN      32

/* Bytes of the groups between the hyphens. */
static const size_t group_sizes[] = {4, 2, 2, 2, 6};

enum { GROUPS = sizeof group_sizes / sizeof group_sizes[0] };

static void set_version(conv_uuid *uuid, unsigned version)
{
    uuid->bytes[6] = (uint8_t)((uuid->bytes[6] & 0x0Fu) | (version << 4));
    uuid->bytes[8] = (uint8_t)((uuid->bytes[8] & 0x3Fu) | 0x80u);
}

conv_uuid conv_uuid_v4(void)
{
    conv_uuid uuid;
    conv__random_bytes(uuid.bytes, sizeof uuid.bytes);
    set_version(&uuid, 4);
    return uuid;
}

conv_uuid conv_uuid_v5(conv_uuid name_space, conv_bytes name)
{
    conv_uuid uuid;
    uuid_generate_sha1(uuid.bytes, name_space.bytes, name.data == NULL ? "" : name.data, name.size);
    return uuid;
}

/* RFC 9562 section 6.2, method 1: a counter of 16 bits behind the milliseconds. It starts at a
 * random place in its lower half each millisecond; where it overflows, or the clock steps back, the
 * time runs ahead of the clock instead of repeating an id. */
static conv_uuid next_at(conv__uuid_source *source, int64_t now_us)
{
    conv_uuid uuid;
    conv__random_bytes(uuid.bytes, sizeof uuid.bytes);

    int64_t now_ms = now_us / 1000;
    uint64_t fresh = (now_ms < 0 ? 0 : (uint64_t)now_ms) << 16;
    fresh |= (uint64_t)(uuid.bytes[0] & 0x7F) << 8 | uuid.bytes[1];

    uint64_t last = atomic_load(&source->last);
    uint64_t next;
    do {
        next = fresh > last ? fresh : last + 1;
    } while (!atomic_compare_exchange_weak(&source->last, &last, next));

    for (int i = 0; i < 6; i++) {
        uuid.bytes[i] = (uint8_t)(next >> (56 - 8 * i));
    }
    uuid.bytes[6] = (uint8_t)(next >> 12 & 0x0F);
    uuid.bytes[7] = (uint8_t)(next >> 4);
    uuid.bytes[8] = (uint8_t)((next & 0x0F) << 2 | (uuid.bytes[8] & 0x03));
    set_version(&uuid, 7);
    return uuid;
}

conv_uuid conv__uuid_source_next(conv__uuid_source *source)
{
    const conv__clock *clock = source->clock == NULL ? conv__clock_system() : source->clock;
    return next_at(source, clock->functions->now_us(clock));
}

conv_uuid conv__uuid_v7_at(int64_t now_us)
{
    static conv__uuid_source process_source;
    return next_at(&process_source, now_us);
}

conv_uuid conv_uuid_v7(void)
{
    return conv__uuid_v7_at(conv__now_us());
}

conv_uuid conv_uuid_namespace_dns(void)
{
    return (conv_uuid){{0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0,
                        0x4f, 0xd4, 0x30, 0xc8}};
}

/* Not strncasecmp: in a Turkish locale it finds that I is no i. */
static bool has_prefix(conv_bytes text, const char *prefix, size_t size)
{
    if (text.size < size) return false;
    for (size_t i = 0; i < size; i++) {
        char c = text.data[i];
        if (c >= 'A' && c <= 'Z') c = (char)(c - 'A' + 'a');
        if (c != prefix[i]) return false;
    }
    return true;
}

/* Takes off what may stand around the digits. */
static conv_bytes without_wrapping(conv_bytes text)
{
    static const char prefix[] = "urn:uuid:";
    size_t size = sizeof prefix - 1;
    if (has_prefix(text, prefix, size)) return conv_view(text.data + size, text.size - size);
    if (text.size > 2 && text.data[0] == '{' && text.data[text.size - 1] == '}')
        return conv_view(text.data + 1, text.size - 2);
    return text;
}

bool conv_uuid_parse(conv_bytes text, conv_uuid *uuid)
{
    if (text.data == NULL) return false;
    conv_bytes digits = without_wrapping(text);

    bool hyphenated = digits.size == HYPHENATED;
    if (!hyphenated && digits.size != PLAIN) return false;
    conv_uuid parsed;
    uint8_t *to = parsed.bytes;
    const char *from = digits.data;
    int wrong = 0; /* negative as soon as one character is no digit */
    for (size_t group = 0; group < GROUPS; group++) {
        if (hyphenated && group > 0 && *from++ != '-') return false;
        for (size_t i = 0; i < group_sizes[group]; i++, from += 2) {
            int high = conv__hex_digit(from[0]);
            int low = conv__hex_digit(from[1]);
            wrong |= high | low;
            *to++ = (uint8_t)((unsigned)high << 4 | (unsigned)low);
        }
    }
    if (wrong < 0) return false;
    *uuid = parsed;
    return true;
}

conv_uuid conv_uuid_ensure(conv_bytes text)
{
    conv_uuid uuid = {{0}};
    if (text.data == NULL) return uuid;
    if (conv_uuid_parse(text, &uuid) && !conv_uuid_is_nil(uuid)) return uuid;
    return conv_uuid_v5(conv_uuid_namespace_dns(), text);
}

void conv_uuid_format(conv_uuid uuid, char text[CONV_UUID_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = uuid.bytes;
    for (size_t group = 0; group < GROUPS; group++) {
        if (group > 0) *text++ = '-';
        for (size_t i = 0; i < group_sizes[group]; i++, from++) {
            *text++ = digits[*from >> 4];
            *text++ = digits[*from & 0x0F];
        }
    }
    *text = '\0';
}

bool conv_uuid_is_nil(conv_uuid uuid)
{
    return uuid_is_null(uuid.bytes) != 0;
}

int conv_uuid_compare(conv_uuid a, conv_uuid b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes);
}
