/* A PgBouncer of the test's own before a database. */
#ifndef TESTS_SUPPORT_POOLER_H
#define TESTS_SUPPORT_POOLER_H

/* Starts one with `connections` to the server of that connection string, which are a client's for a
 * "transaction" or a "session", and gives its own string; static. Ends the program if that can't be
 * done: a test that could not run must not look green. */
const char *pooler_start(const char *store, const char *mode, int connections);

void pooler_stop(void);

#endif
