/* Every allocation of the library, of SQLite and of jansson fails, once and for ever, through the
 * whole life of a client: no crash, no leak, nothing said to be saved that is not. */
#include <jansson.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "core/memory.h"
#include "fault/checker_sqlite.h"
#include "fault/report.h"
#include "fault/witness.h"

enum { TIMEOUT_MS = 2000 };

static atomic_long asked;
static atomic_long failed;
static atomic_long live;
static long first_failure;
static bool for_ever;
static sqlite3_mem_methods plain;

static bool is_to_fail(void)
{
    long number = atomic_fetch_add(&asked, 1) + 1;
    bool fails =
        first_failure > 0 && (number == first_failure || (for_ever && number > first_failure));
    if (fails) atomic_fetch_add(&failed, 1);
    return fails;
}

static void *take(size_t size)
{
    void *block = is_to_fail() ? NULL : malloc(size);
    if (block != NULL) atomic_fetch_add(&live, 1);
    return block;
}

static void *resize(void *block, size_t size)
{
    void *resized = is_to_fail() ? NULL : realloc(block, size);
    if (resized != NULL && block == NULL) atomic_fetch_add(&live, 1);
    return resized;
}

static void give_back(void *block)
{
    if (block != NULL) atomic_fetch_sub(&live, 1);
    free(block);
}

static void *take_for_sqlite(int size)
{
    return is_to_fail() ? NULL : plain.xMalloc(size);
}

static void *resize_for_sqlite(void *block, int size)
{
    return is_to_fail() ? NULL : plain.xRealloc(block, size);
}

static void install(void)
{
    static const conv__memory_functions functions = {take, resize, give_back};
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain) != SQLITE_OK) exit(99);
    sqlite3_mem_methods methods = plain;
    methods.xMalloc = take_for_sqlite;
    methods.xRealloc = resize_for_sqlite;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK) exit(99);
    conv__memory_set_functions(&functions);
    json_set_alloc_funcs(take, give_back);
}

static conv_status read_history(conv_client *client)
{
    conv_history *history = NULL;
    conv_history_params params = CONV_HISTORY_PARAMS_INIT;
    char session[FAULT_ID_SIZE];
    fault_session_id(0, session);
    params.session_id = session;
    conv_status status = conv_history_read(client, &params, &history, NULL);
    conv_history_free(history);
    return status;
}

/* False with a status that no failed allocation explains. */
static bool is_allowed(conv_status status)
{
    return status == CONV_OK || status == CONV_NO_MEMORY || status == CONV_NOT_FOUND ||
           status == CONV_TIMEOUT || status == CONV_UNAVAILABLE;
}

static long use_client(const campaign *run, const char *url)
{
    conv_client *client = NULL;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    long wrong = 0;
    params.store = url;
    params.journal = run->journal;
    params.store_timeout_ms = TIMEOUT_MS;
    conv_status status = conv_client_open(&params, &client, NULL);
    if (status != CONV_OK) return is_allowed(status) ? 0 : 1;
    witness *lines = witness_open(run->lines);
    for (uint64_t i = 0; i < 2; i++) {
        fault_turn turn = {.turn = i};
        wrong += !is_allowed(witness_process(lines, client, &turn, 4 * TIMEOUT_MS, NULL));
        turn.turn += 10;
        wrong += !is_allowed(witness_save(lines, client, &turn, TIMEOUT_MS, NULL));
        wrong += !is_allowed(witness_track(lines, client, &turn, true, NULL));
        wrong += !is_allowed(read_history(client));
        wrong += !is_allowed(conv_track_flush(client, TIMEOUT_MS, NULL, NULL));
    }
    wrong += !is_allowed(conv_client_close(client, TIMEOUT_MS, NULL));
    witness_close(lines);
    return wrong;
}

/* Exit code 0: the failure was met and borne; 1: something is wrong; 2: it was not met any more. */
static int bear(const campaign *run, const char *url)
{
    long before = live;
    long wrong = use_client(run, url);
    long met = failed;
    first_failure = 0;
    if (wrong > 0) fprintf(stderr, "violation: %ld answers that memory does not explain\n", wrong);
    if (live != before) fprintf(stderr, "violation: %ld blocks not given back\n", live - before);
    if (sqlite3_memory_used() > 0)
        fprintf(stderr, "violation: SQLite holds %lld bytes\n", sqlite3_memory_used());
    if (wrong > 0 || live != before || sqlite3_memory_used() > 0) return 1;
    return met > 0 ? 0 : 2;
}

static void add(checker_findings *all, const checker_findings *one)
{
    all->calls += one->calls;
    all->acknowledged += one->acknowledged;
    all->journaled += one->journaled;
    all->stored += one->stored;
    all->lost += one->lost;
    all->doubled += one->doubled;
    all->half += one->half;
    all->late += one->late;
    all->wrong += one->wrong;
}

/* What was acknowledged is there once a healthy process has drained the journal. */
static void judge(const campaign *run, const char *url, const char *store, checker_findings *all)
{
    conv_client *client = NULL;
    conv_error error;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = url;
    params.journal = run->journal;
    if (conv_client_open(&params, &client, &error) != CONV_OK ||
        conv_client_close(client, 30000, &error) != CONV_OK) {
        fprintf(stderr, "violation: afterwards %s: %s\n", error.action, error.message);
        all->wrong++;
        return;
    }
    if (access(run->lines, F_OK) != 0) return;
    checker_findings findings = checker_run_sqlite(run->lines, store, run->journal);
    add(all, &findings);
}

int main(int argc, char **argv)
{
    /* Each n-th allocation. */
    campaign run = campaign_begin(argc, argv, (long[]){101, 3, 1});
    char base[80] = "";
    char store[128];
    char url[160];
    int size = snprintf(base, sizeof base, "%s/conversation-memory-%d",
                        access("/dev/shm", W_OK) == 0 ? "/dev/shm" : run.folder, (int)getpid());
    if (size < 0 || size >= (int)sizeof base - 20) return 99;
    snprintf(store, sizeof store, "%s.store", base);
    snprintf(url, sizeof url, "sqlite:%s", store);
    snprintf(run.journal, sizeof run.journal, "%.80s.journal", base);
    install();
    fault_provider();
    (void)conv_uuid_v5(conv_uuid_namespace_dns(), conv_text("libcrypto is ready"));
    for (int kind = 0; kind < 2; kind++) {
        checker_findings findings = {0};
        long trials = 0;
        int status = 0;
        for (long first = 1; !WIFEXITED(status) || WEXITSTATUS(status) != 2; first += run.trials) {
            char command[192];
            pid_t child = fork();
            if (child == 0) {
                first_failure = first;
                for_ever = kind == 1;
                atomic_store(&asked, 0);
                _exit(bear(&run, url));
            }
            waitpid(child, &status, 0);
            trials++;
            if (!WIFEXITED(status) || WEXITSTATUS(status) % 2 == 1) {
                fprintf(stderr, "violation: allocation %ld, %s: status %d\n", first,
                        kind == 1 ? "for ever" : "once", status);
                findings.wrong++;
            }
            long lost = findings.lost;
            judge(&run, url, store, &findings);
            if (findings.lost > lost) fprintf(stderr, "violation: at allocation %ld\n", first);
            snprintf(command, sizeof command, "rm -f '%s'*", base);
            if (system(command) != 0) return 99;
            unlink(run.lines);
        }
        campaign_report(
            &run, kind == 1 ? "allocation fails for ever, SQLite" : "allocation fails once, SQLite",
            trials, &findings);
    }
    conv_provider_free(fault_provider());
    return campaign_end(&run);
}
