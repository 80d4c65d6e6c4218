/* Where an exchange goes: to the store, or into the journal; and the life of the room. How the
 * journal is written stands in keep.c and changes.c, how it is drained in drain.c and notes.c. */
#include "saving/saving.h"

#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/thread.h"
#include "core/time.h"
#include "saving/report.h"
#include "saving/retry.h"
#include "saving/saving_internal.h"

#define ACTION_SAVE    "save exchange"
#define ACTION_JOURNAL "write journal"

enum { JOURNAL_BATCH = 512, JOURNAL_BATCH_BYTES = 8 << 20, JOURNAL_QUEUE = 65536 };

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

int64_t conv__saving_waiting(conv__saving *saving)
{
    lock(saving);
    int64_t waiting = saving->waiting;
    unlock(saving);
    return waiting;
}

void conv__saving_add_waiting(conv__saving *saving, int64_t more)
{
    lock(saving);
    saving->waiting += more;
    pthread_cond_signal(&saving->wake);
    unlock(saving);
}

/* A session with an older exchange in the journal must wait behind it. */
static bool must_wait(conv__saving *saving, const conv__save *save)
{
    conv__journal *journal = saving->params.journal;
    bool waits = conv__saving_is_away(saving, ACTION_SAVE, NULL);
    if (!waits && conv__saving_waiting(saving) > 0 &&
        journal->functions->waits(journal, save->exchange->session.session_id, save->deadline_ns,
                                  &waits, NULL) != CONV_OK)
        waits = true;
    return waits || !conv__saving_may_try(saving, ACTION_SAVE, NULL);
}

/* Tells the breaker what the store answered, in the presence of a journal; whether the exchange is
 * to be kept for another try. */
static bool hear(conv__saving *saving, const conv__save *save)
{
    bool waits = save->status != CONV_OK && conv__saving_may_wait(&save->error);
    if (waits && !conv__failure_of_row(&save->error))
        conv__saving_store_away(saving, &save->error);
    else if (save->status == CONV_NO_MEMORY)
        conv__saving_not_tried(saving);
    else
        conv__saving_store_back(saving);
    if (waits) conv__saving_failed(saving, &save->error);
    return waits;
}

/* What need not wait: nothing of what was accepted may be gone. */
static void settle(conv__saving *saving, conv__save *const *saves, size_t count)
{
    conv__save *refused[CONV__SAVE_MANY];
    size_t refusals = 0;
    for (size_t i = 0; i < count; i++) {
        conv__save *save = saves[i];
        conv__journal_key key = {save->exchange->session.session_id, save->exchange->exchange_id};
        if (save->status != CONV_OK && save->error.recovery == CONV_RECOVERY_REJECT)
            refused[refusals++] = save; /* else its note is all there is */
        else if (save->noted)
            (void)conv__saving_forget_note(saving, key); /* or at the next start */
    }
    conv__saving_keep_dead(saving, refused, refusals);
}

static conv_status save_or_keep(conv__saving *saving, conv__save *save)
{
    if (saving->params.journal == NULL) return conv__writer_save(saving->writer, save);
    if (must_wait(saving, save)) return conv__saving_keep(saving, save, NULL);
    save->status = conv__writer_save(saving->writer, save);
    if (hear(saving, save)) {
        conv_error cause = save->error;
        return conv__saving_keep(saving, save, &cause);
    }
    settle(saving, &save, 1);
    return save->status;
}

conv_status conv__saving_save(conv__saving *saving, conv__save *save, bool noted)
{
    int64_t begun = conv__monotonic_ns();
    save->noted = noted;
    conv_status status = save_or_keep(saving, save);
    int64_t store_us = (conv__monotonic_ns() - begun) / 1000;
    if (save->telling != CONV__TELL_LATER)
        conv__report_save(
            saving->params.bus, save, store_us,
            save->telling == CONV__TELL_AT_ONCE ? CONV__REPORT_HERE : CONV__REPORT_COUNT, NULL);
    return status;
}

static bool has_session(conv__save *const *saves, size_t count, const conv__save *save)
{
    for (size_t i = 0; i < count; i++)
        if (conv_uuid_compare(saves[i]->exchange->session.session_id,
                              save->exchange->session.session_id) == 0)
            return true;
    return false;
}

/* Parts those that go to the store from those that go into the journal. What stands behind another
 * of its session goes the same way: should the store fail, it would else stand before it. */
static size_t part(conv__saving *saving, conv__save *const *saves, size_t count, conv__save **batch,
                   conv__save **kept)
{
    size_t together = 0;
    size_t apart = 0;
    for (size_t i = 0; i < count; i++) {
        bool keeps = saving->params.journal != NULL &&
                     ((apart > 0 && has_session(kept, apart, saves[i])) ||
                      (must_wait(saving, saves[i]) && !has_session(batch, together, saves[i])));
        if (keeps)
            kept[apart++] = saves[i];
        else
            batch[together++] = saves[i];
    }
    return together;
}

