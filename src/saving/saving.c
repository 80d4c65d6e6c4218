/* Where an exchange goes: to the store, or into the journal. Draining it is drain.c's. */
#include "saving/saving.h"

#include <string.h>
#include <time.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/time.h"
#include "saving/saving_internal.h"

#define ACTION         "save exchange"
#define ACTION_JOURNAL "write journal"

enum { JOURNAL_BATCH = 512, JOURNAL_BATCH_BYTES = 8 << 20 };

static void lock(conv__saving *saving)
{
    pthread_mutex_lock(&saving->lock);
}

static void unlock(conv__saving *saving)
{
    pthread_mutex_unlock(&saving->lock);
}

bool conv__saving_may_wait(const conv_error *error)
{
    if (error->status == CONV_NO_MEMORY || error->status == CONV_CONFLICT) return false;
    return error->outcome_unknown ||
           (error->recovery != CONV_RECOVERY_REJECT && error->recovery != CONV_RECOVERY_NONE);
}

void conv__saving_store_away(conv__saving *saving)
{
    enum { BASE_MS = 100, LIMIT_MS = 10000 };
    lock(saving);
    if (saving->away && !conv__deadline_passed(saving->retry_at_ns)) {
        unlock(saving); /* many callers hear of one failure; it counts once */
        return;
    }
    int64_t pause_ms = BASE_MS;
    for (int i = 0; i < saving->failures && pause_ms < LIMIT_MS; i++)
        pause_ms *= 2;
    if (pause_ms > LIMIT_MS) pause_ms = LIMIT_MS;
    saving->failures++;
    saving->away = true;
    saving->retry_at_ns = conv__deadline_in_ms(pause_ms);
    pthread_cond_signal(&saving->wake);
    unlock(saving);
}

int64_t conv__saving_waiting(conv__saving *saving)
{
    lock(saving);
    int64_t waiting = saving->waiting;
    unlock(saving);
    return waiting;
}

/* Takes the notes of committed exchanges out of the list, at most `limit`. */
static size_t take_done(conv__saving *saving, conv__journal_key *keys, size_t limit)
{
    lock(saving);
    size_t count = saving->done_count < limit ? saving->done_count : limit;
    if (count > 0) {
        saving->done_count -= count;
        memcpy(keys, saving->done + saving->done_count, count * sizeof *keys);
    }
    unlock(saving);
    return count;
}

static bool add_done(conv__saving *saving, conv__journal_key key)
{
    lock(saving);
    if (saving->done_count == saving->done_capacity) {
        size_t capacity = saving->done_capacity == 0 ? 64 : 2 * saving->done_capacity;
        conv__journal_key *grown = conv__resize(saving->done, capacity * sizeof *grown);
        if (grown == NULL) {
            unlock(saving);
            return false;
        }
        saving->done = grown;
        saving->done_capacity = capacity;
    }
    saving->done[saving->done_count++] = key;
    pthread_cond_signal(&saving->wake);
    unlock(saving);
    return true;
}

static void fail_batch(conv__group_item **batch, size_t count, const conv_error *error)
{
    for (size_t i = 0; i < count; i++) {
        batch[i]->status = error->status;
        batch[i]->error = *error;
    }
}

