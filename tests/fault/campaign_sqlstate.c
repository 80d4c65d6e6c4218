/* Every SQLSTATE of the table of faults at every step of every way to save, once and for ever, with
 * and without a journal, and of a journal's drain, against a scripted server: each leads to what is
 * documented for it, and never to a false success or a false refusal. `--trials N`: every N-th
 * case. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conversation/journal.h"
#include "fault/caller.h"
#include "fault/fake_server.h"
#include "fault/report.h"
#include "fault/sqlstates.h"

enum {
    THREADS = 12,
    TIMEOUT_MS = 900,
    TURN_MS = 2000,
    CLOSE_MS = 5000,
    DRAIN_MS = 10000,
    FOR_EVER = 1 << 30,
    TOGETHER = 3
};
enum { AGAIN_TRIES = 4, CONTENTION_TRIES = 6, PAUSE_TRIES_LEAST = 3 };

/* What is called while the fault lasts. */
typedef enum way {
    WAY_SAVE,     /* an exchange */
    WAY_REPEAT,   /* one that is stored already */
    WAY_CLASH,    /* one whose id is stored with other content */
    WAY_REPLACE,  /* a turn whose failed attempt is stored */
    WAY_TOGETHER, /* several of a session in one call */
    WAY_SUBMIT,   /* one, without waiting */
    WAY_FLUSH,    /* of a tracked record */
    WAY_DRAIN     /* nothing: the journal brings one to the store */
} way;

static const char *const way_names[] = {"save",     "repeat", "clash", "replace",
                                        "together", "submit", "flush", "drain"};

static const char *const step_names[FAKE_STEPS] = {
    [FAKE_CONNECT] = "connect", [FAKE_BEGIN] = "begin", [FAKE_SAVE] = "save",
    [FAKE_COMMIT] = "commit",   [FAKE_SYNC] = "sync",   [FAKE_LOOKUP] = "lookup",
    [FAKE_REMOVE] = "remove",   [FAKE_TRACK] = "track", [FAKE_DELETED] = "deleted"};

static const struct {
    way called;
    fake_step step;
} places[] = {{WAY_SAVE, FAKE_CONNECT},     {WAY_SAVE, FAKE_BEGIN},     {WAY_SAVE, FAKE_SAVE},
              {WAY_SAVE, FAKE_COMMIT},      {WAY_SAVE, FAKE_SYNC},      {WAY_REPEAT, FAKE_SAVE},
              {WAY_REPEAT, FAKE_LOOKUP},    {WAY_CLASH, FAKE_SAVE},     {WAY_CLASH, FAKE_LOOKUP},
              {WAY_REPLACE, FAKE_BEGIN},    {WAY_REPLACE, FAKE_LOOKUP}, {WAY_REPLACE, FAKE_REMOVE},
              {WAY_REPLACE, FAKE_SAVE},     {WAY_REPLACE, FAKE_COMMIT}, {WAY_REPLACE, FAKE_SYNC},
              {WAY_TOGETHER, FAKE_CONNECT}, {WAY_TOGETHER, FAKE_SAVE},  {WAY_TOGETHER, FAKE_COMMIT},
              {WAY_TOGETHER, FAKE_SYNC},    {WAY_SUBMIT, FAKE_CONNECT}, {WAY_SUBMIT, FAKE_SAVE},
              {WAY_SUBMIT, FAKE_COMMIT},    {WAY_SUBMIT, FAKE_SYNC},    {WAY_FLUSH, FAKE_CONNECT},
              {WAY_FLUSH, FAKE_BEGIN},      {WAY_FLUSH, FAKE_TRACK},    {WAY_FLUSH, FAKE_COMMIT},
              {WAY_FLUSH, FAKE_SYNC},       {WAY_DRAIN, FAKE_CONNECT},  {WAY_DRAIN, FAKE_BEGIN},
              {WAY_DRAIN, FAKE_DELETED},    {WAY_DRAIN, FAKE_SAVE},     {WAY_DRAIN, FAKE_COMMIT},
              {WAY_DRAIN, FAKE_SYNC}};

enum { PLACES = sizeof places / sizeof places[0], DRAIN_PLACES = 6, VARIANTS = 8 };

/* One case, by its number: rule, place, once or for ever, journal, and whether COMMIT is done. */
typedef struct trial {
    const sqlstate_rule *rule;
    way called;
    fake_step step;
    bool forever;
    bool journaled;
    bool commits;
    sqlstate_action wanted; /* at this step */
    fake_server *store;
    witness *lines;
    fault_turn turns[TOGETHER]; /* the first alone, unless they are saved together */
    char journal[128];
    checker_findings *findings;
    conv_client *client;
    int64_t dead_before;
} trial;

