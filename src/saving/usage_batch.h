/* Usage records that belong to no exchange, on their way to the store. */
#ifndef CONV__SAVING_USAGE_BATCH_H
#define CONV__SAVING_USAGE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/status.h"
#include "repositories/store.h"
#include "repositories/usage.h"

typedef struct conv__usage_save {
    const conv__usage_row *row;
    conv_status status; /* CONV_OK also for a record that was there already */
    bool fresh;         /* it was not, so it is to be told */
    bool dead;          /* a dead letter in the journal; whoever keeps it there sets this */
    conv_error error;
} conv__usage_save;

/* Saves all in one transaction, retried until the deadline; a record that the store refuses is
 * found by halving and fails alone. When one fails because the store is away, those behind it are
 * not tried any more. `tried`: some may be in the store, by an earlier call; that some are without
 * it costs time, and nothing else. */
void conv__usage_batch_save(conv__store *store, conv__usage_save *saves, size_t count, bool tried,
                            int64_t deadline_ns);

/* Ends all of them with that failure. */
void conv__usage_batch_fail(conv__usage_save *saves, size_t count, const conv_error *error);

#endif
