/* See memory_forks.h. */
#include "fault/memory_forks.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault/memory_trial.h"
#include "support/failing_memory.h"

/* How a trial ends, beside what memory.h has. */
enum { CHANGED = 4, SURVIVED = 8 };

enum { MOST_SURVIVORS = 4096 };

/* What the run tells the process that began it. */
typedef struct forks {
    size_t last; /* allocation of the stretch */
    long trials[2];
    checker_findings findings[2];
    size_t survivor_count;
    struct {
        size_t number;
        bool always;
    } survivors[MOST_SURVIVORS];
} forks;

static forks *shared;
static const memory_tried *tried;
static bool at_once;

/* In a trial, the run that it came of; else 0. */
static pid_t forked_from;

pid_t __wrap_conv__process_id(void);

pid_t __wrap_conv__process_id(void)
{
    return forked_from != 0 ? forked_from : getpid();
}

void memory_forks_prepare(const memory_tried *self, bool from_beginning)
{
    tried = self;
    at_once = from_beginning;
    shared = campaign_share(sizeof *shared);
}

bool memory_forks_is_run(void)
{
    return shared != NULL && forked_from == 0;
}

static void note_survivor(size_t number, bool always)
{
    if (shared->survivor_count == MOST_SURVIVORS) {
        fprintf(stderr, "memory: more than %d trials got on without their memory\n",
                MOST_SURVIVORS);
        _exit(99);
    }
    shared->survivors[shared->survivor_count].number = number;
    shared->survivors[shared->survivor_count++].always = always;
}

static void note(size_t number, bool always, int status)
{
    checker_findings *findings = &shared->findings[always];
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : MEMORY_WRONG;
    if (code == SURVIVED) {
        note_survivor(number, always);
        return;
    }
    shared->trials[always]++;
    findings->calls++;
    findings->late += tried->facts->late;
    findings->half += (code & CHANGED) != 0;
    findings->wrong += (code & ~CHANGED) != 0;
    if (code != 0)
        fprintf(stderr, "violation: at allocation %zu, %s, %s, %s: status %d%s\n", number,
                always ? "for ever" : "once", tried->store->name, tried->scenario->name, status,
                (code & CHANGED) != 0 ? ", which changed a file" : "");
}

static void fork_trials(size_t number)
{
    shared->last = number;
    if ((number - 1) % (size_t)tried->run->trials != 0) return;
    for (int always = 0; always < 2; always++) {
        pid_t run = getpid();
        int status = 0;
        *tried->facts = (memory_facts){0};
        pid_t trial = fork();
        if (trial == 0) {
            forked_from = run;
            alarm(MEMORY_LONGEST_SECONDS);
            memory_begin_call();
            failing_memory_watch(NULL);
            failing_memory_choose(number, always);
            return;
        }
        if (trial < 0 || waitpid(trial, &status, 0) != trial) _exit(99);
        note(number, always, status);
    }
}

void memory_forks_start(void)
{
    if (memory_forks_is_run()) failing_memory_watch(fork_trials);
}

void memory_forks_begin(void)
{
    if (at_once) memory_forks_start();
}

void memory_forks_stop(void)
{
    failing_memory_watch(NULL);
    if (forked_from != 0) _exit(SURVIVED);
}

int memory_forks_judge(int code)
{
    if (forked_from == 0) return code;
    failing_memory_choose(0, false);
    bool changed = tried->facts->done != 0 || !memory_store_is_untouched(tried->store);
    _exit(code | (changed ? CHANGED : 0));
}

size_t memory_forks_end(memory_tried *self)
{
    size_t last = shared->last;
    memory_trial_end(self); /* it would fork again */
    if (last == 0) {
        fprintf(stderr, "memory: %s, %s: no allocation to fork at\n", self->store->name,
                self->scenario->name);
        exit(99);
    }
    for (int always = 0; always < 2; always++) {
        self->trials[always] += shared->trials[always];
        checker_add(&self->findings[always], &shared->findings[always]);
    }
    for (size_t i = 0; i < shared->survivor_count; i++) {
        bool always = shared->survivors[i].always;
        self->trials[always] += memory_try_one(self, shared->survivors[i].number, always);
    }
    munmap(shared, sizeof *shared);
    shared = NULL;
    return last;
}
