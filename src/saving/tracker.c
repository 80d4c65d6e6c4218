/* Buffering usage records. Two halves: callers fill one while the other one is on its way to the
 * store, each with a spool of its own, so that a spool is emptied only when all that is in it has
 * arrived. Without a spool, what a person must mend is set aside, so that both halves go on. What a
 * record becomes is worked out in the flush, but for what the spool needs. */
#include "saving/tracker.h"

#include <pthread.h>
#include <string.h>

#include "core/error.h"
#include "core/thread.h"
#include "core/time.h"
#include "saving/record.h"
#include "saving/report.h"
#include "saving/tracker_half.h"

#define ACTION "track usage"

/* After a flush the thread looks for more by itself, so many times, before it sleeps until a caller
 * wakes it: waking costs the caller more than all the rest. */
enum { HALVES = CONV__SPOOLS, RETRY_MS = 1000, RETRY_HELD_MS = 10000, NAP_MS = 1, NAPS = 20 };

typedef conv__tracker_half half;

struct conv__tracker {
    conv__tracker_params params;
    pthread_mutex_t lock; /* of the half being filled, of all numbers, and of what follows */
    pthread_cond_t wake;
    conv__timed_lock flushing; /* one at a time; the half that is not filled, and `held`, are its */
    pthread_t thread;
    bool has_thread;
    bool stopping;
    conv__latest urgent; /* the half that is filled is half full: nobody may wait for a handler */
    bool napping;        /* the thread looks again by itself, soon */
    half halves[HALVES];
    half *filling;
    int64_t flush_at_ns; /* when the oldest record of the filling half is due */
    half held;           /* set aside */
    conv_error held_because;
    int64_t retry_held_at_ns;
    size_t refused; /* records that are gone since that was last told */
    conv_error refusal;
};

static conv_status encode(conv__arena *arena, const conv__tracker *tracker, const conv_usage *usage,
                          const void *prices, conv__buffer *frame, conv_error *error)
{
    conv__buffer record = {0};
    conv__usage_row row;
    conv_usage finished = *usage;
    tracker->params.finish(prices, &finished);
    conv_status status = conv__usage_to_row(arena, &finished, &row, error);
    if (status != CONV_OK) return status;
    conv__record_append_usage(&record, &row);
    if (!record.failed) conv__frame_append(frame, conv__buffer_bytes(&record));
    status = record.failed || frame->failed ? conv__fail_memory(error, ACTION) : CONV_OK;
    conv__buffer_free(&record);
    return status;
}

static conv_status no_room(const conv__tracker *tracker, conv_error *error)
{
    return conv__fail(error, CONV_LIMIT, ACTION,
                      "%zu usage records are buffered already and the store does not take them",
                      tracker->filling->records + tracker->held.records);
}

/* With the lock held, once the record is in the half, which has so many bytes now. */
static void count_in(conv__tracker *tracker, size_t bytes)
{
    half *filling = tracker->filling;
    if (bytes > tracker->params.buffer_bytes / 2) atomic_store(&tracker->urgent.moment_ns, 1);
    if (filling->records++ == 0)
        tracker->flush_at_ns = conv__deadline_in_ms(tracker->params.flush_interval_ms);
    if (tracker->napping) return;
    if (filling->records == 1 || filling->records == tracker->params.flush_records)
        pthread_cond_signal(&tracker->wake);
}

/* With the lock held. */
static conv_status add_frame(conv__tracker *tracker, conv_bytes frame, conv_error *error)
{
    half *filling = tracker->filling;
    if (filling->frames.size + frame.size > tracker->params.buffer_bytes)
        return no_room(tracker, error);
    /* Memory first: what the caller is told was not taken must not come back from the spool. */
    size_t before = filling->frames.size;
    conv_status status = CONV_OK;
    conv__buffer_append_bytes(&filling->frames, frame);
    if (filling->frames.failed)
        status = conv__fail_memory(error, ACTION);
    else
        status = conv__spool_append(&filling->spool, frame, error);
    if (status != CONV_OK) {
        filling->frames.failed = false;
        filling->frames.size = before;
        return status;
    }
    count_in(tracker, filling->frames.size);
    return CONV_OK;
}

