/* Every write, sync, truncation and renaming of the journal's files fails, once and for ever: what
 * is acknowledged all the same must be in the image that a power cut leaves right afterwards, and
 * the next process brings all that the files hold to the store, whole and once. */
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
#include "fault/witness.h"

enum { TURNS = 12, TIMEOUT_MS = 20, TURN_MS = 1000, HEALTHY_MS = 10000, PATH_SIZE = 128 };

/* A store, and what it was before anything was saved. */
typedef struct target {
    char path[PATH_SIZE];
    char empty[PATH_SIZE];
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

static void use_client(witness *lines, conv_client *client)
{
    for (uint64_t i = 0; i < TURNS; i++) {
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
    image_remove(copy);
    image_free(&all);
}

static void meet_fault(campaign *run, const target *store, const char *copy, long first,
                       bool for_ever, disk_fault fault)
{
    conv_client *client = NULL;
    disk_record(run->journal);
    disk_fail(run->journal, first, for_ever, fault);
    conv_status status = open_client(store, run->journal, TIMEOUT_MS, &client);
    if (status == CONV_OK) {
        witness *lines = witness_open(run->lines);
        hold_store(store->path);
        use_client(lines, client);
        (void)!witness_shut(lines, client, 0, NULL);
        witness_close(lines);
    }
    shared->failures = disk_failures();
    disk_fail(run->journal, 0, false, fault);
    judge(run->journal, copy);
    shared->finished = true;
}

static void copy_file(const char *from, const char *to)
{
    static char bytes[1 << 16];
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    if (in == NULL || out == NULL) die(to);
    for (size_t size; (size = fread(bytes, 1, sizeof bytes, in)) > 0;)
        if (fwrite(bytes, 1, size, out) != size) die(to);
    fclose(in);
    if (fclose(out) != 0) die(to);
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

/* A process whose disk is healthy drains what the files hold, and the whole is judged. */
static checker_findings drain(campaign *run, const target *store)
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
                             .drained = true};
    checker_findings findings = checker_run(&params);
    if (status != CONV_OK) {
        fprintf(stderr, "violation: the next process ended with %s\n", conv_status_name(status));
        findings.wrong++;
    }
    return findings;
}

static void clean_up(campaign *run, const target *store, const char *copy)
{
    unlink(run->lines);
    image_remove(run->journal);
    image_remove(copy);
    image_remove(store->path);
    copy_file(store->empty, store->path);
}

/* False when the fault was not met any more. */
static bool try_one(campaign *run, const target *store, const char *copy, long first, bool for_ever,
                    disk_fault fault, checker_findings *findings)
{
    int status = 0;
    memset(shared, 0, sizeof *shared);
    pid_t child = fork();
    if (child < 0) die("fork");
    if (child == 0) {
        meet_fault(run, store, copy, first, for_ever, fault);
        _exit(0);
    }
    waitpid(child, &status, 0);
    if (status != 0 || !shared->finished) {
        fprintf(stderr, "violation: the process ended with %d at call %ld\n", status, first);
        findings->wrong++;
    }
    checker_findings drained = drain(run, store);
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
    clean_up(run, store, copy);
    return shared->failures > 0;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"EIO", "ENOSPC", "short write"};
    /* How many of the calls are tried: each n-th. The first call of each is always tried. */
    campaign run = campaign_begin(argc, argv, (long[]){12, 1, 1});
    conv_client *client = NULL;
    target store;
    char copy[PATH_SIZE];
    const char *folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : run.folder;
    snprintf(run.journal, sizeof run.journal, "%s/conversation-fault-%d.db", folder, (int)getpid());
    snprintf(copy, sizeof copy, "%s.copy", run.journal);
    snprintf(store.path, sizeof store.path, "%s/conversation-fault-%d-store.db", folder,
             (int)getpid());
    snprintf(store.empty, sizeof store.empty, "%s/store.db", run.folder);
    shared = campaign_share(sizeof *shared);
    if (open_client(&store, NULL, HEALTHY_MS, &client) != CONV_OK) die("opening the store");
    if (conv_client_close(client, HEALTHY_MS, NULL) != CONV_OK) die("closing the store");
    copy_file(store.path, store.empty);
    for (int fault = DISK_EIO; fault <= DISK_SHORT; fault++) {
        for (int for_ever = 0; for_ever < 2; for_ever++) {
            checker_findings findings = {0};
            char name[96];
            long trials = 0;
            for (long first = 1;; first += run.trials) {
                if (!try_one(&run, &store, copy, first, for_ever == 1, (disk_fault)fault,
                             &findings))
                    break;
                trials++;
            }
            snprintf(name, sizeof name, "journal I/O fails: %s, %s", names[fault],
                     for_ever == 1 ? "for ever" : "once");
            campaign_report(&run, name, trials, &findings);
        }
    }
    image_remove(store.path);
    conv_provider_free(fault_provider());
    return campaign_end(&run);
}
