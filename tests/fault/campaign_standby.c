/* Failover of a synchronous pair: the primary is killed under load, its standby is promoted, and
 * the clients, who know both, go on there. What was acknowledged before is there too. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fault/caller.h"
#include "fault/load.h"
#include "fault/report.h"
#include "fault/server.h"

enum { THREADS = 4, CONNECTIONS = 3, TIMEOUT_MS = 1000, BETWEEN = 20 };

/* One failover; gives the new primary. */
static server *fail_over(campaign *run, server *primary, long number, witness *lines,
                         bool journaled)
{
    char both[256];
    server *standby = server_start_standby(primary);
    snprintf(both, sizeof both,
             "host='%s,%s' port=5432,5432 user=conversation dbname=postgres"
             " target_session_attrs=read-write",
             server_folder(primary), server_folder(standby));
    caller_params params = {.store = both,
                            .journal = journaled ? run->journal : NULL,
                            .connections = CONNECTIONS,
                            .timeout_ms = TIMEOUT_MS};
    conv_client *client = caller_open(lines, &params);
    load *callers = load_start(lines, client,
                               &(load_params){.threads = THREADS,
                                              .first_session = (uint64_t)number * 100000000,
                                              .timeout_ms = TIMEOUT_MS,
                                              .journaled = journaled});
    load_await(callers, BETWEEN);
    usleep((useconds_t)(fault_random(&run->random) % 20000));
    server_end(primary, SIGKILL);
    server_promote(standby);
    load_await(callers, BETWEEN);
    load_stop(callers);
    caller_end(lines, client);
    server_remove(primary);
    return standby;
}

int main(int argc, char **argv)
{
    campaign run = campaign_begin(argc, argv, (long[]){1, 3, 100});
    server *primary = server_start();
    static const char *const names[] = {"synchronous standby promoted",
                                        "synchronous standby promoted, journal"};
    for (int journaled = 0; journaled < 2; journaled++) {
        witness *lines = witness_open(run.lines);
        for (long i = 0; i < run.trials; i++)
            primary = fail_over(&run, primary, i, lines, journaled == 1);
        witness_close(lines);
        const char *journals[] = {run.journal};
        checker_params check = {.lines = run.lines,
                                .store = server_url(primary),
                                .journals = journals,
                                .journal_count = (size_t)journaled,
                                .drained = true};
        checker_findings findings = checker_run(&check);
        campaign_report(&run, names[journaled], run.trials, &findings);
        server_empty(server_url(primary));
        campaign_clear(&run);
    }
    server_remove(primary);
    conv_provider_free(fault_provider());
    return campaign_end(&run);
}
