/* Brings entries of the journal to the store, a batch at a time. */
#ifndef CONV__SAVING_DRAIN_BATCH_H
#define CONV__SAVING_DRAIN_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "saving/saving.h"

/* The most that share a transaction. */
enum { CONV__DRAIN_BATCH = 64 };

/* The oldest exchanges, or usage records, that nothing holds back. `more` says whether others may
 * follow. False when the store or the journal did not answer: what was not settled still waits.
 * Between conv__saving_begin_drain and conv__saving_release_drain. */
bool conv__drain_exchanges(conv__saving *saving, int64_t deadline_ns, bool *more);
bool conv__drain_usage(conv__saving *saving, int64_t deadline_ns, bool *more);

#endif
