/* The journal's file beside the library, while no process has it open. */
#ifndef TESTS_FAULT_JOURNAL_FILE_H
#define TESTS_FAULT_JOURNAL_FILE_H

/* Overwrites a page of an index, so that the next process that opens it has to rescue what it
 * holds. Ends the program if that fails, as everything here does. */
void journal_file_damage(const char *path);

long journal_file_count_dead(const char *path);

#endif
