/* An exchange and its own usage record, which may be tracked as well: before, after, and with the
 * exchange still in the journal. One record, counted once, and the exchange is saved. */
#include "support/test.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/store.h"

static int setup(void **state)
{
    if (contract_client_setup(state) != 0) return -1;
    conv_client_params params = contract_client_params();
    conv_client *client = contract_client_open(&params);
    contract_client_close(&client);
    return 0;
}

static conv_client *open_client(bool with_journal)
{
    conv_client_params params = contract_client_params();
    params.tracker_records = 1000;
    if (with_journal) params.journal = contract_client_journal();
    return contract_client_open(&params);
}

static long rows(const char *table)
{
    return contract_count("SELECT count(*) FROM %s", table);
}

static conv_exchange exchange_of(const char *session, const char *turn, conv_uuid log_id)
{
    static const conv_message messages[] = {
        {.role = CONV_ROLE_USER, .content = {"question", 8}},
        {.role = CONV_ROLE_ASSISTANT, .content = {"answer", 6}}};
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    exchange.session_id = session;
    exchange.turn_id = turn;
    exchange.messages = messages;
    exchange.message_count = 2;
    exchange.usage.log_id = log_id;
    exchange.usage.input_tokens = 7;
    return exchange;
}

static void track(conv_client *client, const conv_usage *usage, bool flush)
{
    conv_error error;
    size_t pending = 1;
    assert_ok(conv_track_usage(client, usage, &error), error);
    if (!flush) return;
    assert_ok(conv_track_flush(client, 60000, &pending, &error), error);
    assert_int_equal(pending, 0);
}

typedef enum record_way { ALONE, TRACKED, FLUSHED } record_way;

static void save(conv_client *client, const conv_exchange *exchange, conv_saved wanted,
                 record_way way)
{
    conv_error error;
    conv_reply *reply = NULL;
    assert_ok(conv_save_exchange(client, exchange, &reply, &error), error);
    assert_int_equal(conv_reply_saved(reply), wanted);
    if (way != ALONE) track(client, conv_reply_usage(reply), way == FLUSHED);
    conv_reply_free(reply);
}

static void assert_agreement(conv_client *client)
{
    conv_error error;
    conv_reconciliation *found = NULL;
    assert_ok(conv_reconcile(client, NULL, &found, &error), error);
    assert_true(conv_reconciliation_agrees(found));
    conv_reconciliation_free(found);
}

/* Opens a client on the journal, whose threads bring to the store what waits. Nothing is refused.
 */
static conv_client *drain(void)
{
    conv_error error;
    conv_journal_counts counts = {.exchanges = 1};
    conv_client *client = open_client(true);
    for (int i = 0; i < 6000 && counts.exchanges + counts.usage > 0; i++) {
        assert_ok(conv_client_journal_count(client, &counts, &error), error);
        if (counts.exchanges + counts.usage > 0) usleep(10000);
    }
    assert_int_equal(counts.exchanges + counts.usage + counts.dead, 0);
    return client;
}

/* `first_tokens`: of the record that came first, which stays. */
static void assert_stored(conv_client *client, long exchanges, long records, long first_tokens)
{
    assert_int_equal(rows("chat_exchanges"), exchanges);
    assert_int_equal(rows("chat_messages"), 2 * exchanges);
    assert_int_equal(rows("usage_logs"), records);
    assert_int_equal(contract_count("SELECT coalesce(sum(input_tokens), 0) FROM usage_logs"),
                     first_tokens);
    assert_agreement(client);
}

static void it_may_be_tracked_after_the_exchange(void **state)
{
    (void)state;
    conv_client *client = open_client(false);
    conv_exchange exchange = exchange_of("s1", "t1", conv_uuid_v7());
    save(client, &exchange, CONV_SAVED_COMMITTED, FLUSHED);
    assert_stored(client, 1, 1, 7);
    contract_client_close(&client);
}

static void it_may_be_tracked_before_the_exchange(void **state)
{
    (void)state;
    conv_error error;
    conv_reply *reply = NULL;
    conv_client *client = open_client(false);
    conv_exchange exchange = exchange_of("s1", "t1", conv_uuid_v7());
    conv_usage usage = exchange.usage;
    usage.session_id = conv_text("s1");
    usage.input_tokens = 3;
    track(client, &usage, true);
    save(client, &exchange, CONV_SAVED_COMMITTED, ALONE);
    assert_stored(client, 1, 1, 3);
    assert_ok(conv_save_exchange(client, &exchange, &reply, &error), error);
    assert_true(conv_reply_is_repeat(reply));
    conv_reply_free(reply);
    assert_stored(client, 1, 1, 3);
    contract_client_close(&client);
}

static void it_may_reach_the_store_before_the_journal_does(void **state)
{
    (void)state;
    conv_error error;
    conv_reply *reply = NULL;
    conv_exchange exchange = exchange_of("s1", "t1", conv_uuid_v7());
    conv_client *client = open_client(true);
    contract_execute("ALTER TABLE chat_exchanges RENAME TO away");
    assert_ok(conv_save_exchange(client, &exchange, &reply, &error), error);
    assert_int_equal(conv_reply_saved(reply), CONV_SAVED_JOURNALED);
    assert_status(conv_client_close(client, 0, &error), CONV_TIMEOUT, error);
    client = open_client(false);
    track(client, conv_reply_usage(reply), true);
    conv_reply_free(reply);
    assert_int_equal(rows("usage_logs"), 1);
    contract_client_close(&client);
    contract_execute("ALTER TABLE away RENAME TO chat_exchanges");
    client = drain();
    assert_stored(client, 1, 1, 7);
    contract_client_close(&client);
}

