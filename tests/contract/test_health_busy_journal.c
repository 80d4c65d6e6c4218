/* Health while the journal is in use for longer than a reading waits for it, on either store: that
 * is no failure of its file, and no reason to restart. */
#include "support/test.h"

#include <pthread.h>

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/failing_disk.h"
#include "support/gate.h"

static gate slow = GATE_INIT;
static conv_client *client;
static conv_provider *echo;
static int changes;

/* The first sync is the journal's, which notes the question; the store's own go on meanwhile. */
static void hold_the_first(void *context)
{
    gate *self = context;
    pthread_mutex_lock(&self->lock);
    bool first = !self->reached;
    self->reached = true;
    pthread_mutex_unlock(&self->lock);
    if (first) gate_pass(self);
}

static conv_status hear(void *context, const conv_event *event)
{
    (void)event;
    (*(int *)context)++;
    return CONV_OK;
}

static int setup(void **state)
{
    conv_error error;
    uint64_t number = 0;
    conv_subscription_params subscription = CONV_SUBSCRIPTION_PARAMS_INIT;
    assert_int_equal(failing_disk_install(), 0);
    if (contract_client_setup(state) != 0) return -1;
    assert_ok(conv_provider_echo(&echo, &error), error);
    conv_client_params params = contract_client_params();
    params.provider = echo;
    params.journal = contract_client_journal();
    client = contract_client_open(&params);
    subscription.kinds = CONV_EVENT_SET(CONV_EVENT_HEALTH_CHANGED);
    subscription.handler = hear;
    subscription.context = &changes;
    assert_ok(conv_event_subscribe(client, &subscription, &number, &error), error);
    return 0;
}

static int teardown(void **state)
{
    gate_open(&slow);
    (void)conv_client_close(client, 30000, NULL);
    conv_provider_free(echo);
    return contract_client_teardown(state);
}

static void *ask(void *status)
{
    conv_reply *reply = NULL;
    conv_turn turn = CONV_TURN_INIT;
    turn.message = conv_text("hello");
    *(conv_status *)status = conv_process_message(client, &turn, &reply, NULL);
    conv_reply_free(reply);
    return NULL;
}

static conv_health_state read_journal(bool *live, bool *ready)
{
    conv_health *health = NULL;
    conv_health_state state = CONV_HEALTH_FAILING;
    if (conv_health_read(client, NULL, &health, NULL) != CONV_OK) return state;
    for (size_t i = 0; i < conv_health_check_count(health); i++)
        if (strcmp(conv_health_check_at(health, i)->name, "journal") == 0)
            state = conv_health_check_at(health, i)->state;
    *live = conv_health_is_live(health);
    *ready = conv_health_is_ready(health);
    conv_health_free(health);
    return state;
}

static void a_journal_in_use_is_not_known_to_fail(void **state)
{
    (void)state;
    pthread_t thread;
    conv_status asked = CONV_INTERNAL;
    bool live = false;
    bool ready = false;
    failing_disk_hold_syncs(hold_the_first, &slow);
    assert_int_equal(pthread_create(&thread, NULL, ask, &asked), 0);
    gate_await(&slow);
    conv_health_state while_held = read_journal(&live, &ready);
    gate_open(&slow);
    pthread_join(thread, NULL);
    assert_int_equal(asked, CONV_OK);
    assert_int_equal(while_held, CONV_HEALTH_UNKNOWN);
    assert_true(live);
    assert_true(ready);
    assert_int_equal(read_journal(&live, &ready), CONV_HEALTH_OK);
    assert_int_equal(changes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_journal_in_use_is_not_known_to_fail, setup, teardown),
    };
    return RUN_TESTS("health of a busy journal", tests);
}
