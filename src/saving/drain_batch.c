/* One batch from the journal to the store, and what becomes of each entry. When it is drained
 * stands in drain.c. */
#include "saving/drain_batch.h"

#include "core/error.h"
#include "core/memory.h"
#include "core/time.h"
#include "saving/record.h"
#include "saving/report.h"
#include "saving/retry.h"
#include "saving/saving_internal.h"
#include "saving/usage_batch.h"

static int64_t transaction_deadline(const conv__saving *saving, int64_t deadline_ns)
{
    int64_t own = conv__deadline_in_ms(saving->params.store_timeout_ms);
    return own < deadline_ns ? own : deadline_ns;
}

/* What failed before must not keep the others waiting for long while it is tried once more. */
static int64_t retrial_deadline(const conv__saving *saving, int failures, int64_t deadline_ns)
{
    enum { FIRST_MS = 1000, DOUBLED = 6 };
    int64_t own = transaction_deadline(saving, deadline_ns);
    if (failures == 0 || failures > DOUBLED) return own;
    int64_t shorter = conv__deadline_in_ms(FIRST_MS << failures);
    return shorter < own ? shorter : own;
}

/* What becomes of an entry: it goes, or is a dead letter with its reason. */
static conv__journal_change end_of(const conv__journal_entry *entry, const conv_error *why_dead)
{
    conv__journal_change change = {.what = CONV__JOURNAL_REMOVE, .entry = *entry};
    if (why_dead != NULL) {
        change.what = CONV__JOURNAL_PUT;
        conv__journal_make_dead(&change.entry, why_dead);
    }
    return change;
}

static bool settle(conv__saving *saving, conv__journal_change *changes, size_t count)
{
    int64_t settled = 0;
    int64_t deadline = conv__deadline_in_ms(saving->params.store_timeout_ms);
    conv_error error = CONV_ERROR_INIT;
    if (count == 0) return true;
    if (conv__saving_apply(saving, changes, count, deadline, &error) != CONV_OK) {
        conv__saving_failed(saving, &error);
        return false;
    }
    /* One that was replaced meanwhile still waits. */
    for (size_t i = 0; i < count; i++)
        settled += !changes[i].unchanged;
    pthread_mutex_lock(&saving->lock);
    saving->waiting -= settled;
    pthread_mutex_unlock(&saving->lock);
    return true;
}

static bool settle_unreadable(conv__saving *saving, const conv__journal_entry *entry,
                              const conv_error *why)
{
    conv__journal_change change = end_of(entry, why);
    return why->status != CONV_NO_MEMORY && settle(saving, &change, 1);
}

/* A batch read from the journal and on its way. `saves` and `entries` have the same order. */
typedef struct drain_batch {
    conv__arena arena;
    conv__journal_list list;
    conv__exchange exchanges[CONV__DRAIN_BATCH];
    conv__save saves[CONV__DRAIN_BATCH];
    conv__save *order[CONV__DRAIN_BATCH];
    conv__journal_change changes[CONV__DRAIN_BATCH];
    size_t count;
} drain_batch;

/* Callers must not have to wait for the age of what is held: a person may take long. */
static void publish_held(conv__saving *saving, const conv__buffer *held)
{
    if (saving->params.journal_age_ms == 0) return;
    pthread_mutex_lock(&saving->lock);
    conv__buffer_clear(&saving->holding);
    conv__buffer_append_bytes(&saving->holding, conv__buffer_bytes(held));
    pthread_mutex_unlock(&saving->lock);
}

/* The oldest of a kind that are not held. False when the journal failed. */
static bool read_next(conv__saving *saving, conv__journal_kind kind, conv__arena *arena,
                      conv__journal_list *list)
{
    conv__buffer held = {0};
    conv__journal *journal = saving->params.journal;
    int64_t deadline = conv__deadline_in_ms(saving->params.store_timeout_ms);
    conv__held_append(&saving->held, &held);
    publish_held(saving, &held);
    bool read = !held.failed &&
                journal->functions->next(journal, kind, conv__buffer_bytes(&held), saving->at_once,
                                         deadline, arena, list, NULL) == CONV_OK;
    conv__buffer_free(&held);
    return read;
}

