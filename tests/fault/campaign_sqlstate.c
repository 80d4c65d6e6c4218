/* Every SQLSTATE of the table of faults at every step of a save, once and for ever, with and
 * without a journal, against a scripted server: each leads to what is documented for it, and never
 * to a false success or a false refusal. `--trials N`: every N-th case. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault/caller.h"
#include "fault/fake_server.h"
#include "fault/report.h"

enum { THREADS = 8, TIMEOUT_MS = 900, FOR_EVER = 1 << 30, AGAIN_TRIES = 4, CONTENTION_TRIES = 6 };

/* What is documented: the same again at once; after a pause; keep it until the store, or a person,
 * has changed something; give it back. */
typedef enum action { AGAIN, PAUSE, KEEP, REFUSE } action;

typedef struct rule {
    const char *sqlstate;
    action wanted;
    bool fatal; /* said as the connection ends */
    const char *constraint;
    const char *message;
} rule;

static const rule rules[] = {
    {"08000", AGAIN, true, NULL, NULL},
    {"08001", AGAIN, true, NULL, NULL},
    {"08003", AGAIN, true, NULL, NULL},
    {"08004", AGAIN, true, NULL, NULL},
    {"08006", AGAIN, true, NULL, NULL},
    {"08007", AGAIN, true, NULL, NULL},
    {"08007", AGAIN, false, NULL, NULL},
    {"40003", AGAIN, false, NULL, NULL},
    {"08P01", PAUSE, true, NULL, NULL},
    {"08P01", PAUSE, false, NULL, NULL},
    {"40001", AGAIN, false, NULL, NULL},
    {"40P01", AGAIN, false, NULL, NULL},
    {"57P01", AGAIN, true, NULL, NULL},
    {"57P02", AGAIN, true, NULL, NULL},
    {"57P03", AGAIN, true, NULL, NULL},
    {"57014", PAUSE, false, NULL, NULL},
    {"55P03", PAUSE, false, NULL, NULL},
    {"55006", PAUSE, false, NULL, NULL},
    {"53000", PAUSE, false, NULL, NULL},
    {"53100", KEEP, false, NULL, NULL},
    {"53200", KEEP, false, NULL, NULL},
    {"53300", PAUSE, true, NULL, NULL},
    {"53400", PAUSE, false, NULL, NULL},
    {"25006", KEEP, false, NULL, NULL},
    {"25P02", AGAIN, false, NULL, NULL},
    {"25P03", AGAIN, true, NULL, NULL},
    {"25P04", AGAIN, true, NULL, NULL},
    {"57P05", AGAIN, true, NULL, NULL},
    {"26000", AGAIN, false, NULL, NULL},
    {"42P05", AGAIN, false, NULL, NULL},
    {"0A000", AGAIN, false, NULL, "cached plan must not change result type"},
    {"0A000", KEEP, false, NULL, NULL},
    {"23505", AGAIN, false, "chat_exchanges_pkey", NULL},
    {"23505", REFUSE, false, "other", NULL},
    {"22000", REFUSE, false, NULL, NULL},
    {"22001", REFUSE, false, NULL, NULL},
    {"22003", REFUSE, false, NULL, NULL},
    {"22008", REFUSE, false, NULL, NULL},
    {"22021", REFUSE, false, NULL, NULL},
    {"22023", REFUSE, false, NULL, NULL},
    {"22P02", REFUSE, false, NULL, NULL},
    {"22P05", REFUSE, false, NULL, NULL},
    {"21000", REFUSE, false, NULL, NULL},
    {"54000", REFUSE, false, NULL, NULL},
    {"54001", REFUSE, false, NULL, NULL},
    {"23000", REFUSE, false, NULL, NULL},
    {"23502", REFUSE, false, NULL, NULL},
    {"23503", REFUSE, false, "other", NULL},
    {"23514", REFUSE, false, "other", NULL},
    {"23514", KEEP, false, NULL, NULL},
    {"23P01", REFUSE, false, NULL, NULL},
    {"P0001", REFUSE, false, NULL, NULL},
    {"P0004", REFUSE, false, NULL, NULL},
    {"28000", KEEP, true, NULL, NULL},
    {"28P01", KEEP, true, NULL, NULL},
    {"3D000", KEEP, true, NULL, NULL},
    {"3F000", KEEP, false, NULL, NULL},
    {"42P01", KEEP, false, NULL, NULL},
    {"42703", KEEP, false, NULL, NULL},
    {"42883", KEEP, false, NULL, NULL},
    {"42804", KEEP, false, NULL, NULL},
    {"42601", KEEP, false, NULL, NULL},
    {"42501", KEEP, false, NULL, NULL},
    {"55000", KEEP, false, NULL, NULL},
    {"57P04", KEEP, true, NULL, NULL},
    {"58000", KEEP, false, NULL, NULL},
    {"58030", KEEP, false, NULL, NULL},
    {"58P01", KEEP, false, NULL, NULL},
    {"XX000", KEEP, false, NULL, NULL},
    {"XX001", KEEP, false, NULL, NULL},
    {"XX002", KEEP, false, NULL, NULL},
    {"72000", KEEP, false, NULL, NULL},
    {"99999", KEEP, false, NULL, NULL},
    {"F0000", KEEP, false, NULL, NULL},
    {"HV000", KEEP, false, NULL, NULL},
};

