/* A program that runs on while something breaks every few seconds: nothing lost, and its memory,
 * descriptors and threads stay what they were. `--trials N`: so many faults. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault/caller.h"
#include "fault/load.h"
#include "fault/proxy.h"
#include "fault/report.h"
#include "fault/server.h"

enum { THREADS = 4, TIMEOUT_MS = 400, FAULTS = 6, MEMORY_SLACK_KB = 4096 };

/* What the process has; its threads and descriptors as the system counts them. */
typedef struct usage {
    long memory_kb;
    long descriptors;
    long threads;
} usage;

static long count_entries(const char *folder)
{
    long count = -2; /* "." and ".." */
    DIR *listing = opendir(folder);
    if (listing == NULL) exit(99);
    while (readdir(listing) != NULL)
        count++;
    closedir(listing);
    return count;
}

static usage look(void)
{
    usage now = {.descriptors = count_entries("/proc/self/fd") - 1, /* without the listing's own */
                 .threads = count_entries("/proc/self/task")};
    char line[128];
    FILE *file = fopen("/proc/self/status", "r");
    if (file == NULL) exit(99);
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "VmRSS: %ld", &now.memory_kb) == 1) break;
    fclose(file);
    return now;
}

static void refuse_for_a_second(server *store, proxy *between)
{
    (void)store;
    proxy_refuse(between, true);
    proxy_cut_all(between);
    sleep(1);
    proxy_refuse(between, false);
}

static void cut(server *store, proxy *between)
{
    (void)store;
    proxy_cut_all(between);
}

static void swallow_a_commit(server *store, proxy *between)
{
    (void)store;
    proxy_set(
        between,
        &(proxy_plan){.action = PROXY_RST, .direction = PROXY_TO_CLIENT, .at_commit_reply = true});
}

static void freeze(server *store, proxy *between)
{
    (void)between;
    server_freeze(store);
    usleep((TIMEOUT_MS + 200) * 1000);
    server_thaw(store);
}

static void kill_backend(server *store, proxy *between)
{
    (void)between;
    server_kill_backend(store);
}

static void restart(server *store, proxy *between)
{
    (void)between;
    server_end(store, SIGQUIT);
    server_restart(store);
}

static long greatest(const usage *samples, long count, size_t member)
{
    long most = 0;
    for (long i = 0; i < count; i++) {
        long value = 0;
        memcpy(&value, (const char *)&samples[i] + member, sizeof value);
        if (value > most) most = value;
    }
    return most;
}

/* The last half against the first, without its beginning, in which everything is used for the first
 * time; both are rows for RELIABILITY.md. Sanitizers keep freed memory for a while, so there it
 * says nothing. */
static void judge_growth(campaign *run, const usage *samples, long count)
{
#if defined(__SANITIZE_ADDRESS__)
    const bool measured = false;
#else
    const bool measured = true;
#endif
    static const struct {
        const char *name;
        size_t member;
        long slack;
    } kinds[] = {{"resident memory, KiB", offsetof(usage, memory_kb), MEMORY_SLACK_KB},
                 {"descriptors", offsetof(usage, descriptors), 4},
                 {"threads", offsetof(usage, threads), 0}};
    long start = count / 10;
    long half = count / 2;
    for (size_t i = 0; i < 3; i++) {
        long before = greatest(samples + start, half - start, kinds[i].member);
        long after = greatest(samples + half, count - half, kinds[i].member);
        printf("most %s, running on | %ld | %ld\n", kinds[i].name, before, after);
        if ((i > 0 || measured) && after > before + kinds[i].slack) {
            fprintf(stderr, "violation: %s grew\n", kinds[i].name);
            run->violations++;
        }
    }
}

int main(int argc, char **argv)
{
    static void (*const faults[FAULTS])(server *, proxy *) = {
        refuse_for_a_second, cut, swallow_a_commit, freeze, kill_backend, restart};
    campaign run = campaign_begin(argc, argv, (long[]){6, 12, 360});
    long seconds = run.tier == CAMPAIGN_LONG ? 5 : 1; /* between two faults */
    server *store = server_start();
    proxy *between = proxy_start(server_folder(store));
    caller_params params = {.store = proxy_url(between),
                            .journal = run.journal,
                            .connections = 3,
                            .timeout_ms = TIMEOUT_MS};
    witness *lines = witness_open(run.lines);
    conv_client *client = caller_open(lines, &params);
    usage *samples = calloc((size_t)run.trials, sizeof *samples);
    if (samples == NULL) return 99;
    load *callers =
        load_start(lines, client,
                   &(load_params){.threads = THREADS, .timeout_ms = TIMEOUT_MS, .journaled = true});
    for (long i = 0; i < run.trials; i++) {
        sleep((unsigned)seconds);
        samples[i] = look();
        faults[(run.seed + (uint64_t)i) % FAULTS](store, between);
        for (uint64_t k = 0; k < 50; k++) {
            fault_turn turn = {.session = 900000000 + (uint64_t)i, .turn = k};
            if (witness_track(lines, client, &turn, true, NULL) != CONV_OK) run.violations++;
        }
        load_await(callers, THREADS);
    }
    load_stop(callers);
    proxy_set(between, &(proxy_plan){0});
    caller_end(lines, client);
    witness_close(lines);
    const char *journals[] = {run.journal};
    checker_params check = {.lines = run.lines,
                            .store = server_url(store),
                            .journals = journals,
                            .journal_count = 1,
                            .drained = true};
    checker_findings findings = checker_run(&check);
    campaign_report(&run, "running on, something breaking again and again", run.trials, &findings);
    judge_growth(&run, samples, run.trials);
    free(samples);
    proxy_stop(between);
    server_remove(store);
    conv_provider_free(fault_provider());
    return campaign_end(&run);
}
