/* The application's own function answers, with prices; then the history is read back, and what it
 * cost. Usage: own_provider [STORE] */
#include <conversation/conversation.h>
#include <stdio.h>

/* Answers every question in the same way. It may be called from many threads at once. */
static conv_status answer(void *context, const conv_provider_request *request,
                          conv_provider_response *response, conv_error *error)
{
    (void)context;
    (void)error;
    conv_message message = {0};
    message.role = CONV_ROLE_ASSISTANT;
    message.content = conv_text("Forty-two.");
    conv_usage usage = CONV_USAGE_INIT;
    usage.input_tokens = 12 * (int64_t)request->message_count;
    usage.output_tokens = 4;
    conv_status status = conv_provider_response_message(response, &message);
    return status == CONV_OK ? conv_provider_response_usage(response, &usage) : status;
}

static conv_status ask(conv_client *client, const char *question, conv_error *error)
{
    conv_turn turn = CONV_TURN_INIT;
    turn.session_id = "the-answer";
    turn.user_id = "arthur";
    turn.message = conv_text(question);
    conv_reply *reply = NULL;
    conv_status status = conv_process_message(client, &turn, &reply, error);
    conv_reply_free(reply);
    return status;
}

static conv_status print_history(conv_client *client, conv_error *error)
{
    conv_history_params params = CONV_HISTORY_PARAMS_INIT;
    params.session_id = "the-answer";
    conv_history *history = NULL;
    conv_status status = conv_history_read(client, &params, &history, error);
    for (size_t i = 0; status == CONV_OK && i < conv_history_count(history); i++) {
        const conv_message *message = conv_history_message(history, i);
        printf("%-9s  ", conv_role_name(message->role));
        fwrite(message->content.data, 1, message->content.size, stdout);
        putchar('\n');
    }
    conv_history_free(history);
    return status;
}

static conv_status print_cost(conv_client *client, conv_error *error)
{
    conv_usage_totals *totals = NULL;
    conv_status status = conv_usage_sum(client, NULL, CONV_USAGE_GROUP_NONE, &totals, error);
    if (status == CONV_OK) {
        const conv_usage_total *total = conv_usage_totals_row(totals, 0);
        char cost[CONV_DECIMAL_TEXT_SIZE];
        conv_decimal_format(total->cost_usd, cost);
        printf("%lld tokens, %s USD\n", (long long)total->total_tokens, cost);
    }
    conv_usage_totals_free(totals);
    return status;
}

int main(int count, char **arguments)
{
    conv_error error = CONV_ERROR_INIT;
    const conv_price price = {.model = "deep-thought*", .input = "0.15", .output = "0.60"};
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = count > 1 ? arguments[1] : "sqlite:own_provider.db";
    params.model = "deep-thought-1";
    params.prices = &price;
    params.price_count = 1;
    conv_client *client = NULL;

    conv_status status =
        conv_provider_callback("deep-thought", answer, NULL, &params.provider, &error);
    if (status == CONV_OK) status = conv_client_open(&params, &client, &error);
    if (status == CONV_OK) status = ask(client, "What is the answer?", &error);
    if (status == CONV_OK) status = ask(client, "And the question?", &error);
    if (status == CONV_OK) status = print_history(client, &error);
    if (status == CONV_OK) status = print_cost(client, &error);
    if (status != CONV_OK) fprintf(stderr, "%s: %s\n", error.action, error.message);

    conv_client_close(client, 5000, NULL);
    conv_provider_free(params.provider);
    return status == CONV_OK ? 0 : 1;
}
