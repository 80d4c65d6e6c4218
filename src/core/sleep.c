/* Futexes (futex(2)): unlike a condition variable they need no lock to wake up with, and none to be
 * destroyed. */
#include "core/sleep.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/time.h"

bool conv__sleep_while(_Atomic uint32_t *number, uint32_t value, int64_t deadline_ns)
{
    struct timespec until = {deadline_ns / 1000000000, deadline_ns % 1000000000};
    /* The form with a bit set takes a moment of the monotonic clock, not a length of time. */
    long result =
        syscall(SYS_futex, number, FUTEX_WAIT_BITSET_PRIVATE, value,
                deadline_ns == CONV__NO_DEADLINE ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
    return result == 0 || errno != ETIMEDOUT;
}

void conv__wake(_Atomic uint32_t *number)
{
    (void)syscall(SYS_futex, number, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
