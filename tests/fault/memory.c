/* See memory.h. The trials and their judgement; what is tried is in memory_scenarios.c. */
#include "fault/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "fault/checker.h"
#include "support/failing_memory.h"

/* How a trial ends, added up. */
enum { WRONG = 1, NOT_MET = 2 };

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

static memory_trial begin(const memory_tried *tried, bool healthy)
{
    memory_trial self = {.store = tried->store,
                         .run = tried->run,
                         .facts = tried->facts,
                         .stacks = tried->choice.stacks,
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
        if (self->client == NULL) return WRONG;
    }
    /* Without memory for ever nothing that waits can be saved any more, so nothing waits for it. */
    int64_t closing_ms = always ? 0 : self->timeout_ms;
    if (first == 0) failing_memory_note_callers(self->stacks, MEMORY_CHOICE_SIZE);
    failing_memory_go_on(first, always);
    if (scenario->way == MEMORY_OPENING) open_client(self);
    use_client(self, scenario, closing_ms);
    size_t left = failing_memory_live();
    long kept = memory_sqlite_blocks() - before;
    bool wrong = self->wrong > 0 || left > 0 || kept > 0;
    self->facts->asked = failing_memory_asked();
    if (left > 0) fprintf(stderr, "violation: %zu blocks not given back\n", left);
    if (kept > 0) fprintf(stderr, "violation: SQLite holds %ld blocks\n", kept);
    if (first == 0 && self->refused > 0) {
        fprintf(stderr, "violation: not even with memory\n");
        wrong = true;
    }
    return (wrong ? WRONG : 0) + (failing_memory_failed() == 0 ? NOT_MET : 0);
}

static memory_facts *share_facts(void)
{
    memory_facts *facts =
        mmap(NULL, sizeof *facts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (facts == MAP_FAILED) exit(99);
    return facts;
}

/* Does what a trial asks for, until it ends. */
static void serve(memory_store *store, int end)
{
    bool away = false;
    char wish = 0;
    while (read(end, &wish, 1) == 1) {
        if (wish == 'a')
            memory_store_take_away(store);
        else
            memory_store_put_back(store);
        away = wish == 'a';
        if (write(end, &wish, 1) != 1) break;
    }
    if (away) memory_store_put_back(store);
}

/* Gives how the process ended, as waitpid has it. */
static int run_process(const memory_tried *self, size_t first, bool always)
{
    int ends[2];
    int status = 0;
    *self->facts = (memory_facts){0};
    memory_store_restore(self->store);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) exit(99);
    pid_t child = fork();
    if (child == 0) {
        memory_trial trial = begin(self, first == 0);
        close(ends[0]);
        trial.parent = ends[1];
        _exit(bear(&trial, self->scenario, first, always));
    }
    close(ends[1]);
    serve(self->store, ends[0]);
    waitpid(child, &status, 0);
    close(ends[0]);
    return status;
}

static checker_findings check_lines(const campaign *run, const memory_store *store, long dead)
{
    const char *journals[] = {run->journal};
    checker_params params = {.lines = run->lines,
                             .file = store->file,
                             .link = store->link,
                             .journals = journals,
                             .journal_count = 1,
                             .drained = true,
                             .dead = dead};
    return checker_run(&params);
}

/* False if what was accepted could not be brought to the store. */
static bool heal(const memory_trial *self, checker_findings *all)
{
    conv_client *client = NULL;
    conv_error error;
    if (conv_client_open(&self->params, &client, &error) == CONV_OK &&
        conv_client_close(client, MEMORY_HEALTHY_MS, &error) == CONV_OK)
        return true;
    fprintf(stderr, "violation: afterwards %s: %s\n", error.action, error.message);
    all->wrong++;
    return false;
}

static void judge_state(const memory_tried *self, long before, checker_findings *all)
{
    bool done = self->facts->done != 0;
    long state = memory_store_number(self->store, self->scenario->state);
    if (state == self->after || (state == before && !done)) return;
    fprintf(stderr, "violation: the state is %ld instead of %s%ld\n", state,
            done ? "" : "what it was or ", self->after);
    if (state == before)
        all->lost++;
    else
        all->half++;
}

/* Whether a trial may have left anything to judge. */
static bool has_acted(const memory_tried *self)
{
    return self->facts->done != 0 || !memory_store_is_untouched(self->store);
}

/* Where nothing was accepted there is nothing to drain, unless something waited before. */
static bool needs_healing(const memory_tried *self)
{
    return self->scenario->judge != NULL || self->scenario->way == MEMORY_OPENING ||
           !memory_store_has_same_journal(self->store);
}

static void judge(const memory_tried *self, checker_findings *all)
{
    const memory_scenario *scenario = self->scenario;
    const memory_trial healthy = begin(self, true);
    bool by_lines = scenario->state == NULL && scenario->judge == NULL;
    if (!by_lines) {
        all->calls++;
        all->acknowledged += self->facts->done != 0;
    }
    if (!has_acted(self)) {
        all->calls += by_lines; /* of what is there as before */
        return;
    }
    if (scenario->migrates && self->store->file != NULL) judge_state(self, self->before, all);
    if (scenario->judge != NULL && scenario->as_left) scenario->judge(&healthy, all);
    if (needs_healing(self) && !heal(&healthy, all)) return;
    if (scenario->state != NULL)
        judge_state(self, scenario->migrates ? self->after : self->before, all);
    if (scenario->judge != NULL && !scenario->as_left) scenario->judge(&healthy, all);
    if (!by_lines || access(self->run->lines, F_OK) != 0) return;
    checker_findings findings = check_lines(self->run, self->store, self->facts->dead);
    checker_add(all, &findings);
}

