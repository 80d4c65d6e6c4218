/* The conversation service against a mocked store and a mocked provider: who is asked when, what is
 * handed on, and what the caller hears. */
#include "support/test.h"

#include <stdlib.h>

#include "conversation/turn.h"
#include "core/time.h"
#include "middleware/chain.h"
#include "providers/response.h"
#include "services/conversation.h"
#include "services/exchange.h"
#include "support/mock_store.h"

typedef struct fixture {
    mock_store mock;
    conv__saving *saving;
    conv__prices *prices;
    conv__conversation service;
    conv_provider provider;
    const char *answer; /* NULL: none */
    const char *delta;  /* handed on first; NULL: none */
    int asked;
} fixture;

static fixture *current; /* the mocked provider finds its test here */

static conv_status mock_complete(conv_provider *provider, const conv_provider_request *request,
                                 conv_provider_response *response, conv_error *error)
{
    (void)provider;
    current->asked++;
    assert_int_equal(current->mock.open, 0); /* P11: no connection is held */
    size_t message_count = request->message_count;
    check_expected(message_count);
    if (current->delta != NULL) {
        conv_status status = conv_provider_response_delta(response, conv_text(current->delta));
        if (status != CONV_OK) return status;
    }
    if (current->answer != NULL) {
        conv_message message = {.role = CONV_ROLE_ASSISTANT, .content = conv_text(current->answer)};
        assert_int_equal(conv_provider_response_message(response, &message), CONV_OK);
        conv_usage usage = CONV_USAGE_INIT;
        usage.input_tokens = 1000;
        usage.output_tokens = 10;
        assert_int_equal(conv_provider_response_usage(response, &usage), CONV_OK);
        assert_int_equal(conv_provider_response_model(response, conv_text("model-1-answered"),
                                                      conv_text("stop")),
                         CONV_OK);
    }
    conv_status status = mock_type(conv_status);
    if (status != CONV_OK) *error = mock_error(status, CONV_RECOVERY_NONE, "");
    return status;
}

static void expect_question(size_t message_count, conv_status status)
{
    expect_value(mock_complete, message_count, message_count);
    will_return(mock_complete, status);
}

static int setup(void **state)
{
    static const conv_provider_functions functions = {.name = "mock", .complete = mock_complete};
    static const conv_price price = {.model = "model-1*", .input = "2.50", .output = "10"};
    fixture *test = calloc(1, sizeof *test);
    conv_error error;
    mock_store_init(&test->mock);
    conv__saving_params params = {.writer = {.store = &test->mock.store,
                                             .leaders = 1,
                                             .batch_exchanges = 8,
                                             .batch_bytes = 1 << 20,
                                             .queue_exchanges = 8},
                                  .store_timeout_ms = 5000};
    assert_ok(conv__saving_create(&params, &test->saving, &error), error);
    assert_ok(conv__prices_create(&price, 1, &test->prices, &error), error);
    test->provider.functions = &functions;
    test->service = (conv__conversation){.store = &test->mock.store,
                                         .saving = test->saving,
                                         .prices = test->prices,
                                         .provider = &test->provider,
                                         .model = "model-1",
                                         .context_messages = 10,
                                         .store_timeout_ms = 5000,
                                         .turn_timeout_ms = 5000};
    test->answer = "It is on its way.";
    current = test;
    *state = test;
    return 0;
}

static int teardown(void **state)
{
    fixture *test = *state;
    conv__saving_close(test->saving, 0, NULL, NULL);
    conv__prices_free(test->prices);
    free(test);
    return 0;
}

static conv_turn question(void)
{
    conv_turn turn = CONV_TURN_INIT;
    turn.session_id = "test-session";
    turn.user_id = "user-123";
    turn.message = conv_text("Where is my order?");
    return turn;
}

