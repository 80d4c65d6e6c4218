/* Exact decimals: literals, arithmetic, bounds; against Python's fractions and 128-bit integers. */
#include "conversation/decimal.h"

#include "support/test.h"
#include "unit/decimal_vectors.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static conv_decimal decimal(const char *text)
{
    conv_decimal parsed = {0};
    if (conv_decimal_parse(conv_text(text), &parsed) != CONV_OK) fail_msg("refused: %s", text);
    return parsed;
}

static const char *formatted(conv_decimal number)
{
    static char text[CONV_DECIMAL_TEXT_SIZE];
    conv_decimal_format(number, text);
    return text;
}

#define NINES "99999999999999999999999999999999999999"

static void literals_are_read_exactly(void **state)
{
    (void)state;
    static const struct {
        const char *literal;
        const char *plain;
    } table[] = {
        {"0", "0"},
        {"-0", "0"},
        {"-0.000", "0"},
        {"+7", "7"},
        {"007", "7"},
        {"0.15", "0.15"},
        {"-3", "-3"},
        {"2.50", "2.5"},
        {"100", "100"},
        {"100.00", "100"},
        {"1.5e-7", "0.00000015"},
        {"2.50E3", "2500"},
        {"2.5e+3", "2500"},
        {"1e0", "1"},
        {"12345e-3", "12.345"},
        {".5", "0.5"},
        {"5.", "5"},
        {"-.5e1", "-5"},
        {"2.4999999999999998e-07", "0.00000024999999999999998"},
        {"1.5000000000000002e-06", "0.0000015000000000000002"},
        {"3e-06", "0.000003"},
        {"9.999999999999999e-08", "0.00000009999999999999999"},
        {"0.30000000000000004", "0.30000000000000004"},
        {"1e37", "10000000000000000000000000000000000000"},
        {"1e-38", "0.00000000000000000000000000000000000001"},
        {NINES, NINES},
        {"-" NINES, "-" NINES},
        {NINES "e-38", "0." NINES},
        {NINES "000e-3", NINES},
        {"0." NINES, "0." NINES},
        {"0000000000000000000000000000000000000000000000000001", "1"},
        {"1.00000000000000000000000000000000000000000000000000", "1"},
        {"100000000000000000000000000000000000000000e-10", "10000000000000000000000000000000"},
        {"0.000000000000000000000000000000000000000000001e10",
         "0.00000000000000000000000000000000001"},
        {"0e999999999999999999999999999999", "0"},
        {"0.000e-999999999999999999999999999999", "0"},
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        assert_string_equal(formatted(decimal(table[i].literal)), table[i].plain);
    }
}

static void what_is_no_decimal_is_refused(void **state)
{
    (void)state;
    static const char *const table[] = {
        "",
        "-",
        "+",
        ".",
        "-.",
        "e",
        "e5",
        ".e5",
        "1e",
        "1e+",
        "1e-",
        "1.2.3",
        "1,5",
        "1 ",
        " 1",
        "1\n",
        "--1",
        "+-1",
        "0x10",
        "1e5.5",
        "1e5e5",
        "nan",
        "NaN",
        "inf",
        "-Infinity",
        "1_000",
        "1f",
        "\xD9\xA1",
        "1e38",
        NINES "0",
        NINES ".1",
        "1" NINES,
        "1e-39",
        "-1e-39",
        "1e999999999999999999999999999999",
        "1e-999999999999999999999999999999",
        "340282366920938463463374607431768211456",
        "340282366920938463463374607431768211457",
        "1e9223372036854775807",
        "1e-9223372036854775808",
        "1e18446744073709551617",
        "0.000000000000000000000000000000000000001",
        "1000000000000000000000000000000000000000000000000000000000001",
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        conv_decimal untouched = {.low = 42, .scale = 1};
        if (conv_decimal_parse(conv_text(table[i]), &untouched) != CONV_INVALID_ARGUMENT)
            fail_msg("taken: %s", table[i]);
        assert_int_equal(untouched.low, 42);
        assert_int_equal(untouched.scale, 1);
    }
    conv_decimal none;
    assert_int_equal(conv_decimal_parse(conv_text(NULL), &none), CONV_INVALID_ARGUMENT);
    assert_int_equal(conv_decimal_parse(conv_view("1\0", 2), &none), CONV_INVALID_ARGUMENT);
    assert_int_equal(conv_decimal_parse(conv_view("1\0e2", 4), &none), CONV_INVALID_ARGUMENT);
}