/* What was tracked is the first thing that the next process saves, before the journal is empty. */
static void all_may_wait_for_the_next_process(void **state)
{
    (void)state;
    enum { EXCHANGES = 150 };
    int ended = 0;
    contract_execute("ALTER TABLE chat_exchanges RENAME TO away");
    pid_t child = fork();
    if (child == 0) {
        conv_client *client = open_client(true);
        for (int i = 0; i < EXCHANGES; i++) {
            char session[24];
            snprintf(session, sizeof session, "session-%d", i);
            conv_exchange exchange = exchange_of(session, "t1", conv_uuid_v7());
            save(client, &exchange, CONV_SAVED_JOURNALED, TRACKED);
        }
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_int_equal(WTERMSIG(ended), SIGKILL);
    contract_execute("ALTER TABLE away RENAME TO chat_exchanges");
    conv_client *client = drain();
    assert_stored(client, EXCHANGES, EXCHANGES, 7 * EXCHANGES);
    contract_client_close(&client);
}

/* The key is log id and session together. */
static void in_another_session_the_log_id_is_another_record(void **state)
{
    (void)state;
    conv_client *client = open_client(false);
    conv_exchange first = exchange_of("s1", "t1", conv_uuid_v7());
    conv_exchange second = exchange_of("s2", "t1", first.usage.log_id);
    save(client, &first, CONV_SAVED_COMMITTED, ALONE);
    save(client, &second, CONV_SAVED_COMMITTED, ALONE);
    assert_stored(client, 2, 2, 14);
    contract_client_close(&client);
}

/* What it cost would be lost without a word. */
static void that_of_another_exchange_is_refused(void **state)
{
    (void)state;
    conv_error error;
    conv_exchange_result results[4];
    conv_client *client = open_client(false);
    conv_uuid taken = conv_uuid_v7();
    conv_exchange first = exchange_of("s1", "t1", taken);
    save(client, &first, CONV_SAVED_COMMITTED, FLUSHED);
    conv_exchange second = exchange_of("s1", "t2", taken);
    assert_status(conv_save_exchange(client, &second, NULL, &error), CONV_BAD_DATA, error);
    assert_int_equal(error.recovery, CONV_RECOVERY_REJECT);
    assert_non_null(strstr(error.message, "log id"));
    assert_stored(client, 1, 1, 7);

    conv_uuid twice = conv_uuid_v7();
    const conv_exchange many[] = {exchange_of("s2", "t1", conv_uuid_v7()),
                                  exchange_of("s3", "t1", twice), exchange_of("s3", "t2", twice),
                                  exchange_of("s4", "t1", conv_uuid_v7())};
    conv_usage usage = many[3].usage;
    usage.session_id = conv_text("s4");
    track(client, &usage, true);
    assert_status(conv_save_exchanges(client, many, 4, results, &error), CONV_BAD_DATA, error);
    for (int i = 0; i < 4; i++)
        assert_int_equal(results[i].status, i == 2 ? CONV_BAD_DATA : CONV_OK);
    assert_stored(client, 4, 4, 28);
    contract_client_close(&client);
}

/* Whoever tracked it before, an erasure finds the user's words by the record. */
static void it_is_the_users_who_spoke(void **state)
{
    (void)state;
    static const char *const trackers[] = {NULL, "a service"};
    conv_error error;
    conv_client *client = open_client(false);
    conv_exchange first = exchange_of("s1", "t0", conv_uuid_v7());
    first.user_id = "the owner";
    save(client, &first, CONV_SAVED_COMMITTED, ALONE);
    for (size_t i = 0; i < 2; i++) {
        conv_erase_receipt receipt;
        conv_exchange exchange = exchange_of("s1", i == 0 ? "t1" : "t2", conv_uuid_v7());
        conv_usage usage = exchange.usage;
        usage.session_id = conv_text("s1");
        usage.user_id = conv_text(trackers[i]);
        usage.user_email = conv_text("tracker@example.com");
        track(client, &usage, true);
        exchange.user_id = "a guest";
        save(client, &exchange, CONV_SAVED_COMMITTED, ALONE);
        assert_stored(client, 2, (long)i + 2, 14 + 7 * (long)i);
        assert_int_equal(rows("usage_logs WHERE user_email IS NOT NULL"), i == 0 ? 1 : 0);
        assert_ok(conv_user_erase(client, "a guest", &receipt, &error), error);
        assert_int_equal(receipt.removed.messages, 2);
        assert_int_equal(receipt.removed.usage_kept, 1);
        assert_int_equal(rows("chat_exchanges"), 1);
    }
    contract_client_close(&client);
}

static void without_a_user_it_stays_the_trackers(void **state)
{
    (void)state;
    conv_error error;
    conv_erase_receipt receipt;
    conv_client *client = open_client(false);
    conv_exchange exchange = exchange_of("s1", "t1", conv_uuid_v7());
    conv_usage usage = exchange.usage;
    usage.session_id = conv_text("s1");
    usage.user_id = conv_text("a service");
    track(client, &usage, true);
    save(client, &exchange, CONV_SAVED_COMMITTED, ALONE);
    assert_ok(conv_user_erase(client, "a service", &receipt, &error), error);
    assert_int_equal(receipt.removed.messages, 0);
    assert_int_equal(receipt.removed.usage_kept, 1);
    assert_stored(client, 1, 1, 7);
    contract_client_close(&client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, contract_client_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_may_be_tracked_after_the_exchange),
        TEST(it_may_be_tracked_before_the_exchange),
        TEST(it_may_reach_the_store_before_the_journal_does),
        TEST(all_may_wait_for_the_next_process),
        TEST(in_another_session_the_log_id_is_another_record),
        TEST(that_of_another_exchange_is_refused),
        TEST(it_is_the_users_who_spoke),
        TEST(without_a_user_it_stays_the_trackers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
