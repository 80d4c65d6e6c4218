/* Health of a program that goes on saving on many threads (pthread_create stands in
 * support/health_watch.c) while its store breaks and is repaired, on either store: failing within
 * one check, ok within one, and nothing that was accepted is missing. */
#include "support/health_watch.h"

#include <unistd.h>

#include "support/contract_client.h"
#include "support/store.h"
#include "support/test.h"

#define TAKE_AWAY  "ALTER TABLE chat_messages RENAME TO away"
#define BRING_BACK "ALTER TABLE away RENAME TO chat_messages"

static void assert_exchanges(long wanted)
{
    assert_int_equal(contract_count("SELECT count(*) FROM chat_exchanges"), wanted);
}

static void break_and_repair_a_table(const char *journal)
{
    health_watch_start(contract_client_url(), journal);
    for (int round = 0; round < 3; round++) {
        contract_execute(TAKE_AWAY);
        health_watch_broken();
        contract_execute(BRING_BACK);
        health_watch_repaired();
    }
    assert_exchanges(health_watch_stop());
}

static void a_table_that_goes_and_comes_back(void **state)
{
    (void)state;
    break_and_repair_a_table(NULL);
}

static void a_table_that_goes_and_comes_back_with_a_journal(void **state)
{
    (void)state;
    break_and_repair_a_table(contract_client_journal());
}

/* SQLite itself would go on writing into a file that nobody finds any more. */
static void a_file_that_goes_and_comes_back(void **state)
{
    (void)state;
    char elsewhere[256];
    const char *path = contract_client_url() + strlen("sqlite:");
    if (strcmp(test_store_kind(), "sqlite") != 0) return;
    snprintf(elsewhere, sizeof elsewhere, "%s.elsewhere", path);
    health_watch_start(contract_client_url(), contract_client_journal());
    for (int round = 0; round < 3; round++) {
        assert_int_equal(rename(path, elsewhere), 0);
        health_watch_broken();
        assert_int_equal(rename(elsewhere, path), 0);
        health_watch_repaired();
    }
    assert_exchanges(health_watch_stop());
}

int main(void)
{
#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, contract_client_setup, contract_client_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_table_that_goes_and_comes_back),
        TEST(a_table_that_goes_and_comes_back_with_a_journal),
        TEST(a_file_that_goes_and_comes_back),
    };
    return RUN_TESTS("health running", tests);
}
