#include "support/document_client.h"

#include "support/contract_client.h"
#include "support/store.h"
#include "support/test.h"

conv_client *document_client;
conv_error document_error;

static conv_client *open_client(const char *journal)
{
    const conv_price price = {.model = "embedder", .input = "0.02", .output = "0.02"};
    conv_client_params params = contract_client_params();
    params.tracker_records = 1000;
    params.prices = &price;
    params.price_count = 1;
    params.journal = journal;
    return contract_client_open(&params);
}

conv_client *document_client_open(void)
{
    return open_client(NULL);
}

int document_client_setup(void **state)
{
    if (contract_client_setup(state) != 0) return -1;
    document_client = open_client(contract_client_journal());
    return 0;
}

int document_client_teardown(void **state)
{
    contract_client_close(&document_client);
    return contract_client_teardown(state);
}

int document_client_clear(void **state)
{
    (void)state;
    document_error = (conv_error)CONV_ERROR_INIT;
    assert_ok(conv_track_flush(document_client, 5000, NULL, &document_error), document_error);
    contract_execute("DELETE FROM chat_documents; DELETE FROM usage_logs");
    return 0;
}

conv_document_params document_params(const char *id, const char *session_id)
{
    conv_document_params params = CONV_DOCUMENT_PARAMS_INIT;
    params.document_id = id;
    params.session_id = session_id;
    params.user_id = "ann";
    params.name = conv_text("contract.pdf");
    params.media_type = conv_text("application/pdf");
    params.size_bytes = 4096;
    return params;
}

void document_registered(const char *id, const char *session_id)
{
    conv_document_params params = document_params(id, session_id);
    assert_ok(conv_document_register(document_client, &params, NULL, &document_error),
              document_error);
}

conv_document_page *document_get(const char *id, const char *session_id)
{
    conv_document_page *page = NULL;
    assert_ok(conv_document_get(document_client, id, session_id, &page, &document_error),
              document_error);
    assert_int_equal(conv_document_page_count(page), 1);
    assert_false(conv_document_page_has_more(page));
    assert_null(conv_document_page_document(page, 1));
    return page;
}

conv_usage document_usage(const char *operation, const char *id, const char *session_id)
{
    conv_usage usage = CONV_USAGE_INIT;
    usage.operation = conv_text(operation);
    usage.document_id = conv_text(id);
    usage.session_id = conv_text(session_id);
    usage.user_id = conv_text("ann");
    return usage;
}

conv_operation *document_begin(const conv_usage *known)
{
    conv_operation *operation = NULL;
    assert_ok(conv_operation_begin(document_client, known, &operation, &document_error),
              document_error);
    return operation;
}

void document_assert_value(const char *sql, const char *wanted)
{
    const char *got = contract_value(sql);
    if (strcmp(got, wanted) != 0) fail_msg("%s: %s, not %s", sql, got, wanted);
}
