/* See witness.h. It judges nothing. */
#include "fault/witness.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "conversation/async.h"
#include "conversation/tracking.h"
#include "core/time.h"

static_assert(4096 % sizeof(witness_line) == 0, "lines must not lie across pages");

enum { GRACE_MS = 1000, ASYNC_MORE_MS = 1000, RESULT_SECONDS = 120, ANSWER_LEAST_MS = 400 };

static const conv_saved untold = (conv_saved)99;

/* Whose call this thread is in, if it asks a provider. */
static _Thread_local witness *asking;

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

long witness_late(const char *path)
{
    size_t count = 0;
    long late = 0;
    witness_line *lines = witness_read(path, &count);
    for (size_t i = 0; i < count; i++)
        late += lines[i].late_ms > 0;
    free(lines);
    return late;
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

static void note_question(const fault_turn *turn)
{
    witness_line line = {.turn = *turn,
                         .time_ns = conv__monotonic_ns(),
                         .call = WITNESS_PROCESS,
                         .answer = WITNESS_ASKED,
                         .process = (int32_t)getpid()};
    if (asking != NULL) witness_write(asking, &line);
}

/* How it ended is left to the caller. */
static void note(witness *self, witness_line *line, witness_answer answer, conv_status status,
                 const conv_error *error, int64_t limit_ms)
{
    int64_t now = conv__monotonic_ns();
    int64_t late_ms = (now - line->time_ns) / 1000000 - limit_ms - GRACE_MS;
    line->late_ms = late_ms > 0 ? late_ms : 0;
    line->time_ns = now;
    line->status = (uint8_t)status;
    line->answer = (uint8_t)answer;
    memcpy(line->sqlstate, error->sqlstate, sizeof line->sqlstate);
    witness_write(self, line);
}

static void end(witness *self, witness_line *line, witness_answer success, conv_status status,
                const conv_error *error, int64_t limit_ms)
{
    witness_answer answer = status == CONV_OK        ? success
                            : error->outcome_unknown ? WITNESS_UNKNOWN
                                                     : WITNESS_REFUSED;
    note(self, line, answer, status, error, limit_ms);
}

static witness_answer place(conv_saved saved)
{
    return saved == CONV_SAVED_JOURNALED ? WITNESS_JOURNALED : WITNESS_COMMITTED;
}

static witness_answer place_of(const conv_reply *reply)
{
    return reply == NULL ? WITNESS_COMMITTED : place(conv_reply_saved(reply));
}

/* An exchange and all that it points to. */
typedef struct said {
    char session_id[FAULT_ID_SIZE];
    char turn_id[FAULT_ID_SIZE];
    char *texts[2];
    conv_message messages[2];
    conv_exchange exchange;
} said;

static void say(said *self, const fault_turn *turn)
{
    static const conv_role roles[] = {CONV_ROLE_USER, CONV_ROLE_ASSISTANT};
    fault_session_id(turn->session, self->session_id);
    fault_turn_id(turn->turn, self->turn_id);
    for (int i = 0; i < 2; i++) {
        self->texts[i] = fault_text(turn, i == 1);
        self->messages[i] = (conv_message){.role = roles[i], .content = conv_text(self->texts[i])};
    }
    self->exchange = (conv_exchange)CONV_EXCHANGE_INIT;
    self->exchange.session_id = self->session_id;
    self->exchange.turn_id = self->turn_id;
    self->exchange.messages = self->messages;
    self->exchange.message_count = 2;
    self->exchange.usage = fault_usage(turn);
}

static void forget(said *self)
{
    free(self->texts[0]);
    free(self->texts[1]);
}

static conv_status save(witness *self, conv_client *client, const fault_turn *turn,
                        int64_t limit_ms, conv_reply **reply, conv_error *error)
{
    said one;
    conv_error details = CONV_ERROR_INIT;
    say(&one, turn);
    witness_line line = begin(self, WITNESS_SAVE, turn);
    conv_status status = conv_save_exchange(client, &one.exchange, reply, &details);
    end(self, &line, place_of(*reply), status, &details, limit_ms);
    forget(&one);
    if (error != NULL) *error = details;
    return status;
}

conv_status witness_save(witness *self, conv_client *client, const fault_turn *turn,
                         int64_t limit_ms, conv_error *error)
{
    conv_reply *reply = NULL;
    conv_status status = save(self, client, turn, limit_ms, &reply, error);
    conv_reply_free(reply);
    return status;
}

conv_status witness_save_and_track(witness *self, conv_client *client, conv_client *other,
                                   const fault_turn *turn, int64_t limit_ms, conv_error *error)
{
    conv_reply *reply = NULL;
    conv_status status = save(self, client, turn, limit_ms, &reply, error);
    if (status == CONV_OK) status = conv_track_usage(other, conv_reply_usage(reply), error);
    if (status == CONV_OK) status = conv_track_flush(other, limit_ms, NULL, error);
    conv_reply_free(reply);
    return status;
}

conv_status witness_together(witness *self, conv_client *client, const fault_turn *turns,
                             size_t count, int64_t limit_ms, conv_error *error)
{
    said all[WITNESS_TOGETHER_MOST];
    conv_exchange exchanges[WITNESS_TOGETHER_MOST] = {0};
    conv_exchange_result results[WITNESS_TOGETHER_MOST] = {0};
    witness_line lines[WITNESS_TOGETHER_MOST];
    conv_error details = CONV_ERROR_INIT;
    for (size_t i = 0; i < count; i++) {
        say(&all[i], &turns[i]);
        exchanges[i] = all[i].exchange;
        results[i].saved = untold;
    }
    for (size_t i = 0; i < count; i++)
        lines[i] = begin(self, WITNESS_TOGETHER, &turns[i]);
    conv_status status = conv_save_exchanges(client, exchanges, count, results, &details);
    for (size_t i = 0; i < count; i++) {
        /* A call that is refused has no results. */
        bool told = results[i].saved != untold;
        end(self, &lines[i], place(results[i].saved), told ? results[i].status : status,
            told ? &results[i].error : &details, limit_ms);
        forget(&all[i]);
    }
    if (error != NULL) *error = details;
    return status;
}

conv_status witness_submit(witness *self, conv_client *client, const fault_turn *turn,
                           conv_async_function on_result, witness_submitted *line,
                           conv_error *error)
{
    said one;
    conv_error details = CONV_ERROR_INIT;
    conv_async_params params = CONV_ASYNC_PARAMS_INIT;
    params.on_result = on_result;
    params.context = line;
    say(&one, turn);
    line->lines = self;
    line->line = begin(self, WITNESS_ASYNC, turn);
    conv_status status = conv_async_submit(client, &one.exchange, &params, &details);
    if (status != CONV_OK)
        end(self, &line->line, WITNESS_REFUSED, status, &details, line->limit_ms);
    forget(&one);
    if (error != NULL) *error = details;
    return status;
}

void witness_collect(const conv_async_result *result)
{
    witness_submitted *line = result->context;
    end(line->lines, &line->line, place(result->saved), result->status, &result->error,
        line->limit_ms);
}

typedef struct waiting {
    sem_t there;
    conv_async_result result;
} waiting;

static void take_result(void *context, const conv_async_result *result)
{
    waiting *self = context;
    self->result = *result;
    sem_post(&self->there);
}

/* One that never comes ends the program: its campaign must not hang, nor go on without it. */
static void await(waiting *self)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += RESULT_SECONDS;
    while (sem_timedwait(&self->there, &until) != 0)
        if (errno != EINTR) die("a result that never came");
}

