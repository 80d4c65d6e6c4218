/* Conversations of a small travel agency through a chain that redacts, on either store and on
 * several threads (pthread_create stands in support/redacted_replay.c): the same as tests/import
 * does with the shared ones, so that it runs everywhere. */
#include "support/redacted_replay.h"

#include "support/store.h"
#include "support/test.h"

static void nothing_unredacted_is_left(void **state)
{
    (void)state;
    redacted_replay(test_store_kind(), TEST_SOURCE_DIR "/tests/contract/redacted_replay.jsonl");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_unredacted_is_left),
    };
    return RUN_TESTS("redacted replay", tests);
}
