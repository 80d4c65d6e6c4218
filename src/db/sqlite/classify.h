/* What SQLite's result codes mean for a caller. Pure: looks at the code alone. */
#ifndef CONV__DB_SQLITE_CLASSIFY_H
#define CONV__DB_SQLITE_CLASSIFY_H

#include "conversation/status.h"

typedef struct conv__sqlite_meaning {
    conv_status status;
    conv_recovery recovery;
    const char *text; /* what happened and what to do; static */
} conv__sqlite_meaning;

/* `code` is an extended result code (sqlite.org/rescode.html). An extended code that is not listed
 * means what its primary code means; any other number is an internal error for the operator.
 * `system_error` is the errno behind a failure of the disk, 0 if it is not known. */
conv__sqlite_meaning conv__sqlite_classify(int code, int system_error);

#endif
