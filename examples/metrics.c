/* Metrics: saves a turn and prints what a scrape of /metrics would answer. Usage: metrics [STORE]
 */
#include <conversation/conversation.h>
#include <stdio.h>

static conv_status run(conv_client *client, conv_error *error)
{
    conv_turn turn = CONV_TURN_INIT;
    turn.message = conv_text("Hello");
    conv_reply *reply = NULL;
    conv_metrics *metrics = NULL;
    conv_status status = conv_process_message(client, &turn, &reply, error);
    if (status == CONV_OK)
        status = conv_metrics_read(client, CONV_METRICS_PROMETHEUS, &metrics, error);
    if (status == CONV_OK)
        printf("Content-Type: %s\n\n%s", conv_metrics_content_type(CONV_METRICS_PROMETHEUS),
               conv_metrics_text(metrics));
    conv_metrics_free(metrics);
    conv_reply_free(reply);
    return status;
}

int main(int count, char **arguments)
{
    conv_error error = CONV_ERROR_INIT;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = count > 1 ? arguments[1] : "sqlite:metrics.db";
    conv_client *client = NULL;
    conv_status status = conv_provider_echo(&params.provider, &error);
    if (status == CONV_OK) status = conv_client_open(&params, &client, &error);
    if (status == CONV_OK) status = run(client, &error);
    if (status != CONV_OK) fprintf(stderr, "%s: %s\n", error.action, error.message);
    conv_client_close(client, 5000, NULL);
    conv_provider_free(params.provider);
    return status == CONV_OK ? 0 : 1;
}
