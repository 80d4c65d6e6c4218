/* See memory.h. */
#include "fault/memory.h"

#include <glob.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "fault/caller.h"
#include "fault/checker_sqlite.h"
#include "fault/server.h"
#include "fault/witness.h"
#include "support/failing_memory.h"
#include "support/library_memory.h"

enum { OPENED_EACH = 16 };

static sqlite3_mem_methods plain;

static void *take_for_sqlite(int size)
{
    return failing_memory_fails() ? NULL : plain.xMalloc(size);
}

static void *resize_for_sqlite(void *block, int size)
{
    return failing_memory_fails() ? NULL : plain.xRealloc(block, size);
}

static void install(void)
{
    static const library_memory libpq = {failing_memory_allocate, failing_memory_resize,
                                         failing_memory_release};
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain) != SQLITE_OK) exit(99);
    sqlite3_mem_methods methods = plain;
    methods.xMalloc = take_for_sqlite;
    methods.xRealloc = resize_for_sqlite;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK) exit(99);
    failing_memory_start(0, false);
    json_set_alloc_funcs(failing_memory_allocate, failing_memory_release);
    if (library_memory_replace("libpq.so", &libpq) < 5) {
        fprintf(stderr, "libpq's own memory can't be replaced\n");
        exit(99);
    }
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

static conv_status list_and_sum(conv_client *client)
{
    conv_session_page *sessions = NULL;
    conv_usage_totals *totals = NULL;
    conv_session_filter filter = CONV_SESSION_FILTER_INIT;
    conv_status status = conv_session_list(client, &filter, &sessions, NULL);
    conv_session_page_free(sessions);
    if (status == CONV_OK)
        status = conv_usage_sum(client, NULL, CONV_USAGE_GROUP_DAY, &totals, NULL);
    conv_usage_totals_free(totals);
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
    params.connections = 2;
    params.journal = run->journal;
    params.store_timeout_ms = MEMORY_TIMEOUT_MS;
    params.connect_timeout_ms = MEMORY_TIMEOUT_MS;
    conv_status status = conv_client_open(&params, &client, NULL);
    if (status != CONV_OK) return is_allowed(status) ? 0 : 1;
    witness *lines = witness_open(run->lines);
    for (uint64_t i = 0; i < 2; i++) {
        fault_turn turn = {.turn = i};
        /* A provider that has no memory leaves a failed exchange, which the same turn replaces. */
        conv_status answered = witness_process(lines, client, &turn, MEMORY_TIMEOUT_MS, NULL);
        wrong += !is_allowed(answered);
        if (answered != CONV_OK)
            wrong += !is_allowed(witness_process(lines, client, &turn, MEMORY_TIMEOUT_MS, NULL));
        turn.turn += 10;
        wrong += !is_allowed(witness_save(lines, client, &turn, MEMORY_TIMEOUT_MS, NULL));
        wrong += !is_allowed(witness_track(lines, client, &turn, true, NULL));
        wrong += !is_allowed(read_history(client));
        wrong += !is_allowed(list_and_sum(client));
        wrong += !is_allowed(conv_track_flush(client, MEMORY_TIMEOUT_MS, NULL, NULL));
    }
    wrong += !is_allowed(conv_client_close(client, MEMORY_TIMEOUT_MS, NULL));
    witness_close(lines);
    return wrong;
}

