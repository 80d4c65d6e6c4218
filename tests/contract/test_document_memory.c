/* Each allocation of the document service fails, once and for ever: said as such, nothing is left,
 * and nothing is half done. */
#include "support/contract_store.h"
#include "support/failing_memory.h"
#include "support/store.h"
#include "support/test.h"

#include "services/documents.h"
#include "services/sessions.h"
#include "services/tracking.h"

static conv_error error;

static conv_document_params params_of(void)
{
    static conv_usage upload = CONV_USAGE_INIT;
    conv_document_params params = CONV_DOCUMENT_PARAMS_INIT;
    upload.raw = conv_text("{\"a\": \"\\u0000\"}");
    params.document_id = "a \xFF document";
    params.session_id = "a \xFF session";
    params.user_id = "a \xFF user";
    params.name = conv_view("\0", 1);
    params.metadata = "{\"b\": \"\\ud800\"}";
    params.sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    params.upload = &upload;
    return params;
}

static conv_status track(void)
{
    conv_usage usage = CONV_USAGE_INIT;
    usage.operation = conv_text("parse \xFF");
    usage.document_id = conv_text("a \xFF document");
    usage.session_id = conv_text("a \xFF session");
    conv__usage_complete(NULL, &usage);
    return conv__documents_track(contract_store(), NULL, contract_deadline(), &usage, &error);
}

/* What a connection of PostgreSQL keeps for its next transaction. */
enum { SPARE_BUFFERS = 1 };

static conv_status use_all(void *context)
{
    (void)context;
    conv__store *store = contract_store();
    conv_document_params params = params_of();
    conv_document_page *pages[3] = {NULL, NULL, NULL};
    int64_t deadline = contract_deadline();
    conv_status status =
        conv__documents_register(store, NULL, NULL, deadline, &params, &pages[0], &error);
    if (status == CONV_OK) status = track();
    if (status == CONV_OK)
        status = conv__documents_get(store, deadline, params.document_id, params.session_id,
                                     &pages[1], &error);
    if (status == CONV_OK) status = conv__documents_list(store, deadline, NULL, &pages[2], &error);
    for (int i = 0; i < 3; i++)
        conv_document_page_free(pages[i]);
    if (status == CONV_OK)
        status = conv__documents_delete(store, NULL, deadline, params.document_id,
                                        params.session_id, NULL, &error);
    return status;
}

static void each_allocation_fails(void **state)
{
    (void)state;
    assert_ok(use_all(NULL), error);
    assert_true(failing_memory_run_keeping(use_all, NULL, SPARE_BUFFERS) > 10);
    test_store_execute(test_store_kind(), "DELETE FROM chat_documents; DELETE FROM usage_logs");
    assert_ok(use_all(NULL), error);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_documents"), 0);
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_fails),
    };
    return RUN_TESTS_WITH("document memory", tests, contract_setup, contract_teardown);
}
