/* Into the journal: notes of turns, and what the store can't take yet. Nothing of what was accepted
 * before is replaced by it. */
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/time.h"
#include "saving/record.h"
#include "saving/saving_internal.h"

#define ACTION         "save exchange"
#define ACTION_JOURNAL "write journal"

enum { KEEP_MS = 1000 }; /* what was accepted gets so long for the disk, deadline or not */

/* What kind of change is set in `change` already; `record` holds its bytes. */
static conv_status describe(conv__journal_change *change, const conv__exchange *exchange,
                            conv__buffer *record, conv_error *error)
{
    conv__record_append_exchange(record, exchange);
    change->entry.session_id = exchange->session.session_id;
    change->entry.item_id = exchange->exchange_id;
    change->entry.record = conv__buffer_bytes(record);
    change->entry.created_us = conv__now_us(); /* accepted; the exchange itself may be an old one */
    return record->failed ? conv__fail_memory(error, ACTION_JOURNAL) : CONV_OK;
}

static conv_status put(conv__saving *saving, conv__journal_change *change,
                       const conv__exchange *exchange, int64_t deadline_ns, conv_error *error)
{
    conv__buffer record = {0};
    conv_status status = describe(change, exchange, &record, error);
    if (status == CONV_OK) status = conv__saving_apply(saving, change, 1, deadline_ns, error);
    conv__buffer_free(&record);
    return status;
}

/* What the journal holds under the ids of `exchange`. */
static conv_status find_kept(conv__saving *saving, const conv__exchange *exchange,
                             int64_t deadline_ns, conv__arena *arena, conv__journal_entry *entry,
                             conv__exchange *kept, conv_error *error)
{
    conv__journal *journal = saving->params.journal;
    conv_status status =
        journal->functions->find(journal, exchange->session.session_id, exchange->exchange_id,
                                 false, deadline_ns, arena, entry, error);
    return status == CONV_OK ? conv__record_read_exchange(arena, entry->record, kept, error)
                             : status;
}

static bool asks_the_same(const conv__exchange *one, const conv__exchange *other)
{
    return memcmp(one->request_hash, other->request_hash, sizeof one->request_hash) == 0;
}

static conv_status fail_noted(conv_error *error)
{
    return conv__fail(error, CONV_CONFLICT, ACTION,
                      "a turn with this id and another message is in the journal, under way or "
                      "interrupted; nothing was saved: use a new turn id, or retry or drop that "
                      "turn");
}

static conv_status fail_refused_before(conv_error *error)
{
    return conv__fail(error, CONV_CONFLICT, ACTION,
                      "a dead letter in the journal has this id and another message; nothing was "
                      "saved: use a new turn id, or retry or drop that letter");
}

/* The journal has something of this turn already, as after an interruption or a refusal; its text
 * must not go for another one, nor another one be noted nowhere. CONV_NOT_FOUND: it has gone. */
static conv_status compare_with_note(conv__saving *saving, const conv__exchange *exchange,
                                     int64_t deadline_ns, conv_error *error)
{
    conv__arena arena = {0};
    conv__journal_entry entry = {0};
    conv__exchange kept = {0};
    conv_status status = find_kept(saving, exchange, deadline_ns, &arena, &entry, &kept, error);
    bool other = status == CONV_OK && !asks_the_same(&kept, exchange);
    if (other && entry.kind == CONV__JOURNAL_TURN) status = fail_noted(error);
    if (other && entry.kind == CONV__JOURNAL_DEAD) status = fail_refused_before(error);
    conv__arena_reset(&arena);
    return status;
}

/* A note may stand there after a failure, but nobody was asked and there is nothing to commit. */
static conv_status put_note(conv__saving *saving, conv__journal_change *change,
                            const conv__exchange *exchange, int64_t deadline_ns, conv_error *error)
{
    conv_status status = put(saving, change, exchange, deadline_ns, error);
    if (status != CONV_OK && error != NULL) error->outcome_unknown = false;
    return status;
}

conv_status conv__saving_note(conv__saving *saving, const conv__exchange *exchange,
                              int64_t deadline_ns, conv_error *error)
{
    if (saving->params.journal == NULL) return CONV_OK;
    conv__journal_change change = {.what = CONV__JOURNAL_ADD, .entry.kind = CONV__JOURNAL_TURN};
    conv_error failure = CONV_ERROR_INIT;
    conv_status status = conv__saving_wait_for_room(saving, deadline_ns, &failure);
    for (bool gone = status == CONV_OK; gone;) {
        status = put_note(saving, &change, exchange, deadline_ns, &failure);
        if (status != CONV_OK || !change.unchanged) break;
        status = compare_with_note(saving, exchange, deadline_ns, &failure);
        gone = status == CONV_NOT_FOUND; /* drained, or swept, meanwhile */
    }
    if (status == CONV_OK && change.unchanged) {
        change.what = CONV__JOURNAL_PUT; /* said anew, which counts if it was deleted meanwhile */
        status = put_note(saving, &change, exchange, deadline_ns, &failure);
    }
    if (status != CONV_OK && error != NULL) *error = failure;
    return status;
}

