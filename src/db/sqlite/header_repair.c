/* See header_repair.h. Source of the offsets: "Database File Format" of SQLite's
 * documentation, 1.3.
 */
#include "db/sqlite/header_repair.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "db/sqlite/first_pages.h"

#define ACTION "rescue journal"

enum {
    HEADER_SIZE = CONV__SQLITE_HEADER_SIZE,
    PAGE_SIZE = CONV__SQLITE_PAGE_SIZE,
    MAGIC_SIZE = 16,
    COUNTER_AT = 24,
    PAGES_AT = 28,
    FORMAT_AT = 44,
    ENCODING_AT = 56,
    UNUSED_AT = 72,
    UNUSED_SIZE = 20,
    COUNTER_OF_PAGES_AT = 92
};

static void put(unsigned char *at, unsigned long value)
{
    for (int i = 3; i >= 0; i--, value >>= 8)
        at[i] = (unsigned char)value;
}

static const char magic[MAGIC_SIZE] = "SQLite format 3";

/* Page size, log as the way of writing and reading, nothing reserved, and three fixed fractions. */
static const unsigned char fixed[] = {PAGE_SIZE >> 8, PAGE_SIZE & 0xFF, 2, 2, 0, 64, 32, 32};

/* Behind the fixed bytes: how many pages there are; the schema's format, UTF-8, and zeros for what
 * is to come. */
static void set_known(unsigned char header[HEADER_SIZE], unsigned long pages)
{
    memcpy(header, magic, MAGIC_SIZE);
    memcpy(header + MAGIC_SIZE, fixed, sizeof fixed);
    put(header + PAGES_AT, pages);
    put(header + FORMAT_AT, 4);
    put(header + ENCODING_AT, 1);
    memset(header + UNUSED_AT, 0, UNUSED_SIZE);
    /* The number of pages counts if it was written at this change. */
    memcpy(header + COUNTER_OF_PAGES_AT, header + COUNTER_AT, 4);
}

static conv_status repair(int descriptor)
{
    struct stat status;
    unsigned char header[HEADER_SIZE];
    unsigned char wanted[HEADER_SIZE];
    if (fstat(descriptor, &status) != 0) return CONV_UNAVAILABLE;
    if (status.st_size < PAGE_SIZE) return CONV_OK;
    if (pread(descriptor, header, sizeof header, 0) != (ssize_t)sizeof header)
        return CONV_UNAVAILABLE;
    memcpy(wanted, header, sizeof wanted);
    set_known(wanted, (unsigned long)status.st_size / PAGE_SIZE);
    if (memcmp(header, wanted, sizeof wanted) == 0) return CONV_OK;
    if (pwrite(descriptor, wanted, sizeof wanted, 0) != (ssize_t)sizeof wanted ||
        fsync(descriptor) != 0)
        return CONV_UNAVAILABLE;
    return CONV_OK;
}

conv_status conv__sqlite_header_repair(const char *path, conv_error *error)
{
    int descriptor = open(path, O_RDWR | O_CLOEXEC);
    conv_status status = descriptor < 0 ? conv__status_of_errno(errno) : repair(descriptor);
    int code = errno;
    if (descriptor >= 0) close(descriptor);
    if (status == CONV_OK) return CONV_OK;
    return conv__fail(error, status, ACTION, "%s: %s", path, strerrordesc_np(code));
}

bool conv__sqlite_header_is_damaged(const char *path)
{
    enum { VERSIONS_AT = MAGIC_SIZE + 2 };
    uint8_t header[HEADER_SIZE];
    int64_t size = 0;
    if (conv__sqlite_read_start(path, header, sizeof header, &size, NULL) != CONV_OK || size == 0)
        return false;
    /* Before its first use a file has no log. */
    if (header[VERSIONS_AT] == 1 && header[VERSIONS_AT + 1] == 1)
        header[VERSIONS_AT] = header[VERSIONS_AT + 1] = 2;
    return memcmp(header, magic, MAGIC_SIZE) != 0 ||
           memcmp(header + MAGIC_SIZE, fixed, sizeof fixed) != 0;
}
