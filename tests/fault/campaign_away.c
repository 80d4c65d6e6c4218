/* The store is away when a program starts, and comes back while it runs or only for the next one;
 * and a program ends while the server is frozen: closing keeps its deadline, the journal the rest.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fault/caller.h"
#include "fault/proxy.h"
#include "fault/report.h"
#include "fault/server.h"

enum { TIMEOUT_MS = 20000, CLOSE_MS = 300, TURNS = 6 };

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
        if (caller_save(self->lines, client, caller_way(&turn), &turn, TIMEOUT_MS, 1) == 0)
            self->run.violations++;
        if (witness_track(self->lines, client, &turn, true, NULL) != CONV_OK)
            self->run.violations++;
    }
}

static void start_without_store(away *self, long trial)
{
    proxy_refuse(self->between, true);
    proxy_cut_all(self->between);
    conv_client *client = open_client(self);
    save_and_track(self, client);
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

static void run_part(away *self, const char *name, void (*part)(away *, long))
{
    self->lines = witness_open(self->run.lines);
    for (long trial = 0; trial < self->run.trials; trial++, self->session++)
        part(self, trial);
    witness_close(self->lines);
    const char *journals[] = {self->run.journal};
    checker_params check = {.lines = self->run.lines,
                            .store = server_url(self->store),
                            .journals = journals,
                            .journal_count = 1,
                            .drained = true};
    checker_findings findings = checker_run(&check);
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
