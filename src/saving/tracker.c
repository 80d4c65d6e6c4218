/* Buffering usage records and flushing them. Two halves: callers fill one while the other one is on
 * its way to the store, each with a spool of its own, so that a spool is emptied only when all that
 * is in it has arrived. */
#include "saving/tracker.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/buffer.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/thread.h"
#include "core/time.h"
#include "repositories/rows.h"
#include "saving/record.h"
#include "saving/report.h"
#include "saving/spool.h"
#include "saving/usage_batch.h"

#define ACTION "track usage"

enum { HALVES = CONV__SPOOLS, BATCH = 500, RETRY_MS = 1000, DISK_MS = 500 };

typedef struct half {
    conv__buffer frames;
    size_t records;
    conv__spool spool;
} half;

struct conv__tracker {
    conv__tracker_params params;
    pthread_mutex_t lock;  /* of the half being filled and of what follows */
    pthread_mutex_t flush; /* one flush at a time; taken before `lock` */
    pthread_cond_t wake;
    pthread_t thread;
    bool has_thread;
    bool stopping;
    half halves[HALVES];
    half *filling;
    int64_t flushed;     /* by the flush under way; of the flush lock */
    int64_t flush_at_ns; /* when the oldest record of the filling half is due */
};

static conv_status encode(conv__arena *arena, const conv_usage *usage, conv__buffer *frame,
                          conv_error *error)
{
    conv__buffer record = {0};
    conv__usage_row row;
    conv_status status = conv__usage_to_row(arena, usage, &row, error);
    if (status != CONV_OK) return status;
    conv__record_append_usage(&record, &row);
    if (!record.failed) conv__frame_append(frame, conv__buffer_bytes(&record));
    status = record.failed || frame->failed ? conv__fail_memory(error, ACTION) : CONV_OK;
    conv__buffer_free(&record);
    return status;
}

/* With the lock held. */
static conv_status add(conv__tracker *tracker, conv_bytes frame, conv_error *error)
{
    half *filling = tracker->filling;
    if (filling->frames.size + frame.size > tracker->params.buffer_bytes)
        return conv__fail(error, CONV_LIMIT, ACTION,
                          "%zu usage records are buffered already and the store does not take them",
                          filling->records);
    /* Memory first: what the caller is told was not taken must not come back from the spool. */
    size_t before = filling->frames.size;
    conv_status status = CONV_OK;
    conv__buffer_append_bytes(&filling->frames, frame);
    if (filling->frames.failed)
        status = conv__fail_memory(error, ACTION);
    else if (filling->spool.descriptor >= 0)
        status = conv__spool_append(&filling->spool, frame, error);
    if (status != CONV_OK) {
        filling->frames.failed = false;
        filling->frames.size = before;
        return status;
    }
    if (filling->records++ == 0)
        tracker->flush_at_ns = conv__deadline_in_ms(tracker->params.flush_interval_ms);
    if (filling->records == 1 || filling->records == tracker->params.flush_records)
        pthread_cond_signal(&tracker->wake);
    return CONV_OK;
}

conv_status conv__tracker_take(conv__tracker *tracker, const conv_usage *usage, conv_error *error)
{
    conv__arena arena = {0};
    conv__buffer frame = {0};
    conv_status status = encode(&arena, usage, &frame, error);
    if (status == CONV_OK) {
        pthread_mutex_lock(&tracker->lock);
        status = add(tracker, conv__buffer_bytes(&frame), error);
        pthread_mutex_unlock(&tracker->lock);
    }
    conv__buffer_free(&frame);
    conv__arena_reset(&arena);
    return status;
}

/* What the spool gave back and is no whole record is not dropped in silence: it becomes a dead
 * letter. What the tracker holds in memory alone is never damaged. */
static conv_status read_frame(conv__tracker *tracker, conv_bytes frames, size_t *position,
                              conv_bytes *record, conv__usage_row *row, bool *found,
                              int64_t deadline_ns, conv_error *error)
{
    bool damaged = false;
    conv_error why = CONV_ERROR_INIT;
    size_t next = *position;
    *found = false;
    if (!conv__frame_next(frames, &next, record, &damaged)) return CONV_OK;
    conv_status status = CONV_OK;
    if (damaged)
        status = conv__fail(&why, CONV_BAD_DATA, ACTION, "a part of the usage spool is damaged");
    else
        status = conv__record_read_usage(*record, row, &why);
    *found = status == CONV_OK;
    if (status == CONV_NO_MEMORY) {
        if (error != NULL) *error = why;
        return status;
    }
    if (status == CONV_BAD_DATA && !damaged) next = (size_t)(record->data - frames.data);
    if (status != CONV_OK)
        status =
            conv__saving_keep_damaged(tracker->params.saving, *record, &why, deadline_ns, error);
    if (status == CONV_OK) *position = next;
    return status;
}

/* Records on their way, in arrays of the same order. */
typedef struct flush_batch {
    conv__usage_row rows[BATCH];
    conv__usage_save saves[BATCH];
    conv_bytes records[BATCH];
    conv__usage_kept kept[BATCH];
    size_t count;
} flush_batch;

