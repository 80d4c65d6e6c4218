/* What journal.c and journal_open.c share. */
#ifndef CONV__REPOSITORIES_SQLITE_JOURNAL_INTERNAL_H
#define CONV__REPOSITORIES_SQLITE_JOURNAL_INTERNAL_H

#include <stdatomic.h>

#include "db/sqlite/connection.h"
#include "repositories/journal.h"

typedef struct conv__sqlite_journal {
    conv__journal journal;
    conv__sqlite *connection;
    char *path;
    _Atomic int64_t used_bytes;
} conv__sqlite_journal;

extern const conv__journal_functions conv__sqlite_journal_functions;

/* The entry after (`up`) or before an id; CONV_NOT_FOUND when there is none. */
CONV_WARN_UNUSED conv_status conv__sqlite_journal_beside(conv__journal *journal, int64_t entry_id,
                                                         bool up, conv__arena *arena,
                                                         conv__journal_entry *entry,
                                                         conv_error *error);

/* The greatest id that the file knows of, found in either of two places. */
CONV_WARN_UNUSED conv_status conv__sqlite_journal_greatest(conv__journal *journal, bool counter,
                                                           int64_t *entry_id, conv_error *error);

/* Adds an entry under the entry_id that it has, if that is free, else behind all others. */
CONV_WARN_UNUSED conv_status conv__sqlite_journal_take_over(conv__journal *journal,
                                                            const conv__journal_entry *entry,
                                                            conv_error *error);

/* Sets aside a file that is damaged, and takes over into a fresh one what can be read of it; goes
 * on with that where an earlier process died in the middle of it. */
bool conv__sqlite_journal_needs_rescue(const char *path);
CONV_WARN_UNUSED conv_status conv__sqlite_journal_rescue(const char *path, bool unsynced,
                                                         conv__journal **journal, char **set_aside,
                                                         conv_error *error);

/* Whichever part failed, it is the journal, and this file; the rest of the error stays. */
conv_status conv__sqlite_journal_name_file(const char *path, const char *action, conv_status status,
                                           conv_error *error);

/* Opens the file and looks at every entry. CONV_BAD_DATA: it is damaged. */
CONV_WARN_UNUSED conv_status conv__sqlite_journal_open_file(const char *path, bool unsynced,
                                                            conv__journal **journal,
                                                            conv_error *error);

#endif