static const char *const step_names[] = {
    [FAKE_CONNECT] = "connect", [FAKE_BEGIN] = "begin", [FAKE_SAVE] = "save",
    [FAKE_COMMIT] = "commit",   [FAKE_SYNC] = "sync",   [FAKE_LOOKUP] = "lookup"};

/* One case, by its number: rule, step, once or for ever, journal, and whether COMMIT is done. */
typedef struct trial {
    const rule *rule;
    fake_step step;
    bool forever;
    bool journaled;
    bool commits;
    action wanted; /* at this step */
    fake_server *store;
    witness *lines;
    fault_turn turn;
    char journal[128];
    checker_findings *findings;
    conv_client *client;
} trial;

static const long cases = (long)(sizeof rules / sizeof rules[0]) * 6 * 2 * 2 * 2;

static void say(trial *self, long *counter, const char *what, const conv_error *error)
{
    (*counter)++;
    fprintf(stderr, "violation: %s%s at %s%s%s%s: %s (%d hits; %s [%s] recovery %d%s)\n",
            self->rule->sqlstate, self->rule->fatal ? " fatal" : "", step_names[self->step],
            self->commits ? ", committed" : "", self->forever ? ", for ever" : ", once",
            self->journaled ? ", journal" : "", what, fake_hits(self->store), error->message,
            conv_status_name(error->status), (int)error->recovery,
            error->outcome_unknown ? ", unknown" : "");
}

static bool is_stored(const trial *self)
{
    char id[FAULT_ID_SIZE];
    fault_turn_id(self->turn.turn, id);
    return fake_has(self->store, conv_uuid_ensure(conv_text(id)));
}

static conv_status save(trial *self, conv_error *error)
{
    return witness_save(self->lines, self->client, &self->turn, TIMEOUT_MS, error);
}

/* How often the step is reached when all tries fail; 0: not said. */
static int wanted_hits(const trial *self)
{
    bool contention =
        strcmp(self->rule->sqlstate, "40001") == 0 || strcmp(self->rule->sqlstate, "40P01") == 0;
    if (self->journaled || self->step == FAKE_LOOKUP || self->wanted == PAUSE) return 0;
    if (self->wanted != AGAIN || !self->forever) return 1;
    return contention ? CONTENTION_TRIES : AGAIN_TRIES;
}

static void check_failure(trial *self, const conv_error *error)
{
    long *wrong = &self->findings->wrong;
    conv_recovery recovery = error->recovery;
    bool may_be_stored = self->step == FAKE_SYNC || self->commits;
    if (may_be_stored && !error->outcome_unknown)
        say(self, wrong, "said to be refused, and may be stored", error);
    if (self->wanted == KEEP && recovery != CONV_RECOVERY_WAIT &&
        recovery != CONV_RECOVERY_OPERATOR)
        say(self, wrong, "not said to need a wait or a person", error);
    if (self->wanted == REFUSE && recovery != CONV_RECOVERY_REJECT)
        say(self, wrong, "not said to be refused for good", error);
    if (self->wanted == REFUSE && !may_be_stored && is_stored(self))
        say(self, wrong, "refused and stored", error);
    if (strcmp(error->sqlstate, self->rule->sqlstate) != 0 && self->wanted != PAUSE)
        say(self, wrong, "the sqlstate is not told", error);
}

static bool should_succeed(const trial *self)
{
    if (self->wanted == AGAIN || self->wanted == PAUSE) return !self->forever || self->journaled;
    return self->journaled && (self->wanted == KEEP || self->step == FAKE_SYNC || self->commits);
}

