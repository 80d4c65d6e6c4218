/* Usage records that are in a journal when their user is erased, or their session merely deleted.
 */
#include "support/test.h"

#include <stdlib.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/folder.h"
#include "support/store.h"

#define TAKE_AWAY  "ALTER TABLE usage_logs RENAME TO away"
#define BRING_BACK "ALTER TABLE away RENAME TO usage_logs"

static char journal[160];

/* `name` NULL: no journal. */
static conv_client *open_client(const char *name)
{
    conv_client_params params = contract_client_params();
    snprintf(journal, sizeof journal, "%s/%s", contract_client_folder(), name != NULL ? name : "");
    params.journal = name != NULL ? journal : NULL;
    params.tracker_records = 1000;
    return contract_client_open(&params);
}

static conv_status try_to_save(conv_client *client, const char *session, const char *user,
                               const char *operation, conv_error *error)
{
    conv_message messages[2] = {{.role = CONV_ROLE_USER, .content = conv_text("question")},
                                {.role = CONV_ROLE_ASSISTANT, .content = conv_text("answer")}};
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    exchange.usage.operation = conv_text(operation);
    exchange.session_id = session;
    exchange.user_id = user;
    exchange.messages = messages;
    exchange.message_count = 2;
    return conv_save_exchange(client, &exchange, NULL, error);
}

static void save(conv_client *client, const char *session, const char *user)
{
    conv_error error;
    assert_ok(try_to_save(client, session, user, NULL, &error), error);
}

/* Becomes a dead letter where that is refused. */
static void save_poison(conv_client *client, const char *session, const char *user)
{
    conv_error error;
    assert_int_not_equal(try_to_save(client, session, user, "poison", &error), CONV_OK);
}

static void add_document(conv_client *client, const char *id, const char *user)
{
    conv_document_params params = CONV_DOCUMENT_PARAMS_INIT;
    conv_error error;
    params.document_id = id;
    params.user_id = user;
    params.name = conv_text("a name");
    assert_ok(conv_document_register(client, &params, NULL, &error), error);
}

static void track(conv_client *client, const char *operation, const char *session, const char *user,
                  const char *document)
{
    conv_usage usage = CONV_USAGE_INIT;
    conv_error error;
    usage.operation = conv_text(operation);
    usage.session_id = conv_text(session);
    usage.user_id = conv_text(user);
    usage.document_id = conv_text(document);
    usage.user_email = conv_text("rosalind@example.com");
    usage.total_tokens = 1;
    assert_ok(conv_track_usage(client, &usage, &error), error);
}

static bool journal_has(const char *bytes)
{
    static const char *const ends[] = {"", "-wal", "-usage-1", "-usage-2"};
    char path[192];
    bool found = false;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        snprintf(path, sizeof path, "%s%s", journal, ends[i]);
        found = found || file_holds(path, bytes);
    }
    return found;
}

static long of_nobody(const char *operation, conv_uuid pseudonym)
{
    char id[CONV_UUID_TEXT_SIZE];
    conv_uuid_format(pseudonym, id);
    return contract_count("SELECT count(*) FROM usage_logs WHERE operation = '%s'"
                          " AND user_id = '%s' AND user_email IS NULL",
                          operation, id);
}

static long with_address(const char *operation)
{
    return contract_count("SELECT count(*) FROM usage_logs WHERE operation = '%s'"
                          " AND user_email IS NOT NULL",
                          operation);
}

static void retry_dead_letters(void)
{
    conv_error error;
    conv_journal *opened = NULL;
    conv_journal_page *page = NULL;
    conv_journal_filter filter = CONV_JOURNAL_FILTER_INIT;
    filter.kind = CONV_JOURNAL_DEAD;
    assert_ok(conv_journal_open(journal, &opened, &error), error);
    assert_ok(conv_journal_list(opened, &filter, &page, &error), error);
    for (size_t i = 0; i < conv_journal_page_count(page); i++)
        assert_ok(conv_journal_retry(opened, conv_journal_page_entry(page, i)->entry_id, &error),
                  error);
    conv_journal_page_free(page);
    conv_journal_close(opened);
}

/* Opens the journal until all of it is in the store. */
static void drain(const char *name)
{
    conv_error error;
    conv_client *client = open_client(name);
    conv_journal_counts counts = {.usage = 1};
    for (int i = 0; i < 4000 && counts.usage > 0; i++) {
        assert_ok(conv_client_journal_count(client, &counts, &error), error);
        if (counts.usage > 0) usleep(5000);
    }
    contract_client_close(&client);
}

