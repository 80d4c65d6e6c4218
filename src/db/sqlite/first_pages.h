/* The beginning of a file that may be an SQLite database, or anything else. */
#ifndef CONV__DB_SQLITE_FIRST_PAGES_H
#define CONV__DB_SQLITE_FIRST_PAGES_H

#include <stddef.h>
#include <stdint.h>

#include "conversation/status.h"

enum {
    CONV__SQLITE_PAGE_SIZE = 4096, /* SQLite's default, which nothing of ours changes */
    CONV__SQLITE_HEADER_SIZE = 100 /* in front of the first page's own */
};

/* Reads up to `size` bytes from the file's start and fills the rest with zeros. Changes neither the
 * file nor what lies beside it; the file may be open, here or elsewhere. `file_size` receives how
 * long it is. CONV_UNAVAILABLE, CONV_PERMISSION, CONV_NO_MEMORY: it can't be read. */
CONV_WARN_UNUSED conv_status conv__sqlite_read_start(const char *path, uint8_t *bytes, size_t size,
                                                     int64_t *file_size, conv_error *error);

#endif
