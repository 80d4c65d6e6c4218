/* Health: asks whether messages are really being saved, and answers as a load balancer wants it.
 * Usage: health [STORE] */
#include <conversation/conversation.h>
#include <stdio.h>

static conv_status run(conv_client *client, conv_error *error)
{
    conv_save_latency latency;
    conv_health *health = NULL;
    conv_status status = conv_health_check_database_saves(client, 0, &latency, error);
    if (status != CONV_OK) return status;
    printf("saved in %.1f ms\n", (double)latency.write_us / 1000);

    /* One question, which a provider may charge for: by hand or rarely, never at each probe. */
    int64_t provider_us = 0;
    status = conv_health_check_provider(client, 5000, &provider_us, error);
    if (status != CONV_OK) return status;
    printf("answered in %.1f ms\n", (double)provider_us / 1000);

    status = conv_health_read(client, NULL, &health, error);
    if (status != CONV_OK) return status;
    for (size_t i = 0; i < conv_health_check_count(health); i++) {
        const conv_health_check *check = conv_health_check_at(health, i);
        printf("%-15s %-9s %s\n", check->name, conv_health_state_name(check->state),
               check->message);
    }
    /* A store that is away is no reason to restart this process, but one to send it no more. */
    printf("GET /livez  %d\n", conv_health_is_live(health) ? 200 : 503);
    printf("GET /readyz %d\n", conv_health_is_ready(health) ? 200 : 503);
    conv_health_free(health);
    return CONV_OK;
}

int main(int count, char **arguments)
{
    conv_error error = CONV_ERROR_INIT;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = count > 1 ? arguments[1] : "sqlite:health.db";
    conv_client *client = NULL;
    conv_status status = conv_provider_echo(&params.provider, &error);
    if (status == CONV_OK) status = conv_client_open(&params, &client, &error);
    if (status == CONV_OK) status = run(client, &error);
    if (status != CONV_OK) fprintf(stderr, "%s: %s\n", error.action, error.message);
    conv_client_close(client, 5000, NULL);
    conv_provider_free(params.provider);
    return status == CONV_OK ? 0 : 1;
}
