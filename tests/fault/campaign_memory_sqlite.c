/* Every allocation fails, in scenarios on a store that is SQLite. `--trials N`: each N-th
 * allocation. */
#include <stdio.h>
#include <unistd.h>

#include "fault/memory_scenarios.h"

int main(int argc, char **argv)
{
    campaign run = campaign_begin(argc, argv, (long[]){401, 7, 1});
    char base[MEMORY_PATH_SIZE];
    char file[MEMORY_PATH_SIZE + 16];
    char url[MEMORY_PATH_SIZE + 32];
    memory_install();
    memory_store_name(&run, base);
    snprintf(file, sizeof file, "%s/store", base);
    snprintf(url, sizeof url, "sqlite:%s", file);
    memory_store store = {.name = "SQLite", .url = url, .file = file, .base = base};
    memory_run(&run, &store, memory_scenarios, memory_scenario_count);
    memory_run_migrations(&run, &store);
    rmdir(base);
    conv_provider_free(fault_provider());
    return campaign_end(&run);
}
