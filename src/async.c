/* The queue of submitted exchanges, the thread that saves them, and their results. What saving an
 * exchange means stands in services/save_exchange.c. */
#include "conversation/async.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "async_queue.h"
#include "client.h"
#include "core/error.h"
#include "core/thread.h"
#include "core/time.h"
#include "services/copy.h"
#include "services/reply.h"

#define ACTION "submit exchange"

enum { MOST_HELD = 4096, MOST_BYTES = 64 << 20, LEAST_MS = 1000 };

typedef struct submission {
    struct submission *next;
    conv_reply *reply; /* its arena has all that the row points to; NULL when that is settled */
    conv__exchange row;
    conv__save save;
    size_t bytes;
    conv_async_function on_result;
    conv_async_result result;
} submission;

typedef struct line {
    submission *first;
    submission *last;
} line;

struct conv__async {
    conv_client *client;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t work;
    pthread_cond_t room;
    line waiting; /* for the thread */
    line ready;   /* results to be collected */
    size_t held;  /* submitted, and the result not given out */
    size_t unsettled;
    size_t bytes;   /* of the unsettled */
    int descriptor; /* -1: nobody asked for one */
    bool stopping;
};

static void append(line *to, submission *one)
{
    one->next = NULL;
    if (to->last != NULL)
        to->last->next = one;
    else
        to->first = one;
    to->last = one;
}

static submission *take_first(line *from)
{
    submission *one = from->first;
    from->first = one->next;
    if (from->first == NULL) from->last = NULL;
    return one;
}

static void free_submission(submission *one)
{
    conv_reply_free(one->reply);
    conv__release(one);
}

static bool has_key(submission *const *batch, size_t count, const submission *one)
{
    for (size_t i = 0; i < count; i++)
        if (conv_uuid_compare(batch[i]->row.exchange_id, one->row.exchange_id) == 0 &&
            conv_uuid_compare(batch[i]->row.session.session_id, one->row.session.session_id) == 0)
            return true;
    return false;
}

/* With the lock held: what waits, as far as it may share a transaction. */
static size_t take_batch(conv__async *async, submission **batch)
{
    size_t count = 0;
    size_t bytes = 0;
    while (async->waiting.first != NULL && count < CONV__SAVE_MANY) {
        const submission *next = async->waiting.first;
        if (count > 0 && (bytes + next->bytes > CONV__BATCH_BYTES || has_key(batch, count, next)))
            break;
        bytes += next->bytes;
        batch[count++] = take_first(&async->waiting);
    }
    return count;
}

/* One deadline for all: exchanges of a session must not overtake each other because one was late.
 * What waited long behind others gets a second more than it asked for, and not one for each batch
 * before it. */
static void save_batch(conv__async *async, submission **batch, size_t count)
{
    conv__save *saves[CONV__SAVE_MANY];
    int64_t least = conv__deadline_in_ms(LEAST_MS);
    int64_t asked = batch[0]->save.deadline_ns;
    int64_t deadline = asked < least ? least : asked;
    int64_t most = conv__deadline_later(asked, LEAST_MS);
    if (deadline > most) deadline = most;
    for (size_t i = 0; i < count; i++) {
        saves[i] = &batch[i]->save;
        saves[i]->deadline_ns = deadline;
    }
    conv__saving_save_many(async->client->saving, saves, count, false);
}

static void tell_readable(conv__async *async)
{
    const uint64_t one = 1;
    /* A full counter is readable as well. */
    if (async->descriptor >= 0) (void)!write(async->descriptor, &one, sizeof one);
}

static void settle(conv__async *async, submission *one)
{
    conv_client *client = async->client;
    conv_async_result *result = &one->result;
    conv_async_function on_result = one->on_result;
    result->status = one->save.status;
    result->error = one->save.error;
    result->repeat = one->save.repeated;
    if (result->status == CONV_OK)
        result->saved = one->save.journaled ? CONV_SAVED_JOURNALED : CONV_SAVED_COMMITTED;
    conv_reply_free(one->reply);
    one->reply = NULL;
    if (on_result != NULL) on_result(result->context, result);
    pthread_mutex_lock(&async->lock);
    async->unsettled--;
    async->bytes -= one->bytes;
    if (on_result != NULL) {
        async->held--;
    } else {
        if (async->ready.first == NULL) tell_readable(async);
        append(&async->ready, one);
    }
    pthread_cond_broadcast(&async->room);
    pthread_mutex_unlock(&async->lock);
    if (on_result != NULL) free_submission(one);
    conv__client_leave_at_last(client); /* it entered when it was submitted */
}

static void *run(void *context)
{
    conv__async *async = context;
    submission *batch[CONV__SAVE_MANY];
    for (;;) {
        pthread_mutex_lock(&async->lock);
        while (async->waiting.first == NULL && !async->stopping)
            pthread_cond_wait(&async->work, &async->lock);
        size_t count = take_batch(async, batch);
        pthread_mutex_unlock(&async->lock);
        if (count == 0) return NULL;
        save_batch(async, batch, count);
        for (size_t i = 0; i < count; i++)
            settle(async, batch[i]);
    }
}

