/* Events of documents, on either store: each change is told once, with its record, after it is
 * committed, and not at all where nothing was changed. */
#include "support/document_client.h"
#include "support/test.h"

#include <stdlib.h>

/* As an operator's mistake would have it: the ledger goes, and comes back. */
#define TAKE_AWAY  "ALTER TABLE usage_logs RENAME TO usage_away"
#define BRING_BACK "ALTER TABLE usage_away RENAME TO usage_logs"

enum { KEPT = 32 };

static conv_client *teller; /* whose events are heard */
static conv_event told[KEPT];
static int told_count;
static int untrue;

/* Looks into the store, with a client of its own, whether it is so already. */
static void look(const conv_event *event)
{
    char id[CONV_UUID_TEXT_SIZE];
    char session[CONV_UUID_TEXT_SIZE];
    conv_document_page *page = NULL;
    conv_uuid_format(event->document_id, id);
    conv_uuid_format(event->session_id, session);
    conv_status status = conv_document_get(
        document_client, id, conv_uuid_is_nil(event->session_id) ? NULL : session, &page, NULL);
    bool gone = event->kind == CONV_EVENT_DOCUMENT_DELETED;
    if (status != (gone ? CONV_NOT_FOUND : CONV_OK)) untrue++;
    if (status == CONV_OK) {
        conv_bytes last = conv_document_page_document(page, 0)->last_operation;
        if (!conv_bytes_equal(last, conv_text(event->operation))) untrue++;
    }
    conv_document_page_free(page);
}

/* Synchronous, and all calls are made on one thread. */
static conv_status hear(void *context, const conv_event *event)
{
    (void)context;
    if (told_count < KEPT) told[told_count] = *event;
    told_count++;
    if ((CONV_EVENT_SET(event->kind) & CONV_EVENTS_DOCUMENT) != 0) look(event);
    return CONV_OK;
}

static int setup(void **state)
{
    uint64_t subscription = 0;
    conv_subscription_params params = CONV_SUBSCRIPTION_PARAMS_INIT;
    if (document_client_clear(state) != 0) return -1;
    told_count = untrue = 0;
    teller = document_client_open();
    params.handler = hear;
    assert_ok(conv_event_subscribe(teller, &params, &subscription, &document_error),
              document_error);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    conv_client *closing = teller;
    teller = NULL;
    return conv_client_close(closing, 5000, NULL) == CONV_OK ? 0 : -1;
}

static bool is_id(conv_uuid id, const char *text)
{
    return conv_uuid_compare(id, conv_uuid_ensure(conv_text(text))) == 0;
}

static void assert_told(int index, conv_event_kind kind, const char *operation)
{
    char text[CONV_EVENT_TEXT_SIZE];
    if (index >= told_count) fail_msg("only %d events were told", told_count);
    const conv_event *event = &told[index];
    conv_event_format(event, text, sizeof text);
    if (event->kind != kind || strcmp(event->operation, operation) != 0)
        fail_msg("not %s of %s, but %s", conv_event_kind_name(kind), operation, text);
    assert_true(is_id(event->document_id, "a document"));
    assert_true(is_id(event->session_id, "a session"));
    assert_true(is_id(event->user_id, "ann"));
    assert_string_equal(event->service, "documents");
    assert_null(strstr(text, "contract.pdf"));
    assert_null(strstr(text, "a document"));
}

/* The event of the change, and that of its record, which follows. */
static void assert_change(int index, conv_event_kind kind, const char *operation)
{
    assert_told(index, kind, operation);
    assert_told(index + 1, CONV_EVENT_USAGE_RECORDED, operation);
    assert_int_equal(conv_uuid_compare(told[index].log_id, told[index + 1].log_id), 0);
}

static void register_one(conv_status wanted, int64_t size_bytes)
{
    conv_document_params params = document_params("a document", "a session");
    params.size_bytes = size_bytes;
    assert_status(conv_document_register(teller, &params, NULL, &document_error), wanted,
                  document_error);
}

static conv_operation *begin(const char *operation)
{
    conv_operation *begun = NULL;
    conv_usage known = document_usage(operation, "a document", "a session");
    known.model = conv_text("embedder");
    assert_ok(conv_operation_begin(teller, &known, &begun, &document_error), document_error);
    return begun;
}

static void end(conv_operation *operation, conv_status wanted)
{
    conv_usage used = CONV_USAGE_INIT;
    used.input_tokens = 1000000;
    used.output_tokens = 0;
    assert_status(conv_operation_end(operation, &used, &document_error), wanted, document_error);
}