static void a_turn_saves_question_answer_and_usage(void **state)
{
    fixture *test = *state;
    conv_turn turn = question();
    conv_reply *reply = NULL;
    conv_error error;
    expect_question(1, CONV_OK);
    assert_ok(conv__process_message(&test->service, &turn, &reply, &error), error);
    assert_int_equal(test->mock.reads, 1);
    assert_int_equal(test->mock.writes, 1);
    assert_int_equal(test->mock.saves, 1);
    assert_int_equal(test->mock.open, 0);
    const conv__exchange *saved = &test->mock.last;
    assert_int_equal(saved->message_count, 2);
    assert_int_equal(saved->status, CONV_OUTCOME_COMPLETE);
    conv_uuid session = conv_uuid_ensure(conv_text("test-session"));
    assert_int_equal(conv_uuid_compare(saved->session.session_id, session), 0);
    assert_int_equal(conv_uuid_compare(saved->usage.session_id, session), 0);
    assert_string_equal(conv_reply_text(reply), "It is on its way.");
    assert_int_equal(conv_reply_saved(reply), CONV_SAVED_COMMITTED);
    assert_int_equal(conv_reply_status(reply), CONV_OUTCOME_COMPLETE);
    assert_string_equal(conv_reply_finish_reason(reply), "stop");
    assert_false(conv_reply_is_repeat(reply));
    const conv_usage *usage = conv_reply_usage(reply);
    char cost[CONV_DECIMAL_TEXT_SIZE];
    assert_true(usage->priced);
    conv_decimal_format(usage->cost_usd, cost);
    assert_string_equal(cost, "0.0026"); /* 1000 * 2.50 / 10^6 + 10 * 10 / 10^6 */
    assert_int_equal(usage->total_tokens, 1010);
    assert_bytes(usage->provider, "mock");
    assert_bytes(usage->model, "model-1-answered");
    assert_bytes(usage->session_id, "test-session");
    conv_reply_free(reply);
}

static void context_goes_before_the_question(void **state)
{
    fixture *test = *state;
    conv__message_row rows[3] = {{.message = {.role = CONV_ROLE_USER, .content = {"a", 1}}},
                                 {.message = {.role = CONV_ROLE_ASSISTANT, .content = {"b", 1}}},
                                 {.message = {.role = CONV_ROLE_USER, .content = {"c", 1}}}};
    test->mock.turn_state.context = (conv__message_list){rows, 3, false};
    conv_turn turn = question();
    conv_reply *reply = NULL;
    conv_error error;
    expect_question(4, CONV_OK);
    assert_ok(conv__process_message(&test->service, &turn, &reply, &error), error);
    assert_int_equal(test->mock.last_query.context_limit, 10);
    assert_int_equal(test->mock.last.message_count, 2); /* the context is not saved again */
    conv_reply_free(reply);
}

static void without_context_and_turn_id_nothing_is_read(void **state)
{
    fixture *test = *state;
    conv_turn turn = question();
    turn.context_messages = -1;
    conv_reply *reply = NULL;
    conv_error error;
    expect_question(1, CONV_OK);
    assert_ok(conv__process_message(&test->service, &turn, &reply, &error), error);
    assert_int_equal(test->mock.reads, 0);
    conv_reply_free(reply);
}

static void bad_turns_are_refused_before_anything_happens(void **state)
{
    fixture *test = *state;
    conv_message no_role = {.content = {"x", 1}};
    conv_message not_json = {.role = CONV_ROLE_USER, .parts = {"[1", 2}};
    conv_message empty = {.role = CONV_ROLE_USER, .content = {"", 0}};
    conv_turn turns[9];
    for (size_t i = 0; i < 9; i++)
        turns[i] = question();
    turns[0].size = 0;
    turns[1].message = conv_text(NULL);
    turns[2].message = conv_text("");
    turns[3].messages = &no_role;
    turns[3].message_count = 1;
    turns[4].messages = &not_json;
    turns[4].message_count = 1;
    turns[5].metadata = "[]";
    turns[6].options = "{";
    turns[7].context_messages = -2;
    turns[8].messages = &empty;
    turns[8].message_count = 1;
    for (size_t i = 0; i < 9; i++) {
        conv_reply *reply = (conv_reply *)test;
        conv_error error = CONV_ERROR_INIT;
        assert_status(conv__process_message(&test->service, &turns[i], &reply, &error),
                      CONV_INVALID_ARGUMENT, error);
        assert_null(reply);
        assert_true(strlen(error.message) > 5);
    }
    assert_int_equal(test->asked, 0);
    assert_int_equal(test->mock.writes, 0);
}

