/* Steps that break the rules: each is named, and nothing is left half done; orders that can't work.
 */
#include "support/test.h"

#include <time.h>

#include "support/chain_fixture.h"

static conv_status swallow(void *context, conv_call *call, conv_next *next, conv_error *error)
{
    (void)context;
    conv_status status = conv_next_run(next, call, error);
    (void)status;
    return CONV_OK;
}

static void a_swallowed_failure_stands(void **state)
{
    chain_fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    test->provider_status = CONV_UNAVAILABLE;
    USE(test, VALIDATE, chain_step(test, "swallow", swallow, NULL), PROVIDER, SAVE, TRACK, PUBLISH);
    assert_status(chain_run_turn(test, &reply, &error), CONV_UNAVAILABLE, error);
    assert_string_equal(error.message, "scripted failure");
    conv_reply_free(reply);
    test->provider_status = CONV_OK;
    USE(test, chain_step(test, "swallow", swallow, NULL),
        chain_step(test, "guard", chain_refuse, "after"), PROVIDER, SAVE, TRACK, PUBLISH);
    assert_status(chain_run_turn(test, &reply, &error), CONV_PERMISSION, error);
    assert_int_equal(conv_reply_message_count(reply), 0);
    conv_reply_free(reply);
    test->mock.begin_error = mock_error(CONV_UNAVAILABLE, CONV_RECOVERY_WAIT, "");
    test->service.store_timeout_ms = 1;
    USE(test, VALIDATE, PROVIDER, chain_step(test, "swallow", swallow, NULL), SAVE, TRACK, PUBLISH);
    assert_status(chain_run_turn(test, &reply, &error), CONV_UNAVAILABLE, error);
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
    chain_fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    USE(test, VALIDATE, chain_step(test, "outer", swallow, NULL),
        chain_step(test, "sleepy", forget, NULL), PROVIDER, SAVE, TRACK, PUBLISH);
    assert_status(chain_run_turn(test, &reply, &error), CONV_STATE, error);
    assert_non_null(strstr(error.message, "'sleepy'"));
    assert_null(reply);
    assert_int_equal(test->asked, 0);
    assert_int_equal(test->mock.writes, 0);
}

static void one_that_forgets_the_saving_loses_nothing(void **state)
{
    chain_fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    USE(test, VALIDATE, PROVIDER, chain_step(test, "sleepy", forget, NULL), SAVE, TRACK, PUBLISH);
    assert_status(chain_run_turn(test, &reply, &error), CONV_STATE, error);
    assert_non_null(strstr(error.message, "'sleepy'"));
    assert_int_equal(conv_reply_saved(reply), CONV_SAVED_COMMITTED);
    assert_int_equal(conv_reply_status(reply), CONV_OUTCOME_FAILED);
    assert_int_equal(conv_reply_usage(reply)->input_tokens, 100);
    assert_int_equal(test->mock.saves, 1);
    conv_reply_free(reply);
    /* Behind the saving it is too late to do harm. */
    USE(test, VALIDATE, PROVIDER, SAVE, TRACK, chain_step(test, "sleepy", forget, NULL), PUBLISH);
    assert_status(chain_run_turn(test, &reply, &error), CONV_STATE, error);
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
    chain_fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    USE(test, VALIDATE, chain_step(test, "eager", call_twice, NULL), PROVIDER, SAVE, TRACK,
        PUBLISH);
    assert_status(chain_run_turn(test, &reply, &error), CONV_STATE, error);
    assert_non_null(strstr(error.message, "'eager' of the chain called on twice"));
    assert_int_equal(test->asked, 1);
    assert_int_equal(test->mock.saves, 1);
    assert_int_equal(conv_reply_status(reply), CONV_OUTCOME_FAILED);
    conv_reply_free(reply);
    USE(test, VALIDATE, PROVIDER, chain_step(test, "eager", call_twice, NULL), SAVE, TRACK,
        PUBLISH);
    assert_status(chain_run_turn(test, &reply, &error), CONV_STATE, error);
    assert_int_equal(test->mock.saves, 2);
    assert_int_equal(conv_reply_status(reply), CONV_OUTCOME_COMPLETE); /* it was saved before */
    assert_int_equal(test->announced, 2);
    conv_reply_free(reply);
}

static conv_status answer_and_call_on(void *context, conv_call *call, conv_next *next,
                                      conv_error *error)
{
    conv_status status = chain_answer_itself(context, call, next, error);
    return status == CONV_OK ? conv_next_run(next, call, error) : status;
}

static void a_step_that_answers_and_calls_on_asks_nobody(void **state)
{
    chain_fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    USE(test, VALIDATE, chain_step(test, "both", answer_and_call_on, NULL), PROVIDER, SAVE, TRACK,
        PUBLISH);
    assert_status(chain_run_turn(test, &reply, &error), CONV_STATE, error);
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
    chain_fixture *test = *state;
    conv_reply *reply = NULL;
    conv_error error;
    conv_middleware *limit = NULL;
    assert_ok(conv_middleware_time_limit(20, &limit, &error), error);
    test->own[test->own_count++] = limit;
    USE(test, VALIDATE, limit, chain_step(test, "slow", block, test), PROVIDER, SAVE, TRACK,
        PUBLISH);
    assert_status(chain_run_turn(test, &reply, &error), CONV_TIMEOUT, error);
    assert_non_null(strstr(error.message, "'slow'"));
    assert_null(reply);
    assert_int_equal(test->asked + test->mock.writes, 0);
    /* A reply that came is not thrown away for being late. */
    USE(test, VALIDATE, limit, chain_step(test, "slow", block, NULL), PROVIDER, SAVE, TRACK,
        PUBLISH);
    assert_ok(chain_run_turn(test, &reply, &error), error);
    assert_int_equal(conv_reply_saved(reply), CONV_SAVED_COMMITTED);
    conv_reply_free(reply);
}

static conv_status call_on(conv_middleware *middleware, conv_call *call, conv_next *next,
                           conv_error *error)
{
    (void)middleware;
    return conv_next_run(next, call, error);
}

static void orders_that_can_not_work_are_refused(void **state)
{
    chain_fixture *test = *state;
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

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, chain_setup, chain_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(a_swallowed_failure_stands),
        WITH_FIXTURE(a_step_that_forgets_to_call_on_is_named),
        WITH_FIXTURE(one_that_forgets_the_saving_loses_nothing),
        WITH_FIXTURE(a_step_that_calls_twice_asks_and_saves_once),
        WITH_FIXTURE(a_step_that_answers_and_calls_on_asks_nobody),
        WITH_FIXTURE(a_step_that_blocks_beyond_the_limit_is_named),
        WITH_FIXTURE(orders_that_can_not_work_are_refused),
    };
    return RUN_TESTS("middleware misuse", tests);
}
