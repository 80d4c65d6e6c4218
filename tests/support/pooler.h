/* A PgBouncer of the test's own before the database of support/postgres.h, in transaction mode. */
#ifndef TESTS_SUPPORT_POOLER_H
#define TESTS_SUPPORT_POOLER_H

/* Starts one with `connections` to the server, and gives its connection string; static. Ends the
 * program if that can't be done: a test that could not run must not look green. */
const char *pooler_start(int connections);

void pooler_stop(void);

#endif