static void delete_one(conv_status wanted)
{
    assert_status(conv_document_delete(teller, "a document", "a session", NULL, &document_error),
                  wanted, document_error);
}

static void each_change_is_told_once_and_after_it_is_true(void **state)
{
    (void)state;
    register_one(CONV_OK, 0);
    register_one(CONV_OK, 0); /* a repeat */
    conv_operation *operation = begin("embed");
    end(operation, CONV_OK);
    end(operation, CONV_STATE);
    assert_ok(conv_operation_free(operation, &document_error), document_error);
    delete_one(CONV_OK);
    delete_one(CONV_NOT_FOUND);
    assert_int_equal(told_count, 6);
    assert_change(0, CONV_EVENT_DOCUMENT_REGISTERED, "upload");
    assert_change(2, CONV_EVENT_DOCUMENT_PROCESSED, "embed");
    assert_change(4, CONV_EVENT_DOCUMENT_DELETED, "delete");
    assert_int_equal(told[2].input_tokens, 1000000);
    assert_true(told[2].priced);
    assert_string_equal(told[2].model, "embedder");
    assert_int_equal(untrue, 0);
}

static void what_fails_is_not_told(void **state)
{
    (void)state;
    register_one(CONV_INVALID_ARGUMENT, -1);
    delete_one(CONV_NOT_FOUND);
    register_one(CONV_OK, 0);
    register_one(CONV_CONFLICT, 1);
    assert_int_equal(told_count, 2);
    conv_operation *operation = begin("parse");
    contract_execute(TAKE_AWAY);
    assert_int_not_equal(conv_operation_end(operation, NULL, &document_error), CONV_OK);
    conv_document_params params = document_params("another", "a session");
    assert_int_not_equal(conv_document_register(teller, &params, NULL, &document_error), CONV_OK);
    assert_int_not_equal(
        conv_document_delete(teller, "a document", "a session", NULL, &document_error), CONV_OK);
    contract_execute(BRING_BACK);
    assert_int_equal(told_count, 2);
    end(operation, CONV_OK);
    assert_ok(conv_operation_free(operation, &document_error), document_error);
    assert_int_equal(told_count, 4);
    assert_change(2, CONV_EVENT_DOCUMENT_PROCESSED, "parse");
    assert_int_equal(untrue, 0);
}

static void register_as(const char *id, const char *session_id, const char *user_id)
{
    conv_document_params params = document_params(id, session_id);
    params.user_id = user_id;
    assert_ok(conv_document_register(teller, &params, NULL, &document_error), document_error);
}

/* Told once, with nothing but its names. */
static void assert_gone(const char *id, const char *session_id, const char *user_id)
{
    int found = 0;
    for (int i = 0; i < told_count; i++) {
        const conv_event *event = &told[i];
        if (event->kind != CONV_EVENT_DOCUMENT_DELETED || !is_id(event->document_id, id) ||
            !is_id(event->session_id, session_id))
            continue;
        found++;
        assert_true(is_id(event->user_id, user_id));
        assert_true(conv_uuid_is_nil(event->log_id));
        assert_string_equal(event->operation, "");
        assert_true(event->input_tokens == CONV_UNKNOWN);
        assert_false(event->priced);
    }
    assert_int_equal(found, 1);
}

static void those_that_go_with_their_session_are_told_each(void **state)
{
    (void)state;
    conv_delete_receipt receipt;
    register_as("a document", "a session", "ann");
    register_as("another", "a session", NULL);
    register_as("a document", "elsewhere", "ann");
    told_count = 0;
    contract_execute(TAKE_AWAY);
    assert_int_not_equal(conv_session_delete(teller, "a session", NULL, &document_error), CONV_OK);
    contract_execute(BRING_BACK);
    assert_int_equal(told_count, 0);
    assert_ok(conv_session_delete(teller, "a session", &receipt, &document_error), document_error);
    assert_int_equal(receipt.documents, 2);
    assert_int_equal(told_count, 3);
    assert_gone("a document", "a session", "ann");
    assert_gone("another", "a session", NULL);
    assert_int_equal(told[2].kind, CONV_EVENT_SESSION_DELETED);
    assert_int_equal(untrue, 0);
    assert_status(conv_session_delete(teller, "a session", NULL, &document_error), CONV_NOT_FOUND,
                  document_error);
    assert_int_equal(told_count, 3);
}

