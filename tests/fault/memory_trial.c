/* See memory_trial.h. */
#include "fault/memory_trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "support/failing_memory.h"

enum { GRACE_MS = 1000, MOST_OPENINGS = 10 };

/* False with a status that no failed allocation explains. While the store is away, a call may also
 * wait in vain for the connection with which another one waits for the store. */
static bool is_allowed(const memory_trial *self, conv_status status)
{
    return status == CONV_OK || status == CONV_NO_MEMORY || status == CONV_NOT_FOUND ||
           status == CONV_TIMEOUT || status == CONV_UNAVAILABLE ||
           (self->away && status == CONV_LIMIT);
}

/* When the call began that the next answer is of. */
static int64_t call_began_ms;

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void memory_begin_call(void)
{
    call_began_ms = now_ms();
}

void memory_allow_twice(memory_trial *self)
{
    self->allowed_ms = 2 * self->timeout_ms;
}

/* As strictly as the checker is with the calls that a witness writes down. */
static void note_time(memory_trial *self, int64_t limit_ms)
{
    int64_t took_ms = now_ms() - call_began_ms;
    memory_begin_call();
    self->allowed_ms = 0;
    if (took_ms <= limit_ms + GRACE_MS) return;
    fprintf(stderr, "violation: a call took %lld ms of %lld\n", (long long)took_ms,
            (long long)limit_ms);
    self->facts->late++;
}

void memory_expect(memory_trial *self, conv_status status, conv_status wanted)
{
    note_time(self, self->allowed_ms > 0 ? self->allowed_ms : self->timeout_ms);
    if (status == wanted) return;
    self->refused++;
    if (is_allowed(self, status)) return;
    fprintf(stderr, "violation: %s is no answer to a failed allocation\n",
            conv_status_name(status));
    self->wrong++;
}

void memory_note(memory_trial *self, conv_status status)
{
    memory_expect(self, status, CONV_OK);
}

void memory_done(memory_trial *self, int act, conv_status status)
{
    memory_note(self, status);
    if (status == CONV_OK) self->facts->done |= 1u << act;
}

/* The parent does it: its memory does not fail, and its locks are another process's. */
static void ask_parent(memory_trial *self, char wish)
{
    if (write(self->parent, &wish, 1) != 1 || read(self->parent, &wish, 1) != 1) _exit(99);
    memory_begin_call();
}

void memory_take_away(memory_trial *self)
{
    ask_parent(self, 'a');
}

void memory_bring_back(memory_trial *self)
{
    ask_parent(self, 'b');
}

conv_client *memory_open(memory_trial *self)
{
    conv_client *client = NULL;
    conv_error error;
    if (conv_client_open(&self->params, &client, &error) == CONV_OK) return client;
    fprintf(stderr, "memory: preparing: %s: %s\n", error.action, error.message);
    exit(99);
}

void memory_close(memory_trial *self, conv_client *client, int64_t timeout_ms)
{
    conv_error error;
    (void)self;
    conv_status status = conv_client_close(client, timeout_ms, &error);
    if (status == CONV_OK || timeout_ms == 0) return;
    fprintf(stderr, "memory: preparing: %s: %s\n", error.action, error.message);
    exit(99);
}

memory_trial memory_trial_begin(const memory_tried *tried, bool healthy)
{
    memory_trial self = {.store = tried->store,
                         .run = tried->run,
                         .facts = tried->facts,
                         .away = tried->scenario->away,
                         .params = CONV_CLIENT_PARAMS_INIT,
                         .timeout_ms = healthy ? MEMORY_HEALTHY_MS : MEMORY_TIMEOUT_MS};
    /* To be locked out takes as long as the client has patience; an error comes at once. */
    bool soon_away = tried->scenario->away && tried->store->file != NULL;
    self.params.store = tried->store->pooled != NULL ? tried->store->pooled : tried->store->url;
    self.params.connections = 2;
    self.params.journal = memory_has_journal(tried) ? tried->run->journal : NULL;
    self.params.store_timeout_ms = soon_away ? MEMORY_AWAY_MS : self.timeout_ms;
    self.params.connect_timeout_ms = self.timeout_ms;
    if (tried->scenario->settle != NULL) tried->scenario->settle(&self);
    memory_begin_call();
    return self;
}

static void open_client(memory_trial *self)
{
    memory_allow_twice(self);
    memory_note(self, conv_client_open(&self->params, &self->client, NULL));
}

