/* Every allocation fails, those of libpq among them, in scenarios on a store that is PostgreSQL.
 * `--trials N`: each N-th allocation. */
#include <stdio.h>
#include <unistd.h>

#include "fault/caller.h"
#include "fault/memory_scenarios.h"
#include "fault/server.h"

static void settle(memory_trial *self)
{
    self->params.schema = CONV_SCHEMA_MIGRATE;
}

/* PostgreSQL keeps a migration whole or not at all; a healthy client goes on from where it ended.
 */
static const memory_scenario new_store = {
    .name = "new store",
    .way = MEMORY_OPENING,
    .migrates = true,
    .settle = settle,
    .state = "SELECT count(*) FROM pg_class WHERE relnamespace = 'fresh'::regnamespace",
};

static void run_migrations(campaign *run, memory_store *store)
{
    char url[256];
    snprintf(url, sizeof url, "%s options='-c search_path=fresh'", store->url);
    memory_store fresh = *store;
    fresh.url = url;
    fresh.schema = "fresh";
    fresh.link = NULL;
    memory_store_clear(&fresh);
    memory_store_keep(&fresh, run);
    memory_tried tried = {.run = run, .store = &fresh, .scenario = &new_store};
    memory_begin(&tried);
    memory_try(&tried, 1, 0, 1);
    memory_store_forget(&fresh);
    memory_store_disconnect(&fresh);
    memory_report(&tried);
}

int main(int argc, char **argv)
{
    campaign run = campaign_begin(argc, argv, (long[]){101, 1, 1});
    char base[MEMORY_PATH_SIZE];
    memory_install();
    memory_store_name(&run, base);
    server *disposable = server_start();
    memory_store store = {.name = "PostgreSQL", .url = server_url(disposable), .base = base};
    /* What libpq and the system's libraries make once stays. */
    caller_close(
        caller_open(&(caller_params){.store = store.url, .timeout_ms = 10 * MEMORY_TIMEOUT_MS}));
    memory_run(&run, &store, memory_scenarios, memory_scenario_count);
    run_migrations(&run, &store);
    memory_store_disconnect(&store);
    server_remove(disposable);
    rmdir(base);
    conv_provider_free(fault_provider());
    return campaign_end(&run);
}
