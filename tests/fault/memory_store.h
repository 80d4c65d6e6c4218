/* The store and the journal that every trial of failing memory begins with: kept once, brought back
 * before each trial, and looked at beside the library (but for whether a log holds anything, which
 * it can tell). */
#ifndef TESTS_FAULT_MEMORY_STORE_H
#define TESTS_FAULT_MEMORY_STORE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

#include "fault/report.h"

/* A file as it was kept; `bytes` is NULL when there was none. */
typedef struct memory_file {
    char path[128];
    char *bytes;
    size_t size;
} memory_file;

typedef struct memory_store {
    const char *name;
    const char *url;
    const char *pooled;   /* of PostgreSQL: the way to it that clients take, or NULL */
    const char *file;     /* of SQLite, or NULL */
    const char *base;     /* the folder of all that a trial leaves */
    const char *schema;   /* of PostgreSQL, or NULL: one that is made before each trial, instead of
                             rows that are kept */
    const char *state;    /* SQL that gives the schema's */
    int migrations;       /* that it has */
    sqlite3 *lock;        /* of SQLite while it is away, or NULL */
    struct pg_conn *link; /* to PostgreSQL; a child uses it only while its parent waits for it */
    bool wrote;           /* whether somebody had written when PostgreSQL was last looked at */
    long written;         /* next_writer of PostgreSQL when it had been restored */
    long made;            /* so many times is its schema made anew */
    long kept;            /* the schema's state */
    memory_file files[3]; /* the journal, the witness's lines and the store's file */
} memory_store;

/* Without any row, without any journal. SQLite: without a file. PostgreSQL is connected to, if it
 * is not yet, until memory_store_disconnect. */
void memory_store_clear(memory_store *self);
void memory_store_disconnect(memory_store *self);

/* The next migration of a schema of PostgreSQL. */
void memory_store_migrate(memory_store *self);

/* Keeps what is there now, for memory_store_restore. */
void memory_store_keep(memory_store *self, const campaign *run);
void memory_store_restore(memory_store *self);
void memory_store_forget(memory_store *self);

/* Whether the files are what was kept, by the time that restoring gave them or byte for byte, and
 * nobody has written to PostgreSQL: then a trial has left nothing to judge. */
bool memory_store_is_untouched(memory_store *self);
bool memory_store_has_same_journal(const memory_store *self);

/* The digest of all files that a trial has left. */
typedef struct memory_left {
    unsigned char digest[32];
} memory_left;

/* False if no other trial leaves the same: somebody has written to PostgreSQL, or the witness,
 * whose lines have times. */
bool memory_store_left(memory_store *self, memory_left *left);

/* Whether nothing is in the journal, and no record in the files beside it. */
bool memory_store_has_drained(const memory_store *self);

/* Nothing can be saved until it is put back. SQLite is locked, because to change its schema would
 * make the library read it anew, again and again; PostgreSQL has the schema renamed, as an
 * operator's mistake would have it. */
void memory_store_take_away(memory_store *self);
void memory_store_put_back(memory_store *self);

/* SQL beside the library; the first column of the first row. What fails ends the program. */
void memory_store_execute(const memory_store *self, const char *sql);
long memory_store_number(const memory_store *self, const char *sql);

#endif
