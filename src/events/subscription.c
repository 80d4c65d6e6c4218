/* Queue, thread and calls of one subscription. The lock is never held while a handler runs. */
#include "events/subscription.h"

#include "core/error.h"
#include "core/memory.h"
#include "core/thread.h"
#include "core/time.h"

#define ACTION "subscribe"

enum { DEFAULT_QUEUE = 1024, DEFAULT_WAIT_MS = 1000, FIRST_ROOM = 16 };

static _Thread_local int handler_depth;

bool conv__bus_in_handler(void)
{
    return handler_depth > 0;
}

/* The thread has given its reference back and ends. Whoever is the last waits for that: a program
 * that ended meanwhile would leave behind what other libraries (libcrypto) keep for a thread. */
static void destroy(conv__subscription *subscription)
{
    const conv_subscription_params *params = &subscription->subscriber.params;
    if (subscription->started && pthread_equal(subscription->thread, pthread_self()))
        pthread_detach(subscription->thread);
    else if (subscription->started)
        pthread_join(subscription->thread, NULL);
    if (params->on_release != NULL) params->on_release(params->context);
    pthread_cond_destroy(&subscription->changed);
    pthread_mutex_destroy(&subscription->lock);
    conv__release(subscription->queue);
    conv__release(subscription);
}

void conv__subscription_take(conv__subscription *subscription)
{
    pthread_mutex_lock(&subscription->lock);
    subscription->references++;
    pthread_mutex_unlock(&subscription->lock);
}

void conv__subscription_drop(conv__subscription *subscription)
{
    pthread_mutex_lock(&subscription->lock);
    bool last = --subscription->references == 0;
    pthread_cond_broadcast(&subscription->changed);
    pthread_mutex_unlock(&subscription->lock);
    if (last) destroy(subscription);
}

/* The lock is held before and after, not meanwhile. */
static void call_handler(conv__subscription *subscription, const conv_event *event)
{
    const conv_subscription_params *params = &subscription->subscriber.params;
    subscription->counts.waiting++;
    pthread_mutex_unlock(&subscription->lock);
    handler_depth++;
    conv_status status = params->handler(params->context, event);
    handler_depth--;
    pthread_mutex_lock(&subscription->lock);
    subscription->counts.waiting--;
    subscription->counts.delivered++;
    if (status != CONV_OK) subscription->counts.failed++;
    pthread_cond_broadcast(&subscription->changed);
}

/* With the lock held: what an empty queue has beyond its usual size goes. */
static void give_back(conv__subscription *subscription)
{
    size_t usual = (size_t)subscription->subscriber.params.queue_events;
    if (subscription->count > 0 || subscription->capacity <= usual) return;
    conv__release(subscription->queue);
    subscription->queue = NULL;
    subscription->capacity = 0;
    subscription->first = 0;
}

static void *run(void *context)
{
    conv__subscription *subscription = context;
    pthread_mutex_lock(&subscription->lock);
    for (;;) {
        while (subscription->count == 0 && !subscription->closed && !subscription->draining)
            pthread_cond_wait(&subscription->changed, &subscription->lock);
        if (subscription->count == 0) break;
        conv_event event = subscription->queue[subscription->first];
        subscription->first = (subscription->first + 1) % subscription->capacity;
        subscription->count--;
        give_back(subscription);
        pthread_cond_broadcast(&subscription->changed);
        call_handler(subscription, &event);
        /* This call was waited for; one that returns on another thread makes no room. */
        subscription->stuck = false;
    }
    pthread_mutex_unlock(&subscription->lock);
    conv__subscription_drop(subscription);
    return NULL;
}

/* With the lock held. Its reference says whether it goes on. */
static bool start_thread(conv__subscription *subscription)
{
    if (subscription->started) return true;
    if (!conv__thread_start(&subscription->thread, run, subscription)) return false;
    subscription->started = true;
    subscription->references++;
    return true;
}

/* What a queue holds at most. Who chose no way to lose events loses none while there is memory for
 * them, nor who chose that it is waited for, when nobody waits any more; the bound is the largest
 * that anybody may choose. */
