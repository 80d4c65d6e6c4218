/* Health of a program that goes on saving on many threads (pthread_create stands in
 * support/health_watch.c) while its PostgreSQL server is stopped, restarted, frozen and thawed. */
#include "support/health_watch.h"

#include "fault/server.h"
#include "support/program.h"
#include "support/test.h"

static server *store;

static int setup(void **state)
{
    (void)state;
    test_program_setup(NULL);
    store = server_start();
    return store == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    server_remove(store);
    test_program_teardown();
    return 0;
}

static void assert_exchanges(long wanted)
{
    assert_int_equal(server_number(server_url(store), "SELECT count(*) FROM chat_exchanges"),
                     wanted);
}

static void a_server_that_is_stopped_and_started(void **state)
{
    (void)state;
    health_watch_start(server_url(store), "journal.db");
    for (int round = 0; round < 2; round++) {
        /* Not SIGKILL: the backends that are left may answer for a moment, rightly. */
        server_end(store, SIGQUIT);
        health_watch_broken();
        server_restart(store);
        health_watch_repaired();
    }
    assert_exchanges(health_watch_stop());
}

static void a_server_that_answers_nothing(void **state)
{
    (void)state;
    health_watch_start(server_url(store), "journal.db");
    server_freeze(store);
    health_watch_broken();
    server_thaw(store);
    health_watch_repaired();
    assert_exchanges(health_watch_stop());
}

static void a_server_without_a_journal(void **state)
{
    (void)state;
    health_watch_start(server_url(store), NULL);
    server_end(store, SIGQUIT);
    health_watch_broken();
    server_restart(store);
    health_watch_repaired();
    (void)health_watch_stop();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_server_that_is_stopped_and_started),
        TEST(a_server_that_answers_nothing),
        TEST(a_server_without_a_journal),
    };
    return RUN_TESTS("health server", tests);
}
