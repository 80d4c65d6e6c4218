/* The connection is cut before the first byte and behind each byte of a save and of a turn, in both
 * directions, by FIN and by RST: over a connection in use, and where it has to connect and prepare
 * first. `--trials N` means every N-th byte here; but for the long tier fewer than of a save are
 * tried of a turn, and where it has to connect or there is a journal; the seed shifts which.
 *
 * For that every save has as many bytes as its like: its numbers are as wide, its cost has as many
 * digits, and nothing else passes meanwhile. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault/caller.h"
#include "fault/proxy.h"
#include "fault/report.h"
#include "fault/server.h"

enum {
    TIMEOUT_MS = 5000,
    TRIES = 10,
    TURNS_PER_SESSION = 50,
    FIRST_TURN = 1000000, /* up to five times as many all numbers are equally wide */
    ALONE_TRIES = 30000,
    ALONE_PAUSE_US = 1000
};

typedef enum kind { SAVE, TURN, KINDS } kind;

static const char *const kinds[] = {[SAVE] = "save", [TURN] = "turn"};
static const char *const directions[] = {"to the server", "to the client"};

/* Bytes of one save. Index: proxy_direction. */
typedef struct length {
    long bytes[2];
} length;

typedef struct cutting {
    campaign run;
    proxy *between;
    witness *lines;
    conv_client *client;
    kind what;
    bool cold;      /* what is cut has to connect first */
    long each;      /* so many bytes are one trial */
    uint64_t turns; /* the number of the latest */
    length warm;    /* over a connection in use, with nothing cut */
    length whole;   /* of what is cut */
    long missed;    /* trials whose moment did not come */
} cutting;

/* Zeros at the end do not go over the wire. */
static bool has_all_digits(const fault_turn *turn)
{
    return fault_usage(turn).cost_usd.low % 10 != 0;
}

static fault_turn next_turn(cutting *self)
{
    fault_turn turn;
    do {
        self->turns++;
        turn = (fault_turn){.session = self->turns / TURNS_PER_SESSION, .turn = self->turns};
    } while (!has_all_digits(&turn));
    return turn;
}

static void save(cutting *self, bool cold, const proxy_plan *plan)
{
    static const witness_call ways[] = {[SAVE] = WITNESS_SAVE, [TURN] = WITNESS_PROCESS};
    fault_turn turn = next_turn(self);
    if (cold) proxy_cut_all(self->between);
    proxy_set(self->between, plan);
    if (caller_save(self->lines, self->client, ways[self->what], &turn, TIMEOUT_MS, TRIES) == 0)
        self->run.violations++;
}

/* Saves, with nothing cut, until one passes by itself: it is as long as it is known to be, or else
 * as the one before it. A connection that a cut has left is replaced and prepared meanwhile, and a
 * journal becomes empty. */
static length save_alone(cutting *self, bool cold, const length *known)
{
    length last = known != NULL ? *known : (length){{0, 0}};
    for (int i = 0; i < ALONE_TRIES; i++) {
        save(self, cold, &(proxy_plan){0});
        length now = {{proxy_bytes(self->between, PROXY_TO_SERVER),
                       proxy_bytes(self->between, PROXY_TO_CLIENT)}};
        if (now.bytes[0] > 0 && now.bytes[0] == last.bytes[0] && now.bytes[1] == last.bytes[1])
            return now;
        if (known == NULL) last = now;
        usleep(ALONE_PAUSE_US);
    }
    fprintf(stderr, "cut: no %s passes by itself, of %ld bytes %s and %ld %s\n", kinds[self->what],
            last.bytes[0], directions[0], last.bytes[1], directions[1]);
    exit(99);
}

static void measure(cutting *self)
{
    self->warm = save_alone(self, false, NULL);
    self->whole = self->cold ? save_alone(self, true, NULL) : self->warm;
}

