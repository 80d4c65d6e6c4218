/* Buffered usage records on their way: some threads read batches of a half in turn and save them
 * side by side. It must not touch what callers fill meanwhile. */
#include "saving/tracker_half.h"

#include <pthread.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/thread.h"
#include "core/time.h"
#include "saving/record.h"
#include "saving/report.h"
#include "saving/retry.h"
#include "saving/usage_batch.h"

#define ACTION "track usage"

enum { BATCH = 1000, DISK_MS = 500, FLUSHERS_MOST = 4 };

/* Records on their way, in arrays of the same order. */
typedef struct flush_batch {
    conv__arena arena;
    conv__usage_row *rows;
    conv__usage_save *saves;
    conv__usage_kept *kept;
    conv_bytes *records; /* absent without a spool: there is no journal to keep them in either */
    size_t *places;      /* in the half */
    size_t count;
} flush_batch;

/* What the threads of one flush share. The lock is held for all but the waiting for the store. */
typedef struct flush {
    const conv__tracker_params *params;
    conv__tracker_half *half;
    int64_t deadline_ns;
    size_t capacity; /* of a batch */
    pthread_mutex_t lock;
    size_t position; /* in the frames */
    conv__usage_place place;
    size_t next; /* the place of the next record */
    bool begun;
    bool ended; /* all are read */
    conv__flushed *flushed;
    conv_status status;
    conv_error error;
} flush;

static bool make_batch(flush *self, flush_batch *batch)
{
    size_t count = self->capacity;
    batch->rows = conv__allocate(count * sizeof *batch->rows);
    batch->saves = conv__allocate(count * sizeof *batch->saves);
    batch->kept = conv__allocate(count * sizeof *batch->kept);
    batch->records = conv__allocate(count * sizeof *batch->records);
    batch->places = conv__allocate(count * sizeof *batch->places);
    return batch->rows != NULL && batch->saves != NULL && batch->kept != NULL &&
           batch->records != NULL && batch->places != NULL;
}

static void free_batch(flush_batch *batch)
{
    conv__arena_reset(&batch->arena);
    conv__release(batch->rows);
    conv__release(batch->saves);
    conv__release(batch->kept);
    conv__release(batch->records);
    conv__release(batch->places);
}

/* Takes the record that was read into the batch, unless an earlier flush has settled it. */
static bool take(flush *self, flush_batch *batch)
{
    conv__buffer *settled = &self->half->settled;
    size_t place = self->next++;
    if (place == settled->size) conv__buffer_append(settled, "", 1);
    if (settled->failed) {
        settled->failed = false;
        self->status = conv__fail_memory(&self->error, ACTION);
        return false;
    }
    if (settled->data[place] == 0) batch->places[batch->count++] = place;
    return true;
}

/* What the spool gave back and is no whole record is not dropped in silence: it becomes a dead
 * letter. What the tracker holds in memory alone is never damaged. */
static bool read_frame(flush *self, flush_batch *batch)
{
    bool damaged = false;
    conv_error why = CONV_ERROR_INIT;
    conv_bytes frames = conv__buffer_bytes(&self->half->frames);
    conv_bytes *record = &batch->records[batch->count];
    if (!conv__frame_next(frames, &self->position, record, &damaged)) return false;
    if (damaged)
        self->status =
            conv__fail(&why, CONV_BAD_DATA, ACTION, "a part of the usage spool is damaged");
    else
        self->status = conv__record_read_usage(*record, &batch->rows[batch->count], &why);
    if (self->status == CONV_OK) return take(self, batch);
    if (self->status == CONV_NO_MEMORY) {
        self->error = why;
        return false;
    }
    if (self->status == CONV_BAD_DATA && !damaged)
        self->position = (size_t)(record->data - frames.data);
    self->status = conv__saving_keep_damaged(self->params->saving, *record, &why, self->deadline_ns,
                                             &self->error);
    return self->status == CONV_OK;
}

static bool read_copy(flush *self, flush_batch *batch)
{
    const conv__usage_copy *copy = conv__usage_copies_next(&self->half->copies, &self->place);
    if (copy == NULL) return false;
    conv_usage usage = copy->usage;
    self->params->finish(copy->prices, &usage);
    self->status =
        conv__usage_to_row(&batch->arena, &usage, &batch->rows[batch->count], &self->error);
    return self->status == CONV_OK && take(self, batch);
}

