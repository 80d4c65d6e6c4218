/* Names of roles and outcomes. The names are stored and sent: they never change. */
#include "conversation/message.h"

#include <stddef.h>

static const char *const role_names[] = {
    [CONV_ROLE_NONE] = "none",           [CONV_ROLE_SYSTEM] = "system",
    [CONV_ROLE_DEVELOPER] = "developer", [CONV_ROLE_USER] = "user",
    [CONV_ROLE_ASSISTANT] = "assistant", [CONV_ROLE_TOOL] = "tool",
};

#define ROLE_COUNT (sizeof role_names / sizeof role_names[0])

const char *conv_role_name(conv_role role)
{
    return (size_t)role < ROLE_COUNT ? role_names[role] : role_names[CONV_ROLE_NONE];
}

conv_role conv_role_parse(conv_bytes name)
{
    for (size_t role = CONV_ROLE_SYSTEM; role < ROLE_COUNT; role++) {
        if (conv_bytes_equal(name, conv_text(role_names[role]))) return (conv_role)role;
    }
    return CONV_ROLE_NONE;
}

const char *conv_outcome_name(conv_outcome outcome)
{
    switch (outcome) {
    case CONV_OUTCOME_INTERRUPTED:
        return "interrupted";
    case CONV_OUTCOME_FAILED:
        return "failed";
    case CONV_OUTCOME_COMPLETE:
        break;
    }
    return "complete";
}
