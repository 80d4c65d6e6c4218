/* Deletion and erasure beside the ledger, on either store: documents and summaries go too, and the
 * daily summary, the ledger and the sessions go on agreeing. */
#include "support/test.h"

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/store.h"

static conv_provider *echo;
static conv_client *client;
static void (*meanwhile)(void); /* while the provider makes a summary; NULL: nothing */

static conv_status summarize(void *context, const conv_provider_request *request,
                             conv_provider_response *response, conv_error *error)
{
    (void)context;
    (void)request;
    (void)error;
    if (meanwhile != NULL) meanwhile();
    const conv_message message = {.role = CONV_ROLE_ASSISTANT,
                                  .content = conv_text("{\"summary\": \"they talked\"}")};
    conv_usage usage = CONV_USAGE_INIT;
    usage.total_tokens = 11;
    conv_status status = conv_provider_response_usage(response, &usage);
    return status == CONV_OK ? conv_provider_response_message(response, &message) : status;
}

static int setup(void **state)
{
    conv_error error;
    if (contract_client_setup(state) != 0) return -1;
    assert_ok(conv_provider_callback("summarizer", summarize, NULL, &echo, &error), error);
    conv_client_params params = contract_client_params();
    params.provider = echo;
    client = contract_client_open(&params);
    return 0;
}

static int teardown(void **state)
{
    contract_client_close(&client);
    conv_provider_free(echo);
    return contract_client_teardown(state);
}

static void save(const char *session, const char *user)
{
    conv_message messages[2] = {{.role = CONV_ROLE_USER, .content = conv_text("question")},
                                {.role = CONV_ROLE_ASSISTANT, .content = conv_text("answer")}};
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    conv_error error;
    exchange.session_id = session;
    exchange.user_id = user;
    exchange.messages = messages;
    exchange.message_count = 2;
    exchange.usage.input_tokens = 3;
    exchange.usage.output_tokens = 4;
    exchange.usage.total_tokens = 7;
    assert_ok(conv_save_exchange(client, &exchange, NULL, &error), error);
}

static void add_document(const char *id, const char *session, const char *user)
{
    conv_document_params params = CONV_DOCUMENT_PARAMS_INIT;
    conv_error error;
    params.document_id = id;
    params.session_id = session;
    params.user_id = user;
    params.name = conv_text("a name");
    params.size_bytes = 5;
    assert_ok(conv_document_register(client, &params, NULL, &error), error);
}

static void make_summary(const char *session)
{
    conv_summary_page *page = NULL;
    conv_error error;
    assert_ok(conv_summary_make(client, session, &page, &error), error);
    assert_int_equal(conv_summary_page_count(page), 1);
    conv_summary_page_free(page);
}

static void refresh(void)
{
    conv_error error;
    assert_ok(conv_usage_refresh(client, NULL, NULL, &error), error);
}

static void assert_agrees(void)
{
    conv_reconciliation *result = NULL;
    conv_error error;
    assert_ok(conv_reconcile(client, NULL, &result, &error), error);
    if (!conv_reconciliation_agrees(result))
        fail_msg("%zu differences, the first in %s", conv_reconciliation_count(result),
                 conv_reconciliation_difference(result, 0)->relation.data);
    conv_reconciliation_free(result);
}

/* What daily_usage_summary and the ledger say; the view is refreshed on PostgreSQL alone. */
static long summed(const char *of)
{
    return contract_count("SELECT coalesce(sum(%s), 0) FROM daily_usage_summary", of);
}

static void a_deleted_session_leaves_its_sums(void **state)
{
    (void)state;
    conv_error error;
    conv_delete_receipt receipt;
    save("ends", "u");
    save("ends", "u");
    save("stays", "u");
    make_summary("ends");
    add_document("d-1", "ends", "u");
    add_document("d-2", "ends", "another");
    add_document("d-1", "stays", "u");
    refresh();
    assert_agrees();
    long records = contract_count("SELECT count(*) FROM usage_logs");
    long tokens = summed("total_tokens");
    assert_ok(conv_session_delete(client, "ends", &receipt, &error), error);
    assert_int_equal(receipt.sessions, 1);
    assert_int_equal(receipt.messages, 4);
    assert_int_equal(receipt.exchanges, 2);
    assert_int_equal(receipt.summaries, 1);
    assert_int_equal(receipt.documents, 2);
    assert_int_equal(receipt.usage_kept, 5); /* exchanges, uploads, and the summary's */
    assert_agrees();
    refresh();
    assert_agrees();
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs"), records);
    assert_int_equal(summed("count"), records);
    assert_int_equal(summed("total_tokens"), tokens);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_documents"), 1);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_sessions_summary"), 0);
    /* Nothing but a document: it is deleted, too, and its upload stays. */
    add_document("d-3", "never begun", "u");
    assert_ok(conv_session_delete(client, "never begun", &receipt, &error), error);
    assert_int_equal(receipt.sessions, 0);
    assert_int_equal(receipt.documents, 1);
    assert_status(conv_session_delete(client, "never begun", &receipt, &error), CONV_NOT_FOUND,
                  error);
    assert_agrees();
}

