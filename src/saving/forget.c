/* What was deleted in the store goes out of the journal, too: this client's own entries at once,
 * and those of other processes when they are drained. It deletes nothing in the store. */
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/thread.h"
#include "core/time.h"
#include "repositories/sessions.h"
#include "repositories/usage.h"
#include "saving/record.h"
#include "saving/report.h"
#include "saving/saving_internal.h"

#define ACTION "forget in journal"

enum { PAGE = 64 };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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

void conv__saving_release_drain(conv__saving *saving, int64_t deadline_ns)
{
    conv__buffer told = saving->told;
    saving->told = (conv__buffer){0};
    pthread_mutex_lock(&saving->lock);
    saving->draining = false;
    pthread_cond_broadcast(&saving->undrained);
    pthread_mutex_unlock(&saving->lock);
    conv__report_later(saving->params.bus, &told, CONV__REPORT_APART, deadline_ns, NULL);
}

/* One going through the journal for what was deleted. */
typedef struct forgetting {
    conv__saving *saving;
    const conv__forgetting *what;
    conv__forgotten *forgotten;
    conv__buffer others; /* sessions in which others spoke, before the user if they did */
    int64_t deadline_ns;
} forgetting;

/* Whether an exchange is of the session, or holds what the user said. A record that can't be read
 * is of nobody that is known. */
static conv_status concerns(const conv__journal_entry *entry, conv_uuid session_id,
                            conv_uuid user_id, bool *yes, conv_error *error)
{
    conv__arena arena = {0};
    conv__exchange exchange = {0};
    *yes = !conv_uuid_is_nil(session_id) && conv_uuid_compare(entry->session_id, session_id) == 0;
    if (*yes || conv_uuid_is_nil(user_id)) return CONV_OK;
    conv_status status = conv__record_read_exchange(&arena, entry->record, &exchange, error);
    *yes = status == CONV_OK && conv_uuid_compare(exchange.session.user.id, user_id) == 0;
    conv__arena_reset(&arena);
    return status == CONV_NO_MEMORY ? status : CONV_OK;
}

/* Puts an entry in the place of another one; of an exchange or a usage record that waits, what is
 * put waits on. `changed`: it was still there. */
static conv_status replace(conv__saving *saving, const conv__journal_entry *entry,
                           const conv__journal_entry *by, int64_t deadline_ns, bool *changed,
                           conv_error *error)
{
    conv__journal_change changes[] = {
        {.what = CONV__JOURNAL_REMOVE, .entry = *entry},
        {.what = CONV__JOURNAL_PUT, .entry = *by},
    };
    conv_status status = conv__saving_apply(saving, changes, 2, deadline_ns, error);
    *changed = status == CONV_OK && !changes[0].unchanged;
    if (status != CONV_OK || entry->kind == CONV__JOURNAL_DEAD) return status;
    pthread_mutex_lock(&saving->lock);
    saving->waiting += (changes[1].unchanged ? 0 : 1) - (changes[0].unchanged ? 0 : 1);
    saving->left = 0;
    pthread_cond_signal(&saving->wake);
    pthread_mutex_unlock(&saving->lock);
    return CONV_OK;
}

conv_status conv__saving_leave_usage(conv__saving *saving, const conv__journal_entry *entry,
                                     const conv__exchange *exchange, int64_t deadline_ns,
                                     bool *changed, conv_error *error)
{
    conv__buffer record = {0};
    *changed = false;
    conv__record_append_usage(&record, &exchange->usage);
    if (record.failed) {
        conv__buffer_free(&record);
        return conv__fail_memory(error, ACTION);
    }
    const conv__journal_entry left = {.kind = CONV__JOURNAL_USAGE,
                                      .session_id = exchange->usage.session_id,
                                      .item_id = exchange->usage.usage.log_id,
                                      .is_usage = true,
                                      .record = conv__buffer_bytes(&record),
                                      .created_us = entry->created_us};
    conv_status status = replace(saving, entry, &left, deadline_ns, changed, error);
    conv__buffer_free(&record);
    return status;
}

