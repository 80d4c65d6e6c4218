/* Events as lines, for people and programs. */
#ifndef CLI_EVENT_PRINT_H
#define CLI_EVENT_PRINT_H

#include <stdbool.h>
#include <stdint.h>

/* Prints an event that was told as `text`, as JSON as it came or in words, if it is one of `kinds`.
 * False: it was not printed. What is no event is said on standard error. */
bool cli_event_print(const char *text, uint64_t kinds, bool as_json);

#endif
