/* Documents and operations through the public API, on either store: every change has its record,
 * every way out leaves one, and none leaves two. */
#include "support/test.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "support/store.h"

/* As an operator's mistake would have it: the ledger goes, and comes back. */
#define TAKE_AWAY  "ALTER TABLE usage_logs RENAME TO usage_away"
#define BRING_BACK "ALTER TABLE usage_away RENAME TO usage_logs"

static const char *kind;
static const char *url;
static char folder[64];
static char journal[96];
static conv_client *client;
static conv_error error;

static conv_client *open_client(bool with_journal)
{
    conv_client *opened = NULL;
    const conv_price price = {.model = "embedder", .input = "0.02", .output = "0.02"};
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = url;
    params.schema = CONV_SCHEMA_MIGRATE;
    params.tracker_records = 1000;
    params.prices = &price;
    params.price_count = 1;
    if (with_journal) params.journal = journal;
    assert_ok(conv_client_open(&params, &opened, &error), error);
    return opened;
}

static int setup(void **state)
{
    (void)state;
    kind = test_store_kind();
    url = test_store_create(kind);
    snprintf(folder, sizeof folder, "/tmp/conversation-test-XXXXXX");
    if (mkdtemp(folder) == NULL) return 1;
    snprintf(journal, sizeof journal, "%s/journal.db", folder);
    client = open_client(true);
    return 0;
}

static int teardown(void **state)
{
    char command[128];
    (void)state;
    conv_status status = conv_client_close(client, 5000, &error);
    test_store_drop(kind);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) != 0 || status != CONV_OK;
}

static int clear(void **state)
{
    (void)state;
    error = (conv_error)CONV_ERROR_INIT;
    assert_ok(conv_track_flush(client, 5000, NULL, &error), error);
    test_store_execute(kind, "DELETE FROM chat_documents; DELETE FROM usage_logs");
    return 0;
}

static void assert_value(const char *sql, const char *wanted)
{
    const char *got = test_store_value(kind, sql);
    if (strcmp(got, wanted) != 0) fail_msg("%s: %s, not %s", sql, got, wanted);
}

static conv_document_params params_of(const char *id, const char *session_id)
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

static void registered(const char *id, const char *session_id)
{
    conv_document_params params = params_of(id, session_id);
    assert_ok(conv_document_register(client, &params, NULL, &error), error);
}

static conv_document_page *get(const char *id, const char *session_id)
{
    conv_document_page *page = NULL;
    assert_ok(conv_document_get(client, id, session_id, &page, &error), error);
    assert_int_equal(conv_document_page_count(page), 1);
    assert_false(conv_document_page_has_more(page));
    assert_null(conv_document_page_document(page, 1));
    return page;
}

static conv_usage usage_of(const char *operation, const char *document_id, const char *session_id)
{
    conv_usage usage = CONV_USAGE_INIT;
    usage.operation = conv_text(operation);
    usage.document_id = conv_text(document_id);
    usage.session_id = conv_text(session_id);
    usage.user_id = conv_text("ann");
    return usage;
}

static conv_operation *begin(const conv_usage *known)
{
    conv_operation *operation = NULL;
    assert_ok(conv_operation_begin(client, known, &operation, &error), error);
    return operation;
}

static void a_registration_and_its_upload_are_one(void **state)
{
    (void)state;
    conv_document_page *page = NULL;
    conv_document_params params = params_of("contract.pdf", "support-42");
    conv_usage upload = CONV_USAGE_INIT;
    upload.latency_ms = 12;
    params.upload = &upload;
    params.metadata = "{\"pages\": 3}";
    assert_ok(conv_document_register(client, &params, &page, &error), error);
    const conv_document *document = conv_document_page_document(page, 0);
    assert_bytes(document->external_id, "contract.pdf");
    assert_bytes(document->external_session_id, "support-42");
    assert_bytes(document->external_user_id, "ann");
    assert_bytes(document->metadata, "{\"pages\": 3}");
    assert_bytes(document->last_operation, "upload");
    conv_document_page_free(page);
    assert_value("SELECT count(*) FROM usage_logs l JOIN chat_documents d"
                 " ON d.document_id = l.document_id AND d.session_id = l.session_id"
                 " AND d.user_id = l.user_id AND d.created_at = l.created_at"
                 " WHERE l.service = 'documents' AND l.operation = 'upload'"
                 " AND l.processed_bytes = 4096 AND l.latency_ms = 12 AND l.status = 'complete'",
                 "1");
    assert_value("SELECT count(*) FROM usage_logs", "1");
}

