/* The connection is cut at each byte of a save and of a turn, in both directions, by FIN and by
 * RST: over a connection in use, and where it has to connect and prepare first. `--trials N` means
 * every N-th byte here. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fault/caller.h"
#include "fault/proxy.h"
#include "fault/report.h"
#include "fault/server.h"

enum { TIMEOUT_MS = 5000, TRIES = 10, TURNS_PER_SESSION = 50 };

typedef struct cutting {
    campaign run;
    proxy *between;
    witness *lines;
    conv_client *client;
    bool cold;      /* the save has to connect first */
    uint64_t turns; /* so far */
    long missed;    /* trials whose moment did not come */
} cutting;

static fault_turn next_turn(cutting *self)
{
    fault_turn turn = {.session = self->turns / TURNS_PER_SESSION, .turn = self->turns};
    self->turns++;
    return turn;
}

static void save(cutting *self)
{
    fault_turn turn = next_turn(self);
    if (self->cold) proxy_cut_all(self->between);
    if (caller_save(self->lines, self->client, &turn, TIMEOUT_MS, TRIES) == 0)
        self->run.violations++;
}

/* Bytes of a save, or of a turn, that nothing happens to; those before it only prepare. */
static long measure(cutting *self, proxy_direction direction, bool turn)
{
    proxy_set(self->between, &(proxy_plan){0});
    do
        save(self);
    while ((self->turns % 2 == 1) != turn || self->turns < 3);
    proxy_set(self->between, &(proxy_plan){0});
    save(self);
    return proxy_bytes(self->between, direction);
}

static bool cut_once(cutting *self, const proxy_plan *plan, bool turn)
{
    if ((self->turns % 2 == 1) != turn) self->turns++;
    proxy_set(self->between, plan);
    save(self);
    /* With a journal it may be the thread that drains which comes by. */
    for (int i = 0; i < 100 && !proxy_has_acted(self->between); i++)
        usleep(10000);
    return proxy_has_acted(self->between);
}

/* Saves differ by some bytes, and a drain may pass before the plan is set: then it is tried again.
 */
static void try_one(cutting *self, const proxy_plan *plan, bool turn)
{
    for (int i = 0; i < TRIES; i++)
        if (cut_once(self, plan, turn)) return;
    self->missed++;
}

static long try_all(cutting *self)
{
    static const proxy_action actions[] = {PROXY_FIN, PROXY_RST};
    long trials = 0;
    for (int kind = 0; kind < 4; kind++) {
        proxy_direction direction = (proxy_direction)(kind % 2);
        bool turn = kind / 2 == 1;
        long bytes = measure(self, direction, turn);
        for (size_t i = 0; i < 2; i++)
            for (long byte = 0; byte <= bytes; byte += self->run.trials, trials++)
                try_one(self,
                        &(proxy_plan){.action = actions[i], .direction = direction, .byte = byte},
                        turn);
    }
    return trials;
}

static void run_part(cutting *self, server *store, const char *name, bool cold, bool journaled)
{
    caller_params params = {.store = proxy_url(self->between),
                            .journal = journaled ? self->run.journal : NULL,
                            .connections = 1,
                            .timeout_ms = TIMEOUT_MS};
    self->lines = witness_open(self->run.lines);
    self->cold = cold;
    self->client = caller_open(&params);
    long trials = try_all(self);
    proxy_set(self->between, &(proxy_plan){0});
    caller_close(self->client);
    witness_close(self->lines);
    const char *journals[] = {self->run.journal};
    checker_params check = {.lines = self->run.lines,
                            .store = server_url(store),
                            .journals = journals,
                            .journal_count = journaled ? 1 : 0,
                            .drained = true};
    checker_findings findings = checker_run(&check);
    campaign_report(&self->run, name, trials, &findings);
    server_empty(server_url(store));
    campaign_clear(&self->run);
}

int main(int argc, char **argv)
{
    cutting self = {.run = campaign_begin(argc, argv, (long[]){301, 16, 1})};
    server *store = server_start();
    self.between = proxy_start(server_folder(store));
    run_part(&self, store, "cut at each byte", false, false);
    run_part(&self, store, "cut at each byte, connecting", true, false);
    run_part(&self, store, "cut at each byte, journal", false, true);
    run_part(&self, store, "cut at each byte, connecting, journal", true, true);
    if (self.missed > 0) printf("  %ld cuts did not happen\n", self.missed);
    if (self.missed > 0) self.run.violations++;
    conv_provider_free(fault_provider());
    proxy_stop(self.between);
    server_remove(store);
    return campaign_end(&self.run);
}
