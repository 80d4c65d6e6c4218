/* Between the bytes: nothing more comes from some message on (also while the server waits on with
 * its transaction open), an error in place of each message that the server sends, and a network
 * that passes one byte at a time. `--trials N`: every N-th case of each kind; but for the long tier
 * fewer of the first two, which the seed shifts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault/caller.h"
#include "fault/proxy.h"
#include "fault/report.h"
#include "fault/server.h"

enum {
    SILENCE_RARER = 4,
    FORGE_RARER = 16,
    TIMEOUT_MS = 300,
    TRIES = 20,
    TRIES_TO_MEET = 3,
    TURNS_PER_SESSION = 20,
    SLOW_TURNS = 6
};

typedef struct network {
    campaign run;
    server *store;
    proxy *between;
    witness *lines;
    conv_client *client;
    uint64_t turns;
    long number; /* of the message or case; the seed shifts which are taken */
    long each;   /* so many are one trial */
    long tried;
} network;

static void save(network *self)
{
    conv_error error;
    fault_turn turn = {.session = self->turns / TURNS_PER_SESSION, .turn = self->turns};
    self->turns++;
    for (int i = 0; i < TRIES; i++) {
        conv_status status =
            turn.turn % 2 == 0
                ? witness_save(self->lines, self->client, &turn, TIMEOUT_MS, &error)
                : witness_process(self->lines, self->client, &turn, TIMEOUT_MS, &error);
        if (status == CONV_OK) return;
        /* A server that was left waiting notices in the end. */
        proxy_cut_all(self->between);
        usleep(5000);
    }
    fprintf(stderr, "violation: gave up on turn %ld: %s\n", (long)turn.turn, error.message);
    self->run.violations++;
}

/* Over a connection that works, and with nothing that waits: with a journal the store is known to
 * be away for a while after a silence, and what is saved then does not go over the wire. */
static void settle(network *self)
{
    proxy_set(self->between, &(proxy_plan){0});
    caller_await_drain(self->client);
    save(self);
    caller_await_drain(self->client);
}

static bool is_met(network *self, const proxy_plan *plan)
{
    settle(self);
    proxy_set(self->between, plan);
    save(self);
    /* With a journal it may be the thread that drains which meets it. */
    for (int i = 0; i < 100 && !proxy_has_acted(self->between); i++)
        usleep(5000);
    bool met = proxy_has_acted(self->between);
    proxy_set(self->between, &(proxy_plan){0});
    proxy_cut_all(self->between);
    return met;
}

static bool is_chosen(network *self)
{
    return (self->number++ + (long)(self->run.seed % 1000)) % self->each == 0;
}

static void try_one(network *self, const proxy_plan *plan)
{
    for (int i = 0; i < TRIES_TO_MEET; i++) {
        if (!is_met(self, plan)) continue;
        self->tried++;
        return;
    }
    fprintf(stderr, "violation: no save met what was planned for message %ld\n", plan->message);
    self->run.violations++;
}

static long messages_of_save(network *self, proxy_direction direction)
{
    for (int i = 0; i < 4; i++)
        settle(self);
    proxy_set(self->between, &(proxy_plan){0});
    save(self);
    save(self);
    return proxy_messages(self->between, direction) / 2;
}

static void silence(network *self)
{
    for (int direction = 0; direction < 2; direction++) {
        long messages = messages_of_save(self, (proxy_direction)direction);
        for (long message = 1; message <= messages; message++) {
            if (!is_chosen(self)) continue;
            for (int linger = 0; linger < 2; linger++)
                try_one(self, &(proxy_plan){.action = PROXY_SILENCE,
                                            .direction = (proxy_direction)direction,
                                            .message = message,
                                            .linger = linger == 1});
        }
    }
}

/* Only what leaves it open whether the server committed, or asks for another try, may be forged:
 * the server behind the proxy does commit. */
static void forge(network *self)
{
    static const char *const codes[] = {"57P01", "57P02", "57P03", "57P05", "08006", "08P01",
                                        "40003", "08007", "40001", "25P03", "26000", "57014"};
    static const char *const severities[] = {"ERROR", "FATAL", "PANIC"};
    long messages = messages_of_save(self, PROXY_TO_CLIENT);
    for (size_t code = 0; code < sizeof codes / sizeof codes[0]; code++)
        for (size_t severity = 0; severity < 3; severity++)
            for (long message = 1; message <= messages; message++)
                if (is_chosen(self))
                    try_one(self, &(proxy_plan){.action = PROXY_FORGE,
                                                .direction = PROXY_TO_CLIENT,
                                                .message = message,
                                                .sqlstate = codes[code],
                                                .severity = severities[severity]});
}

static void slow_down(network *self)
{
    proxy_set(self->between, &(proxy_plan){0});
    proxy_slow(self->between, true, 0);
    for (int i = 0; i < SLOW_TURNS; i++, self->tried++)
        save(self);
    proxy_slow(self->between, false, 3000);
    for (int i = 0; i < SLOW_TURNS; i++, self->tried++)
        save(self);
    proxy_slow(self->between, false, 0);
}

static void run_part(network *self, const char *fault, void (*part)(network *), const char *what,
                     long rarer, bool journaled)
{
    char name[96];
    caller_params params = {.store = proxy_url(self->between),
                            .journal = journaled ? self->run.journal : NULL,
                            .connections = 2,
                            .timeout_ms = TIMEOUT_MS};
    const char *journals[] = {self->run.journal};
    checker_params check = {.lines = self->run.lines,
                            .store = server_url(self->store),
                            .journals = journals,
                            .journal_count = journaled ? 1 : 0,
                            .drained = true};
    self->number = 0;
    self->each = campaign_each(&self->run, rarer);
    self->tried = 0;
    self->lines = witness_open(self->run.lines);
    self->client = caller_open(self->lines, &params);
    part(self);
    proxy_set(self->between, &(proxy_plan){0});
    proxy_cut_all(self->between);
    caller_end(self->lines, self->client);
    witness_close(self->lines);
    checker_findings findings = checker_run(&check);
    snprintf(name, sizeof name, "%s%s", fault, journaled ? ", journal" : "");
    campaign_report_some(&self->run, name, self->each, what, self->tried, &findings);
    server_empty(server_url(self->store));
    campaign_clear(&self->run);
}

int main(int argc, char **argv)
{
    network self = {.run = campaign_begin(argc, argv, (long[]){6, 1, 1})};
    self.store = server_start();
    self.between = proxy_start(server_folder(self.store));
    for (int journaled = 0; journaled < 2; journaled++) {
        run_part(&self, "silence from each message on", silence, "message", SILENCE_RARER,
                 journaled == 1);
        run_part(&self, "forged error in place of each message", forge, "case", FORGE_RARER,
                 journaled == 1);
        run_part(&self, "one byte at a time, and delay", slow_down, "case", 1, journaled == 1);
    }
    conv_provider_free(fault_provider());
    proxy_stop(self.between);
    server_remove(self.store);
    return campaign_end(&self.run);
}
