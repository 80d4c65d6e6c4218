/* Random bytes from the system, fetched in advance: a call of the system for each id costs more
 * than the rest of making it. It must not touch random(3): that state belongs to the application
 * (libuuid's uuid_generate_random reseeds it with every call, so it serves only as the fallback).
 */
#include "core/random.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>
#include <uuid/uuid.h>

#include "core/process.h"

enum { POOL_SIZE = 4096, LARGEST_FROM_POOL = 64 };

static void fetch(void *data, size_t size)
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

/* A forked child must not hand out what its parent does, so the process has a number that the child
 * does not inherit. 0: nothing may be kept. */
static uint64_t number_of_process(void)
{
    _Atomic uint64_t *process_number = conv__process_number();
    if (process_number == NULL) return 0;
    uint64_t number = atomic_load_explicit(process_number, memory_order_relaxed);
    if (number != 0) return number;
    uint64_t fresh = 0;
    fetch(&fresh, sizeof fresh);
    fresh |= 1;
    return atomic_compare_exchange_strong(process_number, &number, fresh) ? fresh : number;
}

void conv__random_bytes(void *data, size_t size)
{
    static _Thread_local struct {
        uint64_t process;
        size_t left;
        unsigned char bytes[POOL_SIZE];
    } pool;
    uint64_t process = size > LARGEST_FROM_POOL ? 0 : number_of_process();
    if (process == 0) {
        fetch(data, size);
        return;
    }
    if (pool.process != process || pool.left < size) {
        fetch(pool.bytes, sizeof pool.bytes);
        pool.left = sizeof pool.bytes;
        pool.process = process;
    }
    pool.left -= size;
    memcpy(data, pool.bytes + pool.left, size);
    memset(pool.bytes + pool.left, 0, size); /* nobody finds it there afterwards */
}

uint64_t conv__random_u64(void)
{
    uint64_t number;
    conv__random_bytes(&number, sizeof number);
    return number;
}
