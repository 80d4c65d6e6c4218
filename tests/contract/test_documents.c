/* The document repository: one row for each key, whatever bytes, found by all that it is known by.
 */
#include "support/contract_store.h"
#include "support/store.h"
#include "support/test.h"

#include <stdlib.h>

#include "core/hash.h"
#include "repositories/documents.h"
#include "services/tracking.h"

static conv__arena arena;
static conv_error error;

static int reset(void **state)
{
    (void)state;
    conv__arena_reset(&arena);
    error = (conv_error)CONV_ERROR_INIT;
    return 0;
}

static conv__document_row make_row(const conv_document_params *params)
{
    conv__document_row row;
    assert_ok(conv__document_to_row(&arena, params, &row, &error), error);
    row.content_hash[0] = 0x5A;
    row.last_operation = conv_text("upload");
    row.created_us = params->created_us;
    return row;
}

static conv_document_params params_of(const char *id, const char *session_id, int64_t created_us)
{
    conv_document_params params = CONV_DOCUMENT_PARAMS_INIT;
    params.document_id = id;
    params.session_id = session_id;
    params.created_us = created_us;
    return params;
}

static bool insert(const conv__document_row *row)
{
    conv__store *store = contract_store();
    bool inserted = false;
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_WRITE);
    assert_ok(
        store->documents->functions->insert(store->documents, transaction, row, &inserted, &error),
        error);
    assert_ok(store->functions->commit(transaction, &error), error);
    return inserted;
}

static bool insert_one(const char *id, const char *session_id, int64_t created_us)
{
    conv_document_params params = params_of(id, session_id, created_us);
    conv__document_row row = make_row(&params);
    return insert(&row);
}

static conv__document_key key_of(const char *id, const char *session_id)
{
    return (conv__document_key){conv_uuid_ensure(conv_text(id)),
                                conv_uuid_ensure(conv_text(session_id))};
}

static conv_status read_key(const conv__document_key *key, conv__document_list *list)
{
    conv__store *store = contract_store();
    memset(list, 0xFF, sizeof *list);
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_READ);
    conv_status status =
        store->documents->functions->read(store->documents, transaction, key, &arena, list, &error);
    store->functions->rollback(transaction);
    return status;
}

static conv_document read_one(const char *id, const char *session_id)
{
    conv__document_list list;
    conv__document_key key = key_of(id, session_id);
    assert_ok(read_key(&key, &list), error);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.rows[0].content_hash[0], 0x5A);
    return list.rows[0].document;
}

static void a_document_comes_back_as_it_was(void **state)
{
    (void)state;
    const char *hash = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855";
    conv_document_params params = params_of("contract.pdf", "support-42", 1700000000123456);
    params.user_id = "somebody";
    params.name = conv_view("a\0b\xFF.pdf", 8);
    params.media_type = conv_view("text/\0\xC3", 7);
    params.size_bytes = INT64_MAX;
    params.sha256 = hash;
    params.metadata = "{\"b\": 1, \"a\": \"\\u0000\"}";
    conv__document_row row = make_row(&params);
    assert_true(insert(&row));
    conv_document got = read_one("contract.pdf", "support-42");
    assert_bytes(got.external_id, "contract.pdf");
    assert_bytes(got.external_session_id, "support-42");
    assert_bytes(got.external_user_id, "somebody");
    assert_true(conv_bytes_equal(got.name, params.name));
    assert_true(conv_bytes_equal(got.media_type, params.media_type));
    assert_bytes(got.metadata, params.metadata);
    assert_true(got.size_bytes == INT64_MAX);
    assert_string_equal(got.sha256,
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_bytes(got.last_operation, "upload");
    assert_int_equal(got.last_status, CONV_OUTCOME_COMPLETE);
    assert_true(got.created_us == 1700000000123456);
    assert_true(got.updated_us == 1700000000123456);
}

static void an_empty_document_of_nobody(void **state)
{
    (void)state;
    const char *id = "01234567-89ab-7def-8123-456789abcdef";
    assert_true(insert_one(id, NULL, 1));
    conv_document got = read_one(id, NULL);
    assert_bytes(got.external_id, id);
    assert_null(got.external_session_id.data);
    assert_true(conv_uuid_is_nil(got.session_id));
    assert_null(got.external_user_id.data);
    assert_null(got.name.data);
    assert_null(got.metadata.data);
    assert_true(got.size_bytes == 0);
    assert_string_equal(got.sha256, "");
}

static void an_id_counts_once_in_its_session(void **state)
{
    (void)state;
    assert_true(insert_one("same", NULL, 10));
    assert_true(insert_one("same", "one", 20));
    assert_true(insert_one("same", "two", 30));
    assert_false(insert_one("same", NULL, 40));
    assert_false(insert_one("same", "two", 40));
    assert_true(read_one("same", NULL).created_us == 10);
    assert_true(read_one("same", "one").created_us == 20);
    conv__document_list list;
    conv__document_key key = key_of("same", "three");
    assert_status(read_key(&key, &list), CONV_NOT_FOUND, error);
}

static conv__document_list list_page(const conv__document_query *query)
{
    conv__store *store = contract_store();
    conv__document_list list;
    memset(&list, 0xFF, sizeof list);
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_READ);
    assert_ok(store->documents->functions->list(store->documents, transaction, query, &arena, &list,
                                                &error),
              error);
    store->functions->rollback(transaction);
    return list;
}

