/* From accepted to committed: the writer, and the journal behind it. Nothing that was accepted here
 * is lost: it is in the store, or on disk and on its way there, or the caller has heard why not. */
#ifndef CONV__SAVING_SAVING_H
#define CONV__SAVING_SAVING_H

#include <stdbool.h>
#include <stdint.h>

#include "conversation/status.h"
#include "events/bus.h"
#include "repositories/journal.h"
#include "saving/batch.h"
#include "saving/writer.h"

typedef struct conv__saving conv__saving;

typedef struct conv__saving_params {
    conv__writer_params writer; /* with the store */
    conv__journal *journal;     /* taken over, also by a failure; NULL: none */
    bool journal_stays;         /* nothing goes from it to the store */
    int64_t store_timeout_ms;   /* for a transaction of the drain */
    int64_t journal_bytes;      /* at most; 0: no limit */
    int64_t journal_age_ms;     /* of the oldest that waits, at most; 0: no limit */
    /* Looks whether the store is there and has the schema; only with a journal. NULL: that was seen
     * already. Else the store counts as away, and the draining thread asks until the answer is
     * CONV_OK. */
    conv_status (*prove)(void *context, conv_error *error);
    void *prove_context;
    conv__bus *bus; /* is told what became true; outlives this; NULL: nobody is */
} conv__saving_params;

/* With a journal this starts the thread that drains it, unless that stays as it is. CONV_NO_MEMORY.
 */
CONV_WARN_UNUSED conv_status conv__saving_create(const conv__saving_params *params,
                                                 conv__saving **saving, conv_error *error);

/* Notes a turn before the provider is asked: its text is on disk when this answers CONV_OK. The
 * exchange holds the question alone. Without a journal it does nothing. CONV_LIMIT: the journal is
 * full. CONV_UNAVAILABLE, CONV_TIMEOUT: it can't be written. */
CONV_WARN_UNUSED conv_status conv__saving_note(conv__saving *saving, const conv__exchange *exchange,
                                               int64_t deadline_ns, conv_error *error);

/* Saves an exchange. CONV_OK with save->journaled false: committed in the store; true: on disk, and
 * it will be committed without the caller. `noted`: conv__saving_note was called for it, and what
 * it noted is taken back unless the exchange stays in the journal: because it waits, or because the
 * store refused it for good, which makes it a dead letter there. Else see conv__writer_save. */
CONV_WARN_UNUSED conv_status conv__saving_save(conv__saving *saving, conv__save *save, bool noted);

/* The same for exchanges that one caller brings together, none of them noted: each gets its own
 * result, and those of a session keep their order. `here`: on a thread on which handlers of events
 * may run. At most CONV__SAVE_MANY; else see conv__writer_save_many. */
enum { CONV__SAVE_MANY = 256 };
void conv__saving_save_many(conv__saving *saving, conv__save *const *saves, size_t count,
                            bool here);

/* The circuit breaker: whether the store failed a moment ago, so that nobody should wait for it
 * before it is time to try again. `error` (may be NULL) is then filled with `action` and why it is
 * away. Never true without a journal. */
bool conv__saving_is_away(conv__saving *saving, const char *action, conv_error *error);

/* The same question from one that goes on to ask the store unless this is false, and then tells
 * with conv__saving_store_away, _store_back or _not_tried how it went. Once it is time to try again
 * only the first one may; to the others the store stays away until that one knows, at most for
 * store_timeout_ms.
 */
bool conv__saving_may_try(conv__saving *saving, const char *action, conv_error *error);

/* The store failed with `why` in a way that another try may mend: callers are not to wait for it.
 */
void conv__saving_store_away(conv__saving *saving, const conv_error *why);

/* The store has answered. */
void conv__saving_store_back(conv__saving *saving);

/* Who might have tried does not know how the store is after all: there was no memory, or nothing to
 * ask. */
void conv__saving_not_tried(conv__saving *saving);

/* Entries of the journal that wait for the store; without asking the journal. */
int64_t conv__saving_waiting(conv__saving *saving);

/* Why what waits in the journal is not in the store yet, as far as anything has failed. */
void conv__saving_cause(conv__saving *saving, conv_error *cause);

bool conv__saving_has_journal(const conv__saving *saving);

/* Whether waiting may help against this failure of the store. */
bool conv__saving_may_wait(const conv_error *error);

/* Looks for an exchange that waits in the journal; `found` false without one. Its bytes live in the
 * arena. */
