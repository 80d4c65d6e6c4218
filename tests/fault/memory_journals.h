/* The scenarios of memory_scenarios.c that concern the journal's file: what they begin with, what
 * they do, and what they must have left. */
#ifndef TESTS_FAULT_MEMORY_JOURNALS_H
#define TESTS_FAULT_MEMORY_JOURNALS_H

#include "fault/memory.h"

/* A journal in which something waits. */
void memory_leave_waiting(memory_trial *self);

/* No journal, which is made. Its schema is whole or not there. */
void memory_remove_journal(memory_trial *self);
void memory_open_journal(memory_trial *self);
void memory_judge_journal(const memory_trial *self, checker_findings *all);

/* A journal with a page of rubbish, all entries of which can still be read. */
void memory_damage_journal(memory_trial *self);
void memory_rescue_journal(memory_trial *self);
void memory_judge_rescue(const memory_trial *self, checker_findings *all);

/* A journal with a dead letter, an interrupted turn and two exchanges that wait; all is listed,
 * the first two are to be tried again, one of the others is dropped. */
void memory_leave_entries(memory_trial *self);
void memory_decide_entries(memory_trial *self);
void memory_judge_entries(const memory_trial *self, checker_findings *all);

#endif
