/* From what the server answered to what the caller should do: a pure function, no connection. */
#ifndef CONV__DB_POSTGRES_SQLSTATE_H
#define CONV__DB_POSTGRES_SQLSTATE_H

#include <stdbool.h>

#include "conversation/status.h"

/* What is known of a failure. */
typedef struct conv__fault {
    const char *sqlstate;   /* NULL or empty: the connection broke without one */
    const char *constraint; /* which constraint was violated; NULL: the server named none */
    bool cached_plan;       /* the message speaks of a cached plan */
} conv__fault;

typedef struct conv__verdict {
    conv_status status;
    conv_recovery recovery;
    bool reconnect;       /* this connection is of no more use */
    bool unnamed;         /* named statements do not work here: a pooler is between */
    bool outcome_unknown; /* the server itself can't say whether it committed */
} conv__verdict;

/* Source of the codes: PostgreSQL, appendix A. What is not known here keeps the data and asks for a
 * person. */
conv__verdict conv__sqlstate_verdict(const conv__fault *fault);

/* Whether the message that comes with it is made by somebody's function (RAISE, an extension), not
 * by the server. */
bool conv__sqlstate_may_quote(const char *sqlstate);

/* A few words on what to do, for the end of an error message; NULL where there is nothing to say.
 */
const char *conv__sqlstate_advice(const char *sqlstate);

#endif
