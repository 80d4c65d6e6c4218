/* The client's process is killed (SIGKILL): at random instants under load, and at every system call
 * of opening, draining, saving and tracking. The next process opens the same journal and goes on.
 */
#include <fcntl.h>
#include <libpq-fe.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault/caller.h"
#include "fault/checker.h"
#include "fault/load.h"
#include "fault/report.h"
#include "fault/server.h"

/* While the store is held, a life is long enough for exchanges to go into the journal, which the
 * next one drains. */
enum { THREADS = 4, TIMEOUT_MS = 400, LIFE_TIMEOUT_MS = 40, LONGEST_LIFE_MS = 300 };
enum { SESSIONS = 10000000, WAITING = 2, LONGEST_OPENING_MS = 10000 };
enum { TIDY_EVERY = 16, ENDED_AT_LAST = 16 };

/* A store, and how to keep it from taking anything for a while. */
typedef struct target {
    const char *url;
    const char *file; /* of SQLite, or NULL */
    PGconn *blocker;
    int descriptor;
} target;

static void die(const char *what)
{
    perror(what);
    exit(99);
}

static void block(target *self)
{
    char name[128];
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (self->file == NULL) {
        self->blocker = PQconnectdb(self->url);
        PQclear(PQexec(self->blocker, "BEGIN; LOCK TABLE chat_exchanges IN EXCLUSIVE MODE"));
        return;
    }
    snprintf(name, sizeof name, "%s-lock", self->file);
    self->descriptor = open(name, O_RDWR | O_CLOEXEC);
    if (self->descriptor < 0 || fcntl(self->descriptor, F_OFD_SETLKW, &range) != 0) die(name);
}

static void release(target *self)
{
    PQfinish(self->blocker);
    if (self->descriptor >= 0) close(self->descriptor);
    self->blocker = NULL;
    self->descriptor = -1;
}

static conv_client *open_client(const campaign *run, const target *store, witness *lines,
                                int64_t timeout_ms)
{
    caller_params params = {
        .store = store->url, .journal = run->journal, .connections = 2, .timeout_ms = timeout_ms};
    return caller_open(lines, &params);
}

/* Whether the life under way has its client; shared with it. */
static atomic_bool *opened;

/* Saves and tracks until it is killed. */
static _Noreturn void live(const campaign *run, const target *store, uint64_t first_session)
{
    witness *lines = witness_open(run->lines);
    conv_client *client = open_client(run, store, lines, LIFE_TIMEOUT_MS);
    atomic_store(opened, true);
    load_start(lines, client,
               &(load_params){.threads = THREADS,
                              .first_session = first_session,
                              .timeout_ms = LIFE_TIMEOUT_MS,
                              .journaled = true});
    for (uint64_t i = 0;; i++) {
        fault_turn turn = {.session = first_session + SESSIONS / 2, .turn = i};
        (void)!witness_track(lines, client, &turn, true, NULL);
        usleep(2000);
    }
}

/* By a client that nobody kills. */
static void drain(const campaign *run, const target *store)
{
    witness *lines = witness_open(run->lines);
    caller_end(lines, open_client(run, store, lines, TIMEOUT_MS));
    witness_close(lines);
}

static checker_findings judge(const campaign *run, const target *store)
{
    drain(run, store);
    const char *journals[] = {run->journal};
    checker_params params = {.lines = run->lines,
                             .file = store->file,
                             .store = store->url,
                             .journals = journals,
                             .journal_count = 1,
                             .drained = true};
    return checker_run(&params);
}

/* A campaign in which nothing was drained has not tried it; a few lives may be too few. */
static void require_waiting(campaign *run, const checker_findings *findings)
{
    if (findings->journaled_exchanges > 0 || run->tier == CAMPAIGN_QUICK) return;
    fprintf(stderr, "violation: no exchange came by the journal\n");
    run->violations++;
}

static void await_client(void)
{
    for (int ms = 0; ms < LONGEST_OPENING_MS && !atomic_load(opened); ms++)
        usleep(1000);
}

static void kill_at_random(campaign *run, target *store, const char *name)
{
    for (long trial = 0; trial < run->trials; trial++) {
        bool away = trial % 3 == 2;
        atomic_store(opened, false);
        pid_t child = fork();
        if (child < 0) die("fork");
        if (child == 0) live(run, store, (uint64_t)(trial + 1) * SESSIONS);
        if (trial % 4 != 0) await_client(); /* else the opening may be what is killed */
        usleep((useconds_t)(fault_random(&run->random) % (LONGEST_LIFE_MS * 500)));
        if (away) block(store);
        usleep((useconds_t)(fault_random(&run->random) % (LONGEST_LIFE_MS * 500)));
        kill(child, SIGKILL);
        int status = 0;
        if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status)) {
            fprintf(stderr, "violation: a life ended by itself, with status %d\n", status);
            run->violations++;
        }
        release(store);
    }
    checker_findings findings = judge(run, store);
    require_waiting(run, &findings);
    campaign_report(run, name, run->trials, &findings);
}

