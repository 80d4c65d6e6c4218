/* Sleeping until a number changes: the least that one thread needs to wait for another. */
#ifndef CONV__CORE_SLEEP_H
#define CONV__CORE_SLEEP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Sleeps while the number has this value, at most until the deadline; false when that has passed.
 * May return without a reason, so the caller looks again. */
bool conv__sleep_while(_Atomic uint32_t *number, uint32_t value, int64_t deadline_ns);

/* Wakes one thread that sleeps on the number, after it was changed. Nothing is read there: the
 * number may be gone already. */
void conv__wake(_Atomic uint32_t *number);

#endif
