/* The list of subscriptions, and the way of an event along it. No lock is held while an event is
 * handed over, so handlers may subscribe, unsubscribe and emit. */
#include "events/bus.h"

#include <stdatomic.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/time.h"
#include "events/subscription.h"

#define ACTION "subscribe"

enum { GRACE_MS = 250 };
#define ALL_KINDS (CONV_EVENT_SET(CONV_EVENT_KINDS) - 1)

struct conv__bus {
    conv__bus_tap tap;
    void *tap_context;
    _Atomic uint64_t wanted;   /* kinds that somebody has subscribed; may still hold others' */
    pthread_mutex_t lock;      /* of what follows */
    conv__subscription *first; /* by number, ascending */
    uint64_t last_number;
    bool waits_no_more;
    conv__bus_counts ended; /* of subscriptions that are gone */
};

conv__bus *conv__bus_create(void)
{
    conv__bus *bus = conv__allocate(sizeof *bus);
    if (bus != NULL) pthread_mutex_init(&bus->lock, NULL);
    return bus;
}

void conv__bus_set_tap(conv__bus *bus, conv__bus_tap tap, void *context)
{
    bus->tap = tap;
    bus->tap_context = context;
}

/* Who gets events: of these kinds, at this stage, and subscribed before they were told. A handler
 * that subscribes anew each time would otherwise get the same event for ever. */
typedef struct audience {
    uint64_t kinds;
    uint64_t last_number;
    conv__bring_stage stage;
    bool here;
} audience;

static bool belongs(const audience *to, const conv__subscription *subscription)
{
    return (subscription->subscriber.params.kinds & to->kinds) != 0 &&
           conv__subscription_stage(subscription, to->here) == to->stage;
}

/* The next one behind `number`, with a reference for the caller, or NULL. */
static conv__subscription *next_of(conv__bus *bus, const audience *to, uint64_t number)
{
    pthread_mutex_lock(&bus->lock);
    conv__subscription *found = bus->first;
    while (found != NULL && (found->number <= number || !belongs(to, found)))
        found = found->next;
    if (found != NULL && found->number > to->last_number) found = NULL;
    if (found != NULL) conv__subscription_take(found);
    pthread_mutex_unlock(&bus->lock);
    return found;
}

static void bring(conv__bus *bus, const conv__news *news, const audience *to)
{
    uint64_t number = 0;
    for (conv__subscription *one; (one = next_of(bus, to, number)) != NULL;) {
        number = one->number;
        conv__subscription_bring(one, news);
        conv__subscription_drop(one);
    }
}

static uint64_t last_number(conv__bus *bus)
{
    pthread_mutex_lock(&bus->lock);
    uint64_t number = bus->last_number;
    pthread_mutex_unlock(&bus->lock);
    return number;
}

void conv__bus_tell(conv__bus *bus, const conv__news *news)
{
    audience to = {.stage = CONV__BRING_AT_ONCE};
    if (bus == NULL) return;
    for (size_t i = 0; i < news->count; i++) {
        to.kinds |= CONV_EVENT_SET(news->events[i].kind);
        if (bus->tap != NULL) bus->tap(bus->tap_context, &news->events[i]);
    }
    if ((atomic_load(&bus->wanted) & to.kinds) == 0) return;
    to.last_number = last_number(bus);
    to.here = news->here;
    bring(bus, news, &to);
    to.stage = CONV__BRING_QUEUE;
    bring(bus, news, &to);
    to.stage = CONV__BRING_CALL;
    for (size_t i = 0; news->here && i < news->count; i++) {
        conv__news one = *news;
        one.events = &news->events[i];
        one.count = 1;
        to.kinds = CONV_EVENT_SET(one.events->kind);
        bring(bus, &one, &to);
    }
}

void conv__bus_emit(conv__bus *bus, const conv_event *event)
{
    conv__bus_tell(bus, &(conv__news){event, 1, true, CONV__NO_DEADLINE, NULL});
}

void conv__bus_post(conv__bus *bus, const conv_event *event)
{
    conv__bus_tell(bus, &(conv__news){event, 1, false, CONV__NO_DEADLINE, NULL});
}

bool conv__bus_wants(conv__bus *bus, conv_event_kind kind)
{
    return bus != NULL && (atomic_load(&bus->wanted) & CONV_EVENT_SET(kind)) != 0;
}

void conv__bus_count_only(conv__bus *bus, const conv_event *event)
{
    if (bus != NULL && bus->tap != NULL) bus->tap(bus->tap_context, event);
}

static conv_status check(const conv_subscription_params *params, conv_error *error)
{
    const char *wrong = NULL;
    if (params->handler == NULL)
        wrong = "there is no handler";
    else if ((params->kinds & ~ALL_KINDS) != 0)
        wrong = "kinds holds one that is not known";
    else if ((unsigned)params->delivery > CONV_DELIVERY_DROP_OLDEST)
        wrong = "delivery is not known";
    else if (params->queue_events < 0 || params->queue_events > CONV__MOST_QUEUED)
        wrong = "queue_events is not 1 to 1000000";
    else if (params->wait_ms < 0)
        wrong = "wait_ms is negative";
    return wrong == NULL ? CONV_OK : conv__fail(error, CONV_INVALID_ARGUMENT, ACTION, "%s", wrong);
}

/* With the lock held. */
static void append(conv__bus *bus, conv__subscription *subscription)
{
    conv__subscription **end = &bus->first;
    while (*end != NULL)
        end = &(*end)->next;
    *end = subscription;
    subscription->number = ++bus->last_number;
    if (bus->waits_no_more) conv__subscription_stop_waiting(subscription);
    atomic_fetch_or(&bus->wanted, subscription->subscriber.params.kinds);
}

