/* Which of the allocations of a scenario fail: all, or one of each call stack that asks. */
#ifndef TESTS_FAULT_MEMORY_CHOICE_H
#define TESTS_FAULT_MEMORY_CHOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MEMORY_CHOICE_SIZE = 1 << 17 };

/* {0} has every allocation. */
typedef struct memory_choice {
    uint64_t *stacks; /* the call stack of each; 0: another one stands for it. NULL: every one */
    void *seen;       /* the call stacks that had their turn, of earlier choices too */
    size_t asked;
} memory_choice;

/* Afterwards `stacks`, which other processes share, is to be filled by a trial, with the stacks of
 * MEMORY_CHOICE_SIZE allocations at most. */
void memory_choice_begin(memory_choice *self);

/* Of `asked` allocations the first of each call stack is chosen that was not seen before, and each
 * 61st of the others: what comes of a failure can depend on what was done before. */
void memory_choice_make(memory_choice *self, size_t asked);

/* Those behind `last` were not tried: a later choice may have their call stacks. */
void memory_choice_give_back(memory_choice *self, size_t last);

/* Whether it has an allocation, counted from 1. All those that no trial had are chosen. */
bool memory_choice_has(const memory_choice *self, size_t number);

void memory_choice_end(memory_choice *self);

#endif
