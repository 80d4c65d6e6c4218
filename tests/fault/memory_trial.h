/* What is done in the process in which the library is used while memory fails. */
#ifndef TESTS_FAULT_MEMORY_TRIAL_H
#define TESTS_FAULT_MEMORY_TRIAL_H

#include "fault/memory.h"

/* Of a healthy trial or of another: with the parameters that its clients are opened with. */
memory_trial memory_trial_begin(const memory_tried *tried, bool healthy);

/* Restores the store and runs the scenario once. From allocation `first` on one fails, or with
 * `always` all; 0: none. Gives how the trial ended, as memory.h has it. The worker is to be ended
 * before the scenario is another one, or what SQLite calls. */
int memory_trial_run(memory_tried *tried, size_t first, bool always);

#endif
