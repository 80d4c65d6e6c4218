/* The SQL function zone_date(time, zone): the calendar day of a stored time in a zone that was
 * bound with conv__sqlite_bind_zone. */
#ifndef CONV__DB_SQLITE_ZONE_DATE_H
#define CONV__DB_SQLITE_ZONE_DATE_H

typedef struct sqlite3 sqlite3;

/* What a bound zone is called, so that no other pointer is taken for one. */
#define CONV__ZONE_POINTER "conv__zone"

/* Gives one of SQLite's result codes. */
int conv__zone_date_register(sqlite3 *database);

#endif
