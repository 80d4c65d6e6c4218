/* Exact decimal arithmetic on 38 digits. It must never touch binary floating point, nor a function
 * that asks for the locale. */
#include "conversation/decimal.h"

#include <stddef.h>
#include <string.h>

typedef unsigned __int128 magnitude;

/* 10^38, which is less than 2^127. */
static magnitude limit(void)
{
    return (magnitude)UINT64_C(10000000000000000000) * UINT64_C(10000000000000000000);
}

static magnitude magnitude_of(conv_decimal decimal)
{
    return (magnitude)decimal.high << 64 | decimal.low;
}

/* The simplest form of a number: no trailing zeros after the point, no negative zero. False if it
 * needs too many digits or places. */
static bool make(magnitude digits, unsigned scale, bool negative, conv_decimal *decimal)
{
    if (digits == 0) scale = 0;
    while (scale > 0 && digits % 10 == 0) {
        digits /= 10;
        scale--;
    }
    if (digits >= limit() || scale > CONV_DECIMAL_DIGITS) return false;
    decimal->low = (uint64_t)digits;
    decimal->high = (uint64_t)(digits >> 64);
    decimal->scale = (uint8_t)scale;
    decimal->negative = negative && digits != 0;
    return true;
}

/* digits * 10^places; false when that passes 128 bits. */
static bool scale_up(magnitude digits, unsigned places, magnitude *scaled)
{
    if (digits == 0) places = 0;
    for (; places > 0; places--) {
        if (__builtin_mul_overflow(digits, (magnitude)10, &digits)) return false;
    }
    *scaled = digits;
    return true;
}

/* What a literal's digits have come to so far. Zeros wait until a digit follows them, so that those
 * at the end never count. */
typedef struct decimal_literal {
    magnitude digits;
    int64_t waiting_zeros;
    int64_t exponent; /* the value is digits * 10^(waiting_zeros + exponent) */
    bool has_digit;
} decimal_literal;

static bool literal_append(decimal_literal *literal, unsigned digit)
{
    literal->has_digit = true;
    if (digit == 0) {
        if (literal->digits != 0) literal->waiting_zeros++;
        return true;
    }
    if (literal->waiting_zeros >= CONV_DECIMAL_DIGITS) return false;
    unsigned places = (unsigned)literal->waiting_zeros + 1;
    if (!scale_up(literal->digits, places, &literal->digits)) return false;
    if (literal->digits >= limit()) return false;
    literal->digits += digit;
    literal->waiting_zeros = 0;
    return true;
}

static bool is_digit(const char *at, const char *end)
{
    return at < end && *at >= '0' && *at <= '9';
}

/* Digits with at most one point among them. Gives the place after them, NULL if they are too many.
 */
static const char *read_digits(const char *at, const char *end, decimal_literal *literal)
{
    bool after_point = false;
    for (; at < end; at++) {
        if (*at == '.' && !after_point) {
            after_point = true;
            continue;
        }
        if (!is_digit(at, end)) break;
        if (!literal_append(literal, (unsigned)(*at - '0'))) return NULL;
        if (after_point) literal->exponent--;
    }
    return at;
}

/* An exponent's digits; one that no number of ours can have stays at a bound beyond all of them. */
static const char *read_exponent(const char *at, const char *end, decimal_literal *literal)
{
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+')) at++;
    if (!is_digit(at, end)) return NULL;
    int64_t exponent = 0;
    for (; is_digit(at, end); at++) {
        if (exponent < INT64_MAX / 100) exponent = exponent * 10 + (*at - '0');
    }
    literal->exponent += negative ? -exponent : exponent;
    return at;
}

static bool literal_value(const decimal_literal *literal, bool negative, conv_decimal *decimal)
{
    int64_t exponent = literal->exponent + literal->waiting_zeros;
    if (literal->digits == 0) exponent = 0;
    if (exponent < -CONV_DECIMAL_DIGITS || exponent > CONV_DECIMAL_DIGITS) return false;
    if (exponent <= 0) return make(literal->digits, (unsigned)-exponent, negative, decimal);
    magnitude digits;
    return scale_up(literal->digits, (unsigned)exponent, &digits) &&
           make(digits, 0, negative, decimal);
}

conv_status conv_decimal_parse(conv_bytes text, conv_decimal *decimal)
{
    if (text.data == NULL) return CONV_INVALID_ARGUMENT;
    const char *at = text.data;
    const char *end = text.data + text.size;
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+')) at++;

    decimal_literal literal = {0};
    at = read_digits(at, end, &literal);
    if (at == NULL || !literal.has_digit) return CONV_INVALID_ARGUMENT;
    if (at < end && (*at == 'e' || *at == 'E')) at = read_exponent(at + 1, end, &literal);
    if (at != end) return CONV_INVALID_ARGUMENT;
    return literal_value(&literal, negative, decimal) ? CONV_OK : CONV_INVALID_ARGUMENT;
}

