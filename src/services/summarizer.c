/* Summaries in the background. What a summary is, summaries.c knows. */
#include "services/summarizer.h"

#include <pthread.h>
#include <stdatomic.h>

#include "core/memory.h"
#include "core/thread.h"
#include "core/time.h"

enum { QUEUE = 64, RESTING = 64, PAUSE_MS = 30000, LONGEST_PAUSE_MS = 1800000, MANY = 3 };

/* A session whose last attempts failed. */
typedef struct resting {
    conv_uuid session_id;
    int failures; /* 0: the place is free */
    int64_t until_ns;
} resting;

struct conv__summarizer {
    conv__summarizer_params params;
    atomic_bool stopping;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    pthread_t thread;
    bool has_thread;
    conv_uuid queue[QUEUE]; /* the first is under way while `working` */
    size_t count;
    bool working;
    resting resting[RESTING];
    int failed_sessions;    /* that failed one after the other, with none made between */
    int64_t pause_until_ns; /* of all: when so many fail, it is not for what is in them */
    conv_summary_counts counts;
};

conv__summarizer *conv__summarizer_create(const conv__summarizer_params *params)
{
    conv__summarizer *made = conv__allocate(sizeof *made);
    if (made == NULL) return NULL;
    made->params = *params;
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->wake, NULL);
    return made;
}

static int still_wanted(void *context, conv_bytes delta)
{
    conv__summarizer *self = context;
    (void)delta;
    return atomic_load(&self->stopping);
}

static bool make(conv__summarizer *self, conv_uuid session_id, bool *behind)
{
    conv_summary_page *page = NULL;
    conv_error error = CONV_ERROR_INIT;
    if (!self->params.enter(self->params.client)) return false;
    conv_status status = conv__summaries_make(&self->params.service, session_id, still_wanted, self,
                                              &page, behind, &error);
    conv__summaries_tell(&self->params.service, page, false);
    conv_summary_page_free(page);
    self->params.leave(self->params.client);
    /* A session that was deleted meanwhile is nobody's failure. */
    return status == CONV_OK || status == CONV_NOT_FOUND;
}

/* With the lock held, as all up to the thread; NULL: it does not rest. */
static resting *find_resting(conv__summarizer *self, conv_uuid session_id)
{
    for (size_t i = 0; i < RESTING; i++)
        if (self->resting[i].failures > 0 &&
            conv_uuid_compare(self->resting[i].session_id, session_id) == 0)
            return &self->resting[i];
    return NULL;
}

/* A free place, or that of the one that rests no longer, or least. */
static resting *place_to_rest(conv__summarizer *self)
{
    resting *best = &self->resting[0];
    for (size_t i = 0; i < RESTING && best->failures > 0; i++)
        if (self->resting[i].failures == 0 || self->resting[i].until_ns < best->until_ns)
            best = &self->resting[i];
    return best;
}

/* Half a minute after the first failure, twice as long after each more. */
static int64_t end_of_pause(int failures)
{
    int64_t pause_ms = PAUSE_MS;
    for (int i = 1; i < failures && pause_ms < LONGEST_PAUSE_MS; i++)
        pause_ms *= 2;
    return conv__deadline_in_ms(pause_ms < LONGEST_PAUSE_MS ? pause_ms : LONGEST_PAUSE_MS);
}

/* One that came while it was under way. */
static void drop_waiting(conv__summarizer *self, conv_uuid session_id)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++)
        if (conv_uuid_compare(self->queue[i], session_id) != 0)
            self->queue[kept++] = self->queue[i];
    self->counts.dropped += (int64_t)(self->count - kept);
    self->count = kept;
}

/* The session rests; all do once several have failed, and longer with each that goes on failing. */
static void settle_failure(conv__summarizer *self, conv_uuid session_id)
{
    resting *place = find_resting(self, session_id);
    self->counts.failed++;
    if (place == NULL) {
        place = place_to_rest(self);
        *place = (resting){.session_id = session_id};
        self->failed_sessions++;
    } else if (self->failed_sessions >= MANY) {
        self->failed_sessions++;
    }
    place->until_ns = end_of_pause(++place->failures);
    drop_waiting(self, session_id);
    if (self->failed_sessions < MANY) return;
    self->pause_until_ns = end_of_pause(self->failed_sessions - MANY + 1);
    self->counts.dropped += (int64_t)self->count;
    self->count = 0;
}

/* Whether the session waits already, not counting the one under way, which may have been read
 * before this turn. */
static bool is_queued(const conv__summarizer *self, conv_uuid session_id)
{
    for (size_t i = self->working ? 1 : 0; i < self->count; i++)
        if (conv_uuid_compare(self->queue[i], session_id) == 0) return true;
    return false;
}

/* `behind`: the session goes on at the end of the queue, so that the others have their turn. */
static void settle(conv__summarizer *self, bool made, bool behind)
{
    conv_uuid session_id = self->queue[0];
    self->working = false;
    self->count--;
    for (size_t i = 0; i < self->count; i++)
        self->queue[i] = self->queue[i + 1];
    if (!made) {
        settle_failure(self, session_id);
        return;
    }
    resting *place = find_resting(self, session_id);
    if (place != NULL) place->failures = 0;
    self->counts.made++;
    self->failed_sessions = 0;
    if (behind && !is_queued(self, session_id)) self->queue[self->count++] = session_id;
}

/* Whether it may be asked for at this moment. */
static bool may_begin(conv__summarizer *self, conv_uuid session_id)
{
    const resting *place = find_resting(self, session_id);
    if (place != NULL && !conv__deadline_passed(place->until_ns)) return false;
    return conv__deadline_passed(self->pause_until_ns);
}

static void *run(void *context)
{
    conv__summarizer *self = context;
    pthread_mutex_lock(&self->lock);
    while (!atomic_load(&self->stopping)) {
        if (self->count == 0) {
            pthread_cond_wait(&self->wake, &self->lock);
            continue;
        }
        conv_uuid session_id = self->queue[0];
        self->working = true;
        pthread_mutex_unlock(&self->lock);
        bool behind = false;
        bool made = make(self, session_id, &behind);
        pthread_mutex_lock(&self->lock);
        settle(self, made, behind);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

void conv__summarizer_offer(conv__summarizer *self, conv_uuid session_id)
{
    if (self == NULL || atomic_load(&self->stopping)) return;
    pthread_mutex_lock(&self->lock);
    if (is_queued(self, session_id)) {
        pthread_mutex_unlock(&self->lock);
        return;
    }
    bool room = self->count < QUEUE && may_begin(self, session_id);
    if (room && !self->has_thread)
        room = self->has_thread = conv__thread_start(&self->thread, run, self);
    if (room)
        self->queue[self->count++] = session_id;
    else
        self->counts.dropped++;
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->lock);
}

conv_summary_counts conv__summarizer_count(conv__summarizer *self)
{
    if (self == NULL) return (conv_summary_counts){0};
    pthread_mutex_lock(&self->lock);
    conv_summary_counts counts = self->counts;
    counts.waiting = (int64_t)self->count;
    pthread_mutex_unlock(&self->lock);
    return counts;
}

void conv__summarizer_stop(conv__summarizer *self)
{
    if (self == NULL) return;
    pthread_mutex_lock(&self->lock);
    atomic_store(&self->stopping, true);
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->lock);
}

void conv__summarizer_free(conv__summarizer *self)
{
    if (self == NULL) return;
    conv__summarizer_stop(self);
    if (self->has_thread) pthread_join(self->thread, NULL);
    pthread_cond_destroy(&self->wake);
    pthread_mutex_destroy(&self->lock);
    conv__release(self);
}