static void a_repeat_changes_nothing_and_other_content_is_refused(void **state)
{
    (void)state;
    conv_document_params params = params_of("again", NULL);
    params.metadata = "{}";
    for (int i = 0; i < 3; i++) {
        conv_document_page *page = NULL;
        assert_ok(conv_document_register(client, &params, &page, &error), error);
        assert_int_equal(conv_document_page_count(page), 1);
        assert_int_equal(conv_document_page_is_repeat(page), i > 0);
        conv_document_page_free(page);
        assert_ok(conv_document_register(client, &params, NULL, &error), error);
    }
    conv_document_params others[6];
    for (int i = 0; i < 6; i++)
        others[i] = params;
    others[0].name = conv_text("other.pdf");
    others[1].media_type = conv_text(NULL);
    others[2].size_bytes = 4097;
    others[3].sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    others[4].user_id = NULL;
    others[5].metadata = "{\"a\": 1}";
    for (int i = 0; i < 6; i++) {
        conv_document_page *page = (conv_document_page *)&params;
        assert_status(conv_document_register(client, &others[i], &page, &error), CONV_CONFLICT,
                      error);
        assert_null(page);
    }
    assert_value("SELECT count(*) FROM chat_documents", "1");
    assert_value("SELECT count(*) FROM usage_logs", "1");
}

static void what_is_no_document_is_refused(void **state)
{
    (void)state;
    conv_usage upload = CONV_USAGE_INIT;
    conv_document_params params = params_of("bad", NULL);
    params.size_bytes = -1;
    assert_status(conv_document_register(client, &params, NULL, &error), CONV_INVALID_ARGUMENT,
                  error);
    const char *const hashes[] = {
        "", "abc", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85g",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8550"};
    for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++) {
        params = params_of("bad", NULL);
        params.sha256 = hashes[i];
        assert_status(conv_document_register(client, &params, NULL, &error), CONV_INVALID_ARGUMENT,
                      error);
        conv_document_filter filter = CONV_DOCUMENT_FILTER_INIT;
        conv_document_page *page = NULL;
        filter.sha256 = hashes[i];
        assert_status(conv_document_list(client, &filter, &page, &error), CONV_INVALID_ARGUMENT,
                      error);
    }
    params = params_of("bad", NULL);
    params.metadata = "[]";
    assert_status(conv_document_register(client, &params, NULL, &error), CONV_INVALID_ARGUMENT,
                  error);
    params = params_of("bad", NULL);
    upload.processed_bytes = -2;
    params.upload = &upload;
    assert_status(conv_document_register(client, &params, NULL, &error), CONV_INVALID_ARGUMENT,
                  error);
    assert_status(conv_document_register(client, NULL, NULL, &error), CONV_INVALID_ARGUMENT, error);
    assert_value("SELECT count(*) FROM chat_documents", "0");
    assert_value("SELECT count(*) FROM usage_logs", "0");
}

static void hostile_names_and_empty_documents_are_fine(void **state)
{
    (void)state;
    static const conv_bytes names[] = {
        {"'; DROP TABLE chat_documents; --", 32},
        {"../../etc/passwd", 16},
        {"\0\0\0", 3},
        {"\xFF\xFE\xED\xA0\x80", 5},
        {"", 0},
        {"\x1b[2J\r\n", 6},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char id[16];
        snprintf(id, sizeof id, "\xFF\x01%zu", i);
        conv_document_params params = CONV_DOCUMENT_PARAMS_INIT;
        params.document_id = id;
        params.session_id = "\xC3\x28";
        params.name = names[i];
        params.media_type = names[i];
        assert_ok(conv_document_register(client, &params, NULL, &error), error);
        conv_document_page *page = get(id, "\xC3\x28");
        const conv_document *document = conv_document_page_document(page, 0);
        assert_true(conv_bytes_equal(document->name, names[i]));
        assert_true(conv_bytes_equal(document->media_type, names[i]));
        assert_bytes(document->external_id, id);
        assert_bytes(document->external_session_id, "\xC3\x28");
        assert_true(document->size_bytes == 0);
        conv_document_page_free(page);
    }
}