static conv_status take_copy(conv__tracker *tracker, const conv_usage *usage, const void *prices,
                             conv_error *error)
{
    conv_status status = conv__usage_check(usage, error);
    if (status != CONV_OK) return status;
    size_t size = conv__usage_copy_size(usage);
    pthread_mutex_lock(&tracker->lock);
    conv__usage_copies *copies = &tracker->filling->copies;
    if (copies->bytes + tracker->held.copies.bytes + size > tracker->params.buffer_bytes)
        status = no_room(tracker, error);
    else if (!conv__usage_copies_add(copies, usage, prices))
        status = conv__fail_memory(error, ACTION);
    else
        count_in(tracker, copies->bytes + tracker->held.copies.bytes);
    pthread_mutex_unlock(&tracker->lock);
    return status;
}

conv_status conv__tracker_take(conv__tracker *tracker, const conv_usage *usage, const void *prices,
                               conv_error *error)
{
    if (tracker->params.spool == NULL) return take_copy(tracker, usage, prices, error);
    conv__arena arena = {0};
    conv__buffer frame = {0};
    conv_status status = encode(&arena, tracker, usage, prices, &frame, error);
    if (status == CONV_OK) {
        pthread_mutex_lock(&tracker->lock);
        status = add_frame(tracker, conv__buffer_bytes(&frame), error);
        pthread_mutex_unlock(&tracker->lock);
    }
    conv__buffer_free(&frame);
    conv__arena_reset(&arena);
    return status;
}

static half *other_half(conv__tracker *tracker)
{
    return tracker->filling == &tracker->halves[0] ? &tracker->halves[1] : &tracker->halves[0];
}

/* With the lock held. */
static size_t count(const conv__tracker *tracker)
{
    return tracker->halves[0].records + tracker->halves[1].records + tracker->held.records;
}

/* With the lock held, after a flush of `from` that the store has answered: what is held goes to the
 * others, and the half is empty; of those themselves only what is held still stays. */
static conv_status set_aside(conv__tracker *tracker, half *from, size_t records, conv_error *error)
{
    conv__usage_copies rest = {0};
    if (records > 0 && !conv__tracker_half_rest(from, &rest))
        return conv__fail_memory(error, ACTION);
    conv__tracker_half_clear(from);
    from->records = 0;
    conv__usage_copies_join(&tracker->held.copies, &rest);
    tracker->held.records += records;
    tracker->held.tried = true;
    return CONV_OK;
}

/* Within a flush: saves a half that nobody fills, or what is held. */
static conv_status flush_half(conv__tracker *tracker, half *full, int64_t deadline_ns,
                              conv__flushed *flushed, conv_error *error)
{
    if (full->records == 0) return CONV_OK;
    size_t before = flushed->settled;
    size_t held = flushed->held;
    conv_status status =
        conv__tracker_half_save(&tracker->params, full, deadline_ns, flushed, error);
    size_t settled = flushed->settled - before;
    held = flushed->held - held;
    if (status == CONV_OK && full->spool.descriptor >= 0)
        status = conv__spool_clear(&full->spool, error);
    pthread_mutex_lock(&tracker->lock);
    full->tried = true;
    if (status == CONV_OK) {
        status = set_aside(tracker, full, held, error);
        if (full != &tracker->held) full->tried = status != CONV_OK;
    }
    /* Never 0 while something is left to do: a damaged spool may hold more than was counted. */
    if (status != CONV_OK) full->records = settled < full->records ? full->records - settled : 1;
    pthread_mutex_unlock(&tracker->lock);
    return status;
}

/* With `flushing` taken. The events of it are left in `told`: no handler may hold up that lock. */
static conv_status flush_all(conv__tracker *tracker, int64_t deadline_ns, bool with_held,
                             conv__buffer *told, conv_error *error)
{
    conv__flushed flushed = {0};
    bool had_held = tracker->held.records > 0;
    /* What an earlier flush left behind first: records keep their order. */
    conv_status status = flush_half(tracker, other_half(tracker), deadline_ns, &flushed, error);
    if (status == CONV_OK) {
        pthread_mutex_lock(&tracker->lock);
        half *full = tracker->filling;
        tracker->filling = other_half(tracker);
        atomic_store(&tracker->urgent.moment_ns, 0);
        pthread_mutex_unlock(&tracker->lock);
        status = flush_half(tracker, full, deadline_ns, &flushed, error);
    }
    /* What can't go yet last: it holds up nobody else. */
    if (status == CONV_OK && had_held && with_held)
        status = flush_half(tracker, &tracker->held, deadline_ns, &flushed, error);
    pthread_mutex_lock(&tracker->lock);
    if (with_held || !had_held) tracker->retry_held_at_ns = conv__deadline_in_ms(RETRY_HELD_MS);
    if (flushed.held > 0) tracker->held_because = flushed.held_because;
    if (flushed.refused > 0) tracker->refusal = flushed.refusal;
    tracker->refused += flushed.refused;
    pthread_mutex_unlock(&tracker->lock);
    conv__report_flush(conv__saving_bus(tracker->params.saving), flushed.stored, &flushed.told);
    *told = flushed.told;
    return status;
}

