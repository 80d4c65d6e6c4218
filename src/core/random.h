/* Random bytes from the system, for ids and for jitter. */
#ifndef CONV__CORE_RANDOM_H
#define CONV__CORE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Fills `data`; unpredictable, and safe after fork. */
void conv__random_bytes(void *data, size_t size);

uint64_t conv__random_u64(void);

#endif