static void an_operation_on_a_document_changes_it_with_its_record(void **state)
{
    (void)state;
    registered("parsed", "support-42");
    conv_usage known = usage_of("embed", "parsed", "support-42");
    known.model = conv_text("embedder");
    known.metadata = conv_text("{\"chunks\": 7}");
    conv_operation *operation = begin(&known);
    conv_usage used = CONV_USAGE_INIT;
    used.input_tokens = 1000000;
    used.output_tokens = 0;
    used.processed_bytes = 4096;
    used.operation = conv_text("not looked at");
    usleep(3000);
    assert_ok(conv_operation_end(operation, &used, &error), error);
    assert_status(conv_operation_end(operation, &used, &error), CONV_STATE, error);
    conv_uuid log_id = conv_operation_log_id(operation);
    assert_ok(conv_operation_free(operation, &error), error);

    conv_document_page *page = get("parsed", "support-42");
    const conv_document *document = conv_document_page_document(page, 0);
    assert_bytes(document->last_operation, "embed");
    assert_int_equal(document->last_status, CONV_OUTCOME_COMPLETE);
    assert_true(document->updated_us > document->created_us);
    conv_document_page_free(page);

    conv_usage_filter filter = CONV_USAGE_FILTER_INIT;
    conv_usage_page *records = NULL;
    filter.document_id = conv_text("parsed");
    assert_ok(conv_usage_query(client, &filter, &records, &error), error);
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
    assert_ok(conv_usage_sum(client, &filter, CONV_USAGE_GROUP_OPERATION, &totals, &error), error);
    assert_int_equal(conv_usage_totals_count(totals), 2);
    conv_usage_totals_free(totals);
}

static void an_operation_on_no_document_is_recorded_all_the_same(void **state)
{
    (void)state;
    conv_usage known = usage_of("parse", "never registered", "support-42");
    conv_operation *operation = begin(&known);
    assert_status(conv_operation_end(operation, NULL, &error), CONV_NOT_FOUND, error);
    assert_ok(conv_operation_free(operation, &error), error);
    assert_ok(conv_track_flush(client, 5000, NULL, &error), error);
    assert_value("SELECT count(*) FROM usage_logs", "1");
    assert_value("SELECT status FROM usage_logs", "complete");
}

static void plain_operations_go_through_the_tracker(void **state)
{
    (void)state;
    conv_usage known = usage_of("search", NULL, NULL);
    conv_operation *operation = begin(&known);
    conv_usage used = CONV_USAGE_INIT;
    used.status = CONV_OUTCOME_FAILED;
    used.error = conv_text("no index");
    used.latency_ms = 77;
    assert_ok(conv_operation_end(operation, &used, &error), error);
    assert_value("SELECT count(*) FROM usage_logs", "0");
    assert_ok(conv_operation_free(operation, &error), error);
    assert_ok(conv_track_flush(client, 5000, NULL, &error), error);
    assert_value("SELECT count(*) FROM usage_logs WHERE service = 'application'"
                 " AND operation = 'search' AND status = 'failed' AND error = 'no index'"
                 " AND latency_ms = 77 AND document_id IS NULL AND processed_bytes IS NULL",
                 "1");
}

static void one_that_is_never_ended_is_interrupted(void **state)
{
    (void)state;
    registered("given up", NULL);
    conv_usage known = usage_of("parse", "given up", NULL);
    assert_ok(conv_operation_free(begin(&known), &error), error);
    /* One whose end was wrong is no better. */
    conv_operation *operation = begin(&known);
    conv_usage used = CONV_USAGE_INIT;
    used.raw = conv_text("{");
    assert_status(conv_operation_end(operation, &used, &error), CONV_INVALID_ARGUMENT, error);
    assert_ok(conv_operation_free(operation, &error), error);
    assert_ok(conv_operation_free(NULL, &error), error);
    assert_ok(conv_track_flush(client, 5000, NULL, &error), error);
    assert_value("SELECT count(*) FROM usage_logs WHERE operation = 'parse'"
                 " AND status = 'interrupted' AND latency_ms >= 0"
                 " AND document_id IS NOT NULL AND error IS NOT NULL",
                 "2");
}

