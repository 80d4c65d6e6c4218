/* Asking the provider only to find out whether it answers. */
#ifndef CONV__SERVICES_PROVIDER_CHECK_H
#define CONV__SERVICES_PROVIDER_CHECK_H

#include "services/conversation.h"

/* See conv_health_check_provider; `latency_us` receives how long it took, once it was asked. */
CONV_WARN_UNUSED conv_status conv__provider_check(const conv__conversation *service,
                                                  int64_t timeout_ms, int64_t *latency_us,
                                                  conv_error *error);

#endif
