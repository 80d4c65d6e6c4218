/* The SQL aggregate decimal_sum(text): exact sums of amounts, as SQLite's own shell has it. */
#ifndef CONV__DB_SQLITE_DECIMAL_SUM_H
#define CONV__DB_SQLITE_DECIMAL_SUM_H

typedef struct sqlite3 sqlite3;

/* Gives one of SQLite's result codes. */
int conv__decimal_sum_register(sqlite3 *database);

#endif
