/* The server dies or freezes under load: a backend is terminated in each step of a transaction, at
 * any time, or killed, the server stops at once and starts again, its postmaster is killed, all of
 * it is frozen and goes on after the clients have given up and tried again, or only long after
 * that. `--trials N` is the number of backends terminated in a step; the other faults keep their
 * relation to it. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fault/caller.h"
#include "fault/load.h"
#include "fault/report.h"
#include "fault/server.h"

enum { CONNECTIONS = 3, TIMEOUT_MS = 400, LONG_TIMEOUT_MS = 3000 };

typedef struct part {
    const char *name;
    void (*fault)(campaign *run, server *store);
    int threads;
    int64_t timeout_ms;
    int64_t pause_ms; /* see load_params */
    bool one_way;     /* likewise */
} part;

/* Where a backend is terminated: the next row of a table, before or after it is written, or the
 * checks of COMMIT. The count that says "now" is a sequence, which no rollback takes back. */
static const char triggers_sql[] =
    "CREATE SEQUENCE fault_now;"
    "CREATE FUNCTION fault_terminate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " IF (SELECT is_called FROM fault_now) THEN RETURN NEW; END IF;"
    " IF TG_ARGV[0] = (SELECT step FROM fault_step) THEN"
    "  PERFORM nextval('fault_now');"
    "  PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(0.01); END IF;"
    " RETURN NEW; END $$;"
    "CREATE TABLE fault_step (step text);"
    "INSERT INTO fault_step VALUES ('none');"
    "SELECT nextval('fault_now');"
    "DO $$ DECLARE t text; w text; BEGIN"
    " FOREACH t IN ARRAY ARRAY['chat_exchanges', 'chat_sessions', 'chat_messages', 'usage_logs']"
    " LOOP FOREACH w IN ARRAY ARRAY['BEFORE', 'AFTER'] LOOP"
    "  EXECUTE format('CREATE TRIGGER fault_%s %s INSERT OR UPDATE ON %I FOR EACH ROW EXECUTE"
    " FUNCTION fault_terminate(%L)', lower(w), w, t, lower(w) || ' ' || t); END LOOP;"
    "  EXECUTE format('CREATE CONSTRAINT TRIGGER fault_commit AFTER INSERT OR UPDATE ON %I "
    "DEFERRABLE"
    " INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fault_terminate(%L)', t, 'commit ' || t);"
    " END LOOP; END $$";

static void terminate_at_step(campaign *run, server *store)
{
    static const char *const steps[] = {"before", "after", "commit"};
    static const char *const tables[] = {"chat_exchanges", "chat_sessions", "chat_messages",
                                         "usage_logs"};
    static uint64_t trial;
    char sql[256];
    uint64_t step = run->seed + trial++;
    snprintf(sql, sizeof sql,
             "UPDATE fault_step SET step = '%s %s'; SELECT setval('fault_now', 1, false)",
             steps[step % 3], tables[step / 3 % 4]);
    if (!server_execute(server_url(store), sql)) exit(99);
    for (int i = 0; i < 2000; i++) {
        if (server_number(server_url(store), "SELECT is_called::int FROM fault_now") == 1) return;
        usleep(5000);
    }
    fprintf(stderr, "no backend came by\n");
    exit(99);
}

