/* See witness.h. It judges nothing. */
#include "fault/witness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conversation/tracking.h"
#include "core/time.h"

enum { GRACE_MS = 1000 };

struct witness {
    int descriptor;
};

static void die(const char *what)
{
    fprintf(stderr, "witness: %s: %s\n", what, strerror(errno));
    exit(99);
}

witness *witness_open(const char *path)
{
    witness *self = malloc(sizeof *self);
    if (self == NULL) die("malloc");
    self->descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (self->descriptor < 0) die(path);
    return self;
}

void witness_close(witness *self)
{
    if (self == NULL) return;
    close(self->descriptor);
    free(self);
}

/* One write to a file opened for appending is not mixed with another's. */
void witness_write(witness *self, const witness_line *line)
{
    if (write(self->descriptor, line, sizeof *line) != (ssize_t)sizeof *line) die("write");
}

witness_line *witness_read(const char *path, size_t *count)
{
    struct stat file;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0 || fstat(descriptor, &file) != 0) die(path);
    *count = (size_t)file.st_size / sizeof(witness_line);
    size_t size = *count * sizeof(witness_line);
    witness_line *lines = malloc(size + 1);
    if (lines == NULL) die("malloc");
    for (size_t done = 0; done < size;) {
        ssize_t got = read(descriptor, (char *)lines + done, size - done);
        if (got <= 0) die(path);
        done += (size_t)got;
    }
    close(descriptor);
    return lines;
}

static witness_line begin(witness *self, witness_call call, const fault_turn *turn)
{
    witness_line line = {.turn = *turn,
                         .time_ns = conv__monotonic_ns(),
                         .call = (uint8_t)call,
                         .answer = WITNESS_ATTEMPT,
                         .process = (int32_t)getpid()};
    witness_write(self, &line);
    return line;
}

static void end(witness *self, witness_line *line, witness_answer success, conv_status status,
                const conv_error *error, int64_t limit_ms)
{
    int64_t now = conv__monotonic_ns();
    int64_t late_ms = (now - line->time_ns) / 1000000 - limit_ms - GRACE_MS;
    line->late_ms = late_ms > 0 ? late_ms : 0;
    line->time_ns = now;
    line->status = (uint8_t)status;
    line->answer = (uint8_t)(status == CONV_OK        ? success
                             : error->outcome_unknown ? WITNESS_UNKNOWN
                                                      : WITNESS_REFUSED);
    memcpy(line->sqlstate, error->sqlstate, sizeof line->sqlstate);
    witness_write(self, line);
}

static witness_answer place_of(const conv_reply *reply)
{
    return reply != NULL && conv_reply_saved(reply) == CONV_SAVED_JOURNALED ? WITNESS_JOURNALED
                                                                            : WITNESS_COMMITTED;
}

conv_status witness_save(witness *self, conv_client *client, const fault_turn *turn,
                         int64_t limit_ms, conv_error *error)
{
    char session_id[FAULT_ID_SIZE];
    char turn_id[FAULT_ID_SIZE];
    conv_error details = CONV_ERROR_INIT;
    conv_reply *reply = NULL;
    fault_session_id(turn->session, session_id);
    fault_turn_id(turn->turn, turn_id);
    char *question = fault_text(turn, false);
    char *answer = fault_text(turn, true);
    conv_message messages[] = {{.role = CONV_ROLE_USER, .content = conv_text(question)},
                               {.role = CONV_ROLE_ASSISTANT, .content = conv_text(answer)}};
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    exchange.session_id = session_id;
    exchange.turn_id = turn_id;
    exchange.messages = messages;
    exchange.message_count = 2;
    exchange.usage = fault_usage(turn);
    witness_line line = begin(self, WITNESS_SAVE, turn);
    conv_status status = conv_save_exchange(client, &exchange, &reply, &details);
    end(self, &line, place_of(reply), status, &details, limit_ms);
    conv_reply_free(reply);
    free(question);
    free(answer);
    if (error != NULL) *error = details;
    return status;
}

conv_status witness_process(witness *self, conv_client *client, const fault_turn *turn,
                            int64_t timeout_ms, conv_error *error)
{
    char session_id[FAULT_ID_SIZE];
    char turn_id[FAULT_ID_SIZE];
    conv_error details = CONV_ERROR_INIT;
    conv_reply *reply = NULL;
    fault_session_id(turn->session, session_id);
    fault_turn_id(turn->turn, turn_id);
    char *question = fault_text(turn, false);
    conv_turn asked = CONV_TURN_INIT;
    asked.session_id = session_id;
    asked.turn_id = turn_id;
    asked.message = conv_text(question);
    asked.provider = fault_provider();
    asked.context_messages = -1;
    asked.timeout_ms = timeout_ms;
    witness_line line = begin(self, WITNESS_PROCESS, turn);
    conv_status status = conv_process_message(client, &asked, &reply, &details);
    end(self, &line, place_of(reply), status, &details, 2 * timeout_ms);
    conv_reply_free(reply);
    free(question);
    if (error != NULL) *error = details;
    return status;
}

conv_status witness_track(witness *self, conv_client *client, const fault_turn *turn,
                          bool journaled, conv_error *error)
{
    char session_id[FAULT_ID_SIZE];
    conv_error details = CONV_ERROR_INIT;
    conv_usage usage = fault_usage(turn);
    fault_session_id(turn->session, session_id);
    usage.log_id = fault_log_id(turn);
    usage.session_id = conv_text(session_id);
    usage.service = conv_text("fault");
    char *operation = fault_text(turn, false);
    usage.operation = conv_text(operation);
    witness_line line = begin(self, WITNESS_TRACK, turn);
    conv_status status = conv_track_usage(client, &usage, &details);
    end(self, &line, journaled ? WITNESS_JOURNALED : WITNESS_BUFFERED, status, &details, 0);
    free(operation);
    if (error != NULL) *error = details;
    return status;
}
