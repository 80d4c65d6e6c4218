/* Events as lines of JSON, to a file or descriptor of the application. Opens and closes nothing. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "core/error.h"
#include "core/memory.h"
#include "events/handlers.h"

#define ACTION "subscribe log"

enum { FULL_PIPE_MS = 1000 };

typedef struct log_target {
    FILE *file;
    int descriptor;
} log_target;

/* A reader that went away is an error of this line, not the end of the application: its SIGPIPE is
 * held back and taken off. */
typedef struct quiet {
    sigset_t before;
    bool was_pending;
} quiet;

static void pipe_signal_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGPIPE);
}

static quiet begin_quiet(void)
{
    quiet made;
    sigset_t pipe;
    sigset_t pending;
    pipe_signal_set(&pipe);
    sigpending(&pending);
    made.was_pending = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe, &made.before);
    return made;
}

static void end_quiet(const quiet *made)
{
    static const struct timespec now = {0, 0};
    sigset_t pipe;
    pipe_signal_set(&pipe);
    if (!made->was_pending) (void)sigtimedwait(&pipe, NULL, &now);
    pthread_sigmask(SIG_SETMASK, &made->before, NULL);
}

static bool write_all(int descriptor, const char *line, size_t size)
{
    while (size > 0) {
        ssize_t written = write(descriptor, line, size);
        if (written > 0) {
            line += written;
            size -= (size_t)written;
        } else if (written < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            struct pollfd full = {.fd = descriptor, .events = POLLOUT};
            if (poll(&full, 1, FULL_PIPE_MS) <= 0) return false;
        } else if (written < 0 && errno != EINTR) {
            return false;
        }
    }
    return true;
}

static conv_status handle(void *context, const conv_event *event)
{
    const log_target *target = context;
    char line[CONV_EVENT_TEXT_SIZE + 1];
    size_t size = conv_event_format(event, line, CONV_EVENT_TEXT_SIZE);
    if (size == 0) return CONV_NO_MEMORY;
    line[size++] = '\n';
    quiet held = begin_quiet();
    bool written = target->file != NULL
                       ? fwrite(line, 1, size, target->file) == size && fflush(target->file) == 0
                       : write_all(target->descriptor, line, size);
    end_quiet(&held);
    return written ? CONV_OK : CONV_UNAVAILABLE;
}

conv_status conv__event_log_make(const conv_event_log *log, conv__subscriber *subscriber,
                                 conv_error *error)
{
    if (log == NULL || log->size != sizeof *log)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "the log was not begun with CONV_EVENT_LOG_INIT");
    if (log->file == NULL && log->descriptor < 0)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "there is neither a file nor a descriptor to write to");
    log_target *target = conv__allocate(sizeof *target);
    if (target == NULL) return conv__fail_memory(error, ACTION);
    *target = (log_target){log->file, log->descriptor};
    *subscriber = (conv__subscriber){.params = {.size = sizeof subscriber->params,
                                                .kinds = log->kinds,
                                                .delivery = log->delivery,
                                                .queue_events = log->queue_events,
                                                .wait_ms = log->wait_ms,
                                                .handler = handle,
                                                .context = target,
                                                .on_release = conv__release}};
    return CONV_OK;
}