/* Walks in pages of two; gives how many there were, and checks that each is older than the last. */
static size_t walk(conv__document_query query)
{
    size_t seen = 0;
    query.limit = 2;
    for (bool more = true; more;) {
        conv__document_list list = list_page(&query);
        for (size_t i = 0; i < list.count; i++) {
            const conv_document *one = &list.rows[i].document;
            if (seen++ > 0) assert_true(one->created_us <= query.after_us);
            query.after_us = one->created_us;
            query.after_id = one->document_id;
            query.after_session_id = one->session_id;
        }
        more = list.has_more;
        assert_true(!more || list.count == 2);
    }
    return seen;
}

static void pages_by_session_user_and_content(void **state)
{
    (void)state;
    uint8_t digest[CONV__SHA256_SIZE];
    memset(digest, 0xAB, sizeof digest);
    char hash[2 * CONV__SHA256_SIZE + 1];
    conv__sha256_format(digest, hash);
    long before = contract_count("SELECT count(*) FROM chat_documents");
    /* All of the same moment, also one id in two sessions: the key alone orders them. */
    for (int i = 0; i < 9; i++) {
        char id[32];
        snprintf(id, sizeof id, "paged-%d", i / 2);
        conv_document_params params = params_of(id, i % 2 == 0 ? "even" : "odd", 5000);
        params.user_id = i < 3 ? "reader" : NULL;
        params.sha256 = i >= 4 ? hash : NULL;
        conv__document_row row = make_row(&params);
        assert_true(insert(&row));
    }
    assert_int_equal(walk((conv__document_query){0}), before + 9);
    conv_uuid odd = conv_uuid_ensure(conv_text("odd"));
    conv_uuid reader = conv_uuid_ensure(conv_text("reader"));
    conv_bytes sha256 = conv_view((const char *)digest, sizeof digest);
    assert_int_equal(walk((conv__document_query){.session_id = odd}), 4);
    assert_int_equal(walk((conv__document_query){.user_id = reader}), 3);
    assert_int_equal(walk((conv__document_query){.sha256 = sha256}), 5);
    assert_int_equal(walk((conv__document_query){.sha256 = sha256, .session_id = odd}), 2);
    assert_int_equal(walk((conv__document_query){.user_id = reader, .session_id = odd}), 1);
    assert_int_equal(walk((conv__document_query){.user_id = odd}), 0);
}

static bool note(const char *id, const char *operation, conv_outcome status, int64_t ended_us)
{
    conv__store *store = contract_store();
    bool saved = false;
    bool found = true;
    conv_usage usage = CONV_USAGE_INIT;
    conv__usage_row record;
    usage.document_id = conv_text(id);
    usage.session_id = conv_text("noted");
    usage.operation = conv_text(operation);
    usage.status = status;
    conv__usage_complete(NULL, &usage);
    assert_ok(conv__usage_to_row(&arena, &usage, &record, &error), error);
    conv__document_note made = {&record, ended_us};
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_WRITE);
    assert_ok(store->documents->functions->note(store->documents, transaction, &made, &saved,
                                                &found, &error),
              error);
    assert_ok(store->functions->commit(transaction, &error), error);
    assert_true(saved);
    return found;
}

