/* Leaders and followers. A follower sleeps on the state of its own item and takes no lock when it
 * wakes; a leader hands its place on before it wakes those whose work is done, so the next batch is
 * on its way meanwhile. */
#include "saving/group.h"

#include <pthread.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/sleep.h"
#include "core/thread.h"
#include "core/time.h"

/* Items whose own cost outweighs that of a batch. */
enum { PLENTY = 24 };

struct conv__group {
    conv__group_params params;
    pthread_mutex_t lock;
    pthread_cond_t room; /* the queue became shorter */
    conv__group_item *first;
    conv__group_item *last;
    size_t waiting;
    int leading;      /* callers that lead, or were called to */
    int called;       /* of them, those that have not taken their batch yet */
    size_t under_way; /* items in the batches of the others */
};

static void enqueue(conv__group *group, conv__group_item *item)
{
    atomic_store(&item->state, CONV__GROUP_WAITING);
    item->patient_until_ns = conv__deadline_in_ms(group->params.patience_ms);
    item->next = NULL;
    item->previous = group->last;
    if (group->last != NULL)
        group->last->next = item;
    else
        group->first = item;
    group->last = item;
    group->waiting++;
}

/* Whoever waits for it must look again, because now its own deadline counts. */
static void put_back(conv__group *group, conv__group_item *item)
{
    item->previous = NULL;
    item->next = group->first;
    if (group->first != NULL)
        group->first->previous = item;
    else
        group->last = item;
    group->first = item;
    group->waiting++;
    atomic_store(&item->state, CONV__GROUP_WAITING);
    conv__wake(&item->state);
}

static void dequeue(conv__group *group, conv__group_item *item)
{
    if (item->previous != NULL)
        item->previous->next = item->next;
    else
        group->first = item->next;
    if (item->next != NULL)
        item->next->previous = item->previous;
    else
        group->last = item->previous;
    item->previous = item->next = NULL;
    group->waiting--;
}

static bool has_key(conv__group_item *const *batch, size_t count, uint64_t key)
{
    for (size_t i = 0; i < count; i++)
        if (batch[i]->key == key) return true;
    return false;
}

/* With the lock held: whether another batch beside those under way is worth a transaction of its
 * own. Those whose work was done together come back one after the other; the first of them must not
 * go ahead alone, while the next batch can take them all. Who was called takes what waits. */
static bool is_worth(const conv__group *group, int others)
{
    if (others == 0) return true;
    if (group->first != NULL && conv__deadline_passed(group->first->patient_until_ns)) return true;
    if (group->waiting >= PLENTY * (size_t)(group->called + 1)) return true;
    return group->called == 0 && group->waiting >= group->under_way;
}

static void call(conv__group *group, conv__group_item *item)
{
    group->called++;
    atomic_store(&item->state, CONV__GROUP_LEADING);
}

/* Takes the leader's own item out of the queue, and with it, from the head on, what waits. */
static size_t take_batch(conv__group *group, conv__group_item *self, conv__group_item **batch)
{
    size_t count = 0;
    size_t bytes = self->bytes;
    dequeue(group, self);
    batch[count++] = self;
    if (self->alone) return count;
    for (conv__group_item *item = group->first;
         item != NULL && count < group->params.batch_items;) {
        conv__group_item *next = item->next;
        if (bytes + item->bytes > group->params.batch_bytes) break;
        if (atomic_load(&item->state) == CONV__GROUP_WAITING && !item->alone &&
            item->again == self->again && !has_key(batch, count, item->key)) {
            dequeue(group, item);
            atomic_store(&item->state, CONV__GROUP_TAKEN);
            batch[count++] = item;
            bytes += item->bytes;
        }
        item = next;
    }
    return count;
}

/* With the lock held: the place goes to whoever waits longest and was not called to lead already.
 */
static conv__group_item *hand_on(conv__group *group)
{
    conv__group_item *item = is_worth(group, group->leading - 1) ? group->first : NULL;
    while (item != NULL && atomic_load(&item->state) != CONV__GROUP_WAITING)
        item = item->next;
    if (item == NULL)
        group->leading--;
    else
        call(group, item);
    return item;
}

/* The item may be gone as soon as its state is set; waking nobody there does no harm. */
static void finish(conv__group_item *item)
{
    atomic_store(&item->state, CONV__GROUP_DONE);
    conv__wake(&item->state);
}

/* With the lock held: what is to be worked on again goes back, in its order; gives how many are
 * done, which are moved to the front. */
static size_t part_done(conv__group *group, conv__group_item **batch, size_t count)
{
    size_t done = 0;
    for (size_t i = count; i-- > 0;)
        if (batch[i]->again) put_back(group, batch[i]);
    for (size_t i = 0; i < count; i++)
        if (!batch[i]->again) batch[done++] = batch[i];
    return done;
}