/* Whether the store would take it by now is not known: the refusal was of an earlier try. */
static conv_status fail_dead(conv__save *save, const conv_error *cause)
{
    conv__fail(&save->error, CONV_UNAVAILABLE, ACTION,
               "the store can't save it now (%s), and has refused it before: the journal has a "
               "dead letter with its id; try again when the store is back, or retry that letter",
               cause != NULL ? cause->message : "it is away");
    save->error.recovery = CONV_RECOVERY_WAIT;
    save->error.outcome_unknown = cause != NULL && cause->outcome_unknown;
    return CONV_UNAVAILABLE;
}

/* The journal holds something under these ids already, which was acknowledged. The same content is
 * as good as kept; `again` when it has to be put once more. What `change` is to replace lives in
 * the arena. */
static conv_status compare_with_kept(conv__saving *saving, conv__save *save,
                                     const conv_error *cause, int64_t deadline_ns,
                                     conv__arena *arena, conv__journal_change *change, bool *again)
{
    conv__journal_entry entry = {0};
    conv__exchange kept = {0};
    conv_status status =
        find_kept(saving, save->exchange, deadline_ns, arena, &entry, &kept, &save->error);
    *again = status == CONV_NOT_FOUND; /* drained meanwhile */
    bool same = asks_the_same(&kept, save->exchange);
    if (entry.kind == CONV__JOURNAL_DEAD && status != CONV_NOT_FOUND) {
        status = fail_dead(save, cause);
    } else if (status == CONV_OK && entry.kind == CONV__JOURNAL_TURN) {
        if (!same) status = fail_noted(&save->error);
        change->what = CONV__JOURNAL_PUT;
        *again = same;
    } else if (status == CONV_OK && save->exchange->replaces_failed &&
               kept.status == CONV_OUTCOME_FAILED && same) {
        change->what = CONV__JOURNAL_REPLACE;
        change->replaced = entry.record;
        *again = true;
    } else if (status == CONV_OK) {
        conv__exchange_state state = {
            .found = true, .status = kept.status, .log_id = kept.usage.usage.log_id};
        memcpy(state.request_hash, kept.request_hash, sizeof state.request_hash);
        memcpy(state.reply_hash, kept.reply_hash, sizeof state.reply_hash);
        conv__save_compare(save, &state);
        status = save->status;
    }
    return save->status = *again ? CONV_OK : status;
}

/* The caller's deadline went by waiting for the store; the disk gets a second of its own. */
static int64_t disk_deadline(const conv__save *save)
{
    int64_t deadline = conv__deadline_in_ms(KEEP_MS);
    return save->deadline_ns > deadline ? save->deadline_ns : deadline;
}

static conv__journal_change new_change(const conv__save *save)
{
    return (conv__journal_change){
        .what = save->noted ? CONV__JOURNAL_PUT : CONV__JOURNAL_ADD,
        .entry = {.kind = CONV__JOURNAL_EXCHANGE, .compare_reply = save->compare_reply}};
}

static void mark_first(conv__save *save)
{
    save->repeated = false;
    save->fresh = true;
}

static conv_status mark_kept(conv__save *save, const conv_error *cause)
{
    save->journaled = true;
    save->cause = cause != NULL ? cause->status : CONV_UNAVAILABLE;
    if (cause != NULL) memcpy(save->cause_sqlstate, cause->sqlstate, sizeof save->cause_sqlstate);
    conv__error_clear(&save->error);
    return save->status = CONV_OK;
}

static conv_status mark_lost(conv__save *save, const conv_error *cause, const conv_error *error)
{
    conv__fail(&save->error, error->status, ACTION,
               "the store can't save it (%s), nor the journal: %s",
               cause != NULL ? cause->message : "it is away", error->message);
    save->error.recovery = error->recovery;
    /* After a failed sync the next process may find it in the journal. */
    save->error.outcome_unknown =
        error->outcome_unknown || (cause != NULL && cause->outcome_unknown);
    return save->status = error->status;
}