static void the_newest_operation_is_noted(void **state)
{
    (void)state;
    assert_true(insert_one("worked on", "noted", 1000));
    assert_true(insert_one("left alone", "noted", 1000));
    assert_true(note("worked on", "embed", CONV_OUTCOME_FAILED, 3000));
    assert_true(note("worked on", "parse", CONV_OUTCOME_COMPLETE, 2000)); /* arrives late */
    conv_document got = read_one("worked on", "noted");
    assert_bytes(got.last_operation, "embed");
    assert_int_equal(got.last_status, CONV_OUTCOME_FAILED);
    assert_true(got.updated_us == 3000);
    assert_true(note("worked on", "embed", CONV_OUTCOME_COMPLETE, 3000));
    assert_int_equal(read_one("worked on", "noted").last_status, CONV_OUTCOME_COMPLETE);
    got = read_one("left alone", "noted");
    assert_bytes(got.last_operation, "upload");
    assert_true(got.updated_us == 1000);
    assert_false(note("nowhere", "parse", CONV_OUTCOME_COMPLETE, 1));
}

static conv__removed_document remove_one(const char *id, const char *session_id)
{
    conv__store *store = contract_store();
    conv__removed_document removed;
    memset(&removed, 0, sizeof removed);
    conv__document_key key = key_of(id, session_id);
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_WRITE);
    assert_ok(
        store->documents->functions->remove(store->documents, transaction, &key, &removed, &error),
        error);
    assert_ok(store->functions->commit(transaction, &error), error);
    return removed;
}

static void a_removed_one_is_gone_and_nothing_else(void **state)
{
    (void)state;
    conv_document_params params = params_of("going", "removal", 1);
    params.user_id = "owner";
    conv__document_row row = make_row(&params);
    assert_true(insert(&row));
    assert_true(insert_one("going", "elsewhere", 1));
    conv__removed_document removed = remove_one("going", "removal");
    assert_true(removed.found);
    assert_int_equal(conv_uuid_compare(removed.user_id, conv_uuid_ensure(conv_text("owner"))), 0);
    assert_true(removed.usage_records == 0);
    assert_false(remove_one("going", "removal").found);
    assert_true(read_one("going", "elsewhere").created_us == 1);
    assert_true(insert_one("going", "removal", 2));
}

static void assert_gone(const conv__gone_document *gone, const char *id, const char *user)
{
    conv__document_key key = key_of(id, "all gone");
    assert_int_equal(conv_uuid_compare(gone->key.document_id, key.document_id), 0);
    assert_int_equal(conv_uuid_compare(gone->key.session_id, key.session_id), 0);
    assert_int_equal(conv_uuid_compare(gone->user_id, conv_uuid_ensure(conv_text(user))), 0);
}

static void a_session_takes_its_documents_along(void **state)
{
    (void)state;
    conv__store *store = contract_store();
    conv__gone_documents gone = {.arena = &arena};
    conv_uuid session_id = conv_uuid_ensure(conv_text("all gone"));
    conv_document_params owned = params_of("one", "all gone", 1);
    owned.user_id = "owner";
    conv__document_row row = make_row(&owned);
    assert_true(insert(&row));
    assert_true(insert_one("two", "all gone", 1));
    assert_true(insert_one("one", NULL, 1));
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_WRITE);
    assert_ok(store->documents->functions->remove_session(store->documents, transaction, session_id,
                                                          &gone, &error),
              error);
    conv__gone_documents none = {.arena = &arena}; /* no session is no session of anybody's */
    assert_ok(store->documents->functions->remove_session(
                  store->documents, transaction, conv_uuid_ensure(conv_text(NULL)), &none, &error),
              error);
    assert_ok(store->functions->commit(transaction, &error), error);
    assert_int_equal(gone.count, 2);
    assert_int_equal(none.count, 0);
    size_t one = conv_uuid_is_nil(gone.rows[0].user_id) ? 1 : 0;
    assert_gone(&gone.rows[one], "one", "owner");
    assert_gone(&gone.rows[1 - one], "two", NULL);
    assert_true(read_one("one", NULL).created_us == 1);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_documents WHERE session_id = '%s'",
                                    contract_uuid(session_id)),
                     0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, reset, reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_document_comes_back_as_it_was),     TEST(an_empty_document_of_nobody),
        TEST(an_id_counts_once_in_its_session),    TEST(pages_by_session_user_and_content),
        TEST(the_newest_operation_is_noted),       TEST(a_removed_one_is_gone_and_nothing_else),
        TEST(a_session_takes_its_documents_along),
    };
    return RUN_TESTS_WITH("documents", tests, contract_setup, contract_teardown);
}
