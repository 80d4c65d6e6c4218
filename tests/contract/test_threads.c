/* Sixteen threads on one client, on either store: every call ends well, nothing is lost or doubled,
 * every session is in order. Also built with the thread sanitizer (label threads). */
#include "support/test.h"

#include <pthread.h>

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/store.h"

enum { THREADS = 16, TURNS = 24, SHARED_SESSIONS = 4 };

static conv_client *client;
static conv_provider *echo;

static int setup(void **state)
{
    conv_error error;
    if (contract_client_setup(state) != 0) return -1;
    assert_ok(conv_provider_echo(&echo, &error), error);
    conv_client_params params = contract_client_params();
    params.provider = echo;
    params.connections = 4;
    client = contract_client_open(&params);
    return 0;
}

static int teardown(void **state)
{
    contract_client_close(&client);
    conv_provider_free(echo);
    return contract_client_teardown(state);
}

typedef struct worker {
    int number;
    int failed;
    char first_error[CONV_MESSAGE_SIZE];
} worker;

static void note(worker *self, conv_status status, const conv_error *error)
{
    if (status == CONV_OK) return;
    if (self->failed++ == 0) memcpy(self->first_error, error->message, CONV_MESSAGE_SIZE);
}

static void say(worker *self, const char *session, const char *turn_id, const char *text)
{
    conv_turn turn = CONV_TURN_INIT;
    conv_reply *reply = NULL;
    conv_error error = CONV_ERROR_INIT;
    turn.session_id = session;
    turn.user_id = "everybody";
    turn.turn_id = turn_id;
    turn.message = conv_text(text);
    note(self, conv_process_message(client, &turn, &reply, &error), &error);
    conv_reply_free(reply);
}

static void read_back(worker *self, const char *session)
{
    conv_history_params params = CONV_HISTORY_PARAMS_INIT;
    conv_history *history = NULL;
    conv_error error = CONV_ERROR_INIT;
    params.session_id = session;
    params.before = INT64_MAX;
    params.limit = 10;
    note(self, conv_history_read(client, &params, &history, &error), &error);
    /* An exchange is seen whole: question and answer stand beside each other. */
    for (size_t i = 0; history != NULL && i + 1 < conv_history_count(history); i += 2)
        if (!conv_bytes_equal(conv_history_message(history, i)->content,
                              conv_history_message(history, i + 1)->content))
            self->failed++;
    conv_history_free(history);
}

/* Its own turns, and the same turns of a shared session that all others send too. */
static void *work(void *context)
{
    worker *self = context;
    for (int i = 0; i < TURNS; i++) {
        char session[32], shared[32], turn_id[32], text[64];
        snprintf(session, sizeof session, "own-%d", self->number);
        snprintf(shared, sizeof shared, "shared-%d", i % SHARED_SESSIONS);
        snprintf(turn_id, sizeof turn_id, "turn-%d", i);
        snprintf(text, sizeof text, "turn %d of %d", i, self->number);
        say(self, session, NULL, text);
        say(self, shared, turn_id, turn_id);
        if (i % 4 == 0) read_back(self, session);
    }
    return NULL;
}

static void sixteen_threads_lose_and_double_nothing(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    worker workers[THREADS] = {0};
    for (int i = 0; i < THREADS; i++) {
        workers[i].number = i;
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        if (workers[i].failed > 0)
            fail_msg("thread %d: %d failures, the first: %s", i, workers[i].failed,
                     workers[i].first_error);
    }
    int64_t exchanges = THREADS * TURNS + TURNS; /* every shared turn once */
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs"), exchanges);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_messages"), 2 * exchanges);
    assert_string_equal(
        contract_value("SELECT count(*) FROM chat_sessions s WHERE message_count <> "
                       "(SELECT count(*) FROM chat_messages m WHERE m.session_id = "
                       "s.session_id)"),
        "0");
}

static void own_turns_are_in_their_order(void **state)
{
    (void)state;
    for (int number = 0; number < THREADS; number++) {
        char session[32], text[64];
        conv_history_params params = CONV_HISTORY_PARAMS_INIT;
        conv_history *history = NULL;
        conv_error error;
        snprintf(session, sizeof session, "own-%d", number);
        params.session_id = session;
        assert_ok(conv_history_read(client, &params, &history, &error), error);
        assert_int_equal(conv_history_count(history), 2 * TURNS);
        for (int i = 0; i < 2 * TURNS; i++) {
            snprintf(text, sizeof text, "turn %d of %d", i / 2, number);
            assert_bytes(conv_history_message(history, (size_t)i)->content, text);
        }
        conv_history_free(history);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sixteen_threads_lose_and_double_nothing),
        cmocka_unit_test(own_turns_are_in_their_order),
    };
    return RUN_TESTS_WITH("threads", tests, setup, teardown);
}
