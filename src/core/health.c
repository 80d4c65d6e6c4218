/* Names of health states. Looks at nothing. */
#include "conversation/health.h"

const char *conv_health_state_name(conv_health_state state)
{
    static const char *const names[] = {"unknown", "ok", "degraded", "failing"};
    return (unsigned)state <= CONV_HEALTH_FAILING ? names[state] : "unknown";
}