static void destroy(conv__async *async)
{
    while (async->ready.first != NULL)
        free_submission(take_first(&async->ready));
    if (async->descriptor >= 0) close(async->descriptor);
    pthread_cond_destroy(&async->work);
    pthread_cond_destroy(&async->room);
    pthread_mutex_destroy(&async->lock);
    conv__release(async);
}

static conv__async *create(conv_client *client)
{
    conv__async *async = conv__allocate(sizeof *async);
    if (async == NULL) return NULL;
    async->client = client;
    async->descriptor = -1;
    pthread_mutex_init(&async->lock, NULL);
    conv__condition_init(&async->work);
    conv__condition_init(&async->room);
    if (conv__thread_start(&async->thread, run, async)) return async;
    destroy(async);
    return NULL;
}

/* The client's queue, made if there is none yet; NULL when out of memory or threads. */
static conv__async *queue_of(conv_client *client)
{
    pthread_mutex_lock(&client->lock);
    if (client->async == NULL) client->async = create(client);
    conv__async *async = client->async;
    pthread_mutex_unlock(&client->lock);
    return async;
}

size_t conv__async_unsettled(conv_client *client)
{
    pthread_mutex_lock(&client->lock);
    conv__async *async = client->async;
    pthread_mutex_unlock(&client->lock);
    if (async == NULL) return 0;
    pthread_mutex_lock(&async->lock);
    size_t unsettled = async->unsettled;
    pthread_mutex_unlock(&async->lock);
    return unsettled;
}

static conv_status copy_text(conv__arena *arena, const char **text)
{
    conv_bytes copy;
    if (conv__arena_copy(arena, conv_text(*text), &copy) != CONV_OK) return CONV_NO_MEMORY;
    *text = copy.data;
    return CONV_OK;
}

static conv_status copy_exchange(conv__arena *arena, conv_exchange *exchange)
{
    conv_message *messages =
        conv__arena_allocate(arena, (exchange->message_count + 1) * sizeof *messages);
    if (messages == NULL || copy_text(arena, &exchange->session_id) != CONV_OK ||
        copy_text(arena, &exchange->user_id) != CONV_OK ||
        copy_text(arena, &exchange->turn_id) != CONV_OK ||
        copy_text(arena, &exchange->title) != CONV_OK ||
        conv__copy_usage(arena, &exchange->usage) != CONV_OK)
        return CONV_NO_MEMORY;
    for (size_t i = 0; i < exchange->message_count; i++) {
        messages[i] = exchange->messages[i];
        if (conv__copy_message(arena, &messages[i]) != CONV_OK) return CONV_NO_MEMORY;
    }
    exchange->messages = messages;
    return CONV_OK;
}

/* Whether the exchange can be copied at all; what is wrong otherwise is said by preparing it. */
static bool is_whole(const conv_exchange *exchange)
{
    return exchange != NULL && exchange->size == sizeof *exchange && exchange->messages != NULL;
}

static conv_status fill(conv_client *client, submission *one, const conv_exchange *exchange,
                        conv_error *error)
{
    conv_exchange copy;
    one->reply = conv__reply_create();
    if (one->reply == NULL) return conv__fail_memory(error, ACTION);
    if (is_whole(exchange)) {
        copy = *exchange;
        if (copy_exchange(&one->reply->arena, &copy) != CONV_OK)
            return conv__fail_memory(error, ACTION);
        exchange = &copy;
    }
    conv_status status =
        conv__prepare_exchange(&client->conversation, exchange, one->reply, &one->row, error);
    if (status != CONV_OK) return status;
    one->bytes = conv__exchange_bytes(&one->row);
    one->save = (conv__save){.exchange = &one->row,
                             .compare_reply = true,
                             .deadline_ns = conv__deadline_in_ms(client->store_timeout_ms)};
    memcpy(one->result.session_id, one->reply->session_id, sizeof one->result.session_id);
    memcpy(one->result.turn_id, one->reply->turn_id, sizeof one->result.turn_id);
    return CONV_OK;
}

/* With the lock held. */
static bool has_room(const conv__async *async, const submission *one)
{
    return async->held == 0 || (async->held < MOST_HELD &&
                                (async->bytes == 0 || async->bytes + one->bytes <= MOST_BYTES));
}

