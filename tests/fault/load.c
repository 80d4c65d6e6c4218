/* See load.h. */
#include "fault/load.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conversation/journal.h"
#include "fault/caller.h"

enum { TRIES = 20000, TURNS_PER_SESSION = 40, MAX_THREADS = 16, WAIT_SECONDS = 120 };
enum { PAUSE_US = 1000, LONG_PAUSE_US = 50000, BACKLOG_MOST = 500, FLUSH_EVERY = 8 };

typedef struct worker {
    load *owner;
    pthread_t thread;
    uint64_t first_session;
    uint64_t random;
} worker;

struct load {
    witness *lines;
    conv_client *client;
    int64_t timeout_ms;
    bool journaled;
    int64_t pause_ms;
    bool one_way;
    int threads;
    atomic_bool stopping;
    atomic_long acknowledged;
    worker workers[MAX_THREADS];
};

/* What becomes of it without an acknowledgement is not asked; nobody repeats it. */
static void track(load *self, const fault_turn *turn)
{
    if (witness_track(self->lines, self->client, turn, self->journaled, NULL) == CONV_OK)
        (void)!witness_flush(self->lines, self->client, turn, self->timeout_ms, NULL);
}

/* A journal takes more than any store could drain beside it. */
static void pause_between(const load *self)
{
    conv_journal_counts counts = {0};
    if (self->journaled) (void)!conv_client_journal_count(self->client, &counts, NULL);
    usleep(counts.exchanges > BACKLOG_MOST ? LONG_PAUSE_US : PAUSE_US);
}

static void *work(void *context)
{
    worker *self = context;
    load *owner = self->owner;
    for (uint64_t i = 0; !atomic_load(&owner->stopping); i++) {
        fault_turn turn = {.session = self->first_session + i / TURNS_PER_SESSION, .turn = i};
        if (owner->pause_ms > 0)
            usleep((useconds_t)(fault_random(&self->random) % (uint64_t)owner->pause_ms) * 1000);
        witness_call way = owner->one_way ? WITNESS_SAVE : caller_way(&turn);
        if (caller_save(owner->lines, owner->client, way, &turn, owner->timeout_ms, TRIES) == 0)
            abort();
        if (i % FLUSH_EVERY == FLUSH_EVERY - 1) track(owner, &turn);
        atomic_fetch_add(&owner->acknowledged, 1);
        pause_between(owner);
    }
    return NULL;
}

load *load_start(witness *lines, conv_client *client, const load_params *params)
{
    load *self = calloc(1, sizeof *self);
    if (self == NULL || params->threads > MAX_THREADS) abort();
    self->lines = lines;
    self->client = client;
    self->timeout_ms = params->timeout_ms;
    self->journaled = params->journaled;
    self->pause_ms = params->pause_ms;
    self->one_way = params->one_way;
    self->threads = params->threads;
    fault_provider();
    for (int i = 0; i < self->threads; i++) {
        self->workers[i] = (worker){.owner = self,
                                    .first_session = params->first_session + (uint64_t)i * 1000000,
                                    .random = (uint64_t)i + 1};
        if (pthread_create(&self->workers[i].thread, NULL, work, &self->workers[i]) != 0) abort();
    }
    return self;
}

long load_acknowledged(load *self)
{
    return atomic_load(&self->acknowledged);
}

void load_await(load *self, long more)
{
    long wanted = load_acknowledged(self) + more;
    for (int i = 0; i < WAIT_SECONDS * 500; i++) {
        if (load_acknowledged(self) >= wanted) return;
        usleep(2000);
    }
    fprintf(stderr, "load: nothing is acknowledged any more\n");
    exit(99);
}

void load_stop(load *self)
{
    atomic_store(&self->stopping, true);
    for (int i = 0; i < self->threads; i++)
        pthread_join(self->workers[i].thread, NULL);
    free(self);
}
