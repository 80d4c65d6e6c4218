/* What the document service tells when a COMMIT's answer is lost, on either store: the try after it
 * finds what that one left, and the change is told once all the same. */
#include "support/contract_store.h"
#include "support/store.h"
#include "support/test.h"

#include "core/error.h"
#include "services/documents.h"
#include "services/tracking.h"

static conv_error error;
static const conv__store_functions *real;
static int lose;   /* so many next commits succeed, and nobody hears of it */
static int refuse; /* so many after those fail */
static int told[4];
static int recorded;

static conv_status commit(conv__transaction *transaction, conv_error *failure)
{
    if (lose > 0) {
        lose--;
        conv_status status = real->commit(transaction, failure);
        if (status != CONV_OK) return status;
    } else if (refuse > 0) {
        refuse--;
        real->rollback(transaction);
    } else {
        return real->commit(transaction, failure);
    }
    conv_status status =
        conv__fail(failure, CONV_UNAVAILABLE, "commit", "the connection broke, says the test");
    failure->recovery = CONV_RECOVERY_RETRY;
    failure->outcome_unknown = true;
    return status;
}

static void hear(void *context, const conv__document_news *news, size_t count)
{
    (void)context;
    assert_int_equal(count, 1);
    told[news->change]++;
    recorded += news->recorded;
}

static const conv__document_listener listener = {hear, NULL};

static int setup(void **state)
{
    static conv__store_functions functions;
    if (contract_setup(state) != 0) return -1;
    real = contract_store()->functions;
    functions = *real;
    functions.commit = commit;
    contract_store()->functions = &functions;
    return 0;
}

static int clear(void **state)
{
    (void)state;
    memset(told, 0, sizeof told);
    recorded = lose = refuse = 0;
    test_store_execute(test_store_kind(), "DELETE FROM chat_documents; DELETE FROM usage_logs");
    return 0;
}

static conv_status register_one(int64_t created_us)
{
    conv_document_params params = CONV_DOCUMENT_PARAMS_INIT;
    params.document_id = "a document";
    params.created_us = created_us;
    return conv__documents_register(contract_store(), NULL, &listener, contract_deadline(), &params,
                                    NULL, &error);
}

static conv_status track(conv_uuid log_id)
{
    conv_usage usage = CONV_USAGE_INIT;
    usage.log_id = log_id;
    usage.operation = conv_text("parse");
    usage.document_id = conv_text("a document");
    conv__usage_complete(NULL, &usage);
    return conv__documents_track(contract_store(), &listener, contract_deadline(), &usage, &error);
}

static void assert_told(int registered, int processed, int deleted, int records)
{
    assert_int_equal(told[CONV__DOCUMENT_NONE], 0);
    assert_int_equal(told[CONV__DOCUMENT_REGISTERED], registered);
    assert_int_equal(told[CONV__DOCUMENT_PROCESSED], processed);
    assert_int_equal(told[CONV__DOCUMENT_DELETED], deleted);
    assert_int_equal(recorded, records);
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs"), records);
}

static void a_lost_answer_is_told_once(void **state)
{
    (void)state;
    lose = 1;
    assert_ok(register_one(0), error);
    assert_int_equal(lose, 0);
    assert_told(1, 0, 0, 1);
    lose = 1;
    assert_ok(track(conv_uuid_v7()), error);
    assert_told(1, 1, 0, 2);
}

static void a_failed_try_before_is_told_once(void **state)
{
    (void)state;
    refuse = 1;
    assert_ok(register_one(0), error);
    refuse = 1;
    assert_ok(track(conv_uuid_v7()), error);
    assert_told(1, 1, 0, 2);
}

static void a_repeat_is_not_told(void **state)
{
    (void)state;
    conv_uuid log_id = conv_uuid_v7();
    for (int i = 0; i < 3; i++) {
        assert_ok(register_one(0), error);
        assert_ok(track(log_id), error);
    }
    assert_told(1, 1, 0, 2);
}

static void a_deletion_of_unknown_outcome_is_not_told(void **state)
{
    (void)state;
    assert_ok(register_one(0), error);
    lose = 1;
    assert_status(conv__documents_delete(contract_store(), &listener, contract_deadline(),
                                         "a document", NULL, NULL, &error),
                  CONV_UNAVAILABLE, error);
    assert_true(error.outcome_unknown);
    assert_int_equal(told[CONV__DOCUMENT_DELETED], 0);
    assert_ok(register_one(0), error);
    assert_ok(conv__documents_delete(contract_store(), &listener, contract_deadline(), "a document",
                                     NULL, NULL, &error),
              error);
    assert_int_equal(told[CONV__DOCUMENT_DELETED], 1);
}

#define TEST(name) cmocka_unit_test_setup(name, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_lost_answer_is_told_once),
        TEST(a_failed_try_before_is_told_once),
        TEST(a_repeat_is_not_told),
        TEST(a_deletion_of_unknown_outcome_is_not_told),
    };
    return RUN_TESTS_WITH("document news", tests, setup, contract_teardown);
}
