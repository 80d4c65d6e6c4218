/* What the files around saving.c share: keep.c, keep_usage.c, changes.c, notes.c, away.c,
 * attempts.c, forget.c, drain.c and drain_batch.c.
 */
#ifndef CONV__SAVING_SAVING_INTERNAL_H
#define CONV__SAVING_SAVING_INTERNAL_H

#include <pthread.h>

#include "repositories/sessions.h"
#include "saving/group.h"
#include "saving/held.h"
#include "saving/saving.h"

/* A note whose exchange is committed. It need not go at once: until it has gone, a crash only leads
 * to the question in the store whether it is there. */
typedef struct conv__journal_key {
    conv_uuid session_id;
    conv_uuid item_id;
} conv__journal_key;

struct conv__saving {
    conv__saving_params params;
    conv__store *store;
    conv__writer *writer;
    conv__group *changes; /* of the journal, made durable together */

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    pthread_cond_t undrained;
    bool draining;       /* something goes from the journal to the store, or nothing may */
    int holders;         /* deletions that wait for it; they go first */
    conv__buffer told;   /* of whoever is draining: events, until it is not any more */
    pthread_cond_t room; /* the journal was changed */
    pthread_t thread;
    bool has_thread;
    bool stopping;
    int64_t waiting; /* entries of the journal that wait for the store */
    int64_t left;    /* of these so many were held when all were last looked through, if no deletion
                      * has come since */
    bool unproven;   /* nobody has seen the store yet: it is away until somebody has */
    bool away;       /* the store is known to be away: do not let callers wait for it */
    bool trying;     /* somebody asks it now; retry_at_ns is when another one may */
    char away_because[CONV_MESSAGE_SIZE];
    conv_error failure; /* the latest of what waits */
    int failures;
    int64_t retry_at_ns;
    int64_t turns_until;  /* turns up to this entry were noted by an earlier process */
    size_t at_once;       /* that the drain takes; of the thread, as what follows */
    conv__held held;      /* of the thread, and of closing after it; without the lock */
    conv__buffer holding; /* which these are, for callers: conv__held_append */
    conv__journal_key *done;
    size_t done_count;
    size_t done_capacity;
};

/* The work of the group `changes`. */
void conv__journal_apply_batch(void *saving, conv__group_item **batch, size_t count);

/* Applies changes to the journal, durably, in one transaction with what other callers bring: all or
 * none. */
CONV_WARN_UNUSED conv_status conv__saving_apply(conv__saving *saving, conv__journal_change *changes,
                                                size_t count, int64_t deadline_ns,
                                                conv_error *error);

/* A note has become needless; it goes with the next changes. False when out of memory. */
bool conv__saving_forget_note(conv__saving *saving, conv__journal_key key);

/* Takes needless notes out of the list, the oldest first, at most `limit`; gives how many. */
size_t conv__saving_take_notes(conv__saving *saving, conv__journal_key *keys, size_t limit);

/* The turn is noted once more: what was to become of its earlier note is forgotten. */
void conv__saving_note_again(conv__saving *saving, conv__journal_key key);

/* Lets them leave the journal now if there are any: the group's work carries them along. */
void conv__saving_sweep_notes(conv__saving *saving);

/* Turns that an earlier process noted: those that are in the store were completed, only their note
 * outlived them. True when all were looked at. */
bool conv__saving_forget_completed_turns(conv__saving *saving);

/* So many more entries of the journal wait for the store; its thread hears of them. */
void conv__saving_add_waiting(conv__saving *saving, int64_t more);

/* Waits until the journal's limits leave room, or the deadline or the store's latest moment:
 * CONV_LIMIT. What was accepted goes in whatever its size, so the limit may be passed by one record
 * of each caller. */
CONV_WARN_UNUSED conv_status conv__saving_wait_for_room(conv__saving *saving, int64_t deadline_ns,
                                                        conv_error *error);

/* Whether the journal is below its limit of bytes now. */
bool conv__saving_has_room(const conv__saving *saving);

/* Keeps an exchange on disk until the store is back. `cause` says why it could not be saved, or is
 * NULL. */
CONV_WARN_UNUSED conv_status conv__saving_keep(conv__saving *saving, conv__save *save,
                                               const conv_error *cause);

/* The same for several, in their order and in one write; `causes` is one for each. */
void conv__saving_keep_many(conv__saving *saving, conv__save *const *saves,
                            const conv_error *const *causes, size_t count);

/* Keeps exchanges that the store refused as dead letters, in one write; each says so in its error,
 * or why it is not. */
void conv__saving_keep_dead(conv__saving *saving, conv__save *const *saves, size_t count);

/* Whether the store may be used: it was seen, or is seen now. */
bool conv__saving_prove(conv__saving *saving);

/* Remembers why something waits. */
void conv__saving_failed(conv__saving *saving, const conv_error *why);

/* conv__saving_may_try for the thread, to which a store that nobody has seen yet is not away. */
bool conv__saving_may_drain(conv__saving *saving);

/* Turns an entry into a dead letter. Borrows the reason. */
void conv__journal_make_dead(conv__journal_entry *entry, const conv_error *why);

/* Asks the store what was deleted since it was accepted; `erased` as in sessions.h. */
CONV_WARN_UNUSED conv_status conv__saving_find_deleted(conv__saving *saving,
                                                       const conv__accepted *items, size_t count,
                                                       bool erased, int64_t deadline_ns,
                                                       bool *deleted, conv_error *error);

/* Sessions that erased users began and only a journal had, by `items`, which are dropped for that;
 * as erase_unsaved in sessions.h. Before they leave the journal: nobody else knows. */
CONV_WARN_UNUSED conv_status conv__saving_erase_unsaved(conv__saving *saving,
                                                        const conv__accepted *items, size_t count,
                                                        conv_uuid pseudonym, int64_t deadline_ns,
                                                        int64_t *hidden, conv_error *error);

/* What an erasure asks of a usage record: one that names no user is of whoever's session or
 * document it was. */
conv__accepted conv__accepted_usage(const conv__usage_row *row, int64_t accepted_us);

/* Asks the store for failed attempts at turns that were answered without having been looked up.
 * `place` receives which of the saves is the first to replace one; `count`: none. */
CONV_WARN_UNUSED conv_status conv__saving_find_failed(conv__saving *saving,
                                                      conv__save *const *saves, size_t count,
                                                      int64_t deadline_ns, size_t *place,
                                                      conv_error *error);

/* Puts the usage record of an exchange that waits in its place: the ledger is kept when a session
 * is deleted. `changed`: it was still there. */
CONV_WARN_UNUSED conv_status conv__saving_leave_usage(conv__saving *saving,
                                                      const conv__journal_entry *entry,
                                                      const conv__exchange *exchange,
                                                      int64_t deadline_ns, bool *changed,
                                                      conv_error *error);

/* Waits as long as others hold the drain, or want to. conv__saving_release_drain must follow. */
void conv__saving_begin_drain(conv__saving *saving);

/* The thread. */
void *conv__drain_run(void *saving);

/* Saves what waits, in order, until nothing does but what is held back (true), or the store is away
 * (false). */
bool conv__drain_all(conv__saving *saving, int64_t deadline_ns);

/* The same, again and again until the store is back or the deadline has passed; what is held is
 * tried once more, too. Without the thread. */
void conv__drain_until(conv__saving *saving, int64_t deadline_ns);

#endif
