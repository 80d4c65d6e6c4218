/* What was deleted in the store goes out of the journal, too: this client's own entries at once,
 * and those of other processes when they are drained. It deletes nothing in the store. */
#include "core/error.h"
#include "core/memory.h"
#include "core/thread.h"
#include "core/time.h"
#include "repositories/sessions.h"
#include "saving/record.h"
#include "saving/report.h"
#include "saving/saving_internal.h"

#define ACTION "forget in journal"

enum { PAGE = 64 };

bool conv__saving_hold_drain(conv__saving *saving, int64_t deadline_ns)
{
    pthread_mutex_lock(&saving->lock);
    saving->holders++;
    while (saving->draining && conv__condition_wait(&saving->undrained, &saving->lock, deadline_ns))
        ;
    bool held = !saving->draining;
    if (held) saving->draining = true;
    saving->holders--;
    pthread_cond_broadcast(&saving->undrained);
    pthread_mutex_unlock(&saving->lock);
    return held;
}

void conv__saving_begin_drain(conv__saving *saving)
{
    pthread_mutex_lock(&saving->lock);
    while (saving->draining || saving->holders > 0)
        pthread_cond_wait(&saving->undrained, &saving->lock);
    saving->draining = true;
    pthread_mutex_unlock(&saving->lock);
}

void conv__saving_release_drain(conv__saving *saving)
{
    conv__buffer told = saving->told;
    saving->told = (conv__buffer){0};
    pthread_mutex_lock(&saving->lock);
    saving->draining = false;
    pthread_cond_broadcast(&saving->undrained);
    pthread_mutex_unlock(&saving->lock);
    conv__report_later(saving->params.bus, &told);
}

/* Whether an entry is of the session, or holds what the user said. A record that can't be read is
 * of nobody that is known. */
static conv_status concerns(const conv__journal_entry *entry, conv_uuid session_id,
                            conv_uuid user_id, bool *yes, conv_error *error)
{
    conv__arena arena = {0};
    conv__exchange exchange = {0};
    *yes = !conv_uuid_is_nil(session_id) && !conv__record_is_usage(entry->record) &&
           conv_uuid_compare(entry->session_id, session_id) == 0;
    if (*yes || conv_uuid_is_nil(user_id) || conv__record_is_usage(entry->record)) return CONV_OK;
    conv_status status = conv__record_read_exchange(&arena, entry->record, &exchange, error);
    *yes = status == CONV_OK && conv_uuid_compare(exchange.session.user.id, user_id) == 0;
    conv__arena_reset(&arena);
    return status == CONV_NO_MEMORY ? status : CONV_OK;
}

conv_status conv__saving_leave_usage(conv__saving *saving, const conv__journal_entry *entry,
                                     const conv__exchange *exchange, int64_t deadline_ns,
                                     bool *changed, conv_error *error)
{
    conv__buffer record = {0};
    conv__record_append_usage(&record, &exchange->usage);
    conv__journal_change changes[] = {
        {.what = CONV__JOURNAL_REMOVE, .entry = *entry},
        {.what = CONV__JOURNAL_PUT,
         .entry = {.kind = CONV__JOURNAL_USAGE,
                   .session_id = exchange->usage.session_id,
                   .item_id = exchange->usage.usage.log_id,
                   .is_usage = true,
                   .record = conv__buffer_bytes(&record),
                   .created_us = entry->created_us}},
    };
    conv_status status = record.failed ? conv__fail_memory(error, ACTION)
                                       : conv__saving_apply(saving, changes, 2, deadline_ns, error);
    conv__buffer_free(&record);
    *changed = status == CONV_OK && !changes[0].unchanged;
    if (status != CONV_OK) return status;
    pthread_mutex_lock(&saving->lock);
    saving->waiting += (changes[1].unchanged ? 0 : 1) - (changes[0].unchanged ? 0 : 1);
    saving->left = 0;
    pthread_cond_signal(&saving->wake);
    pthread_mutex_unlock(&saving->lock);
    return CONV_OK;
}

/* An exchange that waited leaves its usage record, which waits on; what did not wait has none that
 * the store would ever have seen. */
static conv_status take_out(conv__saving *saving, const conv__journal_entry *entry,
                            int64_t deadline_ns, int64_t *removed, conv_error *error)
{
    conv__arena arena = {0};
    conv__exchange exchange = {0};
    conv__journal_change change = {.what = CONV__JOURNAL_REMOVE, .entry = *entry};
    bool waits = entry->kind == CONV__JOURNAL_EXCHANGE;
    bool changed = false;
    conv_status status =
        waits ? conv__record_read_exchange(&arena, entry->record, &exchange, error) : CONV_OK;
    /* One that can't be read is left to the drain, which makes a dead letter of it. */
    if (waits && status != CONV_OK && status != CONV_NO_MEMORY) {
        conv__arena_reset(&arena);
        return CONV_OK;
    }
    if (status == CONV_OK && waits)
        status = conv__saving_leave_usage(saving, entry, &exchange, deadline_ns, &changed, error);
    else if (status == CONV_OK)
        status = conv__saving_apply(saving, &change, 1, deadline_ns, error);
    if (!waits) changed = status == CONV_OK && !change.unchanged;
    if (changed) (*removed)++;
    if (changed && waits) conv__report_dropped(saving->params.bus, &exchange, &saving->told);
    conv__arena_reset(&arena);
    return status;
}

conv_status conv__saving_forget(conv__saving *saving, conv_uuid session_id, conv_uuid user_id,
                                int64_t deadline_ns, int64_t *removed, conv_error *error)
{
    static const conv__journal_kind kinds[] = {CONV__JOURNAL_TURN, CONV__JOURNAL_EXCHANGE,
                                               CONV__JOURNAL_DEAD};
    conv__journal *journal = saving->params.journal;
    conv__arena arena = {0};
    conv_status status = CONV_OK;
    int64_t after = 0;
    *removed = 0;
    for (bool more = journal != NULL; more && status == CONV_OK;) {
        conv__journal_list list = {0};
        status = journal->functions->list(journal, kinds, sizeof kinds / sizeof kinds[0], after,
                                          PAGE, deadline_ns, &arena, &list, error);
        for (size_t i = 0; status == CONV_OK && i < list.count; i++) {
            bool yes = false;
            status = concerns(&list.entries[i], session_id, user_id, &yes, error);
            if (status == CONV_OK && yes)
                status = take_out(saving, &list.entries[i], deadline_ns, removed, error);
            after = list.entries[i].entry_id;
        }
        more = list.has_more && list.count > 0;
        conv__arena_reset(&arena);
    }
    conv__arena_reset(&arena);
    return status;
}

conv_status conv__saving_find_deleted(conv__saving *saving, const conv__accepted *items,
                                      size_t count, int64_t deadline_ns, bool *deleted,
                                      conv_error *error)
{
    conv__store *store = saving->store;
    conv__transaction *transaction = NULL;
    conv_status status =
        store->functions->begin(store, CONV__TRANSACTION_READ, deadline_ns, &transaction, error);
    if (status != CONV_OK) return status;
    status = store->sessions->functions->find_deleted(store->sessions, transaction, items, count,
                                                      deleted, error);
    store->functions->rollback(transaction);
    return status;
}