/* What waits in the journal for the process that is killed. */
static void leave_waiting(const campaign *run, target *store, uint64_t session)
{
    pid_t child = fork();
    if (child < 0) die("fork");
    if (child == 0) {
        witness *lines = witness_open(run->lines);
        conv_client *client = open_client(run, store, lines, LIFE_TIMEOUT_MS);
        block(store); /* until the process ends */
        for (fault_turn turn = {.session = session}; turn.turn < WAITING; turn.turn++)
            (void)!witness_save(lines, client, &turn, LIFE_TIMEOUT_MS, NULL);
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

/* The drain of what an earlier one left, and one of everything. */
static _Noreturn void act(const campaign *run, const target *store, uint64_t session)
{
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    witness *lines = witness_open(run->lines);
    fault_turn turn = {.session = session};
    fault_provider();
    raise(SIGUSR1); /* from here on it is counted */
    conv_client *client = open_client(run, store, lines, TIMEOUT_MS);
    (void)!witness_track(lines, client, &turn, true, NULL);
    (void)!witness_save(lines, client, &turn, TIMEOUT_MS, NULL);
    (void)!witness_flush(lines, client, &turn, TIMEOUT_MS, NULL);
    for (turn.turn++; turn.turn < 5; turn.turn++)
        (void)!caller_save(lines, client, caller_way(&turn), &turn, TIMEOUT_MS, 1);
    (void)!witness_shut(lines, client, 5000, NULL);
    _exit(0);
}

/* Kills the traced process when it begins its system call `wanted`; false if it came to its end. */
static bool trace(pid_t child, long wanted)
{
    int status = 0;
    long calls = 0;
    bool counting = false;
    const long options = PTRACE_O_TRACECLONE | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
    waitpid(child, &status, 0);
    ptrace(PTRACE_SETOPTIONS, child, NULL, options);
    ptrace(PTRACE_SYSCALL, child, NULL, NULL);
    for (;;) {
        long signal = 0;
        pid_t stopped = waitpid(-1, &status, __WALL);
        if (stopped < 0) return false;
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (stopped == child) return false;
            continue;
        }
        int reason = WSTOPSIG(status);
        if (reason == (SIGTRAP | 0x80)) {
            if (counting && ++calls >= wanted) break;
        } else if (reason == SIGUSR1) {
            counting = true;
        } else if (reason != SIGSTOP && reason != SIGTRAP) {
            signal = reason;
        }
        ptrace(PTRACE_SYSCALL, stopped, NULL, signal);
    }
    kill(child, SIGKILL);
    while (waitpid(-1, &status, __WALL) != child || !(WIFEXITED(status) || WIFSIGNALED(status)))
        continue;
    return true;
}

/* `step`: each so many stops are tried; a system call has two, before and after. Where threads
 * meet, a run has fewer than the one before: only several that come to their end are the end. */
static void kill_at_calls(campaign *run, target *store, long step)
{
    long trials = 0;
    int ended = 0;
    long wanted = 1 + (long)(run->seed % (uint64_t)step);
    for (; ended < ENDED_AT_LAST; wanted += step) {
        leave_waiting(run, store, SESSIONS + (uint64_t)wanted);
        pid_t child = fork();
        if (child < 0) die("fork");
        if (child == 0) act(run, store, (uint64_t)wanted);
        bool killed = trace(child, wanted);
        ended = killed ? 0 : ended + 1;
        /* Else what the killed ones left would grow, and with it the way to the next call. */
        if (killed && ++trials % TIDY_EVERY == 0) drain(run, store);
    }
    checker_findings findings = judge(run, store);
    require_waiting(run, &findings);
    campaign_report_some(run, "client killed at each system call, SQLite", step, "stop", trials,
                         &findings);
}

static void make_store(const char *url)
{
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    conv_client *client = NULL;
    params.store = url;
    if (conv_client_open(&params, &client, NULL) != CONV_OK) die(url);
    conv_client_close(client, 1000, NULL);
}

int main(int argc, char **argv)
{
    campaign run = campaign_begin(argc, argv, (long[]){12, 150, 5000});
    char file[96];
    char url[128];
    opened = campaign_share(sizeof *opened);
    const long steps[] = {[CAMPAIGN_QUICK] = 46, [CAMPAIGN_SHORT] = 45, [CAMPAIGN_LONG] = 1};
    snprintf(file, sizeof file, "%s/store.db", run.folder);
    snprintf(url, sizeof url, "sqlite:%s", file);
    target embedded = {.url = url, .file = file, .descriptor = -1};
    make_store(url);
    kill_at_random(&run, &embedded, "client killed at a random instant, SQLite");
    campaign_clear(&run);
    make_store(url);
    kill_at_calls(&run, &embedded, steps[run.tier]);
    campaign_clear(&run);
    /* The server is a child too, and would be waited for: the traced part comes first. */
    server *remote = server_start();
    target postgres = {.url = server_url(remote), .descriptor = -1};
    kill_at_random(&run, &postgres, "client killed at a random instant, PostgreSQL");
    server_remove(remote);
    return campaign_end(&run);
}
