/* Edits a question, reads both branches and how they hang together, and finds what was said in
 * either. Usage: branches [STORE] */
#include <conversation/conversation.h>
#include <stdio.h>
#include <stdlib.h>

static conv_error error;

static void check(conv_status status)
{
    if (status == CONV_OK) return;
    fprintf(stderr, "%s: %s\n", error.action, error.message);
    exit(1);
}

static void say(conv_client *client, const char *text, conv_uuid instead_of)
{
    conv_turn turn = CONV_TURN_INIT;
    conv_reply *reply = NULL;
    turn.session_id = "support-42";
    turn.user_id = "user-123";
    if (text != NULL) turn.message = conv_text(text);
    turn.instead_of = instead_of;
    check(conv_process_message(client, &turn, &reply, &error));
    conv_reply_free(reply);
}

/* Where in the page a message is, from 1; 0: nowhere, as what begins the session goes on after
 * none. */
static size_t place_of(const conv_history *history, conv_uuid message_id)
{
    for (size_t i = 0; i < conv_history_count(history); i++)
        if (conv_uuid_compare(conv_history_message(history, i)->message_id, message_id) == 0)
            return i + 1;
    return 0;
}

/* All that was said, in the order in which it came, and which message each goes on after. */
static void print_tree(conv_client *client)
{
    conv_history_params params = CONV_HISTORY_PARAMS_INIT;
    conv_history *history = NULL;
    params.session_id = "support-42";
    check(conv_history_read(client, &params, &history, &error));
    for (size_t i = 0; i < conv_history_count(history); i++)
        printf("message %zu goes on after %zu\n", i + 1,
               place_of(history, conv_history_parent(history, i)));
    conv_history_free(history);
}

/* Prints one branch and gives the id of its first message. */
static conv_uuid print_branch(conv_client *client, conv_uuid last)
{
    conv_history_params params = CONV_HISTORY_PARAMS_INIT;
    conv_history *history = NULL;
    params.session_id = "support-42";
    params.branch = true;
    params.last = last;
    check(conv_history_read(client, &params, &history, &error));
    for (size_t i = 0; i < conv_history_count(history); i++) {
        const conv_message *message = conv_history_message(history, i);
        printf("%s: %s\n", conv_role_name(message->role), message->content.data);
    }
    conv_uuid first = conv_history_message(history, 0)->message_id;
    conv_history_free(history);
    return first;
}

int main(int count, char **arguments)
{
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    conv_client *client = NULL;
    conv_uuid none = {{0}};
    params.store = count > 1 ? arguments[1] : "sqlite:branches.db";
    check(conv_provider_echo(&params.provider, &error));
    check(conv_client_open(&params, &client, &error));

    say(client, "Where is my oder?", none);
    conv_uuid question = print_branch(client, none);
    say(client, "Where is my order?", question); /* the edited question */
    print_branch(client, none);                  /* the newest branch */
    print_tree(client);
    check(conv_session_tag(client, "support-42", "shipping", &error));

    conv_search_params search = CONV_SEARCH_PARAMS_INIT;
    conv_search_page *page = NULL;
    search.query = conv_text("order");
    check(conv_search(client, &search, &page, &error));
    printf("%zu messages say order\n", conv_search_page_count(page));
    conv_search_page_free(page);

    conv_erase_receipt receipt;
    check(conv_user_erase(client, "user-123", &receipt, &error));
    printf("erased %lld messages, kept %lld usage records\n", (long long)receipt.removed.messages,
           (long long)receipt.removed.usage_kept);

    check(conv_client_close(client, 5000, &error));
    conv_provider_free(params.provider);
    return 0;
}
