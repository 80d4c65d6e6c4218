/* The store is away when a program starts, and comes back while it runs or only for the next one;
 * and a program ends while the server is frozen: closing keeps its deadline, the journal the rest.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/time.h"
#include "fault/caller.h"
#include "fault/proxy.h"
#include "fault/report.h"
#include "fault/server.h"

enum { TIMEOUT_MS = 20000, CLOSE_MS = 300, GRACE_MS = 1000, TURNS = 6 };

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
    return caller_open(&params);
}

static void save_and_track(away *self, conv_client *client)
{
    for (uint64_t i = 0; i < TURNS; i++) {
        fault_turn turn = {.session = self->session, .turn = i};
        if (caller_save(self->lines, client, &turn, TIMEOUT_MS, 1) == 0) self->run.violations++;
        if (witness_track(self->lines, client, &turn, true, NULL) != CONV_OK)
            self->run.violations++;
    }
}

/* Gives the milliseconds beyond the deadline and its grace. */
static long close_in_time(conv_client *client)
{
    int64_t begun = conv__monotonic_ns();
    (void)conv_client_close(client, CLOSE_MS, NULL);
    long took_ms = (long)((conv__monotonic_ns() - begun) / 1000000);
    if (took_ms <= CLOSE_MS + GRACE_MS) return 0;
    fprintf(stderr, "violation: closing took %ld ms instead of %d\n", took_ms, CLOSE_MS);
    return 1;
}

static long start_without_store(away *self, long trial)
{
    proxy_refuse(self->between, true);
    proxy_cut_all(self->between);
    conv_client *client = open_client(self);
    save_and_track(self, client);
    long late = 0;
    if (trial % 2 == 0) {
        late = close_in_time(client);
        client = NULL;
    }
    proxy_refuse(self->between, false);
    caller_close(client != NULL ? client : open_client(self));
    return late;
}

static long end_with_frozen_server(away *self, long trial)
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
    long late = close_in_time(client);
    server_thaw(self->store);
    caller_close(open_client(self));
    return late;
}

static void run_part(away *self, const char *name, long (*part)(away *, long))
{
    long late = 0;
    self->lines = witness_open(self->run.lines);
    for (long trial = 0; trial < self->run.trials; trial++, self->session++)
        late += part(self, trial);
    witness_close(self->lines);
    const char *journals[] = {self->run.journal};
    checker_params check = {.lines = self->run.lines,
                            .store = server_url(self->store),
                            .journals = journals,
                            .journal_count = 1,
                            .drained = true};
    checker_findings findings = checker_run(&check);
    findings.late += late;
    campaign_report(&self->run, name, self->run.trials, &findings);
    server_empty(server_url(self->store));
    campaign_clear(&self->run);
}

int main(int argc, char **argv)
{
    away self = {.run = campaign_begin(argc, argv, (long[]){4, 20, 500})};
    self.store = server_start();
    self.between = proxy_start(server_folder(self.store));
    run_part(&self, "store away when the program starts", start_without_store);
    run_part(&self, "program ends while the server is frozen", end_with_frozen_server);
    proxy_stop(self.between);
    server_remove(self.store);
    conv_provider_free(fault_provider());
    return campaign_end(&self.run);
}