static void no_provider_is_said(void **state)
{
    fixture *test = *state;
    conv_turn turn = question();
    conv_reply *reply = NULL;
    conv_error error;
    test->service.provider = NULL;
    assert_status(conv__process_message(&test->service, &turn, &reply, &error),
                  CONV_INVALID_ARGUMENT, error);
    assert_non_null(strstr(error.message, "no provider"));
}

static void a_failing_provider_leaves_the_question_as_failed(void **state)
{
    fixture *test = *state;
    conv_turn turn = question();
    conv_reply *reply = NULL;
    conv_error error;
    test->answer = NULL;
    expect_question(1, CONV_UNAVAILABLE);
    assert_status(conv__process_message(&test->service, &turn, &reply, &error), CONV_UNAVAILABLE,
                  error);
    assert_non_null(reply);
    assert_int_equal(conv_reply_status(reply), CONV_OUTCOME_FAILED);
    assert_int_equal(conv_reply_message_count(reply), 0);
    assert_int_equal(test->mock.last.message_count, 1);
    assert_int_equal(test->mock.last.status, CONV_OUTCOME_FAILED);
    assert_int_equal(test->mock.last.usage.usage.status, CONV_OUTCOME_FAILED);
    assert_int_equal(test->mock.last.usage.usage.input_tokens, CONV_UNKNOWN);
    assert_false(test->mock.last.usage.usage.priced);
    conv_reply_free(reply);
}

static void a_broken_stream_is_kept_as_far_as_it_came(void **state)
{
    fixture *test = *state;
    conv_turn turn = question();
    conv_reply *reply = NULL;
    conv_error error;
    test->answer = NULL;
    test->delta = "It is on";
    expect_question(1, CONV_PROVIDER);
    assert_status(conv__process_message(&test->service, &turn, &reply, &error), CONV_PROVIDER,
                  error);
    assert_non_null(reply);
    assert_int_equal(conv_reply_status(reply), CONV_OUTCOME_INTERRUPTED);
    assert_string_equal(conv_reply_text(reply), "It is on");
    assert_int_equal(test->mock.last.message_count, 2);
    assert_int_equal(test->mock.last.status, CONV_OUTCOME_INTERRUPTED);
    conv_reply_free(reply);
}

static void silence_is_no_answer(void **state)
{
    fixture *test = *state;
    conv_turn turn = question();
    conv_reply *reply = NULL;
    conv_error error;
    test->answer = NULL;
    expect_question(1, CONV_OK);
    assert_status(conv__process_message(&test->service, &turn, &reply, &error), CONV_PROVIDER,
                  error);
    assert_int_equal(conv_reply_status(reply), CONV_OUTCOME_FAILED);
    assert_int_equal(test->mock.last.status, CONV_OUTCOME_FAILED);
    conv_reply_free(reply);
}

static int stop_at_once(void *context, conv_bytes delta)
{
    (void)context;
    (void)delta;
    return 1;
}

static void an_abort_saves_what_came(void **state)
{
    fixture *test = *state;
    conv_turn turn = question();
    conv_reply *reply = NULL;
    conv_error error;
    test->delta = "It is on";
    turn.on_delta = stop_at_once;
    expect_value(mock_complete, message_count, 1);
    assert_status(conv__process_message(&test->service, &turn, &reply, &error), CONV_CANCELLED,
                  error);
    assert_int_equal(conv_reply_status(reply), CONV_OUTCOME_INTERRUPTED);
    assert_string_equal(conv_reply_text(reply), "It is on");
    assert_int_equal(test->mock.saves, 1);
    conv_reply_free(reply);
}