/* Reads the oldest exchanges that may share a transaction. A record that can't be read becomes a
 * dead letter and does not hold up the others. False when the journal itself failed. */
static bool read_batch(conv__saving *saving, drain_batch *batch, int64_t deadline_ns)
{
    if (!read_next(saving, CONV__JOURNAL_EXCHANGE, &batch->arena, &batch->list)) return false;
    for (size_t i = 0; i < batch->list.count; i++) {
        conv__journal_entry *entry = &batch->list.entries[i];
        conv__exchange *exchange = &batch->exchanges[batch->count];
        conv_error error = CONV_ERROR_INIT;
        if (conv__record_read_exchange(&batch->arena, entry->record, exchange, &error) != CONV_OK) {
            if (!settle_unreadable(saving, entry, &error)) return false;
            continue;
        }
        int failures = conv__held_failures(&saving->held, entry->session_id);
        bool alone = exchange->replaces_failed || failures > 0;
        if (alone && batch->count > 0) break;
        batch->saves[batch->count] =
            (conv__save){.exchange = exchange,
                         .resumed = true,
                         .compare_reply = entry->compare_reply,
                         .deadline_ns = retrial_deadline(saving, failures, deadline_ns)};
        batch->order[batch->count] = &batch->saves[batch->count];
        batch->list.entries[batch->count++] = *entry;
        if (alone) break;
    }
    return true;
}

/* Of exchanges that go, those with which a session began that the store may not have, and whose
 * user may be an erased one. */
static size_t choose_unsaved(const conv__accepted *items, const bool *deleted, size_t count,
                             conv__accepted *unsaved)
{
    size_t chosen = 0;
    for (size_t i = 0; i < count; i++) {
        bool first = deleted[i] && !conv_uuid_is_nil(items[i].user_id);
        for (size_t k = 0; first && k < i; k++)
            first = deleted[k] || conv_uuid_compare(items[k].session_id, items[i].session_id) != 0;
        if (first) unsaved[chosen++] = items[i];
    }
    return chosen;
}

/* Which exchanges of a batch go, those among them that are of a session which goes with its user.
 */
static conv_status find_dropped(conv__saving *saving, const conv__accepted *items, size_t count,
                                int64_t deadline_ns, bool *deleted, conv_error *error)
{
    conv__accepted unsaved[CONV__DRAIN_BATCH];
    int64_t hidden = 0;
    conv_status status =
        conv__saving_find_deleted(saving, items, count, false, deadline_ns, deleted, error);
    if (status != CONV_OK) return status;
    size_t chosen = choose_unsaved(items, deleted, count, unsaved);
    if (chosen == 0) return CONV_OK;
    status = conv__saving_erase_unsaved(saving, unsaved, chosen, conv_uuid_v4(), deadline_ns,
                                        &hidden, error);
    if (status != CONV_OK) return status;
    return conv__saving_find_deleted(saving, items, count, false, deadline_ns, deleted, error);
}

/* What was deleted since it was accepted leaves the batch, and nothing but its usage record. False
 * when the store or the journal did not answer. */