static void sums_and_products_equal_python(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(decimal_vectors); i++) {
        const struct decimal_vector *vector = &decimal_vectors[i];
        conv_decimal result = {.low = 4711};
        conv_status status =
            vector->operation == '+'
                ? conv_decimal_add(decimal(vector->a), decimal(vector->b), &result)
                : conv_decimal_multiply(decimal(vector->a), decimal(vector->b), &result);
        if (status != (vector->result == NULL ? CONV_LIMIT : CONV_OK))
            fail_msg("%s %c %s: %s", vector->a, vector->operation, vector->b,
                     conv_status_name(status));
        if (vector->result != NULL) {
            assert_string_equal(formatted(result), vector->result);
        } else {
            assert_int_equal(result.low, 4711);
        }
    }
}

static void money_is_exact(void **state)
{
    (void)state;
    conv_decimal sum = {0};
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(conv_decimal_add(sum, decimal("0.1"), &sum), CONV_OK);
    }
    assert_string_equal(formatted(sum), "100");

    /* 1234 tokens at 0.15 USD for a million. */
    conv_decimal cost;
    assert_int_equal(conv_decimal_multiply(conv_decimal_from_integer(1234), decimal("0.15"), &cost),
                     CONV_OK);
    assert_int_equal(conv_decimal_shift(cost, 6, &cost), CONV_OK);
    assert_string_equal(formatted(cost), "0.0001851");

    /* The most tokens an integer can count, at a price with float noise. */
    assert_int_equal(conv_decimal_multiply(conv_decimal_from_integer(INT64_MAX),
                                           decimal("2.4999999999999998e-07"), &cost),
                     CONV_OK);
    assert_string_equal(formatted(cost), "2305843009213.69376728255926290448386");
}

static void results_beyond_38_digits_are_a_limit(void **state)
{
    (void)state;
    conv_decimal result = {.low = 1};
    assert_int_equal(conv_decimal_add(decimal(NINES), decimal("1"), &result), CONV_LIMIT);
    assert_int_equal(conv_decimal_add(decimal(NINES), decimal("0.1"), &result), CONV_LIMIT);
    assert_int_equal(conv_decimal_add(decimal("-" NINES), decimal("-1"), &result), CONV_LIMIT);
    assert_int_equal(conv_decimal_add(decimal("1e37"), decimal("1e-38"), &result), CONV_LIMIT);
    assert_int_equal(conv_decimal_multiply(decimal("1e19"), decimal("1e19"), &result), CONV_LIMIT);
    assert_int_equal(conv_decimal_multiply(decimal(NINES), decimal(NINES), &result), CONV_LIMIT);
    assert_int_equal(conv_decimal_multiply(decimal("1e-20"), decimal("1e-19"), &result),
                     CONV_LIMIT);
    assert_int_equal(conv_decimal_shift(decimal("0.1"), 38, &result), CONV_LIMIT);
    assert_int_equal(conv_decimal_shift(decimal("1"), 39, &result), CONV_LIMIT);
    assert_int_equal(result.low, 1);

    assert_int_equal(conv_decimal_add(decimal(NINES), decimal("-1"), &result), CONV_OK);
    assert_int_equal(conv_decimal_add(result, decimal("1"), &result), CONV_OK);
    assert_string_equal(formatted(result), NINES);
    /* Aligned, the first has 39 digits; the result has 38. */
    assert_int_equal(conv_decimal_add(decimal("10"), decimal("-5e-37"), &result), CONV_OK);
    assert_string_equal(formatted(result), "9.9999999999999999999999999999999999995");
    /* The product of the digits passes 128 bits; trailing zeros bring it back. */
    assert_int_equal(conv_decimal_multiply(decimal("1e37"), decimal("1.0000000001"), &result),
                     CONV_OK);
    assert_string_equal(formatted(result), "10000000001000000000000000000000000000");
    assert_int_equal(conv_decimal_multiply(decimal("2e37"), decimal("5e-38"), &result), CONV_OK);
    assert_string_equal(formatted(result), "1");
    assert_int_equal(conv_decimal_shift(decimal("10"), 38, &result), CONV_OK);
    assert_string_equal(formatted(result), "0.0000000000000000000000000000000000001");
}

static void numbers_are_ordered_by_value(void **state)
{
    (void)state;
    static const char *const ascending[] = {
        "-" NINES,
        "-1e37",
        "-3.5",
        "-3.49",
        "-1",
        "-0.1",
        "-1e-38",
        "0",
        "1e-38",
        "1e-37",
        "0.099999999999",
        "0.1",
        "0.11",
        "1",
        "1.0000000000000000000000000000000000001",
        "2",
        "1e19",
        "18446744073709551616",
        "1e37",
        NINES,
    };
    for (size_t i = 0; i < COUNT(ascending); i++) {
        for (size_t k = 0; k < COUNT(ascending); k++) {
            int order = conv_decimal_compare(decimal(ascending[i]), decimal(ascending[k]));
            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
        }
    }
    conv_decimal half = {.low = 5, .scale = 1}, also_half = {.low = 50, .scale = 2};
    assert_int_equal(conv_decimal_compare(half, also_half), 0);
    conv_decimal negative_zero = {.negative = true};
    assert_int_equal(conv_decimal_compare(negative_zero, (conv_decimal){0}), 0);
    assert_string_equal(formatted(negative_zero), "0");
    assert_string_equal(formatted(also_half), "0.5");
}

