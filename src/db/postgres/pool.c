/* Leasing of connections: who gets which, in which order, and how long somebody waits. It knows
 * no SQL. */
#include "db/postgres/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/process.h"
#include "core/thread.h"
#include "core/time.h"
#include "db/postgres/session.h"

#define ACTION "lease connection"

#define GROW_AFTER_MS        10000
#define TOO_MANY_CONNECTIONS "53300"

/* A caller that waits; lives on its stack. It is given a place among the open connections, and with
 * it an idle connection if there is one. */
typedef struct waiter {
    struct waiter *next;
    pthread_cond_t changed;
    bool served;
    conv__connection *connection; /* NULL: the place is free for a new one */
} waiter;

struct conv__pool {
    pthread_mutex_t lock;
    waiter *first;
    waiter *last;
    int waiting;
    int limit;
    int allowed;     /* less than the limit while the server has no connection left for us */
    int64_t grow_ns; /* until then */
    int open;
    int idle_count;
    conv__connection **idle; /* a stack: the one used last is the warmest */
    pid_t process;
    atomic_bool unnamed;
    char *conninfo;
    char *application;
    conv__connection_params connecting;
};

static void release(conv__pool *pool)
{
    pthread_mutex_destroy(&pool->lock);
    conv__release(pool->conninfo);
    conv__release(pool->application);
    conv__release(pool->idle);
    conv__release(pool);
}

conv_status conv__pool_create(const conv__pool_params *params, conv__pool **pool, conv_error *error)
{
    *pool = NULL;
    conv_status status = conv__connection_check(params->conninfo, error);
    if (status != CONV_OK) return status;
    conv__pool *made = conv__allocate(sizeof *made);
    if (made == NULL) return conv__fail_memory(error, ACTION);
    pthread_mutex_init(&made->lock, NULL);
    made->limit = made->allowed = params->connections;
    made->grow_ns = conv__monotonic_ns();
    made->process = conv__process_id();
    made->conninfo = conv__copy_text(params->conninfo);
    made->application = conv__copy_text(params->application);
    made->idle = conv__allocate((size_t)params->connections * sizeof *made->idle);
    atomic_init(&made->unnamed, params->pooler);
    if (made->conninfo == NULL || made->application == NULL || made->idle == NULL) {
        release(made);
        return conv__fail_memory(error, ACTION);
    }
    made->connecting =
        (conv__connection_params){made->conninfo, made->application, params->connect_timeout_ms,
                                  &made->unnamed, params->latest};
    *pool = made;
    return CONV_OK;
}

/* With the lock held: a place became free, with or without a connection in it. It goes to whoever
 * waits longest, so nobody who comes later overtakes. */
static void hand_on(conv__pool *pool, conv__connection *connection)
{
    waiter *one = pool->first;
    if (one != NULL) {
        pool->first = one->next;
        if (pool->first == NULL) pool->last = NULL;
        pool->waiting--;
        one->served = true;
        one->connection = connection;
        pthread_cond_signal(&one->changed);
    } else if (connection != NULL) {
        pool->idle[pool->idle_count++] = connection;
    } else {
        pool->open--;
    }
}

static void remove_waiter(conv__pool *pool, waiter *gone)
{
    waiter *before = NULL;
    for (waiter *one = pool->first; one != gone; one = one->next)
        before = one;
    if (before == NULL)
        pool->first = gone->next;
    else
        before->next = gone->next;
    if (pool->last == gone) pool->last = before;
    pool->waiting--;
}

/* With the lock held. */
static conv_status wait_for_place(conv__pool *pool, int64_t deadline_ns,
                                  conv__connection **connection, conv_error *error)
{
    waiter self = {.next = NULL};
    conv__condition_init(&self.changed);
    if (pool->last == NULL)
        pool->first = &self;
    else
        pool->last->next = &self;
    pool->last = &self;
    pool->waiting++;
    while (!self.served) {
        int64_t end_ns = conv__deadline_within(deadline_ns, pool->connecting.latest);
        int64_t look_ns = conv__deadline_in_ms(CONV__LATEST_CHECK_MS);
        if (conv__deadline_passed(end_ns)) break;
        (void)conv__condition_wait(&self.changed, &pool->lock, look_ns < end_ns ? look_ns : end_ns);
    }
    if (!self.served) remove_waiter(pool, &self);
    pthread_cond_destroy(&self.changed);
    *connection = self.connection;
    if (self.served) return CONV_OK;
    return conv__fail(error, CONV_LIMIT, ACTION,
                      "all %d connections were in use until the deadline; raise `connections`, or "
                      "ask less at once",
                      pool->limit);
}

