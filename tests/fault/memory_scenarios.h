/* What is tried while memory fails; see memory.h. */
#ifndef TESTS_FAULT_MEMORY_SCENARIOS_H
#define TESTS_FAULT_MEMORY_SCENARIOS_H

#include "fault/memory.h"

/* Runs of the scenarios that are to be side by side: of those that mostly wait there are more. */
enum { MEMORY_BUSY_SHARES = 2, MEMORY_WAITING_SHARES = 4 };
enum { MEMORY_SHARES = MEMORY_BUSY_SHARES + MEMORY_WAITING_SHARES };

/* Runs one of them, from 0. */
void memory_run_share(campaign *run, memory_store *store, int share);

/* A new store of SQLite: each migration by itself, and all of them in one run, of which but for the
 * long tier not each allocation fails once more. One of so many shares, from 0. */
enum { MEMORY_MIGRATION_SHARES = 2 };
void memory_run_migrations(campaign *run, memory_store *store, int share);

#endif
