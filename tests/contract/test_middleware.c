/* Chains on either store: what a redacting step takes out is nowhere, a turn is still saved once
 * whatever its steps do, and many threads may pass one chain. */
#include "support/test.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/folder.h"
#include "support/store.h"

#define ADDRESS "ann.secret@example.org"
#define CARD    "4111 1111 1111 1111"

enum { THREADS = 16, TURNS = 12 };

static conv_middleware *redact;

/* What the provider got and does; one at a time. */
static char seen[4096];
static const char *reply_text;
static const char *failure;
static bool journal_was_clean;
static int asked;

static bool journal_holds(const char *text)
{
    return folder_holds(contract_client_folder(), text);
}

/* Looks at every column of every table, the bytes beside the texts included. */
static bool store_holds(const char *text)
{
    if (strcmp(test_store_kind(), "sqlite") == 0) {
        char path[256];
        snprintf(path, sizeof path, "%s", contract_client_url() + strlen("sqlite:"));
        *strrchr(path, '/') = '\0';
        return folder_holds(path, text);
    }
    const char *tables[] = {"chat_sessions", "chat_messages", "chat_exchanges", "chat_users",
                            "usage_logs"};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if (contract_count("SELECT count(*) FROM %s t WHERE t::text LIKE '%%%s%%' OR t::text LIKE"
                           " '%%' || encode('%s'::bytea, 'hex') || '%%'",
                           tables[i], text, text) > 0)
            return true;
    }
    return false;
}

static conv_status answer(void *context, const conv_provider_request *request,
                          conv_provider_response *response, conv_error *error)
{
    (void)context;
    asked++;
    seen[0] = '\0';
    for (size_t i = 0; i < request->message_count; i++) {
        const conv_message *message = &request->messages[i];
        conv_bytes text = message->content.data != NULL ? message->content : message->parts;
        size_t used = strlen(seen);
        snprintf(seen + used, sizeof seen - used, "%.*s|", (int)text.size, text.data);
    }
    journal_was_clean =
        !journal_holds(ADDRESS) && !journal_holds(CARD) && journal_holds("[redacted:email]");
    for (const char *at = reply_text; *at != '\0'; at++) {
        conv_status status = conv_provider_response_delta(response, conv_view(at, 1));
        if (status != CONV_OK) return status;
    }
    if (failure == NULL) return CONV_OK;
    snprintf(error->message, sizeof error->message, "%s", failure);
    return CONV_PROVIDER;
}

static conv_provider *provider;

static conv_client *open_client(conv_middleware *const *chain, size_t steps, bool with_journal)
{
    conv_client_params params = contract_client_params();
    params.provider = provider;
    params.journal = with_journal ? contract_client_journal() : NULL;
    params.chain = chain;
    params.chain_count = steps;
    return contract_client_open(&params);
}

#define OPEN(with_journal, ...)                                                                    \
    open_client((conv_middleware *const[]){__VA_ARGS__},                                           \
                sizeof((conv_middleware *const[]){__VA_ARGS__}) / sizeof(conv_middleware *),       \
                with_journal)

#define VALIDATE conv_middleware_validate_ids()
#define PROVIDER conv_middleware_provider()
#define SAVE     conv_middleware_save_to_database()
#define TRACK    conv_middleware_track_usage()
#define PUBLISH  conv_middleware_publish()

static int setup(void **state)
{
    conv_error error;
    if (contract_client_setup(state) != 0) return -1;
    assert_ok(conv_provider_callback("fake", answer, NULL, &provider, &error), error);
    assert_ok(conv_middleware_redact(NULL, &redact, &error), error);
    return 0;
}

static int teardown(void **state)
{
    conv_provider_free(provider);
    conv_middleware_free(redact);
    return contract_client_teardown(state);
}

static int reset(void **state)
{
    (void)state;
    reply_text = "Thanks, " ADDRESS "\nsee you";
    failure = NULL;
    asked = 0;
    return 0;
}

/* The secrets are in every text that a turn can have. */
static conv_turn secret_turn(const char *session, const char *turn_id)
{
    static conv_message parts = {.role = CONV_ROLE_USER};
    parts.parts = conv_text("[{\"type\":\"text\",\"text\":\"I am ann.secret\\u0040example.org\"}]");
    parts.metadata = conv_text("{\"from\": \"" ADDRESS "\"}");
    conv_turn turn = CONV_TURN_INIT;
    turn.session_id = session;
    turn.turn_id = turn_id;
    turn.messages = &parts;
    turn.message_count = 1;
    turn.message = conv_text("Charge " CARD " and write to " ADDRESS);
    turn.title = "About " ADDRESS;
    turn.metadata = "{\"card\":\"" CARD "\"}";
    return turn;
}

