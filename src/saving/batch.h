/* A batch: several callers' exchanges in one transaction, each with a result of its own. */
#ifndef CONV__SAVING_BATCH_H
#define CONV__SAVING_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/status.h"
#include "repositories/chat.h"
#include "repositories/store.h"

/* Who tells what became of it. */
typedef enum conv__save_telling {
    CONV__TELL_AT_ONCE = 0, /* the saving room */
    CONV__TELL_LATER,       /* the caller */
    CONV__TELL_NOBODY       /* it is only counted */
} conv__save_telling;

/* One exchange on its way to the store, and what became of it. */
typedef struct conv__save {
    const conv__exchange *exchange;
    bool in_order;      /* with the same: not after one of its session that failed */
    bool noted;         /* a turn of the same content was noted in the journal */
    bool resumed;       /* another attempt with the same log id is this very one */
    bool compare_reply; /* the answer too must equal the saved one, if the id exists already */
    int64_t deadline_ns;
    conv_status status;
    conv_error error;
    bool left;                  /* its batch was over before its own time, see conv__batch_try */
    bool unknown;               /* a COMMIT with it was not answered: it may be stored */
    bool existing;              /* its id is there, but nobody has seen yet with what content */
    bool behind;                /* not tried, see conv__save_fail_behind */
    bool repeated;              /* saved before, by another attempt with the same content */
    bool journaled;             /* kept in the journal instead, see conv__saving_save */
    conv__save_telling telling; /* input */
    bool fresh;                 /* what became of it is of this very attempt, so it is to be told */
    bool session_created;       /* likewise */
    bool dead;                  /* a dead letter in the journal */
    conv_status cause;          /* why it is journaled */
    char cause_sqlstate[6];
} conv__save;

/* What one transaction holds at most; a single exchange may be larger. */
#define CONV__BATCH_BYTES ((size_t)8 << 20)

/* Saves all in one transaction, or in halves where they are larger than one may be, and settles
 * each: CONV_OK, CONV_CONFLICT, or the failure that concerns it. An exchange that the store refuses
 * is found by halving the batch; the others commit. What can be retried is, until the batch is over
 * at its earliest deadline: nobody hears of the own failure later because of the others. Those that
 * have time then are `left`, and to be brought once more; at least one is settled. When one fails
 * because the store is away, those behind it are not tried any more: a session must not skip one of
 * its exchanges. With `in_order` that holds also for one that was refused (conv__save_fail_behind).
 * Keys must differ; an exchange that replaces a failed one must come alone. */
void conv__batch_try(conv__store *store, conv__save **saves, size_t count);

/* The same for what one caller brings: its earliest deadline becomes that of all, so that none is
 * left. */
void conv__batch_save(conv__store *store, conv__save **saves, size_t count);

/* Whether it may be stored although nobody was told so. */
bool conv__save_in_doubt(const conv__save *save);

/* Of `count` that are settled, one of the same session that a person must mend first, or that
 * failed otherwise where the order counts; or NULL. A conflict keeps nobody back: what stands there
 * stays there. */
const conv__save *conv__save_find_before(conv__save *const *saves, size_t count,
                                         const conv__save *save);

/* `save` must not overtake one of its session that failed with `before`: it fails with the same
 * status and says so. What waits for a person, or has an unknown outcome, lets it share that;
 * otherwise it is no refusal of its own, so that it makes no dead letter. */
void conv__save_fail_behind(conv__save *save, const conv_error *before);

/* Asks in a transaction of its own what is stored under the keys; one state for each. */
CONV_WARN_UNUSED conv_status conv__batch_look_up(conv__store *store, const conv__exchange_key *keys,
                                                 size_t count, int64_t deadline_ns,
                                                 conv__exchange_state *states, conv_error *error);

/* The id existed, and `state` is what it holds: success if that is this content, else
 * CONV_CONFLICT.
 */
void conv__save_compare(conv__save *save, const conv__exchange_state *state);

/* Whether `state` is a failed attempt at this turn, which its answer replaces. */
bool conv__save_replaces(const conv__save *save, const conv__exchange_state *state);

/* Bytes that an exchange brings along, for bounding a batch. */
size_t conv__exchange_bytes(const conv__exchange *exchange);

#endif