conv_status conv__saving_keep(conv__saving *saving, conv__save *save, const conv_error *cause)
{
    conv_error error = CONV_ERROR_INIT;
    conv__arena arena = {0};
    conv__journal_change change = new_change(save);
    conv_status status = conv__saving_wait_for_room(saving, save->deadline_ns, &error);
    int64_t deadline = disk_deadline(save);
    bool refused = false;
    for (bool again = true; status == CONV_OK && again;) {
        bool replaces = change.what == CONV__JOURNAL_REPLACE;
        again = false;
        status = put(saving, &change, save->exchange, deadline, &error);
        if (status == CONV_OK && !change.unchanged) {
            conv__saving_add_waiting(saving, replaces ? 0 : 1);
            mark_first(save);
        } else if (status == CONV_OK) {
            change.what = new_change(save).what;
            status = compare_with_kept(saving, save, cause, deadline, &arena, &change, &again);
            refused = status != CONV_OK;
        }
    }
    conv__arena_reset(&arena);
    if (refused) return status;
    return status == CONV_OK ? mark_kept(save, cause) : mark_lost(save, cause, &error);
}

/* All in one write of the journal; what it has already is left to conv__saving_keep. */
static conv_status put_many(conv__saving *saving, conv__save *const *saves, size_t count,
                            conv__journal_change *changes, conv__buffer *records, conv_error *error)
{
    int64_t more = 0;
    conv_status status = conv__saving_wait_for_room(saving, saves[0]->deadline_ns, error);
    int64_t deadline = disk_deadline(saves[0]);
    for (size_t i = 0; status == CONV_OK && i < count; i++) {
        changes[i] = new_change(saves[i]);
        status = describe(&changes[i], saves[i]->exchange, &records[i], error);
    }
    if (status == CONV_OK) status = conv__saving_apply(saving, changes, count, deadline, error);
    for (size_t i = 0; status == CONV_OK && i < count; i++)
        if (!changes[i].unchanged) more++;
    if (more > 0) conv__saving_add_waiting(saving, more);
    return status;
}

/* Something in the journal may refuse one of them, as a dead letter does, and so keep back those
 * behind it. */
static bool is_one_known(conv__saving *saving, conv__save *const *saves, size_t count)
{
    bool known = false;
    for (size_t i = 0; !known && i < count; i++) {
        conv__arena arena = {0};
        conv__journal_entry entry = {0};
        conv__exchange kept = {0};
        conv_status status = find_kept(saving, saves[i]->exchange, disk_deadline(saves[i]), &arena,
                                       &entry, &kept, NULL);
        known = status != CONV_NOT_FOUND;
        conv__arena_reset(&arena);
    }
    return known;
}

static void keep_in_order(conv__saving *saving, conv__save *const *saves,
                          const conv_error *const *causes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const conv__save *before = conv__save_find_before(saves, i, saves[i]);
        if (before == NULL) {
            saves[i]->status = conv__saving_keep(saving, saves[i], causes[i]);
            continue;
        }
        conv__save_fail_behind(saves[i], &before->error);
        if (causes[i] != NULL && causes[i]->outcome_unknown) saves[i]->error.outcome_unknown = true;
    }
}

void conv__saving_keep_many(conv__saving *saving, conv__save *const *saves,
                            const conv_error *const *causes, size_t count)
{
    conv_error error = CONV_ERROR_INIT;
    if (count == 0) return;
    if (count > 1 && saves[0]->in_order && is_one_known(saving, saves, count)) {
        keep_in_order(saving, saves, causes, count);
        return;
    }
    conv__journal_change *changes = conv__allocate(count * sizeof *changes);
    conv__buffer *records = conv__allocate(count * sizeof *records);
    conv_status status = changes == NULL || records == NULL
                             ? conv__fail_memory(&error, ACTION_JOURNAL)
                             : put_many(saving, saves, count, changes, records, &error);
    for (size_t i = 0; i < count; i++) {
        if (status != CONV_OK) {
            (void)mark_lost(saves[i], causes[i], &error);
        } else if (changes[i].unchanged) {
            saves[i]->status = conv__saving_keep(saving, saves[i], causes[i]);
        } else {
            mark_first(saves[i]);
            (void)mark_kept(saves[i], causes[i]);
        }
    }
    for (size_t i = 0; records != NULL && i < count; i++)
        conv__buffer_free(&records[i]);
    conv__release(records);
    conv__release(changes);
}

void conv__journal_make_dead(conv__journal_entry *entry, const conv_error *why)
{
    entry->kind = CONV__JOURNAL_DEAD;
    entry->reason = conv_text(why->message);
    memcpy(entry->sqlstate, why->sqlstate, sizeof entry->sqlstate);
}