static void a_begin_needs_an_operation(void **state)
{
    (void)state;
    conv_operation *operation = (conv_operation *)&error;
    conv_usage known = CONV_USAGE_INIT;
    assert_status(conv_operation_begin(client, NULL, &operation, &error), CONV_INVALID_ARGUMENT,
                  error);
    assert_null(operation);
    assert_status(conv_operation_begin(client, &known, &operation, &error), CONV_INVALID_ARGUMENT,
                  error);
    known = usage_of("parse", NULL, NULL);
    known.metadata = conv_text("nonsense");
    assert_status(conv_operation_begin(client, &known, &operation, &error), CONV_INVALID_ARGUMENT,
                  error);
    assert_status(conv_operation_begin(client, &known, NULL, &error), CONV_INVALID_ARGUMENT, error);
    assert_status(conv_operation_end(NULL, NULL, &error), CONV_INVALID_ARGUMENT, error);
}

static void nothing_is_half_done_while_the_ledger_is_away(void **state)
{
    (void)state;
    registered("worked on", NULL);
    conv_usage known = usage_of("embed", "worked on", NULL);
    conv_operation *ended = begin(&known);
    conv_operation *left = begin(&known);
    conv_usage plain = usage_of("search", NULL, NULL);
    conv_operation *buffered = begin(&plain);
    conv_usage used = CONV_USAGE_INIT;
    used.input_tokens = 5;

    test_store_execute(kind, TAKE_AWAY);
    conv_document_params params = params_of("not accepted", NULL);
    assert_true(conv_document_register(client, &params, NULL, &error) != CONV_OK);
    assert_true(conv_document_delete(client, "worked on", NULL, NULL, &error) != CONV_OK);
    assert_true(conv_operation_end(ended, &used, &error) != CONV_OK);
    assert_true(conv_operation_end(left, &used, &error) != CONV_OK);
    assert_ok(conv_operation_end(buffered, &used, &error), error);
    assert_ok(conv_operation_free(buffered, &error), error);
    assert_value("SELECT count(*) FROM chat_documents", "1");
    assert_value("SELECT last_operation FROM chat_documents", "upload");
    test_store_execute(kind, BRING_BACK);
    assert_value("SELECT count(*) FROM usage_logs", "1");

    /* The same end again; and one that is given up leaves its record as it was ended. */
    assert_ok(conv_operation_end(ended, &used, &error), error);
    assert_ok(conv_operation_free(ended, &error), error);
    assert_ok(conv_operation_free(left, &error), error);
    assert_ok(conv_track_flush(client, 5000, NULL, &error), error);
    assert_value("SELECT count(*) FROM usage_logs WHERE operation = 'embed'"
                 " AND status = 'complete' AND input_tokens = 5",
                 "2");
    assert_value("SELECT count(*) FROM usage_logs WHERE operation = 'search'", "1");
    assert_value("SELECT last_operation FROM chat_documents", "embed");
}

static void the_same_record_counts_once(void **state)
{
    (void)state;
    registered("once", NULL);
    conv_usage known = usage_of("parse", "once", NULL);
    known.log_id = conv_uuid_v7();
    for (int i = 0; i < 3; i++) {
        conv_operation *operation = begin(&known);
        assert_ok(conv_operation_end(operation, NULL, &error), error);
        assert_ok(conv_operation_free(operation, &error), error);
    }
    assert_value("SELECT count(*) FROM usage_logs WHERE operation = 'parse'", "1");
}

