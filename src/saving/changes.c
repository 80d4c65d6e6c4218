/* Changing the journal: what several callers bring goes into one transaction, which is on the disk
 * before any of them goes on. What is put and removed is decided elsewhere. */
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/thread.h"
#include "core/time.h"
#include "saving/retry.h"
#include "saving/saving_internal.h"

#define ACTION "write journal"

enum { NOTES_AT_ONCE = 512 };

/* What one caller brings. */
typedef struct change_list {
    conv__journal_change *changes;
    size_t count;
} change_list;

static void fail_batch(conv__group_item **batch, size_t count, const conv_error *error)
{
    for (size_t i = 0; i < count; i++) {
        batch[i]->again = false;
        batch[i]->status = error->status;
        batch[i]->error = *error;
    }
}

/* The time that was up was that of the hastiest: the others are brought again with their own. */
static void fail_late(conv__group_item **batch, size_t count, const conv_error *error)
{
    for (size_t i = 0; i < count; i++) {
        batch[i]->again = !conv__deadline_passed(batch[i]->deadline_ns);
        if (!batch[i]->again) fail_batch(&batch[i], 1, error);
    }
}

static conv__journal_change removal_of(conv__journal_key key)
{
    return (conv__journal_change){.what = CONV__JOURNAL_REMOVE,
                                  .entry = {.kind = CONV__JOURNAL_TURN,
                                            .session_id = key.session_id,
                                            .item_id = key.item_id}};
}

static void keep_notes(conv__saving *saving, const change_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const conv__journal_entry *entry = &list->changes[i].entry;
        if (list->changes[i].what != CONV__JOURNAL_REMOVE && entry->kind == CONV__JOURNAL_TURN)
            conv__saving_note_again(saving, (conv__journal_key){entry->session_id, entry->item_id});
    }
}

void conv__journal_apply_batch(void *context, conv__group_item **batch, size_t count)
{
    conv__saving *saving = context;
    conv__journal *journal = saving->params.journal;
    conv_error error = CONV_ERROR_INIT;
    conv__journal_key notes[NOTES_AT_ONCE];
    int64_t deadline = CONV__NO_DEADLINE;
    size_t total = NOTES_AT_ONCE;
    for (size_t i = 0; i < count; i++)
        total += ((const change_list *)batch[i]->subject)->count;
    conv__journal_change *changes = conv__allocate(total * sizeof *changes);
    if (changes == NULL) {
        conv__fail_memory(&error, ACTION);
        fail_batch(batch, count, &error);
        return;
    }
    /* Removals first: a turn id that is used again is put after its old note has gone. Those that
     * are left for a later batch must not find the new note. */
    size_t note_count = conv__saving_take_notes(saving, notes, NOTES_AT_ONCE);
    for (total = 0; total < note_count; total++)
        changes[total] = removal_of(notes[total]);
    for (size_t i = 0; i < count; i++) {
        const change_list *list = batch[i]->subject;
        memcpy(changes + total, list->changes, list->count * sizeof *changes);
        keep_notes(saving, list);
        total += list->count;
        if (batch[i]->deadline_ns < deadline) deadline = batch[i]->deadline_ns;
        batch[i]->again = false;
        batch[i]->status = CONV_OK;
    }
    if (journal->functions->apply(journal, changes, total, deadline, &error) == CONV_OK) {
        pthread_mutex_lock(&saving->lock);
        pthread_cond_broadcast(&saving->room);
        pthread_mutex_unlock(&saving->lock);
        total = note_count;
        for (size_t i = 0; i < count; i++) {
            const change_list *list = batch[i]->subject;
            for (size_t k = 0; k < list->count; k++)
                list->changes[k].unchanged = changes[total++].unchanged;
        }
    } else {
        if (conv__failure_of_time(&error) && conv__deadline_passed(deadline))
            fail_late(batch, count, &error);
        else
            fail_batch(batch, count, &error);
        for (size_t i = 0; i < note_count; i++)
            (void)conv__saving_forget_note(saving, notes[i]); /* or at the next start */
    }
    conv__release(changes);
}

