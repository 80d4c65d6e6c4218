/* Goes on with a long session within a small context: the provider makes a summary of what was said
 * before. The provider is a function here; yours would be conv_provider_openai.
 * Usage: summaries [STORE] */
#include <conversation/conversation.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static conv_error error;

static void check(conv_status status)
{
    if (status == CONV_OK) return;
    fprintf(stderr, "%s: %s\n", error.action, error.message);
    exit(1);
}

/* Asked for a summary it gives one, otherwise it says how much it was told. */
static conv_status answer(void *context, const conv_provider_request *request,
                          conv_provider_response *response, conv_error *failure)
{
    char text[64];
    (void)context;
    (void)failure;
    snprintf(text, sizeof text, "I was told %zu messages.", request->message_count);
    conv_message message = {.role = CONV_ROLE_ASSISTANT, .content = conv_text(text)};
    if (strncmp(request->messages[0].content.data, "You summarize", 13) == 0)
        message.content = conv_text("{\"summary\": \"An order is late.\", "
                                    "\"key_points\": [\"order 4711\"]}");
    return conv_provider_response_message(response, &message);
}

static void say(conv_client *client, const char *text)
{
    conv_turn turn = CONV_TURN_INIT;
    conv_reply *reply = NULL;
    turn.session_id = "support-42";
    turn.message = conv_text(text);
    check(conv_process_message(client, &turn, &reply, &error));
    printf("%s\n", conv_reply_text(reply));
    conv_reply_free(reply);
}

int main(int count, char **arguments)
{
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    conv_client *client = NULL;
    params.store = count > 1 ? arguments[1] : "sqlite:summaries.db";
    params.context_tokens = 200; /* what is told of the history; summary_tokens = 1000 would let
                                    turns ask for summaries by themselves */
    check(conv_provider_callback("example", answer, NULL, &params.provider, &error));
    check(conv_client_open(&params, &client, &error));
    say(client, "Where is order 4711?");
    say(client, "It was due on Monday.");

    conv_summary_page *page = NULL;
    check(conv_summary_make(client, "support-42", &page, &error));
    printf("summary: %s\n", conv_summary_page_summary(page, 0)->text.data);
    conv_summary_page_free(page);

    say(client, "And now?"); /* the summary and the question */

    /* All that were ever made are kept; a page of one: the latest. */
    conv_summary_filter filter = CONV_SUMMARY_FILTER_INIT;
    filter.session_id = "support-42";
    filter.limit = 1;
    check(conv_summary_list(client, &filter, &page, &error));
    const conv_summary *latest = conv_summary_page_summary(page, 0);
    printf("up to message %lld: %s\n", (long long)latest->last_position, latest->key_points.data);
    conv_summary_page_free(page);
    check(conv_client_close(client, 5000, &error));
    conv_provider_free(params.provider);
    return 0;
}
