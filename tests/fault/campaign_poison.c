/* One exchange among 1,000 that the server refuses, for each SQLSTATE of class 22 and the other
 * codes that reject data: the 999 others are stored. Where a caller waits, it hears of it; where
 * there is a journal, it becomes a dead letter, too. And one that a person must mend first: it
 * waits with its session, the others are stored meanwhile. The same of tracked usage records,
 * without a journal and with one. But for the long tier all codes are only tried of exchanges with
 * a journal, and of the others some, which the seed shifts. `--trials N`: every N-th code. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conversation/tracking.h"
#include "fault/caller.h"
#include "fault/proxy.h"
#include "fault/report.h"
#include "fault/server.h"
#include "fault/sqlstates.h"

enum {
    EXCHANGES = 1000,
    THREADS = 40,
    SESSIONS = THREADS,
    TIMEOUT_MS = 20000,
    POISON_VARIANT = 6,
    RARER = 32,
    WAIT_SECONDS = 60
};

/* What a person must mend: a right, a state, the server's inside, an extension's own. */
static const char *const to_mend[] = {"42501", "55000", "XX000", "ZZ001"};

typedef struct poisoning {
    campaign run;
    witness *lines;
    conv_client *client;
    uint64_t poison; /* which turn */
    long refused;    /* calls; only by one thread */
    const char *code;
} poisoning;

typedef struct share {
    poisoning *owner;
    pthread_t thread;
    uint64_t first;
    long refused;
    long wrong;
} share;

static void *save_share(void *context)
{
    share *self = context;
    poisoning *owner = self->owner;
    for (uint64_t i = self->first; i < EXCHANGES; i += THREADS) {
        conv_error error;
        fault_turn turn = {
            .session = i % SESSIONS, .turn = i, .variant = i == owner->poison ? POISON_VARIANT : 0};
        conv_status status = witness_save(owner->lines, owner->client, &turn, TIMEOUT_MS, &error);
        if (status == CONV_OK) continue;
        self->refused++;
        if (i != owner->poison || status != CONV_BAD_DATA ||
            error.recovery != CONV_RECOVERY_REJECT || strcmp(error.sqlstate, owner->code) != 0)
            self->wrong++;
    }
    return NULL;
}

static long save_all(poisoning *self)
{
    share shares[THREADS];
    long wrong = 0;
    self->refused = 0;
    for (uint64_t i = 0; i < THREADS; i++) {
        shares[i] = (share){.owner = self, .first = i};
        if (pthread_create(&shares[i].thread, NULL, save_share, &shares[i]) != 0) abort();
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(shares[i].thread, NULL);
        self->refused += shares[i].refused;
        wrong += shares[i].wrong;
    }
    return wrong;
}

/* With the store away meanwhile, if they are to be drained. */
static long save_all_through(poisoning *self, proxy *between, bool drained)
{
    proxy_refuse(between, drained);
    if (drained) proxy_cut_all(between);
    long wrong = save_all(self);
    proxy_refuse(between, false);
    return wrong;
}

static void set_trigger(const poisoning *self, server *store, const char *table, const char *column)
{
    char sql[512];
    snprintf(
        sql, sizeof sql,
        "CREATE OR REPLACE FUNCTION fault_poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF NEW.%s LIKE 's%% v%d b%%' THEN RAISE EXCEPTION USING ERRCODE = '%s', MESSAGE ="
        " 'poison', CONSTRAINT = 'fault_check'; END IF; RETURN NEW; END $$;"
        "CREATE OR REPLACE TRIGGER fault_poison BEFORE INSERT ON %s FOR EACH ROW"
        " EXECUTE FUNCTION fault_poison()",
        column, POISON_VARIANT, self->code, table);
    if (!server_execute(server_url(store), sql)) exit(99);
}

static void set_poison(poisoning *self, server *store)
{
    set_trigger(self, store, "chat_messages", "content");
    self->poison = fault_random(&self->run.random) % EXCHANGES;
}

typedef enum way {
    DIRECT,
    DIRECT_WITH_JOURNAL,
    DRAINED, /* the proxy refuses, so all goes into the journal and from there */
    TRACKED,
    TRACKED_WITH_JOURNAL,
    WAYS
} way;

