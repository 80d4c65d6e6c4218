/* Every allocation fails, through the life of a client whose store is PostgreSQL, those of libpq
 * among them. `--trials N`: each N-th allocation. */
#include "fault/caller.h"
#include "fault/memory.h"
#include "fault/server.h"

int main(int argc, char **argv)
{
    campaign run = campaign_begin(argc, argv, (long[]){101, 1, 1});
    char base[MEMORY_PATH_SIZE];
    memory_prepare(&run, base);
    server *store = server_start();
    /* What libpq and the system's libraries make once stays. */
    caller_close(caller_open(
        &(caller_params){.store = server_url(store), .timeout_ms = 10 * MEMORY_TIMEOUT_MS}));
    memory_run(&run,
               &(memory_store){.name = "PostgreSQL", .url = server_url(store), .files = base});
    server_remove(store);
    conv_provider_free(fault_provider());
    return campaign_end(&run);
}
