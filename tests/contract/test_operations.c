/* Operations through the public API, on either store: every way out leaves one record, none leaves
 * two, and a document changes with the record of what changed it. */
#include "support/document_client.h"
#include "support/test.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

/* As an operator's mistake would have it: the ledger goes, and comes back. */
#define TAKE_AWAY  "ALTER TABLE usage_logs RENAME TO usage_away"
#define BRING_BACK "ALTER TABLE usage_away RENAME TO usage_logs"

static void an_operation_on_a_document_changes_it_with_its_record(void **state)
{
    (void)state;
    document_registered("parsed", "support-42");
    conv_usage known = document_usage("embed", "parsed", "support-42");
    known.model = conv_text("embedder");
    known.metadata = conv_text("{\"chunks\": 7}");
    conv_operation *operation = document_begin(&known);
    conv_usage used = CONV_USAGE_INIT;
    used.input_tokens = 1000000;
    used.output_tokens = 0;
    used.processed_bytes = 4096;
    used.operation = conv_text("not looked at");
    usleep(3000);
    assert_ok(conv_operation_end(operation, &used, &document_error), document_error);
    assert_status(conv_operation_end(operation, &used, &document_error), CONV_STATE,
                  document_error);
    conv_uuid log_id = conv_operation_log_id(operation);
    assert_ok(conv_operation_free(operation, &document_error), document_error);

    conv_document_page *page = document_get("parsed", "support-42");
    const conv_document *document = conv_document_page_document(page, 0);
    assert_bytes(document->last_operation, "embed");
    assert_int_equal(document->last_status, CONV_OUTCOME_COMPLETE);
    assert_true(document->updated_us > document->created_us);
    conv_document_page_free(page);

    conv_usage_filter filter = CONV_USAGE_FILTER_INIT;
    conv_usage_page *records = NULL;
    filter.document_id = conv_text("parsed");
    assert_ok(conv_usage_query(document_client, &filter, &records, &document_error),
              document_error);
    assert_int_equal(conv_usage_page_count(records), 2);
    const conv_usage *record = conv_usage_page_record(records, 0);
    assert_int_equal(conv_uuid_compare(record->log_id, log_id), 0);
    assert_bytes(record->document_id, "parsed");
    assert_bytes(record->service, "documents");
    assert_bytes(record->operation, "embed");
    assert_bytes(record->metadata, "{\"chunks\": 7}");
    assert_true(record->total_tokens == 1000000);
    assert_true(record->processed_bytes == 4096);
    assert_true(record->latency_ms >= 3);
    assert_true(record->priced);
    conv_decimal cost;
    assert_int_equal(conv_decimal_parse(conv_text("0.02"), &cost), CONV_OK);
    assert_int_equal(conv_decimal_compare(record->cost_usd, cost), 0);
    conv_usage_page_free(records);

    conv_usage_totals *totals = NULL;
    assert_ok(conv_usage_sum(document_client, &filter, CONV_USAGE_GROUP_OPERATION, &totals,
                             &document_error),
              document_error);
    assert_int_equal(conv_usage_totals_count(totals), 2);
    conv_usage_totals_free(totals);
}

static void an_operation_on_no_document_is_recorded_all_the_same(void **state)
{
    (void)state;
    conv_usage known = document_usage("parse", "never registered", "support-42");
    conv_operation *operation = document_begin(&known);
    assert_status(conv_operation_end(operation, NULL, &document_error), CONV_NOT_FOUND,
                  document_error);
    assert_ok(conv_operation_free(operation, &document_error), document_error);
    assert_ok(conv_track_flush(document_client, 5000, NULL, &document_error), document_error);
    document_assert_value("SELECT count(*) FROM usage_logs", "1");
    document_assert_value("SELECT status FROM usage_logs", "complete");
}

static void plain_operations_go_through_the_tracker(void **state)
{
    (void)state;
    conv_usage known = document_usage("search", NULL, NULL);
    conv_operation *operation = document_begin(&known);
    conv_usage used = CONV_USAGE_INIT;
    used.status = CONV_OUTCOME_FAILED;
    used.error = conv_text("no index");
    used.latency_ms = 77;
    assert_ok(conv_operation_end(operation, &used, &document_error), document_error);
    document_assert_value("SELECT count(*) FROM usage_logs", "0");
    assert_ok(conv_operation_free(operation, &document_error), document_error);
    assert_ok(conv_track_flush(document_client, 5000, NULL, &document_error), document_error);
    document_assert_value(
        "SELECT count(*) FROM usage_logs WHERE service = 'application'"
        " AND operation = 'search' AND status = 'failed' AND error = 'no index'"
        " AND latency_ms = 77 AND document_id IS NULL AND processed_bytes IS NULL",
        "1");
}

