/* Tests of the program that begin with nothing but one.jsonl, a conversation of one exchange. */
#ifndef TESTS_SUPPORT_PROGRAM_ONE_H
#define TESTS_SUPPORT_PROGRAM_ONE_H

#include "support/program.h"

/* For cmocka; as test_program_setup without a store, and test_program_teardown. */
int test_program_one_setup(void **state);
int test_program_one_teardown(void **state);

#endif
