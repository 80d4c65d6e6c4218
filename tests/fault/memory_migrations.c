/* The migrations of a new store of SQLite; see memory_scenarios.h. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "db/migration.h"
#include "db/sqlite/decimal_sum.h"
#include "fault/memory_scenarios.h"
#include "fault/memory_trial.h"
#include "support/failing_memory.h"

/* But for the long tier, each so many allocations of a run of all migrations fail. */
enum { EACH_AT_ONCE = 181 };

/* Which allocations of a healthy run the first missing migration asks for. */
typedef struct stretch {
    int looks;
    size_t first;
    size_t last;
} stretch;

static stretch *shared;

static void settle(memory_trial *self)
{
    self->params.connections = 1;
    self->params.schema = CONV_SCHEMA_MIGRATE;
}

/* All that a migration makes, and, where there is a place for it, its note. */
#define NEW_STORE(called, note)                                                                    \
    {                                                                                              \
        .name = called, .way = MEMORY_OPENING, .journal = MEMORY_JOURNAL_NEVER, .migrates = true,  \
        .settle = settle,                                                                          \
        .state =                                                                                   \
            "SELECT count(*) + 1000 * coalesce(sum(length(sql)), 0)" note " FROM sqlite_master"    \
    }

static const memory_scenario empty_store = NEW_STORE("new store", "");
static const memory_scenario older_store =
    NEW_STORE("new store", " + (SELECT count(*) FROM conversation_schema)");
static const memory_scenario at_once = NEW_STORE("new store, all migrations in one run", "");

/* The library looks what is there when it opens a store, and before each migration. What is seen of
 * a later run, which judges, changes nothing. */
static int see_statement(unsigned kind, void *context, void *statement, void *sql)
{
    (void)kind;
    (void)context;
    (void)statement;
    if (strstr(sql, "FROM sqlite_schema") != NULL) shared->looks++;
    if (shared->looks == 2 && shared->first == 0) shared->first = failing_memory_asked() + 1;
    if (shared->looks == 3 && shared->last == 0) shared->last = failing_memory_asked();
    return 0;
}

static int see_connection(sqlite3 *database, const char **error, const void *functions)
{
    (void)error;
    (void)functions;
    return sqlite3_trace_v2(database, SQLITE_TRACE_STMT, see_statement, NULL);
}

/* A store as the migrations before this one have made it, recorded as the library does. */
static void make_store(memory_store *store, int migrations)
{
    memory_store_clear(store);
    sqlite3 *database = NULL;
    if (sqlite3_open(store->file, &database) != SQLITE_OK) exit(99);
    if (conv__decimal_sum_register(database) != SQLITE_OK ||
        sqlite3_exec(database, "PRAGMA journal_mode=WAL", NULL, NULL, NULL) != SQLITE_OK)
        exit(99);
    for (int i = 0; i < migrations; i++) {
        const conv__migration *one = &conv__migrations_sqlite[i];
        char checksum[192];
        snprintf(checksum, sizeof checksum,
                 "UPDATE conversation_schema SET checksum = '%s' WHERE version = %lld",
                 one->checksum, (long long)one->version);
        if (sqlite3_exec(database, one->sql, NULL, NULL, NULL) != SQLITE_OK ||
            sqlite3_exec(database, checksum, NULL, NULL, NULL) != SQLITE_OK) {
            fprintf(stderr, "memory: %s: %s\n", one->name, sqlite3_errmsg(database));
            exit(99);
        }
    }
    sqlite3_close(database);
}

/* A healthy run, in which the first missing migration is found. */
static void begin(memory_tried *tried)
{
    *shared = (stretch){0};
    sqlite3_auto_extension((void (*)(void))see_connection);
    memory_begin(tried);
    sqlite3_reset_auto_extension();
    worker_end(&tried->worker);
}

/* What comes before the first migration is tried with it, what comes behind the last one with that.
 */
static void try_migration(memory_tried *tried, campaign *run, int number)
{
    bool is_last = conv__migrations_sqlite[number + 1].version == 0;
    make_store(tried->store, number);
    memory_store_keep(tried->store, run);
    tried->scenario = number == 0 ? &empty_store : &older_store;
    begin(tried);
    memory_try(tried, number == 0 ? 1 : shared->first, is_last ? 0 : shared->last);
    memory_store_forget(tried->store);
}

/* That none of them stays without the others takes failures in the later ones. */
static void try_at_once(campaign *run, memory_store *store)
{
    campaign some = *run;
    memory_tried tried = {.run = &some, .store = store, .scenario = &at_once};
    if (run->tier != CAMPAIGN_LONG) some.trials *= EACH_AT_ONCE;
    make_store(store, 0);
    memory_store_keep(store, run);
    memory_begin(&tried);
    memory_try(&tried, 1, 0);
    memory_store_forget(store);
    memory_report(&tried);
}

void memory_run_migrations(campaign *run, memory_store *store, int share)
{
    memory_tried tried = {.run = run, .store = store};
    shared = campaign_share(sizeof *shared);
    for (int i = 0; conv__migrations_sqlite[i].version != 0; i++)
        if (i % MEMORY_MIGRATION_SHARES == share) try_migration(&tried, run, i);
    memory_report(&tried);
    run->share = share;
    run->shares = MEMORY_MIGRATION_SHARES;
    try_at_once(run, store);
    memory_store_clear(store);
    munmap(shared, sizeof *shared);
}
