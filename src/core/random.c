/* Random bytes from the system. It must not touch random(3): that state belongs to the application
 * (libuuid's uuid_generate_random reseeds it with every call, so it serves only as the fallback).
 */
#include "core/random.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <uuid/uuid.h>

void conv__random_bytes(void *data, size_t size)
{
    unsigned char *bytes = data;
    while (size > 0) {
        ssize_t got = getrandom(bytes, size, 0);
        if (got > 0) {
            bytes += got;
            size -= (size_t)got;
        } else if (errno != EINTR) {
            break;
        }
    }
    while (size > 0) {
        uuid_t uuid;
        uuid_generate_random(uuid);
        size_t part = size < 6 ? size : 6; /* the first six bytes of a version 4 are all random */
        memcpy(bytes, uuid, part);
        bytes += part;
        size -= part;
    }
}

uint64_t conv__random_u64(void)
{
    uint64_t number;
    conv__random_bytes(&number, sizeof number);
    return number;
}
