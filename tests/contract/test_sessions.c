/* Sessions as a whole: make, read, change, list page by page, delete. */
#include "support/contract_store.h"
#include "support/sample.h"
#include "support/store.h"
#include "support/test.h"

#include <stdlib.h>

static conv__arena arena;
static conv_error error;

static int reset(void **state)
{
    (void)state;
    conv__arena_reset(&arena);
    error = (conv_error)CONV_ERROR_INIT;
    return 0;
}

static conv__session_row session_row(const char *id, const char *user, const char *title,
                                     const char *metadata, int64_t created_us)
{
    conv__session_row row;
    assert_ok(conv__session_to_row(&arena, conv_text(id), conv_text(user), conv_text(title),
                                   conv_text(metadata), &row, &error),
              error);
    row.created_us = created_us;
    return row;
}

static void create(const conv__session_row *row)
{
    conv__store *store = contract_store();
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_WRITE);
    assert_ok(store->chat->functions->create_session(store->chat, transaction, row, &error), error);
    assert_ok(store->functions->commit(transaction, &error), error);
}

static bool update(const conv__session_row *row)
{
    conv__store *store = contract_store();
    bool found = true;
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_WRITE);
    assert_ok(store->chat->functions->update_session(store->chat, transaction, row, &found, &error),
              error);
    assert_ok(store->functions->commit(transaction, &error), error);
    return found;
}

static conv_session read_one(const char *id)
{
    conv__store *store = contract_store();
    conv__session_list list;
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_READ);
    assert_ok(store->chat->functions->read_session(
                  store->chat, transaction, conv_uuid_ensure(conv_text(id)), &arena, &list, &error),
              error);
    store->functions->rollback(transaction);
    assert_int_equal(list.count, 1);
    return list.sessions[0];
}

static conv__session_list read_list(const conv__session_query *query)
{
    conv__store *store = contract_store();
    conv__session_list list;
    memset(&list, 0xFF, sizeof list);
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_READ);
    assert_ok(store->chat->functions->list_sessions(store->chat, transaction, query, &arena, &list,
                                                    &error),
              error);
    store->functions->rollback(transaction);
    return list;
}

static void test_a_session_as_it_was_made(void **state)
{
    (void)state;
    conv__session_row row =
        session_row("made", "somebody", "A title", "{\"a\": 1}", 1700000000123456);
    create(&row);
    conv_session got = read_one("made");
    assert_memory_equal(&got.session_id, &row.session_id, sizeof got.session_id);
    assert_memory_equal(&got.user_id, &row.user.id, sizeof got.user_id);
    assert_bytes(got.external_id, "made");
    assert_bytes(got.external_user_id, "somebody");
    assert_bytes(got.title, "A title");
    assert_bytes(got.metadata, "{\"a\": 1}");
    assert_int_equal(got.message_count, 0);
    assert_true(got.created_us == 1700000000123456);
    assert_true(got.updated_us == 1700000000123456);

    /* Made again it stays as it is. */
    row = session_row("made", "else", "Other", "{\"b\": 2}", 1800000000000000);
    create(&row);
    got = read_one("made");
    assert_bytes(got.title, "A title");
    assert_bytes(got.external_user_id, "somebody");
    assert_true(got.updated_us == 1700000000123456);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_users WHERE external_id = 'else'"),
                     0);
}

static void test_an_id_that_is_a_uuid_comes_back_as_its_text(void **state)
{
    (void)state;
    const char *id = "01234567-89ab-7def-8123-456789abcdef";
    conv__session_row row = session_row(id, id, NULL, NULL, 1);
    create(&row);
    conv_session got = read_one(id);
    assert_bytes(got.external_id, id);
    assert_bytes(got.external_user_id, id);
    assert_null(got.title.data);
    assert_null(got.metadata.data);
    assert_int_equal(
        contract_count("SELECT count(*) FROM chat_sessions WHERE external_id IS NOT NULL"
                       " AND session_id = '%s'",
                       id),
        0);
    row = session_row("of nobody", NULL, NULL, NULL, 1);
    create(&row);
    got = read_one("of nobody");
    assert_null(got.external_user_id.data);
    assert_true(conv_uuid_is_nil(got.user_id));
}

static void test_an_unknown_session(void **state)
{
    (void)state;
    conv__store *store = contract_store();
    conv__session_list list;
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_READ);
    assert_status(store->chat->functions->read_session(store->chat, transaction, conv_uuid_v4(),
                                                       &arena, &list, &error),
                  CONV_NOT_FOUND, error);
    store->functions->rollback(transaction);
    conv__session_row row = session_row("never made", NULL, "title", NULL, 1);
    assert_false(update(&row));
    assert_int_equal(contract_count("SELECT count(*) FROM chat_sessions WHERE session_id = '%s'",
                                    contract_uuid(row.session_id)),
                     0);
}