static void say(trial *self, long *counter, const char *what, const conv_error *error)
{
    const char *sqlstate = self->rule->sqlstate == NULL ? "no code" : self->rule->sqlstate;
    (*counter)++;
    fprintf(stderr, "violation: %s: %s%s at %s%s%s%s: %s (%d hits; %s [%s] recovery %d%s)\n",
            way_names[self->called], sqlstate, self->rule->fatal ? " fatal" : "",
            step_names[self->step], self->commits ? ", committed" : "",
            self->forever ? ", for ever" : ", once", self->journaled ? ", journal" : "", what,
            fake_hits(self->store), error->message, conv_status_name(error->status),
            (int)error->recovery, error->outcome_unknown ? ", unknown" : "");
}

static long count_turns(const trial *self)
{
    return self->called == WAY_TOGETHER ? TOGETHER : 1;
}

static bool is_turn_stored(const trial *self, const fault_turn *turn)
{
    char session_id[FAULT_ID_SIZE];
    char turn_id[FAULT_ID_SIZE];
    fault_session_id(turn->session, session_id);
    fault_turn_id(turn->turn, turn_id);
    return fake_has(self->store, conv_uuid_ensure(conv_text(session_id)),
                    conv_uuid_ensure(conv_text(turn_id)));
}

/* How many of what is called for are stored. */
static long count_stored(const trial *self)
{
    long stored = 0;
    if (self->called == WAY_FLUSH) return fake_look(self->store).records;
    for (long i = 0; i < count_turns(self); i++)
        stored += is_turn_stored(self, &self->turns[i]);
    return stored;
}

static conv_status save_failed_attempt(trial *self, conv_error *error)
{
    char session_id[FAULT_ID_SIZE];
    char turn_id[FAULT_ID_SIZE];
    fault_session_id(self->turns[0].session, session_id);
    fault_turn_id(self->turns[0].turn, turn_id);
    char *question = fault_text(&self->turns[0], false);
    conv_message message = {.role = CONV_ROLE_USER, .content = conv_text(question)};
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    exchange.session_id = session_id;
    exchange.turn_id = turn_id;
    exchange.messages = &message;
    exchange.message_count = 1;
    exchange.status = CONV_OUTCOME_FAILED;
    conv_status status = conv_save_exchange(self->client, &exchange, NULL, error);
    free(question);
    return status;
}

/* What is there before the fault. */
static conv_status prepare(trial *self, conv_error *error)
{
    fault_turn other = self->turns[0];
    other.variant++;
    switch (self->called) {
    case WAY_REPEAT:
        return witness_save(self->lines, self->client, &self->turns[0], TIMEOUT_MS, error);
    case WAY_CLASH:
        return witness_save(self->lines, self->client, &other, TIMEOUT_MS, error);
    case WAY_REPLACE:
        return save_failed_attempt(self, error);
    case WAY_FLUSH:
        return witness_track(self->lines, self->client, &self->turns[0], self->journaled, error);
    default:
        return CONV_OK;
    }
}

static conv_status call(trial *self, conv_error *error)
{
    switch (self->called) {
    case WAY_REPLACE:
        return witness_process(self->lines, self->client, self->turns, TURN_MS, error);
    case WAY_TOGETHER:
        return witness_together(self->lines, self->client, self->turns, TOGETHER, TIMEOUT_MS,
                                error);
    case WAY_SUBMIT:
        return witness_async(self->lines, self->client, self->turns, TIMEOUT_MS, error);
    case WAY_FLUSH:
        return witness_flush(self->lines, self->client, NULL, TIMEOUT_MS, error);
    default:
        return witness_save(self->lines, self->client, self->turns, TIMEOUT_MS, error);
    }
}

static bool waits(const trial *self)
{
    return self->wanted == SQLSTATE_AGAIN || self->wanted == SQLSTATE_PAUSE;
}

/* Whether it goes on by itself with other rows, or in another way, than what has failed. */
static bool goes_apart(const trial *self)
{
    return (self->called == WAY_TOGETHER || self->called == WAY_FLUSH) &&
           sqlstate_is_of_row(self->rule->sqlstate, self->wanted);
}

