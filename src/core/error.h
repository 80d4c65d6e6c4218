/* Filling a conv_error. */
#ifndef CONV__CORE_ERROR_H
#define CONV__CORE_ERROR_H

#include "conversation/status.h"

/* Sets all of `error` (which may be NULL) and gives back `status`, so that a function can end with
 * `return conv__fail(...)`. The recovery is the usual one of the status (UNAVAILABLE and TIMEOUT:
 * WAIT; LIMIT: BACKOFF; BAD_DATA: REJECT; PERMISSION and STATE: OPERATOR; else NONE). A line break
 * in the message becomes a space; a text that does not fit ends with "...". */
conv_status conv__fail(conv_error *error, conv_status status, const char *action,
                       const char *format, ...) CONV_PRINTF(4, 5);

/* conv__fail for CONV_NO_MEMORY. */
conv_status conv__fail_memory(conv_error *error, const char *action);

/* Of a file that the system does not let be used: CONV_PERMISSION where this user may not, else
 * CONV_UNAVAILABLE. */
conv_status conv__status_of_errno(int code);

void conv__error_clear(conv_error *error); /* NULL is allowed */

#endif
