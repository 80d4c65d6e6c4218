/* Appending to a file and reading it back. Knows frames, not what is in them. */
#include "saving/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/memory.h"

#define ACTION "write usage spool"

/* Every frame begins with these, so that reading finds its way again behind a damage. */
static const char mark[] = {'\xC0', 'U', 's', '\x01'};

enum { LENGTH_SIZE = 4, HEAD_SIZE = sizeof mark + LENGTH_SIZE };

static conv_status fail(const char *path, const char *what, conv_error *error)
{
    conv_status status = conv__status_of_errno(errno);
    conv__fail(error, status, ACTION, "%s: %s: %s", path, what, strerrordesc_np(errno));
    if (error != NULL) error->recovery = CONV_RECOVERY_OPERATOR;
    return status;
}

void conv__spool_name(const char *journal, int index, conv__buffer *name)
{
    conv__buffer_format(name, "%s-usage-%d", journal, index + 1);
}

void conv__frame_append(conv__buffer *buffer, conv_bytes record)
{
    uint8_t length[LENGTH_SIZE];
    for (size_t i = 0; i < LENGTH_SIZE; i++)
        length[i] = (uint8_t)(record.size >> (8 * i));
    conv__buffer_append(buffer, mark, sizeof mark);
    conv__buffer_append(buffer, length, sizeof length);
    conv__buffer_append_bytes(buffer, record);
}

/* Whether a whole frame begins here; `size` is that of its record. */
static bool is_frame(conv_bytes frames, size_t position, size_t *size)
{
    const uint8_t *bytes = (const uint8_t *)frames.data + position;
    size_t left = frames.size - position;
    if (left < HEAD_SIZE || memcmp(bytes, mark, sizeof mark) != 0) return false;
    *size = 0;
    for (size_t i = 0; i < LENGTH_SIZE; i++)
        *size |= (size_t)bytes[sizeof mark + i] << (8 * i);
    return left - HEAD_SIZE >= *size;
}

bool conv__frame_next(conv_bytes frames, size_t *position, conv_bytes *record, bool *damaged)
{
    size_t start = *position;
    size_t size = 0;
    if (start >= frames.size) return false;
    while (*position < frames.size && !is_frame(frames, *position, &size))
        ++*position;
    *damaged = *position > start;
    if (*damaged) {
        *record = conv_view(frames.data + start, *position - start);
        return true;
    }
    *record = conv_view(frames.data + start + HEAD_SIZE, size);
    *position += HEAD_SIZE + size;
    return true;
}

static conv_status read_all(const conv__spool *spool, conv__buffer *content, conv_error *error)
{
    char chunk[65536];
    for (off_t offset = 0;;) {
        ssize_t got = pread(spool->descriptor, chunk, sizeof chunk, offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(spool->path, "the file can't be read", error);
        if (got == 0) return content->failed ? conv__fail_memory(error, ACTION) : CONV_OK;
        conv__buffer_append(content, chunk, (size_t)got);
        offset += got;
    }
}

conv_status conv__spool_open(const char *path, conv__spool *spool, conv__buffer *content,
                             conv_error *error)
{
    size_t start = content->size;
    spool->descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (spool->descriptor < 0) return fail(path, "the file can't be opened", error);
    spool->path = conv__copy_text(path);
    conv_status status =
        spool->path == NULL ? conv__fail_memory(error, ACTION) : read_all(spool, content, error);
    if (status != CONV_OK) {
        conv__spool_close(spool);
        return status;
    }
    spool->size = (int64_t)(content->size - start);
    return CONV_OK;
}

/* A part of a frame must not stay: what came behind it could not be read back. */
static void cut_back(const conv__spool *spool)
{
    int cut = ftruncate(spool->descriptor, spool->size);
    (void)cut; /* the next append begins at the same place; a rest behind it reads as damaged */
}

conv_status conv__spool_append(conv__spool *spool, conv_bytes frame, conv_error *error)
{
    for (size_t written = 0; written < frame.size;) {
        ssize_t more = pwrite(spool->descriptor, frame.data + written, frame.size - written,
                              spool->size + (off_t)written);
        if (more < 0 && errno == EINTR) continue;
        if (more <= 0) {
            if (more == 0) errno = ENOSPC; /* no error, and no progress either */
            conv_status status = fail(spool->path, "a record can't be written", error);
            cut_back(spool);
            return status;
        }
        written += (size_t)more;
    }
    spool->size += (int64_t)frame.size;
    return CONV_OK;
}

conv_status conv__spool_clear(conv__spool *spool, conv_error *error)
{
    if (spool->size == 0) return CONV_OK;
    if (ftruncate(spool->descriptor, 0) != 0)
        return fail(spool->path, "the file can't be emptied", error);
    spool->size = 0;
    return CONV_OK;
}

void conv__spool_close(conv__spool *spool)
{
    if (spool->descriptor >= 0) close(spool->descriptor);
    spool->descriptor = -1;
    conv__release(spool->path);
    spool->path = NULL;
}
