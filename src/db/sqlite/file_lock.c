/* One writer at a time across processes, from before BEGIN until COMMIT has returned.
 *
 * Why SQLite's own lock is not enough: up to 3.51.2 it has the "WAL-reset bug"
 * (sqlite.org/wal.html): while one connection begins a checkpoint, another one commits and starts
 * the log over; the first then marks pages of the new log as copied that never were, and they are
 * lost. It takes a checkpoint in one connection beside a commit in another. Ours checkpoint only
 * inside COMMIT (the automatic one) and when the last connection closes (then SQLite holds the file
 * exclusively), and whoever commits holds this lock, so the two can't meet. Readers neither commit
 * nor checkpoint and need no lock. Other programs that write the file at the same time (the sqlite3
 * shell, backup tools that checkpoint) are not held back by it.
 *
 * Why a file of its own: closing any descriptor of the database itself would drop SQLite's POSIX
 * locks in this process. It is never removed: a lock on a removed file excludes nobody.
 * Why open file description locks: two stores of one process exclude each other as well, and a
 * crashed process leaves nothing behind. */
#include "db/sqlite/file_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/time.h"

#define ACTION "lock store"

/* A waiter first takes the entrance, then the lock, then leaves the entrance. Whoever has just
 * given the lock back finds the entrance taken, so a busy process can't keep the others out. */
enum { LOCK_BYTE = 0, ENTRANCE_BYTE = 1 };

enum { FIRST_PAUSE_NS = 50000, LONGEST_PAUSE_NS = 2000000 };

static int open_lock(const char *path, mode_t mode)
{
    int descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (descriptor >= 0) {
        /* Another user who may write the database must be able to lock it too: undo the umask. */
        if (fchmod(descriptor, mode) != 0) errno = 0;
        return descriptor;
    }
    return errno == EEXIST ? open(path, O_RDWR | O_CLOEXEC) : -1;
}

conv_status conv__file_lock_open(const char *file, conv__file_lock *lock, conv_error *error)
{
    struct stat status;
    mode_t mode = stat(file, &status) == 0 ? status.st_mode & 0666 : 0600;
    char *path = conv__join_text(file, "-lock");
    if (path == NULL) return conv__fail_memory(error, ACTION);
    lock->descriptor = open_lock(path, mode);
    int code = errno;
    conv_status result = CONV_OK;
    if (lock->descriptor < 0)
        result = conv__fail(error, conv__status_of_errno(code), ACTION,
                            "can't open %s for writing: %s", path, strerrordesc_np(code));
    conv__release(path);
    return result;
}

void conv__file_lock_close(conv__file_lock *lock)
{
    if (lock->descriptor >= 0) close(lock->descriptor);
    lock->descriptor = -1;
}

static int set_lock(const conv__file_lock *lock, short type, off_t byte)
{
    struct flock range = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    int result = 0;
    do {
        result = fcntl(lock->descriptor, F_OFD_SETLK, &range);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? 0 : errno;
}

static conv_status wait_for_byte(const conv__file_lock *lock, off_t byte, int64_t deadline_ns,
                                 conv_error *error)
{
    long pause_ns = FIRST_PAUSE_NS;
    for (;;) {
        int code = set_lock(lock, F_WRLCK, byte);
        if (code == 0) return CONV_OK;
        if (code != EAGAIN && code != EACCES)
            return conv__fail(error, CONV_UNAVAILABLE, ACTION, "the file system can't lock: %s",
                              strerrordesc_np(code));
        if (conv__deadline_passed(conv__deadline_within(deadline_ns, lock->latest))) {
            conv__fail(error, CONV_TIMEOUT, ACTION,
                       "another process was writing to the store until the deadline");
            if (error != NULL) error->recovery = CONV_RECOVERY_BACKOFF;
            return CONV_TIMEOUT;
        }
        struct timespec pause = {0, pause_ns};
        nanosleep(&pause, NULL);
        pause_ns = pause_ns * 2 < LONGEST_PAUSE_NS ? pause_ns * 2 : LONGEST_PAUSE_NS;
    }
}

conv_status conv__file_lock_acquire(const conv__file_lock *lock, int64_t deadline_ns,
                                    conv_error *error)
{
    if (lock->descriptor < 0) return CONV_OK;
    conv_status status = wait_for_byte(lock, ENTRANCE_BYTE, deadline_ns, error);
    if (status != CONV_OK) return status;
    status = wait_for_byte(lock, LOCK_BYTE, deadline_ns, error);
    set_lock(lock, F_UNLCK, ENTRANCE_BYTE);
    return status;
}

void conv__file_lock_release(const conv__file_lock *lock)
{
    if (lock->descriptor >= 0) set_lock(lock, F_UNLCK, LOCK_BYTE);
}
