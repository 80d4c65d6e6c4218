/* A visitor in whose transaction nobody else can save, but everybody read. */
#ifndef TESTS_SUPPORT_LOCK_HOLDER_H
#define TESTS_SUPPORT_LOCK_HOLDER_H

#include <libpq-fe.h>
#include <sqlite3.h>

typedef struct lock_holder {
    PGconn *postgres; /* one of the two */
    sqlite3 *sqlite;
} lock_holder;

/* Of the store at `url`, which must have its schema. Fails the test if it can't be had. */
lock_holder lock_holder_take(const char *url);

void lock_holder_release(lock_holder *holder);

#endif
