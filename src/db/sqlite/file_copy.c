/* See file_copy.h. Nothing is synced: after a power cut the copy is made anew. */
#include "db/sqlite/file_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/memory.h"

#define ACTION "rescue journal"

enum { BLOCK = 4096 };

static bool write_block(int descriptor, const char *bytes, size_t size, off_t offset)
{
    for (size_t written = 0; written < size;) {
        ssize_t more = pwrite(descriptor, bytes + written, size - written, offset + (off_t)written);
        if (more < 0 && errno == EINTR) continue;
        if (more == 0) errno = ENOSPC;
        if (more <= 0) return false;
        written += (size_t)more;
    }
    return true;
}

/* Block by block, so that a bad sector of the disk costs no more than its page. */
static bool copy_blocks(int from, int to)
{
    char block[BLOCK];
    struct stat status;
    if (fstat(from, &status) != 0) return false;
    for (off_t offset = 0; offset < status.st_size; offset += BLOCK) {
        off_t left = status.st_size - offset;
        size_t size = left < BLOCK ? (size_t)left : BLOCK;
        memset(block, 0, sizeof block);
        if (pread(from, block, size, offset) < 0) memset(block, 0, sizeof block);
        if (!write_block(to, block, size, offset)) return false;
    }
    return true;
}

static conv_status fail(const char *path, conv_error *error)
{
    int code = errno;
    conv_status status = conv__status_of_errno(code);
    conv__fail(error, status, ACTION,
               "%s is kept as it is and read from a copy beside it, which needs as much room again "
               "and can't be made: %s",
               path, strerrordesc_np(code));
    if (error != NULL) error->recovery = CONV_RECOVERY_OPERATOR;
    return status;
}

/* A log need not be there. */
static conv_status copy_one(const char *from, const char *to, bool may_be_missing,
                            conv_error *error)
{
    int source = open(from, O_RDONLY | O_CLOEXEC);
    if (source < 0 && errno == ENOENT && may_be_missing) return CONV_OK;
    int target = source < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    conv_status status = target < 0 || !copy_blocks(source, target) ? fail(from, error) : CONV_OK;
    if (target >= 0) close(target);
    if (source >= 0) close(source);
    return status;
}

conv_status conv__sqlite_copy_file(const char *from, const char *to, conv_error *error)
{
    char *from_log = conv__join_text(from, "-wal");
    char *to_log = conv__join_text(to, "-wal");
    conv_status status = CONV_OK;
    conv__sqlite_remove_copy(to);
    if (from_log == NULL || to_log == NULL)
        status = conv__fail_memory(error, ACTION);
    else
        status = copy_one(from, to, false, error);
    if (status == CONV_OK) status = copy_one(from_log, to_log, true, error);
    if (status != CONV_OK) conv__sqlite_remove_copy(to);
    conv__release(from_log);
    conv__release(to_log);
    return status;
}

void conv__sqlite_remove_copy(const char *path)
{
    static const char *const endings[] = {"", "-wal", "-shm", "-journal", "-lock"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        char *name = conv__join_text(path, endings[i]);
        if (name != NULL) unlink(name);
        conv__release(name);
    }
}