static long count_bad(const checker_findings *findings)
{
    return findings->lost + findings->doubled + findings->half + findings->late + findings->wrong;
}

/* False when the failure was not met any more. */
static bool try_one(memory_tried *self, size_t first, bool always)
{
    checker_findings *findings = &self->findings[always];
    long bad = count_bad(findings);
    int status = run_process(self, first, always);
    if (!WIFEXITED(status) || WEXITSTATUS(status) % 2 == 1) {
        fprintf(stderr, "violation: status %d\n", status);
        findings->wrong++;
    }
    judge(self, findings);
    if (count_bad(findings) > bad)
        fprintf(stderr, "violation: at allocation %zu, %s, %s, %s\n", first,
                always ? "for ever" : "once", self->store->name, self->scenario->name);
    return !WIFEXITED(status) || (WEXITSTATUS(status) & NOT_MET) == 0;
}

size_t memory_begin(memory_tried *self)
{
    const char *state = self->scenario->state;
    if (self->facts == NULL) self->facts = share_facts();
    if (self->run->tier == CAMPAIGN_SHORT) memory_choice_begin(&self->choice);
    memory_store_restore(self->store);
    if (state != NULL) self->before = memory_store_number(self->store, state);
    int status = run_process(self, 0, false);
    size_t asked = self->facts->asked;
    if (state != NULL) self->after = memory_store_number(self->store, state);
    judge(self, &self->findings[0]);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != NOT_MET || asked == 0 ||
        (state != NULL && self->after == self->before)) {
        fprintf(stderr, "violation: %s, %s does not even succeed with memory: status %d\n",
                self->store->name, self->scenario->name, status);
        self->findings[0].wrong++;
    }
    if (self->choice.stacks != NULL) memory_choice_make(&self->choice, asked);
    return asked;
}

/* The next one to fail. */
static size_t go_on(const memory_tried *self, size_t number)
{
    number += (size_t)self->run->trials;
    while (!memory_choice_has(&self->choice, number))
        number++;
    return number;
}

static void try_way(memory_tried *self, bool always, size_t first, size_t last)
{
    size_t number = first;
    if (!memory_choice_has(&self->choice, first)) number = go_on(self, first);
    for (; last == 0 || number <= last; number = go_on(self, number)) {
        if (!try_one(self, number, always)) break;
        self->trials[always]++;
    }
}

void memory_try(memory_tried *self, size_t first, size_t last)
{
    try_way(self, false, first, last);
    try_way(self, true, first, last);
}

void memory_try_step(memory_tried *self)
{
    size_t last = 1;
    for (; try_one(self, last, true); last = go_on(self, last)) {
        self->trials[1]++;
        if (memory_store_number(self->store, self->scenario->state) != self->before) break;
    }
    try_way(self, false, 1, last);
    memory_choice_give_back(&self->choice, last);
}

void memory_report(memory_tried *self)
{
    char which[48] = "";
    if (self->run->trials > 1)
        snprintf(which, sizeof which, "each %ldth ", self->run->trials);
    else if (self->choice.stacks != NULL)
        snprintf(which, sizeof which, "each call stack's ");
    for (int always = 0; always < 2; always++) {
        char name[128];
        snprintf(name, sizeof name, "%sallocation fails %s, %s, %s", which,
                 always == 1 ? "for ever" : "once", self->store->name, self->scenario->name);
        campaign_report(self->run, name, self->trials[always], &self->findings[always]);
    }
    memory_choice_end(&self->choice);
}

/* The library is used in a process of its own, because this one never has its threads. */
static void prepare(const memory_tried *self)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        memory_trial trial = begin(self, true);
        memory_close(&trial, memory_open(&trial), MEMORY_HEALTHY_MS);
        trial.lines = witness_open(self->run->lines);
        if (self->scenario->prepare != NULL) self->scenario->prepare(&trial);
        witness_close(trial.lines);
        _exit(0);
    }
    if (waitpid(child, &status, 0) != child || status != 0) {
        fprintf(stderr, "memory: %s can't be prepared\n", self->scenario->name);
        exit(99);
    }
}

void memory_run(campaign *run, memory_store *store, const memory_scenario *scenarios, size_t count)
{
    memory_facts *facts = share_facts();
    for (size_t i = 0; i < count; i++) {
        memory_tried self = {.run = run, .store = store, .scenario = &scenarios[i], .facts = facts};
        if (scenarios[i].sqlite_only && store->file == NULL) continue;
        memory_store_clear(store);
        prepare(&self);
        memory_store_keep(store, run);
        memory_begin(&self);
        memory_try(&self, 1, 0);
        memory_store_forget(store);
        memory_report(&self);
    }
    memory_store_clear(store);
    munmap(facts, sizeof *facts);
}
