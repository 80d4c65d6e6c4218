/* What a step may see and change of a turn, on either store: the store has what the step made of
 * it, a repeat gets the same, and a turn whose time a step has taken away leaves nothing. */
#include "support/test.h"

#include <stdio.h>

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/store.h"

static conv_provider *provider;
static conv_middleware *before_ids;
static conv_middleware *around_answer;
static conv_middleware *behind_saving;
static conv_client *client;
static int asked;
static bool takes_time; /* the step leaves the turn no time */
static char heard[64];  /* what the caller's delta function got */

/* What the steps saw of the last turn. */
static bool repeat;
static conv_saved saved_before;
static conv_saved saved_behind;
static char turn_id[CONV_UUID_TEXT_SIZE];
static int64_t input_tokens;

static conv_status answer(void *context, const conv_provider_request *request,
                          conv_provider_response *response, conv_error *error)
{
    (void)context;
    (void)error;
    const conv_message *last = &request->messages[request->message_count - 1];
    asked++;
    assert_bytes(last->content, "another question");
    assert_bytes(request->model, "model-2");
    assert_bytes(request->options, "{\"temperature\": 0}");
    conv_usage usage = CONV_USAGE_INIT;
    usage.input_tokens = 7;
    usage.output_tokens = 3;
    conv_status status = conv_provider_response_delta(response, conv_text("first answer"));
    return status == CONV_OK ? conv_provider_response_usage(response, &usage) : status;
}

static conv_status choose_ids(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    (void)context;
    conv_status status = conv_call_set(call, CONV_CALL_SESSION_ID, "chosen", error);
    if (status == CONV_OK) status = conv_call_set(call, CONV_CALL_USER_ID, "ann", error);
    return status == CONV_OK ? conv_next_run(next, call, error) : status;
}

static int in_brackets(void *context, conv_bytes delta)
{
    size_t used = strlen(heard);
    (void)context;
    snprintf(heard + used, sizeof heard - used, "[%.*s]", (int)delta.size, delta.data);
    return 0;
}

static conv_status change_request(conv_call *call, conv_error *error)
{
    static const struct {
        conv_call_field field;
        const char *text;
    } texts[] = {{CONV_CALL_TITLE, "a title"},
                 {CONV_CALL_MODEL, "model-2"},
                 {CONV_CALL_OPTIONS, "{\"temperature\": 0}"},
                 {CONV_CALL_SERVICE, "shop"},
                 {CONV_CALL_OPERATION, "advise"},
                 {CONV_CALL_USER_EMAIL, "ann@example.org"},
                 {CONV_CALL_METADATA, "{\"a\": 1}"}};
    const conv_message question = {.role = CONV_ROLE_USER,
                                   .content = conv_text("another question")};
    conv_status status = conv_call_set_messages(call, &question, 1, error);
    for (size_t i = 0; status == CONV_OK && i < sizeof texts / sizeof texts[0]; i++)
        status = conv_call_set(call, texts[i].field, texts[i].text, error);
    if (status == CONV_OK) status = conv_call_set_delta(call, in_brackets, NULL, error);
    return status;
}

/* Of what it used: ten tokens more for the question, and a cost. */
static conv_status change_reply(conv_call *call, conv_error *error)
{
    size_t count = 0;
    const conv_message *reply = conv_call_reply(call, &count);
    if (count != 1) return CONV_INTERNAL;
    conv_message changed = reply[0];
    changed.content = conv_text("second answer");
    conv_usage usage = *conv_call_usage(call);
    input_tokens = usage.input_tokens;
    usage.input_tokens += 10;
    usage.total_tokens += 10;
    usage.priced = true;
    usage.cost_usd = conv_decimal_from_integer(2);
    conv_status status = conv_call_set_reply(call, &changed, 1, error);
    return status == CONV_OK ? conv_call_set_usage(call, &usage, error) : status;
}

static conv_status change(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    (void)context;
    snprintf(turn_id, sizeof turn_id, "%s", conv_call_turn_id(call));
    if (takes_time) {
        conv_call_limit_time(call, 0);
        if (conv_call_time_left_ms(call) != 0) return CONV_INTERNAL;
        conv_call_limit_time(call, 60000); /* never gives any back */
    }
    conv_status status = change_request(call, error);
    if (status == CONV_OK) status = conv_next_run(next, call, error);
    repeat = conv_call_is_repeat(call);
    saved_before = conv_call_saved(call);
    return status == CONV_OK && !repeat ? change_reply(call, error) : status;
}

static conv_status look(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    (void)context;
    saved_behind = conv_call_saved(call);
    return conv_next_run(next, call, error);
}