static bool drop_deleted(conv__saving *saving, drain_batch *batch, int64_t deadline_ns)
{
    conv__accepted items[CONV__DRAIN_BATCH];
    bool deleted[CONV__DRAIN_BATCH];
    conv_error error = CONV_ERROR_INIT;
    int64_t deadline = transaction_deadline(saving, deadline_ns);
    size_t kept = 0;
    for (size_t i = 0; i < batch->count; i++)
        items[i] = (conv__accepted){.session_id = batch->exchanges[i].session.session_id,
                                    .user_id = batch->exchanges[i].session.user.id,
                                    .accepted_us = batch->list.entries[i].created_us};
    if (find_dropped(saving, items, batch->count, deadline, deleted, &error) != CONV_OK) {
        conv__saving_store_away(saving, &error);
        return false;
    }
    for (size_t i = 0; i < batch->count; i++) {
        if (deleted[i]) {
            bool changed = false;
            if (conv__saving_leave_usage(saving, &batch->list.entries[i], batch->saves[i].exchange,
                                         deadline, &changed, NULL) != CONV_OK)
                return false;
            if (changed)
                conv__report_dropped(saving->params.bus, batch->saves[i].exchange, &saving->told);
            continue;
        }
        batch->list.entries[kept] = batch->list.entries[i];
        batch->saves[kept] = batch->saves[i];
        batch->order[kept] = &batch->saves[kept];
        kept++;
    }
    batch->count = kept;
    return true;
}

/* A turn that was answered while the store was away may have a failed attempt there. It comes
 * alone, before those behind it: they keep their order. False when the store did not answer. */
static bool split_at_failed(conv__saving *saving, drain_batch *batch, int64_t deadline_ns)
{
    size_t place = 0;
    conv_error error = CONV_ERROR_INIT;
    if (conv__saving_find_failed(saving, batch->order, batch->count,
                                 transaction_deadline(saving, deadline_ns), &place,
                                 &error) != CONV_OK) {
        conv__saving_store_away(saving, &error);
        return false;
    }
    if (place == 0) {
        batch->exchanges[batch->saves[0].exchange - batch->exchanges].replaces_failed = true;
        batch->count = 1;
    } else {
        batch->count = place;
    }
    return true;
}

/* What becomes of an entry after the store's answer. */
typedef enum fate { ENDS, HELD, WAITS } fate;

/* `id` is what is held back: the session, or the usage record. `locked`: should it time out, the
 * store has answered just before, and nothing else was in the transaction. */
static fate decide(conv__saving *saving, conv_uuid id, bool locked, conv_status status,
                   const conv_error *error)
{
    bool waits = status != CONV_OK && conv__saving_may_wait(error);
    bool own = conv__failure_of_row(error) || (locked && status == CONV_TIMEOUT);
    if (waits && own && conv__held_add(&saving->held, id)) {
        conv__saving_failed(saving, error);
        return HELD;
    }
    if (waits || status == CONV_NO_MEMORY) {
        conv__saving_store_away(saving, error);
        return WAITS;
    }
    if (saving->held.count > 0) conv__held_release(&saving->held, id);
    return ENDS;
}

/* Settles what the store has answered for; true when it answered for all. */
static bool settle_batch(conv__saving *saving, drain_batch *batch)
{
    size_t ended = 0;
    bool answered = true;
    for (size_t i = 0; answered && i < batch->count; i++) {
        const conv__save *save = &batch->saves[i];
        conv__journal_entry *entry = &batch->list.entries[i];
        fate what =
            decide(saving, entry->session_id, batch->count == 1, save->status, &save->error);
        answered = what != WAITS;
        if (what != ENDS) continue;
        batch->changes[ended] = end_of(entry, save->status == CONV_OK ? NULL : &save->error);
        batch->order[ended++] = &batch->saves[i];
    }
    if (answered) conv__saving_store_back(saving); /* before the journal is seen empty */
    if (!settle(saving, batch->changes, ended)) return false;
    for (size_t i = 0; i < ended; i++)
        conv__report_drained(saving->params.bus, batch->order[i], &saving->told);
    return answered;
}

/* Usage records read from the journal and on their way. */
typedef struct usage_drain {
    conv__arena arena;
    conv__journal_list list;
    conv__usage_row rows[CONV__DRAIN_BATCH];
    conv__usage_save saves[CONV__DRAIN_BATCH];
    conv__journal_change changes[CONV__DRAIN_BATCH];
    size_t count;
} usage_drain;

