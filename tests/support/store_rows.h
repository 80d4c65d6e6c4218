/* Reading a store beside the library, by libpq or sqlite3 alone. On the main thread only. */
#ifndef TESTS_SUPPORT_STORE_ROWS_H
#define TESTS_SUPPORT_STORE_ROWS_H

#include <stddef.h>

/* All rows of a question, a line for each, columns with a tab between; on the heap, followed by a
 * NUL that `size` (may be NULL) does not count. `url` is what test_store_create gave. Ends the
 * program on an error. */
char *store_rows(const char *kind, const char *url, const char *sql, size_t *size);

/* Every column of every row of every table and view of the database, likewise; binary columns in
 * hexadecimal digits. */
char *store_everything(const char *kind, const char *url, size_t *size);

/* All binary columns of PostgreSQL, as text wherever they are text; of SQLite nothing, as its files
 * hold them as they are. */
char *store_binaries(const char *kind, const char *url, size_t *size);

#endif
