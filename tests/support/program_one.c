/* See program_one.h. */
#include "support/program_one.h"

int test_program_one_setup(void **state)
{
    static const char one[] =
        "{\"id\": \"a\", \"messages\": [{\"role\": \"user\", \"content\": \"1\"}, "
        "{\"role\": \"assistant\", \"content\": \"2\"}]}\n";
    (void)state;
    test_program_setup(NULL);
    test_write_file("one.jsonl", one, sizeof one - 1);
    return 0;
}

int test_program_one_teardown(void **state)
{
    (void)state;
    test_program_teardown();
    return 0;
}