static checker_findings try_one(poisoning *self, server *store, proxy *between, way taken)
{
    bool journaled = taken != DIRECT;
    bool drained = taken == DRAINED;
    caller_params params = {.store = proxy_url(between),
                            .journal = journaled ? self->run.journal : NULL,
                            .connections = 4,
                            .timeout_ms = TIMEOUT_MS};
    const char *journals[] = {self->run.journal};
    checker_params check = {.lines = self->run.lines,
                            .store = server_url(store),
                            .journals = journals,
                            .journal_count = journaled ? 1 : 0,
                            .drained = true,
                            .dead = journaled ? 1 : 0};
    set_poison(self, store);
    self->lines = witness_open(self->run.lines);
    self->client = caller_open(self->lines, &params);
    long wrong = save_all_through(self, between, drained);
    caller_end(self->lines, self->client);
    witness_close(self->lines);
    checker_findings findings = checker_run(&check);
    if (wrong > 0 || self->refused != (drained ? 0 : 1) || findings.stored != EXCHANGES - 1) {
        fprintf(stderr, "violation: %s: %ld refused, %ld otherwise than documented, %ld stored\n",
                self->code, self->refused, wrong, findings.stored);
        findings.wrong++;
    }
    server_empty(server_url(store));
    campaign_clear(&self->run);
    return findings;
}

static bool await_stored(server *store, long least)
{
    for (int i = 0; i < WAIT_SECONDS * 50; i++) {
        if (server_number(server_url(store), "SELECT count(*) FROM chat_exchanges") >= least)
            return true;
        usleep(20000);
    }
    return false;
}

/* Drained: those behind it in its session are in the journal together with it. */
static checker_findings mend_one(poisoning *self, server *store, proxy *between, bool drained)
{
    caller_params params = {.store = proxy_url(between),
                            .journal = self->run.journal,
                            .connections = 4,
                            .timeout_ms = TIMEOUT_MS};
    const char *journals[] = {self->run.journal};
    checker_params check = {.lines = self->run.lines,
                            .store = server_url(store),
                            .journals = journals,
                            .journal_count = 1,
                            .drained = true};
    set_poison(self, store);
    self->lines = witness_open(self->run.lines);
    self->client = caller_open(self->lines, &params);
    long wrong = save_all_through(self, between, drained);
    bool others = await_stored(store, EXCHANGES - EXCHANGES / SESSIONS);
    if (!server_execute(server_url(store), "DROP TRIGGER fault_poison ON chat_messages")) exit(99);
    bool all = await_stored(store, EXCHANGES);
    caller_end(self->lines, self->client);
    witness_close(self->lines);
    checker_findings findings = checker_run(&check);
    if (wrong > 0 || self->refused > 0 || !others || !all) {
        fprintf(stderr, "violation: %s: %ld refused, the others %s, it %s after the mending\n",
                self->code, self->refused, others ? "were stored" : "were held up",
                all ? "came" : "did not come");
        findings.wrong++;
    }
    server_empty(server_url(store));
    campaign_clear(&self->run);
    return findings;
}

static void mend_all(poisoning *self, server *store, proxy *between)
{
    static const char *const names[] = {"one row among 1,000 that a person must mend",
                                        "one row among 1,000 that a person must mend, drained"};
    for (int drained = 0; drained < 2; drained++) {
        checker_findings sum = {0};
        long trials = 0;
        for (size_t i = 0; i < sizeof to_mend / sizeof to_mend[0]; i++) {
            trials++;
            self->code = to_mend[i];
            checker_findings one = mend_one(self, store, between, drained != 0);
            checker_add(&sum, &one);
            if (one.wrong > 0) break; /* the others would wait as long as this one */
        }
        campaign_report(&self->run, names[drained], trials, &sum);
    }
}

/* How a flush of the records must end that has tried them all. */
static bool is_flushed(const poisoning *self, conv_recovery recovery, size_t waiting)
{
    size_t pending = 0;
    conv_error error = CONV_ERROR_INIT;
    conv_status status = witness_flush_all(self->lines, self->client, TIMEOUT_MS, &pending, &error);
    bool refused = recovery != CONV_RECOVERY_NONE;
    return pending == waiting && (status != CONV_OK) == refused && error.recovery == recovery &&
           (!refused || strcmp(error.sqlstate, self->code) == 0);
}

/* Tracks the records; true when as many are stored, and told, as should be. With `mended` the
 * trigger is taken away at last. */
