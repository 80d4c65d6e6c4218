/* Every write, sync, truncation and renaming of the journal's files fails, once and for ever, while
 * it takes in, while it is drained, and while a damaged one is rescued. What is acknowledged all
 * the same must be in the images that a power cut leaves behind the last acknowledgement and behind
 * the closing, and the next process brings all that the files hold to the store, whole and once. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "fault/checker.h"
#include "fault/disk.h"
#include "fault/image.h"
#include "fault/report.h"
#include "fault/sqlite_file.h"
#include "fault/witness.h"
#include "fault/worker.h"
#include "support/folder.h"

/* In twelve turns each kind of call meets each kind of message; in the four of the shorter tiers
 * there is one of each kind, and in the two that are drained or rescued there. */
enum { TURNS = 12, FEWER_TURNS = 4, FEWEST_TURNS = 2 };
enum { TIMEOUT_MS = 20, TURN_MS = 1000, HEALTHY_MS = 10000, PATH_SIZE = 128 };
enum { DRAIN_MS = 100, MOST_DEATHS = 8 };

/* What the process does with the journal that meets the fault. */
typedef struct part {
    const char *name;
    bool drains; /* what an earlier one has left, instead of taking in */
    bool damaged;
} part;

enum { PARTS = 3 };

static const part parts[PARTS] = {
    {.name = "journal I/O fails"},
    {.name = "journal I/O fails in the drain", .drains = true},
    {.name = "journal I/O fails in a rescue", .drains = true, .damaged = true},
};

/* A store, and what there was before the first trial. */
typedef struct target {
    char path[PATH_SIZE];
    char empty[PATH_SIZE];
    char kept[PATH_SIZE]; /* how a journal begins that is to be drained, and its witness's lines */
    char kept_lines[PATH_SIZE];
} target;

/* A part, and what it works on. */
typedef struct tried {
    campaign *run;
    const part *part;
    target store;
    char folder[PATH_SIZE]; /* the journal's */
    char copy[PATH_SIZE];   /* of the journal, as a power cut leaves it */
    worker worker;
    int deaths;
} tried;

/* What the worker is told: which call fails, and how. */
typedef struct order {
    long first;
    bool for_ever;
    disk_fault fault;
} order;

/* What the process that meets the fault says, in memory that outlives it. */
typedef struct outcome {
    bool acknowledged[TURNS];
    bool tracked[TURNS];
    bool failed_write; /* the first call that failed was a write */
    long failures;
    long lost;
    long wrong;
} outcome;

static outcome *shared;

/* Of the calls that fail first: for how many trials of a full disk they were no writes. */
enum { MOST_CALLS = 4096, FULL_TRIALS = 2 };
static char no_writes[MOST_CALLS];

static void die(const char *what)
{
    perror(what);
    exit(99);
}

/* So that the journal alone takes what is saved; until what it gives is closed. */
static int hold_store(const char *store)
{
    char name[PATH_SIZE + 8];
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    snprintf(name, sizeof name, "%s-lock", store);
    int descriptor = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0 || fcntl(descriptor, F_OFD_SETLK, &range) != 0) die(name);
    return descriptor;
}

static conv_status open_client(const target *store, const char *journal, int64_t timeout_ms,
                               witness *lines, conv_client **client)
{
    char url[PATH_SIZE + 8];
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    snprintf(url, sizeof url, "sqlite:%s", store->path);
    params.store = url;
    params.schema = timeout_ms == TIMEOUT_MS ? CONV_SCHEMA_IGNORE : CONV_SCHEMA_DEFAULT;
    params.journal = journal;
    params.connections = 1; /* while the journal's disk fails the store is locked, or one drains */
    params.store_timeout_ms = timeout_ms;
    return witness_connect(lines, &params, client, NULL);
}

static void use_client(uint64_t turns, witness *lines, conv_client *client)
{
    for (uint64_t i = 0; i < turns; i++) {
        fault_turn turn = {.turn = i, .bytes = i % 4 == 0 ? 9000 : 100};
        conv_status status = CONV_OK;
        if (i % 3 == 0)
            shared->tracked[i] = witness_track(lines, client, &turn, true, NULL) == CONV_OK;
        if (i % 3 == 0 && i % 2 == 0) status = witness_flush(lines, client, NULL, TIMEOUT_MS, NULL);
        if (i % 2 == 0)
            status = witness_save(lines, client, &turn, TIMEOUT_MS, NULL);
        else
            status = witness_process(lines, client, &turn, TURN_MS, NULL);
        shared->acknowledged[i] = status == CONV_OK;
        if (status == CONV_OK) disk_mark();
    }
}

