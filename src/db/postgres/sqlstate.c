/* The table of what each SQLSTATE means for the caller. It must stay pure: no libpq, no state. */
#include "db/postgres/sqlstate.h"

#include <stddef.h>
#include <string.h>

/* `code` is a whole SQLSTATE or the beginning of one; the longest that fits wins. */
typedef struct rule {
    const char *code;
    conv_status status;
    conv_recovery recovery;
    bool reconnect;
    bool unnamed;
    bool outcome_unknown;
} rule;

#define AGAIN    CONV_RECOVERY_RETRY
#define PAUSE    CONV_RECOVERY_BACKOFF
#define AWAY     CONV_RECOVERY_WAIT
#define OPERATOR CONV_RECOVERY_OPERATOR
#define REJECT   CONV_RECOVERY_REJECT

static const rule rules[] = {
    {"08", CONV_UNAVAILABLE, AGAIN, true, false, false},
    {"08007", CONV_UNAVAILABLE, AGAIN, true, false, true},
    {"08P01", CONV_UNAVAILABLE, PAUSE, true, false, false}, /* PgBouncer's general error */
    {"40001", CONV_UNAVAILABLE, AGAIN, false, false, false},
    {"40003", CONV_UNAVAILABLE, AGAIN, true, false, true},
    {"40P01", CONV_UNAVAILABLE, AGAIN, false, false, false},
    {"57P01", CONV_UNAVAILABLE, AGAIN, true, false, false},
    {"57P02", CONV_UNAVAILABLE, AGAIN, true, false, false},
    {"57P03", CONV_UNAVAILABLE, AGAIN, true, false, false},
    {"57014", CONV_TIMEOUT, PAUSE, false, false, false},
    {"55P03", CONV_TIMEOUT, PAUSE, false, false, false},
    {"55006", CONV_UNAVAILABLE, PAUSE, false, false, false},
    {"53", CONV_LIMIT, PAUSE, false, false, false},
    {"53100", CONV_LIMIT, OPERATOR, false, false, false},
    {"53200", CONV_LIMIT, OPERATOR, false, false, false},
    {"53300", CONV_LIMIT, PAUSE, true, false, false},
    {"25006", CONV_UNAVAILABLE, AWAY, true, false, false},
    {"25P02", CONV_UNAVAILABLE, AGAIN, true, false, false},
    {"25P03", CONV_UNAVAILABLE, AGAIN, true, false, false},
    {"25P04", CONV_UNAVAILABLE, AGAIN, true, false, false},
    {"57P05", CONV_UNAVAILABLE, AGAIN, true, false, false},
    {"26000", CONV_UNAVAILABLE, AGAIN, false, true, false},
    {"42P05", CONV_UNAVAILABLE, AGAIN, false, true, false},
    {"22", CONV_BAD_DATA, REJECT, false, false, false},
    {"21000", CONV_BAD_DATA, REJECT, false, false, false},
    {"23", CONV_BAD_DATA, REJECT, false, false, false},
    {"54000", CONV_BAD_DATA, REJECT, false, false, false},
    {"54001", CONV_BAD_DATA, REJECT, false, false, false}, /* jsonb nested too deeply */
    {"P0", CONV_BAD_DATA, REJECT, false, false, false},
    {"28", CONV_PERMISSION, OPERATOR, false, false, false},
    {"3D000", CONV_NOT_FOUND, OPERATOR, false, false, false},
    {"3F000", CONV_STATE, OPERATOR, false, false, false},
    {"42P01", CONV_STATE, OPERATOR, false, false, false},
    {"42703", CONV_STATE, OPERATOR, false, false, false},
    {"42883", CONV_STATE, OPERATOR, false, false, false},
    {"42804", CONV_STATE, OPERATOR, false, false, false},
    {"42601", CONV_STATE, OPERATOR, false, false, false},
    {"42501", CONV_PERMISSION, OPERATOR, false, false, false},
    {"55000", CONV_STATE, OPERATOR, false, false, false},
    {"57P04", CONV_NOT_FOUND, OPERATOR, true, false, false},
    {"58", CONV_UNAVAILABLE, OPERATOR, false, false, false},
    {"XX000", CONV_UNAVAILABLE, OPERATOR, false, false, false},
    {"XX001", CONV_BAD_DATA, OPERATOR, false, false, false},
    {"XX002", CONV_BAD_DATA, OPERATOR, false, false, false},
};