/* `sqlstate` says whether the records are dead letters or wait for a person. */
static void leave_no_trace(const char *sqlstate, const char *user)
{
    conv_error error;
    conv_erase_receipt receipt;
    conv_client *client = open_client("poisoned.db");
    contract_execute("DELETE FROM usage_logs");
    save(client, "of rosalind", user);
    add_document(client, "helix", user);
    save(client, "of another", "another");
    contract_poison(true, sqlstate);
    track(client, "poison", NULL, user, NULL);
    track(client, "poison", "of rosalind", NULL, NULL);
    track(client, "poison", NULL, NULL, "helix");
    (void)!conv_track_flush(client, 30000, NULL, &error);
    assert_true(journal_has("rosalind@example.com"));
    assert_true(journal_has(user));
    assert_ok(conv_user_erase(client, user, &receipt, &error), error);
    /* The exchange and the registration are in the store. */
    assert_int_equal(receipt.removed.usage_kept, 2 + 3);
    (void)!conv_client_close(client, 10000, &error);
    assert_false(journal_has("rosalind@example.com"));
    assert_false(journal_has(user));
    contract_poison(false, NULL);
    retry_dead_letters();
    drain("poisoned.db");
    assert_int_equal(of_nobody("poison", receipt.pseudonym), 3);
}

static void dead_letters_of_an_erased_user_are_of_nobody(void **state)
{
    (void)state;
    leave_no_trace("22023", "rosalind the first");
}

/* SQLite knows no such failure of a single row. */
static void so_is_what_waits_for_a_person(void **state)
{
    (void)state;
    if (strcmp(test_store_kind(), "postgresql") == 0) leave_no_trace("42501", "rosalind the last");
}

static void the_dead_letters_of_others_stay_as_they_are(void **state)
{
    (void)state;
    conv_error error;
    conv_erase_receipt receipt;
    conv_client *client = open_client("others.db");
    save(client, "of another", "another");
    save(client, "of one", "one");
    contract_poison(true, "22023");
    track(client, "poison", "of another", NULL, NULL);
    track(client, "poison", "of one", "another", NULL);
    track(client, "poison", NULL, NULL, NULL);
    (void)!conv_track_flush(client, 30000, NULL, &error);
    assert_ok(conv_user_erase(client, "one", &receipt, &error), error);
    assert_int_equal(receipt.removed.usage_kept, 1);
    (void)!conv_client_close(client, 10000, &error);
    contract_poison(false, NULL);
    long before = with_address("poison");
    retry_dead_letters();
    drain("others.db");
    assert_int_equal(with_address("poison"), before + 3);
}

/* In the journal of another process, which is drained later. */
static void usage_of_an_erased_document_comes_without_its_user(void **state)
{
    (void)state;
    conv_error error;
    conv_client *client = open_client(NULL);
    conv_client *other = open_client("documents.db");
    add_document(client, "mine", "owner");
    add_document(client, "theirs", "host");
    contract_execute(TAKE_AWAY);
    track(other, "late", NULL, NULL, "mine");
    track(other, "late", NULL, NULL, "theirs");
    (void)!conv_track_flush(other, 5000, NULL, &error);
    (void)!conv_client_close(other, 0, &error);
    contract_execute(BRING_BACK);
    assert_ok(conv_user_erase(client, "owner", NULL, &error), error);
    contract_client_close(&client);
    drain("documents.db");
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs WHERE operation = 'late'"), 2);
    assert_int_equal(with_address("late"), 1);
}

/* As a record does that is in the store already. */
static void usage_outlives_a_mere_deletion_as_it_is(void **state)
{
    (void)state;
    conv_error error;
    conv_client *client = open_client(NULL);
    conv_client *other = open_client("deleted.db");
    save(client, "passing", NULL);
    contract_execute(TAKE_AWAY);
    track(other, "kept", "passing", NULL, NULL);
    (void)!conv_track_flush(other, 5000, NULL, &error);
    (void)!conv_client_close(other, 0, &error);
    contract_execute(BRING_BACK);
    assert_ok(conv_session_delete(client, "passing", NULL, &error), error);
    contract_client_close(&client);
    drain("deleted.db");
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs WHERE operation = 'kept'"
                                    " AND user_id IS NULL"),
                     1);
    assert_int_equal(with_address("kept"), 1);
}

