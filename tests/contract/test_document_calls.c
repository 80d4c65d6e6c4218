/* Documents through the public API, on either store: registered once with the record of the upload,
 * whatever their names, found by what is in them, deleted with a receipt. */
#include "support/document_client.h"
#include "support/test.h"

#include <stdlib.h>

static void a_registration_and_its_upload_are_one(void **state)
{
    (void)state;
    conv_document_page *page = NULL;
    conv_document_params params = document_params("contract.pdf", "support-42");
    conv_usage upload = CONV_USAGE_INIT;
    upload.latency_ms = 12;
    params.upload = &upload;
    params.metadata = "{\"pages\": 3}";
    assert_ok(conv_document_register(document_client, &params, &page, &document_error),
              document_error);
    const conv_document *document = conv_document_page_document(page, 0);
    assert_bytes(document->external_id, "contract.pdf");
    assert_bytes(document->external_session_id, "support-42");
    assert_bytes(document->external_user_id, "ann");
    assert_bytes(document->metadata, "{\"pages\": 3}");
    assert_bytes(document->last_operation, "upload");
    conv_document_page_free(page);
    document_assert_value(
        "SELECT count(*) FROM usage_logs l JOIN chat_documents d"
        " ON d.document_id = l.document_id AND d.session_id = l.session_id"
        " AND d.user_id = l.user_id AND d.created_at = l.created_at"
        " WHERE l.service = 'documents' AND l.operation = 'upload'"
        " AND l.processed_bytes = 4096 AND l.latency_ms = 12 AND l.status = 'complete'",
        "1");
    document_assert_value("SELECT count(*) FROM usage_logs", "1");
}

static void a_repeat_changes_nothing_and_other_content_is_refused(void **state)
{
    (void)state;
    conv_document_params params = document_params("again", NULL);
    params.metadata = "{}";
    for (int i = 0; i < 3; i++) {
        conv_document_page *page = NULL;
        assert_ok(conv_document_register(document_client, &params, &page, &document_error),
                  document_error);
        assert_int_equal(conv_document_page_count(page), 1);
        assert_int_equal(conv_document_page_is_repeat(page), i > 0);
        conv_document_page_free(page);
        assert_ok(conv_document_register(document_client, &params, NULL, &document_error),
                  document_error);
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
        assert_status(conv_document_register(document_client, &others[i], &page, &document_error),
                      CONV_CONFLICT, document_error);
        assert_null(page);
    }
    document_assert_value("SELECT count(*) FROM chat_documents", "1");
    document_assert_value("SELECT count(*) FROM usage_logs", "1");
}

static void what_is_no_document_is_refused(void **state)
{
    (void)state;
    conv_usage upload = CONV_USAGE_INIT;
    conv_document_params params = document_params("bad", NULL);
    params.created_us = INT64_MIN;
    assert_status(conv_document_register(document_client, &params, NULL, &document_error),
                  CONV_INVALID_ARGUMENT, document_error);
    params.created_us = 0;
    params.size_bytes = -1;
    assert_status(conv_document_register(document_client, &params, NULL, &document_error),
                  CONV_INVALID_ARGUMENT, document_error);
    const char *const hashes[] = {
        "", "abc", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85g",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8550"};
    for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++) {
        params = document_params("bad", NULL);
        params.sha256 = hashes[i];
        assert_status(conv_document_register(document_client, &params, NULL, &document_error),
                      CONV_INVALID_ARGUMENT, document_error);
        conv_document_filter filter = CONV_DOCUMENT_FILTER_INIT;
        conv_document_page *page = NULL;
        filter.sha256 = hashes[i];
        assert_status(conv_document_list(document_client, &filter, &page, &document_error),
                      CONV_INVALID_ARGUMENT, document_error);
    }
    params = document_params("bad", NULL);
    params.metadata = "[]";
    assert_status(conv_document_register(document_client, &params, NULL, &document_error),
                  CONV_INVALID_ARGUMENT, document_error);
    params = document_params("bad", NULL);
    upload.processed_bytes = -2;
    params.upload = &upload;
    assert_status(conv_document_register(document_client, &params, NULL, &document_error),
                  CONV_INVALID_ARGUMENT, document_error);
    assert_status(conv_document_register(document_client, NULL, NULL, &document_error),
                  CONV_INVALID_ARGUMENT, document_error);
    document_assert_value("SELECT count(*) FROM chat_documents", "0");
    document_assert_value("SELECT count(*) FROM usage_logs", "0");
}

static void an_operation_ends_within_the_years_that_a_store_has(void **state)
{
    (void)state;
    const int64_t last_us = INT64_C(253402300799999999); /* of the year 9999 */
    conv_document_params params = document_params("late", "session");
    conv_usage usage = CONV_USAGE_INIT;
    assert_ok(conv_document_register(document_client, &params, NULL, &document_error),
              document_error);
    usage.document_id = conv_text("late");
    usage.session_id = conv_text("session");
    usage.operation = conv_text("parse");
    usage.created_us = last_us - 1000;
    usage.latency_ms = 2;
    assert_status(conv_document_track(document_client, &usage, &document_error),
                  CONV_INVALID_ARGUMENT, document_error);
    assert_string_equal(document_error.message,
                        "created_us and latency_ms together are not within the years 1 to 9999: "
                        "they count microseconds and milliseconds");
    usage.latency_ms = CONV_LATENCY_MS_MAX;
    assert_status(conv_document_track(document_client, &usage, &document_error),
                  CONV_INVALID_ARGUMENT, document_error);
    document_assert_value("SELECT count(*) FROM usage_logs WHERE operation = 'parse'", "0");
    usage.latency_ms = 1;
    assert_ok(conv_document_track(document_client, &usage, &document_error), document_error);
    conv_document_page *page = NULL;
    assert_ok(conv_document_get(document_client, "late", "session", &page, &document_error),
              document_error);
    assert_int_equal(conv_document_page_document(page, 0)->updated_us, last_us);
    conv_document_page_free(page);
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
        assert_ok(conv_document_register(document_client, &params, NULL, &document_error),
                  document_error);
        conv_document_page *page = document_get(id, "\xC3\x28");
        const conv_document *document = conv_document_page_document(page, 0);
        assert_true(conv_bytes_equal(document->name, names[i]));
        assert_true(conv_bytes_equal(document->media_type, names[i]));
        assert_bytes(document->external_id, id);
        assert_bytes(document->external_session_id, "\xC3\x28");
        assert_true(document->size_bytes == 0);
        conv_document_page_free(page);
    }
}