static void judge(trial *self, conv_status status, const conv_error *error)
{
    long *wrong = &self->findings->wrong;
    int hits = fake_hits(self->store);
    int tries = wanted_hits(self);
    if (self->step == FAKE_LOOKUP && self->wanted != AGAIN && self->wanted != PAUSE) return;
    if ((status == CONV_OK) != should_succeed(self))
        say(self, wrong, status == CONV_OK ? "it succeeded" : "it failed", error);
    if (status != CONV_OK) check_failure(self, error);
    if (hits == 0) say(self, wrong, "the step never came", error);
    if (tries > 0 && hits != tries) say(self, wrong, "another number of tries", error);
    if (self->wanted == PAUSE && self->forever && hits < 3)
        say(self, wrong, "too few tries", error);
}

/* The fault is over: what was not refused gets there, by a repeat or by the journal. */
static void settle(trial *self, conv_status status)
{
    conv_error error = CONV_ERROR_INIT;
    bool refused = self->wanted == REFUSE && status != CONV_OK && self->step != FAKE_SYNC &&
                   self->step != FAKE_LOOKUP && !self->commits;
    fake_set(self->store, &(fake_plan){.step = FAKE_NEVER});
    if (status != CONV_OK && !refused && save(self, &error) != CONV_OK)
        say(self, &self->findings->wrong, "the repeat failed", &error);
    if (conv_client_close(self->client, 5000, &error) != CONV_OK)
        say(self, &self->findings->wrong, "the journal did not drain", &error);
    if (refused && is_stored(self))
        say(self, &self->findings->wrong, "refused and stored later", &error);
    if (!refused && !is_stored(self))
        say(self, &self->findings->lost, "acknowledged and not stored", &error);
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
    self->client = caller_open(&params);
    if (self->step == FAKE_LOOKUP && save(self, &error) != CONV_OK)
        say(self, &self->findings->wrong, "the first save failed", &error);
    fake_set(self->store, &plan);
    if (self->step == FAKE_CONNECT) {
        fake_drop(self->store);
        usleep(2000);
    }
    conv_status status = save(self, &error);
    judge(self, status, &error);
    settle(self, status);
    self->findings->calls++;
}

/* False: there is no such case. */
static bool make_case(long number, trial *made)
{
    made->rule = &rules[number / 48];
    made->step = (fake_step)(FAKE_CONNECT + number / 8 % 6);
    made->forever = number / 4 % 2 == 1;
    made->journaled = number / 2 % 2 == 1;
    made->commits = number % 2 == 1;
    made->turn = (fault_turn){.session = (uint64_t)number, .turn = (uint64_t)number};
    made->wanted = made->rule->wanted;
    /* Nothing of the data was sent: it can't be at fault. */
    if (made->wanted == REFUSE && (made->step == FAKE_CONNECT || made->step == FAKE_BEGIN))
        made->wanted = KEEP;
    /* What libpq tells of a refused connection holds neither a constraint nor more than text. */
    if (made->step == FAKE_CONNECT &&
        (made->rule->constraint != NULL || made->rule->message != NULL))
        made->wanted = KEEP;
    /* Only the end of a connection leaves it open whether COMMIT was done. */
    return !made->commits || (made->step == FAKE_COMMIT && made->rule->fatal);
}

typedef struct worker {
    const campaign *run;
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
    for (long number; (number = atomic_fetch_add(self->next, self->run->trials)) < cases;) {
        trial one = {.store = store, .lines = self->lines, .findings = &self->findings};
        snprintf(one.journal, sizeof one.journal, "%s/journal-%d.db", self->run->folder,
                 self->number);
        if (make_case(number, &one)) try_one(&one);
    }
    fake_stop(store);
    return NULL;
}

int main(int argc, char **argv)
{
    campaign run = campaign_begin(argc, argv, (long[]){17, 1, 1});
    worker workers[THREADS];
    atomic_long next = 0;
    checker_findings sum = {0};
    witness *lines = witness_open(run.lines);
    atomic_store(&next, (long)(run.seed % (uint64_t)run.trials));
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){.run = &run, .lines = lines, .next = &next, .number = i};
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) return 99;
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        sum.calls += workers[i].findings.calls;
        sum.wrong += workers[i].findings.wrong;
        sum.lost += workers[i].findings.lost;
    }
    witness_close(lines);
    sum.late = witness_late(run.lines);
    campaign_report(&run, "every SQLSTATE at every step", sum.calls, &sum);
    return campaign_end(&run);
}
