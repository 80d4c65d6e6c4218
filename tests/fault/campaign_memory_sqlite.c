/* Every allocation fails, in scenarios on a store that is SQLite; in the short tier one of each
 * call stack. `--trials N`: each N-th of them. */
#include <stdio.h>
#include <unistd.h>

#include "fault/memory_scenarios.h"

enum { SCENARIOS, WAITING, MIGRATIONS, PARTS };

static int run_part(int argc, char **argv, int part)
{
    campaign run = campaign_begin(argc, argv, (long[]){401, 1, 1});
    char base[MEMORY_PATH_SIZE];
    char file[MEMORY_PATH_SIZE + 16];
    char url[MEMORY_PATH_SIZE + 32];
    memory_install();
    memory_store_name(&run, base);
    snprintf(file, sizeof file, "%s/store", base);
    snprintf(url, sizeof url, "sqlite:%s", file);
    memory_store store = {.name = "SQLite", .url = url, .file = file, .base = base};
    if (part == SCENARIOS) memory_run(&run, &store, memory_scenarios, memory_scenario_count);
    if (part == WAITING)
        memory_run(&run, &store, memory_waiting_scenarios, memory_waiting_scenario_count);
    if (part == MIGRATIONS) memory_run_migrations(&run, &store);
    rmdir(base);
    conv_provider_free(fault_provider());
    return campaign_end(&run);
}

int main(int argc, char **argv)
{
    return campaign_run_parts(argc, argv, PARTS, run_part);
}
