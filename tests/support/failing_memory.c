#include "support/failing_memory.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "core/memory.h"
#include "support/test.h"

static atomic_size_t first_failure;
static atomic_bool fail_for_ever;
static atomic_size_t asked;
static atomic_size_t failed;
static atomic_size_t live;

static void (*watcher)(size_t number);

void failing_memory_watch(void (*meet)(size_t number))
{
    watcher = meet;
}

bool failing_memory_fails(void)
{
    size_t number = atomic_fetch_add(&asked, 1) + 1;
    if (watcher != NULL) watcher(number);
    size_t first = atomic_load(&first_failure);
    bool fails = first > 0 && (number == first || (number > first && atomic_load(&fail_for_ever)));
    if (fails) atomic_fetch_add(&failed, 1);
    return fails;
}

void *failing_memory_allocate(size_t size)
{
    void *block = failing_memory_fails() ? NULL : malloc(size);
    if (block != NULL) atomic_fetch_add(&live, 1);
    return block;
}

void *failing_memory_resize(void *block, size_t size)
{
    void *resized = failing_memory_fails() ? NULL : realloc(block, size);
    if (resized != NULL && block == NULL) atomic_fetch_add(&live, 1);
    return resized;
}

void failing_memory_release(void *block)
{
    if (block != NULL) atomic_fetch_sub(&live, 1);
    free(block);
}

void failing_memory_start(size_t first, bool for_ever)
{
    static const conv__memory_functions functions = {failing_memory_allocate, failing_memory_resize,
                                                     failing_memory_release};
    atomic_store(&live, 0);
    failing_memory_go_on(first, for_ever);
    conv__memory_set_functions(&functions);
}

/* Other threads may ask meanwhile: none of them meets half of an order. */
void failing_memory_choose(size_t first, bool for_ever)
{
    atomic_store(&first_failure, 0);
    atomic_store(&fail_for_ever, for_ever);
    atomic_store(&first_failure, first);
}

void failing_memory_go_on(size_t first, bool for_ever)
{
    atomic_store(&first_failure, 0);
    atomic_store(&asked, 0);
    atomic_store(&failed, 0);
    failing_memory_choose(first, for_ever);
}

void failing_memory_stop(void)
{
    conv__memory_set_functions(NULL);
}

size_t failing_memory_asked(void)
{
    return atomic_load(&asked);
}

size_t failing_memory_failed(void)
{
    return atomic_load(&failed);
}

size_t failing_memory_live(void)
{
    return atomic_load(&live);
}

/* What a whole trial of all allocations may keep, and has kept so far. */
typedef struct keeping {
    long allowed;
    long kept;
} keeping;

/* One run; false when nothing failed any more. */
static bool run_once(failing_memory_scenario scenario, void *context, keeping *memory, size_t first,
                     bool for_ever)
{
    failing_memory_start(first, for_ever);
    conv_status status = scenario(context);
    failing_memory_stop();
    memory->kept += (long)failing_memory_live();
    if (labs(memory->kept) > memory->allowed)
        fail_msg("allocation %zu failed: %ld blocks were not given back", first, memory->kept);
    if (failing_memory_failed() == 0) {
        if (status != CONV_OK) fail_msg("without a failure: %s", conv_status_name(status));
        return false;
    }
    if (status != CONV_OK && status != CONV_NO_MEMORY)
        fail_msg("allocation %zu failed: %s", first, conv_status_name(status));
    return true;
}

size_t failing_memory_run_keeping(failing_memory_scenario scenario, void *context, size_t blocks)
{
    keeping memory = {.allowed = (long)blocks};
    size_t first = 1;
    while (run_once(scenario, context, &memory, first, false)) {
        run_once(scenario, context, &memory, first, true);
        first++;
    }
    if (first == 1) fail_msg("the scenario allocates nothing, so nothing was tested");
    return first - 1;
}

size_t failing_memory_run(failing_memory_scenario scenario, void *context)
{
    return failing_memory_run_keeping(scenario, context, 0);
}
