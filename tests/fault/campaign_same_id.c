/* The same turn ids from 2 processes of 8 threads each, with the same and with other content: one
 * of the contents is stored, once, and whoever brought another hears of a conflict. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fault/caller.h"
#include "fault/report.h"
#include "fault/server.h"
#include "fault/witness.h"

enum {
    PROCESSES = 2,
    THREADS = 8,
    STORE_TIMEOUT_MS = 20000,
    SESSIONS = 16,
    WINDOW = 8 /* ids that all threads try at once, each beginning elsewhere */
};

typedef struct worker {
    conv_client *client;
    witness *lines;
    uint64_t random;
    long calls;
    int number;
    pthread_t thread;
} worker;

/* Shared by the processes: where their threads meet at the beginning of a window. */
typedef struct meeting {
    pthread_mutex_t lock;
    pthread_cond_t all_are_there;
    long arrived;
} meeting;

static meeting *start;

static void make_meeting(void)
{
    pthread_mutexattr_t lock;
    pthread_condattr_t condition;
    start = campaign_share(sizeof *start);
    pthread_mutexattr_init(&lock);
    pthread_condattr_init(&condition);
    if (pthread_mutexattr_setpshared(&lock, PTHREAD_PROCESS_SHARED) != 0 ||
        pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED) != 0 ||
        pthread_mutex_init(&start->lock, &lock) != 0 ||
        pthread_cond_init(&start->all_are_there, &condition) != 0)
        exit(99);
}

/* All begin a window together, so that they meet. One that is lost keeps the others for a second.
 */
static void wait_for_others(long call)
{
    struct timespec end;
    int code = 0;
    long wanted = (call / WINDOW + 1) * PROCESSES * THREADS;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec++;
    pthread_mutex_lock(&start->lock);
    if (++start->arrived >= wanted) pthread_cond_broadcast(&start->all_are_there);
    while (start->arrived < wanted && code == 0)
        code = pthread_cond_timedwait(&start->all_are_there, &start->lock, &end);
    pthread_mutex_unlock(&start->lock);
}

/* Each id once for each thread. A batch has many of them, in any order. */
static uint64_t id_of(const worker *self, long call)
{
    long begin = self->number * WINDOW / THREADS;
    return (uint64_t)(call - call % WINDOW + (call + begin) % WINDOW);
}

static void *work(void *context)
{
    worker *self = context;
    for (long i = 0; i < self->calls; i++) {
        if (i % WINDOW == 0) wait_for_others(i);
        uint64_t random = fault_random(&self->random);
        uint64_t id = id_of(self, i);
        fault_turn turn = {.session = id % SESSIONS,
                           .turn = id,
                           .variant = random % 8 == 0 ? 1 + (uint32_t)(random >> 8) % 2 : 0};
        conv_status status =
            random % 2 == 0
                ? witness_save(self->lines, self->client, &turn, STORE_TIMEOUT_MS, NULL)
                : witness_process(self->lines, self->client, &turn, STORE_TIMEOUT_MS, NULL);
        if (status != CONV_OK && status != CONV_CONFLICT)
            fprintf(stderr, "unexpected: %s\n", conv_status_name(status));
    }
    return NULL;
}

static void run_process(const campaign *run, const char *store, uint64_t seed)
{
    static worker workers[THREADS];
    conv_client *client = caller_open(
        &(caller_params){.store = store, .connections = 4, .timeout_ms = STORE_TIMEOUT_MS});
    witness *lines = witness_open(run->lines);
    fault_provider();
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){.client = client,
                              .lines = lines,
                              .random = seed + (uint64_t)i,
                              .number = i,
                              .calls = run->trials / (PROCESSES * THREADS)};
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) exit(99);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
    conv_status status = witness_shut(lines, client, STORE_TIMEOUT_MS, NULL);
    conv_provider_free(fault_provider());
    witness_close(lines);
    _exit(status == CONV_OK ? 0 : 1);
}

int main(int argc, char **argv)
{
    campaign run = campaign_begin(argc, argv, (long[]){3200, 50000, 1000000});
    server *own = server_start();
    const char *store = server_url(own);
    make_meeting();
    pid_t processes[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        processes[i] = fork();
        if (processes[i] == 0) run_process(&run, store, run.seed + (uint64_t)i * 1000);
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status = 0;
        if (waitpid(processes[i], &status, 0) != processes[i] || status != 0) run.violations++;
    }
    /* Rows are sorted, so no writer ever waits for one that waits for it. */
    long deadlocks = server_number(
        store, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()");
    if (deadlocks != 0) {
        fprintf(stderr, "violation: %ld deadlocks\n", deadlocks);
        run.violations++;
    }
    checker_params params = {
        .lines = run.lines, .store = store, .drained = true, .unordered = true};
    checker_findings findings = checker_run(&params);
    campaign_report(&run, "same id, 2 processes of 8 threads", findings.calls, &findings);
    server_remove(own);
    return campaign_end(&run);
}
