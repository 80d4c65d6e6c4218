/* Prints a reply while it comes, and stops listening after a while: what came is saved all the
 * same, as an interrupted turn. Usage: streaming [STORE] */
#include <conversation/conversation.h>
#include <stdio.h>

static int print_delta(void *context, conv_bytes delta)
{
    size_t *left = context;
    fwrite(delta.data, 1, delta.size, stdout);
    fflush(stdout);
    if (delta.size >= *left) return 1; /* enough: anything but 0 stops the provider */
    *left -= delta.size;
    return 0;
}

int main(int count, char **arguments)
{
    conv_error error = CONV_ERROR_INIT;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = count > 1 ? arguments[1] : "sqlite:streaming.db";
    conv_client *client = NULL;
    conv_reply *reply = NULL;
    size_t wanted_bytes = 20;

    conv_turn turn = CONV_TURN_INIT;
    turn.message = conv_text("Say all of this again, word by word, until I have heard enough.");
    turn.on_delta = print_delta;
    turn.delta_context = &wanted_bytes;

    conv_status status = conv_provider_echo(&params.provider, &error);
    if (status == CONV_OK) status = conv_client_open(&params, &client, &error);
    if (status == CONV_OK) status = conv_process_message(client, &turn, &reply, &error);
    if (status == CONV_CANCELLED && reply != NULL)
        printf("\n%s: \"%s\" is saved in session %s\n", conv_outcome_name(conv_reply_status(reply)),
               conv_reply_text(reply), conv_reply_session_id(reply));
    else
        fprintf(stderr, "%s: %s\n", error.action, error.message);

    conv_reply_free(reply);
    conv_client_close(client, 5000, NULL);
    conv_provider_free(params.provider);
    return status == CONV_CANCELLED ? 0 : 1;
}
