/* See memory_choice.h. */
#include "fault/memory_choice.h"

#include <search.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { OTHERS = 61 };

static const size_t bytes = MEMORY_CHOICE_SIZE * sizeof(uint64_t);

void memory_choice_begin(memory_choice *self)
{
    if (self->stacks == NULL)
        self->stacks = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (self->stacks == MAP_FAILED) exit(99);
    self->asked = 0;
}

static int compare(const void *left, const void *right)
{
    return ((uintptr_t)left > (uintptr_t)right) - ((uintptr_t)left < (uintptr_t)right);
}

/* Whether it is new. The tree's keys are the stacks themselves, so that nothing is to be freed. */
static bool notice(memory_choice *self, uint64_t stack)
{
    const void *key = (const void *)(uintptr_t)stack;
    if (tfind(key, &self->seen, compare) != NULL) return false;
    if (tsearch(key, &self->seen, compare) == NULL) exit(99);
    return true;
}

void memory_choice_make(memory_choice *self, size_t asked)
{
    if (asked > MEMORY_CHOICE_SIZE) asked = MEMORY_CHOICE_SIZE;
    for (size_t i = 0; i < asked; i++)
        if (!notice(self, self->stacks[i]) && i % OTHERS != 0) self->stacks[i] = 0;
    self->asked = asked;
}

void memory_choice_give_back(memory_choice *self, size_t last)
{
    for (size_t i = last; i < self->asked; i++)
        if (self->stacks[i] != 0)
            tdelete((const void *)(uintptr_t)self->stacks[i], &self->seen, compare);
}

bool memory_choice_has(const memory_choice *self, size_t number)
{
    return self->stacks == NULL || number > self->asked || self->stacks[number - 1] != 0;
}

static void keep(void *key)
{
    (void)key;
}

void memory_choice_end(memory_choice *self)
{
    tdestroy(self->seen, keep);
    if (self->stacks != NULL) munmap(self->stacks, bytes);
    *self = (memory_choice){0};
}