static int allowed(const conv__pool *pool)
{
    return conv__deadline_passed(pool->grow_ns) ? pool->limit : pool->allowed;
}

/* Gives a place back for good, because the server has no connection left: what is open must do for
 * a while. False if nothing else is open, so that there is nothing to wait for. */
static bool shrink(conv__pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    bool others = pool->open > 1;
    if (others) {
        pool->allowed = --pool->open;
        pool->grow_ns = conv__deadline_in_ms(GROW_AFTER_MS);
    }
    pthread_mutex_unlock(&pool->lock);
    return others;
}

static conv_status take_place(conv__pool *pool, int64_t deadline_ns, conv__connection **connection,
                              conv_error *error)
{
    conv_status status = CONV_OK;
    pthread_mutex_lock(&pool->lock);
    if (pool->first == NULL && pool->idle_count > 0)
        *connection = pool->idle[--pool->idle_count];
    else if (pool->first == NULL && pool->open < allowed(pool))
        pool->open++;
    else
        status = wait_for_place(pool, deadline_ns, connection, error);
    pthread_mutex_unlock(&pool->lock);
    return status;
}

static void give_place(conv__pool *pool, conv__connection *connection)
{
    pthread_mutex_lock(&pool->lock);
    hand_on(pool, connection);
    pthread_mutex_unlock(&pool->lock);
}

static conv_status open_connection(conv__pool *pool, int64_t deadline_ns,
                                   conv__connection **connection, conv_error *error)
{
    conv_status status = conv__connection_open(&pool->connecting, deadline_ns, connection, error);
    if (status != CONV_OK) return status;
    status = conv__session_settle(*connection, error);
    if (status == CONV_OK) return CONV_OK;
    conv__connection_close(*connection);
    *connection = NULL;
    return status;
}

conv_status conv__pool_renew(conv__pool *pool, int64_t deadline_ns, conv__connection **connection,
                             conv_error *error)
{
    conv__connection_close(*connection);
    conv_status status = open_connection(pool, deadline_ns, connection, error);
    if (status != CONV_OK) give_place(pool, NULL);
    return status;
}

conv_status conv__pool_lease(conv__pool *pool, int64_t deadline_ns, conv__connection **connection,
                             conv_error *error)
{
    *connection = NULL;
    if (pool->process != conv__process_id())
        return conv__fail(error, CONV_STATE, ACTION,
                          "this process was forked after the store was opened; open it again here");
    for (;;) {
        conv_error failure = CONV_ERROR_INIT;
        conv_status status = take_place(pool, deadline_ns, connection, error);
        if (status != CONV_OK) return status;
        if (*connection != NULL && conv__connection_is_alive(*connection)) return CONV_OK;
        conv__connection_close(*connection);
        status = open_connection(pool, deadline_ns, connection, &failure);
        if (status == CONV_OK) return CONV_OK;
        if (strcmp(failure.sqlstate, TOO_MANY_CONNECTIONS) == 0 && shrink(pool)) continue;
        give_place(pool, NULL);
        if (error != NULL) *error = failure;
        return status;
    }
}

void conv__pool_return(conv__pool *pool, conv__connection *connection)
{
    if (conv__connection_is_broken(connection)) {
        conv__connection_close(connection);
        connection = NULL;
    }
    give_place(pool, connection);
}

conv__pool_gauges conv__pool_read_gauges(conv__pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    conv__pool_gauges gauges = {pool->limit, pool->open, pool->idle_count, pool->waiting};
    pthread_mutex_unlock(&pool->lock);
    return gauges;
}

void conv__pool_close(conv__pool *pool)
{
    if (pool == NULL) return;
    for (int i = 0; i < pool->idle_count; i++)
        conv__connection_close(pool->idle[i]);
    release(pool);
}