/* How often the step is reached when all tries fail; 0: not said. */
static int wanted_hits(const trial *self)
{
    const char *sqlstate = self->rule->sqlstate == NULL ? "" : self->rule->sqlstate;
    bool contention = strcmp(sqlstate, "40001") == 0 || strcmp(sqlstate, "40P01") == 0;
    bool counted = self->called == WAY_SAVE || self->called == WAY_SUBMIT ||
                   (self->called == WAY_TOGETHER && !goes_apart(self));
    if (self->journaled || !counted || self->wanted == SQLSTATE_PAUSE) return 0;
    if (self->wanted != SQLSTATE_AGAIN || !self->forever) return 1;
    return contention ? CONTENTION_TRIES : AGAIN_TRIES;
}

/* Something of it may be stored when it fails. */
static bool may_be_stored(const trial *self)
{
    return self->step == FAKE_SYNC || self->commits || self->called == WAY_REPEAT ||
           self->called == WAY_CLASH;
}

static void check_failure(trial *self, const conv_error *error)
{
    long *wrong = &self->findings->wrong;
    conv_recovery recovery = error->recovery;
    const char *sqlstate = self->rule->sqlstate == NULL ? "" : self->rule->sqlstate;
    /* What a flush did not get rid of is tried again in any case. */
    bool unknown = (self->step == FAKE_SYNC || self->commits) && self->called != WAY_FLUSH;
    if (unknown && !error->outcome_unknown)
        say(self, wrong, "said to be refused, and may be stored", error);
    if (self->wanted == SQLSTATE_KEEP && recovery != CONV_RECOVERY_WAIT &&
        recovery != CONV_RECOVERY_OPERATOR)
        say(self, wrong, "not said to need a wait or a person", error);
    if (self->wanted == SQLSTATE_REFUSE && recovery != CONV_RECOVERY_REJECT)
        say(self, wrong, "not said to be refused for good", error);
    if (self->wanted == SQLSTATE_REFUSE && !may_be_stored(self) && count_stored(self) > 0)
        say(self, wrong, "refused and stored", error);
    if (strcmp(error->sqlstate, sqlstate) != 0 && self->wanted != SQLSTATE_PAUSE)
        say(self, wrong, "the sqlstate is not told", error);
}

static bool should_succeed(const trial *self)
{
    if (self->called == WAY_FLUSH && self->journaled) return true; /* the journal takes it all */
    if (waits(self) || goes_apart(self)) {
        if (!self->forever) return true;
        if (waits(self)) return self->journaled;
    }
    /* Nobody knows what is stored under the id: the journal keeps it. */
    if (self->journaled && self->step == FAKE_LOOKUP && self->called != WAY_REPLACE) return true;
    return self->journaled &&
           (self->wanted == SQLSTATE_KEEP || self->step == FAKE_SYNC || self->commits);
}

/* A clash ends as a conflict; a journal may have taken it before anybody knew. */
static bool is_success(const trial *self, conv_status status)
{
    if (self->called != WAY_CLASH) return status == CONV_OK;
    return status == CONV_CONFLICT || (self->journaled && status == CONV_OK);
}

static void judge(trial *self, conv_status status, const conv_error *error)
{
    long *wrong = &self->findings->wrong;
    int hits = fake_hits(self->store);
    int tries = wanted_hits(self);
    if (hits == 0) say(self, wrong, "the step never came", error);
    if (is_success(self, status) != should_succeed(self))
        say(self, wrong, is_success(self, status) ? "it succeeded" : "it failed", error);
    if (!is_success(self, status)) check_failure(self, error);
    if (tries > 0 && hits != tries) say(self, wrong, "another number of tries", error);
    if (self->wanted == SQLSTATE_PAUSE && self->forever && hits < PAUSE_TRIES_LEAST)
        say(self, wrong, "too few tries", error);
}

/* What the store holds in the end: all that was not refused, once, and whole. */
static void judge_content(trial *self, bool refused)
{
    conv_error none = CONV_ERROR_INIT;
    fake_content content = fake_look(self->store);
    bool flush = self->called == WAY_FLUSH;
    long wanted = refused ? 0 : count_turns(self);
    long stored = count_stored(self);
    long all = content.exchanges + content.records;
    if (refused && stored > 0) say(self, &self->findings->wrong, "refused and stored later", &none);
    if (stored < wanted) say(self, &self->findings->lost, "acknowledged and not stored", &none);
    if (all > stored) say(self, &self->findings->doubled, "stored under another id", &none);
    if (flush && stored > 1) say(self, &self->findings->doubled, "stored twice", &none);
    if (content.half > 0) say(self, &self->findings->half, "stored in part", &none);
    self->findings->stored += stored;
}