/* While the store is known to be away nobody waits for it: the journal takes them at once. */
static void offer(conv__tracker *tracker, flush_batch *batch, int64_t deadline_ns)
{
    conv_error away = CONV_ERROR_INIT;
    conv__saving *saving = tracker->params.saving;
    if (!conv__saving_is_away(saving, ACTION, &away)) {
        conv__usage_batch_save(conv__saving_store(saving), batch->saves, batch->count, deadline_ns);
        return;
    }
    for (size_t i = 0; i < batch->count; i++) {
        batch->saves[i].status = away.status;
        batch->saves[i].error = away;
    }
}

/* What the store did not take goes into the journal, as waiting or as dead letters. */
static conv_status keep(conv__tracker *tracker, flush_batch *batch, int64_t deadline_ns,
                        conv_error *error)
{
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const conv__usage_save *save = &batch->saves[i];
        if (save->status == CONV_NO_MEMORY) { /* says nothing about the record, which stays */
            if (error != NULL) *error = save->error;
            return save->status;
        }
        if (save->status != CONV_OK)
            batch->kept[count++] = (conv__usage_kept){save->row, batch->records[i], &save->error};
    }
    if (count == 0) return CONV_OK;
    return conv__saving_keep_usage(tracker->params.saving, batch->kept, count, deadline_ns, error);
}

/* What is in the store now, and what has become a dead letter. */
static void tell(conv__tracker *tracker, const flush_batch *batch, bool kept)
{
    conv__bus *bus = conv__saving_bus(tracker->params.saving);
    for (size_t i = 0; i < batch->count; i++) {
        const conv__usage_save *save = &batch->saves[i];
        bool stored = save->status == CONV_OK && save->fresh;
        bool dead = save->status != CONV_OK && kept && !conv__saving_may_wait(&save->error);
        if (stored) tracker->flushed++;
        if (stored || dead) conv__report_usage(bus, save, false);
    }
}

/* Up to BATCH frames from `position` on. Those that are safe afterwards are behind `position`. */
static conv_status flush_some(conv__tracker *tracker, flush_batch *batch, conv_bytes frames,
                              size_t *position, int64_t deadline_ns, conv_error *error)
{
    conv_status status = CONV_OK;
    size_t end = *position;
    batch->count = 0;
    while (status == CONV_OK && batch->count < BATCH && end < frames.size) {
        bool found = false;
        size_t at = batch->count;
        status = read_frame(tracker, frames, &end, &batch->records[at], &batch->rows[at], &found,
                            deadline_ns, error);
        if (!found) continue;
        batch->saves[at] = (conv__usage_save){.row = &batch->rows[at]};
        batch->count++;
    }
    if (status == CONV_OK && batch->count > 0) {
        offer(tracker, batch, deadline_ns);
        /* The time may have gone by waiting for the store; the disk gets some of its own. */
        int64_t disk_ns = conv__deadline_in_ms(DISK_MS);
        status = keep(tracker, batch, disk_ns > deadline_ns ? disk_ns : deadline_ns, error);
        tell(tracker, batch, status == CONV_OK);
    }
    if (status == CONV_OK) *position = end;
    return status;
}

static half *other_half(conv__tracker *tracker)
{
    return tracker->filling == &tracker->halves[0] ? &tracker->halves[1] : &tracker->halves[0];
}

/* With the flush lock held: saves a half that nobody fills, and empties it. */
static conv_status flush_half(conv__tracker *tracker, half *full, int64_t deadline_ns,
                              conv_error *error)
{
    size_t position = 0;
    conv_bytes frames = conv__buffer_bytes(&full->frames);
    flush_batch *batch = frames.size > 0 ? conv__allocate(sizeof *batch) : NULL;
    conv_status status =
        frames.size > 0 && batch == NULL ? conv__fail_memory(error, ACTION) : CONV_OK;
    while (status == CONV_OK && position < frames.size) {
        if (position > 0 && conv__deadline_passed(deadline_ns))
            status = conv__fail(error, CONV_TIMEOUT, ACTION,
                                "the deadline passed before all usage records were saved");
        else
            status = flush_some(tracker, batch, frames, &position, deadline_ns, error);
    }
    conv__release(batch);
    if (status == CONV_OK && full->spool.descriptor >= 0)
        status = conv__spool_clear(&full->spool, error);
    if (status != CONV_OK) return status;
    pthread_mutex_lock(&tracker->lock);
    conv__buffer_clear(&full->frames);
    full->records = 0;
    pthread_mutex_unlock(&tracker->lock);
    return CONV_OK;
}

