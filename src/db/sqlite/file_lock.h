/* The lock that every writer of ours takes, in whatever process it is. See file_lock.c for why. */
#ifndef CONV__DB_SQLITE_FILE_LOCK_H
#define CONV__DB_SQLITE_FILE_LOCK_H

#include <stdint.h>

#include "conversation/status.h"
#include "core/time.h"

/* -1: there is nothing to lock (a database in memory, or one opened for reading only). */
typedef struct conv__file_lock {
    int descriptor;
    const conv__latest *latest; /* for acquiring; NULL: none */
} conv__file_lock;

/* Opens FILE-lock beside the database `file`, and makes it, with the same permissions, if it is not
 * there. CONV_PERMISSION, CONV_UNAVAILABLE, CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__file_lock_open(const char *file, conv__file_lock *lock,
                                                  conv_error *error);
void conv__file_lock_close(conv__file_lock *lock);

/* CONV_TIMEOUT: another writer held it until the deadline. CONV_UNAVAILABLE: no locks here. */
CONV_WARN_UNUSED conv_status conv__file_lock_acquire(const conv__file_lock *lock,
                                                     int64_t deadline_ns, conv_error *error);
void conv__file_lock_release(const conv__file_lock *lock);

#endif
