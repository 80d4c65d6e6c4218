/* The checker's judgement of an SQLite store: the same findings as checker.h, with SQL of its own.
 */
#ifndef TESTS_FAULT_CHECKER_SQLITE_H
#define TESTS_FAULT_CHECKER_SQLITE_H

#include "fault/checker.h"

/* `lines` the witness's file; `store` and `journal` paths. Everything must have been drained. */
checker_findings checker_run_sqlite(const char *lines, const char *store, const char *journal);

#endif