/* A later sync of a log may succeed without what a failed one lost, so nothing may be acknowledged
 * behind a failed sync until the log is begun anew. */
static long behind_failed_sync(const disk_operation *operations, size_t count)
{
    long found = 0;
    bool failed = false;
    bool behind = false; /* something was synced in the same log since */
    for (size_t i = 0; i < count; i++) {
        const disk_operation *one = &operations[i];
        if (one->what == DISK_MARK)
            found += behind;
        else if (strcmp(one->name, "-wal") != 0)
            continue;
        else if (one->what == DISK_FAILED_SYNC)
            failed = true;
        else if (one->what == DISK_SYNC)
            behind = failed;
        else if (one->what == DISK_TRUNCATE || one->what == DISK_REMOVE)
            failed = behind = false;
    }
    return found;
}

/* What a power cut leaves right behind the first `crash` calls. */
static void cut_power(const disk_operation *operations, size_t crash, const char *copy)
{
    image all = {0};
    image_found found;
    image_build(&all, operations, crash, NULL);
    image_write(&all, copy);
    image_read(copy, &found);
    for (int i = 0; i < TURNS; i++)
        shared->lost += shared->acknowledged[i] && !found.there[i];
    shared->wrong += found.wrong + found.half + found.doubled;
    files_remove(copy);
    image_free(&all);
}

static size_t behind_last_mark(const disk_operation *operations, size_t count)
{
    while (count > 0 && operations[count - 1].what != DISK_MARK)
        count--;
    return count;
}

/* The power is cut when all is acknowledged, and when all is closed. The spool of tracked records
 * promises to outlive the process, not the power: they are looked for in the files as they are. */
static void judge(const char *journal, const char *copy)
{
    size_t count = 0;
    image_found as_is;
    const disk_operation *operations = disk_recorded(&count);
    size_t marked = behind_last_mark(operations, count);
    disk_record("");
    if (marked > 0) cut_power(operations, marked, copy);
    cut_power(operations, count, copy);
    image_read(journal, &as_is);
    for (int i = 0; i < TURNS; i++) {
        shared->lost += shared->acknowledged[i] && !as_is.there[i];
        shared->lost += shared->tracked[i] && !as_is.tracked[i];
    }
    shared->wrong += as_is.wrong + behind_failed_sync(operations, count);
}

static void take_in(const campaign *run, const target *store, uint64_t turns)
{
    conv_client *client = NULL;
    witness *lines = witness_open(run->lines);
    if (open_client(store, run->journal, TIMEOUT_MS, lines, &client) == CONV_OK) {
        int lock = hold_store(store->path);
        use_client(run->tier == CAMPAIGN_LONG ? TURNS : turns, lines, client);
        (void)!witness_shut(lines, client, 0, NULL);
        close(lock);
    }
    witness_close(lines);
}

static void drain_what_waits(const campaign *run, const target *store)
{
    conv_client *client = NULL;
    witness *lines = witness_open(run->lines);
    if (open_client(store, run->journal, HEALTHY_MS, lines, &client) == CONV_OK) {
        (void)!witness_flush(lines, client, NULL, DRAIN_MS, NULL);
        (void)!witness_shut(lines, client, DRAIN_MS, NULL);
    }
    witness_close(lines);
}

static void meet_fault(const tried *self, const order *fails)
{
    const char *journal = self->run->journal;
    if (!self->part->drains) disk_record(journal);
    disk_fail(journal, fails->first, fails->for_ever, fails->fault);
    if (self->part->drains)
        drain_what_waits(self->run, &self->store);
    else
        take_in(self->run, &self->store, FEWER_TURNS);
    shared->failures = disk_failures();
    shared->failed_write = disk_failed_write();
    disk_fail(journal, 0, false, fails->fault);
    if (!self->part->drains) judge(journal, self->copy);
}

/* In the process that meets the faults, one after the other. */
static void meet_faults(void *context, int end)
{
    order next;
    const worker_holdings before = worker_hold();
    while (read(end, &next, sizeof next) == sizeof next) {
        meet_fault(context, &next);
        shared->wrong += worker_has_left(&before);
        if (write(end, "", 1) != 1) break;
    }
}