conv_status conv__saving_apply(conv__saving *saving, conv__journal_change *changes, size_t count,
                               int64_t deadline_ns, conv_error *error)
{
    change_list list = {changes, count};
    conv__group_item item = {.subject = &list, .key = (uintptr_t)&list, .deadline_ns = deadline_ns};
    for (size_t i = 0; i < count; i++)
        item.bytes += changes[i].entry.record.size;
    conv_status status = conv__group_do(saving->changes, &item);
    if (status != CONV_OK && error != NULL) *error = item.error;
    return status;
}

/* How long the oldest that waits for the store, not for a person, has waited. Without an answer
 * nobody is kept out. */
static int64_t age_ms(conv__saving *saving, int64_t deadline_ns)
{
    conv__journal *journal = saving->params.journal;
    conv__buffer held = {0};
    int64_t oldest_us = 0;
    if (saving->params.journal_age_ms == 0 || conv__saving_waiting(saving) == 0) return 0;
    pthread_mutex_lock(&saving->lock);
    conv__buffer_append_bytes(&held, conv__buffer_bytes(&saving->holding));
    pthread_mutex_unlock(&saving->lock);
    if (held.size == 0) conv__buffer_append_text(&held, "[]");
    bool known =
        !held.failed && journal->functions->oldest(journal, conv__buffer_bytes(&held), deadline_ns,
                                                   &oldest_us, NULL) == CONV_OK;
    conv__buffer_free(&held);
    return known && oldest_us != 0 ? (conv__now_us() - oldest_us) / 1000 : 0;
}

bool conv__saving_has_room(const conv__saving *saving)
{
    const conv__saving_params *params = &saving->params;
    return params->journal_bytes == 0 ||
           params->journal->functions->bytes(params->journal) < params->journal_bytes;
}

static bool is_young(conv__saving *saving, int64_t deadline_ns)
{
    int64_t limit_ms = saving->params.journal_age_ms;
    return limit_ms == 0 || age_ms(saving, deadline_ns) < limit_ms;
}

/* Which limit, and what fills the journal: dead letters leave it by a person's hand alone. The time
 * is up by now, and counting all of a large journal would keep the drain from it. */
static conv_status fail_full(conv__saving *saving, conv_error *error)
{
    enum { COUNT_MS = 200 };
    conv__journal_counts counts;
    char limit[64];
    if (conv__saving_has_room(saving))
        snprintf(limit, sizeof limit, "what waits in it is %lld ms old",
                 (long long)saving->params.journal_age_ms);
    else
        snprintf(limit, sizeof limit, "it holds %lld bytes",
                 (long long)saving->params.journal_bytes);
    if (conv__saving_count(saving, conv__deadline_in_ms(COUNT_MS), &counts, NULL) != CONV_OK)
        return conv__fail(error, CONV_LIMIT, ACTION,
                          "the journal has reached its limit: %s (%lld entries wait): bring the "
                          "store back, or raise the limit",
                          limit, (long long)conv__saving_waiting(saving));
    return conv__fail(error, CONV_LIMIT, ACTION,
                      "the journal has reached its limit: %s (%lld exchanges and %lld usage "
                      "records that wait, %lld dead letters): bring the store back%s",
                      limit, (long long)counts.exchanges, (long long)counts.usage,
                      (long long)counts.dead,
                      counts.dead > 0 ? ", retry or drop the dead letters, or raise the limit"
                                      : ", or raise the limit");
}

conv_status conv__saving_wait_for_room(conv__saving *saving, int64_t deadline_ns, conv_error *error)
{
    enum {
        CHECK_MS = 100
    }; /* a change between the look and the wait must not be missed for long */
    while (!conv__saving_has_room(saving) || !is_young(saving, deadline_ns)) {
        /* The store makes the room: nobody waits for it beyond the latest moment either. */
        int64_t end_ns = conv__deadline_within(deadline_ns, &saving->store->latest);
        int64_t until_ns = conv__deadline_in_ms(CHECK_MS);
        if (end_ns < until_ns) until_ns = end_ns;
        if (conv__deadline_passed(end_ns)) return fail_full(saving, error);
        pthread_mutex_lock(&saving->lock);
        (void)conv__condition_wait(&saving->room, &saving->lock, until_ns);
        pthread_mutex_unlock(&saving->lock);
    }
    return CONV_OK;
}