/* The next records; none at the end or after a failure. The time is up only for what is left. */
static void fill(flush *self, flush_batch *batch)
{
    bool spooled = self->half->spool.descriptor >= 0;
    bool late = self->begun && conv__deadline_passed(self->deadline_ns);
    conv__arena_reset(&batch->arena);
    batch->count = 0;
    self->begun = true;
    while (self->status == CONV_OK && !self->ended && batch->count < self->capacity)
        self->ended = !(spooled ? read_frame(self, batch) : read_copy(self, batch));
    if (late && self->status == CONV_OK && batch->count > 0)
        self->status = conv__fail(&self->error, CONV_TIMEOUT, ACTION,
                                  "the deadline passed before all usage records were saved");
    if (self->status != CONV_OK) batch->count = 0;
    for (size_t i = 0; i < batch->count; i++)
        batch->saves[i] = (conv__usage_save){.row = &batch->rows[i]};
}

/* What was left from before may be of somebody who was erased meanwhile. */
static void save(const flush *self, flush_batch *batch)
{
    conv_error error = CONV_ERROR_INIT;
    conv__saving *saving = self->params->saving;
    if (!self->half->tried || conv__saving_hide_erased(saving, batch->rows, NULL, batch->count,
                                                       self->deadline_ns, &error) == CONV_OK)
        conv__usage_batch_save(conv__saving_store(saving), batch->saves, batch->count,
                               self->half->tried, self->deadline_ns);
    else
        conv__usage_batch_fail(batch->saves, batch->count, &error);
}

/* Tells the breaker of a store that did not answer, where there is a journal for what waits. */
static void tell_breaker(const flush *self, const flush_batch *batch)
{
    conv__saving *saving = self->params->saving;
    for (size_t i = 0; conv__saving_has_journal(saving) && i < batch->count; i++) {
        const conv__usage_save *one = &batch->saves[i];
        if (one->status == CONV_OK || !conv__saving_may_wait(&one->error) ||
            conv__failure_of_row(&one->error))
            continue;
        conv__saving_store_away(saving, &one->error);
        return;
    }
}

/* While the store is known to be away nobody waits for it: the journal takes them at once. The
 * breaker does not hear of that, or its own answer would count as another failure of the store. */
static void offer(const flush *self, flush_batch *batch)
{
    conv_error away = CONV_ERROR_INIT;
    if (conv__saving_is_away(self->params->saving, ACTION, &away)) {
        conv__usage_batch_fail(batch->saves, batch->count, &away);
        return;
    }
    save(self, batch);
    tell_breaker(self, batch);
}

/* With a journal: what the store did not take goes into it, as waiting or as dead letters. */
static conv_status keep(const flush *self, flush_batch *batch, conv_error *error)
{
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const conv__usage_save *save = &batch->saves[i];
        if (save->status == CONV_NO_MEMORY) { /* says nothing about the record, which stays */
            *error = save->error;
            return save->status;
        }
        if (save->status != CONV_OK)
            batch->kept[count++] = (conv__usage_kept){save->row, batch->records[i], &save->error};
    }
    if (count == 0) return CONV_OK;
    /* The time may have gone by waiting for the store; the disk gets some of its own, once for all
     * batches. */
    return conv__saving_keep_usage(self->params->saving, batch->kept, count,
                                   conv__deadline_later(self->deadline_ns, DISK_MS), error);
}

static void settle(flush *self, size_t place)
{
    self->half->settled.data[place] = 1;
    self->flushed->settled++;
}

/* Without a journal: what the store refuses for good is gone, and what a person must mend is left
 * where it is; neither holds up the others. */
static conv_status part_with(flush *self, const flush_batch *batch, conv_error *error)
{
    conv_status status = CONV_OK;
    conv__flushed *flushed = self->flushed;
    for (size_t i = 0; i < batch->count; i++) {
        const conv__usage_save *save = &batch->saves[i];
        if (save->status == CONV_OK) continue;
        if (save->status == CONV_NO_MEMORY || !conv__failure_of_row(&save->error)) {
            status = save->status;
            *error = save->error;
        } else if (conv__saving_may_wait(&save->error)) {
            flushed->held++;
            flushed->held_because = save->error;
        } else {
            flushed->refused++;
            flushed->refusal = save->error;
            settle(self, batch->places[i]);
            conv__report_usage(conv__saving_bus(self->params->saving), save, false, &flushed->told);
        }
    }
    return status;
}

