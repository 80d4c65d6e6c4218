/* When a failed request is made again, and after how long. */
#include "providers/openai_retry.h"
#include "support/test.h"

static const conv__openai_failed_try base = {
    .http_status = 500,
    .should_retry = "",
    .retry_after_ms = "",
    .retry_after = "",
    .max_retries = 2,
    .left_ms = 600000,
    .now_s = 1700000000,
};

static void statuses_that_may_pass_are_tried_again(void **state)
{
    (void)state;
    const struct {
        int http_status;
        bool again;
    } rows[] = {
        {0, true},    {300, false}, {301, false}, {400, false}, {401, false}, {403, false},
        {404, false}, {408, true},  {409, true},  {413, false}, {422, false}, {429, true},
        {500, true},  {502, true},  {503, true},  {504, true},  {529, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        conv__openai_failed_try failed = base;
        failed.http_status = rows[i].http_status;
        assert_int_equal(conv__openai_retry_wait_ms(&failed) >= 0, rows[i].again);
    }
}

static void header_overrules_the_status(void **state)
{
    (void)state;
    conv__openai_failed_try failed = base;
    failed.should_retry = "false";
    assert_int_equal(conv__openai_retry_wait_ms(&failed), -1);
    failed.http_status = 400;
    failed.should_retry = "true";
    assert_int_equal(conv__openai_retry_wait_ms(&failed), 500);
    failed.should_retry = "perhaps";
    assert_int_equal(conv__openai_retry_wait_ms(&failed), -1);
}

static void number_of_tries_ends(void **state)
{
    (void)state;
    conv__openai_failed_try failed = base;
    failed.should_retry = "true";
    failed.retries = 1;
    assert_int_equal(conv__openai_retry_wait_ms(&failed), 1000);
    failed.retries = 2;
    assert_int_equal(conv__openai_retry_wait_ms(&failed), -1);
    failed.retries = 0;
    failed.max_retries = -1;
    assert_int_equal(conv__openai_retry_wait_ms(&failed), -1);
}

static void what_was_handed_on_is_never_asked_again(void **state)
{
    (void)state;
    conv__openai_failed_try failed = base;
    failed.handed_on = true;
    failed.should_retry = "true";
    assert_int_equal(conv__openai_retry_wait_ms(&failed), -1);
    failed.http_status = 0;
    assert_int_equal(conv__openai_retry_wait_ms(&failed), -1);
}

static void own_waits_double_up_to_eight_seconds(void **state)
{
    (void)state;
    const int64_t waits[] = {500, 1000, 2000, 4000, 8000, 8000, 8000};
    for (int i = 0; i < 7; i++) {
        conv__openai_failed_try failed = base;
        failed.max_retries = 100;
        failed.retries = i;
        assert_int_equal(conv__openai_retry_wait_ms(&failed), waits[i]);
        failed.chance = UINT32_MAX; /* up to a quarter less */
        int64_t least = conv__openai_retry_wait_ms(&failed);
        assert_true(least >= waits[i] * 3 / 4 && least <= waits[i] * 3 / 4 + 1);
        failed.chance = UINT32_MAX / 2;
        int64_t middle = conv__openai_retry_wait_ms(&failed);
        assert_true(middle > least && middle < waits[i]);
    }
    conv__openai_failed_try failed = base;
    failed.max_retries = INT32_MAX;
    failed.retries = INT32_MAX - 1;
    assert_int_equal(conv__openai_retry_wait_ms(&failed), 8000);
}

static void server_says_how_long(void **state)
{
    (void)state;
    const struct {
        const char *milliseconds;
        const char *seconds;
        int64_t wait_ms;
    } rows[] = {
        {"1500", "", 1500},
        {"1500", "7", 1500},
        {"250.9", "", 250},
        {"", "7", 7000},
        {"", "1.5", 1500},
        {"", "0.0019", 1},
        {"", "60", 60000},
        {"", "60.001", 500}, /* unreasonable: our own wait */
        {"", "86400", 500},
        {"", "99999999999999999999999999", 500},
        {"", "0", 500},
        {"", "-3", 500},
        {"", "soon", 500},
        {"", "1.2.3", 500},
        {"abc", "2", 2000},
        {"", "Tue, 14 Nov 2023 22:13:30 GMT", 10000}, /* 1700000010 */
        {"", "Tue, 14 Nov 2023 22:13:10 GMT", 500},   /* past */
        {"", "Tue, 14 Nov 2023 23:13:20 GMT", 500},   /* in an hour */
        {"", "Fri, 31 Dec 9999 23:59:59 GMT", 500},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        conv__openai_failed_try failed = base;
        failed.retry_after_ms = rows[i].milliseconds;
        failed.retry_after = rows[i].seconds;
        if (conv__openai_retry_wait_ms(&failed) != rows[i].wait_ms)
            fail_msg("'%s' '%s': %lld", rows[i].milliseconds, rows[i].seconds,
                     (long long)conv__openai_retry_wait_ms(&failed));
    }
}

static void deadline_is_never_slept_over(void **state)
{
    (void)state;
    conv__openai_failed_try failed = base;
    failed.left_ms = 501;
    assert_int_equal(conv__openai_retry_wait_ms(&failed), 500);
    failed.left_ms = 500;
    assert_int_equal(conv__openai_retry_wait_ms(&failed), -1);
    failed.left_ms = 0;
    failed.retry_after_ms = "1";
    assert_int_equal(conv__openai_retry_wait_ms(&failed), -1);
    failed.left_ms = 20000;
    failed.retry_after_ms = "20000";
    assert_int_equal(conv__openai_retry_wait_ms(&failed), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses_that_may_pass_are_tried_again),
        cmocka_unit_test(header_overrules_the_status),
        cmocka_unit_test(number_of_tries_ends),
        cmocka_unit_test(what_was_handed_on_is_never_asked_again),
        cmocka_unit_test(own_waits_double_up_to_eight_seconds),
        cmocka_unit_test(server_says_how_long),
        cmocka_unit_test(deadline_is_never_slept_over),
    };
    return RUN_TESTS("openai_retry", tests);
}
