/* Sessions as a whole: renamed, tagged, archived and deleted; and a user erased, with receipts of
 * what went and what was kept. Usage: sessions [STORE] */
#include <conversation/conversation.h>
#include <stdio.h>

static conv_status say(conv_client *client, const char *session, const char *text,
                       conv_error *error)
{
    conv_turn turn = CONV_TURN_INIT;
    conv_reply *reply = NULL;
    turn.session_id = session;
    turn.user_id = "ann@example.org";
    turn.message = conv_text(text);
    conv_status status = conv_process_message(client, &turn, &reply, error);
    conv_reply_free(reply);
    return status;
}

/* Everything about a session but its id can be changed; NULL leaves a value as it is. */
static conv_status label(conv_client *client, conv_error *error)
{
    conv_session_params params = CONV_SESSION_PARAMS_INIT;
    params.session_id = "order-4711";
    params.title = "A late order";
    conv_status status = conv_session_update(client, &params, error);
    if (status == CONV_OK) status = conv_session_tag(client, "order-4711", "shipping", error);
    if (status == CONV_OK) status = conv_session_tag(client, "order-4711", "urgent", error);
    if (status == CONV_OK) status = conv_session_untag(client, "order-4711", "urgent", error);
    return status;
}

static conv_status print_sessions(conv_client *client, conv_archived archived, conv_error *error)
{
    conv_session_filter filter = CONV_SESSION_FILTER_INIT;
    conv_session_page *page = NULL;
    filter.user_id = conv_text("ann@example.org");
    filter.archived = archived;
    conv_status status = conv_session_list(client, &filter, &page, error);
    for (size_t i = 0; status == CONV_OK && i < conv_session_page_count(page); i++) {
        const conv_session *session = conv_session_page_session(page, i);
        printf("%s %s: %s, %lld messages", archived == CONV_ARCHIVED_ONLY ? "archived" : "listed",
               session->external_id.data,
               session->title.data != NULL ? session->title.data : "no title",
               (long long)session->message_count);
        for (size_t tag = 0; tag < session->tag_count; tag++)
            printf(" #%s", session->tags[tag].data);
        putchar('\n');
    }
    conv_session_page_free(page);
    return status;
}

static void print_receipt(const char *what, const conv_delete_receipt *receipt)
{
    printf("%s: %lld session, %lld messages; kept: %lld usage records\n", what,
           (long long)receipt->sessions, (long long)receipt->messages,
           (long long)receipt->usage_kept);
}

/* One transaction. A second time there is nothing to delete, and that is said. */
static conv_status delete_one(conv_client *client, conv_error *error)
{
    conv_delete_receipt receipt;
    conv_status status = conv_session_delete(client, "order-4711", &receipt, error);
    if (status != CONV_OK) return status;
    print_receipt("deleted", &receipt);
    if (conv_session_delete(client, "order-4711", NULL, error) == CONV_NOT_FOUND)
        printf("again: %s\n", error->message);
    return CONV_OK;
}

/* All that the user said, in every session. What it cost is still in the ledger, under a name that
 * is written nowhere else. */
static conv_status erase(conv_client *client, conv_error *error)
{
    conv_erase_receipt receipt;
    conv_usage_filter filter = CONV_USAGE_FILTER_INIT;
    conv_usage_totals *totals = NULL;
    char pseudonym[CONV_UUID_TEXT_SIZE];
    conv_status status = conv_user_erase(client, "ann@example.org", &receipt, error);
    if (status != CONV_OK) return status;
    print_receipt("erased", &receipt.removed);
    conv_uuid_format(receipt.pseudonym, pseudonym);
    filter.user_id = conv_text(pseudonym);
    status = conv_usage_sum(client, &filter, CONV_USAGE_GROUP_NONE, &totals, error);
    if (status == CONV_OK)
        printf("the ledger has %lld records of somebody\n",
               (long long)conv_usage_totals_row(totals, 0)->records);
    conv_usage_totals_free(totals);
    return status;
}

int main(int count, char **arguments)
{
    conv_error error = CONV_ERROR_INIT;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = count > 1 ? arguments[1] : "sqlite:sessions.db";
    conv_client *client = NULL;
    conv_status status = conv_provider_echo(&params.provider, &error);
    if (status == CONV_OK) status = conv_client_open(&params, &client, &error);
    if (status == CONV_OK) status = say(client, "order-4711", "Where is my order?", &error);
    if (status == CONV_OK) status = say(client, "thanks", "It is here!", &error);
    if (status == CONV_OK) status = say(client, "thanks", "Thank you.", &error);
    if (status == CONV_OK) status = label(client, &error);
    if (status == CONV_OK) status = conv_session_archive(client, "order-4711", true, &error);
    if (status == CONV_OK) status = print_sessions(client, CONV_ARCHIVED_NOT, &error);
    if (status == CONV_OK) status = print_sessions(client, CONV_ARCHIVED_ONLY, &error);
    if (status == CONV_OK) status = delete_one(client, &error);
    if (status == CONV_OK) status = erase(client, &error);
    if (status != CONV_OK) fprintf(stderr, "%s: %s\n", error.action, error.message);
    conv_client_close(client, 5000, NULL);
    conv_provider_free(params.provider);
    return status == CONV_OK ? 0 : 1;
}
