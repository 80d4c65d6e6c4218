/* Into the journal: usage records that the store can't take yet, and bytes of damaged ones. The
 * same record is kept once, another one under its log id beside it. */
#include "core/error.h"
#include "core/memory.h"
#include "core/time.h"
#include "saving/record.h"
#include "saving/saving_internal.h"

#define USAGE_CONFLICT "another usage record with the same log id was kept before"

static conv__journal_change usage_change(const conv__usage_kept *one)
{
    conv__journal_change change = {.what = CONV__JOURNAL_PUT,
                                   .entry = {.kind = CONV__JOURNAL_USAGE,
                                             .session_id = one->row->session_id,
                                             .item_id = one->row->usage.log_id,
                                             .is_usage = true,
                                             .record = one->record,
                                             .created_us = conv__now_us()}};
    if (!conv__saving_may_wait(one->cause)) conv__journal_make_dead(&change.entry, one->cause);
    return change;
}

/* What the library itself sets at each call, the time, is no difference. */
static bool is_same_usage(conv_bytes kept, conv_bytes record)
{
    conv__usage_row row;
    conv__usage_row other;
    conv__buffer bytes = {0};
    if (conv_bytes_equal(kept, record)) return true;
    if (conv__record_read_usage(kept, &row, NULL) != CONV_OK ||
        conv__record_read_usage(record, &other, NULL) != CONV_OK)
        return false;
    row.usage.created_us = other.usage.created_us;
    conv__record_append_usage(&bytes, &row);
    bool same = !bytes.failed && conv_bytes_equal(conv__buffer_bytes(&bytes), record);
    conv__buffer_free(&bytes);
    return same;
}

conv_status conv__journal_settle_usage(conv__journal *journal, conv__journal_change *change,
                                       int64_t deadline_ns, bool *again, conv_error *error)
{
    conv__arena arena = {0};
    conv__journal_entry kept = {0};
    conv_error details = CONV_ERROR_INIT;
    conv__journal_entry *entry = &change->entry;
    conv_uuid own_id = conv_uuid_v5(conv_uuid_namespace_dns(), entry->record);
    *again = false;
    if (conv_uuid_compare(entry->item_id, own_id) == 0) return CONV_OK; /* that letter is there */
    conv_status status = journal->functions->find(journal, entry->session_id, entry->item_id, true,
                                                  deadline_ns, &arena, &kept, &details);
    if (status == CONV_NOT_FOUND) { /* drained meanwhile */
        *again = true;
        status = CONV_OK;
    } else if (status == CONV_OK && !is_same_usage(kept.record, entry->record)) {
        *again = true;
        entry->item_id = own_id;
        if (entry->kind != CONV__JOURNAL_DEAD) {
            entry->kind = CONV__JOURNAL_DEAD;
            entry->reason = conv_text(USAGE_CONFLICT);
        }
    }
    conv__arena_reset(&arena);
    if (status != CONV_OK && error != NULL) *error = details;
    return status;
}

static conv_status settle_usage(conv__saving *saving, conv__journal_change *change,
                                int64_t deadline_ns, conv_error *error)
{
    conv_status status = CONV_OK;
    for (bool again = true; status == CONV_OK && again && change->unchanged;) {
        status =
            conv__journal_settle_usage(saving->params.journal, change, deadline_ns, &again, error);
        if (status == CONV_OK && again)
            status = conv__saving_apply(saving, change, 1, deadline_ns, error);
    }
    return status;
}

conv_status conv__saving_keep_usage(conv__saving *saving, const conv__usage_kept *kept,
                                    size_t count, int64_t deadline_ns, conv_error *error)
{
    if (saving->params.journal == NULL) {
        if (error != NULL) *error = *kept[0].cause; /* why it is nowhere yet */
        return kept[0].cause->status;
    }
    conv__journal_change *changes = conv__allocate(count * sizeof *changes);
    if (changes == NULL) return conv__fail_memory(error, "save usage");
    for (size_t i = 0; i < count; i++)
        changes[i] = usage_change(&kept[i]);
    conv_status status = conv__saving_wait_for_room(saving, deadline_ns, error);
    if (status == CONV_OK) status = conv__saving_apply(saving, changes, count, deadline_ns, error);
    int64_t more = 0;
    bool applied = status == CONV_OK;
    for (size_t i = 0; applied && i < count; i++) {
        if (status == CONV_OK) status = settle_usage(saving, &changes[i], deadline_ns, error);
        if (changes[i].entry.kind == CONV__JOURNAL_USAGE && !changes[i].unchanged) more++;
    }
    conv__saving_add_waiting(saving, more);
    conv__release(changes);
    return status;
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
    return conv__saving_apply(saving, &change, 1, deadline_ns, error);
}
