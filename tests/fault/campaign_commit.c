/* The server commits, and its answer is swallowed: the connection ends by FIN or RST right before
 * it, or nothing more comes at all. The exchange must be found to be there, not be saved again. */
#include <stdio.h>
#include <stdlib.h>

#include "fault/caller.h"
#include "fault/proxy.h"
#include "fault/report.h"
#include "fault/server.h"

enum { TIMEOUT_MS = 1000, TRIES = 10, TURNS_PER_SESSION = 50, SILENCE_EVERY = 19 };

static proxy_plan plan_of(long trial)
{
    proxy_plan plan = {.direction = PROXY_TO_CLIENT, .at_commit_reply = true};
    plan.action = trial % SILENCE_EVERY == SILENCE_EVERY - 1 ? PROXY_SILENCE
                  : trial % 4 < 2                            ? PROXY_FIN
                                                             : PROXY_RST;
    return plan;
}

static void run_part(campaign *run, server *store, proxy *between, const char *name, bool journaled)
{
    caller_params params = {.store = proxy_url(between),
                            .journal = journaled ? run->journal : NULL,
                            .connections = 2,
                            .timeout_ms = TIMEOUT_MS};
    witness *lines = witness_open(run->lines);
    conv_client *client = caller_open(lines, &params);
    long swallowed = 0;
    for (long i = 0; swallowed < run->trials && i < 3 * run->trials; i++) {
        fault_turn turn = {.session = (uint64_t)(i / TURNS_PER_SESSION), .turn = (uint64_t)i};
        proxy_plan plan = plan_of(i);
        proxy_set(between, &plan);
        if (caller_save(lines, client, caller_way(&turn), &turn, TIMEOUT_MS, TRIES) == 0)
            run->violations++;
        if (!proxy_has_acted(between)) continue;
        swallowed++;
        proxy_set(between, &(proxy_plan){0});
        /* While the store is known to be away the journal takes what comes: nothing would be tried.
         */
        caller_await_drain(client);
    }
    proxy_set(between, &(proxy_plan){0});
    caller_end(lines, client);
    witness_close(lines);
    const char *journals[] = {run->journal};
    checker_params check = {.lines = run->lines,
                            .store = server_url(store),
                            .journals = journals,
                            .journal_count = journaled ? 1 : 0,
                            .drained = true};
    checker_findings findings = checker_run(&check);
    campaign_report(run, name, swallowed, &findings);
    if (swallowed < run->trials) run->violations++;
    server_empty(server_url(store));
    campaign_clear(run);
}

int main(int argc, char **argv)
{
    campaign run = campaign_begin(argc, argv, (long[]){60, 250, 10000});
    server *store = server_start();
    proxy *between = proxy_start(server_folder(store));
    run_part(&run, store, between, "COMMIT done, reply swallowed", false);
    run_part(&run, store, between, "COMMIT done, reply swallowed, journal", true);
    proxy_stop(between);
    server_remove(store);
    conv_provider_free(fault_provider());
    return campaign_end(&run);
}
