/* Buffering usage records. Two halves: callers fill one while the other one is on its way to the
 * store, each with a spool of its own, so that a spool is emptied only when all that is in it has
 * arrived. What a record becomes is worked out in the flush, but for what the spool needs. */
#include "saving/tracker.h"

#include <pthread.h>

#include "core/error.h"
#include "core/thread.h"
#include "core/time.h"
#include "saving/record.h"
#include "saving/report.h"
#include "saving/tracker_half.h"

#define ACTION "track usage"

/* After a flush the thread looks for more by itself, so many times, before it sleeps until a caller
 * wakes it: waking costs the caller more than all the rest. */
enum { HALVES = CONV__SPOOLS, RETRY_MS = 1000, NAP_MS = 1, NAPS = 20 };

typedef conv__tracker_half half;

struct conv__tracker {
    conv__tracker_params params;
    pthread_mutex_t lock;  /* of the half being filled and of what follows */
    pthread_mutex_t flush; /* one flush at a time; taken before `lock` */
    pthread_cond_t wake;
    pthread_t thread;
    bool has_thread;
    bool stopping;
    bool napping; /* the thread looks again by itself, soon */
    half halves[HALVES];
    half *filling;
    int64_t flush_at_ns; /* when the oldest record of the filling half is due */
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

static conv_status no_room(const half *filling, conv_error *error)
{
    return conv__fail(error, CONV_LIMIT, ACTION,
                      "%zu usage records are buffered already and the store does not take them",
                      filling->records);
}

/* With the lock held, once the record is in the half. */
static void count_in(conv__tracker *tracker)
{
    half *filling = tracker->filling;
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
        return no_room(filling, error);
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
    count_in(tracker);
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
    if (copies->bytes + size > tracker->params.buffer_bytes)
        status = no_room(tracker->filling, error);
    else if (!conv__usage_copies_add(copies, usage, prices))
        status = conv__fail_memory(error, ACTION);
    else
        count_in(tracker);
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

/* With the flush lock held: saves a half that nobody fills, and empties it. */
static conv_status flush_half(conv__tracker *tracker, half *full, int64_t deadline_ns,
                              int64_t *flushed, conv_error *error)
{
    if (full->records == 0) return CONV_OK;
    conv_status status =
        conv__tracker_half_save(&tracker->params, full, deadline_ns, flushed, error);
    if (status == CONV_OK && full->spool.descriptor >= 0)
        status = conv__spool_clear(&full->spool, error);
    full->tried = status != CONV_OK;
    if (status != CONV_OK) return status;
    conv__buffer_clear(&full->frames);
    conv__usage_copies_clear(&full->copies);
    pthread_mutex_lock(&tracker->lock);
    full->records = 0;
    pthread_mutex_unlock(&tracker->lock);
    return CONV_OK;
}

conv_status conv__tracker_flush(conv__tracker *tracker, int64_t deadline_ns, size_t *pending,
                                conv_error *error)
{
    int64_t flushed = 0;
    pthread_mutex_lock(&tracker->flush);
    /* What an earlier flush left behind first: records keep their order. */
    conv_status status = flush_half(tracker, other_half(tracker), deadline_ns, &flushed, error);
    if (status == CONV_OK) {
        pthread_mutex_lock(&tracker->lock);
        half *full = tracker->filling;
        tracker->filling = other_half(tracker);
        pthread_mutex_unlock(&tracker->lock);
        status = flush_half(tracker, full, deadline_ns, &flushed, error);
    }
    pthread_mutex_lock(&tracker->lock);
    if (pending != NULL) *pending = tracker->halves[0].records + tracker->halves[1].records;
    pthread_mutex_unlock(&tracker->lock);
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

/* With the lock held. `retry_at_ns` 0: the last flush left nothing behind. */
static int64_t due_at(conv__tracker *tracker, int64_t retry_at_ns)
{
    const half *filling = tracker->filling;
    if (retry_at_ns != 0) return retry_at_ns;
    if (other_half(tracker)->records > 0) return 0; /* by a flush that failed, or a process */
    if (filling->records == 0) return CONV__NO_DEADLINE;
    return filling->records >= tracker->params.flush_records ? 0 : tracker->flush_at_ns;
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
        one->tried = one->records > 0; /* perhaps, by the process before */
    }
    return CONV_OK;
}

static void destroy(conv__tracker *tracker)
{
    for (int i = 0; i < HALVES; i++) {
        conv__buffer_free(&tracker->halves[i].frames);
        conv__usage_copies_free(&tracker->halves[i].copies);
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