/* What the store says of a turn that was saved before with this question. */
static void script_saved(fixture *test, const conv_turn *turn, conv_outcome status)
{
    static conv__message_row rows[2];
    rows[0].message = (conv_message){.role = CONV_ROLE_USER, .content = turn->message};
    rows[1].message =
        (conv_message){.role = CONV_ROLE_ASSISTANT, .content = conv_text("saved answer")};
    conv__turn_state *saved = &test->mock.turn_state;
    saved->exchange.found = true;
    saved->exchange.status = status;
    assert_int_equal(conv__hash_messages(&rows[0].message, 1, saved->exchange.request_hash),
                     CONV_OK);
    saved->saved = (conv__message_list){rows, status == CONV_OUTCOME_FAILED ? 1 : 2, false};
    saved->usage.usage = (conv_usage)CONV_USAGE_INIT;
}

static void a_repeated_turn_asks_nobody(void **state)
{
    fixture *test = *state;
    conv_turn turn = question();
    turn.turn_id = "turn-1";
    conv_outcome outcomes[] = {CONV_OUTCOME_COMPLETE, CONV_OUTCOME_INTERRUPTED};
    for (size_t i = 0; i < 2; i++) {
        conv_reply *reply = NULL;
        conv_error error;
        script_saved(test, &turn, outcomes[i]);
        assert_ok(conv__process_message(&test->service, &turn, &reply, &error), error);
        assert_true(conv_reply_is_repeat(reply));
        assert_string_equal(conv_reply_text(reply), "saved answer");
        assert_int_equal(conv_reply_message_count(reply), 1);
        assert_int_equal(conv_reply_status(reply), outcomes[i]);
        conv_reply_free(reply);
    }
    assert_int_equal(test->asked, 0);
    assert_int_equal(test->mock.writes, 0);
    conv_uuid id = conv_uuid_ensure(conv_text("turn-1"));
    assert_int_equal(conv_uuid_compare(test->mock.last_query.exchange_id, id), 0);
}

static void a_turn_id_with_another_question_is_a_conflict(void **state)
{
    fixture *test = *state;
    conv_turn turn = question();
    turn.turn_id = "turn-1";
    script_saved(test, &turn, CONV_OUTCOME_COMPLETE);
    turn.message = conv_text("Something else?");
    conv_reply *reply = NULL;
    conv_error error;
    assert_status(conv__process_message(&test->service, &turn, &reply, &error), CONV_CONFLICT,
                  error);
    assert_null(reply);
    assert_int_equal(test->asked, 0);
    assert_int_equal(test->mock.writes, 0);
}

static void a_failed_turn_is_asked_again_and_replaced(void **state)
{
    fixture *test = *state;
    conv_turn turn = question();
    turn.turn_id = "turn-1";
    script_saved(test, &turn, CONV_OUTCOME_FAILED);
    conv_reply *reply = NULL;
    conv_error error;
    expect_question(1, CONV_OK);
    assert_ok(conv__process_message(&test->service, &turn, &reply, &error), error);
    assert_false(conv_reply_is_repeat(reply));
    assert_int_equal(test->mock.removals, 1);
    assert_int_equal(test->mock.saves, 1);
    assert_int_equal(test->mock.writes, 1); /* removal and save are one transaction */
    conv_reply_free(reply);
}

