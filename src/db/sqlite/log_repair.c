/* Reading the frames of a write-ahead log as sqlite.org/fileformat2.html (section 4) describes
 * them. It must not be used on a file that is open. */
#include "db/sqlite/log_repair.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/memory.h"

#define ACTION "repair write-ahead log"

enum { HEADER = 32, FRAME = 24, LEAST_PAGE = 512, MOST_PAGE = 65536 };
#define MAGIC          UINT32_C(0x377f0682) /* the lowest bit: checksums over big-endian words */
#define FORMAT_VERSION UINT32_C(3007000)

typedef struct log_file {
    int descriptor;
    uint32_t page_size;
    bool big_endian;
    uint8_t header[HEADER];
    bool header_is_whole;
    uint8_t salts[8];
    uint32_t sum[2]; /* of all up to here */
    uint8_t *frame;  /* one, with its page */
} log_file;

/* What a walk over all frames finds. */
typedef struct findings {
    long frames;
    long first_broken; /* -1: none */
    long last_commit;  /* of this log, not of one that was there before it; -1: none */
    bool committed;    /* a transaction ends before the broken one */
    bool followed;     /* a frame of this log lies behind a commit at or behind the broken one */
} findings;

static uint32_t read_big(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void write_big(uint8_t *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void add_to_sum(const log_file *self, const uint8_t *bytes, size_t size, uint32_t sum[2])
{
    for (size_t i = 0; i < size; i += 8) {
        uint32_t words[2];
        for (int k = 0; k < 2; k++) {
            const uint8_t *at = bytes + i + 4 * k;
            words[k] = self->big_endian ? read_big(at)
                                        : (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 |
                                              (uint32_t)at[1] << 8 | at[0];
        }
        sum[0] += words[0] + sum[1];
        sum[1] += words[1] + sum[0];
    }
}

static bool is_page_size(uint32_t size)
{
    return size >= LEAST_PAGE && size <= MOST_PAGE && (size & (size - 1)) == 0;
}

/* Where the header has rotted, the database itself knows the size of its pages. */
static uint32_t page_size_of(const char *path)
{
    uint8_t bytes[2] = {0};
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return 0;
    bool done = pread(descriptor, bytes, sizeof bytes, 16) == (ssize_t)sizeof bytes;
    close(descriptor);
    uint32_t size = (uint32_t)bytes[0] << 8 | bytes[1];
    return !done ? 0 : size == 1 ? MOST_PAGE : size;
}

static bool read_frame(log_file *self, long index)
{
    size_t size = FRAME + self->page_size;
    return pread(self->descriptor, self->frame, size, HEADER + index * (off_t)size) ==
           (ssize_t)size;
}

/* False where there is nothing that could be a log with a transaction. */
static bool open_log(const char *path, int flags, log_file *self)
{
    char *name = conv__join_text(path, "-wal");
    *self = (log_file){.descriptor = -1};
    if (name != NULL) self->descriptor = open(name, flags | O_CLOEXEC);
    conv__release(name);
    if (self->descriptor < 0 || pread(self->descriptor, self->header, HEADER, 0) != HEADER)
        return false;
    uint32_t magic = read_big(self->header);
    uint32_t sum[2] = {0, 0};
    self->big_endian = (magic & 1) != 0;
    self->page_size = read_big(self->header + 8);
    add_to_sum(self, self->header, 24, sum);
    self->header_is_whole = (magic | 1) == (MAGIC | 1) && is_page_size(self->page_size) &&
                            read_big(self->header + 24) == sum[0] &&
                            read_big(self->header + 28) == sum[1];
    if (!self->header_is_whole) {
        const uint16_t one = 1;
        self->big_endian = *(const uint8_t *)&one == 0; /* as SQLite would write it here */
        self->page_size = page_size_of(path);
    }
    if (!is_page_size(self->page_size)) return false;
    self->frame = conv__allocate(FRAME + self->page_size);
    if (self->frame == NULL || !read_frame(self, 0)) return false;
    memcpy(self->salts, self->header_is_whole ? self->header + 16 : self->frame + 8, 8);
    memcpy(self->sum, sum, sizeof sum);
    return true;
}

static void close_log(log_file *self)
{
    if (self->descriptor >= 0) close(self->descriptor);
    conv__release(self->frame);
}

/* Whether the frame just read goes on where the sum is. */
static bool is_next(log_file *self)
{
    uint32_t sum[2] = {self->sum[0], self->sum[1]};
    add_to_sum(self, self->frame, 8, sum);
    add_to_sum(self, self->frame + FRAME, self->page_size, sum);
    if (read_big(self->frame + 16) != sum[0] || read_big(self->frame + 20) != sum[1]) return false;
    memcpy(self->sum, sum, sizeof sum);
    return true;
}

static findings look_through(log_file *self)
{
    findings found = {.first_broken = self->header_is_whole ? -1 : 0, .last_commit = -1};
    for (; read_frame(self, found.frames); found.frames++) {
        bool own = memcmp(self->frame + 8, self->salts, sizeof self->salts) == 0;
        if (found.first_broken < 0 && (!own || !is_next(self))) found.first_broken = found.frames;
        if (!own) continue;
        if (found.first_broken >= 0 && found.last_commit >= found.first_broken)
            found.followed = true;
        if (read_big(self->frame + 4) == 0) continue;
        found.last_commit = found.frames;
        found.committed = found.committed || found.first_broken < 0;
    }
    return found;
}

bool conv__sqlite_log_is_damaged(const char *path)
{
    log_file log;
    bool damaged = open_log(path, O_RDONLY, &log) && look_through(&log).followed;
    close_log(&log);
    return damaged;
}

bool conv__sqlite_log_has_transaction(const char *path)
{
    log_file log;
    bool committed = open_log(path, O_RDONLY, &log) && look_through(&log).committed;
    close_log(&log);
    return committed;
}

bool conv__sqlite_log_has_page(const char *path, bool (*passes)(const uint8_t *page, size_t size))
{
    enum { FRAMES = 64 };
    log_file log;
    bool found = false;
    if (open_log(path, O_RDONLY, &log))
        for (long i = 0; !found && i < FRAMES && read_frame(&log, i); i++)
            found = passes(log.frame + FRAME, log.page_size);
    close_log(&log);
    return found;
}

static bool write_at(const log_file *self, const uint8_t *bytes, size_t size, off_t offset)
{
    return pwrite(self->descriptor, bytes, size, offset) == (ssize_t)size;
}

static bool write_header(log_file *self)
{
    write_big(self->header, MAGIC | (self->big_endian ? 1 : 0));
    write_big(self->header + 4, FORMAT_VERSION);
    write_big(self->header + 8, self->page_size);
    memcpy(self->header + 16, self->salts, sizeof self->salts);
    self->sum[0] = self->sum[1] = 0;
    add_to_sum(self, self->header, 24, self->sum);
    write_big(self->header + 24, self->sum[0]);
    write_big(self->header + 28, self->sum[1]);
    return write_at(self, self->header, HEADER, 0);
}

static bool write_frame(log_file *self, long index)
{
    memcpy(self->frame + 8, self->salts, sizeof self->salts);
    add_to_sum(self, self->frame, 8, self->sum);
    add_to_sum(self, self->frame + FRAME, self->page_size, self->sum);
    write_big(self->frame + 16, self->sum[0]);
    write_big(self->frame + 20, self->sum[1]);
    return write_at(self, self->frame, FRAME, HEADER + index * (off_t)(FRAME + self->page_size));
}

conv_status conv__sqlite_log_repair(const char *path, conv_error *error)
{
    log_file log;
    bool done = true;
    if (open_log(path, O_RDWR, &log)) {
        long last = look_through(&log).last_commit;
        done = write_header(&log);
        for (long i = 0; done && i <= last; i++)
            done = read_frame(&log, i) && write_frame(&log, i);
    }
    int code = errno;
    close_log(&log);
    if (done) return CONV_OK;
    return conv__fail(error, conv__status_of_errno(code), ACTION, "%s-wal can't be changed: %s", path,
                      strerrordesc_np(code));
}
