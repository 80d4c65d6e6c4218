/* When to try again: a pure function of the error and the number of tries. */
#ifndef CONV__SAVING_RETRY_H
#define CONV__SAVING_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "conversation/status.h"
#include "core/time.h"

/* Whether a save that failed for the `failures`-th time (from 1) is to be tried again within the
 * same call, and after which pause. `random` gives the jitter: any number. Source of the bounds:
 * RETRY 3 times (deadlocks and serialization failures 5 times), a server that shuts down after 100
 * ms, BACKOFF from 50 ms doubled up to 5 times; else never. */
bool conv__retry_after(const conv_error *error, int failures, uint32_t random, int64_t *pause_ms);

/* Sleeps, but not beyond the deadline or the store's latest moment (NULL: none); false when either
 * has passed. */
bool conv__retry_sleep(int64_t pause_ms, int64_t deadline_ns, const conv__latest *latest);

uint32_t conv__retry_random(void);

/* Whether a failure may be of one row alone: what the server refuses for good, and what it answers
 * about a statement that only a person can mend (a trigger, a right). Then the rows of a
 * transaction are tried apart. Else the store as a whole has failed: also when its files are
 * damaged, so that nobody goes on writing to them. */
bool conv__failure_of_row(const conv_error *error);

/* Whether the time was too short: no answer until the deadline, or nothing became free. */
bool conv__failure_of_time(const conv_error *error);

#endif
