/* Makes the n-th allocation of the library fail, and counts what was not given back. */
#ifndef TESTS_SUPPORT_FAILING_MEMORY_H
#define TESTS_SUPPORT_FAILING_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "conversation/status.h"

/* From now on allocation `first` fails (from 1; 0: none), and with `for_ever` all after it too.
 * Counts from the beginning. */
void failing_memory_start(size_t first, bool for_ever);

/* The same for memory that is in use since an earlier start: the blocks go on being counted. */
void failing_memory_go_on(size_t first, bool for_ever);

/* The same while the counting goes on. */
void failing_memory_choose(size_t first, bool for_ever);

/* Calls `meet` with the number of each allocation before it is made, which may choose that it
 * fails; NULL: no more. */
void failing_memory_watch(void (*meet)(size_t number));

/* Back to malloc. */
void failing_memory_stop(void);

/* Allocations asked for, failures handed out, and blocks not given back, since the start. */
size_t failing_memory_asked(void);
size_t failing_memory_failed(void);
size_t failing_memory_live(void);

/* Asks for one more allocation; whether it is to fail. For the memory of other libraries. */
bool failing_memory_fails(void);

/* What the library's memory is made of meanwhile, counted the same for other libraries. */
void *failing_memory_allocate(size_t size);
void *failing_memory_resize(void *block, size_t size);
void failing_memory_release(void *block);

/* What is tried; it gives back all it took, whatever its answer. */
typedef conv_status (*failing_memory_scenario)(void *context);

/* Runs the scenario with the first allocation failing, then the second and so on, once and for
 * ever, until it asks for no more. Each run must answer CONV_NO_MEMORY, or CONV_OK if it could do
 * without, and leave no block behind; the last one CONV_OK. Gives the number of allocations. */
size_t failing_memory_run(failing_memory_scenario scenario, void *context);

/* The same for a scenario on something that lives on and may keep so many blocks for its next use.
 */
size_t failing_memory_run_keeping(failing_memory_scenario scenario, void *context, size_t blocks);

#endif
