/* Group commit by leaders and followers. Knows who waits and who goes together; how a batch is
 * saved is batch.c's. */
#include "saving/writer.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/time.h"

#define ACTION "save exchange"

enum request_state {
    REQUEST_WAITING, /* in the queue */
    REQUEST_TAKEN,   /* a leader is saving it */
    REQUEST_LEADING, /* still in the queue; its caller is to lead */
    REQUEST_DONE
};

/* Lives on its caller's stack, so its caller stays until it is done or out of the queue. */
typedef struct request {
    conv__save *save;
    size_t bytes;
    enum request_state state;
    pthread_cond_t changed;
    struct request *previous;
    struct request *next;
} request;

struct conv__writer {
    conv__writer_params params;
    pthread_mutex_t lock;
    pthread_cond_t room; /* the queue became shorter */
    request *first;
    request *last;
    size_t waiting;
    int leading;
};

static conv_status init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0) return CONV_NO_MEMORY;
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int failed = pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
    return failed ? CONV_NO_MEMORY : CONV_OK;
}

/* False when the deadline passed. */
static bool wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t deadline_ns)
{
    if (deadline_ns == CONV__NO_DEADLINE) return pthread_cond_wait(condition, lock) == 0;
    struct timespec until = {deadline_ns / 1000000000, deadline_ns % 1000000000};
    return pthread_cond_timedwait(condition, lock, &until) != ETIMEDOUT;
}

static void enqueue(conv__writer *writer, request *one)
{
    one->previous = writer->last;
    if (writer->last != NULL)
        writer->last->next = one;
    else
        writer->first = one;
    writer->last = one;
    writer->waiting++;
}

static void dequeue(conv__writer *writer, request *one)
{
    if (one->previous != NULL)
        one->previous->next = one->next;
    else
        writer->first = one->next;
    if (one->next != NULL)
        one->next->previous = one->previous;
    else
        writer->last = one->previous;
    one->previous = one->next = NULL;
    writer->waiting--;
}

/* A set of exchange keys, to keep two of the same out of one statement. Open addressing; the size
 * is a power of two and at least twice the batch. */
typedef struct key_set {
    const conv__exchange **slots;
    size_t mask;
} key_set;

static bool add_key(key_set *set, const conv__exchange *exchange)
{
    size_t hash = 0;
    memcpy(&hash, exchange->exchange_id.bytes + 8, sizeof hash);
    for (size_t i = hash & set->mask;; i = (i + 1) & set->mask) {
        const conv__exchange *other = set->slots[i];
        if (other == NULL) {
            set->slots[i] = exchange;
            return true;
        }
        if (conv_uuid_compare(other->exchange_id, exchange->exchange_id) == 0 &&
            conv_uuid_compare(other->session.session_id, exchange->session.session_id) == 0)
            return false;
    }
}

/* Takes the leader's own request out of the queue, and with it, from the head on, what waits. */
static size_t take_batch(conv__writer *writer, request *self, request **batch, key_set *keys)
{
    size_t count = 0;
    size_t bytes = self->bytes;
    dequeue(writer, self);
    batch[count++] = self;
    add_key(keys, self->save->exchange);
    if (self->save->exchange->replaces_failed) return count;
    for (request *one = writer->first; one != NULL && count < writer->params.batch_exchanges;) {
        request *next = one->next;
        if (bytes + one->bytes > writer->params.batch_bytes) break;
        if (one->state == REQUEST_WAITING && !one->save->exchange->replaces_failed &&
            add_key(keys, one->save->exchange)) {
            dequeue(writer, one);
            one->state = REQUEST_TAKEN;
            batch[count++] = one;
            bytes += one->bytes;
        }
        one = next;
    }
    return count;
}

/* The place goes to whoever waits longest and was not called to lead already. */
static void hand_on(conv__writer *writer)
{
    request *one = writer->first;
    while (one != NULL && one->state != REQUEST_WAITING)
        one = one->next;
    if (one == NULL) {
        writer->leading--;
        return;
    }
    one->state = REQUEST_LEADING;
    pthread_cond_signal(&one->changed);
}

