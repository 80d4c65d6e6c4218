/* The answer to a question that a command asked before it removes something. */
#ifndef CLI_CONFIRM_H
#define CLI_CONFIRM_H

#include <stdbool.h>

/* To be called behind the question, which stands on standard error: adds " [y/N] ", and reads
 * whether the answer is yes. */
bool cli_confirmed(void);

#endif
