/* See memory_trial.h. */
#include "fault/memory_trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "fault/memory_forks.h"
#include "support/failing_memory.h"

/* False with a status that no failed allocation explains. */
static bool is_allowed(conv_status status)
{
    return status == CONV_OK || status == CONV_NO_MEMORY || status == CONV_NOT_FOUND ||
           status == CONV_TIMEOUT || status == CONV_UNAVAILABLE;
}

void memory_expect(memory_trial *self, conv_status status, conv_status wanted)
{
    if (status == wanted) return;
    self->refused++;
    if (is_allowed(status)) return;
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
                         .params = CONV_CLIENT_PARAMS_INIT,
                         .timeout_ms = healthy ? MEMORY_HEALTHY_MS : MEMORY_TIMEOUT_MS};
    /* To be locked out takes as long as the client has patience; an error comes at once. */
    bool soon_away = tried->scenario->away && tried->store->file != NULL;
    self.params.store = tried->store->url;
    self.params.connections = 2;
    self.params.journal = tried->run->journal;
    self.params.store_timeout_ms = soon_away ? MEMORY_AWAY_MS : self.timeout_ms;
    self.params.connect_timeout_ms = self.timeout_ms;
    if (tried->scenario->settle != NULL) tried->scenario->settle(&self);
    return self;
}

static void open_client(memory_trial *self)
{
    memory_note(self, conv_client_open(&self->params, &self->client, NULL));
}

static void use_client(memory_trial *self, const memory_scenario *scenario, int64_t closing_ms)
{
    if (self->client == NULL && scenario->way != MEMORY_ALONE) return;
    self->lines = witness_open(self->run->lines);
    if (scenario->act != NULL) scenario->act(self);
    if (self->client != NULL) memory_note(self, conv_client_close(self->client, closing_ms, NULL));
    witness_close(self->lines);
}

/* In a process of its own. `first` 0 is a healthy trial, which succeeds in everything. */
static int bear(memory_trial *self, const memory_scenario *scenario, size_t first, bool always)
{
    long before = memory_sqlite_blocks();
    failing_memory_start(0, false);
    if (scenario->way == MEMORY_CLIENT) {
        open_client(self);
        if (self->client == NULL) return MEMORY_WRONG;
    }
    /* Without memory for ever nothing that waits can be saved any more, so nothing waits for it. */
    int64_t closing_ms = always ? 0 : self->timeout_ms;
    failing_memory_go_on(first, always);
    if (first == 0) memory_forks_begin();
    if (scenario->way == MEMORY_OPENING) open_client(self);
    use_client(self, scenario, closing_ms);
    size_t left = failing_memory_live();
    long kept = memory_sqlite_blocks() - before;
    bool wrong = self->wrong > 0 || left > 0 || kept > 0;
    self->facts->asked = failing_memory_asked();
    if (left > 0) fprintf(stderr, "violation: %zu blocks not given back\n", left);
    if (kept > 0) fprintf(stderr, "violation: SQLite holds %ld blocks\n", kept);
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

/* Does one trial after the other: what a process costs would else be most of what a trial does. */
static _Noreturn void do_trials(const memory_tried *self, int end)
{
    order next;
    while (read(end, &next, sizeof next) == sizeof next) {
        memory_trial trial = memory_trial_begin(self, next.first == 0);
        trial.parent = end;
        int code = memory_forks_judge(bear(&trial, self->scenario, next.first, next.always));
        char answer = (char)('0' + code);
        if (write(end, &answer, 1) != 1) break;
    }
    _exit(0);
}

static void start_process(memory_tried *self)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) exit(99);
    self->process = fork();
    if (self->process < 0) exit(99);
    if (self->process == 0) {
        close(ends[0]);
        do_trials(self, ends[1]);
    }
    close(ends[1]);
    self->end = ends[0];
}

int memory_trial_end(memory_tried *self)
{
    int status = 0;
    if (self->process == 0) return 0;
    close(self->end);
    waitpid(self->process, &status, 0);
    self->process = 0;
    return status;
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
    if (self->process == 0) start_process(self);
    int code = -1;
    if (send(self->end, &next, sizeof next, MSG_NOSIGNAL) == sizeof next)
        code = serve(self->store, self->end);
    if (code >= 0) return code;
    fprintf(stderr, "violation: status %d\n", memory_trial_end(self));
    return MEMORY_WRONG;
}