conv_status witness_async(witness *self, conv_client *client, const fault_turn *turn,
                          int64_t limit_ms, conv_error *error)
{
    said one;
    waiting wait = {.result = {.error = CONV_ERROR_INIT}};
    conv_async_params params = CONV_ASYNC_PARAMS_INIT;
    params.on_result = take_result;
    params.context = &wait;
    params.timeout_ms = limit_ms;
    if (sem_init(&wait.there, 0, 0) != 0) die("sem_init");
    say(&one, turn);
    witness_line line = begin(self, WITNESS_ASYNC, turn);
    conv_status status = conv_async_submit(client, &one.exchange, &params, &wait.result.error);
    if (status == CONV_OK) {
        await(&wait);
        status = wait.result.status;
    }
    end(self, &line, place(wait.result.saved), status, &wait.result.error,
        limit_ms + ASYNC_MORE_MS);
    sem_destroy(&wait.there);
    forget(&one);
    if (error != NULL) *error = wait.result.error;
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
    asked.timeout_ms = timeout_ms > ANSWER_LEAST_MS ? timeout_ms : ANSWER_LEAST_MS;
    fault_watch_questions(note_question);
    asking = self;
    witness_line line = begin(self, WITNESS_PROCESS, turn);
    conv_status status = conv_process_message(client, &asked, &reply, &details);
    asking = NULL;
    end(self, &line, place_of(reply), status, &details, asked.timeout_ms + timeout_ms);
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

conv_status witness_flush_all(witness *self, conv_client *client, int64_t timeout_ms,
                              size_t *pending, conv_error *error)
{
    conv_error details = CONV_ERROR_INIT;
    witness_line line = begin(self, WITNESS_FLUSH, &(fault_turn){0});
    conv_status status = conv_track_flush(client, timeout_ms, pending, &details);
    note(self, &line, WITNESS_ENDED, status, &details, timeout_ms);
    if (error != NULL) *error = details;
    return status;
}

conv_status witness_flush(witness *self, conv_client *client, const fault_turn *tracked,
                          int64_t timeout_ms, conv_error *error)
{
    conv_status status = witness_flush_all(self, client, timeout_ms, NULL, error);
    if (status != CONV_OK || tracked == NULL) return status;
    witness_line line = {.turn = *tracked,
                         .time_ns = conv__monotonic_ns(),
                         .call = WITNESS_TRACK,
                         .answer = WITNESS_COMMITTED,
                         .process = (int32_t)getpid()};
    witness_write(self, &line);
    return status;
}

conv_status witness_connect(witness *self, const conv_client_params *params, conv_client **client,
                            conv_error *error)
{
    conv_error details = CONV_ERROR_INIT;
    witness_line line = begin(self, WITNESS_CONNECT, &(fault_turn){0});
    conv_status status = conv_client_open(params, client, &details);
    note(self, &line, WITNESS_ENDED, status, &details,
         params->connect_timeout_ms + params->store_timeout_ms);
    if (error != NULL) *error = details;
    return status;
}

conv_status witness_shut(witness *self, conv_client *client, int64_t timeout_ms, conv_error *error)
{
    conv_error details = CONV_ERROR_INIT;
    witness_line line = begin(self, WITNESS_SHUT, &(fault_turn){0});
    conv_status status = conv_client_close(client, timeout_ms, &details);
    note(self, &line, WITNESS_ENDED, status, &details, timeout_ms);
    if (error != NULL) *error = details;
    return status;
}

bool witness_has_turn(const witness_line *line)
{
    return line->call < WITNESS_FLUSH;
}

const char *witness_call_name(const witness_line *line)
{
    static const char *const names[] = {[WITNESS_SAVE] = "saving",
                                        [WITNESS_PROCESS] = "processing",
                                        [WITNESS_TOGETHER] = "saving of several",
                                        [WITNESS_ASYNC] = "submitting",
                                        [WITNESS_TRACK] = "tracking",
                                        [WITNESS_FLUSH] = "flushing",
                                        [WITNESS_CONNECT] = "opening",
                                        [WITNESS_SHUT] = "closing"};
    return names[line->call];
}
