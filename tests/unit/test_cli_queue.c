/* The queue between the reader of a file and its workers: bounded, and in order within a session.
 * Assertions are made on the main thread only. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cli/queue.h"
#include "support/test.h"

enum { WORKERS = 8, SESSIONS = 5, JOBS = 400 };

static cli_queue queue;

static cli_job *job_of(uint8_t session, size_t number, size_t bytes)
{
    cli_job *job = calloc(1, sizeof *job);
    assert_non_null(job);
    job->session_id.bytes[0] = session;
    job->number = number;
    job->bytes = bytes;
    return job;
}

static void jobs_come_in_the_order_of_the_file(void **state)
{
    (void)state;
    assert_true(cli_queue_open(&queue, 4, 100));
    cli_queue_enter(&queue);
    for (size_t i = 1; i <= 3; i++)
        assert_true(cli_queue_put(&queue, job_of((uint8_t)i, i, 1), 0));
    cli_queue_end(&queue);
    for (size_t i = 1; i <= 3; i++) {
        cli_job *job = cli_queue_take(&queue);
        assert_int_equal(job->number, i);
        cli_queue_done(&queue, job);
    }
    assert_false(cli_queue_wait(&queue, 0));
    assert_null(cli_queue_take(&queue));
    assert_true(cli_queue_wait(&queue, 0));
    cli_queue_close(&queue);
}

static void a_session_that_is_under_way_is_passed_over(void **state)
{
    (void)state;
    assert_true(cli_queue_open(&queue, 4, 100));
    assert_true(cli_queue_put(&queue, job_of(1, 1, 1), 0));
    assert_true(cli_queue_put(&queue, job_of(1, 2, 1), 0));
    assert_true(cli_queue_put(&queue, job_of(2, 3, 1), 0));
    assert_true(cli_queue_put(&queue, job_of(1, 4, 1), 0));
    cli_job *first = cli_queue_take(&queue);
    cli_job *other = cli_queue_take(&queue);
    assert_int_equal(first->number, 1);
    assert_int_equal(other->number, 3);
    cli_queue_done(&queue, first);
    cli_job *second = cli_queue_take(&queue);
    assert_int_equal(second->number, 2);
    cli_queue_done(&queue, second);
    cli_queue_done(&queue, other);
    cli_queue_close(&queue); /* frees the fourth: the sanitizer would tell */
}

static void a_full_queue_takes_no_more(void **state)
{
    (void)state;
    assert_true(cli_queue_open(&queue, 2, 100));
    assert_true(cli_queue_put(&queue, job_of(1, 1, 1), 0));
    assert_true(cli_queue_put(&queue, job_of(2, 2, 1), 0));
    cli_job *third = job_of(3, 3, 1);
    assert_false(cli_queue_put(&queue, third, 1));
    cli_job *taken = cli_queue_take(&queue);
    assert_true(cli_queue_put(&queue, third, 0));
    cli_queue_done(&queue, taken);
    cli_queue_close(&queue);
}

static void bytes_are_bounded_but_a_large_one_passes_alone(void **state)
{
    (void)state;
    assert_true(cli_queue_open(&queue, 4, 100));
    assert_true(cli_queue_put(&queue, job_of(1, 1, 1000), 0));
    cli_job *small = job_of(2, 2, 1);
    assert_false(cli_queue_put(&queue, small, 0));
    cli_job *large = cli_queue_take(&queue);
    assert_true(cli_queue_put(&queue, small, 0));
    cli_queue_done(&queue, large);
    cli_queue_close(&queue);
}

static atomic_int under_way[SESSIONS];
static atomic_size_t last_number[SESSIONS];
static atomic_int mistakes;
static atomic_int done;

static void *work(void *context)
{
    (void)context;
    for (cli_job *job; (job = cli_queue_take(&queue)) != NULL;) {
        uint8_t session = job->session_id.bytes[0];
        if (atomic_fetch_add(&under_way[session], 1) != 0) mistakes++;
        if (atomic_exchange(&last_number[session], job->number) >= job->number) mistakes++;
        atomic_fetch_sub(&under_way[session], 1);
        done++;
        cli_queue_done(&queue, job);
    }
    return NULL;
}

static void many_workers_keep_the_order_of_each_session(void **state)
{
    (void)state;
    pthread_t threads[WORKERS];
    assert_true(cli_queue_open(&queue, 2 * WORKERS, 1000));
    for (size_t i = 0; i < WORKERS; i++) {
        cli_queue_enter(&queue);
        assert_int_equal(pthread_create(&threads[i], NULL, work, NULL), 0);
    }
    for (size_t i = 1; i <= JOBS; i++)
        while (!cli_queue_put(&queue, job_of((uint8_t)(i * i % SESSIONS), i, 1), 100)) {
        }
    cli_queue_end(&queue);
    while (!cli_queue_wait(&queue, 100)) {
    }
    for (size_t i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(mistakes, 0);
    assert_int_equal(done, JOBS);
    cli_queue_close(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_come_in_the_order_of_the_file),
        cmocka_unit_test(a_session_that_is_under_way_is_passed_over),
        cmocka_unit_test(a_full_queue_takes_no_more),
        cmocka_unit_test(bytes_are_bounded_but_a_large_one_passes_alone),
        cmocka_unit_test(many_workers_keep_the_order_of_each_session),
    };
    return RUN_TESTS("queue", tests);
}
