/* Reading the tz database. A name leads to a file in it and to none elsewhere. */
#include "services/zones.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conversation/zone.h"
#include "core/buffer.h"
#include "core/error.h"
#include "core/time.h"

#define DATABASE "/usr/share/zoneinfo"

enum { LONGEST_NAME = 64, LARGEST_FILE = 1 << 20, PIECE = 4096 };

bool conv__zone_is_utc(conv_bytes name)
{
    return name.data == NULL || name.size == 0 || conv_bytes_equal(name, conv_text("UTC"));
}

/* "America/Argentina/Ushuaia", "Etc/GMT+3": no dots, and nothing from the root. */
static bool is_name(conv_bytes name)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
    if (name.size > LONGEST_NAME || name.data[0] == '/') return false;
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] == '\0' || strchr(allowed, name.data[i]) == NULL) return false;
    return true;
}

static conv_status fail_unknown(conv_bytes name, const char *action, conv_error *error)
{
    if (!is_name(name))
        return conv__fail(error, CONV_INVALID_ARGUMENT, action,
                          "this is no name of a time zone: it wants one such as Europe/Berlin");
    return conv__fail(error, CONV_INVALID_ARGUMENT, action,
                      "there is no time zone %.*s: it wants one such as Europe/Berlin",
                      (int)name.size, name.data);
}

static const char *database(void)
{
    const char *folder = getenv("TZDIR");
    return folder != NULL && folder[0] != '\0' ? folder : DATABASE;
}

/* A name that leads to no file: the name is wrong, or the whole database is missing. */
static conv_status fail_missing(conv_bytes name, int code, const char *action, conv_error *error)
{
    struct stat status;
    bool there = stat(database(), &status) == 0 && S_ISDIR(status.st_mode);
    if (there && (code == ENOENT || code == ENOTDIR)) return fail_unknown(name, action, error);
    conv_status failure =
        conv__fail(error, CONV_UNAVAILABLE, action,
                   there ? "can't read a file of the time zone database in %s"
                         : "there is no time zone database in %s: install the package tzdata",
                   database());
    if (error != NULL) error->recovery = CONV_RECOVERY_OPERATOR;
    return failure;
}

/* 0, or an errno. */
static int read_file(const char *path, conv__buffer *content)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) return errno;
    int code = 0;
    for (ssize_t got = 1; got != 0 && content->size < LARGEST_FILE && !content->failed;) {
        char piece[PIECE];
        got = read(descriptor, piece, sizeof piece);
        if (got > 0) conv__buffer_append(content, piece, (size_t)got);
        if (got >= 0 || errno == EINTR) continue;
        code = errno;
        break;
    }
    close(descriptor);
    return code;
}

conv_status conv__zone_open(conv_bytes name, const char *action, conv__zone **zone,
                            conv_error *error)
{
    char path[PATH_MAX];
    *zone = NULL;
    if (conv__zone_is_utc(name)) return CONV_OK;
    if (!is_name(name)) return fail_unknown(name, action, error);
    int size = snprintf(path, sizeof path, "%s/%.*s", database(), (int)name.size, name.data);
    if (size < 0 || (size_t)size >= sizeof path)
        return fail_missing(name, ENAMETOOLONG, action, error);
    conv__buffer content = {0};
    int code = read_file(path, &content);
    conv_status status = content.failed ? CONV_NO_MEMORY : CONV_OK;
    /* A folder of zones is no zone. */
    if (status == CONV_OK && code == 0)
        status = conv__zone_parse(conv__buffer_bytes(&content), zone);
    conv__buffer_free(&content);
    if (status == CONV_NO_MEMORY) return conv__fail_memory(error, action);
    if (code != 0 && code != EISDIR) return fail_missing(name, code, action, error);
    if (code == EISDIR || status != CONV_OK) return fail_unknown(name, action, error);
    return CONV_OK;
}

conv_status conv_zone_day_start(const char *zone, const char *date, int64_t *time_us,
                                conv_error *error)
{
    static const char action[] = "find day";
    conv__zone *opened = NULL;
    conv__error_clear(error);
    if (time_us == NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, action,
                          "there is nowhere to put the result");
    conv_status status = conv__zone_open(conv_text(zone), action, &opened, error);
    if (status != CONV_OK) return status;
    conv_bytes day = conv_text(date);
    bool known = opened == NULL
                     ? day.size == CONV__DATE_TEXT_SIZE - 1 && conv__time_parse(day, time_us)
                     : conv__zone_day_start(opened, day, time_us);
    conv__zone_free(opened);
    if (known) return CONV_OK;
    return conv__fail(error, CONV_INVALID_ARGUMENT, action,
                      "this is no day: it wants one such as 2026-11-23");
}