static void one_that_is_never_ended_is_interrupted(void **state)
{
    (void)state;
    document_registered("given up", NULL);
    conv_usage known = document_usage("parse", "given up", NULL);
    assert_ok(conv_operation_free(document_begin(&known), &document_error), document_error);
    document_assert_value("SELECT count(*) FROM chat_documents WHERE last_operation = 'parse'"
                          " AND last_status = 'interrupted' AND updated_at > created_at",
                          "1");
    /* One whose end was wrong is no better. */
    conv_operation *operation = document_begin(&known);
    conv_usage used = CONV_USAGE_INIT;
    used.raw = conv_text("{");
    assert_status(conv_operation_end(operation, &used, &document_error), CONV_INVALID_ARGUMENT,
                  document_error);
    assert_ok(conv_operation_free(operation, &document_error), document_error);
    assert_ok(conv_operation_free(NULL, &document_error), document_error);
    assert_ok(conv_track_flush(document_client, 5000, NULL, &document_error), document_error);
    document_assert_value("SELECT count(*) FROM usage_logs WHERE operation = 'parse'"
                          " AND status = 'interrupted' AND latency_ms >= 0"
                          " AND document_id IS NOT NULL AND error IS NOT NULL",
                          "2");
}

static void a_begin_needs_an_operation(void **state)
{
    (void)state;
    conv_operation *operation = (conv_operation *)&document_error;
    conv_usage known = CONV_USAGE_INIT;
    assert_status(conv_operation_begin(document_client, NULL, &operation, &document_error),
                  CONV_INVALID_ARGUMENT, document_error);
    assert_null(operation);
    assert_status(conv_operation_begin(document_client, &known, &operation, &document_error),
                  CONV_INVALID_ARGUMENT, document_error);
    known = document_usage("parse", NULL, NULL);
    known.metadata = conv_text("nonsense");
    assert_status(conv_operation_begin(document_client, &known, &operation, &document_error),
                  CONV_INVALID_ARGUMENT, document_error);
    assert_status(conv_operation_begin(document_client, &known, NULL, &document_error),
                  CONV_INVALID_ARGUMENT, document_error);
    assert_status(conv_operation_end(NULL, NULL, &document_error), CONV_INVALID_ARGUMENT,
                  document_error);
}

static void nothing_is_half_done_while_the_ledger_is_away(void **state)
{
    (void)state;
    document_registered("worked on", NULL);
    conv_usage known = document_usage("embed", "worked on", NULL);
    conv_operation *ended = document_begin(&known);
    conv_operation *left = document_begin(&known);
    conv_usage plain = document_usage("search", NULL, NULL);
    conv_operation *buffered = document_begin(&plain);
    conv_operation *given_up = document_begin(&known);
    conv_usage used = CONV_USAGE_INIT;
    used.input_tokens = 5;

    contract_execute(TAKE_AWAY);
    conv_document_params params = document_params("not accepted", NULL);
    assert_true(conv_document_register(document_client, &params, NULL, &document_error) != CONV_OK);
    assert_true(conv_document_delete(document_client, "worked on", NULL, NULL, &document_error) !=
                CONV_OK);
    assert_true(conv_operation_end(ended, &used, &document_error) != CONV_OK);
    assert_true(conv_operation_end(left, &used, &document_error) != CONV_OK);
    assert_ok(conv_operation_end(buffered, &used, &document_error), document_error);
    assert_ok(conv_operation_free(buffered, &document_error), document_error);
    assert_ok(conv_operation_free(given_up, &document_error), document_error);
    document_assert_value("SELECT count(*) FROM chat_documents", "1");
    document_assert_value("SELECT last_operation FROM chat_documents", "upload");
    contract_execute(BRING_BACK);
    document_assert_value("SELECT count(*) FROM usage_logs", "1");

    /* The same end again; and one that is given up leaves its record as it was ended. */
    assert_ok(conv_operation_end(ended, &used, &document_error), document_error);
    assert_ok(conv_operation_free(ended, &document_error), document_error);
    assert_ok(conv_operation_free(left, &document_error), document_error);
    assert_ok(conv_track_flush(document_client, 5000, NULL, &document_error), document_error);
    document_assert_value("SELECT count(*) FROM usage_logs WHERE operation = 'embed'"
                          " AND status = 'complete' AND input_tokens = 5",
                          "2");
    document_assert_value("SELECT count(*) FROM usage_logs WHERE operation = 'embed'"
                          " AND status = 'interrupted'",
                          "1");
    document_assert_value("SELECT count(*) FROM usage_logs WHERE operation = 'search'", "1");
    document_assert_value("SELECT last_operation FROM chat_documents", "embed");
}

