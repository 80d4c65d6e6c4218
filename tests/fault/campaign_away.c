/* The store is away when a program starts, and comes back while it runs or only for the next one;
 * and a program ends while the server is frozen, or a provider answers: closing keeps its deadline,
 * the journal the rest, also of calls and submissions under way. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conversation/journal.h"
#include "fault/caller.h"
#include "fault/proxy.h"
#include "fault/report.h"
#include "fault/server.h"

enum { TIMEOUT_MS = 20000, CLOSE_MS = 300, TURNS = 6, CALLERS = 6, SUBMITTED = 40, ENTER_MS = 400 };
enum { ASKING = 1 }; /* a turn that caller_way processes */

typedef struct away {
    campaign run;
    server *store;
    proxy *between;
    witness *lines;
    uint64_t session;
} away;

static conv_client *open_client(const away *self)
{
    caller_params params = {.store = proxy_url(self->between),
                            .journal = self->run.journal,
                            .connections = 2,
                            .timeout_ms = TIMEOUT_MS};
    return caller_open(self->lines, &params);
}

static void save_and_track(away *self, conv_client *client)
{
    for (uint64_t i = 0; i < TURNS; i++) {
        fault_turn turn = {.session = self->session, .turn = i};
        if (caller_save(self->lines, client, caller_way(&turn), &turn, TIMEOUT_MS, 1) == 0)
            self->run.violations++;
        if (witness_track(self->lines, client, &turn, true, NULL) != CONV_OK)
            self->run.violations++;
    }
}

/* Another program still reaches the store: the record is there before its exchange. */
static void track_elsewhere(away *self, conv_client *client)
{
    caller_params params = {
        .store = server_url(self->store), .connections = 1, .timeout_ms = TIMEOUT_MS};
    conv_client *other = caller_open(self->lines, &params);
    fault_turn last = {.session = self->session, .turn = TURNS};
    if (witness_save_and_track(self->lines, client, other, &last, TIMEOUT_MS, NULL) != CONV_OK)
        self->run.violations++;
    caller_end(self->lines, other);
}

static void start_without_store(away *self, long trial)
{
    proxy_refuse(self->between, true);
    proxy_cut_all(self->between);
    conv_client *client = open_client(self);
    save_and_track(self, client);
    track_elsewhere(self, client);
    if (trial % 2 == 0) {
        (void)!witness_shut(self->lines, client, CLOSE_MS, NULL);
        client = NULL;
    }
    proxy_refuse(self->between, false);
    caller_end(self->lines, client != NULL ? client : open_client(self));
}

static void end_with_frozen_server(away *self, long trial)
{
    conv_client *client = open_client(self);
    save_and_track(self, client);
    self->session++;
    if (trial % 2 == 0) {
        /* Something waits already, and the thread that drains is at it. */
        proxy_refuse(self->between, true);
        proxy_cut_all(self->between);
        save_and_track(self, client);
        proxy_refuse(self->between, false);
        self->session++;
    }
    server_freeze(self->store);
    usleep((useconds_t)(fault_random(&self->run.random) % 300) * 1000);
    fault_turn turn = {.session = self->session};
    if (witness_track(self->lines, client, &turn, true, NULL) != CONV_OK) self->run.violations++;
    /* Else closing is what flushes it. */
    if (trial % 4 < 2) (void)!witness_flush(self->lines, client, &turn, CLOSE_MS, NULL);
    (void)!witness_shut(self->lines, client, CLOSE_MS, NULL);
    server_thaw(self->store);
    caller_end(self->lines, open_client(self));
}

/* A program's thread, in a session of its own. */
typedef struct calling {
    away *owner;
    conv_client *client;
    pthread_t thread;
    fault_turn turn;
} calling;

static atomic_int calls_begun;
static atomic_int not_kept;
static witness_submitted submitted[SUBMITTED];

static void *call_once(void *context)
{
    calling *self = context;
    atomic_fetch_add(&calls_begun, 1);
    if (caller_save(self->owner->lines, self->client, caller_way(&self->turn), &self->turn,
                    TIMEOUT_MS, 1) == 0)
        atomic_fetch_add(&not_kept, 1);
    return NULL;
}

static void take_result(void *context, const conv_async_result *result)
{
    (void)context;
    if (result->status != CONV_OK) atomic_fetch_add(&not_kept, 1);
    witness_collect(result);
}