CONV_WARN_UNUSED conv_status conv__saving_find(conv__saving *saving, conv_uuid session_id,
                                               conv_uuid exchange_id, int64_t deadline_ns,
                                               conv__arena *arena, conv__exchange *exchange,
                                               bool *found, conv_error *error);

/* A usage record that the store did not take. */
typedef struct conv__usage_kept {
    const conv__usage_row *row;
    conv_bytes record;       /* its bytes (record.h) */
    const conv_error *cause; /* one that may pass: it waits; else it is a dead letter */
} conv__usage_kept;

/* Keeps them in the journal. After a failure some may be in it, and all may be given again: a
 * record that is there already is kept once, and another one under the same log id becomes a dead
 * letter. CONV_UNAVAILABLE without a journal. */
CONV_WARN_UNUSED conv_status conv__saving_keep_usage(conv__saving *saving,
                                                     const conv__usage_kept *kept, size_t count,
                                                     int64_t deadline_ns, conv_error *error);

/* What becomes of a usage record whose change was left out because the journal has its log id.
 * `again`: the change is to be applied once more, perhaps as a dead letter now, under an id of its
 * own. Else the journal holds the same record. */
CONV_WARN_UNUSED conv_status conv__journal_settle_usage(conv__journal *journal,
                                                        conv__journal_change *change,
                                                        int64_t deadline_ns, bool *again,
                                                        conv_error *error);

/* Makes a dead letter of bytes that should have been a record; borrows both. */
void conv__journal_make_damaged(conv__journal_entry *entry, conv_bytes bytes,
                                const conv_error *why);

/* Keeps bytes that should have been a record, as a dead letter. CONV_UNAVAILABLE without a journal.
 */
CONV_WARN_UNUSED conv_status conv__saving_keep_damaged(conv__saving *saving, conv_bytes bytes,
                                                       const conv_error *why, int64_t deadline_ns,
                                                       conv_error *error);

/* While it is held nothing goes from the journal to the store. False: the deadline passed before
 * what was on its way had arrived. Releasing it tells what happened meanwhile, and waits for
 * handlers until the deadline at most. */
CONV_WARN_UNUSED bool conv__saving_hold_drain(conv__saving *saving, int64_t deadline_ns);
void conv__saving_release_drain(conv__saving *saving, int64_t deadline_ns);

/* What the store has deleted: a session, or a user with all that was theirs (nil: neither). */
typedef struct conv__forgetting {
    conv_uuid session_id;
    conv_uuid user_id;
    conv_uuid pseudonym; /* whose the user's usage records are from now on */
    int64_t erased_us;   /* what was accepted later begins anew */
} conv__forgetting;

typedef struct conv__forgotten {
    int64_t removed; /* turns, exchanges and dead letters */
    int64_t hidden;  /* usage records of the user, waiting or dead */
} conv__forgotten;

/* Takes out of usage records which user they were of, if that one was erased since they were
 * accepted; `accepted_us` NULL: at their own times. What the store answers: as conv__saving_save.
 */
CONV_WARN_UNUSED conv_status conv__saving_hide_erased(conv__saving *saving, conv__usage_row *rows,
                                                      const int64_t *accepted_us, size_t count,
                                                      int64_t deadline_ns, conv_error *error);

/* Takes it out of the journal. Usage records stay, also those of exchanges that wait; the user's
 * get the pseudonym. The drain is held. */
CONV_WARN_UNUSED conv_status conv__saving_forget(conv__saving *saving, const conv__forgetting *what,
                                                 int64_t deadline_ns, conv__forgotten *forgotten,
                                                 conv_error *error);

conv__store *conv__saving_store(const conv__saving *saving);
/* Saves with other callers' exchanges as conv__saving_save does, but neither into the journal nor
 * as an event: for the exchange that only tests whether saving works. */
CONV_WARN_UNUSED conv_status conv__saving_save_now(conv__saving *saving, conv__save *save);

size_t conv__saving_writer_waiting(const conv__saving *saving);
conv__bus *conv__saving_bus(const conv__saving *saving);

/* What the journal holds; all zero without one. */
CONV_WARN_UNUSED conv_status conv__saving_count(conv__saving *saving, int64_t deadline_ns,
                                                conv__journal_counts *counts, conv_error *error);

/* Drains until nothing waits that the store takes, or the deadline has passed, stops the thread and
 * frees everything. What remains is told in `remaining`, and why in `cause` (both may be NULL).
 * `saving` NULL is allowed. */
void conv__saving_close(conv__saving *saving, int64_t deadline_ns, conv__journal_counts *remaining,
                        conv_error *cause);

#endif
