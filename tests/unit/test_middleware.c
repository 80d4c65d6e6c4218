/* The chain against a mocked store: what steps may do, what comes of those that break the rules,
 * and what each built-in step's absence means. */
#include "support/test.h"

#include <stdlib.h>
#include <time.h>

#include "middleware/chain.h"
#include "support/failing_memory.h"
#include "support/mock_store.h"

enum { STEPS = 8 };

typedef struct fixture {
    mock_store mock;
    conv__saving *saving;
    conv__arena arena;
    conv__conversation service;
    conv_provider provider;
    conv_status provider_status;
    int asked;
    char seen[256]; /* texts that the provider got */
    conv_middleware *own[STEPS];
    size_t own_count;
    int announced;
    conv__announcement last;
    conv_error last_error;
} fixture;

static fixture *current;

static conv_status answer(conv_provider *provider, const conv_provider_request *request,
                          conv_provider_response *response, conv_error *error)
{
    (void)provider;
    current->asked++;
    current->seen[0] = '\0';
    for (size_t i = 0; i < request->message_count; i++) {
        size_t used = strlen(current->seen);
        snprintf(current->seen + used, sizeof current->seen - used, "%s%.*s", i == 0 ? "" : "|",
                 (int)request->messages[i].content.size, request->messages[i].content.data);
    }
    conv_usage usage = CONV_USAGE_INIT;
    usage.input_tokens = 100;
    usage.output_tokens = 10;
    assert_int_equal(conv_provider_response_usage(response, &usage), CONV_OK);
    if (current->provider_status != CONV_OK) {
        *error = mock_error(current->provider_status, CONV_RECOVERY_NONE, "");
        return current->provider_status;
    }
    conv_message message = {.role = CONV_ROLE_ASSISTANT, .content = {"secret answer", 13}};
    return conv_provider_response_message(response, &message);
}

static void take_announcement(void *context, const conv__announcement *announcement)
{
    fixture *test = context;
    test->announced++;
    test->last = *announcement;
    if (announcement->error != NULL) test->last_error = *announcement->error;
}

static int setup(void **state)
{
    static const conv_provider_functions functions = {.name = "mock", .complete = answer};
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
    test->provider.functions = &functions;
    test->service = (conv__conversation){.store = &test->mock.store,
                                         .saving = test->saving,
                                         .announcer = {take_announcement, test},
                                         .provider = &test->provider,
                                         .model = "model-1",
                                         .context_messages = -1,
                                         .store_timeout_ms = 5000,
                                         .turn_timeout_ms = 60000};
    current = test;
    *state = test;
    return 0;
}

static int teardown(void **state)
{
    fixture *test = *state;
    for (size_t i = 0; i < test->own_count; i++)
        conv_middleware_free(test->own[i]);
    conv__saving_close(test->saving, 0, NULL);
    conv__arena_reset(&test->arena);
    free(test);
    return 0;
}

static conv_middleware *step(fixture *test, const char *name, conv_middleware_function function,
                             void *context)
{
    conv_error error;
    conv_middleware **place = &test->own[test->own_count++];
    assert_ok(conv_middleware_callback(name, function, context, place, &error), error);
    return *place;
}

static void use(fixture *test, conv_middleware *const *steps, size_t count)
{
    conv_error error;
    assert_ok(conv__chain_create(&test->arena, steps, count, &test->service.chain, &error), error);
}

#define USE(test, ...)                                                                             \
    use(test, (conv_middleware *const[]){__VA_ARGS__},                                             \
        sizeof((conv_middleware *const[]){__VA_ARGS__}) / sizeof(conv_middleware *))

#define VALIDATE conv_middleware_validate_ids()
#define PROVIDER conv_middleware_provider()
#define SAVE     conv_middleware_save_to_database()
#define TRACK    conv_middleware_track_usage()
#define PUBLISH  conv_middleware_publish()

