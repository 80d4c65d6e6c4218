/* Steps that change what passes them: one tidies the question, one answers by itself, one sends a
 * passage along that belongs to the question, one signs the reply. Usage: steps [STORE] */
#include <conversation/conversation.h>
#include <stdio.h>
#include <string.h>

/* What the user says, as it will be told to the provider and saved: without question marks behind
 * it. The other fields of the messages are kept, the ids among them. */
static conv_status tidy(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    const conv_turn *turn = conv_call_turn(call);
    conv_message messages[16];
    size_t count = turn->message_count;
    (void)context;
    if (count > 16) return conv_next_run(next, call, error);
    for (size_t i = 0; i < count; i++) {
        messages[i] = turn->messages[i];
        conv_bytes *text = &messages[i].content;
        while (text->size > 1 && text->data[text->size - 1] == '?' &&
               text->data[text->size - 2] == '?')
            text->size--;
    }
    conv_status status = conv_call_set_messages(call, messages, count, error);
    return status == CONV_OK ? conv_next_run(next, call, error) : status;
}

static bool asks(const conv_call *call, const char *word)
{
    const conv_turn *turn = conv_call_turn(call);
    conv_bytes text = turn->messages[turn->message_count - 1].content;
    size_t size = strlen(word);
    for (size_t at = 0; at + size <= text.size; at++)
        if (memcmp(text.data + at, word, size) == 0) return true;
    return false;
}

/* Nobody is asked, and the answer is saved like any other. The steps behind it are not run. */
static conv_status answer_itself(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    const conv_message answer = {.role = CONV_ROLE_ASSISTANT,
                                 .content = conv_text("From nine to five.")};
    (void)context;
    if (asks(call, "open")) return conv_call_answer(call, &answer, 1, NULL, error);
    return conv_next_run(next, call, error);
}

/* Behind the history a passage that was found; it is told, and saved nowhere. */
static conv_status send_passage(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    const conv_message *history = NULL;
    conv_message messages[101];
    size_t count = 0;
    (void)context;
    if (!asks(call, "refund")) return conv_next_run(next, call, error);
    conv_status status = conv_call_context(call, &history, &count, error);
    if (status != CONV_OK) return status;
    if (count > 100) count = 100;
    for (size_t i = 0; i < count; i++)
        messages[i] = history[i];
    messages[count++] =
        (conv_message){.role = CONV_ROLE_SYSTEM, .content = conv_text("Refunds take a week.")};
    status = conv_call_set_context(call, messages, count, error);
    return status == CONV_OK ? conv_next_run(next, call, error) : status;
}

/* The reply has come and is not saved yet. */
static conv_status sign(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    conv_status status = conv_next_run(next, call, error);
    size_t count = 0;
    const conv_message *reply = conv_call_reply(call, &count);
    char text[512];
    (void)context;
    if (status != CONV_OK || count != 1) return status;
    conv_message signed_one = reply[0];
    snprintf(text, sizeof text, "%.*s -- the shop", (int)reply[0].content.size,
             reply[0].content.data);
    signed_one.content = conv_text(text);
    return conv_call_set_reply(call, &signed_one, 1, error);
}

/* Says what it was told last but one: the passage, if there is one. */
static conv_status answer(void *context, const conv_provider_request *request,
                          conv_provider_response *response, conv_error *error)
{
    char text[512] = "I know nothing of that.";
    (void)context;
    (void)error;
    if (request->message_count > 1) {
        conv_bytes told = request->messages[request->message_count - 2].content;
        snprintf(text, sizeof text, "I was told: %.*s", (int)told.size, told.data);
    }
    const conv_message message = {.role = CONV_ROLE_ASSISTANT, .content = conv_text(text)};
    return conv_provider_response_message(response, &message);
}

static conv_status say(conv_client *client, const char *session, const char *text,
                       conv_error *error)
{
    conv_turn turn = CONV_TURN_INIT;
    conv_reply *reply = NULL;
    turn.session_id = session;
    turn.message = conv_text(text);
    conv_status status = conv_process_message(client, &turn, &reply, error);
    conv_reply_free(reply);
    return status;
}

/* As it was saved. */
static conv_status print_session(conv_client *client, const char *session, conv_error *error)
{
    conv_history_params params = CONV_HISTORY_PARAMS_INIT;
    conv_history *history = NULL;
    params.session_id = session;
    conv_status status = conv_history_read(client, &params, &history, error);
    for (size_t i = 0; status == CONV_OK && i < conv_history_count(history); i++)
        printf("%s: %s\n", conv_role_name(conv_history_message(history, i)->role),
               conv_history_message(history, i)->content.data);
    conv_history_free(history);
    return status;
}

int main(int count, char **arguments)
{
    conv_error error = CONV_ERROR_INIT;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = count > 1 ? arguments[1] : "sqlite:steps.db";
    conv_client *client = NULL;
    conv_middleware *tidying = NULL, *signing = NULL, *answering = NULL, *sending = NULL;

    conv_status status = conv_middleware_callback("tidy", tidy, NULL, &tidying, &error);
    if (status == CONV_OK) status = conv_middleware_callback("sign", sign, NULL, &signing, &error);
    if (status == CONV_OK)
        status = conv_middleware_callback("faq", answer_itself, NULL, &answering, &error);
    if (status == CONV_OK)
        status = conv_middleware_callback("passages", send_passage, NULL, &sending, &error);
    if (status == CONV_OK)
        status = conv_provider_callback("example", answer, NULL, &params.provider, &error);

    conv_middleware *const chain[] = {conv_middleware_validate_ids(),
                                      tidying,
                                      signing,
                                      answering,
                                      sending,
                                      conv_middleware_provider(),
                                      conv_middleware_save_to_database(),
                                      conv_middleware_track_usage(),
                                      conv_middleware_publish()};
    params.chain = chain;
    params.chain_count = sizeof chain / sizeof chain[0];
    if (status == CONV_OK) status = conv_client_open(&params, &client, &error);
    if (status == CONV_OK) status = say(client, "support-42", "When are you open???", &error);
    if (status == CONV_OK) status = say(client, "support-42", "And my refund?", &error);
    if (status == CONV_OK) status = print_session(client, "support-42", &error);
    if (status != CONV_OK) fprintf(stderr, "%s: %s\n", error.action, error.message);

    conv_client_close(client, 5000, NULL);
    conv_provider_free(params.provider);
    conv_middleware_free(tidying);
    conv_middleware_free(signing);
    conv_middleware_free(answering);
    conv_middleware_free(sending);
    return status == CONV_OK ? 0 : 1;
}