static int setup(void **state)
{
    conv_error error;
    if (contract_client_setup(state) != 0) return -1;
    asked = 0;
    takes_time = false;
    heard[0] = '\0';
    assert_ok(conv_provider_callback("fake", answer, NULL, &provider, &error), error);
    assert_ok(conv_middleware_callback("ids", choose_ids, NULL, &before_ids, &error), error);
    assert_ok(conv_middleware_callback("change", change, NULL, &around_answer, &error), error);
    assert_ok(conv_middleware_callback("look", look, NULL, &behind_saving, &error), error);
    conv_middleware *const chain[] = {before_ids,
                                      conv_middleware_validate_ids(),
                                      around_answer,
                                      conv_middleware_provider(),
                                      conv_middleware_save_to_database(),
                                      behind_saving,
                                      conv_middleware_track_usage(),
                                      conv_middleware_publish()};
    conv_client_params params = contract_client_params();
    params.provider = provider;
    params.chain = chain;
    params.chain_count = sizeof chain / sizeof chain[0];
    client = contract_client_open(&params);
    return 0;
}

static int teardown(void **state)
{
    contract_client_close(&client);
    conv_middleware_free(behind_saving);
    conv_middleware_free(around_answer);
    conv_middleware_free(before_ids);
    conv_provider_free(provider);
    return contract_client_teardown(state);
}

static conv_status say(conv_reply **reply, conv_error *error)
{
    conv_turn turn = CONV_TURN_INIT;
    turn.turn_id = "turn-1";
    turn.message = conv_text("a question");
    turn.on_delta = in_brackets;
    return conv_process_message(client, &turn, reply, error);
}

static void assert_stored(void)
{
    assert_string_equal(contract_value("SELECT count(*) FROM chat_exchanges"), "1");
    assert_string_equal(contract_value("SELECT content FROM chat_messages WHERE role = 'user'"),
                        "another question");
    assert_string_equal(
        contract_value("SELECT content FROM chat_messages WHERE role = 'assistant'"),
        "second answer");
    assert_string_equal(contract_value("SELECT title FROM chat_sessions"), "a title");
    assert_string_equal(
        contract_value("SELECT service || ' ' || operation || ' ' || model || ' ' ||"
                       " user_email FROM usage_logs"),
        "shop advise model-2 ann@example.org");
    assert_string_equal(contract_value("SELECT input_tokens || ' ' || output_tokens || ' ' ||"
                                       " total_tokens || ' ' || cost_usd FROM usage_logs"),
                        "17 3 20 2");
    assert_string_equal(contract_value("SELECT count(*) FROM usage_logs WHERE user_id IS NOT NULL"),
                        "1");
}

static void what_a_step_changes_is_what_is_saved(void **state)
{
    (void)state;
    conv_error error;
    char session_id[CONV_UUID_TEXT_SIZE];
    conv_uuid_format(conv_uuid_ensure(conv_text("chosen")), session_id);
    for (int i = 0; i < 2; i++) {
        conv_reply *reply = NULL;
        assert_ok(say(&reply, &error), error);
        assert_int_equal(repeat, i == 1);
        assert_string_equal(conv_reply_text(reply), "second answer");
        assert_string_equal(conv_reply_session_id(reply), session_id);
        assert_string_equal(conv_reply_turn_id(reply), turn_id);
        assert_int_equal(conv_reply_usage(reply)->input_tokens, 17);
        conv_reply_free(reply);
        assert_int_equal(asked, 1);
        assert_stored();
        if (i == 1) continue;
        assert_string_equal(heard, "[first answer]");
        assert_int_equal(input_tokens, 7);
        assert_int_equal(saved_before, CONV_SAVED_NOT);
        assert_int_equal(saved_behind, CONV_SAVED_COMMITTED);
    }
}

static void without_time_nobody_is_asked_and_nothing_saved(void **state)
{
    (void)state;
    conv_error error;
    conv_reply *reply = NULL;
    takes_time = true;
    assert_status(say(&reply, &error), CONV_TIMEOUT, error);
    conv_reply_free(reply);
    assert_int_equal(asked, 0);
    assert_string_equal(contract_value("SELECT count(*) FROM chat_exchanges"), "0");
    assert_string_equal(contract_value("SELECT count(*) FROM chat_messages"), "0");
    takes_time = false;
    assert_ok(say(&reply, &error), error);
    conv_reply_free(reply);
    assert_stored();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_a_step_changes_is_what_is_saved, setup, teardown),
        cmocka_unit_test_setup_teardown(without_time_nobody_is_asked_and_nothing_saved, setup,
                                        teardown),
    };
    return RUN_TESTS("call", tests);
}