/* Those that the store did not take for now, in the order in which they came; then the rest. */
static void settle_many(conv__saving *saving, conv__save *const *saves, size_t count)
{
    conv__save *waiting[CONV__SAVE_MANY];
    const conv_error *causes[CONV__SAVE_MANY];
    conv__save *over[CONV__SAVE_MANY];
    bool unknown[CONV__SAVE_MANY];
    size_t waits = 0;
    size_t ended = 0;
    for (size_t i = 0; i < count; i++) {
        if (!hear(saving, saves[i])) {
            over[ended++] = saves[i];
            continue;
        }
        unknown[waits] = saves[i]->error.outcome_unknown;
        waiting[waits++] = saves[i];
    }
    conv_error *copies = conv__allocate(waits * sizeof *copies);
    for (size_t i = 0; i < waits; i++) {
        if (copies != NULL) copies[i] = waiting[i]->error;
        causes[i] = copies != NULL ? &copies[i] : NULL;
    }
    conv__saving_keep_many(saving, waiting, causes, waits);
    /* What may be in the store is not refused, also where memory was out to remember why. */
    for (size_t i = 0; copies == NULL && i < waits; i++)
        if (waiting[i]->status != CONV_OK && unknown[i]) waiting[i]->error.outcome_unknown = true;
    conv__release(copies);
    settle(saving, over, ended);
}

void conv__saving_save_many(conv__saving *saving, conv__save *const *saves, size_t count, bool here)
{
    static const conv_error *const away[CONV__SAVE_MANY];
    conv__save *batch[CONV__SAVE_MANY];
    conv__save *sent[CONV__SAVE_MANY]; /* a copy, because saving reorders it */
    conv__save *kept[CONV__SAVE_MANY];
    int64_t begun = conv__monotonic_ns();
    size_t together = part(saving, saves, count, batch, kept);
    conv__saving_keep_many(saving, kept, away, count - together);
    memcpy(sent, batch, together * sizeof *sent);
    if (together > 0) conv__writer_save_many(saving->writer, sent, together);
    if (saving->params.journal != NULL) settle_many(saving, batch, together);
    int64_t store_us = (conv__monotonic_ns() - begun) / 1000;
    conv__buffer told = {0};
    const conv__report_way way = here ? CONV__REPORT_HERE : CONV__REPORT_APART;
    for (size_t i = 0; i < count; i++)
        conv__report_save(saving->params.bus, saves[i], store_us, way, &told);
    conv__report_later(saving->params.bus, &told, way, CONV__NO_DEADLINE, NULL);
}

bool conv__saving_has_journal(const conv__saving *saving)
{
    return saving->params.journal != NULL;
}

conv_status conv__saving_save_now(conv__saving *saving, conv__save *save)
{
    return conv__writer_save(saving->writer, save);
}

size_t conv__saving_writer_waiting(const conv__saving *saving)
{
    return conv__writer_waiting(saving->writer);
}

conv__bus *conv__saving_bus(const conv__saving *saving)
{
    return saving->params.bus;
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
    pthread_cond_destroy(&saving->undrained);
    pthread_cond_destroy(&saving->room);
    pthread_mutex_destroy(&saving->lock);
    conv__release(saving->done);
    conv__held_free(&saving->held);
    conv__buffer_free(&saving->holding);
    conv__release(saving);
}

static conv_status start(conv__saving *saving, conv_error *error)
{
    conv__journal *journal = saving->params.journal;
    conv__journal_counts counts = {0};
    saving->changes = conv__group_create(&(conv__group_params){.action = ACTION_JOURNAL,
                                                               .work = conv__journal_apply_batch,
                                                               .context = saving,
                                                               .leaders = 1,
                                                               .batch_items = JOURNAL_BATCH,
                                                               .batch_bytes = JOURNAL_BATCH_BYTES,
                                                               .queue_items = JOURNAL_QUEUE});
    if (saving->changes == NULL) return conv__fail_memory(error, "open journal");
    conv_status status = journal->functions->count(
        journal, conv__deadline_in_ms(saving->params.store_timeout_ms), &counts, error);
    if (status != CONV_OK) return status;
    saving->waiting = counts.exchanges + counts.usage;
    saving->turns_until = counts.last_id;
    saving->unproven = saving->params.prove != NULL;
    if (saving->params.journal_stays) return CONV_OK;
    if (!conv__thread_start(&saving->thread, conv__drain_run, saving))
        return conv__fail(error, CONV_NO_MEMORY, "open journal", "no thread can be started");
    saving->has_thread = true;
    return CONV_OK;
}

conv_status conv__saving_create(const conv__saving_params *params, conv__saving **saving,
                                conv_error *error)
{
    conv__saving *made = conv__allocate(sizeof *made);
    *saving = NULL;
    if (made == NULL) {
        if (params->journal != NULL) params->journal->functions->close(params->journal);
        return conv__fail_memory(error, "open client");
    }
    made->params = *params;
    made->store = params->writer.store;
    pthread_mutex_init(&made->lock, NULL);
    conv__condition_init(&made->wake);
    conv__condition_init(&made->undrained);
    conv__condition_init(&made->room);
    conv_status status = conv__writer_create(&params->writer, &made->writer, error);
    if (status == CONV_OK && params->journal != NULL) status = start(made, error);
    if (status == CONV_OK)
        *saving = made;
    else
        destroy(made);
    return status;
}

void conv__saving_close(conv__saving *saving, int64_t deadline_ns, conv__journal_counts *remaining,
                        conv_error *cause)
{
    conv__journal_counts unused;
    if (remaining == NULL) remaining = &unused;
    *remaining = (conv__journal_counts){0};
    conv__error_clear(cause);
    if (saving == NULL) return;
    if (saving->has_thread) {
        lock(saving);
        saving->stopping = true;
        pthread_cond_signal(&saving->wake);
        unlock(saving);
        pthread_join(saving->thread, NULL);
        conv__drain_until(saving, deadline_ns);
        conv_status status =
            conv__saving_count(saving, conv__deadline_in_ms(1000), remaining, NULL);
        if (status != CONV_OK) remaining->exchanges = saving->waiting;
        if (cause != NULL) conv__saving_cause(saving, cause);
    }
    destroy(saving);
}