/* With memory, so that what is tried finds a client; a busy machine may be late with it. */
static bool have_client(memory_trial *self)
{
    conv_error error = CONV_ERROR_INIT;
    memory_begin_call();
    for (int i = 0; i < MOST_OPENINGS; i++) {
        conv_status status = conv_client_open(&self->params, &self->client, &error);
        note_time(self, 2 * self->timeout_ms);
        if (status == CONV_OK) break;
        fprintf(stderr, "memory: opening once more: %s: %s\n", error.action, error.message);
    }
    if (self->client == NULL) fprintf(stderr, "violation: no client can be opened\n");
    return self->client != NULL;
}

static void close_client(memory_trial *self, int64_t limit_ms)
{
    if (self->client == NULL) return;
    conv_status status = conv_client_close(self->client, limit_ms, NULL);
    note_time(self, limit_ms);
    self->facts->unclosed = status != CONV_OK;
    memory_note(self, status);
}

static void use_client(memory_trial *self, const memory_scenario *scenario, int64_t closing_ms)
{
    if (self->client == NULL && scenario->way != MEMORY_ALONE) return;
    self->lines = witness_open(self->run->lines);
    if (scenario->act != NULL) scenario->act(self);
    close_client(self, closing_ms);
    witness_close(self->lines);
}

/* What a trial may not leave behind. */
typedef struct holdings {
    worker_holdings process;
    long blocks; /* of SQLite */
} holdings;

static holdings hold(void)
{
    return (holdings){worker_hold(), memory_sqlite_blocks()};
}

static bool has_left(const holdings *before)
{
    size_t blocks = failing_memory_live();
    long kept = memory_sqlite_blocks() - before->blocks;
    if (blocks > 0) fprintf(stderr, "violation: %zu blocks not given back\n", blocks);
    if (kept > 0) fprintf(stderr, "violation: SQLite holds %ld blocks\n", kept);
    return worker_has_left(&before->process) || blocks > 0 || kept > 0;
}

/* In the trials' process. `first` 0 is a healthy trial, which succeeds in everything. */
static int bear(memory_trial *self, const memory_scenario *scenario, const holdings *before,
                size_t first, bool always)
{
    alarm(MEMORY_LONGEST_SECONDS);
    failing_memory_start(0, false);
    memory_repeat_chance();
    if (scenario->way == MEMORY_CLIENT && !have_client(self)) return MEMORY_WRONG;
    /* Without memory for ever nothing that waits can be saved any more, so nothing waits for it. */
    int64_t closing_ms = always ? 0 : self->timeout_ms;
    failing_memory_go_on(first, always);
    if (scenario->way == MEMORY_OPENING) open_client(self);
    use_client(self, scenario, closing_ms);
    bool wrong = self->wrong > 0;
    self->facts->asked = failing_memory_asked();
    if (has_left(before)) wrong = true;
    if (first == 0 && failing_memory_failed() == 0 && self->refused > 0) {
        fprintf(stderr, "violation: not even with memory\n");
        wrong = true;
    }
    return (wrong ? MEMORY_WRONG : 0) + (failing_memory_failed() == 0 ? MEMORY_NOT_MET : 0);
}

/* What the trials' process is told, and answers with a code. */
typedef struct order {
    size_t first;
    bool always;
} order;

static void do_trials(void *context, int end)
{
    const memory_tried *self = context;
    order next;
    const holdings before = hold();
    while (read(end, &next, sizeof next) == sizeof next) {
        memory_trial trial = memory_trial_begin(self, next.first == 0);
        trial.parent = end;
        char answer = (char)('0' + bear(&trial, self->scenario, &before, next.first, next.always));
        if (write(end, &answer, 1) != 1) break;
    }
}

/* Does what a trial asks for. Gives its code; -1: its process has ended. */
static int serve(memory_store *store, int end)
{
    bool away = false;
    int code = -1;
    for (char wish = 0; code < 0 && read(end, &wish, 1) == 1;) {
        if (wish >= '0' && wish <= '9') {
            code = wish - '0';
            continue;
        }
        if (wish == 'a')
            memory_store_take_away(store);
        else
            memory_store_put_back(store);
        away = wish == 'a';
        if (write(end, &wish, 1) != 1) break;
    }
    if (away) memory_store_put_back(store);
    return code;
}

int memory_trial_run(memory_tried *self, size_t first, bool always)
{
    order next = {.first = first, .always = always};
    *self->facts = (memory_facts){0};
    memory_store_restore(self->store);
    int code = -1;
    if (worker_send(&self->worker, do_trials, self, &next, sizeof next))
        code = serve(self->store, self->worker.end);
    if (code < 0) {
        fprintf(stderr, "violation: status %d\n", worker_end(&self->worker));
        return MEMORY_WRONG;
    }
    /* What such a trial may have left, a lock or a thread, is no matter of the next one. */
    if ((code & MEMORY_WRONG) != 0) worker_end(&self->worker);
    return code;
}