/* The work of the journal's group: one transaction, along with notes that have become needless. */
static void apply_batch(void *context, conv__group_item **batch, size_t count)
{
    conv__saving *saving = context;
    conv__journal *journal = saving->params.journal;
    conv_error error = CONV_ERROR_INIT;
    conv__journal_key done[JOURNAL_BATCH];
    int64_t deadline = CONV__NO_DEADLINE;
    conv__journal_change *changes = conv__allocate((count + JOURNAL_BATCH) * sizeof *changes);
    if (changes == NULL) {
        conv__fail_memory(&error, ACTION_JOURNAL);
        fail_batch(batch, count, &error);
        return;
    }
    /* Removals first: a turn id that is used again is put after its old note has gone. */
    size_t total = take_done(saving, done, JOURNAL_BATCH);
    for (size_t i = 0; i < total; i++) {
        changes[i].what = CONV__JOURNAL_REMOVE;
        changes[i].entry.kind = CONV__JOURNAL_TURN;
        changes[i].entry.session_id = done[i].session_id;
        changes[i].entry.item_id = done[i].item_id;
    }
    for (size_t i = 0; i < count; i++) {
        conv__journal_change *change = batch[i]->subject;
        changes[total++] = *change;
        if (batch[i]->deadline_ns < deadline) deadline = batch[i]->deadline_ns;
        batch[i]->status = CONV_OK;
    }
    if (journal->functions->apply(journal, changes, total, deadline, &error) == CONV_OK) {
        lock(saving);
        pthread_cond_broadcast(&saving->room);
        unlock(saving);
        for (size_t i = 0; i < count; i++) {
            conv__journal_change *change = batch[i]->subject;
            change->unchanged = changes[total - count + i].unchanged;
        }
    } else {
        fail_batch(batch, count, &error);
        for (size_t i = 0; i < total - count; i++)
            (void)add_done(saving, done[i]); /* without memory the next start finds them */
    }
    conv__release(changes);
}

void conv__journal_make_dead(conv__journal_entry *entry, const conv_error *why)
{
    entry->kind = CONV__JOURNAL_DEAD;
    entry->reason = conv_text(why->message);
    memcpy(entry->sqlstate, why->sqlstate, sizeof entry->sqlstate);
}

static uint64_t key_of(const conv__journal_entry *entry)
{
    uint64_t key[2];
    memcpy(key, entry->item_id.bytes, sizeof key);
    return key[0] ^ (key[1] << 1);
}

conv_status conv__saving_apply(conv__saving *saving, conv__journal_change *change,
                               int64_t deadline_ns, conv_error *error)
{
    conv__group_item item = {.subject = change,
                             .key = key_of(&change->entry),
                             .bytes = change->entry.record.size,
                             .deadline_ns = deadline_ns};
    conv_status status = conv__group_do(saving->changes, &item);
    if (status != CONV_OK && error != NULL) *error = item.error;
    return status;
}

/* A session with an older exchange in the journal must wait behind it. */
static bool must_wait(conv__saving *saving, const conv__save *save)
{
    conv__journal *journal = saving->params.journal;
    if (conv__saving_is_away(saving)) return true;
    if (conv__saving_waiting(saving) == 0) return false;
    bool waits = true;
    conv_status status = journal->functions->waits(journal, save->exchange->session.session_id,
                                                   save->deadline_ns, &waits, NULL);
    return status != CONV_OK || waits;
}

conv_status conv__saving_save(conv__saving *saving, conv__save *save, bool noted)
{
    if (saving->params.journal == NULL) return conv__writer_save(saving->writer, save);
    if (must_wait(saving, save)) return conv__saving_keep(saving, save, NULL);
    conv_status status = conv__writer_save(saving->writer, save);
    if (status != CONV_OK && conv__saving_may_wait(&save->error)) {
        conv_error cause = save->error;
        conv__saving_store_away(saving);
        return conv__saving_keep(saving, save, &cause);
    }
    conv__journal_key key = {save->exchange->session.session_id, save->exchange->exchange_id};
    if (noted) (void)add_done(saving, key); /* else the note stays until the next start */
    return status;
}

void conv__saving_save_many(conv__saving *saving, conv__save *const *saves, size_t count)
{
    conv__save *batch[CONV__SAVE_MANY]; /* a copy, because saving reorders it */
    bool kept[CONV__SAVE_MANY] = {false};
    bool has_journal = saving->params.journal != NULL;
    size_t together = 0;
    for (size_t i = 0; i < count; i++) {
        kept[i] = has_journal && must_wait(saving, saves[i]);
        if (kept[i])
            saves[i]->status = conv__saving_keep(saving, saves[i], NULL);
        else
            batch[together++] = saves[i];
    }
    if (together > 0) conv__writer_save_many(saving->writer, batch, together);
    for (size_t i = 0; has_journal && i < count; i++) {
        if (kept[i] || saves[i]->status == CONV_OK || !conv__saving_may_wait(&saves[i]->error))
            continue;
        conv_error cause = saves[i]->error;
        conv__saving_store_away(saving);
        saves[i]->status = conv__saving_keep(saving, saves[i], &cause);
    }
}

