/* Into the journal: notes of turns, and what the store can't take yet. Nothing of what was accepted
 * before is replaced by it. */
#include <string.h>
#include <time.h>

#include "core/error.h"
#include "core/time.h"
#include "saving/record.h"
#include "saving/saving_internal.h"

#define ACTION         "save exchange"
#define ACTION_JOURNAL "write journal"

static void count_waiting_up(conv__saving *saving, int64_t more)
{
    pthread_mutex_lock(&saving->lock);
    saving->waiting += more;
    pthread_cond_signal(&saving->wake);
    pthread_mutex_unlock(&saving->lock);
}

/* Until there is room, or the deadline. What was accepted goes in whatever its size, so the limit
 * may be passed by one record of each caller. */
static conv_status wait_for_room(conv__saving *saving, int64_t deadline_ns, conv_error *error)
{
    conv__journal *journal = saving->params.journal;
    int64_t limit = saving->params.journal_bytes;
    struct timespec until = {deadline_ns / 1000000000, deadline_ns % 1000000000};
    bool room = limit == 0;
    pthread_mutex_lock(&saving->lock);
    while (!room) {
        room = journal->functions->bytes(journal) < limit;
        if (room || conv__deadline_passed(deadline_ns)) break;
        pthread_cond_timedwait(&saving->room, &saving->lock, &until);
    }
    pthread_mutex_unlock(&saving->lock);
    if (room) return CONV_OK;
    return conv__fail(error, CONV_LIMIT, ACTION_JOURNAL,
                      "the journal has reached its limit of %lld bytes: bring the store back, or "
                      "raise the limit",
                      (long long)limit);
}

/* What kind of change is set in `change` already. */
static conv_status put(conv__saving *saving, conv__journal_change *change,
                       const conv__exchange *exchange, int64_t deadline_ns, conv_error *error)
{
    conv__buffer record = {0};
    conv_status status = wait_for_room(saving, deadline_ns, error);
    if (status != CONV_OK) return status;
    conv__record_append_exchange(&record, exchange);
    change->entry.session_id = exchange->session.session_id;
    change->entry.item_id = exchange->exchange_id;
    change->entry.record = conv__buffer_bytes(&record);
    change->entry.created_us = exchange->created_us;
    status = record.failed ? conv__fail_memory(error, ACTION_JOURNAL)
                           : conv__saving_apply(saving, change, deadline_ns, error);
    conv__buffer_free(&record);
    return status;
}

conv_status conv__saving_note(conv__saving *saving, const conv__exchange *exchange,
                              int64_t deadline_ns, conv_error *error)
{
    if (saving->params.journal == NULL) return CONV_OK;
    conv__journal_change change = {.entry.kind = CONV__JOURNAL_TURN};
    return put(saving, &change, exchange, deadline_ns, error);
}

/* The journal holds something under these ids already, which was acknowledged. The same content is
 * as good as kept; `again` when it has to be put once more. */
static conv_status compare_with_kept(conv__saving *saving, conv__save *save, int64_t deadline_ns,
                                     conv__journal_change *change, bool *again)
{
    conv__journal *journal = saving->params.journal;
    conv__arena arena = {0};
    conv__journal_entry entry = {0};
    conv__exchange kept = {0};
    conv_status status = journal->functions->find(journal, save->exchange->session.session_id,
                                                  save->exchange->exchange_id, deadline_ns, &arena,
                                                  &entry, &save->error);
    *again = status == CONV_NOT_FOUND; /* drained meanwhile */
    if (status == CONV_OK && entry.kind == CONV__JOURNAL_DEAD)
        status = conv__fail(&save->error, CONV_BAD_DATA, ACTION,
                            "the store has refused this exchange before; it is a dead letter in "
                            "the journal");
    if (status == CONV_OK)
        status = conv__record_read_exchange(&arena, entry.record, &kept, &save->error);
    if (status == CONV_OK && save->exchange->replaces_failed &&
        kept.status == CONV_OUTCOME_FAILED &&
        memcmp(kept.request_hash, save->exchange->request_hash, sizeof kept.request_hash) == 0) {
        change->what = CONV__JOURNAL_REPLACE;
        *again = true;
    } else if (status == CONV_OK) {
        conv__exchange_state state = {
            .found = true, .status = kept.status, .log_id = kept.usage.usage.log_id};
        memcpy(state.request_hash, kept.request_hash, sizeof state.request_hash);
        memcpy(state.reply_hash, kept.reply_hash, sizeof state.reply_hash);
        conv__save_compare(save, &state);
        status = save->status;
    }
    conv__arena_reset(&arena);
    return save->status = *again ? CONV_OK : status;
}