void conv_decimal_format(conv_decimal decimal, char text[CONV_DECIMAL_TEXT_SIZE])
{
    magnitude digits = magnitude_of(decimal);
    unsigned scale = decimal.scale > CONV_DECIMAL_DIGITS ? CONV_DECIMAL_DIGITS : decimal.scale;
    while (scale > 0 && digits % 10 == 0) {
        digits /= 10;
        scale--;
    }
    /* From the last digit to the first, into the end of an array. */
    char reversed[CONV_DECIMAL_TEXT_SIZE];
    char *at = reversed + sizeof reversed;
    *--at = '\0';
    bool negative = decimal.negative && digits != 0;
    for (unsigned place = 0; digits != 0 || place <= scale; place++) {
        if (place == scale && scale > 0) *--at = '.';
        *--at = (char)('0' + (int)(digits % 10));
        digits /= 10;
    }
    if (negative) *--at = '-';
    memcpy(text, at, (size_t)(reversed + sizeof reversed - at));
}

conv_decimal conv_decimal_from_integer(int64_t value)
{
    uint64_t digits = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    return (conv_decimal){.low = digits, .negative = value < 0};
}

/* Both numbers in units of the smaller one's last place. False when the larger passes 128 bits: it
 * is then more than twice any number of 38 digits. */
static bool align(conv_decimal a, conv_decimal b, magnitude *a_digits, magnitude *b_digits)
{
    unsigned scale = a.scale > b.scale ? a.scale : b.scale;
    return scale_up(magnitude_of(a), scale - a.scale, a_digits) &&
           scale_up(magnitude_of(b), scale - b.scale, b_digits);
}

conv_status conv_decimal_add(conv_decimal a, conv_decimal b, conv_decimal *sum)
{
    /* Zeros after the point would only take away room. */
    if (!make(magnitude_of(a), a.scale, a.negative, &a)) return CONV_LIMIT;
    if (!make(magnitude_of(b), b.scale, b.negative, &b)) return CONV_LIMIT;
    unsigned scale = a.scale > b.scale ? a.scale : b.scale;
    magnitude a_digits, b_digits, digits;
    if (!align(a, b, &a_digits, &b_digits)) return CONV_LIMIT;

    bool negative = a.negative;
    if (a.negative == b.negative) {
        if (__builtin_add_overflow(a_digits, b_digits, &digits)) return CONV_LIMIT;
    } else if (a_digits >= b_digits) {
        digits = a_digits - b_digits;
    } else {
        digits = b_digits - a_digits;
        negative = b.negative;
    }
    return make(digits, scale, negative, sum) ? CONV_OK : CONV_LIMIT;
}

/* Divides by `factor` whichever of both it divides; false if neither. */
static bool divide_one(magnitude *a, magnitude *b, unsigned factor)
{
    magnitude *divisible = *a % factor == 0 ? a : b;
    if (*divisible % factor != 0) return false;
    *divisible /= factor;
    return true;
}

conv_status conv_decimal_multiply(conv_decimal a, conv_decimal b, conv_decimal *product)
{
    magnitude a_digits = magnitude_of(a);
    magnitude b_digits = magnitude_of(b);
    unsigned scale = (unsigned)a.scale + b.scale;
    bool negative = a.negative != b.negative;
    if (a_digits == 0 || b_digits == 0) return make(0, 0, false, product) ? CONV_OK : CONV_LIMIT;

    /* A trailing zero of the product is a 2 and a 5 among the factors: taken out beforehand, what
     * is left overflows only if the product itself has too many digits. */
    while (scale > 0) {
        magnitude a_before = a_digits;
        magnitude b_before = b_digits;
        if (!divide_one(&a_digits, &b_digits, 2) || !divide_one(&a_digits, &b_digits, 5)) {
            a_digits = a_before;
            b_digits = b_before;
            break;
        }
        scale--;
    }
    magnitude digits;
    if (__builtin_mul_overflow(a_digits, b_digits, &digits)) return CONV_LIMIT;
    return make(digits, scale, negative, product) ? CONV_OK : CONV_LIMIT;
}

conv_status conv_decimal_shift(conv_decimal decimal, unsigned places, conv_decimal *shifted)
{
    if (places > CONV_DECIMAL_DIGITS) return CONV_LIMIT;
    bool fits = make(magnitude_of(decimal), decimal.scale + places, decimal.negative, shifted);
    return fits ? CONV_OK : CONV_LIMIT;
}

int conv_decimal_compare(conv_decimal a, conv_decimal b)
{
    bool a_negative = a.negative && magnitude_of(a) != 0;
    bool b_negative = b.negative && magnitude_of(b) != 0;
    if (a_negative != b_negative) return a_negative ? -1 : 1;

    magnitude a_digits, b_digits;
    int order;
    if (align(a, b, &a_digits, &b_digits)) {
        order = (a_digits > b_digits) - (a_digits < b_digits);
    } else {
        /* The number with fewer places is the one that did not fit. */
        order = a.scale < b.scale ? 1 : -1;
    }
    return a_negative ? -order : order;
}
