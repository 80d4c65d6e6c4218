/* Whether a file was ever a journal, told from its bytes, before anything opens it. */
#ifndef CONV__REPOSITORIES_SQLITE_JOURNAL_SIGNS_H
#define CONV__REPOSITORIES_SQLITE_JOURNAL_SIGNS_H

#include "conversation/status.h"

typedef enum conv__journal_look {
    CONV__JOURNAL_LOOK_OURS,     /* a journal, whole or damaged; or nothing is in it yet */
    CONV__JOURNAL_LOOK_DATABASE, /* of something else */
    CONV__JOURNAL_LOOK_FOREIGN   /* anything else */
} conv__journal_look;

/* Changes nothing. CONV_UNAVAILABLE, CONV_PERMISSION, CONV_NO_MEMORY: the file can't be read. */
CONV_WARN_UNUSED conv_status conv__sqlite_journal_look(const char *path, conv__journal_look *look,
                                                       conv_error *error);

#endif
