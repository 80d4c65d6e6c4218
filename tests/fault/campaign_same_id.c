/* The same turn ids from 2 processes of 8 threads each, with the same and with other content: one
 * of the contents is stored, once, and whoever brought another hears of a conflict. */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
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

/* Shared by the processes: how often a thread has come to the beginning of a window. */
static atomic_int *arrived;

/* All begin a window together, so that they meet. One that is lost keeps the others for a second.
 */
static void wait_for_others(long call)
{
    const struct timespec longest = {.tv_sec = 1};
    const int wanted = (int)(call / WINDOW + 1) * PROCESSES * THREADS;
    int now = atomic_fetch_add(arrived, 1) + 1;
    if (now % (PROCESSES * THREADS) == 0) syscall(SYS_futex, arrived, FUTEX_WAKE, INT_MAX, NULL);
    while (now < wanted) {
        if (syscall(SYS_futex, arrived, FUTEX_WAIT, now, &longest) != 0 && errno == ETIMEDOUT)
            break;
        now = atomic_load(arrived);
    }
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
    witness *lines = witness_open(run->lines);
    conv_client *client = caller_open(
        lines, &(caller_params){.store = store, .connections = 4, .timeout_ms = STORE_TIMEOUT_MS});
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
    arrived = campaign_share(sizeof *arrived);
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