static size_t bound_of(const conv__subscription *subscription)
{
    const conv_subscription_params *params = &subscription->subscriber.params;
    bool keeps = params->delivery == CONV_DELIVERY_SYNCHRONOUS ||
                 (params->delivery == CONV_DELIVERY_WAIT && subscription->waits_no_more);
    return keeps ? CONV__MOST_QUEUED : (size_t)params->queue_events;
}

/* With the lock held: room in the ring, which grows up to its bound. */
static bool make_room(conv__subscription *subscription)
{
    size_t bound = bound_of(subscription);
    size_t old = subscription->capacity;
    if (subscription->count < old) return true;
    if (old >= bound) return false;
    size_t capacity = old == 0 ? FIRST_ROOM : 2 * old;
    if (capacity > bound) capacity = bound;
    conv_event *grown = conv__allocate(capacity * sizeof *grown);
    if (grown == NULL) return false;
    for (size_t i = 0; i < subscription->count; i++)
        grown[i] = subscription->queue[(subscription->first + i) % old];
    conv__release(subscription->queue);
    subscription->queue = grown;
    subscription->capacity = capacity;
    subscription->first = 0;
    return true;
}

static bool is_full(conv__subscription *subscription)
{
    return subscription->count >= (size_t)subscription->subscriber.params.queue_events ||
           !make_room(subscription);
}

/* Until when whoever brings events waits for room, for all of them together. */
typedef struct patience {
    int64_t until_ns; /* 0: it has not waited yet */
    int64_t deadline_ns;
    const conv__latest *latest;
} patience;

/* Never for itself, nor within a handler: two of them could wait for each other. */
static bool may_wait(const conv__subscription *subscription)
{
    return !subscription->stuck && !subscription->closed && !subscription->waits_no_more &&
           handler_depth == 0;
}

/* With the lock held: waits for a change; false when the time is up. */
static bool wait_for_change(conv__subscription *subscription, const patience *left)
{
    int64_t end_ns = left->until_ns < left->deadline_ns ? left->until_ns : left->deadline_ns;
    end_ns = conv__deadline_within(end_ns, left->latest);
    int64_t look_ns = left->latest != NULL ? conv__deadline_in_ms(CONV__LATEST_CHECK_MS) : end_ns;
    return conv__condition_wait(&subscription->changed, &subscription->lock,
                                look_ns < end_ns ? look_ns : end_ns) ||
           !conv__deadline_passed(end_ns);
}

/* With the lock held. */
static void wait_while_full(conv__subscription *subscription, patience *left)
{
    bool first = left->until_ns == 0;
    if (!is_full(subscription)) return;
    if (first) left->until_ns = conv__deadline_in_ms(subscription->subscriber.params.wait_ms);
    while (is_full(subscription) && may_wait(subscription)) {
        if (wait_for_change(subscription, left)) continue;
        /* Who had only a part of the time can't say that the handler does not move. */
        if (first && conv__deadline_passed(left->until_ns) && is_full(subscription))
            subscription->stuck = true;
        break;
    }
}

conv__bring_stage conv__subscription_stage(const conv__subscription *subscription, bool here)
{
    switch (subscription->subscriber.params.delivery) {
    case CONV_DELIVERY_SYNCHRONOUS:
        return here && handler_depth == 0 ? CONV__BRING_CALL : CONV__BRING_QUEUE;
    case CONV_DELIVERY_WAIT:
        return CONV__BRING_QUEUE;
    default:
        return CONV__BRING_AT_ONCE;
    }
}

/* With the lock held. */
static void enqueue(conv__subscription *subscription, const conv_event *event, patience *left)
{
    bool waits = conv__subscription_stage(subscription, false) == CONV__BRING_QUEUE;
    bool drops_oldest = subscription->subscriber.params.delivery == CONV_DELIVERY_DROP_OLDEST;
    bool started = start_thread(subscription);
    if (started && waits) wait_while_full(subscription, left);
    bool room = started && make_room(subscription);
    if (!room && drops_oldest && subscription->count > 0) {
        subscription->first = (subscription->first + 1) % subscription->capacity;
        subscription->count--;
        subscription->counts.dropped++;
        room = true;
    }
    if (!room || subscription->closed) {
        subscription->counts.dropped++;
        return;
    }
    size_t at = (subscription->first + subscription->count) % subscription->capacity;
    subscription->queue[at] = *event;
    subscription->count++;
    pthread_cond_broadcast(&subscription->changed);
}

