/* The time limit through the public API, on either store and with a journal: what a turn leaves
 * that nobody answered in time, and that its id can be sent again. Limits run out for real here, so
 * nothing is asserted about how long that takes; a try that ran out before the provider was asked
 * is repeated.
 */
#include "support/test.h"

#include <unistd.h>

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/folder.h"
#include "support/http_server.h"
#include "support/store.h"

#define TAKE_AWAY  "ALTER TABLE chat_exchanges RENAME TO away"
#define BRING_BACK "ALTER TABLE away RENAME TO chat_exchanges"

#define STREAM                                                                                     \
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"                                   \
    "data: {\"choices\":[{\"delta\":{\"content\":\"Half an\"}}]}\n\n"

enum { SHORT_MS = 200, LONG_MS = 60000 };

static conv_client *client;
static http_server *server;
static conv_provider *silent; /* an endpoint that takes the question and says no more */
static conv_provider *prompt; /* a function that answers */
static conv_middleware *limit;
static conv_middleware *slow;
static int asked;
static int64_t told_ms;  /* the time that the prompt provider was given */
static bool comes_late;  /* it answers when that time is over */
static bool step_blocks; /* the step behind the limit does, until the time is over */

static conv_status answer(void *context, const conv_provider_request *request,
                          conv_provider_response *response, conv_error *error)
{
    (void)context;
    (void)error;
    const conv_message message = {.role = CONV_ROLE_ASSISTANT, .content = conv_text("yes")};
    asked++;
    told_ms = request->timeout_ms;
    if (comes_late) usleep((useconds_t)(request->timeout_ms + 1) * 1000);
    return conv_provider_response_message(response, &message);
}

static conv_status block(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    (void)context;
    while (step_blocks && conv_call_time_left_ms(call) > 0)
        usleep(1000);
    return conv_next_run(next, call, error);
}

static void open_client(void)
{
    conv_client_params params = contract_client_params();
    conv_middleware *const chain[] = {conv_middleware_validate_ids(),
                                      limit,
                                      slow,
                                      conv_middleware_provider(),
                                      conv_middleware_save_to_database(),
                                      conv_middleware_track_usage(),
                                      conv_middleware_publish()};
    params.provider = prompt;
    params.journal = contract_client_journal();
    params.context_messages = -1;
    params.chain = chain;
    params.chain_count = sizeof chain / sizeof chain[0];
    client = contract_client_open(&params);
}

/* `silence`: what the endpoint says before it falls silent. */
static void open_limited(const char *silence, int64_t limit_ms)
{
    static http_reply reply;
    conv_error error;
    conv_openai_params openai = CONV_OPENAI_PARAMS_INIT;
    reply = (http_reply){.bytes = silence, .end = HTTP_HANG};
    server = http_server_start(&reply, 1);
    openai.base_url = http_server_url(server);
    openai.model = "m";
    openai.max_retries = -1;
    assert_ok(conv_provider_openai(&openai, &silent, &error), error);
    assert_ok(conv_middleware_time_limit(limit_ms, &limit, &error), error);
    open_client();
}

/* What another program would do that has all the time: the journal is closed and opened again. */
static void open_unhurried(void)
{
    conv_error error;
    contract_client_close(&client);
    conv_middleware_free(limit);
    assert_ok(conv_middleware_time_limit(86400000, &limit, &error), error);
    open_client();
}

static int setup(void **state)
{
    conv_error error;
    if (contract_client_setup(state) != 0) return -1;
    assert_ok(conv_provider_callback("prompt", answer, NULL, &prompt, &error), error);
    assert_ok(conv_middleware_callback("slow", block, NULL, &slow, &error), error);
    asked = 0;
    comes_late = step_blocks = false;
    return 0;
}

static int teardown(void **state)
{
    contract_client_close(&client);
    conv_middleware_free(limit);
    conv_middleware_free(slow);
    conv_provider_free(prompt);
    conv_provider_free(silent);
    http_server_stop(server);
    return contract_client_teardown(state);
}

static conv_turn turn_of(const char *turn_id, conv_provider *provider)
{
    conv_turn turn = CONV_TURN_INIT;
    turn.session_id = "s";
    turn.user_id = "ann";
    turn.turn_id = turn_id;
    turn.message = conv_text("a question");
    turn.provider = provider;
    return turn;
}

/* Without a reply the time was over before the provider could be asked. */
static conv_reply *run_out(const conv_turn *turn)
{
    conv_error error;
    conv_reply *reply = NULL;
    while (reply == NULL)
        assert_status(conv_process_message(client, turn, &reply, &error), CONV_TIMEOUT, error);
    return reply;
}

/* The id, sent again to somebody who answers. */
static void send_again(const char *turn_id, bool repeat, const char *text)
{
    conv_error error;
    conv_reply *reply = NULL;
    conv_turn turn = turn_of(turn_id, prompt);
    assert_ok(conv_process_message(client, &turn, &reply, &error), error);
    assert_int_equal(conv_reply_is_repeat(reply), repeat);
    assert_string_equal(conv_reply_text(reply), text);
    conv_reply_free(reply);
}

static void assert_rows(const char *table, const char *status, long wanted)
{
    long found = contract_count("SELECT count(*) FROM %s WHERE status = '%s'", table, status);
    if (found != wanted) fail_msg("%s: %ld %s, not %ld", table, found, status, wanted);
}

static void assert_completes(const char *turn_id)
{
    open_unhurried();
    send_again(turn_id, false, "yes");
    assert_rows("chat_exchanges", "complete", 1);
    assert_rows("chat_exchanges", "failed", 0);
    assert_rows("chat_messages", "complete", 2);
    assert_rows("chat_messages", "failed", 0);
    assert_rows("usage_logs", "complete", 1);
    assert_rows("usage_logs", "failed", 0); /* one turn, one record */
    send_again(turn_id, true, "yes");
    assert_int_equal(asked, 1);
    contract_client_await_empty_journal(client);
}

static void who_never_answers_leaves_the_question_as_failed(void **state)
{
    (void)state;
    open_limited(NULL, SHORT_MS);
    conv_turn turn = turn_of("t-1", silent);
    conv_reply *reply = run_out(&turn);
    assert_int_equal(conv_reply_status(reply), CONV_OUTCOME_FAILED);
    assert_int_equal(conv_reply_saved(reply), CONV_SAVED_COMMITTED);
    assert_string_equal(conv_reply_text(reply), "");
    conv_reply_free(reply);
    assert_rows("chat_exchanges", "failed", 1);
    assert_rows("chat_messages", "failed", 1);
    assert_rows("usage_logs", "failed", 1);
    assert_int_equal(contract_count("SELECT count(*) FROM usage_logs WHERE error IS NOT NULL"), 1);
    contract_client_await_empty_journal(client);
    assert_completes("t-1");
}

static int hear(void *context, conv_bytes delta)
{
    *(size_t *)context += delta.size;
    return 0;
}

static void who_stops_half_way_leaves_what_came_as_interrupted(void **state)
{
    (void)state;
    char turn_id[16];
    size_t heard = 0;
    conv_reply *reply = NULL;
    open_limited(STREAM, SHORT_MS);
    for (int i = 0; heard == 0; i++) {
        snprintf(turn_id, sizeof turn_id, "t-%d", i);
        conv_turn turn = turn_of(turn_id, silent);
        turn.on_delta = hear;
        turn.delta_context = &heard;
        conv_reply_free(reply);
        reply = run_out(&turn);
    }
    assert_int_equal(conv_reply_status(reply), CONV_OUTCOME_INTERRUPTED);
    assert_int_equal(conv_reply_saved(reply), CONV_SAVED_COMMITTED);
    assert_string_equal(conv_reply_text(reply), "Half an");
    conv_reply_free(reply);
    assert_rows("chat_exchanges", "interrupted", 1);
    assert_rows("usage_logs", "interrupted", 1);
    open_unhurried();
    send_again(turn_id, true, "Half an"); /* what came was the answer */
    assert_int_equal(asked, 0);
    contract_client_await_empty_journal(client);
}

/* Neither the question nor its end is lost. */
static void with_the_store_away_it_waits_in_the_journal(void **state)
{
    (void)state;
    char turn_id[64];
    open_limited(NULL, SHORT_MS);
    contract_execute(TAKE_AWAY);
    conv_turn turn = turn_of(NULL, silent);
    conv_reply *reply = run_out(&turn);
    assert_int_equal(conv_reply_status(reply), CONV_OUTCOME_FAILED);
    assert_int_equal(conv_reply_saved(reply), CONV_SAVED_JOURNALED);
    snprintf(turn_id, sizeof turn_id, "%s", conv_reply_turn_id(reply));
    conv_reply_free(reply);
    contract_execute(BRING_BACK);
    open_unhurried();
    assert_rows("chat_exchanges", "failed", 1);
    assert_rows("usage_logs", "failed", 1);
    assert_completes(turn_id);
}

static void the_provider_is_told_the_shorter_time(void **state)
{
    (void)state;
    conv_error error;
    conv_reply *reply = NULL;
    open_limited(NULL, LONG_MS);
    conv_turn turn = turn_of(NULL, prompt); /* which has ten minutes by itself */
    assert_ok(conv_process_message(client, &turn, &reply, &error), error);
    conv_reply_free(reply);
    assert_in_range(told_ms, 1, LONG_MS);
    turn.timeout_ms = LONG_MS / 2;
    assert_ok(conv_process_message(client, &turn, &reply, &error), error);
    conv_reply_free(reply);
    assert_in_range(told_ms, 1, LONG_MS / 2);
}

static void a_reply_that_comes_late_is_kept(void **state)
{
    (void)state;
    conv_error error;
    conv_reply *reply = NULL;
    open_limited(NULL, SHORT_MS);
    comes_late = true;
    for (int i = 0; asked == 0; i++) {
        char turn_id[16];
        snprintf(turn_id, sizeof turn_id, "t-%d", i);
        conv_turn turn = turn_of(turn_id, prompt);
        conv_reply_free(reply);
        conv_status status = conv_process_message(client, &turn, &reply, &error);
        if (asked > 0) assert_ok(status, error);
    }
    assert_int_equal(conv_reply_saved(reply), CONV_SAVED_COMMITTED);
    conv_reply_free(reply);
    assert_rows("chat_exchanges", "complete", 1);
    assert_rows("usage_logs", "complete", 1);
    contract_client_await_empty_journal(client);
}

static void a_step_that_takes_all_the_time_leaves_nothing(void **state)
{
    (void)state;
    conv_error error;
    conv_reply *reply = NULL;
    open_limited(NULL, SHORT_MS);
    step_blocks = true;
    conv_turn turn = turn_of("t-1", prompt);
    assert_status(conv_process_message(client, &turn, &reply, &error), CONV_TIMEOUT, error);
    assert_non_null(strstr(error.message, "'slow'"));
    assert_null(reply);
    assert_int_equal(asked, 0);
    assert_int_equal(contract_count("SELECT (SELECT count(*) FROM chat_sessions) +"
                                    " (SELECT count(*) FROM chat_exchanges) +"
                                    " (SELECT count(*) FROM usage_logs)"),
                     0);
    assert_false(folder_holds(contract_client_folder(), "a question"));
    step_blocks = false;
    assert_completes("t-1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_never_answers_leaves_the_question_as_failed),
        TEST(who_stops_half_way_leaves_what_came_as_interrupted),
        TEST(with_the_store_away_it_waits_in_the_journal),
        TEST(the_provider_is_told_the_shorter_time),
        TEST(a_reply_that_comes_late_is_kept),
        TEST(a_step_that_takes_all_the_time_leaves_nothing),
    };
    return RUN_TESTS("time limit", tests);
}
