/* Labels, deletion and erasure through the public API, on either store: what goes, what is kept,
 * and that no journal brings it back. */
#include "support/test.h"

#include <stdlib.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/folder.h"
#include "support/store.h"

#define TAKE_AWAY  "ALTER TABLE chat_exchanges RENAME TO away"
#define BRING_BACK "ALTER TABLE away RENAME TO chat_exchanges"

/* `journal` is the name of its file, or NULL. */
static conv_client *open_client(const char *journal)
{
    conv_client_params params = contract_client_params();
    char path[128];
    snprintf(path, sizeof path, "%s/%s", contract_client_folder(), journal != NULL ? journal : "");
    params.journal = journal != NULL ? path : NULL;
    params.tracker_records = 1000;
    return contract_client_open(&params);
}

static void drain(const char *journal)
{
    conv_client *client = open_client(journal);
    contract_client_close(&client);
}

static void save(conv_client *client, const char *session, const char *user, const char *question,
                 conv_saved wanted)
{
    conv_message messages[2] = {{.role = CONV_ROLE_USER, .content = conv_text(question)},
                                {.role = CONV_ROLE_ASSISTANT, .content = conv_text("answer")}};
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    conv_reply *reply = NULL;
    conv_error error;
    exchange.session_id = session;
    exchange.user_id = user;
    exchange.messages = messages;
    exchange.message_count = 2;
    exchange.usage.user_email = conv_text("somebody\xFF@example.com");
    exchange.usage.input_tokens = 7;
    exchange.usage.total_tokens = 7;
    assert_ok(conv_save_exchange(client, &exchange, &reply, &error), error);
    assert_int_equal(conv_reply_saved(reply), wanted);
    conv_reply_free(reply);
}

/* The session, alone in its page; NULL: there is none. */
static conv_session_page *get(conv_client *client, const char *id)
{
    conv_session_page *page = NULL;
    conv_error error;
    conv_status status = conv_session_get(client, id, &page, &error);
    if (status != CONV_NOT_FOUND) assert_ok(status, error);
    return page;
}

static size_t listed(conv_client *client, const char *user, const char *tag, conv_archived archived)
{
    conv_session_filter filter = CONV_SESSION_FILTER_INIT;
    conv_session_page *page = NULL;
    conv_error error;
    filter.user_id = conv_text(user);
    filter.tag = conv_text(tag);
    filter.archived = archived;
    assert_ok(conv_session_list(client, &filter, &page, &error), error);
    size_t found = conv_session_page_count(page);
    conv_session_page_free(page);
    return found;
}

