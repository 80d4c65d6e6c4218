/* What a power cut or a failing disk leaves of the journal's files, while it takes in and while it
 * is drained: each image must open and give every exchange that had been acknowledged by then,
 * noted before or not, and every usage record that had been flushed, whole and once, and nothing
 * else under its name; what was in the store by then may be missing. The images are of one run:
 * what was late in it is late in each row. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "fault/disk.h"
#include "fault/image.h"
#include "fault/report.h"
#include "fault/sqlite_file.h"
#include "fault/witness.h"
#include "support/folder.h"

enum { EXCHANGES = 90, TIMEOUT_MS = 100, TURN_MS = 1000, TRACKED_EACH = 7, DRAIN_MS = 10000 };

static void die(const char *what)
{
    perror(what);
    exit(99);
}

static fault_turn turn_of(long number)
{
    return (fault_turn){.session = (uint64_t)(number % 5),
                        .turn = (uint64_t)number,
                        .bytes = number % 3 == 0 ? 30000 : 200};
}

/* A usage record tracked and flushed, and an exchange; what a turn asks is noted first. */
static conv_status accept(witness *lines, conv_client *client, long number, conv_error *error)
{
    fault_turn turn = turn_of(number);
    conv_status status = CONV_OK;
    if (number % TRACKED_EACH == 0) {
        status = witness_track(lines, client, &turn, true, error);
        if (status == CONV_OK) status = witness_flush(lines, client, &turn, TIMEOUT_MS, error);
    }
    if (status != CONV_OK) return status;
    return number % 2 == 0 ? witness_save(lines, client, &turn, TIMEOUT_MS, error)
                           : witness_process(lines, client, &turn, TURN_MS, error);
}

static sqlite3 *watched;

/* How many exchanges are in the store, and RECORD times how many tracked records: the first ones
 * that were accepted, as that is the order of the drain. */
enum { RECORD = 1000 };

static long count_in_store(void)
{
    static const char sql[] = "SELECT (SELECT count(*) FROM chat_exchanges), (SELECT count(*)"
                              " FROM usage_logs l WHERE NOT EXISTS (SELECT 1 FROM chat_exchanges e"
                              " WHERE e.log_id = l.log_id))";
    sqlite3_stmt *row = NULL;
    if (sqlite3_prepare_v2(watched, sql, -1, &row, NULL) != SQLITE_OK ||
        sqlite3_step(row) != SQLITE_ROW)
        die("looking at the store");
    long seen = (long)(sqlite3_column_int64(row, 0) + RECORD * sqlite3_column_int64(row, 1));
    sqlite3_finalize(row);
    return seen;
}

/* The next process brings all of it to the store. */
static void drain_all(witness *lines, const conv_client_params *params, const char *store)
{
    conv_client *client = NULL;
    conv_error error;
    watched = sqlite_file_open(store);
    disk_watch(count_in_store);
    if (witness_connect(lines, params, &client, &error) != CONV_OK ||
        witness_shut(lines, client, DRAIN_MS, &error) != CONV_OK)
        die(error.message);
    disk_watch(NULL);
    sqlite3_close(watched);
}

/* Saves while the store is held by somebody else, so that everything is in the journal alone. Gives
 * how many calls that took; those behind it are of the drain. */
static size_t record_run(campaign *run, const char *store)
{
    size_t taken_in = 0;
    char lock_name[128];
    char url[128];
    conv_client *client = NULL;
    conv_error error;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    snprintf(url, sizeof url, "sqlite:%s", store);
    params.store = url;
    params.journal = run->journal;
    params.store_timeout_ms = TIMEOUT_MS;
    disk_record(run->journal);
    witness *lines = witness_open(run->lines);
    if (witness_connect(lines, &params, &client, &error) != CONV_OK) die(error.message);
    snprintf(lock_name, sizeof lock_name, "%s-lock", store);
    int descriptor = open(lock_name, O_RDWR | O_CLOEXEC);
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (descriptor < 0 || fcntl(descriptor, F_OFD_SETLK, &range) != 0) die(lock_name);
    for (long i = 0; i < EXCHANGES; i++) {
        if (accept(lines, client, i, &error) != CONV_OK) die(error.message);
        disk_mark();
    }
    (void)!witness_shut(lines, client, 0, NULL);
    close(descriptor);
    (void)disk_recorded(&taken_in);
    drain_all(lines, &params, store);
    witness_close(lines);
    return taken_in;
}

static void take(checker_findings *findings, const image_found *result)
{
    findings->doubled += result->doubled;
    findings->half += result->half;
    findings->wrong += result->wrong;
    findings->calls++;
}