static conv_status run(fixture *test, conv_reply **reply, conv_error *error)
{
    conv_turn turn = CONV_TURN_INIT;
    turn.session_id = "test-session";
    turn.user_id = "user-123";
    turn.message = conv_text("the question");
    *error = (conv_error)CONV_ERROR_INIT;
    return conv__process_message(&test->service, &turn, reply, error);
}

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
    fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    order[0] = '\0';
    USE(test, step(test, "a", note_order, "a"), VALIDATE, step(test, "b", note_order, "b"),
        PROVIDER, step(test, "c", note_order, "c"), SAVE, step(test, "d", note_order, "d"), TRACK,
        PUBLISH, step(test, "e", note_order, "e"));
    assert_ok(run(test, &reply, &error), error);
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
    copy(saved_title, sizeof saved_title, mock->last.session.title);
    copy(saved_model, sizeof saved_model, mock->last.usage.usage.model);
    copy(saved_metadata, sizeof saved_metadata, mock->last.usage.usage.metadata);
}

static void a_step_changes_request_and_reply_everywhere(void **state)
{
    fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    test->mock.on_commit = look_at_saved;
    test->mock.commit_context = &test->mock;
    USE(test, VALIDATE, step(test, "change", change_all, NULL), PROVIDER, SAVE, TRACK, PUBLISH);
    assert_ok(run(test, &reply, &error), error);
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
    fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    char text[CONV_UUID_TEXT_SIZE];
    USE(test, step(test, "map", set_ids, NULL), VALIDATE, PROVIDER, SAVE, TRACK, PUBLISH);
    assert_ok(run(test, &reply, &error), error);
    conv_uuid_format(conv_uuid_ensure(conv_text("mapped")), text);
    assert_string_equal(conv_reply_session_id(reply), text);
    conv_reply_free(reply);
}

static conv_status answer_itself(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    (void)next;
    conv_usage usage = CONV_USAGE_INIT;
    conv_message message = {.role = CONV_ROLE_ASSISTANT, .content = conv_text("from the cache")};
    usage.input_tokens = 0;
    return conv_call_answer(call, &message, 1, context != NULL ? &usage : NULL, error);
}

static void a_step_answers_instead_of_the_provider(void **state)
{
    fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    USE(test, VALIDATE, step(test, "cache", answer_itself, test), PROVIDER, SAVE, TRACK, PUBLISH);
    assert_ok(run(test, &reply, &error), error);
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
    fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    test->service.provider = NULL;
    USE(test, VALIDATE, step(test, "cache", answer_itself, NULL), SAVE, TRACK, PUBLISH);
    assert_ok(run(test, &reply, &error), error);
    assert_int_equal(conv_reply_saved(reply), CONV_SAVED_COMMITTED);
    conv_reply_free(reply);
    USE(test, VALIDATE, SAVE, TRACK, PUBLISH);
    test->mock.saves = 0;
    assert_status(run(test, &reply, &error), CONV_STATE, error);
    assert_null(reply);
    assert_int_equal(test->mock.saves, 0);
}

static conv_status fall_back(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    conv_status status = conv_next_run(next, call, error);
    return status == CONV_OK ? status : answer_itself(context, call, next, error);
}

static void a_step_answers_where_the_provider_failed(void **state)
{
    fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    test->provider_status = CONV_UNAVAILABLE;
    USE(test, VALIDATE, step(test, "fallback", fall_back, NULL), PROVIDER, SAVE, TRACK, PUBLISH);
    assert_ok(run(test, &reply, &error), error);
    assert_int_equal(test->asked, 1);
    assert_string_equal(conv_reply_text(reply), "from the cache");
    assert_int_equal(conv_reply_status(reply), CONV_OUTCOME_COMPLETE);
    assert_int_equal(conv_reply_usage(reply)->input_tokens, 100);
    assert_int_equal(test->last.status, CONV_OUTCOME_COMPLETE);
    conv_reply_free(reply);
}

static conv_status refuse(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    const char *when = context;
    if (strcmp(when, "after") == 0 && conv_next_run(next, call, error) != CONV_OK)
        return error->status;
    snprintf(error->message, sizeof error->message, "not\nallowed");
    return CONV_PERMISSION;
}

