/* Every write, sync, truncation and renaming of the journal's files fails, once and for ever: what
 * is acknowledged all the same must be in the image that a power cut leaves right afterwards. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "fault/disk.h"
#include "fault/image.h"
#include "fault/report.h"
#include "fault/witness.h"

enum { TURNS = 12, TIMEOUT_MS = 20 };

/* What the process that meets the fault says, in memory that outlives it. */
typedef struct outcome {
    bool acknowledged[TURNS];
    bool tracked[TURNS];
    bool finished;
    long calls;
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
    char name[128];
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    snprintf(name, sizeof name, "%s-lock", store);
    int descriptor = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0 || fcntl(descriptor, F_OFD_SETLK, &range) != 0) die(name);
}

static conv_status open_client(const char *store, const char *journal, conv_client **client)
{
    char url[128];
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    snprintf(url, sizeof url, "sqlite:%s", store);
    params.store = url;
    params.schema = journal == NULL ? CONV_SCHEMA_DEFAULT : CONV_SCHEMA_IGNORE;
    params.journal = journal;
    params.store_timeout_ms = journal == NULL ? 10000 : TIMEOUT_MS;
    return conv_client_open(&params, client, NULL);
}

static void use_client(campaign *run, conv_client *client)
{
    witness *lines = witness_open(run->lines);
    for (uint64_t i = 0; i < TURNS; i++) {
        fault_turn turn = {.turn = i, .bytes = i % 4 == 0 ? 9000 : 100};
        conv_status status = CONV_OK;
        if (i % 3 == 0)
            shared->tracked[i] = witness_track(lines, client, &turn, true, NULL) == CONV_OK;
        if (i % 3 == 0 && i % 2 == 0) status = conv_track_flush(client, TIMEOUT_MS, NULL, NULL);
        if (i % 2 == 0)
            status = witness_save(lines, client, &turn, 2000, NULL);
        else
            status = witness_process(lines, client, &turn, 1000, NULL);
        shared->acknowledged[i] = status == CONV_OK;
        if (status == CONV_OK) disk_mark();
        shared->calls++;
    }
    witness_close(lines);
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

static void meet_fault(campaign *run, const char *store, const char *copy, long first,
                       bool for_ever, disk_fault fault)
{
    conv_client *client = NULL;
    disk_record(run->journal);
    disk_fail(run->journal, first, for_ever, fault);
    conv_status status = open_client(store, run->journal, &client);
    if (status == CONV_OK) {
        hold_store(store);
        use_client(run, client);
        conv_client_close(client, 0, NULL);
    }
    shared->failures = disk_failures();
    disk_fail(run->journal, 0, false, fault);
    judge(run->journal, copy);
    shared->finished = true;
}

/* False when the fault was not met any more. */
static bool try_one(campaign *run, const char *store, const char *copy, long first, bool for_ever,
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
    if (shared->lost + shared->wrong > 0)
        fprintf(stderr, "violation: %ld lost, %ld wrong at call %ld, fault %d, %s\n", shared->lost,
                shared->wrong, first, (int)fault, for_ever ? "for ever" : "once");
    for (int i = 0; i < TURNS; i++)
        findings->acknowledged += shared->acknowledged[i] + shared->tracked[i];
    findings->calls += shared->calls;
    findings->lost += shared->lost;
    findings->wrong += shared->wrong;
    image_remove(run->journal);
    image_remove(copy);
    return shared->failures > 0;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"EIO", "ENOSPC", "short write"};
    /* How many of the calls are tried: each n-th. The first call of each is always tried. */
    campaign run = campaign_begin(argc, argv, (long[]){12, 1, 1});
    conv_client *client = NULL;
    char store[96];
    char copy[128];
    snprintf(store, sizeof store, "%s/store.db", run.folder);
    snprintf(run.journal, sizeof run.journal, "%s/conversation-fault-%d.db",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : run.folder, (int)getpid());
    snprintf(copy, sizeof copy, "%s.copy", run.journal);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) die("mmap");
    if (open_client(store, NULL, &client) != CONV_OK) die("opening the store");
    conv_client_close(client, 1000, NULL);
    for (int fault = DISK_EIO; fault <= DISK_SHORT; fault++) {
        for (int for_ever = 0; for_ever < 2; for_ever++) {
            checker_findings findings = {0};
            char name[96];
            long trials = 0;
            for (long first = 1;; first += run.trials) {
                if (!try_one(&run, store, copy, first, for_ever == 1, (disk_fault)fault, &findings))
                    break;
                trials++;
            }
            snprintf(name, sizeof name, "journal I/O fails: %s, %s", names[fault],
                     for_ever == 1 ? "for ever" : "once");
            campaign_report(&run, name, trials, &findings);
        }
    }
    conv_provider_free(fault_provider());
    return campaign_end(&run);
}