static void those_that_go_with_their_user_are_told_each(void **state)
{
    (void)state;
    conv_erase_receipt receipt;
    conv_session_params session = CONV_SESSION_PARAMS_INIT;
    conv_session_page *page = NULL;
    session.session_id = "ann's session";
    session.user_id = "ann";
    assert_ok(conv_session_create(teller, &session, &page, &document_error), document_error);
    conv_session_page_free(page);
    register_as("a document", "ann's session", "bob");
    register_as("another", "a session", "ann");
    register_as("a third", NULL, "ann");
    register_as("a document", "a session", "bob");
    told_count = 0;
    assert_ok(conv_user_erase(teller, "ann", &receipt, &document_error), document_error);
    assert_int_equal(receipt.removed.documents, 3);
    assert_int_equal(told_count, 4);
    assert_gone("a document", "ann's session", "bob");
    assert_gone("another", "a session", "ann");
    assert_gone("a third", NULL, "ann");
    assert_int_equal(told[3].kind, CONV_EVENT_USER_ERASED);
    assert_int_equal(untrue, 0);
}

static void without_its_document_only_the_record_is_told(void **state)
{
    (void)state;
    conv_operation *operation = begin("search");
    end(operation, CONV_NOT_FOUND);
    assert_ok(conv_operation_free(operation, &document_error), document_error);
    assert_int_equal(told_count, 1);
    assert_told(0, CONV_EVENT_USAGE_RECORDED, "search");
    operation = begin("given up");
    assert_ok(conv_operation_free(operation, &document_error), document_error);
    assert_int_equal(told_count, 2);
    assert_told(1, CONV_EVENT_USAGE_RECORDED, "given up");
}

static void an_operation_that_is_given_up_is_told(void **state)
{
    (void)state;
    register_one(CONV_OK, 10);
    told_count = 0;
    assert_ok(conv_operation_free(begin("parse"), &document_error), document_error);
    assert_int_equal(told_count, 2);
    assert_told(0, CONV_EVENT_DOCUMENT_PROCESSED, "parse");
    assert_int_equal(told[0].outcome, CONV_OUTCOME_INTERRUPTED);
    assert_told(1, CONV_EVENT_USAGE_RECORDED, "parse");
}

static char *metric(const char *name)
{
    char line[96];
    conv_metrics *metrics = NULL;
    assert_ok(conv_metrics_read(teller, CONV_METRICS_PROMETHEUS, &metrics, &document_error),
              document_error);
    snprintf(line, sizeof line, "\n%s ", name);
    const char *at = strstr(conv_metrics_text(metrics), line);
    assert_non_null(at);
    at += strlen(line);
    char *value = strndup(at, strcspn(at, "\n"));
    conv_metrics_free(metrics);
    return value;
}

static void assert_metric(const char *name, const char *sql)
{
    char *value = metric(name);
    document_assert_value(sql, value);
    free(value);
}

static void the_metrics_count_their_records(void **state)
{
    (void)state;
    register_one(CONV_OK, 0);
    conv_operation *operation = begin("embed");
    end(operation, CONV_OK);
    assert_ok(conv_operation_free(operation, &document_error), document_error);
    delete_one(CONV_OK);
    assert_metric("conversation_tokens_total{type=\"input\"}",
                  "SELECT sum(input_tokens) FROM usage_logs");
    assert_metric("conversation_usage_records_total{priced=\"true\"}",
                  "SELECT count(cost_usd) FROM usage_logs");
    assert_metric("conversation_usage_records_total{priced=\"false\"}",
                  "SELECT count(*) - count(cost_usd) FROM usage_logs");
    char *cost = metric("conversation_cost_usd_total");
    assert_string_equal(cost, "0.02");
    free(cost);
    for (int kind = CONV_EVENT_DOCUMENT_REGISTERED; kind <= CONV_EVENT_DOCUMENT_DELETED; kind++) {
        char name[96];
        snprintf(name, sizeof name, "conversation_events_total{event=\"%s\"}",
                 conv_event_kind_name((conv_event_kind)kind));
        assert_metric(name, "SELECT 1");
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_change_is_told_once_and_after_it_is_true),
        TEST(what_fails_is_not_told),
        TEST(those_that_go_with_their_session_are_told_each),
        TEST(those_that_go_with_their_user_are_told_each),
        TEST(without_its_document_only_the_record_is_told),
        TEST(an_operation_that_is_given_up_is_told),
        TEST(the_metrics_count_their_records),
    };
    return RUN_TESTS_WITH("document events", tests, document_client_setup,
                          document_client_teardown);
}
