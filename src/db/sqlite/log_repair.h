/* The write-ahead log of a file that nobody has open: whether it is damaged, and mending it. */
#ifndef CONV__DB_SQLITE_LOG_REPAIR_H
#define CONV__DB_SQLITE_LOG_REPAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/status.h"

/* SQLite takes the first frame of the log that does not fit for its end, in silence: right after a
 * power cut, wrong for a frame that was on the disk and has rotted. The two can be told apart where
 * whole transactions follow: each began only when the one before was synced. In the last
 * transaction they can't. False also where there is no log, or it can't be read. */
bool conv__sqlite_log_is_damaged(const char *path);

/* Makes SQLite read a damaged log to its last whole transaction: checksums are made anew over what
 * is there, rotten pages among it, which the reader must then expect. CONV_UNAVAILABLE,
 * CONV_PERMISSION: the file can't be changed. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__sqlite_log_repair(const char *path, conv_error *error);

/* Whether SQLite would read anything from the log. */
bool conv__sqlite_log_has_transaction(const char *path);

/* Whether one of the log's first pages passes, whole or damaged. */
bool conv__sqlite_log_has_page(const char *path, bool (*passes)(const uint8_t *page, size_t size));

#endif