/* Between two of the calls that were recorded. */
static void cut_power(campaign *run, const char *name, long trials,
                      const disk_operation *operations, size_t first, size_t last, const char *path)
{
    checker_findings findings = {.late = witness_late(run->lines)};
    for (long trial = 0; trial < trials; trial++) {
        image all = {0};
        image_found result;
        size_t crash = first + 1 + fault_random(&run->random) % (last - first);
        long stored = operations[crash - 1].seen;
        long acknowledged = 0;
        for (size_t i = 0; i < crash; i++)
            acknowledged += operations[i].what == DISK_MARK;
        image_build(&all, operations, crash, &run->random);
        image_write(&all, path);
        image_read(path, &result);
        for (long i = 0; i < acknowledged; i++) {
            findings.lost += i >= stored % RECORD && !result.there[i];
            findings.lost +=
                i % TRACKED_EACH == 0 && i / TRACKED_EACH >= stored / RECORD && !result.tracked[i];
        }
        take(&findings, &result);
        findings.acknowledged += acknowledged;
        files_remove(path);
        image_free(&all);
    }
    campaign_report(run, name, trials, &findings);
}

/* A flip is read back with a whole rescue, which takes many times as long as an image without one.
 */
static long flips(const campaign *run)
{
    return run->trials / 5;
}

/* A byte with one bit flipped, somewhere in the files as a clean end or a kill left them. What is
 * missing must have been noticed; a flip in a page that holds nothing loses nothing. */
static void flip_bits(campaign *run, const disk_operation *operations, size_t count,
                      const char *path)
{
    checker_findings findings = {.late = witness_late(run->lines)};
    long missing = 0;
    for (long trial = 0; trial < flips(run); trial++) {
        image all = {0};
        image_found result;
        for (size_t i = 0; i < count; i++)
            if (operations[i].what != DISK_MARK && operations[i].what != DISK_SYNC)
                image_apply(&all, &operations[i], operations[i].size);
        file_image *file = image_file(&all, "");
        file->bytes[fault_random(&run->random) % file->size] ^=
            (char)(1 << (fault_random(&run->random) % 8));
        image_write(&all, path);
        image_read(path, &result);
        long lost = 0;
        for (long i = 0; i < EXCHANGES; i++)
            lost += !result.there[i];
        missing += lost;
        if (lost > 0 && !result.set_aside && result.unreadable == 0) findings.lost += lost;
        take(&findings, &result);
        files_remove(path);
        image_free(&all);
    }
    campaign_report(run, "journal bit flips at rest", flips(run), &findings);
    printf("  %ld of %ld exchanges damaged, all of them noticed\n", missing,
           flips(run) * EXCHANGES);
}

/* The same in the log, as a kill leaves it in the middle of the run. Of its last transaction nobody
 * can tell whether it has rotted or was never whole: that one may be missing without a word. */
static void flip_log_bits(campaign *run, const disk_operation *operations, size_t count,
                          const char *path)
{
    checker_findings findings = {.late = witness_late(run->lines)};
    long last = 0;
    long noticed = 0;
    long tried = 0;
    while (tried < flips(run)) {
        image all = {0};
        image_found result;
        size_t crash = 1 + fault_random(&run->random) % count;
        long acknowledged = 0;
        for (size_t i = 0; i < crash; i++) {
            acknowledged += operations[i].what == DISK_MARK;
            if (operations[i].what != DISK_MARK && operations[i].what != DISK_SYNC)
                image_apply(&all, &operations[i], operations[i].size);
        }
        file_image *log = image_file(&all, "-wal");
        if (log->size > 0 && acknowledged > 0) {
            log->bytes[fault_random(&run->random) % log->size] ^=
                (char)(1 << (fault_random(&run->random) % 8));
            image_write(&all, path);
            image_read(path, &result);
            long lost = 0;
            for (long i = 0; i + 1 < acknowledged; i++)
                lost += !result.there[i];
            bool seen = result.set_aside || result.unreadable > 0;
            noticed += seen;
            if (!seen) findings.lost += lost;
            if (!seen && lost == 0) last += !result.there[acknowledged - 1];
            take(&findings, &result);
            findings.acknowledged += acknowledged;
            files_remove(path);
            tried++;
        }
        image_free(&all);
    }
    campaign_report(run, "journal bit flips in the log", tried, &findings);
    printf("  %ld noticed, %ld took the last transaction with them\n", noticed, last);
}

int main(int argc, char **argv)
{
    campaign run = campaign_begin_in_memory(argc, argv, (long[]){60, 500, 10000});
    char folder[80];
    char store[96];
    char path[96];
    size_t count = 0;
    /* The store's folder is synced for the store. */
    snprintf(folder, sizeof folder, "%s-store", run.folder);
    if (mkdir(folder, 0700) != 0) return 99;
    snprintf(store, sizeof store, "%s/store.db", folder);
    snprintf(path, sizeof path, "%s/image.db", run.folder);
    size_t taken_in = record_run(&run, store);
    disk_record("");
    files_remove(store);
    rmdir(folder);
    const disk_operation *operations = disk_recorded(&count);
    cut_power(&run, "journal crash images", run.trials, operations, 0, taken_in, path);
    cut_power(&run, "journal crash images, in a drain", run.trials, operations, taken_in, count,
              path);
    flip_bits(&run, operations, taken_in, path);
    flip_log_bits(&run, operations, taken_in, path);
    disk_forget();
    conv_provider_free(fault_provider());
    return campaign_end(&run);
}
