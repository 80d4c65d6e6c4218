/* The program `conversation` on a fresh store with its schema: setup and teardown of a single test.
 */
#ifndef TESTS_SUPPORT_PROGRAM_STORE_H
#define TESTS_SUPPORT_PROGRAM_STORE_H

/* "postgresql" or "sqlite". */
extern const char *program_kind;

int program_setup_postgres(void **state);
int program_setup_sqlite(void **state);
int program_teardown(void **state);

#define ON_POSTGRES(test)                                                                          \
    cmocka_unit_test_setup_teardown(test, program_setup_postgres, program_teardown)
#define ON_SQLITE(test)                                                                            \
    cmocka_unit_test_setup_teardown(test, program_setup_sqlite, program_teardown)
#define ON_BOTH(test) ON_POSTGRES(test), ON_SQLITE(test)

#endif