conv_status conv__saving_keep(conv__saving *saving, conv__save *save, const conv_error *cause)
{
    conv_error error = CONV_ERROR_INIT;
    /* The caller's deadline went by waiting for the store; the disk gets a second of its own. */
    int64_t deadline = conv__deadline_in_ms(1000);
    if (save->deadline_ns > deadline) deadline = save->deadline_ns;
    conv__journal_change change = {
        .entry = {.kind = CONV__JOURNAL_EXCHANGE, .compare_reply = save->compare_reply}};
    conv_status status = CONV_OK;
    for (bool again = true; status == CONV_OK && again;) {
        bool replaces = change.what == CONV__JOURNAL_REPLACE;
        again = false;
        status = put(saving, &change, save->exchange, deadline, &error);
        if (status == CONV_OK && !change.unchanged) {
            count_waiting_up(saving, replaces ? 0 : 1);
            save->repeated = false;
        } else if (status == CONV_OK) {
            change.what = CONV__JOURNAL_PUT;
            status = compare_with_kept(saving, save, deadline, &change, &again);
            if (status != CONV_OK) return status;
        }
    }
    if (status == CONV_OK) {
        save->journaled = true;
        conv__error_clear(&save->error);
        return save->status = CONV_OK;
    }
    conv__fail(&save->error, status, ACTION, "the store can't save it (%s), nor the journal: %s",
               cause != NULL ? cause->message : "it is away", error.message);
    save->error.recovery = error.recovery;
    save->error.outcome_unknown = cause != NULL && cause->outcome_unknown;
    return save->status = status;
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
    conv_status status = journal->functions->find(journal, session_id, exchange_id, deadline_ns,
                                                  arena, &entry, &details);
    if (status == CONV_NOT_FOUND) return CONV_OK;
    if (status == CONV_OK && entry.kind == CONV__JOURNAL_EXCHANGE) {
        status = conv__record_read_exchange(arena, entry.record, exchange, &details);
        *found = status == CONV_OK;
    }
    if (status != CONV_OK && error != NULL) *error = details;
    return status;
}

conv_status conv__saving_keep_usage(conv__saving *saving, const conv__usage_row *row,
                                    conv_bytes record, const conv_error *why_dead,
                                    int64_t deadline_ns, conv_error *error)
{
    if (saving->params.journal == NULL)
        return conv__fail(error, CONV_UNAVAILABLE, "save usage",
                          "the store does not take it and there is no journal");
    conv__journal_change change = {.what = CONV__JOURNAL_PUT,
                                   .entry = {.kind = CONV__JOURNAL_USAGE,
                                             .session_id = row->session_id,
                                             .item_id = row->usage.log_id,
                                             .record = record,
                                             .created_us = row->usage.created_us}};
    if (why_dead != NULL) conv__journal_make_dead(&change.entry, why_dead);
    conv_status status = conv__saving_apply(saving, &change, deadline_ns, error);
    if (status != CONV_OK || why_dead != NULL) return status;
    conv__saving_store_away(saving);
    count_waiting_up(saving, change.unchanged ? 0 : 1);
    return CONV_OK;
}

void conv__journal_make_damaged(conv__journal_entry *entry, conv_bytes bytes, const conv_error *why)
{
    /* The same bytes get the same id, so that they are kept once however often they are met. */
    *entry = (conv__journal_entry){.item_id = conv_uuid_v5(conv_uuid_namespace_dns(), bytes),
                                   .record = bytes,
                                   .created_us = conv__now_us()};
    conv__journal_make_dead(entry, why);
}

conv_status conv__saving_keep_damaged(conv__saving *saving, conv_bytes bytes, const conv_error *why,
                                      int64_t deadline_ns, conv_error *error)
{
    conv__journal_change change = {.what = CONV__JOURNAL_PUT};
    conv__journal_make_damaged(&change.entry, bytes, why);
    if (saving->params.journal == NULL)
        return conv__fail(error, CONV_UNAVAILABLE, "save usage", "there is no journal");
    return conv__saving_apply(saving, &change, deadline_ns, error);
}