static void assert_nowhere(void)
{
    assert_false(store_holds(ADDRESS));
    assert_false(store_holds("ann.secret"));
    assert_false(store_holds(CARD));
    assert_false(journal_holds("ann.secret"));
    assert_false(journal_holds(CARD));
}

static void what_is_redacted_is_nowhere(void **state)
{
    (void)state;
    conv_client *client = OPEN(true, redact, VALIDATE, PROVIDER, SAVE, TRACK, PUBLISH);
    conv_reply *reply = NULL;
    conv_error error;
    for (int i = 0; i < 2; i++) {
        conv_turn turn = secret_turn("redacted", "turn-1");
        assert_ok(conv_process_message(client, &turn, &reply, &error), error);
        assert_string_equal(conv_reply_text(reply), "Thanks, [redacted:email]\nsee you");
        assert_int_equal(conv_reply_is_repeat(reply),
                         i == 1); /* the same turn redacts to the same */
        conv_reply_free(reply);
    }
    assert_int_equal(asked, 1);
    assert_string_equal(seen, "[{\"type\":\"text\",\"text\":\"I am [redacted:email]\"}]|"
                              "Charge [redacted:card] and write to [redacted:email]|");
    assert_true(journal_was_clean);
    contract_client_close(&client);
    assert_nowhere();
    assert_int_equal(contract_count("SELECT count(*) FROM chat_messages"), 3);
    assert_string_equal(contract_value("SELECT title FROM chat_sessions"),
                        "About [redacted:email]");
}

static void nor_in_a_journal_that_waits(void **state)
{
    (void)state;
    conv_client *client = OPEN(true, redact, VALIDATE, PROVIDER, SAVE, TRACK, PUBLISH);
    conv_turn turn = secret_turn("waiting", NULL);
    conv_reply *reply = NULL;
    conv_error error;
    turn.context_messages = -1;
    contract_execute("ALTER TABLE chat_exchanges RENAME TO away");
    assert_ok(conv_process_message(client, &turn, &reply, &error), error);
    assert_int_equal(conv_reply_saved(reply), CONV_SAVED_JOURNALED);
    conv_reply_free(reply);
    assert_false(journal_holds("ann.secret"));
    assert_true(journal_holds("[redacted:card]"));
    contract_execute("ALTER TABLE away RENAME TO chat_exchanges");
    contract_client_close(&client);
    assert_nowhere();
    assert_int_equal(contract_count("SELECT count(*) FROM chat_exchanges"), 2);
}

static char deltas[256];

static int gather(void *context, conv_bytes delta)
{
    (void)context;
    size_t used = strlen(deltas);
    if (delta.size > 0)
        snprintf(deltas + used, sizeof deltas - used, "%.*s;", (int)delta.size, delta.data);
    return 0;
}

static void deltas_come_by_lines_and_redacted(void **state)
{
    (void)state;
    conv_client *client = OPEN(false, redact, VALIDATE, PROVIDER, SAVE, TRACK, PUBLISH);
    const char *texts[] = {" one " ADDRESS "\ntwo\n" ADDRESS, "{\"to\":\n\"" ADDRESS "\"}"};
    const char *wanted[] = {" one [redacted:email]\n;two\n;[redacted:email];",
                            "{\"to\":\"[redacted:email]\"};"};
    for (size_t i = 0; i < 2; i++) {
        conv_turn turn = CONV_TURN_INIT;
        conv_reply *reply = NULL;
        conv_error error;
        reply_text = texts[i];
        deltas[0] = '\0';
        turn.message = conv_text("stream");
        turn.on_delta = gather;
        assert_ok(conv_process_message(client, &turn, &reply, &error), error);
        assert_string_equal(deltas, wanted[i]);
        conv_reply_free(reply);
    }
    contract_client_close(&client);
    assert_false(store_holds("ann.secret"));
}

