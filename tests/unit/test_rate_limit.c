/* The rate limit on a clock of its own, and by 16 threads at once. */
#include "support/test.h"

#include <pthread.h>

#include "middleware/rate_limit.h"
#include "support/chain_fixture.h"
#include "support/own_clock.h"

enum { THREADS = 16, TURNS = 40 };

/* The limit, and a step that answers; nothing is stored. */
static void use_limit(chain_fixture *test, int64_t turns, int64_t period_ms, size_t users)
{
    conv_rate_limit_params params = CONV_RATE_LIMIT_PARAMS_INIT;
    conv_middleware *limit = NULL;
    conv_error error;
    params.turns = turns;
    params.period_ms = period_ms;
    params.users = users;
    assert_ok(conv__rate_limit_create(&params, own_clock(), &limit, &error), error);
    test->own[test->own_count++] = limit;
    USE(test, limit, chain_step(test, "answer", chain_answer_itself, NULL));
}

static conv_status ask(chain_fixture *test, const char *user, conv_error *error)
{
    conv_turn turn = CONV_TURN_INIT;
    conv_reply *reply = NULL;
    turn.user_id = user;
    turn.message = conv_text("?");
    conv_status status = conv__process_message(&test->service, &turn, &reply, error);
    conv_reply_free(reply);
    return status;
}

static void turns_are_used_up_and_come_back(void **state)
{
    chain_fixture *test = *state;
    conv_error error;
    use_limit(test, 3, 3000, 0);
    for (int i = 0; i < 3; i++)
        assert_ok(ask(test, "ann", &error), error);
    assert_status(ask(test, "ann", &error), CONV_LIMIT, error);
    assert_int_equal(error.recovery, CONV_RECOVERY_BACKOFF);
    assert_non_null(strstr(error.message, "try again in 1000 ms"));
    own_clock_advance(999999999);
    assert_status(ask(test, "ann", &error), CONV_LIMIT, error);
    own_clock_advance(1);
    assert_ok(ask(test, "ann", &error), error);
    assert_status(ask(test, "ann", &error), CONV_LIMIT, error);
    own_clock_advance(INT64_C(100000000000)); /* a long rest gives no more than all */
    for (int i = 0; i < 3; i++)
        assert_ok(ask(test, "ann", &error), error);
    assert_status(ask(test, "ann", &error), CONV_LIMIT, error);
}

static void each_user_has_turns_of_their_own(void **state)
{
    chain_fixture *test = *state;
    conv_error error;
    use_limit(test, 1, 1000, 0);
    assert_ok(ask(test, "ann", &error), error);
    assert_ok(ask(test, "bob", &error), error);
    assert_ok(ask(test, NULL, &error), error);
    assert_status(ask(test, NULL, &error), CONV_LIMIT, error);
    assert_ok(ask(test, "aaaaaaaa-0000-4000-8000-00000000000f", &error), error);
    assert_status(ask(test, "{AAAAAAAA-0000-4000-8000-00000000000F}", &error), CONV_LIMIT, error);
}

static void more_users_than_places_are_never_refused_for_it(void **state)
{
    chain_fixture *test = *state;
    conv_error error;
    char user[32];
    use_limit(test, 1, 1000, 8);
    for (int i = 0; i < 100; i++) {
        snprintf(user, sizeof user, "user-%d", i);
        own_clock_advance(1);
        assert_ok(ask(test, user, &error), error);
    }
    assert_status(ask(test, "user-99", &error), CONV_LIMIT, error); /* the newest is remembered */
}

static void as_many_users_as_places_are_remembered(void **state)
{
    enum { USERS = 1024 };
    chain_fixture *test = *state;
    conv_error error;
    char user[32];
    use_limit(test, 1, 3600000, USERS);
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < USERS; i++) {
            snprintf(user, sizeof user, "user-%d", i);
            assert_status(ask(test, user, &error), round == 0 ? CONV_OK : CONV_LIMIT, error);
        }
    assert_ok(ask(test, "one more", &error), error);
    assert_status(ask(test, "user-1", &error), CONV_LIMIT, error);
    assert_ok(ask(test, "user-0", &error), error); /* the one that was forgotten */
    assert_status(ask(test, "user-1", &error), CONV_LIMIT, error);
    assert_status(ask(test, "one more", &error), CONV_LIMIT, error);
}

static void settings_out_of_range_are_refused(void **state)
{
    (void)state;
    conv_rate_limit_params params[4] = {CONV_RATE_LIMIT_PARAMS_INIT, CONV_RATE_LIMIT_PARAMS_INIT,
                                        CONV_RATE_LIMIT_PARAMS_INIT, CONV_RATE_LIMIT_PARAMS_INIT};
    params[0].turns = -1;
    params[1].period_ms = 86400001;
    params[2].users = 1000001;
    params[3].size = 0;
    for (size_t i = 0; i < 4; i++) {
        conv_middleware *limit = NULL;
        conv_error error;
        assert_status(conv_middleware_rate_limit(&params[i], &limit, &error), CONV_INVALID_ARGUMENT,
                      error);
        assert_null(limit);
    }
}

typedef struct worker {
    chain_fixture *test;
    int allowed;
    int other;
} worker;

static void *work(void *argument)
{
    worker *self = argument;
    for (int i = 0; i < TURNS; i++) {
        conv_error error;
        conv_status status = ask(self->test, i % 2 == 0 ? "ann" : "bob", &error);
        if (status == CONV_OK)
            self->allowed++;
        else if (status != CONV_LIMIT)
            self->other++;
    }
    return NULL;
}

static void threads_share_one_limit_exactly(void **state)
{
    chain_fixture *test = *state;
    pthread_t threads[THREADS];
    worker workers[THREADS] = {{0}};
    int allowed = 0;
    use_limit(test, 100, 1000, 0);
    for (size_t i = 0; i < THREADS; i++) {
        workers[i].test = test;
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        allowed += workers[i].allowed;
        assert_int_equal(workers[i].other, 0);
    }
    assert_int_equal(allowed, 200); /* 320 asked for each of two users */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(turns_are_used_up_and_come_back, chain_setup,
                                        chain_teardown),
        cmocka_unit_test_setup_teardown(each_user_has_turns_of_their_own, chain_setup,
                                        chain_teardown),
        cmocka_unit_test_setup_teardown(more_users_than_places_are_never_refused_for_it,
                                        chain_setup, chain_teardown),
        cmocka_unit_test_setup_teardown(as_many_users_as_places_are_remembered, chain_setup,
                                        chain_teardown),
        cmocka_unit_test_setup_teardown(settings_out_of_range_are_refused, chain_setup,
                                        chain_teardown),
        cmocka_unit_test_setup_teardown(threads_share_one_limit_exactly, chain_setup,
                                        chain_teardown),
    };
    return RUN_TESTS("rate_limit", tests);
}
