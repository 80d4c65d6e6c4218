/* What the tests of the PostgreSQL rooms share: a database of their own, and connections to it. */
#ifndef TESTS_SUPPORT_POSTGRES_H
#define TESTS_SUPPORT_POSTGRES_H

#include <libpq-fe.h>

#include "db/postgres/connection.h"
#include "repositories/postgres/store.h"

/* Group setup and teardown: a fresh database, with the schema or without. */
int postgres_setup(void **state);
int postgres_setup_empty(void **state);
int postgres_teardown(void **state);

/* The database's connection string. */
const char *postgres_url(void);

/* The same with one more setting of libpq's, e.g. "password", "x"; static. */
const char *postgres_url_with(const char *keyword, const char *value);

/* A store on the database, which must open; NULL gives the defaults with five connections. */
conv__store *postgres_open(const conv__postgres_params *params);

/* One connection of the library's own, which must open. */
conv__connection *postgres_connect(void);

/* A connection beside the library, and one command or one value on it; a failure ends the test. */
PGconn *postgres_link(void);
void postgres_execute(PGconn *link, const char *sql);
long postgres_number(PGconn *link, const char *sql);

/* Waits until the number is as wanted; false after ten seconds. */
bool postgres_becomes(PGconn *link, const char *sql, long wanted);

#endif