static void a_session_made_by_a_turn_id_is_found_again(void **state)
{
    fixture *test = *state;
    char first[CONV_UUID_TEXT_SIZE];
    for (int i = 0; i < 2; i++) {
        conv_turn turn = question();
        conv_reply *reply = NULL;
        conv_error error;
        turn.session_id = NULL;
        turn.turn_id = "turn-1";
        expect_question(1, CONV_OK);
        assert_ok(conv__process_message(&test->service, &turn, &reply, &error), error);
        if (i == 0)
            memcpy(first, conv_reply_session_id(reply), sizeof first);
        else
            assert_string_equal(conv_reply_session_id(reply), first);
        conv_reply_free(reply);
    }
}

static void a_new_session_has_a_version_7_id_and_no_user_is_nil(void **state)
{
    fixture *test = *state;
    conv_turn turn = question();
    conv_reply *reply = NULL;
    conv_error error;
    turn.session_id = turn.user_id = NULL;
    expect_question(1, CONV_OK);
    assert_ok(conv__process_message(&test->service, &turn, &reply, &error), error);
    assert_int_equal(test->mock.last.session.session_id.bytes[6] >> 4, 7);
    assert_true(conv_uuid_is_nil(test->mock.last.session.user.id));
    assert_true(conv_uuid_is_nil(test->mock.last.usage.user.id));
    conv_reply_free(reply);
}

static void a_store_that_is_away_is_an_error_with_nothing_saved(void **state)
{
    fixture *test = *state;
    conv_turn turn = question();
    conv_reply *reply = NULL;
    conv_error error;
    turn.context_messages = -1;
    test->mock.begin_error = mock_error(CONV_UNAVAILABLE, CONV_RECOVERY_WAIT, "");
    expect_question(1, CONV_OK);
    assert_status(conv__process_message(&test->service, &turn, &reply, &error), CONV_UNAVAILABLE,
                  error);
    assert_null(reply);
}

/* Another call answers the turn while the provider is asked. */
static void script_saved_elsewhere(fixture *test, const conv_turn *turn)
{
    script_saved(test, turn, CONV_OUTCOME_COMPLETE);
    test->mock.not_inserted = true;
    test->mock.existing = test->mock.turn_state.exchange;
}

static void an_answer_saved_elsewhere_meanwhile_wins(void **state)
{
    fixture *test = *state;
    conv_turn turn = question();
    conv_reply *reply = NULL;
    conv_error error;
    turn.context_messages = -1;
    script_saved_elsewhere(test, &turn);
    expect_question(1, CONV_OK);
    assert_ok(conv__process_message(&test->service, &turn, &reply, &error), error);
    assert_string_equal(conv_reply_text(reply), "saved answer");
    assert_true(conv_reply_is_repeat(reply));
    conv_reply_free(reply);
}

static void store_goes_away(void *context)
{
    ((fixture *)context)->mock.begin_error = mock_error(CONV_UNAVAILABLE, CONV_RECOVERY_WAIT, "");
}

static void an_answer_saved_elsewhere_is_read_in_the_stores_own_time(void **state)
{
    fixture *test = *state;
    conv_turn turn = question();
    conv_reply *reply = NULL;
    conv_error error;
    turn.context_messages = -1;
    turn.timeout_ms = 2000;
    int64_t deadline = conv__deadline_in_ms(test->service.store_timeout_ms);
    script_saved_elsewhere(test, &turn);
    expect_question(1, CONV_OK);
    assert_ok(conv__process_message(&test->service, &turn, &reply, &error), error);
    assert_true(test->mock.last_deadline_ns >= deadline);
    assert_string_equal(conv_reply_text(reply), "saved answer");
    conv_reply_free(reply);
}

static void an_answer_saved_elsewhere_that_cant_be_read_is_unknown(void **state)
{
    fixture *test = *state;
    conv_turn turn = question();
    conv_reply *reply = NULL;
    conv_error error;
    turn.context_messages = -1;
    script_saved_elsewhere(test, &turn);
    test->mock.on_lookup = store_goes_away;
    test->mock.lookup_context = test;
    expect_question(1, CONV_OK);
    assert_status(conv__process_message(&test->service, &turn, &reply, &error), CONV_UNAVAILABLE,
                  error);
    assert_null(reply);
    assert_true(error.outcome_unknown);
}