conv_status conv__tracker_flush(conv__tracker *tracker, int64_t deadline_ns, size_t *pending,
                                conv_error *error)
{
    pthread_mutex_lock(&tracker->flush);
    tracker->flushed = 0;
    /* What an earlier flush left behind first: records keep their order. */
    conv_status status = flush_half(tracker, other_half(tracker), deadline_ns, error);
    if (status == CONV_OK) {
        pthread_mutex_lock(&tracker->lock);
        half *full = tracker->filling;
        tracker->filling = other_half(tracker);
        pthread_mutex_unlock(&tracker->lock);
        status = flush_half(tracker, full, deadline_ns, error);
    }
    pthread_mutex_lock(&tracker->lock);
    if (pending != NULL) *pending = tracker->halves[0].records + tracker->halves[1].records;
    pthread_mutex_unlock(&tracker->lock);
    int64_t flushed = tracker->flushed;
    pthread_mutex_unlock(&tracker->flush);
    conv__report_flush(conv__saving_bus(tracker->params.saving), flushed);
    return status;
}

size_t conv__tracker_buffered(conv__tracker *tracker)
{
    pthread_mutex_lock(&tracker->lock);
    size_t buffered = tracker->halves[0].records + tracker->halves[1].records;
    pthread_mutex_unlock(&tracker->lock);
    return buffered;
}

/* Until a flush is due; false when it is time to stop. */
static bool wait_until_due(conv__tracker *tracker, bool failed)
{
    pthread_mutex_lock(&tracker->lock);
    int64_t retry_at = failed ? conv__deadline_in_ms(RETRY_MS) : 0;
    while (!tracker->stopping) {
        const half *filling = tracker->filling;
        bool left = other_half(tracker)->records > 0; /* by a flush that failed, or a process */
        int64_t due = failed                                              ? retry_at
                      : left                                              ? 0
                      : filling->records == 0                             ? CONV__NO_DEADLINE
                      : filling->records >= tracker->params.flush_records ? 0
                                                                          : tracker->flush_at_ns;
        if (due != CONV__NO_DEADLINE && conv__deadline_passed(due)) break;
        (void)conv__condition_wait(&tracker->wake, &tracker->lock, due);
    }
    bool go_on = !tracker->stopping;
    pthread_mutex_unlock(&tracker->lock);
    return go_on;
}

static void *run(void *context)
{
    conv__tracker *tracker = context;
    bool failed = false;
    while (wait_until_due(tracker, failed)) {
        int64_t deadline = conv__deadline_in_ms(tracker->params.store_timeout_ms);
        failed = conv__tracker_flush(tracker, deadline, NULL, NULL) != CONV_OK;
    }
    return NULL;
}

static conv_status open_spools(conv__tracker *tracker, conv_error *error)
{
    for (int i = 0; i < HALVES; i++) {
        half *one = &tracker->halves[i];
        conv__buffer path = {0};
        conv_bytes record;
        bool damaged = false;
        one->spool.descriptor = -1;
        if (tracker->params.spool == NULL) continue;
        conv__spool_name(tracker->params.spool, i, &path);
        conv_status status = path.failed
                                 ? conv__fail_memory(error, ACTION)
                                 : conv__spool_open(path.data, &one->spool, &one->frames, error);
        conv__buffer_free(&path);
        if (status != CONV_OK) return status;
        size_t position = 0;
        while (conv__frame_next(conv__buffer_bytes(&one->frames), &position, &record, &damaged))
            one->records++;
    }
    return CONV_OK;
}

static void destroy(conv__tracker *tracker)
{
    for (int i = 0; i < HALVES; i++) {
        conv__buffer_free(&tracker->halves[i].frames);
        conv__spool_close(&tracker->halves[i].spool);
    }
    pthread_cond_destroy(&tracker->wake);
    pthread_mutex_destroy(&tracker->lock);
    pthread_mutex_destroy(&tracker->flush);
    conv__release(tracker);
}

conv_status conv__tracker_create(const conv__tracker_params *params, conv__tracker **tracker,
                                 conv_error *error)
{
    *tracker = NULL;
    conv__tracker *made = conv__allocate(sizeof *made);
    if (made == NULL) return conv__fail_memory(error, ACTION);
    made->params = *params;
    made->filling = &made->halves[0];
    made->halves[0].spool.descriptor = made->halves[1].spool.descriptor = -1;
    pthread_mutex_init(&made->lock, NULL);
    pthread_mutex_init(&made->flush, NULL);
    conv__condition_init(&made->wake);
    conv_status status = open_spools(made, error);
    if (status == CONV_OK && !conv__thread_start(&made->thread, run, made))
        status = conv__fail(error, CONV_NO_MEMORY, ACTION, "no thread can be started");
    if (status != CONV_OK) {
        destroy(made);
        return status;
    }
    made->has_thread = true;
    *tracker = made;
    return CONV_OK;
}

size_t conv__tracker_close(conv__tracker *tracker, int64_t deadline_ns, bool *spooled)
{
    size_t pending = 0;
    *spooled = false;
    if (tracker == NULL) return 0;
    pthread_mutex_lock(&tracker->lock);
    tracker->stopping = true;
    pthread_cond_signal(&tracker->wake);
    pthread_mutex_unlock(&tracker->lock);
    pthread_join(tracker->thread, NULL);
    conv_status status = conv__tracker_flush(tracker, deadline_ns, &pending, NULL);
    if (status == CONV_OK) pending = 0;
    *spooled = tracker->params.spool != NULL;
    destroy(tracker);
    return pending;
}