conv__accepted conv__accepted_usage(const conv__usage_row *row, int64_t accepted_us)
{
    conv__accepted item = {.user_id = row->user.id, .accepted_us = accepted_us};
    if (!conv_uuid_is_nil(row->user.id)) return item;
    item.session_id = row->session_id;
    item.document_id = row->document_id;
    return item;
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

/* A usage record, waiting or dead, stays where it is, but not whose it was. */
static conv_status hide(const forgetting *self, const conv__journal_entry *entry,
                        conv__usage_row *row, conv_error *error)
{
    conv__buffer record = {0};
    conv__journal_entry hidden = *entry;
    bool changed = false;
    conv__usage_row_hide(row, self->what->pseudonym);
    conv__record_append_usage(&record, row);
    hidden.record = conv__buffer_bytes(&record);
    conv_status status =
        record.failed ? conv__fail_memory(error, ACTION)
                      : replace(self->saving, entry, &hidden, self->deadline_ns, &changed, error);
    conv__buffer_free(&record);
    if (changed) self->forgotten->hidden++;
    return status;
}

/* The usage records of a page that are of the erased user, by the rule of the store: it has just
 * remembered which sessions and documents were theirs. */
static conv_status hide_usage(forgetting *self, const conv__journal_list *list, conv_error *error)
{
    const conv__forgetting *what = self->what;
    conv__usage_row rows[PAGE];
    const conv__journal_entry *entries[PAGE];
    conv__accepted items[PAGE];
    bool erased[PAGE];
    size_t count = 0;
    conv_status status = CONV_OK;
    for (size_t i = 0; i < list->count; i++) {
        const conv__journal_entry *entry = &list->entries[i];
        if (!conv__record_is_usage(entry->record) || entry->created_us > what->erased_us) continue;
        status = conv__record_read_usage(entry->record, &rows[count], NULL);
        if (status == CONV_NO_MEMORY) return conv__fail_memory(error, ACTION);
        if (status != CONV_OK) continue;
        /* Earlier erasures are no matter of this one. */
        items[count] = conv__accepted_usage(&rows[count], what->erased_us);
        if (!conv_uuid_is_nil(items[count].user_id) &&
            conv_uuid_compare(items[count].user_id, what->user_id) != 0)
            continue;
        entries[count++] = entry;
    }
    if (count == 0) return CONV_OK;
    status = conv__saving_find_deleted(self->saving, items, count, true, self->deadline_ns, erased,
                                       error);
    for (size_t i = 0; status == CONV_OK && i < count; i++)
        if (erased[i]) status = hide(self, entries[i], &rows[i], error);
    return status;
}

static bool others_spoke(const forgetting *self, conv_uuid session_id)
{
    for (size_t at = 0; at < self->others.size; at += sizeof session_id.bytes)
        if (memcmp(self->others.data + at, session_id.bytes, sizeof session_id.bytes) == 0)
            return true;
    return false;
}

/* Which entries of a page go: of the session, or with what the user said. `items` receives those
 * with which the user began a session, as far as the journal knows. */
static conv_status choose(forgetting *self, const conv__journal_list *list, bool *goes,
                          conv__accepted *items, size_t *item_count, conv_error *error)
{
    const conv__forgetting *what = self->what;
    bool user = !conv_uuid_is_nil(what->user_id);
    conv_status status = CONV_OK;
    for (size_t i = 0; status == CONV_OK && i < list->count; i++) {
        const conv__journal_entry *entry = &list->entries[i];
        goes[i] = false;
        if (conv__record_is_usage(entry->record)) continue;
        status = concerns(entry, what->session_id, what->user_id, &goes[i], error);
        if (status != CONV_OK || !user) continue;
        if (!goes[i])
            conv__buffer_append_bytes(
                &self->others,
                conv_view((const char *)entry->session_id.bytes, sizeof entry->session_id.bytes));
        else if (!others_spoke(self, entry->session_id))
            items[(*item_count)++] = (conv__accepted){.session_id = entry->session_id,
                                                      .user_id = what->user_id,
                                                      .accepted_us = entry->created_us};
    }
    return status == CONV_OK && self->others.failed ? conv__fail_memory(error, ACTION) : status;
}

static conv_status take_out_page(forgetting *self, const conv__journal_list *list,
                                 conv_error *error)
{
    bool goes[PAGE];
    conv__accepted items[PAGE];
    size_t item_count = 0;
    int64_t hidden = 0;
    conv_status status = choose(self, list, goes, items, &item_count, error);
    if (status == CONV_OK)
        status = conv__saving_erase_unsaved(self->saving, items, item_count, self->what->pseudonym,
                                            self->deadline_ns, &hidden, error);
    self->forgotten->hidden += hidden;
    for (size_t i = 0; status == CONV_OK && i < list->count; i++)
        if (goes[i])
            status = take_out(self->saving, &list->entries[i], self->deadline_ns,
                              &self->forgotten->removed, error);
    return status;
}

typedef conv_status (*page_function)(forgetting *self, const conv__journal_list *list,
                                     conv_error *error);

static conv_status each_page(forgetting *self, const conv__journal_kind *kinds, size_t kind_count,
                             page_function do_page, conv_error *error)
{
    conv__journal *journal = self->saving->params.journal;
    conv__arena arena = {0};
    conv_status status = CONV_OK;
    int64_t after = 0;
    for (bool more = journal != NULL; more && status == CONV_OK;) {
        conv__journal_list list = {0};
        status = journal->functions->list(journal, kinds, kind_count, after, PAGE,
                                          self->deadline_ns, &arena, &list, error);
        if (status == CONV_OK) status = do_page(self, &list, error);
        more = list.count > 0;
        if (more) after = list.entries[list.count - 1].entry_id;
        conv__arena_reset(&arena);
    }
    conv__arena_reset(&arena);
    return status;
}

conv_status conv__saving_forget(conv__saving *saving, const conv__forgetting *what,
                                int64_t deadline_ns, conv__forgotten *forgotten, conv_error *error)
{
    static const conv__journal_kind said[] = {CONV__JOURNAL_TURN, CONV__JOURNAL_EXCHANGE,
                                              CONV__JOURNAL_DEAD};
    static const conv__journal_kind used[] = {CONV__JOURNAL_USAGE, CONV__JOURNAL_DEAD};
    forgetting self = {saving, what, forgotten, {0}, deadline_ns};
    *forgotten = (conv__forgotten){0};
    conv_status status = each_page(&self, said, COUNT(said), take_out_page, error);
    conv__buffer_free(&self.others);
    /* What was said has left its usage by now, and its sessions are known as the user's. */
    if (status != CONV_OK || conv_uuid_is_nil(what->user_id)) return status;
    return each_page(&self, used, COUNT(used), hide_usage, error);
}

conv_status conv__saving_find_deleted(conv__saving *saving, const conv__accepted *items,
                                      size_t count, bool erased, int64_t deadline_ns, bool *deleted,
                                      conv_error *error)
{
    conv__store *store = saving->store;
    conv__transaction *transaction = NULL;
    conv_status status =
        store->functions->begin(store, CONV__TRANSACTION_READ, deadline_ns, &transaction, error);
    if (status != CONV_OK) return status;
    status = store->sessions->functions->find_deleted(store->sessions, transaction, items, count,
                                                      erased, deleted, error);
    store->functions->rollback(transaction);
    return status;
}

conv_status conv__saving_erase_unsaved(conv__saving *saving, const conv__accepted *items,
                                       size_t count, conv_uuid pseudonym, int64_t deadline_ns,
                                       int64_t *hidden, conv_error *error)
{
    conv__store *store = saving->store;
    conv__transaction *transaction = NULL;
    *hidden = 0;
    if (count == 0) return CONV_OK;
    conv_status status =
        store->functions->begin(store, CONV__TRANSACTION_WRITE, deadline_ns, &transaction, error);
    if (status != CONV_OK) return status;
    status = store->sessions->functions->erase_unsaved(store->sessions, transaction, items, count,
                                                       pseudonym, hidden, error);
    if (status == CONV_OK) return store->functions->commit(transaction, error);
    store->functions->rollback(transaction);
    return status;
}

conv_status conv__saving_hide_erased(conv__saving *saving, conv__usage_row *rows,
                                     const int64_t *accepted_us, size_t count, int64_t deadline_ns,
                                     conv_error *error)
{
    conv__accepted *items = conv__allocate(count * sizeof *items);
    bool *erased = conv__allocate(count * sizeof *erased);
    conv_status status =
        items != NULL && erased != NULL ? CONV_OK : conv__fail_memory(error, ACTION);
    for (size_t i = 0; status == CONV_OK && i < count; i++)
        items[i] = conv__accepted_usage(&rows[i], accepted_us != NULL ? accepted_us[i]
                                                                      : rows[i].usage.created_us);
    if (status == CONV_OK)
        status = conv__saving_find_deleted(saving, items, count, true, deadline_ns, erased, error);
    for (size_t i = 0; status == CONV_OK && i < count; i++)
        if (erased[i]) conv__usage_row_hide(&rows[i], conv_uuid_v4());
    conv__release(items);
    conv__release(erased);
    return status;
}
