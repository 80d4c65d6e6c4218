/* Every allocation of the library, of SQLite, of jansson and of libpq fails, once and for ever,
 * through the whole life of a client: no crash, no leak, nothing said to be saved that is not. */
#ifndef TESTS_FAULT_MEMORY_H
#define TESTS_FAULT_MEMORY_H

#include "fault/report.h"

enum { MEMORY_PATH_SIZE = 80, MEMORY_TIMEOUT_MS = 400 };

/* A store, and where it is judged. */
typedef struct memory_store {
    const char *name;
    const char *url;
    const char *file;  /* of SQLite, or NULL */
    const char *files; /* the beginning of the names of what a trial leaves */
    long schema;       /* parts of the SQLite file's schema, and of the journal's */
    long journal_schema;
} memory_store;

/* Puts memory that can fail under all libraries, the journal into memory, and the beginning of all
 * its files' names into `base`. Before anything else is used. */
void memory_prepare(campaign *run, char base[MEMORY_PATH_SIZE]);

/* Each n-th allocation, n being the campaign's trials: a process of its own for each. Where no call
 * began, a healthy client opens what is left after every sixteenth only; the others are looked at.
 */
void memory_run(campaign *run, const memory_store *store);

#endif
