/* Every write, sync, truncation and renaming of the journal's files fails, once and for ever, while
 * it takes in, while it is drained, and while a damaged one is rescued. What is acknowledged all
 * the same must be in the image that a power cut leaves right afterwards, and the next process
 * brings all that the files hold to the store, whole and once. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "fault/checker.h"
#include "fault/disk.h"
#include "fault/image.h"
#include "fault/report.h"
#include "fault/sqlite_file.h"
#include "fault/witness.h"
#include "support/folder.h"

/* In twelve turns each kind of call meets each kind of message; in the four of the shorter tiers
 * there is one of each kind, and in the two that are drained or rescued there. */
enum { TURNS = 12, FEWER_TURNS = 4, FEWEST_TURNS = 2 };
enum { TIMEOUT_MS = 20, TURN_MS = 1000, HEALTHY_MS = 10000, PATH_SIZE = 128 };
enum { DRAIN_MS = 100 };

/* What the process does with the journal that meets the fault. */
typedef struct part {
    const char *name;
    bool drains; /* what an earlier one has left, instead of taking in */
    bool damaged;
} part;

/* A store, and what there was before the first trial. */
typedef struct target {
    char path[PATH_SIZE];
    char empty[PATH_SIZE];
    char kept[PATH_SIZE]; /* how a journal begins that is to be drained, and its witness's lines */
    char kept_lines[PATH_SIZE];
} target;

/* What the process that meets the fault says, in memory that outlives it. */
typedef struct outcome {
    bool acknowledged[TURNS];
    bool tracked[TURNS];
    bool finished;
    long failures;
    long lost;
    long wrong;
} outcome;

static outcome *shared;

static void die(const char *what)
{
    perror(what);
    exit(99);
}

/* So that the journal alone takes what is saved; until the process ends. */
static void hold_store(const char *store)
{
    char name[PATH_SIZE + 8];
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    snprintf(name, sizeof name, "%s-lock", store);
    int descriptor = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0 || fcntl(descriptor, F_OFD_SETLK, &range) != 0) die(name);
}

