/* Judges a campaign: compares what the witness saw with what is in the store and in the journals,
 * which are read without the library. */
#ifndef TESTS_FAULT_CHECKER_H
#define TESTS_FAULT_CHECKER_H

#include <stdbool.h>
#include <stddef.h>

/* The database holds nothing but the campaign. No client is open on the journals. */
typedef struct checker_params {
    const char *lines;    /* the witness's file */
    const char *file;     /* of an SQLite store; NULL: it is PostgreSQL, as the next two say */
    const char *store;    /* of libpq */
    struct pg_conn *link; /* to the store, or NULL: one is made */
    const char *const *journals;
    size_t journal_count;
    bool drained;   /* nothing may wait in a journal any more; else it counts as kept, and tracked
                       records, which may be in a spool, are not looked for */
    bool unordered; /* a session was written to by calls that did not wait for each other's
                       journal: its order is nobody's promise */
    long dead;      /* acknowledged exchanges and records that were to become dead letters */
} checker_params;

typedef struct checker_findings {
    long calls;
    long acknowledged;        /* different exchanges and records, by a success */
    long journaled;           /* of these: said to be on the local disk at first */
    long journaled_exchanges; /* the exchanges of these */
    long stored;              /* exchanges and tracked records in the store */
    long waiting;             /* in the journals, for the store */
    long dead;
    long lost;    /* acknowledged, and neither stored nor kept */
    long doubled; /* content or usage that is in the store twice */
    long half;    /* exchanges without a part of theirs, parts without their exchange */
    long late;    /* calls that outlived their limit by more than a second */
    long wrong;   /* anything else: sums, order, content, something refused that is stored */
} checker_findings;

/* Each violation is also said on stderr, the first ones of each campaign. */
checker_findings checker_run(const checker_params *params);

/* For campaigns whose trials are judged one by one. */
void checker_add(checker_findings *sum, const checker_findings *one);

/* How many violations the findings hold, and whether they hold none. */
long checker_count_violations(const checker_findings *findings);
bool checker_is_clean(const checker_findings *findings);

#endif
