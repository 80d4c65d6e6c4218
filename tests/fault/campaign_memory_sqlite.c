/* Every allocation fails, in scenarios on a store that is SQLite. `--trials N`: each N-th of them.
 */
#include <stdio.h>

#include "fault/memory_scenarios.h"

/* The shares of the scenarios, and those of the migrations. */
static int run_part(int argc, char **argv, int part)
{
    campaign run = campaign_begin_in_memory(argc, argv, (long[]){401, 1, 1});
    char file[sizeof run.folder + 16];
    char url[sizeof run.folder + 32];
    memory_install();
    snprintf(file, sizeof file, "%s/store", run.folder);
    snprintf(url, sizeof url, "sqlite:%s", file);
    memory_store store = {.name = "SQLite", .url = url, .file = file, .base = run.folder};
    if (part < MEMORY_SHARES)
        memory_run_share(&run, &store, part);
    else
        memory_run_migrations(&run, &store, part - MEMORY_SHARES);
    conv_provider_free(fault_provider());
    return campaign_end(&run);
}

int main(int argc, char **argv)
{
    return campaign_run_parts(argc, argv, MEMORY_SHARES + MEMORY_MIGRATION_SHARES,
                              MEMORY_WAITING_SHARES, run_part);
}
