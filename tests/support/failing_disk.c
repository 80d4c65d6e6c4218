#include "support/failing_disk.h"

#include <sqlite3.h>
#include <stddef.h>

static sqlite3_vfs layer;
static sqlite3_vfs *system_vfs;
static failing_disk_call failing;
static int number;
static int code;
static bool for_ever;
static int calls;
static bool failed;
static void (*hold_sync)(void *context);
static void *hold_context;

/* SQLite's file, with the system's own right behind it. */
typedef struct layered_file {
    sqlite3_file base;
    sqlite3_file *inner;
} layered_file;

static sqlite3_file *inner_of(sqlite3_file *file)
{
    return ((layered_file *)file)->inner;
}

static bool fails(failing_disk_call call)
{
    if (number == 0 || call != failing) return false;
    calls++;
    bool now = calls == number || (for_ever && calls > number);
    failed = failed || now;
    return now;
}

static int close_file(sqlite3_file *file)
{
    return inner_of(file)->pMethods->xClose(inner_of(file));
}

static int read_file(sqlite3_file *file, void *data, int size, sqlite3_int64 offset)
{
    return inner_of(file)->pMethods->xRead(inner_of(file), data, size, offset);
}

static int write_file(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset)
{
    if (fails(FAILING_DISK_WRITE)) {
        /* Half of it is there, as after a real failure. */
        inner_of(file)->pMethods->xWrite(inner_of(file), data, size / 2, offset);
        return code;
    }
    return inner_of(file)->pMethods->xWrite(inner_of(file), data, size, offset);
}

static int truncate_file(sqlite3_file *file, sqlite3_int64 size)
{
    return inner_of(file)->pMethods->xTruncate(inner_of(file), size);
}

static int sync_file(sqlite3_file *file, int flags)
{
    if (hold_sync != NULL) hold_sync(hold_context);
    if (fails(FAILING_DISK_SYNC)) return code;
    return inner_of(file)->pMethods->xSync(inner_of(file), flags);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return inner_of(file)->pMethods->xFileSize(inner_of(file), size);
}

static int lock_file(sqlite3_file *file, int level)
{
    return inner_of(file)->pMethods->xLock(inner_of(file), level);
}

static int unlock_file(sqlite3_file *file, int level)
{
    return inner_of(file)->pMethods->xUnlock(inner_of(file), level);
}

static int check_lock(sqlite3_file *file, int *result)
{
    return inner_of(file)->pMethods->xCheckReservedLock(inner_of(file), result);
}

static int control_file(sqlite3_file *file, int operation, void *argument)
{
    return inner_of(file)->pMethods->xFileControl(inner_of(file), operation, argument);
}

static int sector_size(sqlite3_file *file)
{
    return inner_of(file)->pMethods->xSectorSize(inner_of(file));
}

static int characteristics(sqlite3_file *file)
{
    return inner_of(file)->pMethods->xDeviceCharacteristics(inner_of(file));
}

static int map_shared(sqlite3_file *file, int page, int size, int extend, void volatile **memory)
{
    return inner_of(file)->pMethods->xShmMap(inner_of(file), page, size, extend, memory);
}

static int lock_shared(sqlite3_file *file, int offset, int count, int flags)
{
    return inner_of(file)->pMethods->xShmLock(inner_of(file), offset, count, flags);
}

static void shared_barrier(sqlite3_file *file)
{
    inner_of(file)->pMethods->xShmBarrier(inner_of(file));
}

static int unmap_shared(sqlite3_file *file, int delete_it)
{
    return inner_of(file)->pMethods->xShmUnmap(inner_of(file), delete_it);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize = file_size,
    .xLock = lock_file,
    .xUnlock = unlock_file,
    .xCheckReservedLock = check_lock,
    .xFileControl = control_file,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
    .xShmMap = map_shared,
    .xShmLock = lock_shared,
    .xShmBarrier = shared_barrier,
    .xShmUnmap = unmap_shared,
};

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                     int *out_flags)
{
    (void)vfs;
    layered_file *self = (layered_file *)file;
    self->inner = (sqlite3_file *)(self + 1);
    int result = system_vfs->xOpen(system_vfs, name, self->inner, flags, out_flags);
    self->base.pMethods = self->inner->pMethods != NULL ? &methods : NULL;
    return result;
}

int failing_disk_install(void)
{
    int result = sqlite3_initialize();
    if (result != SQLITE_OK) return result;
    system_vfs = sqlite3_vfs_find(NULL);
    layer = *system_vfs;
    layer.pNext = NULL;
    layer.zName = "failing-disk";
    layer.szOsFile = (int)sizeof(layered_file) + system_vfs->szOsFile;
    layer.xOpen = open_file;
    return sqlite3_vfs_register(&layer, 1);
}

void failing_disk_start(failing_disk_call call, int wanted, int result, bool always)
{
    failing = call;
    number = wanted;
    code = result;
    for_ever = always;
    calls = 0;
    failed = false;
}

void failing_disk_hold_syncs(void (*hold)(void *context), void *context)
{
    hold_sync = hold;
    hold_context = context;
}

bool failing_disk_has_failed(void)
{
    return failed;
}
