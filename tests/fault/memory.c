/* See memory.h. Which trials there are, and how they are judged; what is tried is in
 * memory_scenarios.c. */
#include "fault/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "fault/checker.h"
#include "fault/memory_trial.h"

enum { UNMET_AT_END = 4, FIRST_STRIDE = 8 };

bool memory_has_journal(const memory_tried *self)
{
    memory_journal wanted = self->scenario->journal;
    if (wanted != MEMORY_JOURNAL_USUAL) return wanted == MEMORY_JOURNAL_ALWAYS;
    return self->store->file != NULL || self->run->tier == CAMPAIGN_LONG;
}

static checker_findings check_lines(const memory_tried *self)
{
    const char *journals[] = {self->run->journal};
    checker_params params = {.lines = self->run->lines,
                             .file = self->store->file,
                             .link = self->store->link,
                             .journals = journals,
                             .journal_count = memory_has_journal(self) ? 1 : 0,
                             .drained = true,
                             .dead = self->facts->dead};
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

static void judge_state(const memory_tried *self, long before, long state, checker_findings *all)
{
    bool done = self->facts->done != 0;
    if (state == self->after || (state == before && !done)) return;
    fprintf(stderr, "violation: the state is %ld instead of %s%ld\n", state,
            done ? "" : "what it was or ", self->after);
    if (state == before)
        all->lost++;
    else
        all->half++;
}

/* A step is done or not: half of it might be completed by the next client, unnoticed. */
static void judge_steps(const memory_tried *self, long state, checker_findings *all)
{
    for (size_t i = 0; i < self->step_count; i++)
        if (state == self->steps[i]) return;
    fprintf(stderr, "violation: the state is %ld, which no step leaves\n", state);
    all->half++;
}

static void judge_as_left(const memory_tried *self, long state, checker_findings *all)
{
    if (self->steps != NULL)
        judge_steps(self, state, all);
    else
        judge_state(self, self->before, state, all);
}

/* Whether a trial may have left anything to judge. */
static bool has_acted(const memory_tried *self)
{
    return self->facts->done != 0 || !memory_store_is_untouched(self->store);
}

/* Where nothing was accepted there is nothing to drain, unless something waited before; nor where
 * nothing waits any more; and what was rolled back is what the healthy run began with. But in the
 * long tier a next client has to get along with all of that, too. */
static bool needs_healing(const memory_tried *self, long state)
{
    const memory_scenario *scenario = self->scenario;
    if (scenario->judge != NULL || self->run->tier == CAMPAIGN_LONG) return true;
    if (scenario->migrates) return state != self->before;
    if (scenario->way != MEMORY_OPENING && memory_store_has_same_journal(self->store)) return false;
    return !memory_store_has_drained(self->store);
}

static bool is_known(const memory_tried *self, const memory_left *left)
{
    for (size_t i = 0; i < self->known_count && i < MEMORY_KNOWN; i++)
        if (memcmp(&self->known[i], left, sizeof *left) == 0) return true;
    return false;
}

/* 0 of a scenario that has none. */
static long find_state(const memory_tried *self)
{
    const char *sql = self->scenario->state;
    return sql == NULL ? 0 : memory_store_number(self->store, sql);
}

static void judge_left(const memory_tried *self, bool by_lines, checker_findings *all)
{
    const memory_scenario *scenario = self->scenario;
    const memory_trial healthy = memory_trial_begin(self, true);
    long state = find_state(self);
    if (scenario->migrates) judge_as_left(self, state, all);
    if (scenario->judge != NULL && scenario->as_left) scenario->judge(&healthy, all);
    bool heals = needs_healing(self, state);
    if (heals && !heal(&healthy, all)) return;
    if (heals) state = find_state(self);
    if (scenario->state != NULL)
        judge_state(self, heals && scenario->migrates ? self->after : self->before, state, all);
    if (scenario->judge != NULL && !scenario->as_left) scenario->judge(&healthy, all);
    if (!by_lines || access(self->run->lines, F_OK) != 0) return;
    checker_findings findings = check_lines(self);
    checker_add(all, &findings);
}

/* Where nothing was acknowledged, the verdict depends on nothing but what is left. */
static bool may_be_known(const memory_tried *self, memory_left *left)
{
    return self->run->tier != CAMPAIGN_LONG && self->facts->done == 0 && self->facts->dead == 0 &&
           memory_store_left(self->store, left);
}

static void judge(memory_tried *self, checker_findings *all)
{
    memory_left left;
    bool by_lines = self->scenario->state == NULL && self->scenario->judge == NULL;
    all->late += self->facts->late;
    if (!by_lines) {
        all->calls++;
        all->acknowledged += self->facts->done != 0;
    }
    bool acted = has_acted(self);
    bool comparable = acted && may_be_known(self, &left);
    if (!acted || (comparable && is_known(self, &left))) {
        all->calls += by_lines; /* nothing new to judge */
        return;
    }
    long found = checker_count_violations(all);
    judge_left(self, by_lines, all);
    if (comparable && checker_count_violations(all) == found)
        self->known[self->known_count++ % MEMORY_KNOWN] = left;
}

/* False if that allocation was not asked for any more. */
static bool try_one(memory_tried *self, size_t number, bool always, checker_findings *found)
{
    int code = memory_trial_run(self, number, always);
    found->wrong += (code & MEMORY_WRONG) != 0;
    judge(self, found);
    if (!checker_is_clean(found))
        fprintf(stderr, "violation: at allocation %zu, %s, %s, %s\n", number,
                always ? "for ever" : "once", self->store->name, self->scenario->name);
    return (code & MEMORY_NOT_MET) == 0;
}

size_t memory_begin(memory_tried *self)
{
    bool has_state = self->scenario->state != NULL;
    if (self->facts == NULL) self->facts = campaign_share(sizeof(memory_facts));
    self->known_count = 0;
    worker_end(&self->worker);
    memory_store_restore(self->store);
    self->before = find_state(self);
    int code = memory_trial_run(self, 0, false);
    size_t asked = self->facts->asked;
    self->after = find_state(self);
    judge(self, &self->findings[0]);
    if (code != MEMORY_NOT_MET || asked == 0 || (has_state && self->after == self->before)) {
        fprintf(stderr, "violation: %s, %s does not even succeed with memory: code %d\n",
                self->store->name, self->scenario->name, code);
        self->findings[0].wrong++;
    }
    return asked;
}

/* Whether the allocation that failed once was the last one, closing included: then all behind it
 * might as well have failed. That closing has no time for ever made no difference if it had nothing
 * to wait for. */
static bool failed_at_last(const memory_tried *self, size_t number)
{
    return self->facts->asked == number && !self->facts->unclosed;
}

/* Once and for ever, as far as it is not known yet that there are no more. */
static void try_number(memory_tried *self, size_t number, int unmet[2])
{
    int ways = 1;
    for (int always = 0; always < 2; always += ways) {
        checker_findings found = {0};
        if (unmet[always] == UNMET_AT_END) continue;
        bool met = try_one(self, number, always == 1, &found);
        if (always == 0 && met && unmet[1] != UNMET_AT_END && failed_at_last(self, number))
            ways = 2;
        for (int way = always; way < always + ways; way++) {
            unmet[way] = met ? 0 : unmet[way] + 1;
            self->trials[way] += met;
            checker_add(&self->findings[way], &found);
        }
    }
}

/* Where threads meet, a run may ask for less than the one before: so the first number that is not
 * asked for is not the end. */
void memory_try(memory_tried *self, size_t first, size_t last)
{
    int unmet[2] = {0};
    size_t each = (size_t)self->run->trials;
    size_t number = first + each * (size_t)self->run->share;
    for (; last == 0 || number <= last; number += each * (size_t)self->run->shares) {
        try_number(self, number, unmet);
        if (unmet[0] == UNMET_AT_END && unmet[1] == UNMET_AT_END) break;
    }
}

/* Whether the step is begun, or done, although all fails from that allocation on. The trial is made
 * once more with the others, and judged there. */
static bool reaches(memory_tried *self, size_t number, bool done)
{
    (void)memory_trial_run(self, number, true);
    if (done) return find_state(self) != self->before;
    (void)memory_store_is_untouched(self->store);
    return self->store->wrote;
}

/* In ever wider strides, because what comes behind the step costs most. */
static size_t find(memory_tried *self, size_t before, size_t asked, bool done)
{
    size_t stride = FIRST_STRIDE;
    if (before > 0 && reaches(self, before, done)) before = 0;
    size_t behind = before + stride;
    while (behind <= asked && !reaches(self, behind, done)) {
        before = behind;
        stride *= 2;
        behind += stride;
    }
    if (behind > asked) behind = asked + 1;
    while (behind - before > 1) {
        size_t middle = before + (behind - before) / 2;
        if (reaches(self, middle, done))
            behind = middle;
        else
            before = middle;
    }
    return behind;
}

size_t memory_find_begin(memory_tried *self, size_t before, size_t asked)
{
    return find(self, before, asked, false);
}

size_t memory_find_end(memory_tried *self, size_t before, size_t asked)
{
    return find(self, before, asked, true);
}

void memory_report(memory_tried *self)
{
    char which[48] = "";
    bool lacks_journal =
        self->scenario->journal == MEMORY_JOURNAL_USUAL && !memory_has_journal(self);
    const char *about = lacks_journal ? ", no journal" : "";
    worker_end(&self->worker);
    if (self->run->trials > 1)
        snprintf(which, sizeof which, "each %ld%s ", self->run->trials,
                 campaign_ordinal(self->run->trials));
    for (int always = 0; always < 2; always++) {
        char name[128];
        snprintf(name, sizeof name, "%sallocation fails %s, %s, %s%s", which,
                 always == 1 ? "for ever" : "once", self->store->name, self->scenario->name, about);
        campaign_report(self->run, name, self->trials[always], &self->findings[always]);
    }
}

/* In a process of its own, so that the trials' one begins with what this one has. */
static void prepare(const memory_tried *self)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        memory_trial trial = memory_trial_begin(self, true);
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
    memory_facts *facts = campaign_share(sizeof(memory_facts));
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
