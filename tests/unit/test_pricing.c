/* Costs: exact, no kind billed twice, and none rather than a wrong one. */
#include "support/test.h"

#include "services/pricing.h"

static const conv_price table[] = {
    {.model = "gpt-4o", .input = "2.50", .output = "10.00", .cache_read = "1.25"},
    {.model = "gpt-4o-*", .input = "5", .output = "15"},
    {.model = "gpt-4o-mini*", .input = "0.15", .output = "0.60"},
    {.model = "thinker", .input = "1", .output = "2", .cache_write = "1.25", .reasoning = "3"},
    {.model = "noisy", .input = "0.24999999999999998", .output = "1"},
    {.model = "no-output", .input = "1"},
};

static conv__prices *prices;

static int setup(void **state)
{
    conv_error error;
    (void)state;
    assert_ok(conv__prices_create(table, sizeof table / sizeof table[0], &prices, &error), error);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    conv__prices_free(prices);
    return 0;
}

static conv_usage used(const char *model, int64_t input, int64_t output)
{
    conv_usage usage = CONV_USAGE_INIT;
    usage.model = conv_text(model);
    usage.input_tokens = input;
    usage.output_tokens = output;
    return usage;
}

static void assert_cost(conv_usage usage, const char *wanted)
{
    char text[CONV_DECIMAL_TEXT_SIZE];
    conv__prices_apply(prices, &usage);
    assert_true(usage.priced);
    conv_decimal_format(usage.cost_usd, text);
    assert_string_equal(text, wanted);
}

static void assert_unpriced(conv_usage usage)
{
    conv__prices_apply(prices, &usage);
    assert_false(usage.priced);
    assert_null(usage.price.data);
}

static void costs_are_exact(void **state)
{
    (void)state;
    assert_cost(used("gpt-4o", 1, 0), "0.0000025");
    assert_cost(used("gpt-4o", 123457, 1001), "0.3186525");
    assert_cost(used("noisy", 3, 0), "0.00000074999999999999994");
    assert_cost(used("gpt-4o", 0, 0), "0");
}

static void the_longest_match_is_used_and_named(void **state)
{
    (void)state;
    conv_usage usage = used("gpt-4o-mini-2024-07-18", 1000000, 0);
    conv__prices_apply(prices, &usage);
    assert_bytes(usage.price, "gpt-4o-mini*");
    assert_cost(used("gpt-4o-mini-2024-07-18", 1000000, 0), "0.15");
    assert_cost(used("gpt-4o-audio", 1000000, 0), "5");
    assert_cost(used("gpt-4o", 1000000, 0), "2.5");
}

static void cached_and_reasoning_tokens_are_billed_once(void **state)
{
    (void)state;
    conv_usage usage = used("gpt-4o", 1000000, 0);
    usage.cache_read_tokens = 400000;
    assert_cost(usage, "2"); /* 0.6 * 2.50 + 0.4 * 1.25 */
    usage = used("thinker", 1000000, 1000000);
    usage.cache_read_tokens = 100000;  /* no price of its own: as input */
    usage.cache_write_tokens = 200000; /* 0.25 */
    usage.reasoning_tokens = 500000;   /* 1.5 */
    assert_cost(usage, "3.55");        /* 0.7 + 0.1 + 0.25 + 1 + 1.5 */
}

static void what_is_not_known_is_not_priced(void **state)
{
    (void)state;
    conv_usage contradiction = used("gpt-4o", 10, 10);
    contradiction.cache_read_tokens = 11;
    assert_unpriced(contradiction);
    assert_unpriced(used("unknown", 10, 10));
    assert_unpriced(used(NULL, 10, 10));
    assert_unpriced(used("gpt-4", 10, 10));
    assert_unpriced(used("gpt-4o", CONV_UNKNOWN, 10));
    assert_unpriced(used("gpt-4o", 10, CONV_UNKNOWN));
    assert_unpriced(used("no-output", 10, 10));
    assert_cost(used("no-output", 10, 0), "0.00001");
}

static void what_the_provider_bills_itself_stays(void **state)
{
    (void)state;
    conv_usage usage = used("gpt-4o", 1000000, 0);
    usage.priced = true;
    usage.cost_usd = conv_decimal_from_integer(7);
    assert_cost(usage, "7");
}

static void a_total_is_added_up_where_none_was_given(void **state)
{
    (void)state;
    conv_usage usage = CONV_USAGE_INIT;
    conv__usage_add_up(&usage);
    assert_int_equal(usage.total_tokens, CONV_UNKNOWN);
    usage.input_tokens = 1000;
    conv__usage_add_up(&usage);
    assert_int_equal(usage.total_tokens, CONV_UNKNOWN);
    usage.output_tokens = 200;
    conv__usage_add_up(&usage);
    assert_int_equal(usage.total_tokens, 1200);
    usage.output_tokens = 300;
    conv__usage_add_up(&usage);
    assert_int_equal(usage.total_tokens, 1200);
    usage.input_tokens = INT64_MAX;
    usage.total_tokens = CONV_UNKNOWN;
    conv__usage_add_up(&usage);
    assert_int_equal(usage.total_tokens, CONV_UNKNOWN);
}

static void malformed_prices_are_named(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "abc", "-1", "NaN", "1,5", "0x10"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        conv_price price = {.model = "model-x", .input = bad[i]};
        conv__prices *made = NULL;
        conv_error error;
        assert_status(conv__prices_create(&price, 1, &made, &error), CONV_INVALID_ARGUMENT, error);
        assert_non_null(strstr(error.message, "model-x"));
        assert_null(made);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(costs_are_exact),
        cmocka_unit_test(the_longest_match_is_used_and_named),
        cmocka_unit_test(cached_and_reasoning_tokens_are_billed_once),
        cmocka_unit_test(what_is_not_known_is_not_priced),
        cmocka_unit_test(what_the_provider_bills_itself_stays),
        cmocka_unit_test(a_total_is_added_up_where_none_was_given),
        cmocka_unit_test(malformed_prices_are_named),
    };
    return RUN_TESTS_WITH("pricing", tests, setup, teardown);
}
