/* How the checker reads a store: rows of texts, on a connection of its own, without the library.
 * All of one state of the store. */
#ifndef TESTS_FAULT_CHECKER_ROWS_H
#define TESTS_FAULT_CHECKER_ROWS_H

#include "fault/checker.h"

typedef struct checker_rows {
    void *link;
    void (*ask)(void *link, const char *sql);
    bool (*next)(void *link); /* false after the last row, which must be reached */
    const char *(*value)(void *link, int column); /* NULL for NULL; until the next row */
    void (*close)(void *link);
    const char *sums_sql; /* all tokens and all costs; 0 where there are none */
} checker_rows;

checker_rows checker_postgres_rows(const checker_params *params);
checker_rows checker_sqlite_rows(const char *path);

#endif
