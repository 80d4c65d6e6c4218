/* Leaders and followers. */
#include "saving/group.h"

#include <errno.h>
#include <time.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/time.h"

struct conv__group {
    conv__group_params params;
    pthread_mutex_t lock;
    pthread_cond_t room; /* the queue became shorter */
    conv__group_item *first;
    conv__group_item *last;
    size_t waiting;
    int leading;
};

static bool init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0) return false;
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    bool done = pthread_cond_init(condition, &attributes) == 0;
    pthread_condattr_destroy(&attributes);
    return done;
}

/* False when the deadline passed. */
static bool wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t deadline_ns)
{
    if (deadline_ns == CONV__NO_DEADLINE) return pthread_cond_wait(condition, lock) == 0;
    struct timespec until = {deadline_ns / 1000000000, deadline_ns % 1000000000};
    return pthread_cond_timedwait(condition, lock, &until) != ETIMEDOUT;
}

static void enqueue(conv__group *group, conv__group_item *item)
{
    item->state = CONV__GROUP_WAITING;
    item->next = NULL;
    item->previous = group->last;
    if (group->last != NULL)
        group->last->next = item;
    else
        group->first = item;
    group->last = item;
    group->waiting++;
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
        if (item->state == CONV__GROUP_WAITING && !item->alone &&
            !has_key(batch, count, item->key)) {
            dequeue(group, item);
            item->state = CONV__GROUP_TAKEN;
            batch[count++] = item;
            bytes += item->bytes;
        }
        item = next;
    }
    return count;
}

/* The place goes to whoever waits longest and was not called to lead already. */
static void hand_on(conv__group *group)
{
    conv__group_item *item = group->first;
    while (item != NULL && item->state != CONV__GROUP_WAITING)
        item = item->next;
    if (item == NULL) {
        group->leading--;
        return;
    }
    item->state = CONV__GROUP_LEADING;
    pthread_cond_signal(&item->changed);
}

/* Works on one batch, with the lock released meanwhile. */
static void lead(conv__group *group, conv__group_item *self)
{
    size_t count = 0;
    conv__group_item **batch = conv__allocate(group->params.batch_items * sizeof *batch);
    if (batch == NULL) {
        dequeue(group, self);
        self->status = conv__fail_memory(&self->error, group->params.action);
    } else {
        count = take_batch(group, self, batch);
        pthread_mutex_unlock(&group->lock);
        group->params.work(group->params.context, batch, count);
        pthread_mutex_lock(&group->lock);
    }
    self->state = CONV__GROUP_DONE;
    for (size_t i = 0; i < count; i++) {
        if (batch[i] == self) continue;
        batch[i]->state = CONV__GROUP_DONE;
        pthread_cond_signal(&batch[i]->changed);
    }
    hand_on(group);
    pthread_cond_broadcast(&group->room);
    conv__release(batch);
}

static conv_status wait_for_room(conv__group *group, conv__group_item *item)
{
    while (group->waiting >= group->params.queue_items)
        if (!wait_until(&group->room, &group->lock, item->deadline_ns))
            return conv__fail(&item->error, CONV_LIMIT, group->params.action,
                              "%zu others were waiting and the deadline passed; the store is "
                              "slower than what comes in",
                              group->waiting);
    return CONV_OK;
}

/* With the lock held: until a leader is done with the item, or it is this caller's turn to lead. */
static void wait_for_result(conv__group *group, conv__group_item *self)
{
    while (self->state == CONV__GROUP_WAITING || self->state == CONV__GROUP_TAKEN) {
        bool taken = self->state == CONV__GROUP_TAKEN;
        /* Once taken it is in somebody's work, which has its own deadline. */
        int64_t deadline = taken ? CONV__NO_DEADLINE : self->deadline_ns;
        if (wait_until(&self->changed, &group->lock, deadline) ||
            self->state != CONV__GROUP_WAITING)
            continue;
        dequeue(group, self);
        pthread_cond_broadcast(&group->room);
        self->status = conv__fail(&self->error, CONV_TIMEOUT, group->params.action,
                                  "the deadline passed behind others that were being saved; "
                                  "nothing was sent");
        self->state = CONV__GROUP_DONE;
    }
}

conv_status conv__group_do(conv__group *group, conv__group_item *item)
{
    if (!init_condition(&item->changed))
        return item->status = conv__fail_memory(&item->error, group->params.action);
    pthread_mutex_lock(&group->lock);
    item->status = wait_for_room(group, item);
    if (item->status == CONV_OK) {
        enqueue(group, item);
        if (group->leading < group->params.leaders) {
            group->leading++;
            item->state = CONV__GROUP_LEADING;
        }
        wait_for_result(group, item);
        if (item->state == CONV__GROUP_LEADING) lead(group, item);
    }
    pthread_mutex_unlock(&group->lock);
    pthread_cond_destroy(&item->changed);
    return item->status;
}

conv__group *conv__group_create(const conv__group_params *params)
{
    conv__group *group = conv__allocate(sizeof *group);
    if (group == NULL) return NULL;
    group->params = *params;
    if (!init_condition(&group->room)) {
        conv__release(group);
        return NULL;
    }
    pthread_mutex_init(&group->lock, NULL);
    return group;
}

void conv__group_free(conv__group *group)
{
    if (group == NULL) return;
    pthread_cond_destroy(&group->room);
    pthread_mutex_destroy(&group->lock);
    conv__release(group);
}