static void tags_come_and_go(void **state)
{
    (void)state;
    conv_error error;
    conv_client *client = open_client(NULL);
    save(client, "tagged", "tagger", "a", CONV_SAVED_COMMITTED);
    save(client, "plain", "tagger", "a", CONV_SAVED_COMMITTED);
    assert_ok(conv_session_tag(client, "tagged", "urgent", &error), error);
    assert_ok(conv_session_tag(client, "tagged", "urgent", &error), error);
    assert_ok(conv_session_tag(client, "tagged", "'; DROP TABLE x; --, \xC3\xA4", &error), error);
    conv_session_page *page = get(client, "tagged");
    const conv_session *session = conv_session_page_session(page, 0);
    assert_int_equal(session->tag_count, 2);
    assert_bytes(session->tags[0], "'; DROP TABLE x; --, \xC3\xA4");
    assert_bytes(session->tags[1], "urgent");
    conv_session_page_free(page);
    assert_int_equal(listed(client, "tagger", "urgent", CONV_ARCHIVED_NOT), 1);
    assert_int_equal(listed(client, "tagger", NULL, CONV_ARCHIVED_NOT), 2);
    assert_int_equal(listed(client, NULL, "urg", CONV_ARCHIVED_NOT), 0);
    assert_ok(conv_session_untag(client, "tagged", "urgent", &error), error);
    assert_ok(conv_session_untag(client, "tagged", "urgent", &error), error);
    assert_int_equal(listed(client, "tagger", "urgent", CONV_ARCHIVED_NOT), 0);
    assert_status(conv_session_tag(client, "no such", "urgent", &error), CONV_NOT_FOUND, error);
    assert_status(conv_session_untag(client, "no such", "urgent", &error), CONV_NOT_FOUND, error);
    static const char *const bad[] = {NULL, "", "a\nb", "\x1f", "\xFF"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_status(conv_session_tag(client, "tagged", bad[i], &error), CONV_INVALID_ARGUMENT,
                      error);
    contract_client_close(&client);
}

static void the_archive_is_left_out_unless_asked_for(void **state)
{
    (void)state;
    conv_error error;
    conv_client *client = open_client(NULL);
    save(client, "kept", "archivist", "a", CONV_SAVED_COMMITTED);
    save(client, "away", "archivist", "a", CONV_SAVED_COMMITTED);
    assert_ok(conv_session_archive(client, "away", true, &error), error);
    conv_session_page *page = get(client, "away");
    int64_t archived_us = conv_session_page_session(page, 0)->archived_us;
    assert_true(archived_us > 0);
    conv_session_page_free(page);
    assert_int_equal(listed(client, "archivist", NULL, CONV_ARCHIVED_NOT), 1);
    assert_int_equal(listed(client, "archivist", NULL, CONV_ARCHIVED_ONLY), 1);
    assert_int_equal(listed(client, "archivist", NULL, CONV_ARCHIVED_TOO), 2);
    assert_ok(conv_session_archive(client, "away", true, &error), error);
    save(client, "away", "archivist", "b", CONV_SAVED_COMMITTED);
    page = get(client, "away");
    assert_true(conv_session_page_session(page, 0)->archived_us == archived_us);
    conv_session_page_free(page);
    assert_ok(conv_session_archive(client, "away", false, &error), error);
    assert_int_equal(listed(client, "archivist", NULL, CONV_ARCHIVED_NOT), 2);
    assert_status(conv_session_archive(client, "no such", true, &error), CONV_NOT_FOUND, error);
    contract_client_close(&client);
}

/* What waits in this client's own journal, and in another's that is drained later. */
static void a_deleted_session_does_not_come_back(void **state)
{
    (void)state;
    conv_error error;
    conv_delete_receipt receipt;
    conv_client *own = open_client("own.db");
    conv_client *other = open_client("other.db");
    long ledger = contract_count("SELECT count(*) FROM usage_logs");
    save(own, "gone", "u", "a", CONV_SAVED_COMMITTED);
    contract_execute(TAKE_AWAY);
    save(own, "gone", "u", "b", CONV_SAVED_JOURNALED);
    save(other, "gone", "u", "c", CONV_SAVED_JOURNALED);
    save(other, "stays", "u", "d", CONV_SAVED_JOURNALED);
    (void)!conv_client_close(other, 0, &error);
    contract_execute("ALTER TABLE away RENAME TO chat_exchanges");
    conv_status status = CONV_OK;
    do /* its store is back when the drain has noticed */
        status = conv_session_delete(own, "gone", &receipt, &error);
    while (status == CONV_UNAVAILABLE);
    assert_ok(status, error);
    assert_int_equal(receipt.sessions, 1);
    /* What waited was dropped, or drained just before. */
    assert_int_equal(receipt.journal * 2 + receipt.messages, 4);
    contract_client_close(&own);
    assert_int_equal(
        contract_count("SELECT count(*) FROM chat_sessions WHERE external_id = 'gone'"), 0);
    drain("other.db");
    assert_int_equal(
        contract_count("SELECT count(*) FROM chat_sessions WHERE external_id = 'gone'"), 0);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_messages WHERE content = 'c'"), 0);
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs"), ledger + 4);
    assert_int_equal(
        contract_count("SELECT count(*) FROM chat_sessions WHERE external_id = 'stays'"), 1);
    /* What is accepted later begins it anew. */
    own = open_client("own.db");
    save(own, "gone", "u", "e", CONV_SAVED_COMMITTED);
    assert_int_equal(
        contract_count("SELECT message_count FROM chat_sessions WHERE external_id = 'gone'"), 2);
    contract_client_close(&own);
}

static void an_erased_user_leaves_nothing_but_the_ledger(void **state)
{
    (void)state;
    conv_error error;
    conv_erase_receipt receipt;
    conv_client *client = open_client("own.db");
    conv_client *other = open_client("other.db");
    conv_search_params params = CONV_SEARCH_PARAMS_INIT;
    conv_search_page *page = NULL;
    save(client, "mine", "erased", "axolotl", CONV_SAVED_COMMITTED);
    save(client, "mine too", "erased", "axolotl", CONV_SAVED_COMMITTED);
    save(client, "theirs", "owner", "axolotl", CONV_SAVED_COMMITTED);
    save(client, "theirs", "erased", "secret axolotl", CONV_SAVED_COMMITTED);
    assert_ok(conv_session_tag(client, "mine", "a tag", &error), error);
    params.query = conv_text("axolotl");
    assert_ok(conv_search(client, &params, &page, &error), error);
    assert_int_equal(conv_search_page_count(page), 4);
    conv_search_page_free(page);
    conv_usage usage = CONV_USAGE_INIT;
    usage.user_id = conv_text("erased");
    usage.user_email = conv_text("e@example.com");
    usage.total_tokens = 5;
    assert_ok(conv_track_usage(client, &usage, &error), error);
    contract_execute(TAKE_AWAY);
    save(other, "third", "erased", "axolotl", CONV_SAVED_JOURNALED);
    (void)!conv_client_close(other, 0, &error);
    contract_execute(BRING_BACK);
    long records = contract_count("SELECT count(*) FROM usage_logs");
    long tokens = contract_count("SELECT sum(total_tokens) FROM usage_logs");

    assert_ok(conv_user_erase(client, "erased", &receipt, &error), error);
    assert_int_equal(receipt.removed.sessions, 2);
    assert_int_equal(receipt.removed.messages, 6);
    assert_int_equal(receipt.removed.exchanges, 3);
    assert_int_equal(receipt.removed.usage_kept, 4);
    contract_client_close(&client);
    drain("other.db");

    /* The tracked one, and the one of the exchange that only the journal had. */
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs"), records + 2);
    assert_int_equal(contract_count("SELECT sum(total_tokens) FROM usage_logs"), tokens + 5 + 7);
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs WHERE user_email LIKE 'e@%%'"),
                     0);
    char id[CONV_UUID_TEXT_SIZE];
    conv_uuid_format(receipt.pseudonym, id);
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs WHERE user_id = '%s'"
                                    " AND user_email IS NULL AND originals IS NULL",
                                    id),
                     4);
    conv_uuid_format(conv_uuid_ensure(conv_text("erased")), id);
    static const char *const tables[] = {"usage_logs", "chat_messages", "chat_sessions",
                                         "chat_users"};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        assert_int_equal(
            contract_count("SELECT count(*) FROM %s WHERE user_id = '%s'", tables[i], id), 0);
    assert_int_equal(
        contract_count("SELECT message_count FROM chat_sessions WHERE external_id = 'theirs'"), 2);
    assert_int_equal(
        contract_count("SELECT count(*) FROM chat_messages WHERE content LIKE '%%axolotl%%'"), 1);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_session_tags WHERE tag = 'a tag'"),
                     0);
    client = open_client(NULL);
    assert_ok(conv_search(client, &params, &page, &error), error);
    assert_int_equal(conv_search_page_count(page), 1);
    conv_search_page_free(page);
    assert_status(conv_user_erase(client, "erased", NULL, &error), CONV_NOT_FOUND, error);
    assert_status(conv_user_erase(client, NULL, NULL, &error), CONV_INVALID_ARGUMENT, error);
    contract_client_close(&client);
}

