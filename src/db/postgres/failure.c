/* From a failed result or a broken link to a conv_error. It must show no text of a message: what
 * the server says of refused values stays out. */
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "db/postgres/libpq.h"
#include "db/postgres/message.h"
#include "db/postgres/sqlstate.h"

/* What the server knows of a failure, with empty texts where it said nothing. */
typedef struct details {
    char sqlstate[6];
    char constraint[64];
    char text[CONV_MESSAGE_SIZE];
    bool has_constraint;
    bool cached_plan;
} details;

static const char *field(const PGresult *result, int code)
{
    const char *value = PQresultErrorField(result, code);
    return value == NULL ? "" : value;
}

/* Messages of class 22 quote the value that they refuse; those of a trigger or an extension, with
 * codes of their own, may quote anything. */
static void set_text(details *what, const char *message)
{
    if (strncmp(what->sqlstate, "22", 2) == 0)
        snprintf(what->text, sizeof what->text, "the server refuses a value (sqlstate %s)",
                 what->sqlstate);
    else if (conv__sqlstate_may_quote(what->sqlstate))
        snprintf(what->text, sizeof what->text,
                 "the server refuses it (sqlstate %s); its log says why", what->sqlstate);
    else
        conv__message_one_line(message, what->text, sizeof what->text);
}

static void read_result(const PGresult *result, details *what)
{
    const char *message = field(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
    snprintf(what->sqlstate, sizeof what->sqlstate, "%s", field(result, PG_DIAG_SQLSTATE));
    snprintf(what->constraint, sizeof what->constraint, "%s", constraint == NULL ? "" : constraint);
    what->has_constraint = constraint != NULL;
    what->cached_plan = strstr(message, "cached plan") != NULL;
    /* An error that libpq itself made has neither SQLSTATE nor primary message. */
    set_text(what, message[0] == '\0' ? PQresultErrorMessage(result) : message);
}

static void read_link(const conv__connection *connection, details *what)
{
    memcpy(what->sqlstate, connection->last_words_state, sizeof what->sqlstate);
    const char *message = connection->last_words;
    if (message[0] == '\0') message = PQerrorMessage(connection->link);
    if (message[0] == '\0') message = "the connection was lost";
    set_text(what, message);
}

conv_status conv__connection_failure(conv__connection *connection, const PGresult *result,
                                     const char *action, conv_error *error)
{
    details what = {.text = ""};
    if (result != NULL) read_result(result, &what);
    /* The link's own end says less than what the server said before it. */
    if (what.sqlstate[0] == '\0') read_link(connection, &what);
    conv__fault fault = {what.sqlstate, what.has_constraint ? what.constraint : NULL,
                         what.cached_plan};
    conv__verdict verdict = conv__sqlstate_verdict(&fault);
    if (verdict.reconnect || PQstatus(connection->link) != CONNECTION_OK) connection->broken = true;
    if (verdict.unnamed) atomic_store(connection->unnamed, true);

    const char *advice = conv__sqlstate_advice(what.sqlstate);
    conv_error made;
    conv__fail(&made, verdict.status, action, "%s%s%s", what.text, advice == NULL ? "" : "; ",
               advice == NULL ? "" : advice);
    made.recovery = verdict.recovery;
    made.outcome_unknown = verdict.outcome_unknown;
    memcpy(made.sqlstate, what.sqlstate, sizeof made.sqlstate);
    if (error != NULL) *error = made;
    return verdict.status;
}

void conv__failure_without_data(conv_error *error)
{
    if (error == NULL || error->recovery != CONV_RECOVERY_REJECT) return;
    error->status = CONV_UNAVAILABLE;
    error->recovery = CONV_RECOVERY_OPERATOR;
}

conv_status conv__connection_timeout(conv__connection *connection, const char *action,
                                     conv_error *error)
{
    connection->broken = true;
    conv__fail(error, CONV_TIMEOUT, action, "the server did not answer before the deadline");
    if (error != NULL) error->recovery = CONV_RECOVERY_RETRY;
    return CONV_TIMEOUT;
}