static void what_is_saved_by_itself_is_hashed_with_its_answer(void **state)
{
    fixture *test = *state;
    conv_message messages[2] = {{.role = CONV_ROLE_USER, .content = {"q", 1}},
                                {.role = CONV_ROLE_ASSISTANT, .content = {"a", 1}}};
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    conv_error error;
    exchange.session_id = "s";
    exchange.turn_id = "t";
    exchange.messages = messages;
    exchange.message_count = 2;
    assert_ok(conv__save_exchange(&test->service, &exchange, NULL, &error), error);
    test->mock.not_inserted = true;
    test->mock.existing.found = true;
    memcpy(test->mock.existing.request_hash, test->mock.last.request_hash, CONV__CONTENT_HASH_SIZE);
    memcpy(test->mock.existing.reply_hash, test->mock.last.reply_hash, CONV__CONTENT_HASH_SIZE);
    conv_reply *reply = NULL;
    assert_ok(conv__save_exchange(&test->service, &exchange, &reply, &error), error);
    assert_true(conv_reply_is_repeat(reply));
    conv_reply_free(reply);
    messages[1].content = conv_text("another answer");
    assert_status(conv__save_exchange(&test->service, &exchange, NULL, &error), CONV_CONFLICT,
                  error);
}

static conv_outcome saved_status;

static void look_at_saved(void *context)
{
    const mock_store *mock = context;
    saved_status = mock->last.messages[0].message.status;
}

static void messages_of_a_failed_exchange_are_failed(void **state)
{
    fixture *test = *state;
    conv_message message = {.role = CONV_ROLE_USER, .content = {"q", 1}};
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    conv_error error;
    exchange.session_id = "s";
    exchange.messages = &message;
    exchange.message_count = 1;
    exchange.status = CONV_OUTCOME_FAILED;
    conv_reply *reply = NULL;
    test->mock.on_commit = look_at_saved;
    test->mock.commit_context = &test->mock;
    assert_ok(conv__save_exchange(&test->service, &exchange, &reply, &error), error);
    conv_reply_free(reply);
    assert_int_equal(saved_status, CONV_OUTCOME_FAILED);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(a_turn_saves_question_answer_and_usage),
        WITH_FIXTURE(context_goes_before_the_question),
        WITH_FIXTURE(without_context_and_turn_id_nothing_is_read),
        WITH_FIXTURE(bad_turns_are_refused_before_anything_happens),
        WITH_FIXTURE(no_provider_is_said),
        WITH_FIXTURE(a_failing_provider_leaves_the_question_as_failed),
        WITH_FIXTURE(a_broken_stream_is_kept_as_far_as_it_came),
        WITH_FIXTURE(silence_is_no_answer),
        WITH_FIXTURE(an_abort_saves_what_came),
        WITH_FIXTURE(a_repeated_turn_asks_nobody),
        WITH_FIXTURE(a_turn_id_with_another_question_is_a_conflict),
        WITH_FIXTURE(a_failed_turn_is_asked_again_and_replaced),
        WITH_FIXTURE(a_session_made_by_a_turn_id_is_found_again),
        WITH_FIXTURE(a_new_session_has_a_version_7_id_and_no_user_is_nil),
        WITH_FIXTURE(a_store_that_is_away_is_an_error_with_nothing_saved),
        WITH_FIXTURE(an_answer_saved_elsewhere_meanwhile_wins),
        WITH_FIXTURE(an_answer_saved_elsewhere_is_read_in_the_stores_own_time),
        WITH_FIXTURE(an_answer_saved_elsewhere_that_cant_be_read_is_unknown),
        WITH_FIXTURE(messages_of_a_failed_exchange_are_failed),
        WITH_FIXTURE(what_is_saved_by_itself_is_hashed_with_its_answer),
    };
    return RUN_TESTS("conversation", tests);
}
