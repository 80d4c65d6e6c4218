/* The journal in an SQLite file that one process at a time has open. */
#ifndef CONV__REPOSITORIES_SQLITE_JOURNAL_H
#define CONV__REPOSITORIES_SQLITE_JOURNAL_H

#include <stdbool.h>

#include "conversation/status.h"
#include "db/sqlite/query.h"
#include "repositories/journal.h"

extern const conv__sqlite_statement conv__sqlite_journal_statements[];

/* `unsynced`: what it acknowledges survives the process, not a power cut. Opens the file and brings
 * its schema up to date. `set_aside` is NULL unless the file was damaged: it is then kept under
 * this name, to be released, byte for byte as it was found; what can be read of it is taken over
 * from a copy, and a fresh one is used.
 * CONV_STATE: another live process has it open (with CONV_RECOVERY_WAIT), or it is of a newer
 * version or of something else. CONV_BAD_DATA: what is there never was a journal. CONV_UNAVAILABLE,
 * CONV_PERMISSION: the file can't be made or written. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__sqlite_journal_open(const char *path, bool unsynced,
                                                       char **set_aside, conv__journal **journal,
                                                       conv_error *error);

#endif
