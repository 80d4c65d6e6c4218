/* A copy of a damaged file and its log, to be mended and read while they stay as they were found.
 */
#ifndef CONV__DB_SQLITE_FILE_COPY_H
#define CONV__DB_SQLITE_FILE_COPY_H

#include "conversation/status.h"

/* Copies file and log in the place of an earlier copy, for the owner alone. Nobody may have either
 * open. What the disk can't read is zeros in the copy. CONV_UNAVAILABLE, CONV_PERMISSION: it can't
 * be made, for one because the disk is full; nothing of it is left then. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__sqlite_copy_file(const char *from, const char *to,
                                                    conv_error *error);

/* Removes a copy and what SQLite and we have made beside it. */
void conv__sqlite_remove_copy(const char *path);

#endif