static bool read_usage(conv__saving *saving, usage_drain *batch)
{
    if (!read_next(saving, CONV__JOURNAL_USAGE, &batch->arena, &batch->list)) return false;
    for (size_t i = 0; i < batch->list.count; i++) {
        conv__journal_entry *entry = &batch->list.entries[i];
        conv__usage_row *row = &batch->rows[batch->count];
        conv_error error = CONV_ERROR_INIT;
        if (conv__record_read_usage(entry->record, row, &error) != CONV_OK) {
            if (!settle_unreadable(saving, entry, &error)) return false;
            continue;
        }
        batch->list.entries[batch->count] = *entry;
        batch->saves[batch->count++] = (conv__usage_save){.row = row};
    }
    return true;
}

/* The same for usage records, which stay: the ledger keeps its sums, but not whose they were if
 * their user was erased. */
static bool hide_erased(conv__saving *saving, usage_drain *batch, int64_t deadline_ns)
{
    int64_t accepted_us[CONV__DRAIN_BATCH];
    conv_error error = CONV_ERROR_INIT;
    for (size_t i = 0; i < batch->count; i++)
        accepted_us[i] = batch->list.entries[i].created_us;
    if (conv__saving_hide_erased(saving, batch->rows, accepted_us, batch->count,
                                 transaction_deadline(saving, deadline_ns), &error) == CONV_OK)
        return true;
    conv__saving_store_away(saving, &error);
    return false;
}

/* They have no order among them, so what waits keeps nobody. */
static bool settle_usage(conv__saving *saving, usage_drain *batch)
{
    const conv__usage_save *over[CONV__DRAIN_BATCH];
    size_t ended = 0;
    bool answered = true;
    for (size_t i = 0; i < batch->count; i++) {
        const conv__usage_save *save = &batch->saves[i];
        conv__journal_entry *entry = &batch->list.entries[i];
        fate what = decide(saving, entry->item_id, false, save->status, &save->error);
        answered = answered && what != WAITS;
        if (what != ENDS) continue;
        batch->changes[ended] = end_of(entry, save->status == CONV_OK ? NULL : &save->error);
        over[ended++] = save;
    }
    if (answered) conv__saving_store_back(saving);
    if (!settle(saving, batch->changes, ended)) return false;
    for (size_t i = 0; i < ended; i++)
        conv__report_usage(saving->params.bus, over[i], true, &saving->told);
    return answered;
}

bool conv__drain_usage(conv__saving *saving, int64_t deadline_ns, bool *more)
{
    *more = false;
    usage_drain *batch = conv__allocate(sizeof *batch);
    if (batch == NULL) return false;
    bool settled = read_usage(saving, batch);
    if (settled && batch->count > 0) settled = hide_erased(saving, batch, deadline_ns);
    if (settled && batch->count > 0) {
        conv__usage_batch_save(saving->store, batch->saves, batch->count, true,
                               transaction_deadline(saving, deadline_ns));
        settled = settle_usage(saving, batch);
    }
    *more = settled && batch->list.count > 0;
    conv__arena_reset(&batch->arena);
    conv__release(batch);
    return settled;
}

bool conv__drain_exchanges(conv__saving *saving, int64_t deadline_ns, bool *more)
{
    *more = false;
    drain_batch *batch = conv__allocate(sizeof *batch);
    if (batch == NULL) return false;
    bool settled = read_batch(saving, batch, deadline_ns);
    if (settled && batch->count > 0) settled = drop_deleted(saving, batch, deadline_ns);
    if (settled && batch->count > 0) settled = split_at_failed(saving, batch, deadline_ns);
    if (settled && batch->count > 0) {
        conv__batch_save(saving->store, batch->order, batch->count);
        settled = settle_batch(saving, batch);
    }
    *more = settled && batch->list.count > 0;
    conv__arena_reset(&batch->arena);
    conv__release(batch);
    return settled;
}