static void track(conv_client *client, const char *session, const char *user, const char *document)
{
    conv_usage usage = CONV_USAGE_INIT;
    conv_error error;
    usage.session_id = conv_text(session);
    usage.user_id = conv_text(user);
    usage.document_id = conv_text(document);
    usage.user_email = conv_text("zoe@example.com");
    usage.total_tokens = 1;
    assert_ok(conv_track_usage(client, &usage, &error), error);
}

static long addresses(void)
{
    return contract_count("SELECT count(*) FROM usage_logs WHERE user_email IS NOT NULL");
}

/* Records of the user's sessions and documents that name no user; those that name another are
 * the other's. */
static void what_names_no_user_is_of_whoever_it_belongs_to(void **state)
{
    (void)state;
    conv_error error;
    conv_erase_receipt receipt;
    conv_client *client = open_client(NULL);
    conv_client *other = open_client("nameless.db");
    conv_document_params document = CONV_DOCUMENT_PARAMS_INIT;
    document.document_id = "paper";
    document.user_id = "zoe";
    document.name = conv_text("paper");
    assert_ok(conv_document_register(client, &document, NULL, &error), error);
    save(client, "of zoe", "zoe", "a", CONV_SAVED_COMMITTED);
    long before = addresses();
    save(client, "of zoe", NULL, "b", CONV_SAVED_COMMITTED);
    save(client, "of yan", NULL, "b", CONV_SAVED_COMMITTED);
    track(client, "of zoe", NULL, NULL);
    track(client, NULL, NULL, "paper");
    track(client, "of zoe", "yan", "paper");
    track(client, NULL, NULL, NULL);
    contract_execute(TAKE_AWAY);
    save(other, "of zoe", NULL, "c", CONV_SAVED_JOURNALED);
    (void)!conv_client_close(other, 0, &error);
    contract_execute(BRING_BACK);
    assert_ok(conv_user_erase(client, "zoe", &receipt, &error), error);
    contract_client_close(&client);
    /* The registration and the first exchange have their user; three have none. */
    assert_int_equal(receipt.removed.usage_kept, 5);
    char id[CONV_UUID_TEXT_SIZE];
    conv_uuid_format(receipt.pseudonym, id);
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs WHERE user_id = '%s'"
                                    " AND user_email IS NULL AND originals IS NULL",
                                    id),
                     5);
    drain("nameless.db");
    /* The first exchange had one; yan's session and yan's record keep theirs, and nobody's. */
    assert_int_equal(addresses(), before - 1 + 3);
}