static void integers_become_decimals(void **state)
{
    (void)state;
    assert_string_equal(formatted(conv_decimal_from_integer(0)), "0");
    assert_string_equal(formatted(conv_decimal_from_integer(-12)), "-12");
    assert_string_equal(formatted(conv_decimal_from_integer(INT64_MAX)), "9223372036854775807");
    assert_string_equal(formatted(conv_decimal_from_integer(INT64_MIN)), "-9223372036854775808");
}

/* A struct that no function of ours makes must not break anything either. */
static void foreign_structs_are_harmless(void **state)
{
    (void)state;
    conv_decimal wild = {UINT64_MAX, UINT64_MAX, 255, true};
    conv_decimal result = {.low = 1};
    assert_in_range(strlen(formatted(wild)), 1, CONV_DECIMAL_TEXT_SIZE - 1);
    wild.scale = 38;
    assert_string_equal(formatted(wild), "-3.40282366920938463463374607431768211455");
    assert_int_equal(conv_decimal_add(wild, wild, &result), CONV_LIMIT);
    assert_int_equal(conv_decimal_multiply(wild, wild, &result), CONV_LIMIT);
    assert_int_equal(conv_decimal_shift(wild, 1, &result), CONV_LIMIT);
    assert_true(conv_decimal_compare(wild, result) < 0);
}

typedef __int128 wide;

static uint64_t seed = 20261123;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* A random number of up to 10 digits and 9 places, and its value in units of 10^-9. */
static conv_decimal random_decimal(wide *nanos)
{
    static const int64_t powers[] = {1,      10,      100,      1000,      10000,
                                     100000, 1000000, 10000000, 100000000, 1000000000};
    unsigned scale = (unsigned)(next_random() % 10);
    int64_t digits = (int64_t)(next_random() % UINT64_C(10000000000));
    digits >>= next_random() % 33;
    bool negative = next_random() % 2 == 0;
    *nanos = (wide)(negative ? -digits : digits) * powers[9 - scale];
    return (conv_decimal){.low = (uint64_t)digits, .scale = (uint8_t)scale, .negative = negative};
}

/* Whether `number` is `value` in units of 10^-`places`, found by reading its digits back. */
static bool equals(conv_decimal number, wide value, unsigned places)
{
    wide digits = (wide)((unsigned __int128)number.high << 64 | number.low);
    if (number.scale > places) return false;
    for (unsigned i = number.scale; i < places; i++) {
        digits *= 10;
    }
    return (number.negative ? -digits : digits) == value;
}

static void arithmetic_agrees_with_128_bit_integers(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        wide a_nanos, b_nanos;
        conv_decimal a = random_decimal(&a_nanos);
        conv_decimal b = random_decimal(&b_nanos);
        conv_decimal sum, product, again;
        assert_int_equal(conv_decimal_add(a, b, &sum), CONV_OK);
        assert_true(equals(sum, a_nanos + b_nanos, 9));
        assert_int_equal(conv_decimal_multiply(a, b, &product), CONV_OK);
        wide a_low = a_nanos, b_low = b_nanos;
        assert_true(equals(product, a_low * b_low, 18));
        int order = conv_decimal_compare(a, b);
        assert_int_equal((order > 0) - (order < 0), (a_nanos > b_nanos) - (a_nanos < b_nanos));
        again = decimal(formatted(product));
        assert_int_equal(conv_decimal_compare(again, product), 0);
        conv_decimal shifted;
        assert_int_equal(conv_decimal_shift(a, 9, &shifted), CONV_OK);
        assert_true(equals(shifted, a_nanos, 18));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals_are_read_exactly),
        cmocka_unit_test(what_is_no_decimal_is_refused),
        cmocka_unit_test(sums_and_products_equal_python),
        cmocka_unit_test(money_is_exact),
        cmocka_unit_test(results_beyond_38_digits_are_a_limit),
        cmocka_unit_test(numbers_are_ordered_by_value),
        cmocka_unit_test(integers_become_decimals),
        cmocka_unit_test(foreign_structs_are_harmless),
        cmocka_unit_test(arithmetic_agrees_with_128_bit_integers),
    };
    return RUN_TESTS("decimal", tests);
}