static void test_update_changes_what_it_names(void **state)
{
    (void)state;
    conv__session_row row =
        session_row("a \x01\xFF id", "u", "bad \xFF title", "{\"a\": \"\\u0000\"}", 5);
    create(&row);
    row = session_row("a \x01\xFF id", NULL, "good title", NULL, 1000);
    assert_true(update(&row));
    conv_session got = read_one("a \x01\xFF id");
    assert_bytes(got.title, "good title");
    assert_bytes(got.metadata, "{\"a\": \"\\u0000\"}");
    assert_bytes(got.external_id, "a \x01\xFF id");
    assert_bytes(got.external_user_id, "u");
    assert_true(got.updated_us == 5);

    row = session_row("a \x01\xFF id", NULL, NULL, "{\"b\": 2}", 1000);
    assert_true(update(&row));
    got = read_one("a \x01\xFF id");
    assert_bytes(got.title, "good title");
    assert_bytes(got.metadata, "{\"b\": 2}");

    row = session_row("a \x01\xFF id", NULL, "worse \xFE\xFF", "{\"c\": \"\\ud800\"}", 1000);
    assert_true(update(&row));
    got = read_one("a \x01\xFF id");
    assert_bytes(got.title, "worse \xFE\xFF");
    assert_bytes(got.metadata, "{\"c\": \"\\ud800\"}");
    assert_bytes(got.external_id, "a \x01\xFF id");

    /* Another spelling of the same id names the session, but does not rename it. */
    row = session_row("11111111-2222-4333-8444-555555555555", NULL, "first", NULL, 7);
    create(&row);
    row = session_row("{11111111-2222-4333-8444-555555555555}", NULL, "second", NULL, 8);
    assert_true(update(&row));
    got = read_one("11111111-2222-4333-8444-555555555555");
    assert_bytes(got.external_id, "11111111-2222-4333-8444-555555555555");
    assert_bytes(got.title, "second");
}

enum { LISTED = 12 };

/* Sessions of two users; always three share a time. */
static void make_list(void)
{
    static bool made;
    if (made) return;
    made = true;
    test_store_execute(test_store_kind(), "DELETE FROM chat_sessions");
    for (int i = 0; i < LISTED; i++) {
        char id[32];
        snprintf(id, sizeof id, "listed %d", i);
        conv__session_row row = session_row(id, i % 4 == 0 ? "lister a" : "lister b", NULL, NULL,
                                            1700000000000000 + i / 3);
        create(&row);
    }
}

/* Walks over all pages and checks their order; gives how many sessions there were. */
static int walk(conv_uuid user_id, size_t limit)
{
    conv__session_query query = {.user_id = user_id, .limit = limit};
    conv_session last = {.updated_us = INT64_MAX};
    int count = 0;
    for (bool more = true; more;) {
        conv__session_list page = read_list(&query);
        more = page.has_more;
        assert_true(page.count <= limit);
        assert_true(page.count == limit || !more);
        for (size_t i = 0; i < page.count; i++) {
            const conv_session *next = &page.sessions[i];
            bool descends = next->updated_us < last.updated_us ||
                            (next->updated_us == last.updated_us &&
                             conv_uuid_compare(next->session_id, last.session_id) < 0);
            assert_true(descends);
            if (!conv_uuid_is_nil(user_id))
                assert_memory_equal(&next->user_id, &user_id, sizeof user_id);
            assert_non_null(next->external_user_id.data);
            last = *next;
            count++;
        }
        query.after_us = last.updated_us;
        query.after_id = last.session_id;
    }
    return count;
}

static void test_pages_of_all_sessions(void **state)
{
    (void)state;
    make_list();
    for (size_t limit = 1; limit <= LISTED + 1; limit++)
        assert_int_equal(walk((conv_uuid){{0}}, limit), LISTED);
}

static void test_pages_of_one_user(void **state)
{
    (void)state;
    make_list();
    for (size_t limit = 1; limit <= LISTED + 1; limit++) {
        assert_int_equal(walk(conv_uuid_ensure(conv_text("lister a")), limit), 3);
        assert_int_equal(walk(conv_uuid_ensure(conv_text("lister b")), limit), 9);
    }
    assert_int_equal(walk(conv_uuid_ensure(conv_text("nobody")), 5), 0);
}