/* What closing stops is kept, and was told so when closing ends; the journal is free then. */
static void end_with_calls_under_way(away *self, long trial)
{
    calling callers[CALLERS];
    conv_client *client = open_client(self);
    atomic_store(&calls_begun, 0);
    atomic_store(&not_kept, 0);
    if (trial % 2 == 0) save_and_track(self, client);
    self->session++;
    server_freeze(self->store);
    for (uint64_t i = 0; i < SUBMITTED; i++) {
        fault_turn turn = {.session = self->session, .turn = i};
        submitted[i].limit_ms = TIMEOUT_MS;
        if (witness_submit(self->lines, client, &turn, take_result, &submitted[i], NULL) != CONV_OK)
            self->run.violations++;
    }
    for (uint64_t i = 0; i < CALLERS; i++) {
        self->session++;
        callers[i] = (calling){
            .owner = self, .client = client, .turn = {.session = self->session, .turn = i}};
        if (pthread_create(&callers[i].thread, NULL, call_once, &callers[i]) != 0) abort();
    }
    while (atomic_load(&calls_begun) < CALLERS)
        usleep(1000);
    usleep((useconds_t)(ENTER_MS + fault_random(&self->run.random) % 300) * 1000);
    (void)!witness_shut(self->lines, client, CLOSE_MS, NULL);
    for (int i = 0; i < CALLERS; i++)
        pthread_join(callers[i].thread, NULL);
    self->run.violations += atomic_load(&not_kept);
    server_thaw(self->store);
    caller_end(self->lines, open_client(self));
}

/* The client goes on a thread of its own when its last call has left. */
static void await_journal(const away *self)
{
    conv_journal *journal = NULL;
    while (conv_journal_open(self->run.journal, &journal, NULL) == CONV_STATE)
        usleep(1000);
    if (journal == NULL) exit(99);
    conv_journal_close(journal);
}

/* Closing can't end that call, and does not wait for it; the call itself saves what it paid for. */
static void end_beside_a_provider(away *self, long trial)
{
    conv_client *client = open_client(self);
    calling caller = {
        .owner = self, .client = client, .turn = {.session = self->session, .turn = ASKING}};
    atomic_store(&not_kept, 0);
    fault_hold_answers(true);
    if (pthread_create(&caller.thread, NULL, call_once, &caller) != 0) abort();
    fault_await_question();
    if (trial % 2 == 0) server_freeze(self->store);
    self->run.violations += witness_shut(self->lines, client, CLOSE_MS, NULL) != CONV_TIMEOUT;
    fault_hold_answers(false);
    pthread_join(caller.thread, NULL);
    if (trial % 2 == 0) server_thaw(self->store);
    self->run.violations += atomic_load(&not_kept);
    await_journal(self);
    caller_end(self->lines, open_client(self));
}

static void run_part(away *self, const char *name, long trials, void (*part)(away *, long))
{
    self->lines = witness_open(self->run.lines);
    for (long trial = 0; trial < trials; trial++, self->session++)
        part(self, trial);
    witness_close(self->lines);
    const char *journals[] = {self->run.journal};
    checker_params check = {.lines = self->run.lines,
                            .store = server_url(self->store),
                            .journals = journals,
                            .journal_count = 1,
                            .drained = true};
    checker_findings findings = checker_run(&check);
    campaign_report(&self->run, name, trials, &findings);
    server_empty(server_url(self->store));
    campaign_clear(&self->run);
}

int main(int argc, char **argv)
{
    away self = {.run = campaign_begin(argc, argv, (long[]){4, 20, 500})};
    const long trials = self.run.trials;
    self.store = server_start();
    self.between = proxy_start(server_folder(self.store));
    run_part(&self, "store away when the program starts", trials, start_without_store);
    run_part(&self, "program ends while the server is frozen", trials, end_with_frozen_server);
    run_part(&self, "program ends with calls under way while the server is frozen", trials,
             end_with_calls_under_way);
    run_part(&self, "program ends while a provider answers", (trials + 3) / 4,
             end_beside_a_provider);
    proxy_stop(self.between);
    server_remove(self.store);
    conv_provider_free(fault_provider());
    return campaign_end(&self.run);
}