/* Whether `suffix` added to the store's path is a file with these bytes. */
static bool file_has(const char *suffix, const char *bytes)
{
    char path[160];
    snprintf(path, sizeof path, "%s%s", contract_client_url() + strlen("sqlite:"), suffix);
    return file_holds(path, bytes);
}

static bool store_has(const char *bytes)
{
    contract_execute("PRAGMA wal_checkpoint(TRUNCATE)");
    return file_has("", bytes) || file_has("-wal", bytes);
}

static void index_all(conv_client *client)
{
    conv_error error;
    bool complete = false;
    assert_ok(conv_search_index(client, 60000, &complete, &error), error);
    assert_true(complete);
}

/* Of PostgreSQL's files its VACUUM takes care. Messages say it in capitals, the index in small
 * letters; nothing else begins with these letters, so the words are whole there. */
static void deleted_words_leave_the_bytes_of_the_file(void **state)
{
    (void)state;
    conv_error error;
    static const char *const gone[] = {"QQUAGGA", "qquagga", "XXERUS", "xxerus"};
    if (strcmp(test_store_kind(), "sqlite") != 0) return;
    conv_client *client = open_client(NULL);
    save(client, "with quagga", "host", "a QQUAGGA that is deleted", CONV_SAVED_COMMITTED);
    index_all(client);
    save(client, "of others", "host", "a ZZORILLA that stays", CONV_SAVED_COMMITTED);
    save(client, "of others", "guest", "a XXERUS of an erased user", CONV_SAVED_COMMITTED);
    index_all(client);
    for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++)
        assert_true(store_has(gone[i]));
    assert_ok(conv_session_delete(client, "with quagga", NULL, &error), error);
    assert_ok(conv_user_erase(client, "guest", NULL, &error), error);
    for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++)
        if (store_has(gone[i])) fail_msg("the file still has %s", gone[i]);
    assert_true(store_has("ZZORILLA"));
    assert_true(store_has("zzorilla"));
    contract_client_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_come_and_go),
        cmocka_unit_test(the_archive_is_left_out_unless_asked_for),
        cmocka_unit_test(a_deleted_session_does_not_come_back),
        cmocka_unit_test(an_erased_user_leaves_nothing_but_the_ledger),
        cmocka_unit_test(what_names_no_user_is_of_whoever_it_belongs_to),
        cmocka_unit_test(deleted_words_leave_the_bytes_of_the_file),
    };
    return RUN_TESTS_WITH("erase", tests, contract_client_setup, contract_client_teardown);
}