static void a_deletion_keeps_what_was_used(void **state)
{
    (void)state;
    conv_document_receipt receipt = {0};
    registered("deleted", "support-42");
    registered("deleted", NULL);
    conv_usage known = usage_of("parse", "deleted", "support-42");
    conv_operation *operation = begin(&known);
    assert_ok(conv_operation_end(operation, NULL, &error), error);
    assert_ok(conv_operation_free(operation, &error), error);
    assert_ok(conv_document_delete(client, "deleted", "support-42", &receipt, &error), error);
    assert_true(receipt.documents == 1);
    assert_true(receipt.usage_kept == 3);
    assert_status(conv_document_delete(client, "deleted", "support-42", &receipt, &error),
                  CONV_NOT_FOUND, error);
    assert_status(conv_document_delete(client, NULL, NULL, NULL, &error), CONV_INVALID_ARGUMENT,
                  error);
    assert_value("SELECT count(*) FROM usage_logs", "4");
    assert_value("SELECT count(*) FROM usage_logs WHERE operation = 'delete'"
                 " AND user_id IS NOT NULL AND document_id IS NOT NULL",
                 "1");
    conv_document_page *page = get("deleted", NULL);
    conv_document_page_free(page);
    assert_status(conv_document_get(client, "deleted", "support-42", &page, &error), CONV_NOT_FOUND,
                  error);
    registered("deleted", "support-42");
    assert_value("SELECT count(*) FROM chat_documents", "2");
    assert_value("SELECT count(*) FROM usage_logs WHERE operation = 'upload'", "3");
}

static void a_session_is_deleted_with_its_documents(void **state)
{
    (void)state;
    conv_delete_receipt receipt;
    registered("a", "whole session");
    registered("b", "whole session");
    registered("a", "other session");
    assert_ok(conv_session_delete(client, "whole session", &receipt, &error), error);
    assert_true(receipt.sessions == 0);
    assert_true(receipt.documents == 2);
    assert_true(receipt.usage_kept == 2);
    assert_status(conv_session_delete(client, "whole session", &receipt, &error), CONV_NOT_FOUND,
                  error);
    assert_value("SELECT count(*) FROM chat_documents", "1");
    assert_value("SELECT count(*) FROM usage_logs", "3");
}

/* Nobody listens at this port: the journal takes plain operations, and nothing takes a document. */
static void a_store_that_is_away_accepts_no_document(void **state)
{
    (void)state;
    char own_journal[96];
    conv_client *away = NULL;
    conv_operation *operation = NULL;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    snprintf(own_journal, sizeof own_journal, "%s/away.db", folder);
    params.store = "postgresql://127.0.0.1:1/nowhere";
    params.journal = own_journal;
    assert_ok(conv_client_open(&params, &away, &error), error);
    conv_document_params document = params_of("not accepted", NULL);
    assert_status(conv_document_register(away, &document, NULL, &error), CONV_UNAVAILABLE, error);
    conv_usage known = usage_of("parse", "not accepted", NULL);
    assert_ok(conv_operation_begin(away, &known, &operation, &error), error);
    assert_status(conv_operation_end(operation, NULL, &error), CONV_UNAVAILABLE, error);
    assert_ok(conv_operation_free(operation, &error), error);
    known = usage_of("search", NULL, NULL);
    assert_ok(conv_operation_begin(away, &known, &operation, &error), error);
    assert_ok(conv_operation_end(operation, NULL, &error), error);
    assert_ok(conv_operation_free(operation, &error), error);
    assert_status(conv_client_close(away, 0, &error), CONV_TIMEOUT, error);

    params.store = url;
    assert_ok(conv_client_open(&params, &away, &error), error);
    assert_ok(conv_client_close(away, 5000, &error), error);
    assert_value("SELECT count(*) FROM chat_documents", "0");
    assert_value("SELECT count(*) FROM usage_logs WHERE operation = 'parse'"
                 " AND document_id IS NOT NULL AND status = 'complete'",
                 "1");
    assert_value("SELECT count(*) FROM usage_logs WHERE operation = 'search'", "1");
}

