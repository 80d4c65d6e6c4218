#include "support/chain_fixture.h"

#include <stdlib.h>

#include "support/test.h"

static chain_fixture *current;

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
    chain_fixture *test = context;
    test->announced++;
    test->last = *announcement;
    if (announcement->error != NULL) test->last_error = *announcement->error;
}

int chain_setup(void **state)
{
    static const conv_provider_functions functions = {.name = "mock", .complete = answer};
    chain_fixture *test = calloc(1, sizeof *test);
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

int chain_teardown(void **state)
{
    chain_fixture *test = *state;
    for (size_t i = 0; i < test->own_count; i++)
        conv_middleware_free(test->own[i]);
    conv__saving_close(test->saving, 0, NULL, NULL);
    conv__arena_reset(&test->arena);
    free(test);
    return 0;
}

conv_middleware *chain_step(chain_fixture *test, const char *name,
                            conv_middleware_function function, void *context)
{
    conv_error error;
    conv_middleware **place = &test->own[test->own_count++];
    assert_ok(conv_middleware_callback(name, function, context, place, &error), error);
    return *place;
}

void chain_use(chain_fixture *test, conv_middleware *const *steps, size_t count)
{
    conv_error error;
    assert_ok(conv__chain_create(&test->arena, steps, count, &test->service.chain, &error), error);
}

conv_status chain_run_turn(chain_fixture *test, conv_reply **reply, conv_error *error)
{
    conv_turn turn = CONV_TURN_INIT;
    turn.session_id = "test-session";
    turn.user_id = "user-123";
    turn.message = conv_text("the question");
    *error = (conv_error)CONV_ERROR_INIT;
    return conv__process_message(&test->service, &turn, reply, error);
}

conv_status chain_answer_itself(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    (void)next;
    conv_usage usage = CONV_USAGE_INIT;
    conv_message message = {.role = CONV_ROLE_ASSISTANT, .content = conv_text("from the cache")};
    usage.input_tokens = 0;
    return conv_call_answer(call, &message, 1, context != NULL ? &usage : NULL, error);
}

conv_status chain_refuse(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    const char *when = context;
    if (strcmp(when, "after") == 0 && conv_next_run(next, call, error) != CONV_OK)
        return error->status;
    snprintf(error->message, sizeof error->message, "not\nallowed");
    return CONV_PERMISSION;
}
