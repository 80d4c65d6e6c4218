/* Sending of several statements in one round trip, and reading what comes back. */
#ifndef CONV__DB_POSTGRES_PIPELINE_H
#define CONV__DB_POSTGRES_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "conversation/status.h"
#include "db/postgres/connection.h"
#include "db/postgres/parameters.h"
#include "db/postgres/result.h"
#include "db/postgres/statement.h"

/* Takes the rows of one statement. Runs before it is known whether the transaction commits. */
typedef conv_status (*conv__receiver)(void *context, const conv__result *result, conv_error *error);

/* One execution of a statement, in a list. */
typedef struct conv__operation {
    struct conv__operation *next;
    const conv__statement *statement;
    conv__parameters parameters;
    conv__receiver receive; /* NULL: its rows are of no interest */
    void *context;
} conv__operation;

typedef enum conv__bracket_begin {
    CONV__BEGIN_NOT,     /* a transaction is open already, or each statement is its own */
    CONV__BEGIN_WRITE,   /* READ COMMITTED: a later statement sees what committed meanwhile */
    CONV__BEGIN_SNAPSHOT /* all statements see the same moment, and write nothing */
} conv__bracket_begin;

/* What goes around the operations. */
typedef struct conv__bracket {
    conv__bracket_begin begin;
    bool commit;
} conv__bracket;

/* Sends BEGIN, the operations and COMMIT as `bracket` says, and one Sync; reads while it sends.
 * Each receiver runs as its rows come. CONV_OK only when all went well, and with `commit` only on
 * the command tag COMMIT and the Sync's answer. After a failure no transaction is open any more, or
 * the connection is broken. error->outcome_unknown: the connection broke, or the deadline passed,
 * after COMMIT could have reached the server. `action` names what is done for errors where no
 * operation is concerned. */
CONV_WARN_UNUSED conv_status conv__pipeline_run(conv__connection *connection,
                                                const conv__operation *first, conv__bracket bracket,
                                                const char *action, int64_t deadline_ns,
                                                conv_error *error);

/* Ends an open transaction without a trace; the connection is broken if that fails. */
void conv__pipeline_rollback(conv__connection *connection);

#endif
