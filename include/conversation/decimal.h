/* Exact decimal numbers for money; binary floating point appears nowhere. */
#ifndef CONVERSATION_DECIMAL_H
#define CONVERSATION_DECIMAL_H

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CONV_DECIMAL_DIGITS    38 /* significant digits at most, and digits after the point */
#define CONV_DECIMAL_TEXT_SIZE 48 /* sign, digits, point, leading zero and the NUL */

/* The value is (-1)^negative * (high * 2^64 + low) / 10^scale. All zero is the number 0.
 * Equal numbers may differ in scale (0.5 and 0.50): compare with conv_decimal_compare. */
typedef struct conv_decimal {
    uint64_t low;
    uint64_t high;
    uint8_t scale;
    bool negative;
} conv_decimal;

/* Reads a decimal literal: sign, digits, point, exponent ("0.15", "-3", "1.5e-7", "2.50E3").
 * The digits are kept exactly; trailing zeros after the point are dropped. CONV_INVALID_ARGUMENT:
 * not a number, NaN, infinity, or more than CONV_DECIMAL_DIGITS digits or places; then `decimal` is
 * left alone. Independent of the locale. Thread: any. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_decimal_parse(conv_bytes text, conv_decimal *decimal);

/* Writes the shortest plain form ("0.000375", "-12", "0") and a NUL into `text`; never an exponent.
 * Thread: any. Round trips: none. */
void conv_decimal_format(conv_decimal decimal, char text[CONV_DECIMAL_TEXT_SIZE]);

/* The integer `value` as a decimal. Thread: any. Round trips: none. */
conv_decimal conv_decimal_from_integer(int64_t value);

/* sum = a + b, exactly. CONV_LIMIT: the result needs more than CONV_DECIMAL_DIGITS digits; then
 * `sum` is left alone. `sum` may be `a` or `b`'s own variable. Thread: any. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_decimal_add(conv_decimal a, conv_decimal b, conv_decimal *sum);

/* product = a * b, exactly. CONV_LIMIT as for conv_decimal_add. Thread: any. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_decimal_multiply(conv_decimal a, conv_decimal b,
                                                   conv_decimal *product);

/* decimal / 10^places, exactly (a shift of the point). `places` is 0 to CONV_DECIMAL_DIGITS.
 * CONV_LIMIT as for conv_decimal_add. Thread: any. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_decimal_shift(conv_decimal decimal, unsigned places,
                                                conv_decimal *shifted);

/* Order of the numbers: negative, 0 or positive. Thread: any. Round trips: none. */
int conv_decimal_compare(conv_decimal a, conv_decimal b);

#ifdef __cplusplus
}
#endif
#endif