static void terminate_anywhere(campaign *run, server *store)
{
    usleep((useconds_t)(fault_random(&run->random) % 8000));
    if (!server_execute(server_url(store),
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE application_name = 'conversation' ORDER BY random() LIMIT 1"))
        exit(99);
}

/* The postmaster then ends all others and recovers by itself. */
static void kill_backend(campaign *run, server *store)
{
    usleep((useconds_t)(fault_random(&run->random) % 20000));
    server_kill_backend(store);
    server_await(store);
}

static void restart_at_once(campaign *run, server *store)
{
    usleep((useconds_t)(fault_random(&run->random) % 20000));
    server_end(store, SIGQUIT);
    server_restart(store);
}

static void kill_postmaster(campaign *run, server *store)
{
    usleep((useconds_t)(fault_random(&run->random) % 20000));
    server_end(store, SIGKILL);
    server_restart(store);
}

static void freeze(campaign *run, server *store)
{
    usleep((useconds_t)(fault_random(&run->random) % 20000));
    server_freeze(store);
    usleep((TIMEOUT_MS + 100 + (useconds_t)(fault_random(&run->random) % 400)) * 1000);
    server_thaw(store);
}

/* The calls come one by one, so that each has another deadline than those it is saved with. */
static void freeze_for_long(campaign *run, server *store)
{
    usleep((useconds_t)(fault_random(&run->random) % 20000));
    server_freeze(store);
    usleep(2 * LONG_TIMEOUT_MS * 1000 + 500000);
    server_thaw(store);
}

static void run_part(campaign *run, server *store, const part *what, long trials, bool journaled)
{
    char name[96];
    caller_params params = {.store = server_url(store),
                            .journal = journaled ? run->journal : NULL,
                            .connections = CONNECTIONS,
                            .timeout_ms = what->timeout_ms};
    witness *lines = witness_open(run->lines);
    conv_client *client = caller_open(lines, &params);
    load *callers = load_start(lines, client,
                               &(load_params){.threads = what->threads,
                                              .timeout_ms = what->timeout_ms,
                                              .journaled = journaled,
                                              .pause_ms = what->pause_ms,
                                              .one_way = what->one_way});
    for (long i = 0; i < trials; i++) {
        /* While the store is known to be away the fault would meet no save. */
        if (journaled) caller_await_drain(client);
        what->fault(run, store);
        load_await(callers, what->threads);
    }
    load_stop(callers);
    caller_end(lines, client);
    witness_close(lines);
    const char *journals[] = {run->journal};
    checker_params check = {.lines = run->lines,
                            .store = server_url(store),
                            .journals = journals,
                            .journal_count = journaled ? 1 : 0,
                            .drained = true};
    checker_findings findings = checker_run(&check);
    snprintf(name, sizeof name, "%s%s", what->name, journaled ? ", journal" : "");
    campaign_report(run, name, trials, &findings);
    server_empty(server_url(store));
    campaign_clear(run);
}

/* Half of the trials without a journal, half with one. */
static void run_both(campaign *run, server *store, const part *what, long trials)
{
    long half = trials > 1 ? trials / 2 : 1;
    run_part(run, store, what, half, false);
    run_part(run, store, what, trials > half ? trials - half : 1, true);
}

int main(int argc, char **argv)
{
    campaign run = campaign_begin(argc, argv, (long[]){40, 200, 5000});
    server *store = server_start();
    if (!server_execute(server_url(store), triggers_sql)) return 99;
    static const struct {
        part what;
        long share;
    } parts[] = {
        {{"backend terminated at each step", terminate_at_step, 6, TIMEOUT_MS, 0, false}, 1},
        {{"backend terminated at any time", terminate_anywhere, 6, TIMEOUT_MS, 0, false}, 8},
        {{"backend killed", kill_backend, 6, TIMEOUT_MS, 0, false}, 20},
        {{"immediate restart", restart_at_once, 6, TIMEOUT_MS, 0, false}, 10},
        {{"postmaster killed", kill_postmaster, 6, TIMEOUT_MS, 0, false}, 40},
        {{"server frozen, thawed after the retry", freeze, 6, TIMEOUT_MS, 0, false}, 10},
        {{"server frozen for long", freeze_for_long, 12, LONG_TIMEOUT_MS, LONG_TIMEOUT_MS, true},
         200},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        run_both(&run, store, &parts[i].what, run.trials / parts[i].share);
    server_remove(store);
    conv_provider_free(fault_provider());
    return campaign_end(&run);
}