static const rule broken = {"", CONV_UNAVAILABLE, AGAIN, true, false, false};
static const rule unknown = {"", CONV_UNAVAILABLE, OPERATOR, false, false, false};
static const rule stale_plan = {"0A000", CONV_UNAVAILABLE, AGAIN, true, false, false};
static const rule own_key = {"23505", CONV_UNAVAILABLE, AGAIN, false, false, false};
static const rule no_partition = {"23514", CONV_STATE, OPERATOR, false, false, false};

/* Keys whose rows are inserted only if they are not there: one that stands in the way was committed
 * in between, so the same save again finds it and compares. Only that comparison can tell a
 * conflict. */
static bool is_own_key(const char *constraint)
{
    static const char *const keys[] = {"chat_exchanges_pkey", "chat_sessions_pkey",
                                       "chat_users_pkey"};
    for (size_t i = 0; constraint != NULL && i < sizeof keys / sizeof keys[0]; i++)
        if (strcmp(constraint, keys[i]) == 0) return true;
    return false;
}

static const rule *find(const conv__fault *fault)
{
    const char *sqlstate = fault->sqlstate;
    if (sqlstate == NULL || sqlstate[0] == '\0') return &broken;
    if (strcmp(sqlstate, "0A000") == 0 && fault->cached_plan) return &stale_plan;
    if (strcmp(sqlstate, "23505") == 0 && is_own_key(fault->constraint)) return &own_key;
    /* A row that fits no partition is a check violation that names no constraint. */
    if (strcmp(sqlstate, "23514") == 0 && fault->constraint == NULL) return &no_partition;
    const rule *best = &unknown;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        size_t size = strlen(rules[i].code);
        if (strncmp(sqlstate, rules[i].code, size) == 0 && size > strlen(best->code))
            best = &rules[i];
    }
    return best;
}

conv__verdict conv__sqlstate_verdict(const conv__fault *fault)
{
    const rule *best = find(fault);
    return (conv__verdict){best->status, best->recovery, best->reconnect, best->unnamed,
                           best->outcome_unknown};
}

bool conv__sqlstate_may_quote(const char *sqlstate)
{
    /* Source: PostgreSQL, appendix A, "Class P0 - PL/pgSQL Error"; classes that begin with 5 to 9
     * or I to Z are free for other uses, but for those that the server has there. */
    static const char *const own[] = {"53", "54", "55", "57", "58", "72", "XX"};
    const char *first = sqlstate;
    if (first[0] == '\0') return false;
    if (strncmp(first, "P0", 2) == 0) return true;
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (strncmp(first, own[i], strlen(own[i])) == 0) return false;
    return (first[0] >= '5' && first[0] <= '9') || (first[0] >= 'I' && first[0] <= 'Z');
}

#define NOT_OURS                                                                                   \
    "the schema is not this library's: run `conversation migrate`; if that says up to date, "      \
    "restore what was changed"

const char *conv__sqlstate_advice(const char *sqlstate)
{
    static const struct {
        const char *code;
        const char *advice;
    } advices[] = {
        {"21000", "is the log id of its usage record that of another exchange of the session? give "
                  "it a new one"},
        {"08P01", "a pooler between may have refused; look into its log"},
        {"25006", "the server takes no writes: is it a standby?"},
        {"28", "check the user and the password (PGPASSWORD, ~/.pgpass)"},
        {"3D000", "create the database, or correct its name"},
        {"3F000", "create the schema, or correct the user's search_path"},
        {"42P01", "a table of the schema is missing or not visible: run `conversation migrate`; if "
                  "that says up to date, restore the table or correct the user's search_path"},
        {"42703", NOT_OURS},
        {"42883", NOT_OURS},
        {"42804", NOT_OURS},
        {"42501", "grant this user the right"},
        {"53100", "make room on the server's disk"},
        {"53200", "the server is out of memory"},
        {"53300", "lower `connections`, or raise the server's max_connections"},
        {"57014", "the time was up before the server was done"},
        {"55P03", "somebody else held a lock for too long"},
        {"57P01", "the server, or its administrator, ended the connection"},
        {"57P03", "the server is starting up or shutting down"},
        {"57P04", "the database was dropped"},
        {"XX001", "the server's files are damaged: stop writing and look into its log"},
        {"XX002", "the server's files are damaged: stop writing and look into its log"},
    };
    for (size_t i = 0; sqlstate != NULL && i < sizeof advices / sizeof advices[0]; i++)
        if (strncmp(sqlstate, advices[i].code, strlen(advices[i].code)) == 0)
            return advices[i].advice;
    return NULL;
}
