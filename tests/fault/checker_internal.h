/* What the files of the checker share. */
#ifndef TESTS_FAULT_CHECKER_INTERNAL_H
#define TESTS_FAULT_CHECKER_INTERNAL_H

#include <stdint.h>

#include "fault/checker.h"
#include "fault/witness.h"

/* All that the witness knows of one content of one turn. */
typedef struct known {
    fault_turn turn;
    bool tracked;
    bool asked;    /* the provider was */
    bool possible; /* an attempt that may have saved it */
    bool acknowledged;
    bool journaled;
    int64_t first_attempt_ns;
    int64_t first_acknowledged_ns;
    long attempts;
    long answers;
    long conflicts;
    long stored;
} known;

typedef struct check {
    const checker_params *params;
    checker_findings findings;
    long said;
    known *all; /* ordered by tracked, session, turn, variant */
    size_t count;
} check;

/* Counts a violation and says it. */
void checker_violation(check *self, long *counter, const char *format, ...) CONV_PRINTF(3, 4);

/* Ends the program: what can't be read can't be judged. */
_Noreturn void checker_die(const char *what, const char *why);

/* NULL: nobody tried that. */
known *checker_find(check *self, const fault_turn *turn, bool tracked);

/* Reads the whole store and counts what is in it in `known.stored`. */
void checker_read_store(check *judge);

#endif
