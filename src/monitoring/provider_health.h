/* What the calls to the providers say of them. Asks nobody. */
#ifndef CONV__MONITORING_PROVIDER_HEALTH_H
#define CONV__MONITORING_PROVIDER_HEALTH_H

#include "conversation/health.h"
#include "services/provider_calls.h"

/* What is known when somebody looks. */
typedef struct conv__provider_gauges {
    size_t asked; /* how many providers were asked so far */
    conv__provider_record worst;
} conv__provider_gauges;

/* Judges, and says why in `message`. `configured`: the client has a provider of its own. */
conv_health_state conv__provider_health(const conv__provider_gauges *gauges, bool configured,
                                        char message[CONV_MESSAGE_SIZE]);

#endif
