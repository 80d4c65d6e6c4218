/* When a second batch begins beside the one under way. */
#include "support/test.h"

#include <pthread.h>
#include <sched.h>

#include "core/time.h"
#include "saving/group.h"

enum { BATCHES = 5, CALLERS = 80, FOR_EVER_MS = 3600000 };

/* Batches in the order they began; each lasts until the test lets it end. */
typedef struct room {
    conv__group *group;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t sizes[BATCHES];
    bool may_end[BATCHES];
    size_t begun;
    size_t failed;
    pthread_t threads[CALLERS];
    size_t callers;
} room;

static void work(void *context, conv__group_item **batch, size_t count)
{
    room *self = context;
    pthread_mutex_lock(&self->lock);
    size_t mine = self->begun++;
    if (mine < BATCHES) self->sizes[mine] = count;
    pthread_cond_broadcast(&self->changed);
    while (mine < BATCHES && !self->may_end[mine])
        pthread_cond_wait(&self->changed, &self->lock);
    pthread_mutex_unlock(&self->lock);
    for (size_t i = 0; i < count; i++)
        batch[i]->status = CONV_OK;
}

static void *call_group(void *context)
{
    room *self = context;
    conv__group_item item = {.deadline_ns = conv__deadline_in_ms(FOR_EVER_MS)};
    item.key = (uint64_t)(uintptr_t)&item;
    conv_status status = conv__group_do(self->group, &item);
    pthread_mutex_lock(&self->lock);
    self->failed += status != CONV_OK;
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

static void open_room(room *self, int64_t patience_ms)
{
    *self = (room){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    self->group = conv__group_create(&(conv__group_params){.action = "test",
                                                           .work = work,
                                                           .context = self,
                                                           .leaders = 2,
                                                           .batch_items = 64,
                                                           .batch_bytes = 1,
                                                           .queue_items = CALLERS,
                                                           .patience_ms = patience_ms});
    assert_non_null(self->group);
}

static void start_callers(room *self, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(pthread_create(&self->threads[self->callers++], NULL, call_group, self),
                         0);
}

static void await_waiting(room *self, size_t count)
{
    int64_t deadline = conv__deadline_in_ms(20000);
    while (conv__group_waiting(self->group) != count) {
        if (conv__deadline_passed(deadline)) fail_msg("%zu do not wait", count);
        sched_yield();
    }
}

/* Gives how many are in it. */
static size_t await_batch(room *self, size_t number)
{
    pthread_mutex_lock(&self->lock);
    while (self->begun <= number)
        pthread_cond_wait(&self->changed, &self->lock);
    size_t size = self->sizes[number];
    pthread_mutex_unlock(&self->lock);
    return size;
}

static void end_batch(room *self, size_t number)
{
    pthread_mutex_lock(&self->lock);
    self->may_end[number] = true;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

static void close_room(room *self)
{
    for (size_t i = 0; i < BATCHES; i++)
        end_batch(self, i);
    for (size_t i = 0; i < self->callers; i++)
        pthread_join(self->threads[i], NULL);
    assert_int_equal(self->failed, 0);
    assert_in_range(self->begun, 1, BATCHES);
    conv__group_free(self->group);
}

/* Two batches of one, and then one of `count`, which is under way alone. */
static void begin_batch_of(room *self, size_t count)
{
    for (size_t i = 0; i < 2; i++) {
        start_callers(self, 1);
        assert_int_equal(await_batch(self, i), 1);
    }
    start_callers(self, count);
    await_waiting(self, count);
    end_batch(self, 0);
    assert_int_equal(await_batch(self, 2), count);
    end_batch(self, 1);
}

static void a_second_batch_waits_for_as_many_as_are_under_way(void **state)
{
    (void)state;
    room self;
    open_room(&self, FOR_EVER_MS);
    begin_batch_of(&self, 6);
    start_callers(&self, 5);
    await_waiting(&self, 5);
    start_callers(&self, 1);
    assert_int_equal(await_batch(&self, 3), 6);
    close_room(&self);
}

static void plenty_is_enough_beside_any_batch(void **state)
{
    (void)state;
    room self;
    open_room(&self, FOR_EVER_MS);
    begin_batch_of(&self, 40);
    start_callers(&self, 23);
    await_waiting(&self, 23);
    start_callers(&self, 1);
    assert_int_equal(await_batch(&self, 3), 24);
    close_room(&self);
}

static void a_newcomer_does_not_wait_for_a_batch_that_hangs(void **state)
{
    (void)state;
    room self;
    open_room(&self, 5);
    begin_batch_of(&self, 6);
    start_callers(&self, 1);
    assert_int_equal(await_batch(&self, 3), 1);
    close_room(&self);
}

static void what_waits_is_worked_on_when_all_else_is_done(void **state)
{
    (void)state;
    room self;
    open_room(&self, FOR_EVER_MS);
    begin_batch_of(&self, 6);
    start_callers(&self, 3);
    await_waiting(&self, 3);
    end_batch(&self, 2);
    assert_int_equal(await_batch(&self, 3), 3);
    close_room(&self);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_batch_waits_for_as_many_as_are_under_way),
        cmocka_unit_test(plenty_is_enough_beside_any_batch),
        cmocka_unit_test(a_newcomer_does_not_wait_for_a_batch_that_hangs),
        cmocka_unit_test(what_waits_is_worked_on_when_all_else_is_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