/* Everything is as it was before the first trial. */
static void restore(const tried *self)
{
    const target *store = &self->store;
    unlink(self->run->lines);
    files_remove(self->run->journal);
    files_remove(self->copy);
    files_remove(store->path);
    if (!files_copy(store->empty, store->path) || !files_copy(store->kept, self->run->journal) ||
        !files_copy(store->kept_lines, self->run->lines))
        die(store->path);
}

/* What the part begins with, made once, on a disk that is healthy still. */
static void prepare(const tried *self)
{
    const char *journal = self->run->journal;
    int status = 0;
    pid_t child = fork();
    if (child < 0) die("fork");
    if (child == 0) {
        take_in(self->run, &self->store, FEWEST_TURNS);
        _exit(0);
    }
    if (waitpid(child, &status, 0) != child || status != 0) die("preparing");
    if (self->part->damaged) sqlite_file_damage_journal(journal);
    if (!files_copy(journal, self->store.kept) ||
        !files_copy(self->run->lines, self->store.kept_lines))
        die(self->store.kept);
}

/* A disk that writes half and then nothing, not even a truncation, leaves a part of a record in the
 * spool. Nobody can tell it from one that was acknowledged and has rotted, so the next process
 * keeps it as a dead letter that can't be read. More of these than records that were refused are
 * wrong. */
static long count_torn(const campaign *run, const checker_findings *drained)
{
    size_t count = 0;
    long refused = 0;
    image_found kept;
    witness_line *lines = witness_read(run->lines, &count);
    for (size_t i = 0; i < count; i++)
        refused += lines[i].call == WITNESS_TRACK && lines[i].answer == WITNESS_REFUSED;
    free(lines);
    image_read(run->journal, &kept);
    long torn = kept.unreadable < drained->dead ? kept.unreadable : drained->dead;
    return torn < refused ? torn : refused;
}

static long count_letters(const campaign *run)
{
    return sqlite_file_number(run->journal, "SELECT count(*) FROM journal WHERE kind = 'dead'");
}

/* A process whose disk is healthy drains what the files hold, and the whole is judged. */
static checker_findings drain(const tried *self)
{
    const campaign *run = self->run;
    const target *store = &self->store;
    conv_client *client = NULL;
    witness *lines = witness_open(run->lines);
    conv_status status = open_client(store, run->journal, HEALTHY_MS, lines, &client);
    if (status == CONV_OK) status = witness_shut(lines, client, HEALTHY_MS, NULL);
    witness_close(lines);
    const char *journals[] = {run->journal};
    checker_params params = {.lines = run->lines,
                             .file = store->path,
                             .journals = journals,
                             .journal_count = 1,
                             .drained = true,
                             /* of the damage itself; what an exchange became is looked for */
                             .dead = self->part->damaged ? count_letters(run) : 0};
    checker_findings findings = checker_run(&params);
    if (status != CONV_OK) {
        fprintf(stderr, "violation: the next process ended with %s\n", conv_status_name(status));
        findings.wrong++;
    }
    return findings;
}

static void judge_drained(const tried *self, const order *fails, checker_findings *findings)
{
    checker_findings drained = drain(self);
    if (fails->fault == DISK_SHORT && fails->for_ever && drained.dead > 0)
        drained.wrong -= count_torn(self->run, &drained);
    if (shared->lost + shared->wrong > 0 || !checker_is_clean(&drained))
        fprintf(stderr,
                "violation: %ld lost, %ld wrong after a cut; %ld lost, %ld doubled, %ld"
                " half, %ld late, %ld wrong after the drain; at call %ld, fault %d, %s\n",
                shared->lost, shared->wrong, drained.lost, drained.doubled, drained.half,
                drained.late, drained.wrong, fails->first, (int)fails->fault,
                fails->for_ever ? "for ever" : "once");
    checker_add(findings, &drained);
    findings->lost += shared->lost;
    findings->wrong += shared->wrong;
}

/* Of a worker that has answered all, 0 is no violation. */
static void note_death(tried *self, long first, bool amid_trial, checker_findings *findings)
{
    int status = worker_end(&self->worker);
    if (status == 0 && !amid_trial) return;
    fprintf(stderr, "violation: the process ended with %d at call %ld\n", status, first);
    findings->wrong++;
}

