/* What is tried while memory fails; see memory.h. */
#ifndef TESTS_FAULT_MEMORY_SCENARIOS_H
#define TESTS_FAULT_MEMORY_SCENARIOS_H

#include "fault/memory.h"

extern const memory_scenario memory_scenarios[];
extern const size_t memory_scenario_count;

/* Those that mostly wait, which is why they have a process of their own. */
extern const memory_scenario memory_waiting_scenarios[];
extern const size_t memory_waiting_scenario_count;

/* A new store of SQLite: each migration by itself, on a store that has those before it, because an
 * allocation in a late one would else make all of them once more. The first time all of them are
 * tried in one. */
void memory_run_migrations(campaign *run, memory_store *store);

#endif
