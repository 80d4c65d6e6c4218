/* A disk that fails or hangs: SQLite's files go through a layer in which the n-th write or sync
 * fails, and in which a sync can be held up. */
#ifndef TESTS_SUPPORT_FAILING_DISK_H
#define TESTS_SUPPORT_FAILING_DISK_H

#include <stdbool.h>

typedef enum failing_disk_call { FAILING_DISK_WRITE, FAILING_DISK_SYNC } failing_disk_call;

/* Becomes the default VFS of this process. Gives one of SQLite's result codes. */
int failing_disk_install(void);

/* From now on call `number` (from 1) of this kind fails with `code`, and with `for_ever` all of
 * that kind after it too. Number 0: nothing fails any more. */
void failing_disk_start(failing_disk_call call, int number, int code, bool for_ever);

/* From now on each sync first calls `hold`. To be set while no file is in use, or none syncs. */
void failing_disk_hold_syncs(void (*hold)(void *context), void *context);

/* Whether a call has failed since the start. */
bool failing_disk_has_failed(void);

#endif
