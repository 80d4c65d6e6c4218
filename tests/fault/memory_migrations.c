/* The migrations of a new store of SQLite, one by one; see memory_scenarios.h. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "db/migration.h"
#include "db/sqlite/decimal_sum.h"
#include "fault/memory_scenarios.h"
#include "support/failing_memory.h"

/* Allocations up to the end of the first missing migration. */
static size_t *reached;
static int looks;

static void settle(memory_trial *self)
{
    self->params.journal = NULL;
    self->params.connections = 1;
    self->params.schema = CONV_SCHEMA_MIGRATE;
}

/* All that a migration makes, and, where there is a place for it, its note. */
#define NEW_STORE(note)                                                                            \
    {                                                                                              \
        .name = "new store", .way = MEMORY_OPENING, .migrates = true, .settle = settle,            \
        .state =                                                                                   \
            "SELECT count(*) + 1000 * coalesce(sum(length(sql)), 0)" note " FROM sqlite_master"    \
    }

static const memory_scenario empty_store = NEW_STORE("");
static const memory_scenario older_store =
    NEW_STORE(" + (SELECT count(*) FROM conversation_schema)");

/* The library looks what is there when it opens a store, and before each migration. */
static int see_statement(unsigned kind, void *context, void *statement, void *sql)
{
    (void)kind;
    (void)context;
    (void)statement;
    if (strstr(sql, "FROM sqlite_schema") != NULL && ++looks == 3)
        *reached = failing_memory_asked();
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

/* Gives how many allocations it takes until the first missing migration is made; 0: until the end,
 * because it is the only one. */
static size_t measure(memory_tried *tried)
{
    *reached = 0;
    looks = 0;
    sqlite3_auto_extension((void (*)(void))see_connection);
    size_t asked = memory_begin(tried);
    sqlite3_reset_auto_extension();
    if (*reached == 0 || *reached > asked) exit(99);
    return *reached;
}

/* The first missing migration, and with `all` those behind it in the same run. */
static void try_from(memory_tried *tried, campaign *run, int migrations, bool all)
{
    make_store(tried->store, migrations);
    memory_store_keep(tried->store, run);
    size_t last = measure(tried);
    bool is_last = conv__migrations_sqlite[migrations + 1].version == 0;
    memory_try(tried, 1, all || is_last ? 0 : last);
    memory_store_forget(tried->store);
}

void memory_run_migrations(campaign *run, memory_store *store)
{
    memory_tried tried = {.run = run, .store = store, .scenario = &empty_store};
    reached =
        mmap(NULL, sizeof *reached, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (reached == MAP_FAILED) exit(99);
    /* That none of them stays without the others takes failures in the later ones. */
    for (int i = 0; conv__migrations_sqlite[i].version != 0; i++) {
        try_from(&tried, run, i, i == 0);
        tried.scenario = &older_store;
    }
    memory_report(&tried);
    memory_store_clear(store);
}
