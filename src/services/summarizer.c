/* Summaries in the background. What a summary is, summaries.c knows. */
#include "services/summarizer.h"

#include <pthread.h>
#include <stdatomic.h>

#include "core/memory.h"
#include "core/thread.h"
#include "core/time.h"

enum { QUEUE = 64, PAUSE_MS = 30000, LONGEST_PAUSE_MS = 1800000 };

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
    int failures; /* one after the other */
    int64_t pause_until_ns;
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

static bool make(conv__summarizer *self, conv_uuid session_id)
{
    conv_summary_page *page = NULL;
    conv_error error = CONV_ERROR_INIT;
    if (!self->params.enter(self->params.client)) return false;
    conv_status status =
        conv__summaries_make(&self->params.service, session_id, still_wanted, self, &page, &error);
    conv__summaries_tell(&self->params.service, page, false);
    conv_summary_page_free(page);
    self->params.leave(self->params.client);
    /* A session that was deleted meanwhile is nobody's failure. */
    return status == CONV_OK || status == CONV_NOT_FOUND;
}

/* With the lock held. */
static void settle(conv__summarizer *self, bool made)
{
    int64_t pause_ms = PAUSE_MS;
    self->working = false;
    self->count--;
    for (size_t i = 0; i < self->count; i++)
        self->queue[i] = self->queue[i + 1];
    if (made) {
        self->counts.made++;
        self->failures = 0;
        return;
    }
    self->counts.failed++;
    for (int i = 0; i < self->failures && pause_ms < LONGEST_PAUSE_MS; i++)
        pause_ms *= 2;
    self->failures++;
    self->pause_until_ns =
        conv__deadline_in_ms(pause_ms < LONGEST_PAUSE_MS ? pause_ms : LONGEST_PAUSE_MS);
    self->counts.dropped += (int64_t)self->count;
    self->count = 0;
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
        bool made = make(self, session_id);
        pthread_mutex_lock(&self->lock);
        settle(self, made);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

/* With the lock held: whether the session waits already, not counting the one under way, which may
 * have been read before this turn. */
static bool is_queued(const conv__summarizer *self, conv_uuid session_id)
{
    for (size_t i = self->working ? 1 : 0; i < self->count; i++)
        if (conv_uuid_compare(self->queue[i], session_id) == 0) return true;
    return false;
}

void conv__summarizer_offer(conv__summarizer *self, conv_uuid session_id)
{
    if (self == NULL || atomic_load(&self->stopping)) return;
    pthread_mutex_lock(&self->lock);
    if (is_queued(self, session_id)) {
        pthread_mutex_unlock(&self->lock);
        return;
    }
    bool room = self->count < QUEUE && self->pause_until_ns <= conv__monotonic_ns();
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
