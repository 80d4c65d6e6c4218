/* Leasing of connections. */
#include "support/postgres.h"
#include "support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/time.h"
#include "db/postgres/libpq.h"
#include "db/postgres/pool.h"

static conv_error error;

static conv__pool *make_pool(const char *conninfo, int connections)
{
    conv__pool *pool = NULL;
    conv__pool_params params = {.conninfo = conninfo,
                                .application = "conversation pool",
                                .connections = connections,
                                .connect_timeout_ms = 5000};
    assert_ok(conv__pool_create(&params, &pool, &error), error);
    return pool;
}

static conv__connection *lease(conv__pool *pool)
{
    conv__connection *connection = NULL;
    assert_ok(conv__pool_lease(pool, conv__deadline_in_ms(5000), &connection, &error), error);
    return connection;
}

static void opens_on_demand_and_keeps(void **state)
{
    (void)state;
    conv__pool *pool = make_pool(postgres_url(), 3);
    assert_int_equal(conv__pool_read_gauges(pool).open, 0);
    conv__connection *first = lease(pool);
    conv__connection *second = lease(pool);
    conv__pool_gauges gauges = conv__pool_read_gauges(pool);
    assert_int_equal(gauges.limit, 3);
    assert_int_equal(gauges.open, 2);
    assert_int_equal(gauges.idle, 0);
    conv__pool_return(pool, first);
    conv__pool_return(pool, second);
    assert_int_equal(conv__pool_read_gauges(pool).idle, 2);
    /* The one used last is the next. */
    assert_ptr_equal(lease(pool), second);
    assert_int_equal(conv__pool_read_gauges(pool).open, 2);
    conv__pool_return(pool, second);
    conv__pool_close(pool);
}

static void ends_the_wait_at_the_deadline(void **state)
{
    (void)state;
    conv__pool *pool = make_pool(postgres_url(), 1);
    conv__connection *held = lease(pool);
    conv__connection *none = held;
    int64_t begun = conv__monotonic_ns();
    assert_status(conv__pool_lease(pool, conv__deadline_in_ms(50), &none, &error), CONV_LIMIT,
                  error);
    assert_true(conv__monotonic_ns() - begun >= INT64_C(50000000));
    assert_null(none);
    assert_int_equal(error.recovery, CONV_RECOVERY_BACKOFF);
    assert_non_null(strstr(error.message, "all 1 connections were in use"));
    assert_int_equal(conv__pool_read_gauges(pool).waiting, 0);
    conv__pool_return(pool, held);
    assert_ptr_equal(lease(pool), held);
    conv__pool_return(pool, held);
    conv__pool_close(pool);
}

enum { WAITERS = 6 };

typedef struct queue {
    conv__pool *pool;
    atomic_int served;
    int order[WAITERS];
    atomic_int failed;
} queue;

typedef struct guest {
    queue *shared;
    int number;
} guest;

static void *wait_in_queue(void *argument)
{
    guest *self = argument;
    conv__connection *connection = NULL;
    if (conv__pool_lease(self->shared->pool, conv__deadline_in_ms(10000), &connection, NULL) !=
        CONV_OK) {
        atomic_fetch_add(&self->shared->failed, 1);
        return NULL;
    }
    self->shared->order[atomic_fetch_add(&self->shared->served, 1)] = self->number;
    conv__pool_return(self->shared->pool, connection);
    return NULL;
}