/* Others may flush from here on, whatever handlers do. */
static void release(conv__tracker *tracker, conv__buffer *told, int64_t deadline_ns)
{
    conv__timed_lock_release(&tracker->flushing);
    conv__report_later(conv__saving_bus(tracker->params.saving), told, CONV__REPORT_APART,
                       deadline_ns, &tracker->urgent);
}

static conv_status tell(conv_error *error, const conv_error *why, size_t records, const char *what)
{
    conv__fail(error, why->status, ACTION, "%s: %zu, the last one because %s", what, records,
               why->message);
    if (error == NULL) return why->status;
    error->recovery = why->recovery;
    memcpy(error->sqlstate, why->sqlstate, sizeof error->sqlstate);
    return why->status;
}

/* With the lock held, after a flush that the store has answered: what became of single records. */
static conv_status tell_records(conv__tracker *tracker, conv_error *error)
{
    size_t refused = tracker->refused;
    tracker->refused = 0;
    if (refused > 0)
        return tell(error, &tracker->refusal, refused,
                    "usage records that the store refused for good and no journal keeps");
    if (tracker->held.records > 0)
        return tell(error, &tracker->held_because, tracker->held.records,
                    "usage records that wait in memory until a person has mended the cause");
    return CONV_OK;
}

/* `begun`: the lock is to be released, with what is to be told then. */
static conv_status flush_now(conv__tracker *tracker, int64_t deadline_ns, bool *begun,
                             conv__buffer *told, conv_error *error)
{
    *begun = conv__timed_lock_take(&tracker->flushing, deadline_ns);
    if (*begun) return flush_all(tracker, deadline_ns, true, told, error);
    return conv__fail(error, CONV_TIMEOUT, ACTION,
                      "another flush was still waiting for the store when the time was up");
}

conv_status conv__tracker_flush(conv__tracker *tracker, int64_t deadline_ns, size_t *pending,
                                conv_error *error)
{
    bool begun = false;
    conv__buffer told = {0};
    conv_status status = flush_now(tracker, deadline_ns, &begun, &told, error);
    pthread_mutex_lock(&tracker->lock);
    if (pending != NULL) *pending = count(tracker);
    if (status == CONV_OK) status = tell_records(tracker, error);
    pthread_mutex_unlock(&tracker->lock);
    if (begun) release(tracker, &told, deadline_ns);
    return status;
}

/* Within a flush, whose `held` is: how many records of the user are set aside. */
static size_t count_held(const conv__tracker *tracker, conv_uuid user_id)
{
    conv__usage_place place = {0};
    const conv__usage_copy *copy;
    size_t records = 0;
    while ((copy = conv__usage_copies_next(&tracker->held.copies, &place)) != NULL)
        records += conv_uuid_compare(conv_uuid_ensure(copy->usage.user_id), user_id) == 0;
    return records;
}

conv_status conv__tracker_flush_user(conv__tracker *tracker, conv_uuid user_id, int64_t deadline_ns,
                                     conv_error *error)
{
    bool begun = false;
    conv__buffer told = {0};
    conv_status status = flush_now(tracker, deadline_ns, &begun, &told, error);
    size_t held = status == CONV_OK ? count_held(tracker, user_id) : 0;
    if (held > 0) {
        pthread_mutex_lock(&tracker->lock);
        status = tell(error, &tracker->held_because, held,
                      "usage records of this user that wait in memory until a person has mended "
                      "the cause");
        pthread_mutex_unlock(&tracker->lock);
    }
    if (begun) release(tracker, &told, deadline_ns);
    return status;
}

