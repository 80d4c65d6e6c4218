/* The chain against a mocked store: the order of its steps, what they may do, and what each
 * built-in step's absence means. */
#include "support/test.h"

#include "support/chain_fixture.h"
#include "support/failing_memory.h"

static char order[256];

static conv_status note_order(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    const char *name = context;
    size_t count;
    snprintf(order + strlen(order), sizeof order - strlen(order), "<%s", name);
    conv_status status = conv_next_run(next, call, error);
    snprintf(order + strlen(order), sizeof order - strlen(order), "%s%s>", name,
             conv_call_saved(call) == CONV_SAVED_COMMITTED ? ":saved"
             : conv_call_reply(call, &count) != NULL       ? ":answered"
                                                           : "");
    return status;
}

static void the_default_chain_is_in_the_order_of_the_documentation(void **state)
{
    (void)state;
    const conv__chain *chain = conv__chain_default();
    const char *names[] = {"validate_ids", "provider", "save_to_database", "track_usage",
                           "publish"};
    assert_int_equal(chain->count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(chain->steps[i]->functions->name, names[i]);
}

static void steps_surround_the_answer_or_the_saving(void **state)
{
    chain_fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    order[0] = '\0';
    USE(test, chain_step(test, "a", note_order, "a"), VALIDATE,
        chain_step(test, "b", note_order, "b"), PROVIDER, chain_step(test, "c", note_order, "c"),
        SAVE, chain_step(test, "d", note_order, "d"), TRACK, PUBLISH,
        chain_step(test, "e", note_order, "e"));
    assert_ok(chain_run_turn(test, &reply, &error), error);
    assert_string_equal(order, "<a<bb:answered>a:answered><c<d<ee:saved>d:saved>c:saved>");
    assert_int_equal(test->mock.saves, 1);
    assert_int_equal(test->announced, 1);
    conv_reply_free(reply);
}

static conv_status change_all(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    (void)context;
    const conv_turn *turn = conv_call_turn(call);
    conv_message request = turn->messages[0];
    conv_message system = {.role = CONV_ROLE_SYSTEM, .content = conv_text("be short")};
    assert_string_equal(conv_call_session_id(call), "d2113e7f-186d-5342-908a-af6bd486c306");
    request.content = conv_text("another question");
    assert_ok(conv_call_set_messages(call, &request, 1, error), *error);
    assert_ok(conv_call_set_context(call, &system, 1, error), *error);
    assert_ok(conv_call_set(call, CONV_CALL_MODEL, "model-2", error), *error);
    assert_ok(conv_call_set(call, CONV_CALL_TITLE, "a title", error), *error);
    assert_ok(conv_call_set(call, CONV_CALL_METADATA, "{\"a\":1}", error), *error);
    assert_status(conv_call_set(call, CONV_CALL_METADATA, "[]", error), CONV_INVALID_ARGUMENT,
                  *error);
    assert_status(conv_call_set(call, CONV_CALL_USER_ID, "other", error), CONV_STATE, *error);
    assert_status(conv_call_set_messages(call, NULL, 0, error), CONV_INVALID_ARGUMENT, *error);
    conv_status status = conv_next_run(next, call, error);
    size_t count = 0;
    conv_message reply = conv_call_reply(call, &count)[0];
    assert_int_equal(count, 1);
    reply.content = conv_text("changed answer");
    assert_ok(conv_call_set_reply(call, &reply, 1, error), *error);
    assert_status(conv_call_set_messages(call, &request, 1, error), CONV_STATE, *error);
    assert_status(conv_call_set_delta(call, NULL, NULL, error), CONV_STATE, *error);
    assert_status(conv_call_set(call, CONV_CALL_TITLE, "late", error), CONV_STATE, *error);
    return status;
}

static conv_bytes saved_texts[2];
static conv_outcome saved_status;
static char saved_title[32];
static char saved_model[32];
static char saved_metadata[32];

static void copy(char *to, size_t size, conv_bytes from)
{
    snprintf(to, size, "%.*s", (int)from.size, from.data != NULL ? from.data : "");
}

/* Rows point into the turn, so they are looked at while it is under way. */
static void look_at_saved(void *context)
{
    static char texts[2][64];
    const mock_store *mock = context;
    for (size_t i = 0; i < mock->last.message_count && i < 2; i++) {
        copy(texts[i], sizeof texts[i], mock->last.messages[i].message.content);
        saved_texts[i] = conv_text(texts[i]);
    }
    saved_status = mock->last.messages[0].message.status;
    copy(saved_title, sizeof saved_title, mock->last.session.title);
    copy(saved_model, sizeof saved_model, mock->last.usage.usage.model);
    copy(saved_metadata, sizeof saved_metadata, mock->last.usage.usage.metadata);
}

static void a_step_changes_request_and_reply_everywhere(void **state)
{
    chain_fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    test->mock.on_commit = look_at_saved;
    test->mock.commit_context = &test->mock;
    USE(test, VALIDATE, chain_step(test, "change", change_all, NULL), PROVIDER, SAVE, TRACK,
        PUBLISH);
    assert_ok(chain_run_turn(test, &reply, &error), error);
    assert_string_equal(test->seen, "be short|another question");
    assert_string_equal(conv_reply_text(reply), "changed answer");
    assert_int_equal(test->mock.last.message_count, 2); /* a context of its own is not saved */
    assert_bytes(saved_texts[0], "another question");
    assert_bytes(saved_texts[1], "changed answer");
    assert_string_equal(saved_title, "a title");
    assert_string_equal(saved_model, "model-2");
    assert_string_equal(saved_metadata, "{\"a\":1}");
    conv_reply_free(reply);
}

static conv_status set_ids(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    (void)context;
    assert_string_equal(conv_call_session_id(call), "");
    assert_ok(conv_call_set(call, CONV_CALL_SESSION_ID, "mapped", error), *error);
    return conv_next_run(next, call, error);
}

static void ids_change_before_validate_ids(void **state)
{
    chain_fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    char text[CONV_UUID_TEXT_SIZE];
    USE(test, chain_step(test, "map", set_ids, NULL), VALIDATE, PROVIDER, SAVE, TRACK, PUBLISH);
    assert_ok(chain_run_turn(test, &reply, &error), error);
    conv_uuid_format(conv_uuid_ensure(conv_text("mapped")), text);
    assert_string_equal(conv_reply_session_id(reply), text);
    conv_reply_free(reply);
}

static conv_status set_ids_late(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    (void)context;
    assert_string_not_equal(conv_call_session_id(call), "");
    assert_string_not_equal(conv_call_turn_id(call), "");
    assert_status(conv_call_set(call, CONV_CALL_SESSION_ID, "late", error), CONV_STATE, *error);
    assert_non_null(strstr(error->message, "before redact"));
    return conv_next_run(next, call, error);
}

/* It reads the context of the session, so that the session must be known. */
static void redact_makes_the_ids(void **state)
{
    chain_fixture *test = *state;
    conv_middleware *redact = NULL;
    conv_reply *reply = NULL;
    conv_error error;
    char text[CONV_UUID_TEXT_SIZE];
    assert_ok(conv_middleware_redact(NULL, &redact, &error), error);
    test->own[test->own_count++] = redact;
    USE(test, chain_step(test, "map", set_ids, NULL), redact,
        chain_step(test, "late", set_ids_late, NULL), VALIDATE, PROVIDER, SAVE, TRACK, PUBLISH);
    assert_ok(chain_run_turn(test, &reply, &error), error);
    conv_uuid_format(conv_uuid_ensure(conv_text("mapped")), text);
    assert_string_equal(conv_reply_session_id(reply), text);
    conv_reply_free(reply);
}

static void a_step_answers_instead_of_the_provider(void **state)
{
    chain_fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    USE(test, VALIDATE, chain_step(test, "cache", chain_answer_itself, test), PROVIDER, SAVE, TRACK,
        PUBLISH);
    assert_ok(chain_run_turn(test, &reply, &error), error);
    assert_int_equal(test->asked, 0);
    assert_string_equal(conv_reply_text(reply), "from the cache");
    assert_int_equal(conv_reply_saved(reply), CONV_SAVED_COMMITTED);
    assert_bytes(conv_reply_usage(reply)->provider, "cache");
    assert_int_equal(conv_reply_usage(reply)->input_tokens, 0);
    assert_int_equal(conv_reply_usage(reply)->output_tokens, CONV_UNKNOWN);
    assert_int_equal(test->mock.saves, 1);
    conv_reply_free(reply);
}

static void without_a_provider_a_step_answers(void **state)
{
    chain_fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    test->service.provider = NULL;
    USE(test, VALIDATE, chain_step(test, "cache", chain_answer_itself, NULL), SAVE, TRACK, PUBLISH);
    assert_ok(chain_run_turn(test, &reply, &error), error);
    assert_int_equal(conv_reply_saved(reply), CONV_SAVED_COMMITTED);
    conv_reply_free(reply);
    USE(test, VALIDATE, SAVE, TRACK, PUBLISH);
    test->mock.saves = 0;
    assert_status(chain_run_turn(test, &reply, &error), CONV_STATE, error);
    assert_null(reply);
    assert_int_equal(test->mock.saves, 0);
}

static conv_status fall_back(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    conv_status status = conv_next_run(next, call, error);
    return status == CONV_OK ? status : chain_answer_itself(context, call, next, error);
}

static conv_status answer_late(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    conv_status status = chain_answer_itself(context, call, next, error);
    return status == CONV_OK ? conv_next_run(next, call, error) : status;
}

static void a_step_answers_where_the_provider_failed(void **state)
{
    chain_fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    test->provider_status = CONV_UNAVAILABLE;
    USE(test, VALIDATE, chain_step(test, "fallback", fall_back, NULL), PROVIDER, SAVE, TRACK,
        PUBLISH);
    assert_ok(chain_run_turn(test, &reply, &error), error);
    assert_int_equal(test->asked, 1);
    assert_string_equal(conv_reply_text(reply), "from the cache");
    assert_int_equal(conv_reply_status(reply), CONV_OUTCOME_COMPLETE);
    assert_int_equal(conv_reply_usage(reply)->input_tokens, 100);
    assert_int_equal(test->last.status, CONV_OUTCOME_COMPLETE);
    conv_reply_free(reply);
    /* Likewise between the provider and the saving. */
    test->mock.on_commit = look_at_saved;
    test->mock.commit_context = &test->mock;
    USE(test, VALIDATE, PROVIDER, chain_step(test, "late", answer_late, NULL), SAVE, TRACK,
        PUBLISH);
    assert_ok(chain_run_turn(test, &reply, &error), error);
    assert_string_equal(conv_reply_text(reply), "from the cache");
    assert_int_equal(saved_status, CONV_OUTCOME_COMPLETE);
    conv_reply_free(reply);
}

static void a_refusal_before_the_provider_leaves_nothing(void **state)
{
    chain_fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    USE(test, VALIDATE, chain_step(test, "guard", chain_refuse, "before"), PROVIDER, SAVE, TRACK,
        PUBLISH);
    assert_status(chain_run_turn(test, &reply, &error), CONV_PERMISSION, error);
    assert_string_equal(error.message, "not allowed");
    assert_null(reply);
    assert_int_equal(test->asked, 0);
    assert_int_equal(test->mock.reads + test->mock.writes, 0);
    assert_int_equal(test->announced, 1);
    assert_int_equal(test->last.status, CONV_OUTCOME_FAILED);
    assert_int_equal(test->last.saved, CONV_SAVED_NOT);
    assert_int_equal(test->last_error.status, CONV_PERMISSION);
}

/* Places around the answer and around the saving come to the same. */
static void a_refusal_after_the_answer_keeps_the_cost_and_drops_the_reply(void **state)
{
    chain_fixture *test = *state;
    for (int i = 0; i < 2; i++) {
        conv_reply *reply = NULL;
        conv_error error;
        conv_middleware *guard =
            chain_step(test, "guard", chain_refuse, i == 0 ? "after" : "before");
        if (i == 0)
            USE(test, VALIDATE, guard, PROVIDER, SAVE, TRACK, PUBLISH);
        else
            USE(test, VALIDATE, PROVIDER, guard, SAVE, TRACK, PUBLISH);
        test->mock.saves = 0;
        assert_status(chain_run_turn(test, &reply, &error), CONV_PERMISSION, error);
        assert_non_null(reply);
        assert_int_equal(conv_reply_message_count(reply), 0);
        assert_int_equal(conv_reply_status(reply), CONV_OUTCOME_FAILED);
        assert_int_equal(conv_reply_saved(reply), CONV_SAVED_COMMITTED);
        assert_int_equal(conv_reply_usage(reply)->input_tokens, 100);
        assert_bytes(conv_reply_usage(reply)->error, "not allowed");
        assert_int_equal(test->mock.saves, 1);
        assert_int_equal(test->mock.last.message_count, 1);
        assert_int_equal(test->mock.last.status, CONV_OUTCOME_FAILED);
        conv_reply_free(reply);
    }
    assert_int_equal(test->asked, 2);
    assert_int_equal(test->announced, 2);
}

static void without_save_to_database_nothing_is_stored(void **state)
{
    chain_fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    USE(test, VALIDATE, PROVIDER, TRACK, PUBLISH);
    assert_ok(chain_run_turn(test, &reply, &error), error);
    assert_string_equal(conv_reply_text(reply), "secret answer");
    assert_int_equal(conv_reply_saved(reply), CONV_SAVED_NOT);
    assert_int_equal(conv_reply_usage(reply)->input_tokens, 100);
    assert_int_equal(test->mock.writes, 0);
    conv_reply_free(reply);
}

static void without_track_usage_the_record_is_bare(void **state)
{
    chain_fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    USE(test, VALIDATE, PROVIDER, SAVE, PUBLISH);
    assert_ok(chain_run_turn(test, &reply, &error), error);
    assert_int_equal(conv_reply_usage(reply)->input_tokens, CONV_UNKNOWN);
    assert_false(conv_reply_usage(reply)->priced);
    assert_int_equal(test->mock.last.usage.usage.input_tokens, CONV_UNKNOWN);
    assert_false(conv_uuid_is_nil(test->mock.last.usage.usage.log_id));
    conv_reply_free(reply);
}

static conv_status price_itself(conv_middleware *middleware, conv_call *call, conv_error *error)
{
    (void)middleware;
    conv_usage usage = *conv_call_usage(call);
    assert_int_equal(usage.input_tokens, 100);
    assert_bytes(usage.provider, "mock");
    usage.cost_usd = (conv_decimal){.low = 7, .scale = 2};
    usage.priced = true;
    return conv_call_set_usage(call, &usage, error);
}

static conv_status call_on(conv_middleware *middleware, conv_call *call, conv_next *next,
                           conv_error *error)
{
    (void)middleware;
    return conv_next_run(next, call, error);
}

static void another_step_takes_the_place_of_track_usage(void **state)
{
    static const conv_middleware_functions functions = {
        .name = "own prices", .handle = call_on, .before_save = price_itself};
    conv_middleware own = {&functions};
    chain_fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    char cost[CONV_DECIMAL_TEXT_SIZE];
    USE(test, VALIDATE, PROVIDER, SAVE, &own, PUBLISH);
    assert_ok(chain_run_turn(test, &reply, &error), error);
    conv_decimal_format(test->mock.last.usage.usage.cost_usd, cost);
    assert_string_equal(cost, "0.07");
    conv_reply_free(reply);
}

static conv_status refuse_to_save(conv_middleware *middleware, conv_call *call, conv_error *error)
{
    (void)middleware;
    (void)call;
    (void)error;
    return CONV_LIMIT;
}

static void a_refusal_before_saving_keeps_the_cost(void **state)
{
    static const conv_middleware_functions functions = {
        .name = "budget", .handle = call_on, .before_save = refuse_to_save};
    conv_middleware own = {&functions};
    chain_fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    USE(test, VALIDATE, PROVIDER, SAVE, TRACK, PUBLISH, &own);
    assert_status(chain_run_turn(test, &reply, &error), CONV_LIMIT, error);
    assert_string_equal(error.message, "step 'budget' of the chain refused the turn");
    assert_int_equal(error.recovery, CONV_RECOVERY_BACKOFF);
    assert_int_equal(test->mock.last.status, CONV_OUTCOME_FAILED);
    assert_int_equal(test->mock.last.usage.usage.input_tokens, 100);
    conv_reply_free(reply);
}

static bool leaked;

static void look_for_secret(void *context)
{
    const mock_store *mock = context;
    for (size_t i = 0; i < mock->last.message_count; i++) {
        conv_bytes text = mock->last.messages[i].message.content;
        if (text.data != NULL && memmem(text.data, text.size, "a@b.org", 7) != NULL) leaked = true;
    }
}

static conv_status say_secret(void *context)
{
    chain_fixture *test = context;
    conv_turn turn = CONV_TURN_INIT;
    conv_reply *reply = NULL;
    conv_error error = CONV_ERROR_INIT;
    conv_provider *echo = NULL;
    conv_status status = conv_provider_echo(&echo, &error);
    if (status != CONV_OK) return status;
    turn.session_id = "test-session";
    turn.provider = echo;
    turn.title = "a@b.org";
    turn.message = conv_text("[\"I am a@b.org\"]");
    status = conv__process_message(&test->service, &turn, &reply, &error);
    conv_reply_free(reply);
    conv_provider_free(echo);
    return status;
}

static void memory_that_ends_lets_nothing_through(void **state)
{
    chain_fixture *test = *state;
    conv_middleware *redact = NULL;
    conv_error error;
    assert_ok(conv_middleware_redact(NULL, &redact, &error), error);
    test->own[test->own_count++] = redact;
    test->mock.on_commit = look_for_secret;
    test->mock.commit_context = &test->mock;
    USE(test, redact, VALIDATE, PROVIDER, SAVE, TRACK, PUBLISH);
    leaked = false;
    assert_true(failing_memory_run(say_secret, test) > 15);
    assert_false(leaked);
    assert_true(test->mock.saves > 0);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, chain_setup, chain_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(the_default_chain_is_in_the_order_of_the_documentation),
        WITH_FIXTURE(steps_surround_the_answer_or_the_saving),
        WITH_FIXTURE(a_step_changes_request_and_reply_everywhere),
        WITH_FIXTURE(ids_change_before_validate_ids),
        WITH_FIXTURE(redact_makes_the_ids),
        WITH_FIXTURE(a_step_answers_instead_of_the_provider),
        WITH_FIXTURE(without_a_provider_a_step_answers),
        WITH_FIXTURE(a_step_answers_where_the_provider_failed),
        WITH_FIXTURE(a_refusal_before_the_provider_leaves_nothing),
        WITH_FIXTURE(a_refusal_after_the_answer_keeps_the_cost_and_drops_the_reply),
        WITH_FIXTURE(without_save_to_database_nothing_is_stored),
        WITH_FIXTURE(without_track_usage_the_record_is_bare),
        WITH_FIXTURE(another_step_takes_the_place_of_track_usage),
        WITH_FIXTURE(a_refusal_before_saving_keeps_the_cost),
        WITH_FIXTURE(memory_that_ends_lets_nothing_through),
    };
    return RUN_TESTS("middleware", tests);
}