/* Without a journal it waits in memory, and is asked about when it goes to the store. */
static void what_is_held_in_memory_comes_without_its_user(void **state)
{
    (void)state;
    conv_error error;
    if (strcmp(test_store_kind(), "postgresql") != 0) return;
    conv_client *client = open_client(NULL);
    contract_execute("DELETE FROM usage_logs");
    save(client, "of hedy", "hedy");
    add_document(client, "hopping", "hedy");
    save(client, "of george", "george");
    contract_poison(true, "42501");
    track(client, "poison", "of hedy", NULL, NULL);
    track(client, "poison", NULL, NULL, "hopping");
    track(client, "poison", "of george", NULL, NULL);
    assert_status(conv_track_flush(client, 30000, NULL, &error), CONV_PERMISSION, error);
    assert_ok(conv_user_erase(client, "hedy", NULL, &error), error);
    contract_poison(false, NULL);
    assert_ok(conv_track_flush(client, 30000, NULL, &error), error);
    contract_client_close(&client);
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs WHERE operation = 'poison'"),
                     3);
    assert_int_equal(with_address("poison"), 1);
}

static long messages_in(const char *session)
{
    return contract_count("SELECT count(*) FROM chat_messages JOIN chat_sessions USING (session_id)"
                          " WHERE external_id = '%s'",
                          session);
}

/* It was begun by the user, though the store never had it; what others said there is theirs. */
static void a_session_that_only_waits_is_of_whoever_began_it(void **state)
{
    (void)state;
    conv_error error;
    conv_erase_receipt receipt;
    conv_client *client = open_client(NULL);
    conv_client *other = open_client("unsaved.db");
    save(client, "of grace", "grace");
    save(client, "stored", "heinz");
    track(client, "unsaved", "only waiting", NULL, NULL);
    assert_ok(conv_track_flush(client, 5000, NULL, &error), error);
    contract_execute(TAKE_AWAY);
    save(other, "only waiting", "grace");
    save(other, "only waiting", NULL);
    save(other, "only waiting", "heinz");
    save(other, "of heinz", "heinz");
    save(other, "of heinz", "grace");
    save(other, "stored", "grace");
    track(other, "unsaved", "only waiting", NULL, NULL);
    track(other, "of others", "only waiting", "heinz", NULL);
    track(other, "of others", "of heinz", NULL, NULL);
    track(other, "of others", "stored", NULL, NULL);
    (void)!conv_track_flush(other, 5000, NULL, &error);
    (void)!conv_client_close(other, 0, &error);
    contract_execute(BRING_BACK);
    assert_ok(conv_user_erase(client, "grace", &receipt, &error), error);
    contract_client_close(&client);
    drain("unsaved.db");
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs WHERE operation = 'unsaved'"
                                    " AND user_id IS NOT NULL"),
                     2);
    assert_int_equal(with_address("unsaved"), 0);
    assert_int_equal(with_address("of others"), 3);
    assert_int_equal(messages_in("only waiting"), 2);
    assert_int_equal(messages_in("of heinz"), 2);
    assert_int_equal(messages_in("stored"), 2);
}

/* In this client's own journal, where the drain does not come to it. */
static void so_is_one_that_was_refused(void **state)
{
    (void)state;
    conv_error error;
    conv_erase_receipt receipt;
    conv_client *client = open_client("refused.db");
    contract_execute("DELETE FROM usage_logs");
    contract_poison(true, "22023");
    track(client, "poison", "refused", NULL, NULL);
    track(client, "poison", "refused of kurt", NULL, NULL);
    save_poison(client, "refused", "emmy");
    save_poison(client, "refused of kurt", "kurt");
    save_poison(client, "refused of kurt", "emmy");
    (void)!conv_track_flush(client, 30000, NULL, &error);
    contract_poison(false, NULL);
    assert_ok(conv_user_erase(client, "emmy", &receipt, &error), error);
    assert_int_equal(receipt.removed.journal, 2);
    assert_int_equal(receipt.removed.usage_kept, 1);
    contract_client_close(&client);
    retry_dead_letters();
    drain("refused.db");
    assert_int_equal(of_nobody("poison", receipt.pseudonym), 1);
    assert_int_equal(with_address("poison"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dead_letters_of_an_erased_user_are_of_nobody),
        cmocka_unit_test(so_is_what_waits_for_a_person),
        cmocka_unit_test(the_dead_letters_of_others_stay_as_they_are),
        cmocka_unit_test(usage_of_an_erased_document_comes_without_its_user),
        cmocka_unit_test(usage_outlives_a_mere_deletion_as_it_is),
        cmocka_unit_test(a_session_that_only_waits_is_of_whoever_began_it),
        cmocka_unit_test(so_is_one_that_was_refused),
        cmocka_unit_test(what_is_held_in_memory_comes_without_its_user),
    };
    return RUN_TESTS_WITH("erase and journal", tests, contract_client_setup,
                          contract_client_teardown);
}