static void a_failure_and_what_came_before_it_are_redacted(void **state)
{
    (void)state;
    conv_client *client = OPEN(true, redact, VALIDATE, PROVIDER, SAVE, TRACK, PUBLISH);
    conv_turn turn = secret_turn("failing", NULL);
    conv_reply *reply = NULL;
    conv_error error;
    failure = "no mailbox for " ADDRESS;
    assert_status(conv_process_message(client, &turn, &reply, &error), CONV_PROVIDER, error);
    assert_string_equal(error.message, "no mailbox for [redacted:email]");
    assert_int_equal(conv_reply_status(reply), CONV_OUTCOME_INTERRUPTED);
    assert_string_equal(conv_reply_text(reply), "Thanks, [redacted:email]\nsee you");
    assert_bytes(conv_reply_usage(reply)->error, "no mailbox for [redacted:email]");
    conv_reply_free(reply);
    contract_client_close(&client);
    assert_nowhere();
}

static void history_from_before_is_redacted_on_its_way(void **state)
{
    (void)state;
    conv_turn turn = CONV_TURN_INIT;
    conv_reply *reply = NULL;
    conv_error error;
    conv_client *client = open_client(NULL, 0, false);
    reply_text = "ok";
    turn.session_id = "older";
    turn.message = conv_text("I am bob@example.org");
    assert_ok(conv_process_message(client, &turn, &reply, &error), error);
    conv_reply_free(reply);
    contract_client_close(&client);
    assert_true(store_holds("bob@example.org")); /* so the tests above would have found theirs */
    client = OPEN(false, VALIDATE, redact, PROVIDER, SAVE, TRACK, PUBLISH);
    turn.message = conv_text("again");
    assert_ok(conv_process_message(client, &turn, &reply, &error), error);
    assert_string_equal(seen, "I am [redacted:email]|ok|again|");
    conv_reply_free(reply);
    contract_client_close(&client);
}

static conv_status answer_itself(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    (void)context;
    (void)next;
    conv_message message = {.role = CONV_ROLE_ASSISTANT, .content = conv_text("cached")};
    return conv_call_answer(call, &message, 1, NULL, error);
}

static const char *say(conv_client *client, const char *session, const char *turn_id,
                       conv_status wanted)
{
    static char text[64];
    conv_turn turn = CONV_TURN_INIT;
    conv_reply *reply = NULL;
    conv_error error;
    turn.session_id = session;
    turn.turn_id = turn_id;
    turn.message = conv_text("question");
    assert_status(conv_process_message(client, &turn, &reply, &error), wanted, error);
    snprintf(text, sizeof text, "%s%s", conv_reply_is_repeat(reply) ? "repeat: " : "",
             conv_reply_text(reply));
    conv_reply_free(reply);
    return text;
}

static void a_turn_id_is_answered_once_whoever_answers(void **state)
{
    (void)state;
    conv_error error;
    conv_middleware *cache = NULL;
    assert_ok(conv_middleware_callback("cache", answer_itself, NULL, &cache, &error), error);
    conv_client *asking = open_client(NULL, 0, false);
    conv_client *cached = OPEN(false, VALIDATE, cache, PROVIDER, SAVE, TRACK, PUBLISH);
    reply_text = "asked";
    assert_string_equal(say(asking, "once", "1", CONV_OK), "asked");
    assert_string_equal(say(cached, "once", "1", CONV_OK), "repeat: asked");
    assert_string_equal(say(cached, "once", "2", CONV_OK), "cached");
    assert_string_equal(say(asking, "once", "2", CONV_OK), "repeat: cached");
    reply_text = "";
    failure = "away";
    assert_string_equal(say(asking, "once", "3", CONV_PROVIDER), "");
    assert_string_equal(say(cached, "once", "3", CONV_OK), "cached"); /* replaces the failed one */
    assert_int_equal(
        contract_count("SELECT message_count FROM chat_sessions WHERE external_id = 'once'"), 6);
    contract_client_close(&asking);
    contract_client_close(&cached);
    conv_middleware_free(cache);
}

static void without_save_to_database_only_the_cost_is_kept(void **state)
{
    (void)state;
    long messages = contract_count("SELECT count(*) FROM chat_messages");
    long records = contract_count("SELECT count(*) FROM usage_logs");
    conv_client *client = OPEN(true, VALIDATE, PROVIDER, TRACK, PUBLISH);
    conv_turn turn = CONV_TURN_INIT;
    conv_reply *reply = NULL;
    conv_error error;
    turn.message = conv_text("off the record");
    assert_ok(conv_process_message(client, &turn, &reply, &error), error);
    assert_int_equal(conv_reply_saved(reply), CONV_SAVED_NOT);
    conv_reply_free(reply);
    contract_client_close(&client);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_messages"), messages);
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs"), records + 1);
    assert_false(journal_holds("off the record"));
    assert_false(store_holds("off the record"));
}