conv_status conv__bus_subscribe(conv__bus *bus, const conv__subscriber *subscriber,
                                uint64_t *subscription, conv_error *error)
{
    conv__subscription *made = NULL;
    conv__subscriber complete = *subscriber;
    *subscription = 0;
    conv_status status = check(&subscriber->params, error);
    if (complete.params.kinds == 0) complete.params.kinds = ALL_KINDS;
    if (status == CONV_OK) status = conv__subscription_create(&complete, &made, error);
    if (status != CONV_OK) return status;
    pthread_mutex_lock(&bus->lock);
    append(bus, made);
    *subscription = made->number;
    pthread_mutex_unlock(&bus->lock);
    return CONV_OK;
}

/* Takes it out of the list, so that the list's reference is the caller's; NULL if it is not there.
 */
static conv__subscription *take_out(conv__bus *bus, uint64_t number)
{
    uint64_t wanted = 0;
    pthread_mutex_lock(&bus->lock);
    conv__subscription **at = &bus->first;
    while (*at != NULL && (*at)->number != number)
        at = &(*at)->next;
    conv__subscription *found = *at;
    if (found != NULL) *at = found->next;
    for (const conv__subscription *one = bus->first; one != NULL; one = one->next)
        wanted |= one->subscriber.params.kinds;
    atomic_store(&bus->wanted, wanted);
    pthread_mutex_unlock(&bus->lock);
    return found;
}

static void remember(conv__bus *bus, conv__subscription *subscription)
{
    conv_subscription_counts counts = conv__subscription_count(subscription);
    pthread_mutex_lock(&bus->lock);
    bus->ended.delivered += counts.delivered;
    bus->ended.failed += counts.failed;
    bus->ended.dropped += counts.dropped;
    pthread_mutex_unlock(&bus->lock);
}

static conv_status not_found(conv_error *error, const char *action, uint64_t number)
{
    return conv__fail(error, CONV_NOT_FOUND, action, "there is no subscription %llu",
                      (unsigned long long)number);
}

conv_status conv__bus_unsubscribe(conv__bus *bus, uint64_t subscription, conv_error *error)
{
    conv__subscription *ending = take_out(bus, subscription);
    if (ending == NULL) return not_found(error, "unsubscribe", subscription);
    (void)conv__subscription_stop(ending);
    if (!conv__bus_in_handler()) (void)conv__subscription_wait(ending, CONV__NO_DEADLINE);
    remember(bus, ending);
    conv__subscription_drop(ending);
    return CONV_OK;
}

conv_status conv__bus_count_one(conv__bus *bus, uint64_t subscription,
                                conv_subscription_counts *counts, conv_error *error)
{
    pthread_mutex_lock(&bus->lock);
    conv__subscription *found = bus->first;
    while (found != NULL && found->number != subscription)
        found = found->next;
    if (found != NULL) *counts = conv__subscription_count(found);
    pthread_mutex_unlock(&bus->lock);
    return found != NULL ? CONV_OK : not_found(error, "count events", subscription);
}

conv__bus_counts conv__bus_count(conv__bus *bus)
{
    pthread_mutex_lock(&bus->lock);
    conv__bus_counts all = bus->ended;
    for (conv__subscription *one = bus->first; one != NULL; one = one->next) {
        conv_subscription_counts counts = conv__subscription_count(one);
        all.delivered += counts.delivered;
        all.failed += counts.failed;
        all.dropped += counts.dropped;
        all.waiting += counts.waiting;
        all.subscriptions++;
    }
    pthread_mutex_unlock(&bus->lock);
    return all;
}

void conv__bus_stop_waiting(conv__bus *bus)
{
    pthread_mutex_lock(&bus->lock);
    bus->waits_no_more = true;
    for (conv__subscription *one = bus->first; one != NULL; one = one->next)
        conv__subscription_stop_waiting(one);
    pthread_mutex_unlock(&bus->lock);
}

/* One that has something to do, with a reference for the caller, or NULL. */
static conv__subscription *next_busy(conv__bus *bus)
{
    pthread_mutex_lock(&bus->lock);
    conv__subscription *found = bus->first;
    while (found != NULL && conv__subscription_count(found).waiting == 0)
        found = found->next;
    if (found != NULL) conv__subscription_take(found);
    pthread_mutex_unlock(&bus->lock);
    return found;
}

void conv__bus_settle(conv__bus *bus, int64_t deadline_ns)
{
    bool in_time = true;
    int64_t before;
    /* One that was seen idle may have got something from one that was seen later. */
    do {
        before = conv__bus_count(bus).delivered;
        for (conv__subscription *one; in_time && (one = next_busy(bus)) != NULL;) {
            in_time = conv__subscription_wait_idle(one, deadline_ns);
            conv__subscription_drop(one);
        }
    } while (in_time && conv__bus_count(bus).delivered != before);
}

size_t conv__bus_close(conv__bus *bus, int64_t deadline_ns)
{
    size_t left = 0;
    if (bus == NULL) return 0;
    for (conv__subscription *one = bus->first; one != NULL; one = one->next)
        conv__subscription_drain(one);
    for (conv__subscription *one = bus->first; one != NULL; one = one->next)
        if (!conv__subscription_wait(one, deadline_ns)) left += conv__subscription_stop(one);
    /* Whoever was told to break off gets a moment for it, all of them the same. */
    int64_t grace_ns = conv__deadline_in_ms(GRACE_MS);
    while (bus->first != NULL) {
        conv__subscription *ending = bus->first;
        bus->first = ending->next;
        (void)conv__subscription_wait(ending,
                                      ending->subscriber.bounded ? CONV__NO_DEADLINE : grace_ns);
        conv__subscription_drop(ending);
    }
    pthread_mutex_destroy(&bus->lock);
    conv__release(bus);
    return left;
}