void conv__subscription_bring(conv__subscription *subscription, const conv__news *news)
{
    bool calls = conv__subscription_stage(subscription, news->here) == CONV__BRING_CALL;
    patience left = {.deadline_ns = news->deadline_ns, .latest = news->latest};
    pthread_mutex_lock(&subscription->lock);
    for (size_t i = 0; i < news->count; i++) {
        const conv_event *event = &news->events[i];
        if ((subscription->subscriber.params.kinds & CONV_EVENT_SET(event->kind)) == 0) continue;
        if (subscription->closed || subscription->draining)
            subscription->counts.dropped++;
        else if (calls)
            call_handler(subscription, event);
        else
            enqueue(subscription, event, &left);
    }
    pthread_mutex_unlock(&subscription->lock);
}

void conv__subscription_stop_waiting(conv__subscription *subscription)
{
    pthread_mutex_lock(&subscription->lock);
    subscription->waits_no_more = true;
    pthread_cond_broadcast(&subscription->changed);
    pthread_mutex_unlock(&subscription->lock);
}

bool conv__subscription_wait_idle(conv__subscription *subscription, int64_t deadline_ns)
{
    bool waited = true;
    pthread_mutex_lock(&subscription->lock);
    while (waited && subscription->count + (size_t)subscription->counts.waiting > 0)
        waited = conv__condition_wait(&subscription->changed, &subscription->lock, deadline_ns);
    pthread_mutex_unlock(&subscription->lock);
    return waited;
}

void conv__subscription_drain(conv__subscription *subscription)
{
    pthread_mutex_lock(&subscription->lock);
    subscription->draining = true;
    pthread_cond_broadcast(&subscription->changed);
    pthread_mutex_unlock(&subscription->lock);
}

bool conv__subscription_wait(conv__subscription *subscription, int64_t deadline_ns)
{
    pthread_mutex_lock(&subscription->lock);
    while (subscription->references > 1 &&
           conv__condition_wait(&subscription->changed, &subscription->lock, deadline_ns))
        ;
    bool alone = subscription->references == 1;
    pthread_mutex_unlock(&subscription->lock);
    return alone;
}

size_t conv__subscription_stop(conv__subscription *subscription)
{
    const conv__subscriber *subscriber = &subscription->subscriber;
    pthread_mutex_lock(&subscription->lock);
    size_t left = (size_t)subscription->counts.waiting + subscription->count;
    subscription->closed = true;
    subscription->counts.dropped += (int64_t)subscription->count;
    subscription->count = 0;
    pthread_cond_broadcast(&subscription->changed);
    pthread_mutex_unlock(&subscription->lock);
    if (subscriber->on_stop != NULL) subscriber->on_stop(subscriber->params.context);
    return left;
}

conv_subscription_counts conv__subscription_count(conv__subscription *subscription)
{
    pthread_mutex_lock(&subscription->lock);
    conv_subscription_counts counts = subscription->counts;
    counts.waiting += (int64_t)subscription->count;
    pthread_mutex_unlock(&subscription->lock);
    return counts;
}

conv_status conv__subscription_create(const conv__subscriber *subscriber,
                                      conv__subscription **subscription, conv_error *error)
{
    *subscription = NULL;
    conv__subscription *made = conv__allocate(sizeof *made);
    if (made == NULL) return conv__fail_memory(error, ACTION);
    made->subscriber = *subscriber;
    conv_subscription_params *params = &made->subscriber.params;
    if (params->queue_events == 0) params->queue_events = DEFAULT_QUEUE;
    if (params->wait_ms == 0) params->wait_ms = DEFAULT_WAIT_MS;
    made->references = 1;
    pthread_mutex_init(&made->lock, NULL);
    conv__condition_init(&made->changed);
    pthread_mutex_lock(&made->lock);
    bool started = params->delivery == CONV_DELIVERY_SYNCHRONOUS || start_thread(made);
    pthread_mutex_unlock(&made->lock);
    if (!started) {
        params->on_release = NULL; /* the caller still has the context */
        destroy(made);
        return conv__fail(error, CONV_NO_MEMORY, ACTION, "no thread can be started");
    }
    *subscription = made;
    return CONV_OK;
}
