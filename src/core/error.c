/* Statuses as text, and the filling of a conv_error. It must not allocate: it reports that an
 * allocation failed. */
#include "core/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

const char *conv_status_text(conv_status status)
{
    switch (status) {
#define STATUS_TEXT(name, text, meaning)                                                           \
    case CONV_##name:                                                                              \
        return text;
        CONV_STATUS_MAP(STATUS_TEXT)
#undef STATUS_TEXT
    }
    return "unknown status";
}

const char *conv_status_name(conv_status status)
{
    switch (status) {
#define STATUS_NAME(name, text, meaning)                                                           \
    case CONV_##name:                                                                              \
        return #name;
        CONV_STATUS_MAP(STATUS_NAME)
#undef STATUS_NAME
    }
    return "UNKNOWN";
}

bool conv_error_is_retryable(const conv_error *error)
{
    if (error == NULL) return false;
    return error->recovery == CONV_RECOVERY_RETRY || error->recovery == CONV_RECOVERY_BACKOFF ||
           error->recovery == CONV_RECOVERY_WAIT;
}

static conv_recovery usual_recovery(conv_status status)
{
    switch (status) {
    case CONV_UNAVAILABLE:
    case CONV_TIMEOUT:
        return CONV_RECOVERY_WAIT;
    case CONV_LIMIT:
        return CONV_RECOVERY_BACKOFF;
    case CONV_BAD_DATA:
        return CONV_RECOVERY_REJECT;
    case CONV_PERMISSION:
    case CONV_STATE:
        return CONV_RECOVERY_OPERATOR;
    default:
        return CONV_RECOVERY_NONE;
    }
}

/* Cuts a text that filled its array so that it ends with "...", never inside a UTF-8 character. */
static void mark_cut(char *text, size_t size)
{
    size_t end = size - sizeof "...";
    while (end > 0 && ((unsigned char)text[end] & 0xC0) == 0x80) {
        end--;
    }
    memcpy(text + end, "...", sizeof "...");
}

/* Servers and systems answer with line breaks; a terminal must not get their control bytes either.
 */
static void make_one_line(char *text)
{
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F) text[i] = ' ';
    }
    while (size > 0 && text[size - 1] == ' ') {
        text[--size] = '\0';
    }
}

conv_status conv__fail(conv_error *error, conv_status status, const char *action,
                       const char *format, ...)
{
    if (error == NULL) return status;
    /* The arguments may point into `error` itself: it is written only when all is read. */
    conv_error filled = {.status = status, .recovery = usual_recovery(status)};
    int size = snprintf(filled.action, sizeof filled.action, "%s", action);
    if (size >= (int)sizeof filled.action) mark_cut(filled.action, sizeof filled.action);

    va_list arguments;
    va_start(arguments, format);
    size = vsnprintf(filled.message, sizeof filled.message, format, arguments);
    va_end(arguments);
    if (size >= (int)sizeof filled.message) mark_cut(filled.message, sizeof filled.message);
    make_one_line(filled.message);
    *error = filled;
    return status;
}

conv_status conv__fail_memory(conv_error *error, const char *action)
{
    return conv__fail(error, CONV_NO_MEMORY, action, "out of memory");
}

conv_status conv__status_of_errno(int code)
{
    return code == EACCES || code == EPERM || code == EROFS ? CONV_PERMISSION : CONV_UNAVAILABLE;
}

void conv__error_clear(conv_error *error)
{
    if (error != NULL) *error = (conv_error)CONV_ERROR_INIT;
}
