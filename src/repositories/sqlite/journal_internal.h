/* What journal.c and journal_open.c share. */
#ifndef CONV__REPOSITORIES_SQLITE_JOURNAL_INTERNAL_H
#define CONV__REPOSITORIES_SQLITE_JOURNAL_INTERNAL_H

#include "db/sqlite/connection.h"
#include "repositories/journal.h"

typedef struct conv__sqlite_journal {
    conv__journal journal;
    conv__sqlite *connection;
    char *path;
} conv__sqlite_journal;

extern const conv__journal_functions conv__sqlite_journal_functions;

#endif