static void cut(cutting *self, const proxy_plan *plan)
{
    for (int i = 0; i < TRIES; i++) {
        save_alone(self, false, &self->warm);
        save(self, self->cold, plan);
        if (proxy_has_acted(self->between)) return;
    }
    self->missed++;
}

/* Before the first byte, and then behind each n-th; the seed says which. */
static long cut_all(cutting *self)
{
    static const proxy_action actions[] = {PROXY_FIN, PROXY_RST};
    long trials = 0;
    for (int i = 0; i < 2 * 2; i++) {
        proxy_plan plan = {.action = actions[i % 2], .direction = (proxy_direction)(i / 2)};
        long last = self->whole.bytes[plan.direction];
        long first = 1 + (long)(self->run.seed % (uint64_t)(self->each < last ? self->each : last));
        for (; plan.byte <= last; trials++) {
            cut(self, &plan);
            plan.byte = plan.byte == 0 ? first : plan.byte + self->each;
        }
    }
    return trials;
}

/* Each has a server and a proxy of its own. */
typedef struct part {
    const char *about;
    bool cold;
    bool journaled;
    long rarer; /* than `--trials` says in the shorter tiers */
} part;

/* Of a turn fewer still: most of its bytes are those of a save. */
enum { TURNS_RARER = 8 };

static const part parts[] = {{"", false, false, 1},
                             {", connecting", true, false, 64},
                             {", journal", false, true, 8},
                             {", connecting, journal", true, true, 64}};

static void report(cutting *self, const part *what, long trials, const checker_findings *findings)
{
    char name[96];
    char which[32] = "";
    if (self->each > 1)
        snprintf(which, sizeof which, "%ld%s ", self->each, campaign_ordinal(self->each));
    snprintf(name, sizeof name, "cut at each %sbyte of a %s%s", which, kinds[self->what],
             what->about);
    campaign_report(&self->run, name, trials, findings);
    for (int i = 0; i < 2; i++)
        printf("  %s: %ld places, tried in steps of %ld\n", directions[i], self->whole.bytes[i] + 1,
               self->each);
    if (self->missed == 0) return;
    printf("  %ld cuts did not happen\n", self->missed);
    self->run.violations++;
}

static void run(cutting *self, const server *store, const part *what, kind of)
{
    caller_params params = {.store = proxy_url(self->between),
                            .journal = what->journaled ? self->run.journal : NULL,
                            .connections = 1,
                            .timeout_ms = TIMEOUT_MS};
    self->what = of;
    self->turns = FIRST_TURN;
    self->missed = 0;
    self->lines = witness_open(self->run.lines);
    self->cold = what->cold;
    self->each = campaign_each(&self->run, of == TURN ? TURNS_RARER * what->rarer : what->rarer);
    self->client = caller_open(self->lines, &params);
    measure(self);
    long trials = cut_all(self);
    proxy_set(self->between, &(proxy_plan){0});
    caller_end(self->lines, self->client);
    witness_close(self->lines);
    const char *journals[] = {self->run.journal};
    checker_params check = {.lines = self->run.lines,
                            .store = server_url(store),
                            .journals = journals,
                            .journal_count = what->journaled ? 1 : 0,
                            .drained = true};
    checker_findings findings = checker_run(&check);
    report(self, what, trials, &findings);
    server_empty(server_url(store));
    campaign_clear(&self->run);
}

static int run_part(int argc, char **argv, int number)
{
    cutting self = {.run = campaign_begin(argc, argv, (long[]){301, 16, 1})};
    server *store = server_start();
    self.between = proxy_start(server_folder(store));
    for (kind what = SAVE; what < KINDS; what++)
        run(&self, store, &parts[number], what);
    conv_provider_free(fault_provider());
    proxy_stop(self.between);
    server_remove(store);
    return campaign_end(&self.run);
}

int main(int argc, char **argv)
{
    return campaign_run_parts(argc, argv, sizeof parts / sizeof parts[0], 0, run_part);
}
