/* See program_store.h. */
#include "support/program_store.h"

#include "support/program.h"
#include "support/store.h"

const char *program_kind;

static int setup(const char *kind)
{
    program_kind = kind;
    test_program_setup(test_store_create(kind));
    return test_run("conversation migrate");
}

int program_setup_postgres(void **state)
{
    (void)state;
    return setup("postgresql");
}

int program_setup_sqlite(void **state)
{
    (void)state;
    return setup("sqlite");
}

int program_teardown(void **state)
{
    (void)state;
    test_program_teardown();
    test_store_drop(program_kind);
    return 0;
}