/* False when the fault was not met any more, or the process dies again and again. */
static bool try_one(tried *self, order fails, checker_findings *findings)
{
    char done = 0;
    restore(self);
    memset(shared, 0, sizeof *shared);
    if (!worker_send(&self->worker, meet_faults, self, &fails, sizeof fails) ||
        read(self->worker.end, &done, 1) != 1) {
        note_death(self, fails.first, true, findings);
        return ++self->deaths < MOST_DEATHS;
    }
    judge_drained(self, &fails, findings);
    /* What such a trial may have left is no matter of the next one. */
    if (shared->wrong > 0) note_death(self, fails.first, false, findings);
    return shared->failures > 0;
}

/* Half a write differs from a full disk only where the call is a write. */
static bool is_other_than_full(const order *fails)
{
    return fails->fault != DISK_SHORT || fails->first > MOST_CALLS ||
           no_writes[fails->first - 1] < FULL_TRIALS;
}

static void try_all(tried *self, bool for_ever, disk_fault fault)
{
    static const char *const names[] = {"EIO", "ENOSPC", "short write"};
    checker_findings findings = {0};
    char name[96];
    long trials = 0;
    long each = self->run->trials;
    /* Of the calls each n-th; the seed says which. */
    order next = {1 + (long)(self->run->seed % (uint64_t)each), for_ever, fault};
    for (bool met = true; met; next.first += each) {
        if (!is_other_than_full(&next)) continue;
        met = try_one(self, next, &findings);
        if (shared->failures > 0 && fault == DISK_ENOSPC && next.first <= MOST_CALLS)
            no_writes[next.first - 1] += !shared->failed_write;
        trials += met;
    }
    note_death(self, next.first, false, &findings);
    snprintf(name, sizeof name, "%s: %s, %s", self->part->name, names[fault],
             for_ever ? "for ever" : "once");
    campaign_report_some(self->run, name, each, "call", trials, &findings);
}

static void meet_all(tried *self)
{
    restore(self);
    if (self->part->drains) prepare(self);
    for (int fault = DISK_EIO; fault <= DISK_SHORT; fault++) {
        try_all(self, false, (disk_fault)fault);
        try_all(self, true, (disk_fault)fault);
    }
}

/* The journal's folder is synced, too, so there is nothing else in it. */
static void name_files(tried *self)
{
    campaign *run = self->run;
    target *store = &self->store;
    snprintf(self->folder, sizeof self->folder, "%.63s-journal", run->folder);
    if (mkdir(self->folder, 0700) != 0) die(self->folder);
    snprintf(run->journal, sizeof run->journal, "%.80s/journal.db", self->folder);
    snprintf(self->copy, sizeof self->copy, "%.95s.copy", run->journal);
    snprintf(store->path, sizeof store->path, "%.80s-store.db", self->folder);
    snprintf(store->empty, sizeof store->empty, "%.63s/store.db", run->folder);
    snprintf(store->kept, sizeof store->kept, "%.63s/kept-journal", run->folder);
    snprintf(store->kept_lines, sizeof store->kept_lines, "%.63s/kept-lines", run->folder);
}

static void make_store(const campaign *run, const target *store)
{
    conv_client *client = NULL;
    witness *lines = witness_open(run->lines);
    if (open_client(store, NULL, HEALTHY_MS, lines, &client) != CONV_OK) die("opening the store");
    if (witness_shut(lines, client, HEALTHY_MS, NULL) != CONV_OK) die("closing the store");
    witness_close(lines);
    if (!files_copy(store->path, store->empty)) die(store->path);
}

static int run_part(int argc, char **argv, int i)
{
    campaign run = campaign_begin_in_memory(argc, argv, (long[]){24, 1, 1});
    tried self = {.run = &run, .part = &parts[i]};
    name_files(&self);
    shared = campaign_share(sizeof *shared);
    make_store(&run, &self.store);
    meet_all(&self);
    files_remove(run.journal);
    files_remove(self.store.path);
    rmdir(self.folder);
    conv_provider_free(fault_provider());
    return campaign_end(&run);
}

int main(int argc, char **argv)
{
    return campaign_run_parts(argc, argv, PARTS, 1, run_part);
}