static void first_come_first_served(void **state)
{
    (void)state;
    queue shared = {.pool = make_pool(postgres_url(), 1)};
    pthread_t threads[WAITERS];
    guest guests[WAITERS];
    conv__connection *held = lease(shared.pool);
    for (int i = 0; i < WAITERS; i++) {
        guests[i] = (guest){&shared, i};
        assert_int_equal(pthread_create(&threads[i], NULL, wait_in_queue, &guests[i]), 0);
        while (conv__pool_read_gauges(shared.pool).waiting <= i)
            usleep(100);
    }
    conv__pool_return(shared.pool, held);
    for (int i = 0; i < WAITERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(shared.failed, 0);
    for (int i = 0; i < WAITERS; i++)
        assert_int_equal(shared.order[i], i);
    conv__pool_gauges gauges = conv__pool_read_gauges(shared.pool);
    assert_int_equal(gauges.open, 1);
    assert_int_equal(gauges.idle, 1);
    assert_int_equal(gauges.waiting, 0);
    conv__pool_close(shared.pool);
}

static void a_dead_idle_connection_is_replaced(void **state)
{
    (void)state;
    conv__pool *pool = make_pool(postgres_url(), 2);
    conv__connection *first = lease(pool);
    conv__connection *second = lease(pool);
    int pids[] = {PQbackendPID(first->link), PQbackendPID(second->link)};
    conv__pool_return(pool, first);
    conv__pool_return(pool, second);
    PGconn *link = postgres_link();
    postgres_execute(link, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                           " WHERE application_name = 'conversation pool'"
                           " AND datname = current_database()");
    PQfinish(link);
    first = lease(pool);
    second = lease(pool);
    assert_int_equal(PQstatus(first->link), CONNECTION_OK);
    assert_int_equal(PQstatus(second->link), CONNECTION_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_not_equal(PQbackendPID(first->link), pids[i]);
        assert_int_not_equal(PQbackendPID(second->link), pids[i]);
    }
    conv__pool_return(pool, first);
    conv__pool_return(pool, second);
    assert_int_equal(conv__pool_read_gauges(pool).open, 2);
    conv__pool_close(pool);
}

static void a_broken_connection_does_not_come_back(void **state)
{
    (void)state;
    conv__pool *pool = make_pool(postgres_url(), 1);
    conv__connection *broken = lease(pool);
    broken->broken = true;
    conv__pool_return(pool, broken);
    assert_int_equal(conv__pool_read_gauges(pool).open, 0);
    conv__connection *fresh = lease(pool);
    assert_int_equal(PQstatus(fresh->link), CONNECTION_OK);
    conv__pool_return(pool, fresh);
    conv__pool_close(pool);
}

/* A failed attempt to connect must not cost a place. */
static void failures_do_not_use_up_the_pool(void **state)
{
    (void)state;
    conv__pool *pool = make_pool("host=/not/there", 2);
    conv__connection *none = NULL;
    for (int i = 0; i < 5; i++)
        assert_status(conv__pool_lease(pool, conv__deadline_in_ms(1000), &none, &error),
                      CONV_UNAVAILABLE, error);
    conv__pool_gauges gauges = conv__pool_read_gauges(pool);
    assert_int_equal(gauges.open, 0);
    assert_int_equal(gauges.waiting, 0);
    conv__pool_close(pool);
}

static void *lease_and_return(void *argument)
{
    queue *shared = argument;
    for (int i = 0; i < 20; i++) {
        conv__connection *connection = NULL;
        if (conv__pool_lease(shared->pool, conv__deadline_in_ms(10000), &connection, NULL) !=
            CONV_OK) {
            atomic_fetch_add(&shared->failed, 1);
            return NULL;
        }
        atomic_fetch_add(&shared->served, 1);
        conv__pool_return(shared->pool, connection);
    }
    return NULL;
}

/* The server gives this role two connections, the pool would like five: two must do. */
static void a_server_without_connections_left(void **state)
{
    (void)state;
    char sql[128];
    char role[64];
    PGconn *link = postgres_link();
    snprintf(role, sizeof role, "conversation_limited_%d", (int)getpid());
    snprintf(sql, sizeof sql, "CREATE ROLE %s LOGIN CONNECTION LIMIT 2", role);
    postgres_execute(link, sql);
    queue shared = {.pool = make_pool(postgres_url_with("user", role), 5)};
    pthread_t threads[WAITERS];
    for (int i = 0; i < WAITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, lease_and_return, &shared), 0);
    for (int i = 0; i < WAITERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(shared.failed, 0);
    assert_int_equal(shared.served, WAITERS * 20);
    /* With nothing of ours open there is nothing to wait for. */
    conv__pool *other = make_pool(postgres_url_with("user", role), 5);
    conv__connection *first = lease(shared.pool);
    conv__connection *second = lease(shared.pool);
    conv__connection *none = NULL;
    assert_status(conv__pool_lease(other, conv__deadline_in_ms(5000), &none, &error), CONV_LIMIT,
                  error);
    assert_string_equal(error.sqlstate, "53300");
    conv__pool_return(shared.pool, first);
    conv__pool_return(shared.pool, second);
    conv__pool_close(shared.pool);
    conv__pool_close(other);
    snprintf(sql, sizeof sql, "DROP ROLE %s", role);
    postgres_execute(link, sql);
    PQfinish(link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_on_demand_and_keeps),
        cmocka_unit_test(ends_the_wait_at_the_deadline),
        cmocka_unit_test(first_come_first_served),
        cmocka_unit_test(a_dead_idle_connection_is_replaced),
        cmocka_unit_test(a_broken_connection_does_not_come_back),
        cmocka_unit_test(failures_do_not_use_up_the_pool),
        cmocka_unit_test(a_server_without_connections_left),
    };
    return RUN_TESTS_WITH("postgres pool", tests, postgres_setup_empty, postgres_teardown);
}