size_t conv__tracker_buffered(conv__tracker *tracker)
{
    pthread_mutex_lock(&tracker->lock);
    size_t buffered = count(tracker);
    pthread_mutex_unlock(&tracker->lock);
    return buffered;
}

/* With the lock held. `retry_at_ns` 0: the last flush left nothing behind. */
static int64_t due_at(conv__tracker *tracker, int64_t retry_at_ns)
{
    const half *filling = tracker->filling;
    int64_t held_at_ns = tracker->held.records > 0 ? tracker->retry_held_at_ns : CONV__NO_DEADLINE;
    if (retry_at_ns != 0) return retry_at_ns;
    if (other_half(tracker)->records > 0) return 0; /* by a flush that failed, or a process */
    if (filling->records == 0) return held_at_ns;
    if (filling->records >= tracker->params.flush_records) return 0;
    return held_at_ns < tracker->flush_at_ns ? held_at_ns : tracker->flush_at_ns;
}

/* Until a flush is due; false when it is time to stop. */
static bool wait_until_due(conv__tracker *tracker, bool failed)
{
    pthread_mutex_lock(&tracker->lock);
    int64_t retry_at_ns = failed ? conv__deadline_in_ms(RETRY_MS) : 0;
    for (int naps = failed ? NAPS : 0; !tracker->stopping; naps++) {
        int64_t due_ns = due_at(tracker, retry_at_ns);
        if (due_ns != CONV__NO_DEADLINE && conv__deadline_passed(due_ns)) break;
        tracker->napping = naps < NAPS;
        int64_t nap_ns = tracker->napping ? conv__deadline_in_ms(NAP_MS) : due_ns;
        (void)conv__condition_wait(&tracker->wake, &tracker->lock,
                                   nap_ns < due_ns ? nap_ns : due_ns);
    }
    tracker->napping = true; /* until it looks again */
    bool go_on = !tracker->stopping;
    pthread_mutex_unlock(&tracker->lock);
    return go_on;
}

static bool flush_by_itself(conv__tracker *tracker)
{
    int64_t deadline_ns = conv__deadline_in_ms(tracker->params.store_timeout_ms);
    if (!conv__timed_lock_take(&tracker->flushing, deadline_ns)) return false;
    bool with_held = conv__deadline_passed(tracker->retry_held_at_ns);
    conv__buffer told = {0};
    conv_status status = flush_all(tracker, deadline_ns, with_held, &told, NULL);
    release(tracker, &told, deadline_ns);
    return status == CONV_OK;
}

static void *run(void *context)
{
    bool failed = false;
    while (wait_until_due(context, failed))
        failed = !flush_by_itself(context);
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
        one->tried = one->records > 0; /* perhaps, by the process before */
    }
    return CONV_OK;
}

static void destroy(conv__tracker *tracker)
{
    for (int i = 0; i < HALVES; i++)
        conv__tracker_half_free(&tracker->halves[i]);
    conv__tracker_half_free(&tracker->held);
    pthread_cond_destroy(&tracker->wake);
    conv__timed_lock_destroy(&tracker->flushing);
    pthread_mutex_destroy(&tracker->lock);
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
    made->held.spool.descriptor = -1;
    pthread_mutex_init(&made->lock, NULL);
    conv__condition_init(&made->wake);
    conv__timed_lock_init(&made->flushing);
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

void conv__tracker_flush_before_close(conv__tracker *tracker, int64_t deadline_ns)
{
    bool begun = false;
    conv__buffer told = {0};
    (void)flush_now(tracker, deadline_ns, &begun, &told, NULL);
    if (begun) release(tracker, &told, deadline_ns);
}

size_t conv__tracker_close(conv__tracker *tracker, int64_t deadline_ns, bool *spooled)
{
    *spooled = false;
    if (tracker == NULL) return 0;
    pthread_mutex_lock(&tracker->lock);
    tracker->stopping = true;
    pthread_cond_signal(&tracker->wake);
    pthread_mutex_unlock(&tracker->lock);
    pthread_join(tracker->thread, NULL);
    conv__tracker_flush_before_close(tracker, deadline_ns);
    size_t pending = count(tracker) + tracker->refused;
    *spooled = tracker->params.spool != NULL;
    destroy(tracker);
    return pending;
}