static void lead(conv__group *group, conv__group_item *self)
{
    size_t count = 0;
    conv__group_item **batch = conv__allocate(group->params.batch_items * sizeof *batch);
    pthread_mutex_lock(&group->lock);
    group->called--;
    if (batch == NULL) {
        dequeue(group, self);
        self->again = false;
        self->status = conv__fail_memory(&self->error, group->params.action);
    } else {
        count = take_batch(group, self, batch);
        group->under_way += count;
        pthread_mutex_unlock(&group->lock);
        group->params.work(group->params.context, batch, count);
        pthread_mutex_lock(&group->lock);
        group->under_way -= count;
        count = part_done(group, batch, count);
    }
    if (!self->again) atomic_store(&self->state, CONV__GROUP_DONE);
    conv__group_item *next = hand_on(group);
    pthread_cond_broadcast(&group->room);
    pthread_mutex_unlock(&group->lock);
    if (next != NULL) conv__wake(&next->state);
    for (size_t i = 0; i < count; i++)
        if (batch[i] != self) finish(batch[i]);
    conv__release(batch);
}

static conv_status wait_for_room(conv__group *group, conv__group_item *item)
{
    while (group->waiting >= group->params.queue_items)
        if (!conv__condition_wait(&group->room, &group->lock, item->deadline_ns))
            return conv__fail(&item->error, CONV_LIMIT, group->params.action,
                              "%zu others were waiting and the deadline passed; the store is "
                              "slower than what comes in",
                              group->waiting);
    return CONV_OK;
}

/* Nobody took the item before its deadline; false when somebody did after all. */
static bool give_up(conv__group *group, conv__group_item *self)
{
    pthread_mutex_lock(&group->lock);
    bool waits = atomic_load(&self->state) == CONV__GROUP_WAITING;
    if (waits) {
        dequeue(group, self);
        pthread_cond_broadcast(&group->room);
        self->status =
            conv__fail(&self->error, CONV_TIMEOUT, group->params.action,
                       self->again ? "the deadline passed before it could be tried again"
                                   : "the deadline passed behind others that were being saved; "
                                     "nothing was sent");
    }
    pthread_mutex_unlock(&group->lock);
    return waits;
}

/* Takes a place that was left free because little waits: what is under way takes long. */
static void take_place(conv__group *group, conv__group_item *self)
{
    pthread_mutex_lock(&group->lock);
    if (atomic_load(&self->state) == CONV__GROUP_WAITING &&
        group->leading < group->params.leaders) {
        group->leading++;
        call(group, self);
    }
    pthread_mutex_unlock(&group->lock);
}

/* Until a leader is done with the item, or this caller is to lead (true). */
static bool wait_for_result(conv__group *group, conv__group_item *self)
{
    int64_t patience = self->patient_until_ns;
    for (;;) {
        uint32_t state = atomic_load(&self->state);
        if (state == CONV__GROUP_DONE) return false;
        if (state == CONV__GROUP_LEADING) return true;
        /* Once taken it is in somebody's work, which has its own deadline. */
        int64_t deadline = state == CONV__GROUP_TAKEN     ? CONV__NO_DEADLINE
                           : patience < self->deadline_ns ? patience
                                                          : self->deadline_ns;
        if (conv__sleep_while(&self->state, state, deadline) || state != CONV__GROUP_WAITING)
            continue;
        if (deadline == self->deadline_ns && give_up(group, self)) return false;
        patience = CONV__NO_DEADLINE; /* from now on whoever hands a place on sees it */
        take_place(group, self);
    }
}

conv_status conv__group_do(conv__group *group, conv__group_item *item)
{
    pthread_mutex_lock(&group->lock);
    conv_status status = item->status = wait_for_room(group, item);
    if (status == CONV_OK) {
        enqueue(group, item);
        if (group->leading < group->params.leaders && is_worth(group, group->leading)) {
            group->leading++;
            call(group, item);
        }
    }
    pthread_mutex_unlock(&group->lock);
    /* From here on the item's status is the leader's to write. */
    if (status != CONV_OK) return status;
    while (wait_for_result(group, item))
        lead(group, item);
    return item->status;
}

conv__group *conv__group_create(const conv__group_params *params)
{
    conv__group *group = conv__allocate(sizeof *group);
    if (group == NULL) return NULL;
    group->params = *params;
    conv__condition_init(&group->room);
    pthread_mutex_init(&group->lock, NULL);
    return group;
}

size_t conv__group_waiting(conv__group *group)
{
    pthread_mutex_lock(&group->lock);
    size_t waiting = group->waiting;
    pthread_mutex_unlock(&group->lock);
    return waiting;
}

void conv__group_free(conv__group *group)
{
    if (group == NULL) return;
    pthread_cond_destroy(&group->room);
    pthread_mutex_destroy(&group->lock);
    conv__release(group);
}