static void a_client_tells_its_steps(void **state)
{
    (void)state;
    conv_client *client = OPEN(false, redact, PROVIDER, SAVE);
    assert_int_equal(conv_client_step_count(client), 3);
    assert_string_equal(conv_client_step_name(client, 0), "redact");
    assert_string_equal(conv_client_step_name(client, 2), "save_to_database");
    assert_null(conv_client_step_name(client, 3));
    contract_client_close(&client);
    conv_middleware *const twice[] = {PROVIDER, PROVIDER};
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    conv_error error;
    params.store = contract_client_url();
    params.chain = twice;
    params.chain_count = 2;
    assert_status(conv_client_open(&params, &client, &error), CONV_INVALID_ARGUMENT, error);
    assert_non_null(strstr(error.message, "provider stands in the chain twice"));
}

static conv_status count_call(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    conv_status status = conv_next_run(next, call, error);
    pthread_mutex_t *lock = context;
    pthread_mutex_lock(lock);
    asked++;
    pthread_mutex_unlock(lock);
    return status;
}

typedef struct worker {
    conv_client *client;
    size_t number;
    int saved;
    int limited;
    int other;
} worker;

static void *work(void *argument)
{
    worker *self = argument;
    for (int i = 0; i < TURNS; i++) {
        conv_turn turn = CONV_TURN_INIT;
        conv_reply *reply = NULL;
        conv_error error;
        char session[32];
        snprintf(session, sizeof session, "thread %zu", self->number);
        turn.session_id = session;
        turn.user_id = "many";
        turn.message = conv_text("write to " ADDRESS);
        conv_status status = conv_process_message(self->client, &turn, &reply, &error);
        if (status == CONV_OK && strcmp(conv_reply_text(reply), "write to [redacted:email]") == 0)
            self->saved++;
        else if (status == CONV_LIMIT && reply == NULL)
            self->limited++;
        else
            self->other++;
        conv_reply_free(reply);
    }
    return NULL;
}

static void many_threads_pass_one_chain(void **state)
{
    (void)state;
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_t threads[THREADS];
    worker workers[THREADS] = {{0}};
    conv_rate_limit_params params = CONV_RATE_LIMIT_PARAMS_INIT;
    conv_middleware *limit = NULL;
    conv_middleware *counter = NULL;
    conv_provider *fake = provider;
    conv_error error;
    int saved = 0;
    int limited = 0;
    params.turns = 100;
    params.period_ms = 86400000;
    assert_ok(conv_middleware_rate_limit(&params, &limit, &error), error);
    assert_ok(conv_middleware_callback("counter", count_call, &lock, &counter, &error), error);
    assert_ok(conv_provider_echo(&provider, &error), error);
    conv_client *client =
        OPEN(true, counter, limit, redact, VALIDATE, PROVIDER, SAVE, TRACK, PUBLISH);
    for (size_t i = 0; i < THREADS; i++) {
        workers[i] = (worker){.client = client, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        saved += workers[i].saved;
        limited += workers[i].limited;
        assert_int_equal(workers[i].other, 0);
    }
    contract_client_close(&client);
    assert_int_equal(saved, 100);
    assert_int_equal(limited, THREADS * TURNS - 100);
    assert_int_equal(asked, THREADS * TURNS);
    assert_int_equal(
        contract_count(
            "SELECT count(*) FROM usage_logs u JOIN chat_exchanges e ON e.session_id ="
            " u.session_id AND e.log_id = u.log_id JOIN chat_users c ON c.user_id = u.user_id"
            " WHERE c.external_id = 'many'"),
        100);
    assert_nowhere();
    conv_provider_free(provider);
    provider = fake;
    conv_middleware_free(limit);
    conv_middleware_free(counter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_redacted_is_nowhere, reset),
        cmocka_unit_test_setup(nor_in_a_journal_that_waits, reset),
        cmocka_unit_test_setup(deltas_come_by_lines_and_redacted, reset),
        cmocka_unit_test_setup(a_failure_and_what_came_before_it_are_redacted, reset),
        cmocka_unit_test_setup(many_threads_pass_one_chain, reset),
        cmocka_unit_test_setup(history_from_before_is_redacted_on_its_way, reset),
        cmocka_unit_test_setup(a_turn_id_is_answered_once_whoever_answers, reset),
        cmocka_unit_test_setup(without_save_to_database_only_the_cost_is_kept, reset),
        cmocka_unit_test_setup(a_client_tells_its_steps, reset),
    };
    return RUN_TESTS_WITH("middleware", tests, setup, teardown);
}
