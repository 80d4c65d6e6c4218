/* The public calls around health: each gathers what the rooms know and hands over. */
#include "client.h"

#include "core/error.h"
#include "services/provider_check.h"

#define ACTION_SAVES    "check saving"
#define ACTION_PROVIDER "check provider"
#define ACTION_READ     "read health"

enum { DEFAULT_PROVIDER_TIMEOUT_MS = 60000 };

conv_status conv_health_check_database_saves(conv_client *client, int64_t timeout_ms,
                                             conv_save_latency *latency, conv_error *error)
{
    if (latency != NULL) *latency = (conv_save_latency){CONV_UNKNOWN, CONV_UNKNOWN, CONV_UNKNOWN};
    conv_status status = conv__client_enter(client, ACTION_SAVES, error);
    if (status != CONV_OK) return status;
    if (timeout_ms < 0)
        status = conv__fail(error, CONV_INVALID_ARGUMENT, ACTION_SAVES, "the timeout is negative");
    else
        status = conv__health_check_saves(client->health, timeout_ms, latency, error);
    conv__client_leave(client);
    return status;
}

static conv_status check_provider(conv_client *client, int64_t timeout_ms, int64_t *latency_us,
                                  conv_error *error)
{
    if (timeout_ms < 0)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION_PROVIDER, "the timeout is negative");
    if (client->read_only)
        return conv__fail(error, CONV_STATE, ACTION_PROVIDER,
                          "the client was opened with read_only and could not record what it uses");
    if (timeout_ms == 0) timeout_ms = DEFAULT_PROVIDER_TIMEOUT_MS;
    conv_status status = conv__provider_check(&client->conversation, timeout_ms, latency_us, error);
    conv__provider_gauges gauges = conv__client_provider_gauges(client);
    conv__health_judge_provider(client->health, &gauges);
    return status;
}

conv_status conv_health_check_provider(conv_client *client, int64_t timeout_ms, int64_t *latency_us,
                                       conv_error *error)
{
    int64_t unused;
    if (latency_us == NULL) latency_us = &unused;
    *latency_us = CONV_UNKNOWN;
    conv_status status = conv__client_enter(client, ACTION_PROVIDER, error);
    if (status != CONV_OK) return status;
    status = check_provider(client, timeout_ms, latency_us, error);
    conv__client_leave(client);
    return status;
}

conv_status conv_health_read(conv_client *client, const conv_health_params *params,
                             conv_health **health, conv_error *error)
{
    static const conv_health_params defaults = CONV_HEALTH_PARAMS_INIT;
    if (health != NULL) *health = NULL;
    if (params == NULL) params = &defaults;
    conv_status status = conv__client_enter(client, ACTION_READ, error);
    if (status != CONV_OK) return status;
    if (health == NULL) {
        status = conv__fail(error, CONV_INVALID_ARGUMENT, ACTION_READ,
                            "there is nowhere to put the reading");
    } else if (params->size != sizeof *params || params->timeout_ms < 0 ||
               params->journal_age_ms < 0) {
        status = conv__fail(error, CONV_INVALID_ARGUMENT, ACTION_READ,
                            "the parameters were not begun with CONV_HEALTH_PARAMS_INIT, or a time "
                            "is negative");
    } else {
        conv__gauges gauges = conv__client_gauges(client);
        status = conv__health_read(client->health, params, &gauges, health, error);
    }
    conv__client_leave(client);
    return status;
}