static void a_deletion_keeps_what_was_used(void **state)
{
    (void)state;
    conv_document_receipt receipt = {0};
    document_registered("deleted", "support-42");
    document_registered("deleted", NULL);
    conv_usage known = document_usage("parse", "deleted", "support-42");
    conv_operation *operation = document_begin(&known);
    assert_ok(conv_operation_end(operation, NULL, &document_error), document_error);
    assert_ok(conv_operation_free(operation, &document_error), document_error);
    assert_ok(
        conv_document_delete(document_client, "deleted", "support-42", &receipt, &document_error),
        document_error);
    assert_true(receipt.documents == 1);
    assert_true(receipt.usage_kept == 3);
    assert_status(
        conv_document_delete(document_client, "deleted", "support-42", &receipt, &document_error),
        CONV_NOT_FOUND, document_error);
    assert_status(conv_document_delete(document_client, NULL, NULL, NULL, &document_error),
                  CONV_INVALID_ARGUMENT, document_error);
    document_assert_value("SELECT count(*) FROM usage_logs", "4");
    document_assert_value("SELECT count(*) FROM usage_logs WHERE operation = 'delete'"
                          " AND user_id IS NOT NULL AND document_id IS NOT NULL",
                          "1");
    conv_document_page *page = document_get("deleted", NULL);
    conv_document_page_free(page);
    assert_status(
        conv_document_get(document_client, "deleted", "support-42", &page, &document_error),
        CONV_NOT_FOUND, document_error);
    document_registered("deleted", "support-42");
    document_assert_value("SELECT count(*) FROM chat_documents", "2");
    document_assert_value("SELECT count(*) FROM usage_logs WHERE operation = 'upload'", "3");
}

static void a_session_is_deleted_with_its_documents(void **state)
{
    (void)state;
    conv_delete_receipt receipt;
    document_registered("a", "whole session");
    document_registered("b", "whole session");
    document_registered("a", "other session");
    assert_ok(conv_session_delete(document_client, "whole session", &receipt, &document_error),
              document_error);
    assert_true(receipt.sessions == 0);
    assert_true(receipt.documents == 2);
    assert_true(receipt.usage_kept == 2);
    assert_status(conv_session_delete(document_client, "whole session", &receipt, &document_error),
                  CONV_NOT_FOUND, document_error);
    document_assert_value("SELECT count(*) FROM chat_documents", "1");
    document_assert_value("SELECT count(*) FROM usage_logs", "3");
}

static void documents_are_found_by_their_content(void **state)
{
    (void)state;
    char hash[CONV_SHA256_TEXT_SIZE];
    assert_ok(conv_document_hash(conv_text("hello"), hash, &document_error), document_error);
    assert_string_equal(hash, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    for (int i = 0; i < 3; i++) {
        char id[32];
        snprintf(id, sizeof id, "copy-%d", i);
        conv_document_params params = document_params(id, i == 0 ? NULL : "elsewhere");
        params.sha256 = hash;
        assert_ok(conv_document_register(document_client, &params, NULL, &document_error),
                  document_error);
    }
    document_registered("other", NULL);
    conv_document_filter filter = CONV_DOCUMENT_FILTER_INIT;
    conv_document_page *page = NULL;
    filter.sha256 = hash;
    filter.limit = 2;
    assert_ok(conv_document_list(document_client, &filter, &page, &document_error), document_error);
    assert_int_equal(conv_document_page_count(page), 2);
    assert_true(conv_document_page_has_more(page));
    const conv_document *last = conv_document_page_document(page, 1);
    filter.after_us = last->created_us;
    filter.after_id = last->document_id;
    filter.after_session_id = last->session_id;
    conv_document_page_free(page);
    assert_ok(conv_document_list(document_client, &filter, &page, &document_error), document_error);
    assert_int_equal(conv_document_page_count(page), 1);
    assert_string_equal(conv_document_page_document(page, 0)->sha256, hash);
    conv_document_page_free(page);
    filter.limit = 1001;
    assert_status(conv_document_list(document_client, &filter, &page, &document_error),
                  CONV_INVALID_ARGUMENT, document_error);
    assert_ok(conv_document_list(document_client, NULL, &page, &document_error), document_error);
    assert_int_equal(conv_document_page_count(page), 4);
    conv_document_page_free(page);
}

#define TEST(function) cmocka_unit_test_setup(function, document_client_clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_registration_and_its_upload_are_one),
        TEST(a_repeat_changes_nothing_and_other_content_is_refused),
        TEST(what_is_no_document_is_refused),
        TEST(an_operation_ends_within_the_years_that_a_store_has),
        TEST(hostile_names_and_empty_documents_are_fine),
        TEST(a_deletion_keeps_what_was_used),
        TEST(a_session_is_deleted_with_its_documents),
        TEST(documents_are_found_by_their_content),
    };
    return RUN_TESTS_WITH("document calls", tests, document_client_setup, document_client_teardown);
}
