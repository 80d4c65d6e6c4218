/* The one place that includes cmocka: its headers want these four before it, and 1.1.5 knows no
 * typed comparison. Assertions belong on the main thread only: they longjmp. */
#ifndef TESTS_SUPPORT_TEST_H
#define TESTS_SUPPORT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "conversation/bytes.h"
#include "conversation/status.h"

/* Runs the tests of an array; a program that ran none fails. */
#define RUN_TESTS(name, tests) RUN_TESTS_WITH(name, tests, NULL, NULL)
#define RUN_TESTS_WITH(name, tests, setup, teardown)                                               \
    (sizeof(tests) / sizeof((tests)[0]) == 0                                                       \
         ? 1                                                                                       \
         : cmocka_run_group_tests_name(name, tests, setup, teardown))

/* The status must be CONV_OK; prints the error if it is not. */
#define assert_ok(expression, error)                                                               \
    do {                                                                                           \
        conv_status assert_ok_status = (expression);                                               \
        if (assert_ok_status != CONV_OK)                                                           \
            fail_msg("%s: %s (%s) [%s]", (error).action, (error).message,                          \
                     conv_status_name(assert_ok_status), (error).sqlstate);                        \
    } while (0)

/* The status must be `wanted`; prints the error if it is not. */
#define assert_status(expression, wanted, error)                                                   \
    do {                                                                                           \
        conv_status assert_status_got = (expression);                                              \
        if (assert_status_got != (wanted))                                                         \
            fail_msg("%s instead of %s: %s: %s [%s]", conv_status_name(assert_status_got),         \
                     conv_status_name(wanted), (error).action, (error).message, (error).sqlstate); \
    } while (0)

/* The bytes must be exactly those of the C string. */
#define assert_bytes(bytes, text)                                                                  \
    do {                                                                                           \
        conv_bytes assert_bytes_got = (bytes);                                                     \
        assert_non_null(assert_bytes_got.data);                                                    \
        assert_int_equal(assert_bytes_got.size, strlen(text));                                     \
        assert_memory_equal(assert_bytes_got.data, text, assert_bytes_got.size);                   \
    } while (0)

#endif
