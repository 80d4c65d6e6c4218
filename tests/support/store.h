/* A fresh, empty store for a test program, gone afterwards. */
#ifndef TESTS_SUPPORT_STORE_H
#define TESTS_SUPPORT_STORE_H

#include "conversation/status.h"
#include <stdbool.h>

/* Makes an empty database and gives its connection string; static, one at a time for each kind.
 * `kind` "sqlite": a file in a new temporary folder. "postgresql": a database of its own on the
 * server that CONVERSATION_TEST_STORE names (scripts/test starts one); the program ends with an
 * error if that is not set, because a test that could not run must not look green.
 * CONVERSATION_TEST_LOCALE, if set, is that database's locale instead of the server's. */
const char *test_store_create(const char *kind);

/* Drops the store that test_store_create made. */
void test_store_drop(const char *kind);

/* The kind that a contract suite is to run on: CONVERSATION_TEST_KIND, set by ctest. */
const char *test_store_kind(void);

/* Runs one SQL command (or many, separated by semicolons) beside the library, on a connection of
 * its own, in turn with the library's writers; ends the program on an error. */
void test_store_execute(const char *kind, const char *sql);

/* The first column of the first row as text, "" for NULL; static. Likewise beside the library. */
const char *test_store_value(const char *kind, const char *sql);

/* The same on the store of a contract suite; a count is a value as a number. */
void contract_execute(const char *sql);
const char *contract_value(const char *sql);
long contract_count(const char *format, ...) CONV_PRINTF(1, 2);

/* A trigger that refuses each usage record of the operation "poison"; `sqlstate` on PostgreSQL. */
void contract_poison(bool set, const char *sqlstate);

#endif