static conv_status put(conv__async *async, submission *one, int64_t timeout_ms, conv_error *error)
{
    int64_t deadline = conv__deadline_in_ms(timeout_ms);
    bool waits = timeout_ms > 0 && !pthread_equal(pthread_self(), async->thread);
    conv_status status = CONV_OK;
    pthread_mutex_lock(&async->lock);
    while (!has_room(async, one)) {
        if (waits && conv__condition_wait(&async->room, &async->lock, deadline)) continue;
        status = conv__fail(error, CONV_LIMIT, ACTION,
                            "%zu submitted exchanges are being saved or have results that nobody "
                            "collected; nothing was taken",
                            async->held);
        break;
    }
    if (status == CONV_OK) {
        async->held++;
        async->unsettled++;
        async->bytes += one->bytes;
        append(&async->waiting, one);
        pthread_cond_signal(&async->work);
    }
    pthread_mutex_unlock(&async->lock);
    return status;
}

static conv_status submit(conv_client *client, const conv_exchange *exchange,
                          const conv_async_params *params, conv_error *error)
{
    conv__async *async = queue_of(client);
    submission *one = conv__allocate(sizeof *one);
    conv_status status = async == NULL || one == NULL ? conv__fail_memory(error, ACTION)
                                                      : fill(client, one, exchange, error);
    if (status == CONV_OK) {
        one->on_result = params->on_result;
        one->result.context = params->context;
        status = put(async, one, params->timeout_ms, error);
    }
    if (status != CONV_OK && one != NULL) free_submission(one);
    return status;
}

conv_status conv_async_submit(conv_client *client, const conv_exchange *exchange,
                              const conv_async_params *params, conv_error *error)
{
    static const conv_async_params defaults = CONV_ASYNC_PARAMS_INIT;
    if (params == NULL) params = &defaults;
    conv_status status = conv__client_enter(client, ACTION, error);
    if (status != CONV_OK) return status;
    conv__client_stay(client);
    if (params->size != sizeof *params || params->timeout_ms < 0)
        status = conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                            "the parameters were not begun with CONV_ASYNC_PARAMS_INIT, or the "
                            "timeout is negative");
    if (status == CONV_OK) status = submit(client, exchange, params, error);
    /* What was taken leaves when it is settled, so that closing waits for it. */
    if (status != CONV_OK) conv__client_leave_at_last(client);
    return status;
}

static bool collect(conv__async *async, conv_async_result *result)
{
    uint64_t count;
    pthread_mutex_lock(&async->lock);
    submission *one = async->ready.first == NULL ? NULL : take_first(&async->ready);
    if (one != NULL) {
        async->held--;
        pthread_cond_broadcast(&async->room);
        if (async->ready.first == NULL && async->descriptor >= 0)
            (void)!read(async->descriptor, &count, sizeof count);
    }
    pthread_mutex_unlock(&async->lock);
    if (one == NULL) return false;
    *result = one->result;
    free_submission(one);
    return true;
}

conv_status conv_async_next(conv_client *client, conv_async_result *result, conv_error *error)
{
    conv_status status = conv__client_enter(client, "collect result", error);
    if (status != CONV_OK) return status;
    pthread_mutex_lock(&client->lock);
    conv__async *async = client->async;
    pthread_mutex_unlock(&client->lock);
    if (result == NULL)
        status = conv__fail(error, CONV_INVALID_ARGUMENT, "collect result",
                            "there is nowhere to put the result");
    else if (async == NULL || !collect(async, result))
        status = conv__fail(error, CONV_NOT_FOUND, "collect result", "there is none now");
    conv__client_leave(client);
    return status;
}

static conv_status open_descriptor(conv__async *async, int *descriptor, conv_error *error)
{
    conv_status status = CONV_OK;
    pthread_mutex_lock(&async->lock);
    if (async->descriptor < 0) {
        async->descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (async->descriptor < 0)
            status = conv__fail(error, errno == ENOMEM ? CONV_NO_MEMORY : CONV_LIMIT,
                                "open descriptor", "%s", strerrordesc_np(errno));
        else if (async->ready.first != NULL)
            tell_readable(async);
    }
    *descriptor = async->descriptor;
    pthread_mutex_unlock(&async->lock);
    return status;
}

conv_status conv_async_descriptor(conv_client *client, int *descriptor, conv_error *error)
{
    if (descriptor != NULL) *descriptor = -1;
    conv_status status = conv__client_enter(client, "open descriptor", error);
    if (status != CONV_OK) return status;
    conv__async *async = queue_of(client);
    if (descriptor == NULL)
        status = conv__fail(error, CONV_INVALID_ARGUMENT, "open descriptor",
                            "there is nowhere to put the descriptor");
    else if (async == NULL)
        status = conv__fail_memory(error, "open descriptor");
    else
        status = open_descriptor(async, descriptor, error);
    conv__client_leave(client);
    return status;
}

void conv__async_close(conv__async *async)
{
    if (async == NULL) return;
    pthread_mutex_lock(&async->lock);
    async->stopping = true;
    pthread_cond_signal(&async->work);
    pthread_mutex_unlock(&async->lock);
    pthread_join(async->thread, NULL);
    destroy(async);
}