/* Whether the letter that the journal has under these ids says the same. */
static bool is_dead_already(conv__saving *saving, const conv__exchange *exchange,
                            int64_t deadline_ns)
{
    conv__arena arena = {0};
    conv__journal_entry entry = {0};
    conv__exchange kept = {0};
    bool same = find_kept(saving, exchange, deadline_ns, &arena, &entry, &kept, NULL) == CONV_OK &&
                entry.kind == CONV__JOURNAL_DEAD && asks_the_same(&kept, exchange) &&
                memcmp(kept.reply_hash, exchange->reply_hash, sizeof kept.reply_hash) == 0;
    conv__arena_reset(&arena);
    return same;
}

static void tell(conv__save *save, const char *what_became, const char *why)
{
    conv_error refusal = save->error;
    conv__fail(&save->error, refusal.status, ACTION, "%s; %s%s", refusal.message, what_became, why);
    save->error.recovery = refusal.recovery;
    save->error.outcome_unknown = refusal.outcome_unknown;
    memcpy(save->error.sqlstate, refusal.sqlstate, sizeof save->error.sqlstate);
}

static conv_status put_letters(conv__saving *saving, conv__save *const *saves, size_t count,
                               conv__journal_change *changes, conv__buffer *records,
                               int64_t deadline_ns, conv_error *error)
{
    conv_status status = CONV_OK;
    for (size_t i = 0; status == CONV_OK && i < count; i++) {
        changes[i] = new_change(saves[i]);
        status = describe(&changes[i], saves[i]->exchange, &records[i], error);
        conv__journal_make_dead(&changes[i].entry, &saves[i]->error);
    }
    return status == CONV_OK ? conv__saving_apply(saving, changes, count, deadline_ns, error)
                             : status;
}

static void fail_letters(conv__save *const *saves, size_t count, const char *what_became,
                         const char *why)
{
    for (size_t i = 0; i < count; i++) {
        saves[i]->dead = false;
        tell(saves[i], what_became, why);
    }
}

void conv__saving_keep_dead(conv__saving *saving, conv__save *const *saves, size_t count)
{
    static const char full[] = "no dead letter of it is kept, because the journal is full";
    static const char failed[] = "there may be no dead letter of it: "; /* after a sync, say */
    static const char kept[] = "it is kept as a dead letter in the journal";
    static const char other[] = "the journal keeps what it had of this turn before, and not this";
    conv_error error = CONV_ERROR_INIT;
    if (count == 0) return;
    /* The caller hears of the refusal, so letters must not fill the disk. */
    if (!conv__saving_has_room(saving)) {
        fail_letters(saves, count, full, "");
        return;
    }
    int64_t deadline = conv__deadline_in_ms(KEEP_MS);
    conv__journal_change *changes = conv__allocate(count * sizeof *changes);
    conv__buffer *records = conv__allocate(count * sizeof *records);
    conv_status status =
        changes == NULL || records == NULL
            ? conv__fail_memory(&error, ACTION_JOURNAL)
            : put_letters(saving, saves, count, changes, records, deadline, &error);
    if (status != CONV_OK) fail_letters(saves, count, failed, error.message);
    for (size_t i = 0; status == CONV_OK && i < count; i++) {
        saves[i]->dead =
            !changes[i].unchanged || is_dead_already(saving, saves[i]->exchange, deadline);
        tell(saves[i], saves[i]->dead ? kept : other, "");
    }
    for (size_t i = 0; records != NULL && i < count; i++)
        conv__buffer_free(&records[i]);
    conv__release(records);
    conv__release(changes);
}

conv_status conv__saving_find(conv__saving *saving, conv_uuid session_id, conv_uuid exchange_id,
                              int64_t deadline_ns, conv__arena *arena, conv__exchange *exchange,
                              bool *found, conv_error *error)
{
    conv__journal *journal = saving->params.journal;
    conv__journal_entry entry = {0};
    conv_error details = CONV_ERROR_INIT;
    *found = false;
    if (journal == NULL || conv__saving_waiting(saving) == 0) return CONV_OK;
    conv_status status = journal->functions->find(journal, session_id, exchange_id, false,
                                                  deadline_ns, arena, &entry, &details);
    if (status == CONV_NOT_FOUND) return CONV_OK;
    if (status == CONV_OK && entry.kind == CONV__JOURNAL_EXCHANGE) {
        status = conv__record_read_exchange(arena, entry.record, exchange, &details);
        *found = status == CONV_OK;
    }
    if (status != CONV_OK && error != NULL) *error = details;
    return status;
}