static bool track_all(poisoning *self, server *store, bool journaled, bool mended)
{
    bool right = true;
    for (uint64_t i = 0; i < EXCHANGES; i++) {
        fault_turn turn = {
            .session = i % SESSIONS, .turn = i, .variant = i == self->poison ? POISON_VARIANT : 0};
        if (witness_track(self->lines, self->client, &turn, journaled, NULL) != CONV_OK)
            right = false;
    }
    if (journaled)
        right = is_flushed(self, CONV_RECOVERY_NONE, 0) && right;
    else if (mended)
        right = is_flushed(self, CONV_RECOVERY_OPERATOR, 1) && right;
    else
        right = is_flushed(self, CONV_RECOVERY_REJECT, 0) && right;
    if (server_number(server_url(store), "SELECT count(*) FROM usage_logs") != EXCHANGES - 1)
        right = false;
    if (!server_execute(server_url(store), "DROP TRIGGER fault_poison ON usage_logs")) exit(99);
    return (!mended || is_flushed(self, CONV_RECOVERY_NONE, 0)) && right;
}

static checker_findings track_one(poisoning *self, server *store, bool journaled, bool mended)
{
    caller_params params = {.store = server_url(store),
                            .journal = journaled ? self->run.journal : NULL,
                            .connections = 4,
                            .timeout_ms = TIMEOUT_MS};
    const char *journals[] = {self->run.journal};
    checker_params check = {.lines = self->run.lines,
                            .store = server_url(store),
                            .journals = journals,
                            .journal_count = journaled ? 1 : 0,
                            .drained = true,
                            .dead = journaled ? 1 : 0};
    set_trigger(self, store, "usage_logs", "operation");
    self->poison = fault_random(&self->run.random) % EXCHANGES;
    self->lines = witness_open(self->run.lines);
    self->client = caller_open(self->lines, &params);
    bool right = track_all(self, store, journaled, mended);
    caller_end(self->lines, self->client);
    witness_close(self->lines);
    checker_findings findings = checker_run(&check);
    if (!right || findings.stored != (mended ? EXCHANGES : EXCHANGES - 1)) {
        fprintf(stderr,
                "violation: %s: records were flushed otherwise than documented, %ld stored\n",
                self->code, findings.stored);
        findings.wrong++;
    }
    server_empty(server_url(store));
    campaign_clear(&self->run);
    return findings;
}

/* Each n-th code. */
static void try_codes(poisoning *self, server *store, proxy *between, way taken, long each)
{
    static const char *const names[WAYS] = {
        [DIRECT] = "one poison row among 1,000",
        [DIRECT_WITH_JOURNAL] = "one poison row among 1,000, journal",
        [DRAINED] = "one poison row among 1,000, drained",
        [TRACKED] = "one poison row among 1,000 usage records",
        [TRACKED_WITH_JOURNAL] = "one poison row among 1,000 usage records, journal"};
    checker_findings sum = {0};
    long trials = 0;
    uint64_t count = 0;
    while (sqlstate_refused(count) != NULL)
        count++;
    uint64_t stride = (uint64_t)each;
    for (uint64_t i = self->run.seed % (stride < count ? stride : count); i < count; i += stride) {
        self->code = sqlstate_refused(i);
        trials++;
        checker_findings one = taken < TRACKED
                                   ? try_one(self, store, between, taken)
                                   : track_one(self, store, taken == TRACKED_WITH_JOURNAL, false);
        checker_add(&sum, &one);
    }
    campaign_report_some(&self->run, names[taken], each, "code", trials, &sum);
}

static void mend_records(poisoning *self, server *store)
{
    checker_findings sum = {0};
    long trials = 0;
    for (size_t i = 0; i < sizeof to_mend / sizeof to_mend[0]; i++, trials++) {
        self->code = to_mend[i];
        checker_findings one = track_one(self, store, false, true);
        checker_add(&sum, &one);
    }
    campaign_report(&self->run, "one row among 1,000 usage records that a person must mend", trials,
                    &sum);
}

int main(int argc, char **argv)
{
    poisoning self = {.run = campaign_begin(argc, argv, (long[]){20, 1, 1})};
    server *store = server_start();
    proxy *between = proxy_start(server_folder(store));
    for (way taken = DIRECT; taken < WAYS; taken++) {
        long rarer = taken == DIRECT_WITH_JOURNAL ? 1 : RARER;
        try_codes(&self, store, between, taken, campaign_each(&self.run, rarer));
    }
    mend_all(&self, store, between);
    mend_records(&self, store);
    proxy_stop(between);
    server_remove(store);
    return campaign_end(&self.run);
}
