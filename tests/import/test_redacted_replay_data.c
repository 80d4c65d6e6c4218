/* The shared conversations of an airline through a chain that redacts, on both stores: each
 * exchange is told once, nothing of what is redacted is anywhere, and the totals are exact. */
#include "support/redacted_replay.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "support/test.h"

static char path[4096];

static bool is_there(void)
{
    const char *named = getenv("CONVERSATION_SHARED_DATA");
    struct stat found;
    snprintf(path, sizeof path, "%s/airline.jsonl",
             named != NULL ? named : TEST_SOURCE_DIR "/../shared/data");
    return stat(path, &found) == 0;
}

static void replay(const char *kind)
{
    if (!is_there()) {
        print_message("the shared conversations are not at %s: nothing was replayed\n", path);
        skip();
    }
    redacted_replay(kind, path);
}

static void an_airline_is_redacted_on_postgresql(void **state)
{
    (void)state;
    replay("postgresql");
}

static void an_airline_is_redacted_on_sqlite(void **state)
{
    (void)state;
    replay("sqlite");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_airline_is_redacted_on_postgresql),
        cmocka_unit_test(an_airline_is_redacted_on_sqlite),
    };
    return RUN_TESTS("redacted replay data", tests);
}
