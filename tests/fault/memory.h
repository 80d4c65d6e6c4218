/* Every allocation of the library, of SQLite, of jansson and of libpq fails, once and for ever, in
 * one scenario after the other: no crash, no leak, nothing said to be done that is not. */
#ifndef TESTS_FAULT_MEMORY_H
#define TESTS_FAULT_MEMORY_H

#include "conversation/client.h"
#include "fault/memory_store.h"
#include "fault/report.h"
#include "fault/witness.h"
#include "fault/worker.h"

enum { MEMORY_TIMEOUT_MS = 400, MEMORY_AWAY_MS = 30, MEMORY_HEALTHY_MS = 30000 };

/* A trial that takes longer hangs, and is killed. */
enum { MEMORY_LONGEST_SECONDS = 120 };

/* How a trial ends, added up. */
enum { MEMORY_WRONG = 1, MEMORY_NOT_MET = 2 };

/* What a trial, which is in another process, says about itself. */
typedef struct memory_facts {
    unsigned done; /* a bit for each act that was acknowledged */
    long dead;     /* dead letters that are to be */
    long late;     /* calls that took a second too long */
    size_t asked;  /* allocations */
    bool unclosed; /* closing did not answer CONV_OK, so its limit may have mattered */
} memory_facts;

typedef struct memory_trial {
    memory_store *store;
    const campaign *run;
    witness *lines;
    conv_client *client; /* NULL when the scenario works without one */
    conv_client_params params;
    memory_facts *facts;
    int64_t timeout_ms; /* of the store; most calls take no longer than that */
    int64_t allowed_ms; /* of the next answer, if it may take longer; else 0 */
    bool away;          /* the scenario takes the store away for a time */
    int parent;         /* for memory_take_away and memory_bring_back */
    long refused;       /* answers other than CONV_OK */
    long wrong;         /* answers that memory does not explain */
} memory_trial;

typedef enum memory_way {
    MEMORY_CLIENT,  /* on a client that is open, which is closed afterwards */
    MEMORY_OPENING, /* the client is opened by what is tried, too */
    MEMORY_ALONE    /* without a client */
} memory_way;

/* Whether the scenario's clients have a journal. */
typedef enum memory_journal {
    MEMORY_JOURNAL_USUAL, /* on PostgreSQL in the long tier only: most allocations are the journal's
                             then, and are tried in the same scenario on SQLite */
    MEMORY_JOURNAL_ALWAYS,
    MEMORY_JOURNAL_NEVER
} memory_journal;

typedef struct memory_scenario {
    const char *name;
    memory_way way;
    memory_journal journal;
    bool sqlite_only; /* the store makes no difference */
    bool away;        /* the store is taken away for a time, and the client soon gives it up */
    bool migrates;    /* a healthy client does what is left to do: afterwards all is done */
    void (*settle)(memory_trial *);  /* changes `params`; NULL: nothing */
    void (*prepare)(memory_trial *); /* what is there before, with a healthy client; or NULL */
    void (*act)(memory_trial *);     /* NULL: nothing between opening and closing */
    /* SQL that gives one number of the store, of which an acknowledged act is all or nothing. NULL:
     * the witness's lines say what must be there. */
    const char *state;
    /* The same by hand, with healthy memory; after a healthy client has drained, or before it. */
    bool as_left;
    void (*judge)(const memory_trial *, checker_findings *);
} memory_scenario;

/* Puts memory that can fail under all libraries. Before anything else is used. */
void memory_install(void);

/* SQLite then takes the same numbers by chance as before, as it tells the same time always: files
 * that hold the same are the same. */
void memory_repeat_chance(void);

/* What SQLite has not given back. */
long memory_sqlite_blocks(void);

/* Counts an answer, and whether it came in time: the call began where the last one ended, or at
 * memory_begin_call; memory_allow_twice: it may take the store's timeout twice, for connecting, a
 * provider's answer or another transaction. Of memory are CONV_NO_MEMORY and what follows from it.
 * memory_expect: `wanted` is what a healthy call answers. memory_done: an acknowledged act,
 * numbered from 0. */
void memory_begin_call(void);
void memory_allow_twice(memory_trial *self);
void memory_note(memory_trial *self, conv_status status);
void memory_expect(memory_trial *self, conv_status status, conv_status wanted);
void memory_done(memory_trial *self, int act, conv_status status);

/* Takes the store away and brings it back, from within a scenario's act. */
void memory_take_away(memory_trial *self);
void memory_bring_back(memory_trial *self);

/* For a scenario's `prepare`, which makes its clients itself. */
conv_client *memory_open(memory_trial *self);
void memory_close(memory_trial *self, conv_client *client, int64_t timeout_ms);

/* Of what was left by trials that were judged, the last so many are remembered. */
enum { MEMORY_KNOWN = 64 };

/* A scenario on a store, with what it begins with kept. */
typedef struct memory_tried {
    campaign *run;
    memory_store *store;
    const memory_scenario *scenario;
    memory_facts *facts;
    worker worker; /* does the trials */
    long before;   /* the scenario's state */
    long after;
    const long *steps; /* the states that it may be left in, where it is not one step; or NULL */
    size_t step_count;
    memory_left known[MEMORY_KNOWN]; /* what trials have left that were judged, and clean */
    size_t known_count;
    long trials[2]; /* once and for ever, of which each met a failure */
    checker_findings findings[2];
} memory_tried;

bool memory_has_journal(const memory_tried *self);

/* Begins with what the store keeps now: a healthy trial must succeed in everything, and gives how
 * many allocations it asked for. `self` has its first three members, and perhaps the steps. */
size_t memory_begin(memory_tried *self);

/* The allocations from `first` to `last` (0: all), and of these each n-th, n being the campaign's
 * trials, fail once and for ever, in another process, as far as they are the campaign's share. */
void memory_try(memory_tried *self, size_t first, size_t last);

/* The first allocation behind which something is written to PostgreSQL, and the first behind which
 * the scenario's state has changed, although all fail from there on: between them is the first of
 * several changes. Of so many as a healthy trial asked for; `before` is known to come before it. */
size_t memory_find_begin(memory_tried *self, size_t before, size_t asked);
size_t memory_find_end(memory_tried *self, size_t before, size_t asked);

/* Prints both, as rows of the table, and ends with the scenario. */
void memory_report(memory_tried *self);

/* All of this, with what the scenario prepares, for each of `count` scenarios. */
void memory_run(campaign *run, memory_store *store, const memory_scenario *scenarios, size_t count);

#endif