static conv_status open_client(const target *store, const char *journal, int64_t timeout_ms,
                               conv_client **client)
{
    char url[PATH_SIZE + 8];
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    snprintf(url, sizeof url, "sqlite:%s", store->path);
    params.store = url;
    params.schema = timeout_ms == TIMEOUT_MS ? CONV_SCHEMA_IGNORE : CONV_SCHEMA_DEFAULT;
    params.journal = journal;
    params.store_timeout_ms = timeout_ms;
    return conv_client_open(&params, client, NULL);
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

/* The spool of tracked records promises to outlive the process, not the power: they are looked for
 * in the files as they are. */
static void judge(const char *journal, const char *copy)
{
    size_t count = 0;
    image all = {0};
    image_found after_cut;
    image_found as_is;
    const disk_operation *operations = disk_recorded(&count);
    disk_record("");
    image_build(&all, operations, count, NULL);
    image_write(&all, copy);
    image_read(copy, &after_cut);
    image_read(journal, &as_is);
    for (int i = 0; i < TURNS; i++) {
        if (shared->acknowledged[i] && (!after_cut.there[i] || !as_is.there[i])) shared->lost++;
        if (shared->tracked[i] && !as_is.tracked[i]) shared->lost++;
    }
    shared->wrong += after_cut.wrong + as_is.wrong + behind_failed_sync(operations, count);
    files_remove(copy);
    image_free(&all);
}

static void take_in(const campaign *run, const target *store, uint64_t turns)
{
    conv_client *client = NULL;
    if (open_client(store, run->journal, TIMEOUT_MS, &client) != CONV_OK) return;
    witness *lines = witness_open(run->lines);
    hold_store(store->path);
    use_client(run->tier == CAMPAIGN_LONG ? TURNS : turns, lines, client);
    (void)!witness_shut(lines, client, 0, NULL);
    witness_close(lines);
}

static void drain_what_waits(const campaign *run, const target *store)
{
    conv_client *client = NULL;
    if (open_client(store, run->journal, HEALTHY_MS, &client) != CONV_OK) return;
    witness *lines = witness_open(run->lines);
    (void)!witness_flush(lines, client, NULL, DRAIN_MS, NULL);
    (void)!witness_shut(lines, client, DRAIN_MS, NULL);
    witness_close(lines);
}

static void meet_fault(const campaign *run, const target *store, const part *what, const char *copy,
                       long first, bool for_ever, disk_fault fault)
{
    disk_record(run->journal);
    disk_fail(run->journal, first, for_ever, fault);
    if (what->drains)
        drain_what_waits(run, store);
    else
        take_in(run, store, FEWER_TURNS);
    shared->failures = disk_failures();
    disk_fail(run->journal, 0, false, fault);
    if (!what->drains) judge(run->journal, copy);
    shared->finished = true;
}

/* What the part begins with, made once, on a disk that is healthy still. */
static void prepare(const campaign *run, const target *store, const part *what)
{
    int status = 0;
    pid_t child = fork();
    if (child < 0) die("fork");
    if (child == 0) {
        take_in(run, store, FEWEST_TURNS);
        _exit(0);
    }
    if (waitpid(child, &status, 0) != child || status != 0) die("preparing");
    if (what->damaged) sqlite_file_damage_journal(run->journal);
    if (!files_copy(run->journal, store->kept) || !files_copy(run->lines, store->kept_lines))
        die(store->kept);
}

/* Everything is as it was before the first trial. */
static void restore(const campaign *run, const target *store, const char *copy)
{
    unlink(run->lines);
    files_remove(run->journal);
    files_remove(copy);
    files_remove(store->path);
    if (!files_copy(store->empty, store->path) || !files_copy(store->kept, run->journal) ||
        !files_copy(store->kept_lines, run->lines))
        die(store->path);
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
static checker_findings drain(campaign *run, const target *store, const part *what)
{
    conv_client *client = NULL;
    witness *lines = witness_open(run->lines);
    conv_status status = open_client(store, run->journal, HEALTHY_MS, &client);
    if (status == CONV_OK) status = witness_shut(lines, client, HEALTHY_MS, NULL);
    witness_close(lines);
    const char *journals[] = {run->journal};
    checker_params params = {.lines = run->lines,
                             .file = store->path,
                             .journals = journals,
                             .journal_count = 1,
                             .drained = true,
                             /* of the damage itself; what an exchange became is looked for */
                             .dead = what->damaged ? count_letters(run) : 0};
    checker_findings findings = checker_run(&params);
    if (status != CONV_OK) {
        fprintf(stderr, "violation: the next process ended with %s\n", conv_status_name(status));
        findings.wrong++;
    }
    return findings;
}

/* False when the fault was not met any more. */
static bool try_one(campaign *run, const target *store, const part *what, const char *copy,
                    long first, bool for_ever, disk_fault fault, checker_findings *findings)
{
    int status = 0;
    restore(run, store, copy);
    memset(shared, 0, sizeof *shared);
    pid_t child = fork();
    if (child < 0) die("fork");
    if (child == 0) {
        meet_fault(run, store, what, copy, first, for_ever, fault);
        _exit(0);
    }
    waitpid(child, &status, 0);
    if (status != 0 || !shared->finished) {
        fprintf(stderr, "violation: the process ended with %d at call %ld\n", status, first);
        findings->wrong++;
    }
    checker_findings drained = drain(run, store, what);
    if (fault == DISK_SHORT && for_ever && drained.dead > 0)
        drained.wrong -= count_torn(run, &drained);
    if (shared->lost + shared->wrong > 0 || !checker_is_clean(&drained))
        fprintf(stderr,
                "violation: %ld lost, %ld wrong after a cut; %ld lost, %ld doubled, %ld"
                " half, %ld late, %ld wrong after the drain; at call %ld, fault %d, %s\n",
                shared->lost, shared->wrong, drained.lost, drained.doubled, drained.half,
                drained.late, drained.wrong, first, (int)fault, for_ever ? "for ever" : "once");
    checker_add(findings, &drained);
    findings->lost += shared->lost;
    findings->wrong += shared->wrong;
    return shared->failures > 0;
}

static void try_all(campaign *run, const target *store, const part *what, const char *copy,
                    bool for_ever, disk_fault fault)
{
    static const char *const names[] = {"EIO", "ENOSPC", "short write"};
    checker_findings findings = {0};
    char name[96];
    long trials = 0;
    /* Of the calls each n-th; the seed says which. */
    for (long first = 1 + (long)(run->seed % (uint64_t)run->trials);
         try_one(run, store, what, copy, first, for_ever, fault, &findings); first += run->trials)
        trials++;
    snprintf(name, sizeof name, "%s: %s, %s", what->name, names[fault],
             for_ever ? "for ever" : "once");
    campaign_report_some(run, name, run->trials, "call", trials, &findings);
}

static void meet(campaign *run, const target *store, const part *what, const char *copy,
                 disk_fault fault)
{
    files_remove(store->kept);
    files_remove(store->kept_lines);
    restore(run, store, copy);
    if (what->drains) prepare(run, store, what);
    try_all(run, store, what, copy, false, fault);
    try_all(run, store, what, copy, true, fault);
}

/* One kind of fault. */
static int run_part(int argc, char **argv, int fault)
{
    static const part parts[] = {
        {.name = "journal I/O fails"},
        {.name = "journal I/O fails in the drain", .drains = true},
        {.name = "journal I/O fails in a rescue", .drains = true, .damaged = true},
    };
    campaign run = campaign_begin(argc, argv, (long[]){24, 1, 1});
    conv_client *client = NULL;
    target store;
    char copy[PATH_SIZE];
    const char *folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : run.folder;
    snprintf(run.journal, sizeof run.journal, "%s/conversation-fault-%d.db", folder, (int)getpid());
    snprintf(copy, sizeof copy, "%s.copy", run.journal);
    snprintf(store.path, sizeof store.path, "%s/conversation-fault-%d-store.db", folder,
             (int)getpid());
    snprintf(store.empty, sizeof store.empty, "%s/store.db", run.folder);
    snprintf(store.kept, sizeof store.kept, "%s/kept-journal", run.folder);
    snprintf(store.kept_lines, sizeof store.kept_lines, "%s/kept-lines", run.folder);
    shared = campaign_share(sizeof *shared);
    if (open_client(&store, NULL, HEALTHY_MS, &client) != CONV_OK) die("opening the store");
    if (conv_client_close(client, HEALTHY_MS, NULL) != CONV_OK) die("closing the store");
    if (!files_copy(store.path, store.empty)) die(store.path);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        meet(&run, &store, &parts[i], copy, (disk_fault)fault);
    files_remove(run.journal);
    files_remove(store.path);
    conv_provider_free(fault_provider());
    return campaign_end(&run);
}

int main(int argc, char **argv)
{
    return campaign_run_parts(argc, argv, DISK_SHORT + 1, 1, run_part);
}