bool conv__saving_is_away(conv__saving *saving)
{
    lock(saving);
    bool away = saving->away && !conv__deadline_passed(saving->retry_at_ns);
    unlock(saving);
    return away;
}

bool conv__saving_has_journal(const conv__saving *saving)
{
    return saving->params.journal != NULL;
}

conv__store *conv__saving_store(const conv__saving *saving)
{
    return saving->store;
}

conv_status conv__saving_count(conv__saving *saving, int64_t deadline_ns,
                               conv__journal_counts *counts, conv_error *error)
{
    conv__journal *journal = saving->params.journal;
    *counts = (conv__journal_counts){0};
    return journal == NULL ? CONV_OK
                           : journal->functions->count(journal, deadline_ns, counts, error);
}

static void destroy(conv__saving *saving)
{
    conv__writer_free(saving->writer);
    conv__group_free(saving->changes);
    if (saving->params.journal != NULL)
        saving->params.journal->functions->close(saving->params.journal);
    pthread_cond_destroy(&saving->wake);
    pthread_cond_destroy(&saving->room);
    pthread_mutex_destroy(&saving->lock);
    conv__release(saving->done);
    conv__release(saving);
}

static conv_status start(conv__saving *saving, conv_error *error)
{
    conv__journal *journal = saving->params.journal;
    conv__journal_counts counts = {0};
    saving->changes = conv__group_create(&(conv__group_params){.action = ACTION_JOURNAL,
                                                               .work = apply_batch,
                                                               .context = saving,
                                                               .leaders = 1,
                                                               .batch_items = JOURNAL_BATCH,
                                                               .batch_bytes = JOURNAL_BATCH_BYTES,
                                                               .queue_items = 65536});
    if (saving->changes == NULL) return conv__fail_memory(error, "open journal");
    conv_status status = journal->functions->count(
        journal, conv__deadline_in_ms(saving->params.store_timeout_ms), &counts, error);
    if (status != CONV_OK) return status;
    saving->waiting = counts.exchanges + counts.usage;
    saving->turns_until = counts.last_id;
    if (pthread_create(&saving->thread, NULL, conv__drain_run, saving) != 0)
        return conv__fail(error, CONV_NO_MEMORY, "open journal", "no thread can be started");
    saving->has_thread = true;
    return CONV_OK;
}

conv_status conv__saving_create(const conv__saving_params *params, conv__saving **saving,
                                conv_error *error)
{
    pthread_condattr_t attributes;
    conv__saving *made = conv__allocate(sizeof *made);
    *saving = NULL;
    if (made == NULL) {
        if (params->journal != NULL) params->journal->functions->close(params->journal);
        return conv__fail_memory(error, "open client");
    }
    made->params = *params;
    made->store = params->writer.store;
    pthread_mutex_init(&made->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&made->wake, &attributes);
    pthread_cond_init(&made->room, &attributes);
    pthread_condattr_destroy(&attributes);
    conv_status status = conv__writer_create(&params->writer, &made->writer, error);
    if (status == CONV_OK && params->journal != NULL) status = start(made, error);
    if (status == CONV_OK)
        *saving = made;
    else
        destroy(made);
    return status;
}

void conv__saving_close(conv__saving *saving, int64_t deadline_ns, conv__journal_counts *remaining)
{
    conv__journal_counts unused;
    if (remaining == NULL) remaining = &unused;
    *remaining = (conv__journal_counts){0};
    if (saving == NULL) return;
    if (saving->has_thread) {
        lock(saving);
        saving->stopping = true;
        pthread_cond_signal(&saving->wake);
        unlock(saving);
        pthread_join(saving->thread, NULL);
        conv__drain_all(saving, deadline_ns);
        conv_status status =
            conv__saving_count(saving, conv__deadline_in_ms(1000), remaining, NULL);
        if (status != CONV_OK) remaining->exchanges = saving->waiting;
    }
    destroy(saving);
}