static void documents_are_found_by_their_content(void **state)
{
    (void)state;
    char hash[CONV_SHA256_TEXT_SIZE];
    assert_ok(conv_document_hash(conv_text("hello"), hash, &error), error);
    assert_string_equal(hash, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    for (int i = 0; i < 3; i++) {
        char id[32];
        snprintf(id, sizeof id, "copy-%d", i);
        conv_document_params params = params_of(id, i == 0 ? NULL : "elsewhere");
        params.sha256 = hash;
        assert_ok(conv_document_register(client, &params, NULL, &error), error);
    }
    registered("other", NULL);
    conv_document_filter filter = CONV_DOCUMENT_FILTER_INIT;
    conv_document_page *page = NULL;
    filter.sha256 = hash;
    filter.limit = 2;
    assert_ok(conv_document_list(client, &filter, &page, &error), error);
    assert_int_equal(conv_document_page_count(page), 2);
    assert_true(conv_document_page_has_more(page));
    const conv_document *last = conv_document_page_document(page, 1);
    filter.after_us = last->created_us;
    filter.after_id = last->document_id;
    filter.after_session_id = last->session_id;
    conv_document_page_free(page);
    assert_ok(conv_document_list(client, &filter, &page, &error), error);
    assert_int_equal(conv_document_page_count(page), 1);
    assert_string_equal(conv_document_page_document(page, 0)->sha256, hash);
    conv_document_page_free(page);
    filter.limit = 1001;
    assert_status(conv_document_list(client, &filter, &page, &error), CONV_INVALID_ARGUMENT, error);
    assert_ok(conv_document_list(client, NULL, &page, &error), error);
    assert_int_equal(conv_document_page_count(page), 4);
    conv_document_page_free(page);
}

static void a_client_waits_for_its_operations(void **state)
{
    (void)state;
    conv_client *other = open_client(false);
    conv_operation *operation = NULL;
    conv_usage known = usage_of("parse", NULL, NULL);
    assert_ok(conv_operation_begin(other, &known, &operation, &error), error);
    pid_t child = fork();
    if (child == 0) {
        bool refused = conv_operation_end(operation, NULL, &error) == CONV_STATE;
        conv_operation_free(operation, &error);
        _exit(refused ? 0 : 1);
    }
    int answer = 1;
    waitpid(child, &answer, 0);
    assert_int_equal(answer, 0);
    assert_ok(conv_operation_end(operation, NULL, &error), error);
    assert_ok(conv_operation_free(operation, &error), error);
    assert_ok(conv_client_close(other, 5000, &error), error);
    assert_value("SELECT count(*) FROM usage_logs WHERE operation = 'parse'", "1");
}

enum { THREADS = 8, EACH = 5 };

/* No assertions here: they belong on the main thread. */
static void *work(void *context)
{
    size_t *failures = context;
    for (int i = 0; i < EACH; i++) {
        conv_document_params params = params_of("shared", "threads");
        conv_usage known = usage_of("search", "shared", "threads");
        conv_operation *operation = NULL;
        if (conv_document_register(client, &params, NULL, NULL) != CONV_OK) (*failures)++;
        if (conv_operation_begin(client, &known, &operation, NULL) != CONV_OK ||
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
    assert_value("SELECT count(*) FROM chat_documents", "1");
    assert_value("SELECT count(*) FROM usage_logs WHERE operation = 'upload'", "1");
    assert_value("SELECT count(*) FROM usage_logs WHERE operation = 'search'", "40");
}

#define TEST(function) cmocka_unit_test_setup(function, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_registration_and_its_upload_are_one),
        TEST(a_repeat_changes_nothing_and_other_content_is_refused),
        TEST(what_is_no_document_is_refused),
        TEST(hostile_names_and_empty_documents_are_fine),
        TEST(an_operation_on_a_document_changes_it_with_its_record),
        TEST(an_operation_on_no_document_is_recorded_all_the_same),
        TEST(plain_operations_go_through_the_tracker),
        TEST(one_that_is_never_ended_is_interrupted),
        TEST(a_begin_needs_an_operation),
        TEST(nothing_is_half_done_while_the_ledger_is_away),
        TEST(the_same_record_counts_once),
        TEST(a_deletion_keeps_what_was_used),
        TEST(a_session_is_deleted_with_its_documents),
        TEST(a_store_that_is_away_accepts_no_document),
        TEST(documents_are_found_by_their_content),
        TEST(a_client_waits_for_its_operations),
        TEST(many_threads_register_one_document),
    };
    return RUN_TESTS_WITH("operations", tests, setup, teardown);
}
