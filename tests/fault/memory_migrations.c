/* The migrations of a new store of SQLite, one by one; see memory_scenarios.h. */
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/migration.h"
#include "db/sqlite/decimal_sum.h"
#include "fault/memory_forks.h"
#include "fault/memory_scenarios.h"

/* Whether all missing migrations are tried in one run, or the first of them. */
static bool all_in_one;
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
    if (sql == NULL) return 0; /* no memory for its text */
    if (strstr(sql, "FROM sqlite_schema") != NULL) looks++;
    if (looks == 2 && !all_in_one) memory_forks_start();
    /* Behind COMMIT the files change, and the client has its threads. */
    if ((looks == 3 && !all_in_one) || strcmp(sql, "COMMIT") == 0) memory_forks_stop();
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

/* Gives the number of the last allocation that was forked at. */
static size_t run_and_fork(memory_tried *tried)
{
    looks = 0;
    memory_forks_prepare(tried, all_in_one);
    sqlite3_auto_extension((void (*)(void))see_connection);
    memory_begin(tried);
    sqlite3_reset_auto_extension();
    return memory_forks_end(tried);
}

/* The first missing migration, or those behind it in the same run too. */
static void try_from(memory_tried *tried, campaign *run, int migrations)
{
    bool is_last = conv__migrations_sqlite[migrations + 1].version == 0;
    all_in_one = migrations == 0;
    make_store(tried->store, migrations);
    memory_store_keep(tried->store, run);
    size_t last = run_and_fork(tried);
    if (all_in_one || is_last) memory_try(tried, last + 1, 0);
    memory_store_forget(tried->store);
}

void memory_run_migrations(campaign *run, memory_store *store)
{
    memory_tried tried = {.run = run, .store = store, .scenario = &empty_store};
    /* That none of them stays without the others takes failures in the later ones. */
    int stores = run->tier == CAMPAIGN_LONG ? INT_MAX : 1;
    for (int i = 0; i < stores && conv__migrations_sqlite[i].version != 0; i++) {
        try_from(&tried, run, i);
        tried.scenario = &older_store;
    }
    memory_report(&tried);
    memory_store_clear(store);
}
