/* A handler that deletes the sessions it hears of, while the journal that brings them is drained
 * and while they are deleted: nobody waits for the other, and no event is lost. */
#include "support/test.h"

#include <stdatomic.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/store.h"

enum { SESSIONS = 8, WAIT_MS = 10000 };

static conv_client *client;
static uint64_t subscription;
static atomic_int heard;
static atomic_int deleted;
static atomic_int failed;

static conv_status delete_it(void *context, const conv_event *event)
{
    char session_id[CONV_UUID_TEXT_SIZE];
    conv_error error;
    (void)context;
    conv_uuid_format(event->session_id, session_id);
    conv_status status = conv_session_delete(client, session_id, NULL, &error);
    if (status == CONV_OK)
        atomic_fetch_add(&deleted, 1);
    else if (status != CONV_NOT_FOUND)
        atomic_fetch_add(&failed, 1);
    atomic_fetch_add(&heard, 1);
    return status;
}

static int setup(void **state)
{
    if (contract_client_setup(state) != 0) return -1;
    conv_client_params params = contract_client_params();
    params.journal = contract_client_journal();
    client = contract_client_open(&params);
    atomic_store(&heard, 0);
    atomic_store(&deleted, 0);
    atomic_store(&failed, 0);
    return 0;
}

/* Whoever brings an event to the full queue waits for room, longer than all this takes. */
static void subscribe(uint64_t kinds)
{
    conv_error error;
    conv_subscription_params params = CONV_SUBSCRIPTION_PARAMS_INIT;
    params.kinds = kinds;
    params.handler = delete_it;
    params.queue_events = 1;
    params.wait_ms = WAIT_MS;
    assert_ok(conv_event_subscribe(client, &params, &subscription, &error), error);
}

static void assert_none_is_lost(int wanted)
{
    conv_error error;
    conv_subscription_counts counts;
    for (int i = 0; i < 24000 && atomic_load(&heard) < wanted; i++)
        usleep(5000);
    assert_ok(conv_event_count(client, subscription, &counts, &error), error);
    assert_int_equal(counts.dropped, 0);
    assert_int_equal(atomic_load(&heard), wanted);
    assert_int_equal(atomic_load(&failed), 0);
}

static void journal(const char *session)
{
    conv_message messages[2] = {{.role = CONV_ROLE_USER, .content = conv_text("hello")},
                                {.role = CONV_ROLE_ASSISTANT, .content = conv_text("yes")}};
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    conv_reply *reply = NULL;
    conv_error error;
    exchange.session_id = session;
    exchange.messages = messages;
    exchange.message_count = 2;
    assert_ok(conv_save_exchange(client, &exchange, &reply, &error), error);
    assert_int_equal(conv_reply_saved(reply), CONV_SAVED_JOURNALED);
    conv_reply_free(reply);
}

static void what_is_drained_may_be_deleted_by_who_hears_of_it(void **state)
{
    (void)state;
    char session[24];
    subscribe(CONV_EVENT_SET(CONV_EVENT_EXCHANGE_RECOVERED) |
              CONV_EVENT_SET(CONV_EVENT_EXCHANGE_SAVED));
    contract_execute("ALTER TABLE chat_exchanges RENAME TO away");
    for (int i = 0; i < SESSIONS; i++) {
        snprintf(session, sizeof session, "session %d", i);
        journal(session);
    }
    contract_execute("ALTER TABLE away RENAME TO chat_exchanges");
    assert_none_is_lost(2 * SESSIONS); /* recovered and saved */
    assert_int_equal(atomic_load(&deleted), SESSIONS);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_sessions"), 0);
    contract_client_close(&client);
}

/* The deletion takes them out of the journal, and the handler asks for the same deletion. */
static void what_is_dropped_may_be_deleted_by_who_hears_of_it(void **state)
{
    (void)state;
    conv_error error;
    subscribe(CONV_EVENT_SET(CONV_EVENT_EXCHANGE_DROPPED));
    contract_execute("ALTER TABLE chat_exchanges RENAME TO away");
    for (int i = 0; i < SESSIONS; i++)
        journal("waits");
    contract_execute("ALTER TABLE away RENAME TO chat_exchanges");
    conv_status status = CONV_OK;
    conv_delete_receipt receipt;
    do /* its store is back when the drain has noticed */
        status = conv_session_delete(client, "waits", &receipt, &error);
    while (status == CONV_UNAVAILABLE);
    assert_ok(status, error);
    assert_int_equal(receipt.journal + receipt.messages / 2, SESSIONS); /* or drained before */
    assert_none_is_lost((int)receipt.journal);
    contract_client_close(&client);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, contract_client_teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_drained_may_be_deleted_by_who_hears_of_it),
        TEST(what_is_dropped_may_be_deleted_by_who_hears_of_it),
    };
    return RUN_TESTS("events deleting", tests);
}