/* Exit code 0: the failure was met and borne; 1: something is wrong; 2: it was not met any more. */
static int bear(const campaign *run, const char *url)
{
    long wrong = use_client(run, url);
    size_t met = failing_memory_failed();
    size_t left = failing_memory_live();
    if (wrong > 0) fprintf(stderr, "violation: %ld answers that memory does not explain\n", wrong);
    if (left > 0) fprintf(stderr, "violation: %zu blocks not given back\n", left);
    if (sqlite3_memory_used() > 0)
        fprintf(stderr, "violation: SQLite holds %lld bytes\n", sqlite3_memory_used());
    if (wrong > 0 || left > 0 || sqlite3_memory_used() > 0) return 1;
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

static checker_findings check(const campaign *run, const memory_store *store)
{
    if (store->file != NULL) return checker_run_sqlite(run->lines, store->file, run->journal);
    const char *journals[] = {run->journal};
    checker_params params = {.lines = run->lines,
                             .store = store->url,
                             .journals = journals,
                             .journal_count = 1,
                             .drained = true};
    return checker_run(&params);
}

/* How many tables, indexes and triggers an SQLite file has; 0 also for one that is not there. */
static long count_schema(const char *file)
{
    sqlite3 *database = NULL;
    sqlite3_stmt *statement = NULL;
    long count = access(file, F_OK) == 0 ? -1 : 0;
    if (count == 0) return 0;
    if (sqlite3_open_v2(file, &database, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(database, "SELECT count(*) FROM sqlite_master", -1, &statement, NULL) ==
            SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        count = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return count;
}

/* Where no call began there is a schema or none, never a half of one. */
static void judge_schema(const char *file, long whole, checker_findings *all)
{
    long count = count_schema(file);
    if (count == 0 || count == whole) return;
    fprintf(stderr, "violation: %s has %ld of %ld parts of its schema\n", file, count, whole);
    all->half++;
}

/* What was acknowledged is there once a healthy process has drained the journal. */
static void judge(const campaign *run, const memory_store *store, checker_findings *all)
{
    conv_client *client = NULL;
    conv_error error;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = store->url;
    params.journal = run->journal;
    if (conv_client_open(&params, &client, &error) != CONV_OK ||
        conv_client_close(client, 30000, &error) != CONV_OK) {
        fprintf(stderr, "violation: afterwards %s: %s\n", error.action, error.message);
        all->wrong++;
        return;
    }
    if (access(run->lines, F_OK) != 0) return;
    checker_findings findings = check(run, store);
    add(all, &findings);
}

/* What the client never got to write needs no emptying. */
static void clean_up(const campaign *run, const memory_store *store)
{
    char pattern[192];
    glob_t files = {0};
    bool touched = access(run->lines, F_OK) == 0;
    snprintf(pattern, sizeof pattern, "%s*", store->files);
    if (glob(pattern, GLOB_NOSORT, NULL, &files) == 0)
        for (size_t i = 0; i < files.gl_pathc; i++)
            unlink(files.gl_pathv[i]);
    globfree(&files);
    unlink(run->lines);
    if (store->file == NULL && touched) server_empty(store->url);
}

/* False when the failure was not met any more. */
static bool try_one(const campaign *run, const memory_store *store, long first, bool always,
                    checker_findings *findings)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        failing_memory_start((size_t)first, always);
        _exit(bear(run, store->url));
    }
    waitpid(child, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) % 2 == 1) {
        fprintf(stderr, "violation: allocation %ld, %s: status %d\n", first,
                always ? "for ever" : "once", status);
        findings->wrong++;
    }
    long bad = findings->lost + findings->wrong;
    if (store->file == NULL || access(run->lines, F_OK) == 0 || first % OPENED_EACH == 1) {
        judge(run, store, findings);
    } else {
        judge_schema(store->file, store->schema, findings);
        judge_schema(run->journal, store->journal_schema, findings);
    }
    if (findings->lost + findings->wrong > bad)
        fprintf(stderr, "violation: at allocation %ld, %s, %s\n", first,
                always ? "for ever" : "once", store->name);
    clean_up(run, store);
    return !WIFEXITED(status) || WEXITSTATUS(status) != 2;
}

void memory_prepare(campaign *run, char base[MEMORY_PATH_SIZE])
{
    int size = snprintf(base, MEMORY_PATH_SIZE, "%s/conversation-memory-%d",
                        access("/dev/shm", W_OK) == 0 ? "/dev/shm" : run->folder, (int)getpid());
    if (size < 0 || size >= MEMORY_PATH_SIZE - 20) exit(99);
    snprintf(run->journal, sizeof run->journal, "%.64s.journal", base);
    install();
    fault_provider();
    (void)conv_uuid_v5(conv_uuid_namespace_dns(), conv_text("libcrypto is ready"));
}

/* What a healthy client makes. */
static memory_store with_schema(const campaign *run, const memory_store *store)
{
    memory_store known = *store;
    checker_findings unused = {0};
    if (store->file == NULL) return known;
    judge(run, store, &unused);
    known.schema = count_schema(store->file);
    known.journal_schema = count_schema(run->journal);
    if (known.schema <= 0 || known.journal_schema <= 0) exit(99);
    clean_up(run, store);
    return known;
}

void memory_run(campaign *run, const memory_store *which)
{
    memory_store known = with_schema(run, which);
    const memory_store *store = &known;
    for (int always = 0; always < 2; always++) {
        char name[64];
        checker_findings findings = {0};
        long trials = 1;
        for (long first = 1; try_one(run, store, first, always == 1, &findings);
             first += run->trials)
            trials++;
        snprintf(name, sizeof name, "allocation fails %s, %s", always == 1 ? "for ever" : "once",
                 store->name);
        campaign_report(run, name, trials, &findings);
    }
}