static void a_refusal_before_the_provider_leaves_nothing(void **state)
{
    fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    USE(test, VALIDATE, step(test, "guard", refuse, "before"), PROVIDER, SAVE, TRACK, PUBLISH);
    assert_status(run(test, &reply, &error), CONV_PERMISSION, error);
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
    fixture *test = *state;
    for (int i = 0; i < 2; i++) {
        conv_reply *reply = NULL;
        conv_error error;
        conv_middleware *guard = step(test, "guard", refuse, i == 0 ? "after" : "before");
        if (i == 0)
            USE(test, VALIDATE, guard, PROVIDER, SAVE, TRACK, PUBLISH);
        else
            USE(test, VALIDATE, PROVIDER, guard, SAVE, TRACK, PUBLISH);
        test->mock.saves = 0;
        assert_status(run(test, &reply, &error), CONV_PERMISSION, error);
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

static conv_status swallow(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    (void)context;
    conv_status status = conv_next_run(next, call, error);
    (void)status;
    return CONV_OK;
}

static void a_swallowed_failure_stands(void **state)
{
    fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    test->provider_status = CONV_UNAVAILABLE;
    USE(test, VALIDATE, step(test, "swallow", swallow, NULL), PROVIDER, SAVE, TRACK, PUBLISH);
    assert_status(run(test, &reply, &error), CONV_UNAVAILABLE, error);
    assert_string_equal(error.message, "scripted failure");
    conv_reply_free(reply);
    test->provider_status = CONV_OK;
    USE(test, step(test, "swallow", swallow, NULL), step(test, "guard", refuse, "after"), PROVIDER,
        SAVE, TRACK, PUBLISH);
    assert_status(run(test, &reply, &error), CONV_PERMISSION, error);
    assert_int_equal(conv_reply_message_count(reply), 0);
    conv_reply_free(reply);
    test->mock.begin_error = mock_error(CONV_UNAVAILABLE, CONV_RECOVERY_WAIT, "");
    test->service.store_timeout_ms = 1;
    USE(test, VALIDATE, PROVIDER, step(test, "swallow", swallow, NULL), SAVE, TRACK, PUBLISH);
    assert_status(run(test, &reply, &error), CONV_UNAVAILABLE, error);
    assert_null(reply);
}

static conv_status forget(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    (void)context;
    (void)call;
    (void)next;
    (void)error;
    return CONV_OK;
}

static void a_step_that_forgets_to_call_on_is_named(void **state)
{
    fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    USE(test, VALIDATE, step(test, "outer", swallow, NULL), step(test, "sleepy", forget, NULL),
        PROVIDER, SAVE, TRACK, PUBLISH);
    assert_status(run(test, &reply, &error), CONV_STATE, error);
    assert_non_null(strstr(error.message, "'sleepy'"));
    assert_null(reply);
    assert_int_equal(test->asked, 0);
    assert_int_equal(test->mock.writes, 0);
}

static void one_that_forgets_the_saving_loses_nothing(void **state)
{
    fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    USE(test, VALIDATE, PROVIDER, step(test, "sleepy", forget, NULL), SAVE, TRACK, PUBLISH);
    assert_status(run(test, &reply, &error), CONV_STATE, error);
    assert_non_null(strstr(error.message, "'sleepy'"));
    assert_int_equal(conv_reply_saved(reply), CONV_SAVED_COMMITTED);
    assert_int_equal(conv_reply_status(reply), CONV_OUTCOME_FAILED);
    assert_int_equal(conv_reply_usage(reply)->input_tokens, 100);
    assert_int_equal(test->mock.saves, 1);
    conv_reply_free(reply);
    /* Behind the saving it is too late to do harm. */
    USE(test, VALIDATE, PROVIDER, SAVE, TRACK, step(test, "sleepy", forget, NULL), PUBLISH);
    assert_status(run(test, &reply, &error), CONV_STATE, error);
    assert_string_equal(conv_reply_text(reply), "secret answer");
    assert_int_equal(conv_reply_saved(reply), CONV_SAVED_COMMITTED);
    assert_int_equal(test->mock.saves, 2);
    conv_reply_free(reply);
}

static conv_status call_twice(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    (void)context;
    conv_status status = conv_next_run(next, call, error);
    assert_int_equal(conv_next_run(next, call, NULL), CONV_STATE);
    return status;
}

static void a_step_that_calls_twice_asks_and_saves_once(void **state)
{
    fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    USE(test, VALIDATE, step(test, "eager", call_twice, NULL), PROVIDER, SAVE, TRACK, PUBLISH);
    assert_status(run(test, &reply, &error), CONV_STATE, error);
    assert_non_null(strstr(error.message, "'eager' of the chain called on twice"));
    assert_int_equal(test->asked, 1);
    assert_int_equal(test->mock.saves, 1);
    assert_int_equal(conv_reply_status(reply), CONV_OUTCOME_FAILED);
    conv_reply_free(reply);
    USE(test, VALIDATE, PROVIDER, step(test, "eager", call_twice, NULL), SAVE, TRACK, PUBLISH);
    assert_status(run(test, &reply, &error), CONV_STATE, error);
    assert_int_equal(test->mock.saves, 2);
    assert_int_equal(conv_reply_status(reply), CONV_OUTCOME_COMPLETE); /* it was saved before */
    assert_int_equal(test->announced, 2);
    conv_reply_free(reply);
}

static conv_status answer_and_call_on(void *context, conv_call *call, conv_next *next,
                                      conv_error *error)
{
    conv_status status = answer_itself(context, call, next, error);
    return status == CONV_OK ? conv_next_run(next, call, error) : status;
}

static void a_step_that_answers_and_calls_on_asks_nobody(void **state)
{
    fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    USE(test, VALIDATE, step(test, "both", answer_and_call_on, NULL), PROVIDER, SAVE, TRACK,
        PUBLISH);
    assert_status(run(test, &reply, &error), CONV_STATE, error);
    assert_null(reply);
    assert_int_equal(test->asked + test->mock.saves, 0);
}

static conv_status block(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    const struct timespec pause = {0, 1000000};
    if (context == NULL) {
        conv_status status = conv_next_run(next, call, error);
        while (conv_call_time_left_ms(call) > 0)
            nanosleep(&pause, NULL);
        return status;
    }
    while (conv_call_time_left_ms(call) > 0)
        nanosleep(&pause, NULL);
    return conv_next_run(next, call, error);
}

static void a_step_that_blocks_beyond_the_limit_is_named(void **state)
{
    fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    conv_middleware *limit = NULL;
    assert_ok(conv_middleware_time_limit(20, &limit, &error), error);
    test->own[test->own_count++] = limit;
    USE(test, VALIDATE, limit, step(test, "slow", block, test), PROVIDER, SAVE, TRACK, PUBLISH);
    assert_status(run(test, &reply, &error), CONV_TIMEOUT, error);
    assert_non_null(strstr(error.message, "'slow'"));
    assert_null(reply);
    assert_int_equal(test->asked + test->mock.writes, 0);
    /* A reply that came is not thrown away for being late. */
    USE(test, VALIDATE, limit, step(test, "slow", block, NULL), PROVIDER, SAVE, TRACK, PUBLISH);
    assert_ok(run(test, &reply, &error), error);
    assert_int_equal(conv_reply_saved(reply), CONV_SAVED_COMMITTED);
    conv_reply_free(reply);
}

static void without_save_to_database_nothing_is_stored(void **state)
{
    fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    USE(test, VALIDATE, PROVIDER, TRACK, PUBLISH);
    assert_ok(run(test, &reply, &error), error);
    assert_string_equal(conv_reply_text(reply), "secret answer");
    assert_int_equal(conv_reply_saved(reply), CONV_SAVED_NOT);
    assert_int_equal(conv_reply_usage(reply)->input_tokens, 100);
    assert_int_equal(test->mock.writes, 0);
    conv_reply_free(reply);
}

static void without_track_usage_the_record_is_bare(void **state)
{
    fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    USE(test, VALIDATE, PROVIDER, SAVE, PUBLISH);
    assert_ok(run(test, &reply, &error), error);
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
    fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    char cost[CONV_DECIMAL_TEXT_SIZE];
    USE(test, VALIDATE, PROVIDER, SAVE, &own, PUBLISH);
    assert_ok(run(test, &reply, &error), error);
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
    fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    USE(test, VALIDATE, PROVIDER, SAVE, TRACK, PUBLISH, &own);
    assert_status(run(test, &reply, &error), CONV_LIMIT, error);
    assert_string_equal(error.message, "step 'budget' of the chain refused the turn");
    assert_int_equal(error.recovery, CONV_RECOVERY_BACKOFF);
    assert_int_equal(test->mock.last.status, CONV_OUTCOME_FAILED);
    assert_int_equal(test->mock.last.usage.usage.input_tokens, 100);
    conv_reply_free(reply);
}

static void orders_that_can_not_work_are_refused(void **state)
{
    fixture *test = *state;
    static const conv_middleware_functions nameless = {.handle = call_on};
    conv_middleware bad = {&nameless};
    conv_middleware *redact = NULL;
    conv_middleware *many[65];
    conv_error error;
    const conv__chain *chain = NULL;
    assert_ok(conv_middleware_redact(NULL, &redact, &error), error);
    test->own[test->own_count++] = redact;
    for (size_t i = 0; i < 65; i++)
        many[i] = redact;
    conv_middleware *orders[][3] = {{VALIDATE, NULL, SAVE},     {VALIDATE, &bad, SAVE},
                                    {VALIDATE, VALIDATE, SAVE}, {SAVE, PROVIDER, PUBLISH},
                                    {PROVIDER, PUBLISH, SAVE},  {TRACK, PROVIDER, SAVE},
                                    {PROVIDER, VALIDATE, SAVE}, {PROVIDER, redact, SAVE}};
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        assert_status(conv__chain_create(&test->arena, orders[i], 3, &chain, &error),
                      CONV_INVALID_ARGUMENT, error);
        assert_null(chain);
        assert_true(strlen(error.message) > 10);
    }
    assert_status(conv__chain_create(&test->arena, many, 65, &chain, &error), CONV_INVALID_ARGUMENT,
                  error);
    assert_status(conv__chain_create(&test->arena, NULL, 1, &chain, &error), CONV_INVALID_ARGUMENT,
                  error);
    assert_status(conv__chain_create(&test->arena, many, 0, &chain, &error), CONV_INVALID_ARGUMENT,
                  error);
    assert_ok(conv__chain_create(&test->arena, NULL, 0, &chain, &error), error);
    assert_ptr_equal(chain, conv__chain_default());
    conv_middleware *own = NULL;
    assert_status(conv_middleware_callback("", forget, NULL, &own, &error), CONV_INVALID_ARGUMENT,
                  error);
    assert_status(conv_middleware_time_limit(0, &own, &error), CONV_INVALID_ARGUMENT, error);
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
    fixture *test = context;
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
    fixture *test = *state;
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

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(the_default_chain_is_in_the_order_of_the_documentation),
        WITH_FIXTURE(steps_surround_the_answer_or_the_saving),
        WITH_FIXTURE(a_step_changes_request_and_reply_everywhere),
        WITH_FIXTURE(ids_change_before_validate_ids),
        WITH_FIXTURE(a_step_answers_instead_of_the_provider),
        WITH_FIXTURE(without_a_provider_a_step_answers),
        WITH_FIXTURE(a_step_answers_where_the_provider_failed),
        WITH_FIXTURE(a_refusal_before_the_provider_leaves_nothing),
        WITH_FIXTURE(a_refusal_after_the_answer_keeps_the_cost_and_drops_the_reply),
        WITH_FIXTURE(a_swallowed_failure_stands),
        WITH_FIXTURE(a_step_that_forgets_to_call_on_is_named),
        WITH_FIXTURE(one_that_forgets_the_saving_loses_nothing),
        WITH_FIXTURE(a_step_that_calls_twice_asks_and_saves_once),
        WITH_FIXTURE(a_step_that_answers_and_calls_on_asks_nobody),
        WITH_FIXTURE(a_step_that_blocks_beyond_the_limit_is_named),
        WITH_FIXTURE(without_save_to_database_nothing_is_stored),
        WITH_FIXTURE(without_track_usage_the_record_is_bare),
        WITH_FIXTURE(another_step_takes_the_place_of_track_usage),
        WITH_FIXTURE(a_refusal_before_saving_keeps_the_cost),
        WITH_FIXTURE(memory_that_ends_lets_nothing_through),
        WITH_FIXTURE(orders_that_can_not_work_are_refused),
    };
    return RUN_TESTS("middleware", tests);
}
