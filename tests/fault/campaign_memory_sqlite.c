/* Every allocation fails, through the life of a client whose store is SQLite: its schema is made
 * each time, so migrations are among what fails. `--trials N`: each N-th allocation. */
#include <stdio.h>

#include "fault/caller.h"
#include "fault/memory.h"

int main(int argc, char **argv)
{
    campaign run = campaign_begin(argc, argv, (long[]){101, 1, 1});
    char base[MEMORY_PATH_SIZE];
    char file[MEMORY_PATH_SIZE + 16];
    char url[MEMORY_PATH_SIZE + 32];
    memory_prepare(&run, base);
    snprintf(file, sizeof file, "%s.store", base);
    snprintf(url, sizeof url, "sqlite:%s", file);
    memory_run(&run, &(memory_store){.name = "SQLite", .url = url, .file = file, .files = base});
    conv_provider_free(fault_provider());
    return campaign_end(&run);
}