/* Saves one batch, with the lock released meanwhile. */
static void lead(conv__writer *writer, request *self)
{
    size_t limit = writer->params.batch_exchanges;
    size_t slots = 4;
    while (slots < 2 * limit)
        slots *= 2;
    request **batch = conv__allocate(limit * sizeof *batch);
    conv__save **saves = conv__allocate(limit * sizeof *saves);
    key_set keys = {conv__allocate(slots * sizeof *keys.slots), slots - 1};
    size_t count = 0;
    if (batch == NULL || saves == NULL || keys.slots == NULL) {
        dequeue(writer, self);
        self->save->status = conv__fail_memory(&self->save->error, ACTION);
        self->state = REQUEST_DONE;
    } else {
        count = take_batch(writer, self, batch, &keys);
        for (size_t i = 0; i < count; i++)
            saves[i] = batch[i]->save;
        pthread_mutex_unlock(&writer->lock);
        conv__batch_save(writer->params.store, saves, count);
        pthread_mutex_lock(&writer->lock);
    }
    for (size_t i = 0; i < count; i++) {
        batch[i]->state = REQUEST_DONE;
        if (batch[i] != self) pthread_cond_signal(&batch[i]->changed);
    }
    hand_on(writer);
    pthread_cond_broadcast(&writer->room);
    conv__release(batch);
    conv__release(saves);
    conv__release(keys.slots);
}

static conv_status wait_for_room(conv__writer *writer, const conv__save *save, conv_error *error)
{
    while (writer->waiting >= writer->params.queue_exchanges)
        if (!wait_until(&writer->room, &writer->lock, save->deadline_ns))
            return conv__fail(error, CONV_LIMIT, ACTION,
                              "%zu exchanges are waiting to be saved and the deadline passed; the "
                              "store is slower than what comes in",
                              writer->waiting);
    return CONV_OK;
}

/* With the lock held: until a leader has settled the request, or it is this caller's turn to lead.
 */
static void wait_for_result(conv__writer *writer, request *self)
{
    while (self->state == REQUEST_WAITING || self->state == REQUEST_TAKEN) {
        bool taken = self->state == REQUEST_TAKEN;
        /* Once taken it is in somebody's transaction, which has its own deadline. */
        int64_t deadline = taken ? CONV__NO_DEADLINE : self->save->deadline_ns;
        if (wait_until(&self->changed, &writer->lock, deadline) || taken ||
            self->state != REQUEST_WAITING)
            continue;
        dequeue(writer, self);
        pthread_cond_broadcast(&writer->room);
        self->save->status = conv__fail(&self->save->error, CONV_TIMEOUT, ACTION,
                                        "the deadline passed while other exchanges were being "
                                        "saved; nothing was sent");
        self->state = REQUEST_DONE;
    }
}

conv_status conv__writer_save(conv__writer *writer, conv__save *save)
{
    request self = {.save = save, .bytes = conv__exchange_bytes(save->exchange)};
    if (init_condition(&self.changed) != CONV_OK)
        return save->status = conv__fail_memory(&save->error, ACTION);
    pthread_mutex_lock(&writer->lock);
    save->status = wait_for_room(writer, save, &save->error);
    if (save->status == CONV_OK) {
        enqueue(writer, &self);
        if (writer->leading < writer->params.leaders) {
            writer->leading++;
            self.state = REQUEST_LEADING;
        }
        wait_for_result(writer, &self);
        if (self.state == REQUEST_LEADING) lead(writer, &self);
    }
    pthread_mutex_unlock(&writer->lock);
    pthread_cond_destroy(&self.changed);
    return save->status;
}

conv_status conv__writer_create(const conv__writer_params *params, conv__writer **writer,
                                conv_error *error)
{
    conv__writer *made = conv__allocate(sizeof *made);
    *writer = NULL;
    if (made == NULL) return conv__fail_memory(error, "open client");
    made->params = *params;
    if (init_condition(&made->room) != CONV_OK) {
        conv__release(made);
        return conv__fail_memory(error, "open client");
    }
    pthread_mutex_init(&made->lock, NULL);
    *writer = made;
    return CONV_OK;
}

void conv__writer_free(conv__writer *writer)
{
    if (writer == NULL) return;
    pthread_cond_destroy(&writer->room);
    pthread_mutex_destroy(&writer->lock);
    conv__release(writer);
}