static void the_same_record_counts_once(void **state)
{
    (void)state;
    document_registered("once", NULL);
    conv_usage known = document_usage("parse", "once", NULL);
    known.log_id = conv_uuid_v7();
    for (int i = 0; i < 3; i++) {
        conv_operation *operation = document_begin(&known);
        assert_ok(conv_operation_end(operation, NULL, &document_error), document_error);
        assert_ok(conv_operation_free(operation, &document_error), document_error);
    }
    document_assert_value("SELECT count(*) FROM usage_logs WHERE operation = 'parse'", "1");
}

static void one_whose_numbers_are_known_is_one_call(void **state)
{
    (void)state;
    document_registered("known", "support-42");
    conv_usage usage = document_usage("embed", "known", "support-42");
    usage.log_id = conv_uuid_v7();
    usage.status = CONV_OUTCOME_FAILED;
    usage.input_tokens = 812;
    for (int i = 0; i < 2; i++)
        assert_ok(conv_document_track(document_client, &usage, &document_error), document_error);
    conv_document_page *page = document_get("known", "support-42");
    assert_bytes(conv_document_page_document(page, 0)->last_operation, "embed");
    assert_int_equal(conv_document_page_document(page, 0)->last_status, CONV_OUTCOME_FAILED);
    conv_document_page_free(page);
    /* Nobody measured it. */
    document_assert_value("SELECT count(*) FROM usage_logs WHERE service = 'documents'"
                          " AND operation = 'embed' AND input_tokens = 812 AND latency_ms IS NULL",
                          "1");

    usage = document_usage("embed", "nowhere", NULL);
    assert_status(conv_document_track(document_client, &usage, &document_error), CONV_NOT_FOUND,
                  document_error);
    document_assert_value("SELECT count(*) FROM usage_logs", "3");
    usage.operation = conv_text(NULL);
    assert_status(conv_document_track(document_client, &usage, &document_error),
                  CONV_INVALID_ARGUMENT, document_error);
    usage = document_usage("embed", NULL, NULL);
    assert_status(conv_document_track(document_client, &usage, &document_error),
                  CONV_INVALID_ARGUMENT, document_error);
    usage = document_usage("embed", "known", "support-42");
    usage.processed_bytes = -2;
    assert_status(conv_document_track(document_client, &usage, &document_error),
                  CONV_INVALID_ARGUMENT, document_error);
    assert_status(conv_document_track(document_client, NULL, &document_error),
                  CONV_INVALID_ARGUMENT, document_error);
    document_assert_value("SELECT count(*) FROM usage_logs", "3");
}

/* What came after it stays the last. */
static void the_same_record_again_leaves_the_document(void **state)
{
    (void)state;
    document_registered("repeated", "support-42");
    conv_usage embed = document_usage("embed", "repeated", "support-42");
    conv_usage parse = document_usage("parse", "repeated", "support-42");
    embed.log_id = conv_uuid_v7();
    assert_ok(conv_document_track(document_client, &embed, &document_error), document_error);
    assert_ok(conv_document_track(document_client, &parse, &document_error), document_error);
    conv_document_page *before = document_get("repeated", "support-42");
    usleep(3000);
    assert_ok(conv_document_track(document_client, &embed, &document_error), document_error);
    conv_operation *operation = document_begin(&embed);
    assert_ok(conv_operation_end(operation, NULL, &document_error), document_error);
    assert_ok(conv_operation_free(operation, &document_error), document_error);
    conv_document_page *after = document_get("repeated", "support-42");
    assert_bytes(conv_document_page_document(after, 0)->last_operation, "parse");
    assert_true(conv_document_page_document(after, 0)->updated_us ==
                conv_document_page_document(before, 0)->updated_us);
    conv_document_page_free(before);
    conv_document_page_free(after);

    embed.document_id = conv_text("nowhere");
    embed.log_id = conv_uuid_v7();
    for (int i = 0; i < 2; i++)
        assert_status(conv_document_track(document_client, &embed, &document_error), CONV_NOT_FOUND,
                      document_error);
}