/* Settles what is in the store now, to be told later, and with `kept` what has gone into the
 * journal. */
static void settle_saved(flush *self, flush_batch *batch, bool kept)
{
    conv__bus *bus = conv__saving_bus(self->params->saving);
    for (size_t i = 0; i < batch->count; i++) {
        conv__usage_save *save = &batch->saves[i];
        bool stored = save->status == CONV_OK;
        if (!stored && !kept) continue;
        settle(self, batch->places[i]);
        save->dead = !stored && !conv__saving_may_wait(&save->error);
        if (stored && save->fresh) self->flushed->stored++;
        if (save->dead || (stored && save->fresh))
            conv__report_usage(bus, save, false, &self->flushed->told);
    }
}

static conv_status settle_batch(flush *self, flush_batch *batch, conv_error *error)
{
    bool spooled = self->half->spool.descriptor >= 0;
    conv_status status = spooled ? keep(self, batch, error) : part_with(self, batch, error);
    settle_saved(self, batch, spooled && status == CONV_OK);
    return status;
}

static void *work(void *context)
{
    flush *self = context;
    flush_batch batch = {.count = 0};
    bool made = make_batch(self, &batch);
    pthread_mutex_lock(&self->lock);
    if (!made) self->status = conv__fail_memory(&self->error, ACTION);
    for (;;) {
        conv_error error = CONV_ERROR_INIT;
        fill(self, &batch);
        if (batch.count == 0) break;
        pthread_mutex_unlock(&self->lock);
        offer(self, &batch);
        pthread_mutex_lock(&self->lock);
        conv_status status = settle_batch(self, &batch, &error);
        if (status != CONV_OK && self->status == CONV_OK) {
            self->status = status;
            self->error = error;
        }
    }
    pthread_mutex_unlock(&self->lock);
    free_batch(&batch);
    return NULL;
}

conv_status conv__tracker_half_save(const conv__tracker_params *params, conv__tracker_half *half,
                                    int64_t deadline_ns, conv__flushed *flushed, conv_error *error)
{
    flush self = {.params = params,
                  .half = half,
                  .deadline_ns = deadline_ns,
                  .capacity = half->records < BATCH ? half->records : BATCH,
                  .flushed = flushed,
                  .error = CONV_ERROR_INIT};
    pthread_t helpers[FLUSHERS_MOST];
    int started = 0;
    size_t batches = (half->records + BATCH - 1) / BATCH;
    pthread_mutex_init(&self.lock, NULL);
    /* With fewer threads than wanted it takes longer, and that is all. */
    while (started + 1 < params->flushers && started < FLUSHERS_MOST &&
           (size_t)started + 1 < batches && conv__thread_start(&helpers[started], work, &self))
        started++;
    (void)work(&self);
    while (started > 0)
        pthread_join(helpers[--started], NULL);
    pthread_mutex_destroy(&self.lock);
    if (self.status != CONV_OK && error != NULL) *error = self.error;
    return self.status;
}

bool conv__tracker_half_rest(const conv__tracker_half *half, conv__usage_copies *rest)
{
    conv__usage_place place = {0};
    const conv__usage_copy *copy;
    *rest = (conv__usage_copies){0};
    for (size_t i = 0; (copy = conv__usage_copies_next(&half->copies, &place)) != NULL; i++) {
        if (i < half->settled.size && half->settled.data[i] != 0) continue;
        if (conv__usage_copies_add(rest, &copy->usage, copy->prices)) continue;
        conv__usage_copies_free(rest);
        return false;
    }
    return true;
}

void conv__tracker_half_clear(conv__tracker_half *half)
{
    conv__buffer_clear(&half->frames);
    conv__buffer_clear(&half->settled);
    conv__usage_copies_clear(&half->copies);
}

void conv__tracker_half_free(conv__tracker_half *half)
{
    conv__buffer_free(&half->frames);
    conv__buffer_free(&half->settled);
    conv__usage_copies_free(&half->copies);
    conv__spool_close(&half->spool);
}