/* The fault is over: what was not refused gets there, by a repeat or by the journal. */
static void settle(trial *self, conv_status status)
{
    conv_error error = CONV_ERROR_INIT;
    bool success = is_success(self, status);
    bool dead = self->called == WAY_FLUSH && self->journaled && self->forever;
    bool refused = self->wanted == SQLSTATE_REFUSE && (!success || dead) && !may_be_stored(self);
    fake_set(self->store, &(fake_plan){.step = FAKE_NEVER});
    if (!success && !refused && !is_success(self, call(self, &error)))
        say(self, &self->findings->wrong, "the repeat failed", &error);
    if (witness_shut(self->lines, self->client, CLOSE_MS, &error) != CONV_OK)
        say(self, &self->findings->wrong, "the journal did not drain", &error);
    judge_content(self, refused);
}

/* Dead letters of this trial alone: the worker's journal has those of earlier ones. */
static conv_journal_counts count_journal(trial *self)
{
    conv_error error = CONV_ERROR_INIT;
    conv_journal_counts counts = {0};
    if (conv_client_journal_count(self->client, &counts, &error) != CONV_OK)
        say(self, &self->findings->wrong, "the journal can't be counted", &error);
    counts.dead -= self->dead_before;
    return counts;
}

/* What waits in the journal is there while the store is away. */
static void leave_waiting(trial *self)
{
    conv_error error = CONV_ERROR_INIT;
    fake_set(self->store,
             &(fake_plan){.step = FAKE_CONNECT, .times = FOR_EVER, .severity = "FATAL"});
    fake_drop(self->store);
    if (witness_save(self->lines, self->client, self->turns, TIMEOUT_MS, &error) != CONV_OK)
        say(self, &self->findings->wrong, "the journal did not take it", &error);
    self->dead_before = count_journal(self).dead;
}

/* Behind COMMIT a refusal says nothing of what it did. */
static bool is_refused(const trial *self)
{
    return self->wanted == SQLSTATE_REFUSE && self->step != FAKE_SYNC;
}

/* Until the step has failed, and what was to become of it has: gone, refused, or, for ever, tried
 * once more without an end. */
static conv_journal_counts await_drain(trial *self)
{
    conv_journal_counts counts = count_journal(self);
    for (int ms = 0; ms < DRAIN_MS && counts.exchanges > 0; ms += 2) {
        bool stays = self->forever && !is_refused(self);
        if (stays && fake_hits(self->store) > 1) break;
        usleep(2000);
        counts = count_journal(self);
    }
    return counts;
}

/* Nobody waits for it: only what the store refuses for good leaves the journal otherwise. */
static void judge_drain(trial *self)
{
    conv_error none = CONV_ERROR_INIT;
    long *wrong = &self->findings->wrong;
    conv_journal_counts counts = await_drain(self);
    bool refuses = is_refused(self);
    if (fake_hits(self->store) == 0) say(self, wrong, "the step never came", &none);
    if (counts.dead > 0 && !refuses) say(self, wrong, "given up", &none);
    if (counts.dead == 0 && refuses && self->forever) say(self, wrong, "not given up", &none);
    if (counts.exchanges > 0 && (refuses || !self->forever)) say(self, wrong, "it waits", &none);
    if (counts.exchanges == 0 && !refuses && self->forever && !may_be_stored(self))
        say(self, wrong, "it did not wait", &none);
    fake_set(self->store, &(fake_plan){.step = FAKE_NEVER});
    if (witness_shut(self->lines, self->client, CLOSE_MS, &none) != CONV_OK)
        say(self, wrong, "the journal did not drain", &none);
    judge_content(self, counts.dead > 0 && !may_be_stored(self));
}

static void try_one(trial *self)
{
    conv_error error = CONV_ERROR_INIT;
    caller_params params = {.store = fake_url(self->store),
                            .journal = self->journaled ? self->journal : NULL,
                            .connections = 1,
                            .timeout_ms = TIMEOUT_MS,
                            .any_schema = true};
    fake_plan plan = {.step = self->step,
                      .times = self->forever ? FOR_EVER : 1,
                      .sqlstate = self->rule->sqlstate,
                      .severity =
                          self->rule->fatal || self->step == FAKE_CONNECT ? "FATAL" : "ERROR",
                      .constraint = self->rule->constraint,
                      .message = self->rule->message == NULL ? "scripted" : self->rule->message,
                      .commits = self->commits};
    fake_empty(self->store);
    self->client = caller_open(self->lines, &params);
    if (self->called == WAY_DRAIN) leave_waiting(self);
    if (prepare(self, &error) != CONV_OK)
        say(self, &self->findings->wrong, "what was to be there was not saved", &error);
    fake_set(self->store, &plan);
    self->findings->calls++;
    if (self->called == WAY_DRAIN) {
        judge_drain(self);
        return;
    }
    if (self->step == FAKE_CONNECT) {
        fake_drop(self->store);
        usleep(2000);
    }
    conv_status status = call(self, &error);
    judge(self, status, &error);
    settle(self, status);
}

