/* See sqlstates.h. */
#include "fault/sqlstates.h"

#include <string.h>

const sqlstate_rule sqlstate_rules[] = {
    {NULL, SQLSTATE_AGAIN, true, NULL, NULL}, /* the connection is gone without a word */
    {"08000", SQLSTATE_AGAIN, true, NULL, NULL},
    {"08001", SQLSTATE_AGAIN, true, NULL, NULL},
    {"08003", SQLSTATE_AGAIN, true, NULL, NULL},
    {"08004", SQLSTATE_AGAIN, true, NULL, NULL},
    {"08006", SQLSTATE_AGAIN, true, NULL, NULL},
    {"08007", SQLSTATE_AGAIN, true, NULL, NULL},
    {"08007", SQLSTATE_AGAIN, false, NULL, NULL},
    {"40003", SQLSTATE_AGAIN, false, NULL, NULL},
    {"40000", SQLSTATE_KEEP, false, NULL, NULL},
    {"40002", SQLSTATE_KEEP, false, NULL, NULL},
    {"08P01", SQLSTATE_PAUSE, true, NULL, NULL},
    {"08P01", SQLSTATE_PAUSE, false, NULL, NULL},
    {"40001", SQLSTATE_AGAIN, false, NULL, NULL},
    {"40P01", SQLSTATE_AGAIN, false, NULL, NULL},
    {"57P01", SQLSTATE_AGAIN, true, NULL, NULL},
    {"57P02", SQLSTATE_AGAIN, true, NULL, NULL},
    {"57P03", SQLSTATE_AGAIN, true, NULL, NULL},
    {"57000", SQLSTATE_KEEP, false, NULL, NULL},
    {"57014", SQLSTATE_PAUSE, false, NULL, NULL},
    {"55P03", SQLSTATE_PAUSE, false, NULL, NULL},
    {"55006", SQLSTATE_PAUSE, false, NULL, NULL},
    {"55P02", SQLSTATE_KEEP, false, NULL, NULL},
    {"53000", SQLSTATE_PAUSE, false, NULL, NULL},
    {"53100", SQLSTATE_KEEP, false, NULL, NULL},
    {"53200", SQLSTATE_KEEP, false, NULL, NULL},
    {"53300", SQLSTATE_PAUSE, true, NULL, NULL},
    {"53400", SQLSTATE_PAUSE, false, NULL, NULL},
    {"25006", SQLSTATE_KEEP, false, NULL, NULL},
    {"25P02", SQLSTATE_AGAIN, false, NULL, NULL},
    {"25P03", SQLSTATE_AGAIN, true, NULL, NULL},
    {"25P04", SQLSTATE_AGAIN, true, NULL, NULL},
    {"57P05", SQLSTATE_AGAIN, true, NULL, NULL},
    {"26000", SQLSTATE_AGAIN, false, NULL, NULL},
    {"42P05", SQLSTATE_AGAIN, false, NULL, NULL},
    {"0A000", SQLSTATE_AGAIN, false, NULL, "cached plan must not change result type"},
    {"0A000", SQLSTATE_KEEP, false, NULL, NULL},
    {"23505", SQLSTATE_AGAIN, false, "chat_exchanges_pkey", NULL},
    {"23505", SQLSTATE_AGAIN, false, "chat_sessions_pkey", NULL},
    {"23505", SQLSTATE_AGAIN, false, "chat_users_pkey", NULL},
    {"23505", SQLSTATE_REFUSE, false, "other", NULL},
    {"22000", SQLSTATE_REFUSE, false, NULL, NULL},
    {"22001", SQLSTATE_REFUSE, false, NULL, NULL},
    {"22003", SQLSTATE_REFUSE, false, NULL, NULL},
    {"22008", SQLSTATE_REFUSE, false, NULL, NULL},
    {"22021", SQLSTATE_REFUSE, false, NULL, NULL},
    {"22023", SQLSTATE_REFUSE, false, NULL, NULL},
    {"22P02", SQLSTATE_REFUSE, false, NULL, NULL},
    {"22P05", SQLSTATE_REFUSE, false, NULL, NULL},
    {"21000", SQLSTATE_REFUSE, false, NULL, NULL},
    {"54000", SQLSTATE_REFUSE, false, NULL, NULL},
    {"54001", SQLSTATE_REFUSE, false, NULL, NULL},
    {"54011", SQLSTATE_KEEP, false, NULL, NULL},
    {"23000", SQLSTATE_REFUSE, false, NULL, NULL},
    {"23001", SQLSTATE_REFUSE, false, NULL, NULL},
    {"23502", SQLSTATE_REFUSE, false, NULL, NULL},
    {"23503", SQLSTATE_REFUSE, false, "other", NULL},
    {"23514", SQLSTATE_REFUSE, false, "other", NULL},
    {"23514", SQLSTATE_KEEP, false, NULL, NULL},
    {"23P01", SQLSTATE_REFUSE, false, NULL, NULL},
    {"P0000", SQLSTATE_REFUSE, false, NULL, NULL},
    {"P0001", SQLSTATE_REFUSE, false, NULL, NULL},
    {"P0002", SQLSTATE_REFUSE, false, NULL, NULL},
    {"P0003", SQLSTATE_REFUSE, false, NULL, NULL},
    {"P0004", SQLSTATE_REFUSE, false, NULL, NULL},
    {"28000", SQLSTATE_KEEP, true, NULL, NULL},
    {"28P01", SQLSTATE_KEEP, true, NULL, NULL},
    {"3D000", SQLSTATE_KEEP, true, NULL, NULL},
    {"3F000", SQLSTATE_KEEP, false, NULL, NULL},
    {"42P01", SQLSTATE_KEEP, false, NULL, NULL},
    {"42703", SQLSTATE_KEEP, false, NULL, NULL},
    {"42883", SQLSTATE_KEEP, false, NULL, NULL},
    {"42804", SQLSTATE_KEEP, false, NULL, NULL},
    {"42601", SQLSTATE_KEEP, false, NULL, NULL},
    {"42501", SQLSTATE_KEEP, false, NULL, NULL},
    {"55000", SQLSTATE_KEEP, false, NULL, NULL},
    {"57P04", SQLSTATE_KEEP, true, NULL, NULL},
    {"58000", SQLSTATE_KEEP, false, NULL, NULL},
    {"58030", SQLSTATE_KEEP, false, NULL, NULL},
    {"58P01", SQLSTATE_KEEP, false, NULL, NULL},
    {"58P02", SQLSTATE_KEEP, false, NULL, NULL},
    {"XX000", SQLSTATE_KEEP, false, NULL, NULL},
    {"XX001", SQLSTATE_KEEP, false, NULL, NULL},
    {"XX002", SQLSTATE_KEEP, false, NULL, NULL},
    {"72000", SQLSTATE_KEEP, false, NULL, NULL},
    {"99999", SQLSTATE_KEEP, false, NULL, NULL},
    {"F0000", SQLSTATE_KEEP, false, NULL, NULL},
    {"HV000", SQLSTATE_KEEP, false, NULL, NULL},
};

const size_t sqlstate_rule_count = sizeof sqlstate_rules / sizeof sqlstate_rules[0];

bool sqlstate_is_of_row(const char *sqlstate, sqlstate_action wanted)
{
    /* The connection, logging in, a read-only server, the database, the schema, resources, an
     * administrator, the server's disk, and its damaged files, to which nobody is to write. */
    static const char *const of_all[] = {"08", "25", "28", "3D",    "3F",   "42",
                                         "53", "57", "58", "XX001", "XX002"};
    if (wanted == SQLSTATE_AGAIN || wanted == SQLSTATE_PAUSE) return false;
    if (strcmp(sqlstate, "42501") == 0) return true; /* a policy that a row does not pass */
    for (size_t i = 0; i < sizeof of_all / sizeof of_all[0]; i++)
        if (strncmp(sqlstate, of_all[i], strlen(of_all[i])) == 0) return false;
    return true;
}