/* Nobody listens at this port: the journal takes plain operations, and nothing takes a document. */
static void a_store_that_is_away_accepts_no_document(void **state)
{
    (void)state;
    char own_journal[96];
    conv_client *away = NULL;
    conv_operation *operation = NULL;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    snprintf(own_journal, sizeof own_journal, "%s/away.db", contract_client_folder());
    params.store = "postgresql://127.0.0.1:1/nowhere";
    params.journal = own_journal;
    assert_ok(conv_client_open(&params, &away, &document_error), document_error);
    conv_document_params document = document_params("not accepted", NULL);
    assert_status(conv_document_register(away, &document, NULL, &document_error), CONV_UNAVAILABLE,
                  document_error);
    conv_usage known = document_usage("parse", "not accepted", NULL);
    assert_ok(conv_operation_begin(away, &known, &operation, &document_error), document_error);
    assert_status(conv_operation_end(operation, NULL, &document_error), CONV_UNAVAILABLE,
                  document_error);
    assert_ok(conv_operation_free(operation, &document_error), document_error);
    known = document_usage("search", NULL, NULL);
    assert_ok(conv_operation_begin(away, &known, &operation, &document_error), document_error);
    assert_ok(conv_operation_end(operation, NULL, &document_error), document_error);
    assert_ok(conv_operation_free(operation, &document_error), document_error);
    assert_status(conv_client_close(away, 0, &document_error), CONV_TIMEOUT, document_error);

    params.store = contract_client_url();
    assert_ok(conv_client_open(&params, &away, &document_error), document_error);
    assert_ok(conv_client_close(away, 5000, &document_error), document_error);
    document_assert_value("SELECT count(*) FROM chat_documents", "0");
    document_assert_value("SELECT count(*) FROM usage_logs WHERE operation = 'parse'"
                          " AND document_id IS NOT NULL AND status = 'complete'",
                          "1");
    document_assert_value("SELECT count(*) FROM usage_logs WHERE operation = 'search'", "1");
}

static void a_client_waits_for_its_operations(void **state)
{
    (void)state;
    conv_client *other = document_client_open();
    conv_operation *operation = NULL;
    conv_usage known = document_usage("parse", NULL, NULL);
    assert_ok(conv_operation_begin(other, &known, &operation, &document_error), document_error);
    pid_t child = fork();
    if (child == 0) {
        bool refused = conv_operation_end(operation, NULL, &document_error) == CONV_STATE;
        conv_operation_free(operation, &document_error);
        _exit(refused ? 0 : 1);
    }
    int answer = 1;
    waitpid(child, &answer, 0);
    assert_int_equal(answer, 0);
    assert_ok(conv_operation_end(operation, NULL, &document_error), document_error);
    assert_ok(conv_operation_free(operation, &document_error), document_error);
    assert_ok(conv_client_close(other, 5000, &document_error), document_error);
    document_assert_value("SELECT count(*) FROM usage_logs WHERE operation = 'parse'", "1");
}

enum { THREADS = 8, EACH = 5 };

/* No assertions here: they belong on the main thread. */
static void *work(void *context)
{
    size_t *failures = context;
    for (int i = 0; i < EACH; i++) {
        conv_document_params params = document_params("shared", "threads");
        conv_usage known = document_usage("search", "shared", "threads");
        conv_operation *operation = NULL;
        if (conv_document_register(document_client, &params, NULL, NULL) != CONV_OK) (*failures)++;
        if (conv_operation_begin(document_client, &known, &operation, NULL) != CONV_OK ||
            conv_operation_end(operation, NULL, NULL) != CONV_OK)
            (*failures)++;
        if (conv_operation_free(operation, NULL) != CONV_OK) (*failures)++;
    }
    return NULL;
}

static void many_threads_register_one_document(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    size_t failures[THREADS] = {0};
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &failures[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(failures[i], 0);
    }
    document_assert_value("SELECT count(*) FROM chat_documents", "1");
    document_assert_value("SELECT count(*) FROM usage_logs WHERE operation = 'upload'", "1");
    document_assert_value("SELECT count(*) FROM usage_logs WHERE operation = 'search'", "40");
}

#define TEST(function) cmocka_unit_test_setup(function, document_client_clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_operation_on_a_document_changes_it_with_its_record),
        TEST(an_operation_on_no_document_is_recorded_all_the_same),
        TEST(plain_operations_go_through_the_tracker),
        TEST(one_that_is_never_ended_is_interrupted),
        TEST(a_begin_needs_an_operation),
        TEST(nothing_is_half_done_while_the_ledger_is_away),
        TEST(the_same_record_counts_once),
        TEST(the_same_record_again_leaves_the_document),
        TEST(one_whose_numbers_are_known_is_one_call),
        TEST(a_store_that_is_away_accepts_no_document),
        TEST(a_client_waits_for_its_operations),
        TEST(many_threads_register_one_document),
    };
    return RUN_TESTS_WITH("operations", tests, document_client_setup, document_client_teardown);
}
