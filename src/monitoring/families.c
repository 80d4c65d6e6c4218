/* Names of metrics and of causes. Counts nothing. */
#include "monitoring/families.h"

#include <stddef.h>
#include <string.h>

const conv__family conv__families[CONV__FAMILIES] = {
#define FAMILY(symbol, name, type, unit, meaning) {name, CONV__##type, unit, meaning},
    CONV__FAMILY_MAP(FAMILY)
#undef FAMILY
};

const char *conv__family_type_name(conv__family_type type)
{
    static const char *const names[] = {"counter", "gauge", "histogram", "info"};
    return names[type];
}

/* Source of the classes: PostgreSQL appendix A. */
static const struct {
    const char *class;
    const char *name;
} classes[] = {
    {"08", "connection_exception"},
    {"22", "data_exception"},
    {"23", "integrity_constraint_violation"},
    {"25", "invalid_transaction_state"},
    {"28", "invalid_authorization"},
    {"40", "transaction_rollback"},
    {"42", "syntax_or_access_rule"},
    {"53", "insufficient_resources"},
    {"54", "program_limit_exceeded"},
    {"55", "object_not_in_prerequisite_state"},
    {"57", "operator_intervention"},
    {"58", "system_error"},
    {"XX", "internal_error"},
    {"", "other_sqlstate"},
};

static const char *const statuses[] = {
    "ok",       "invalid_argument", "not_found", "conflict",  "limit",    "permission", "state",
    "bad_data", "unavailable",      "timeout",   "cancelled", "provider", "no_memory",  "internal",
};

enum {
    CLASSES = sizeof classes / sizeof classes[0],
    STATUSES = sizeof statuses / sizeof statuses[0]
};
_Static_assert(CLASSES + STATUSES == CONV__CAUSES, "each cause has a name");

int conv__cause_of(conv_status status, const char *sqlstate)
{
    if (sqlstate[0] != '\0') {
        int at = 0;
        while (at < CLASSES - 1 && strncmp(classes[at].class, sqlstate, 2) != 0)
            at++;
        return at;
    }
    return CLASSES + ((unsigned)status < STATUSES ? (int)status : CONV_INTERNAL);
}

const char *conv__cause_name(int cause)
{
    return cause < CLASSES ? classes[cause].name : statuses[cause - CLASSES];
}
