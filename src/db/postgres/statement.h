/* A static statement. All of a repository's SQL stands in tables of these. */
#ifndef CONV__DB_POSTGRES_STATEMENT_H
#define CONV__DB_POSTGRES_STATEMENT_H

#include <stdbool.h>

/* Each parameter's type is said in the SQL by a cast ($1::uuid[]), so that what is sent in binary
 * can't be taken for another type. A NULL name ends a table. */
typedef struct conv__statement {
    const char *name;   /* of the prepared statement, unique in the library */
    const char *action; /* what is under way, for errors: "save exchange" */
    int parameters;
    /* Never a named statement: the best plan hangs on which filters are set, or how much there is. */
    bool planned_anew;
    const char *sql;
} conv__statement;

/* Makes the end of a transaction that writes nothing wait for the synchronous standbys, as that of
 * one which writes does. What somebody else committed can be seen before it has reached them: when
 * its own wait was cut off, nobody may be told that it is safe for having been seen. Does it where
 * it is reached, that is, in a SELECT list for rows that are there. Source: PostgreSQL,
 * "Asynchronous Commit" and SyncRepWaitForLSN, which needs a transaction id. */
#define CONV__WAIT_FOR_STANDBYS "(SELECT pg_logical_emit_message(true, 'conversation', ''))"

#endif