static void test_an_exchange_moves_its_session_to_the_front(void **state)
{
    (void)state;
    make_list();
    const conv__exchange *exchange = sample_exchange(&arena, "listed 4", "a", "b");
    assert_ok(contract_save(contract_store(), &exchange, 1, NULL, &error), error);
    conv__session_query query = {.limit = 1};
    conv__session_list page = read_list(&query);
    assert_bytes(page.sessions[0].external_id, "listed 4");
    assert_bytes(page.sessions[0].external_user_id, "lister a");
    assert_int_equal(page.sessions[0].message_count, 2);
    assert_true(page.has_more);
}

static conv_delete_receipt erase(conv_uuid session_id)
{
    conv__store *store = contract_store();
    conv_delete_receipt receipt;
    memset(&receipt, 0xFF, sizeof receipt);
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_WRITE);
    assert_ok(store->chat->functions->delete_session(store->chat, transaction, session_id, 1,
                                                     &receipt, &error),
              error);
    assert_ok(store->functions->commit(transaction, &error), error);
    return receipt;
}

static void test_delete_gives_a_receipt(void **state)
{
    (void)state;
    const conv__exchange *exchanges[] = {
        sample_exchange(&arena, "to delete", "a", "b"),
        sample_exchange(&arena, "to delete", "c", "d"),
        sample_failed_exchange(&arena, "to delete", "e"),
        sample_exchange(&arena, "to keep", "f", "g"),
    };
    assert_ok(contract_save(contract_store(), exchanges, 4, NULL, &error), error);
    conv_uuid id = exchanges[0]->session.session_id;
    char sql[512];
    snprintf(sql, sizeof sql,
             "INSERT INTO chat_sessions_summary (summary_id, session_id, summary, created_at)"
             " VALUES ('%s', '%s', 'short', '2026-01-01T00:00:00.000000Z')",
             contract_uuid(conv_uuid_v4()), contract_uuid(id));
    test_store_execute(test_store_kind(), sql);

    conv_delete_receipt receipt = erase(id);
    assert_int_equal(receipt.sessions, 1);
    assert_int_equal(receipt.messages, 5);
    assert_int_equal(receipt.exchanges, 3);
    assert_int_equal(receipt.summaries, 1);
    assert_int_equal(receipt.usage_kept, 3);
    const char *const emptied[] = {"chat_sessions", "chat_messages", "chat_exchanges",
                                   "chat_sessions_summary"};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(contract_count("SELECT count(*) FROM %s WHERE session_id = '%s'",
                                        emptied[i], contract_uuid(id)),
                         0);
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs WHERE session_id = '%s'",
                                    contract_uuid(id)),
                     3);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_messages WHERE session_id = '%s'",
                                    contract_uuid(exchanges[3]->session.session_id)),
                     2);

    receipt = erase(id);
    assert_int_equal(receipt.sessions, 0);
    assert_int_equal(receipt.messages, 0);
    assert_int_equal(receipt.exchanges, 0);
    assert_int_equal(receipt.usage_kept, 3);

    /* The id can be used again, from the beginning. */
    conv__save_result result;
    const conv__exchange *again = sample_exchange(&arena, "to delete", "new", "life");
    assert_ok(contract_save(contract_store(), &again, 1, &result, &error), error);
    assert_true(result.inserted);
    assert_int_equal(result.first_position, 1);
}

static void test_a_rolled_back_delete_keeps_all(void **state)
{
    (void)state;
    conv__store *store = contract_store();
    const conv__exchange *exchange = sample_exchange(&arena, "not deleted", "a", "b");
    assert_ok(contract_save(store, &exchange, 1, NULL, &error), error);
    conv_delete_receipt receipt;
    conv__transaction *transaction = contract_begin(store, CONV__TRANSACTION_WRITE);
    assert_ok(store->chat->functions->delete_session(
                  store->chat, transaction, exchange->session.session_id, 1, &receipt, &error),
              error);
    store->functions->rollback(transaction);
    assert_int_equal(read_one("not deleted").message_count, 2);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_messages WHERE session_id = '%s'",
                                    contract_uuid(exchange->session.session_id)),
                     2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_session_as_it_was_made, reset),
        cmocka_unit_test_setup(test_an_id_that_is_a_uuid_comes_back_as_its_text, reset),
        cmocka_unit_test_setup(test_an_unknown_session, reset),
        cmocka_unit_test_setup(test_update_changes_what_it_names, reset),
        cmocka_unit_test_setup(test_pages_of_all_sessions, reset),
        cmocka_unit_test_setup(test_pages_of_one_user, reset),
        cmocka_unit_test_setup(test_an_exchange_moves_its_session_to_the_front, reset),
        cmocka_unit_test_setup(test_delete_gives_a_receipt, reset),
        cmocka_unit_test_setup(test_a_rolled_back_delete_keeps_all, reset),
    };
    int failures = RUN_TESTS_WITH("sessions", tests, contract_setup, contract_teardown);
    conv__arena_reset(&arena);
    return failures;
}
