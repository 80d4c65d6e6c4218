/* Every allocation fails, those of libpq among them, in scenarios on a store that is PostgreSQL.
 * `--trials N`: each N-th of them. */
#include <stdio.h>
#include <stdlib.h>

#include "db/migration.h"
#include "fault/caller.h"
#include "fault/memory_scenarios.h"
#include "fault/server.h"
#include "support/pooler.h"

static void settle(memory_trial *self)
{
    self->params.connections = 1;
    self->params.schema = CONV_SCHEMA_MIGRATE;
}

/* How many migrations are noted; of a schema that has nothing yet, too. */
#define NOTES                                                                                      \
    "CREATE FUNCTION public.notes() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT"      \
    " count(checksum) FROM fresh.conversation_schema); EXCEPTION WHEN undefined_table THEN RETURN" \
    " 0; END'"

#define FRESH "'fresh'::regnamespace"

/* All that a migration makes, and its note. */
static const char state[] =
    "SELECT hashtextextended(concat(public.notes(), (SELECT string_agg(concat(relname, relkind,"
    " attname, atttypid, attnotnull), ',' ORDER BY relname, attnum) FROM pg_class c LEFT JOIN"
    " pg_attribute ON attrelid = c.oid WHERE relnamespace = " FRESH
    "), (SELECT string_agg(concat(proname, prosrc), ',' ORDER BY proname) FROM pg_proc WHERE"
    " pronamespace = " FRESH "), (SELECT string_agg(concat(conname,"
    " pg_get_constraintdef(oid)), ',' ORDER BY conname) FROM pg_constraint WHERE connamespace"
    " = " FRESH "), (SELECT string_agg(concat(relname, tgname), ',' ORDER BY relname, tgname)"
    " FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid WHERE NOT tgisinternal AND"
    " relnamespace = " FRESH ")), 0)";

/* PostgreSQL keeps a migration whole or not at all; a healthy client goes on from where it ended.
 */
static const memory_scenario new_store = {
    .name = "new store",
    .way = MEMORY_OPENING,
    .journal = MEMORY_JOURNAL_NEVER,
    .migrates = true,
    .settle = settle,
    .state = state,
};

/* Without memory for ever the client waits in vain for what the server answers. */
enum { MIGRATION_SHARES = 2, MOST_MIGRATIONS = 63, NEAR = 8, POOLED = 4 };

/* With as many connections as two clients have: what a new one costs the server would else be most
 * of a trial. The long tier can afford it: NULL. */
static const char *start_pooler(const campaign *run, const memory_store *store)
{
    return run->tier == CAMPAIGN_LONG ? NULL : pooler_start(store->url, "session", POOLED);
}

static void stop_pooler(const memory_store *store)
{
    if (store->pooled != NULL) pooler_stop();
}

/* What the schema is after none of the migrations, after the first of them, and so on. */
static size_t look_at_steps(memory_store *fresh, long steps[MOST_MIGRATIONS + 1])
{
    fresh->migrations = 0;
    memory_store_clear(fresh);
    steps[0] = memory_store_number(fresh, state);
    while (conv__migrations_postgres[fresh->migrations].version != 0) {
        if (fresh->migrations == MOST_MIGRATIONS) exit(99);
        memory_store_migrate(fresh);
        steps[fresh->migrations] = memory_store_number(fresh, state);
    }
    return (size_t)fresh->migrations + 1;
}

/* Each migration by itself, behind those before it: an allocation in a late one would else make all
 * of them once more. What comes before its first write is the same for each, so but for the long
 * tier it is tried with the last one, as is what comes behind all. */
static void try_migration(memory_tried *tried, bool is_last, size_t *begin)
{
    size_t first = 1;
    size_t last = 0;
    size_t asked = memory_begin(tried);
    if (!is_last) {
        /* With each migration that is there the client has more to read before it writes. */
        size_t before = *begin < NEAR ? 0 : *begin - NEAR;
        *begin = memory_find_begin(tried, before, asked);
        last = memory_find_end(tried, *begin - 1, asked);
    }
    if (!is_last && tried->run->tier != CAMPAIGN_LONG) first = *begin - 1;
    memory_try(tried, first, last);
}

static void run_migrations(campaign *run, memory_store *store, int share)
{
    char url[256];
    snprintf(url, sizeof url, "%s options='-c search_path=fresh'", store->url);
    memory_store fresh = {
        .name = store->name, .url = url, .base = store->base, .schema = "fresh", .state = state};
    long steps[MOST_MIGRATIONS + 1];
    size_t begin = 0;
    memory_tried tried = {.run = run, .store = &fresh, .scenario = &new_store, .steps = steps};
    memory_store_clear(store);
    memory_store_execute(store, NOTES);
    /* For the pooler, which passes no options on. */
    memory_store_execute(store, "ALTER ROLE CURRENT_USER SET search_path = fresh");
    fresh.pooled = start_pooler(run, store);
    tried.step_count = look_at_steps(&fresh, steps);
    /* In the quick tier the first of the share is enough, and the last of all. */
    for (fresh.migrations = 0; conv__migrations_postgres[fresh.migrations].version != 0;
         fresh.migrations++) {
        bool is_last = conv__migrations_postgres[fresh.migrations + 1].version == 0;
        if (fresh.migrations % MIGRATION_SHARES != share) continue;
        if (run->tier == CAMPAIGN_QUICK && fresh.migrations >= MIGRATION_SHARES && !is_last)
            continue;
        memory_store_clear(&fresh);
        memory_store_keep(&fresh, run);
        try_migration(&tried, is_last, &begin);
        memory_store_forget(&fresh);
    }
    stop_pooler(&fresh);
    memory_store_disconnect(&fresh);
    memory_report(&tried);
}

static void run_scenarios(campaign *run, memory_store *store, int share)
{
    store->pooled = start_pooler(run, store);
    memory_run_share(run, store, share);
    stop_pooler(store);
}

/* Shares of the migrations, which wait longest, and of the scenarios. */
static int run_part(int argc, char **argv, int part)
{
    campaign run = campaign_begin_in_memory(argc, argv, (long[]){401, 1, 1});
    memory_install();
    server *disposable = server_start();
    memory_store store = {.name = "PostgreSQL", .url = server_url(disposable), .base = run.folder};
    /* What libpq and the system's libraries make once stays. */
    witness *lines = witness_open(run.lines);
    caller_params params = {.store = store.url, .timeout_ms = 10 * MEMORY_TIMEOUT_MS};
    caller_end(lines, caller_open(lines, &params));
    witness_close(lines);
    if (part < MIGRATION_SHARES)
        run_migrations(&run, &store, part);
    else
        run_scenarios(&run, &store, part - MIGRATION_SHARES);
    memory_store_disconnect(&store);
    server_remove(disposable);
    conv_provider_free(fault_provider());
    return campaign_end(&run);
}

int main(int argc, char **argv)
{
    return campaign_run_parts(argc, argv, MEMORY_SHARES + MIGRATION_SHARES, MEMORY_WAITING_SHARES,
                              run_part);
}
