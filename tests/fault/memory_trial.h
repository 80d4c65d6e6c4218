/* The process in which the library is used while memory fails: one trial after the other, as long
 * as it lives, because a process for each would cost more than the trial. */
#ifndef TESTS_FAULT_MEMORY_TRIAL_H
#define TESTS_FAULT_MEMORY_TRIAL_H

#include "fault/memory.h"

/* Of a healthy trial or of another: with the parameters that its clients are opened with. */
memory_trial memory_trial_begin(const memory_tried *tried, bool healthy);

/* Restores the store and runs the scenario once. From allocation `first` on one fails, or with
 * `always` all; 0: none. Starts the process if there is none. Gives how the trial ended, as
 * memory.h has it. */
int memory_trial_run(memory_tried *tried, size_t first, bool always);

/* Ends the process, if there is one: before the scenario is another one, or what SQLite calls.
 * Gives its status as waitpid has it. */
int memory_trial_end(memory_tried *tried);

#endif