static void an_erased_user_leaves_the_sums_of_nobody(void **state)
{
    (void)state;
    conv_error error;
    conv_erase_receipt receipt;
    save("own", "erased");
    save("own", "guest");
    save("shared", "host");
    save("shared", "erased");
    make_summary("own");
    make_summary("shared");
    add_document("e-1", "own", "guest");
    add_document("e-2", "shared", "erased");
    add_document("e-3", NULL, "erased");
    add_document("e-4", "shared", "host");
    refresh();
    assert_agrees();
    long records = contract_count("SELECT count(*) FROM usage_logs");
    long tokens = summed("total_tokens");
    long documents = contract_count("SELECT count(*) FROM chat_documents");
    assert_ok(conv_user_erase(client, "erased", &receipt, &error), error);
    assert_int_equal(receipt.removed.sessions, 1);
    assert_int_equal(receipt.removed.messages, 6);
    assert_int_equal(receipt.removed.summaries, 2);
    assert_int_equal(receipt.removed.documents, 3);
    /* Two exchanges, two uploads, and the summary of the user's own session. */
    assert_int_equal(receipt.removed.usage_kept, 5);
    assert_agrees();
    refresh();
    assert_agrees();
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs"), records);
    assert_int_equal(summed("count"), records);
    assert_int_equal(summed("total_tokens"), tokens);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_documents"), documents - 3);
    char id[CONV_UUID_TEXT_SIZE];
    conv_uuid_format(conv_uuid_ensure(conv_text("erased")), id);
    static const char *const tables[] = {"usage_logs", "chat_messages", "chat_sessions",
                                         "chat_users", "chat_documents"};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        assert_int_equal(
            contract_count("SELECT count(*) FROM %s WHERE user_id = '%s'", tables[i], id), 0);
    /* A user of whom there is nothing but a document. */
    add_document("e-5", "shared", "uploader");
    assert_ok(conv_user_erase(client, "uploader", &receipt, &error), error);
    assert_int_equal(receipt.removed.documents, 1);
    assert_int_equal(receipt.removed.usage_kept, 1);
    assert_agrees();
    conv_uuid_format(receipt.pseudonym, id);
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs WHERE user_id = '%s'", id), 1);
}

static void erase_alice(void)
{
    conv_error error;
    assert_ok(conv_user_erase(client, "alice", NULL, &error), error);
}

static void erase_bob(void)
{
    conv_error error;
    assert_ok(conv_user_erase(client, "bob", NULL, &error), error);
}

static void begin_anew(void)
{
    conv_error error;
    assert_ok(conv_session_delete(client, "talk", NULL, &error), error);
    save("talk", "carol");
}

/* No summary is kept of what goes meanwhile; what it cost is. */
static void assert_not_kept(void (*what)(void))
{
    conv_summary_page *page = NULL;
    conv_error error;
    long records = contract_count("SELECT count(*) FROM usage_logs WHERE service = 'summary'");
    meanwhile = what;
    assert_int_equal(conv_summary_make(client, "talk", &page, &error), CONV_NOT_FOUND);
    meanwhile = NULL;
    assert_null(page);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_sessions_summary"), 0);
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs WHERE service = 'summary'"),
                     records + 1);
}

static void words_that_go_meanwhile_do_not_come_back_in_a_summary(void **state)
{
    (void)state;
    conv_error error;
    char id[CONV_UUID_TEXT_SIZE];
    save("talk", "alice");
    save("talk", "bob");
    assert_not_kept(erase_bob);
    /* The session is hers, and so is what its summary cost: the record is of nobody. */
    assert_not_kept(erase_alice);
    conv_uuid_format(conv_uuid_ensure(conv_text("alice")), id);
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs WHERE user_id = '%s'", id), 0);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_users WHERE user_id = '%s'", id), 0);
    save("talk", "alice");
    assert_not_kept(begin_anew);
    /* His words may be in the earlier summary alone, which goes with them. */
    save("talk", "bob");
    make_summary("talk");
    save("talk", "carol");
    assert_not_kept(erase_bob);
    make_summary("talk");
    assert_ok(conv_session_delete(client, "talk", NULL, &error), error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deleted_session_leaves_its_sums),
        cmocka_unit_test(an_erased_user_leaves_the_sums_of_nobody),
        cmocka_unit_test(words_that_go_meanwhile_do_not_come_back_in_a_summary),
    };
    return RUN_TESTS_WITH("erase and ledger", tests, setup, teardown);
}