/* Cases of some of the places. */
typedef struct part {
    const char *name;
    int first; /* place */
    int places;
    long rarer; /* each so many-th rule and place, but for the long tier */
} part;

static const part parts[] = {
    {"every SQLSTATE at every step", 0, PLACES - DRAIN_PLACES, 1},
    {"every SQLSTATE at every step of a drain", PLACES - DRAIN_PLACES, DRAIN_PLACES, 4}};

/* False: there is no such case. */
static bool make_case(const part *of, long number, trial *made)
{
    long place = of->first + number / VARIANTS % of->places;
    long unique = number * PLACES + of->first;
    made->rule = &sqlstate_rules[number / VARIANTS / of->places];
    made->called = places[place].called;
    made->step = places[place].step;
    made->forever = number / 4 % 2 == 1;
    made->journaled = number / 2 % 2 == 1;
    made->commits = number % 2 == 1;
    for (uint64_t i = 0; i < TOGETHER; i++)
        made->turns[i] = (fault_turn){.session = (uint64_t)unique, .turn = (uint64_t)unique + i};
    made->wanted = made->rule->wanted;
    /* Nothing of the data was sent: it can't be at fault. */
    if (made->wanted == SQLSTATE_REFUSE &&
        (made->step == FAKE_CONNECT || made->step == FAKE_BEGIN || made->step == FAKE_DELETED))
        made->wanted = SQLSTATE_KEEP;
    /* What libpq tells of a refused connection holds neither a constraint nor more than text. */
    if (made->step == FAKE_CONNECT &&
        (made->rule->constraint != NULL || made->rule->message != NULL))
        made->wanted = SQLSTATE_KEEP;
    /* Only the end of a connection leaves it open whether COMMIT was done. */
    bool meant = !made->commits || (made->step == FAKE_COMMIT && made->rule->fatal);
    return meant && (made->journaled || made->called != WAY_DRAIN);
}

typedef struct worker {
    const campaign *run;
    const part *of;
    long rarer;
    witness *lines;
    atomic_long *next;
    checker_findings findings;
    pthread_t thread;
    int number;
} worker;

static void *work(void *context)
{
    worker *self = context;
    fake_server *store = fake_start();
    const long cases = (long)sqlstate_rule_count * self->of->places * VARIANTS;
    for (long number; (number = atomic_fetch_add(self->next, self->run->trials)) < cases;) {
        /* All variants of a rule at a place, or none. */
        if ((number / VARIANTS + (long)(self->run->seed % 1024)) % self->rarer != 0) continue;
        trial one = {.store = store, .lines = self->lines, .findings = &self->findings};
        snprintf(one.journal, sizeof one.journal, "%s/journal-%d.db", self->run->folder,
                 self->number);
        if (make_case(self->of, number, &one)) try_one(&one);
    }
    fake_stop(store);
    return NULL;
}

static void try_part(campaign *run, const part *of)
{
    worker workers[THREADS];
    atomic_long next = 0;
    checker_findings sum = {0};
    witness *lines = witness_open(run->lines);
    long late = witness_late(run->lines);
    long rarer = run->tier == CAMPAIGN_LONG ? 1 : of->rarer;
    atomic_store(&next, (long)(run->seed % (uint64_t)run->trials));
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){
            .run = run, .of = of, .rarer = rarer, .lines = lines, .next = &next, .number = i};
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) exit(99);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        checker_add(&sum, &workers[i].findings);
    }
    witness_close(lines);
    sum.late = witness_late(run->lines) - late;
    campaign_report_some(run, of->name, run->trials * rarer, "case", sum.calls, &sum);
}

int main(int argc, char **argv)
{
    campaign run = campaign_begin(argc, argv, (long[]){101, 1, 1});
    fault_provider();
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        try_part(&run, &parts[i]);
    conv_provider_free(fault_provider());
    return campaign_end(&run);
}
