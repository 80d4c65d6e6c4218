#include <conversation/conversation.h>
#include <stdio.h>

int main(void)
{
    conv_error error = CONV_ERROR_INIT;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = "sqlite:app.db"; /* or "postgresql://localhost/app" */
    conv_turn turn = CONV_TURN_INIT;
    turn.session_id = "support-42"; /* any string */
    turn.message = conv_text("Where is my order?");

    conv_client *client = NULL;
    conv_reply *reply = NULL;
    if (conv_provider_echo(&params.provider, &error) == CONV_OK && /* or conv_provider_openai */
        conv_client_open(&params, &client, &error) == CONV_OK &&
        conv_process_message(client, &turn, &reply, &error) == CONV_OK)
        puts(conv_reply_text(reply)); /* both messages and the usage record are saved */
    else
        fprintf(stderr, "%s: %s\n", error.action, error.message);
    conv_reply_free(reply);
    conv_client_close(client, 5000, NULL);
    conv_provider_free(params.provider);
    return error.status;
}
