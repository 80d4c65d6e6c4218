/* See saving_fixture.h. */
#include "support/saving_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/time.h"
#include "repositories/sqlite/journal.h"
#include "support/folder.h"
#include "support/test.h"

static saving_fixture fixture;

int saving_setup(void **state)
{
    saving_fixture *test = &fixture;
    assert_true(folder_make(test->folder));
    snprintf(test->path, sizeof test->path, "%.*s/journal.db", (int)sizeof test->folder,
             test->folder);
    mock_store_init(&test->mock);
    test->on_journal = NULL;
    *state = test;
    return 0;
}

void saving_empty_folder(const saving_fixture *test)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'/*", test->folder);
    assert_int_equal(system(command), 0);
}

int saving_teardown(void **state)
{
    saving_fixture *test = *state;
    saving_empty_folder(test);
    assert_int_equal(rmdir(test->folder), 0);
    return 0;
}

conv__saving *saving_open_with(saving_fixture *test, conv__saving_params wanted)
{
    conv__journal *journal = NULL;
    conv__saving *saving = NULL;
    char *set_aside = NULL;
    conv_error error;
    assert_ok(conv__sqlite_journal_open(test->path, false, &set_aside, &journal, &error), error);
    if (test->on_journal != NULL) test->on_journal(journal);
    conv__saving_params params = {.writer = {.store = &test->mock.store,
                                             .leaders = 1,
                                             .batch_exchanges = 8,
                                             .batch_bytes = 1 << 20,
                                             .queue_exchanges = 8},
                                  .journal = journal,
                                  .store_timeout_ms = 5000,
                                  .journal_bytes = wanted.journal_bytes,
                                  .journal_age_ms = wanted.journal_age_ms,
                                  .prove = wanted.prove,
                                  .prove_context = wanted.prove_context};
    assert_ok(conv__saving_create(&params, &saving, &error), error);
    return saving;
}

conv__saving *saving_open(saving_fixture *test)
{
    return saving_open_with(test, (conv__saving_params){0});
}

static conv__message_row message = {.message = {.role = CONV_ROLE_USER, .content = {"hi", 2}}};

conv__exchange saving_exchange(conv_uuid session)
{
    conv__exchange exchange = {.messages = &message, .message_count = 1, .created_us = 1000000};
    exchange.session.session_id = session;
    exchange.exchange_id = conv_uuid_v7();
    exchange.usage.usage = (conv_usage)CONV_USAGE_INIT;
    exchange.usage.usage.log_id = conv_uuid_v7();
    return exchange;
}

conv_status saving_save(conv__saving *saving, const conv__exchange *exchange, bool noted,
                        bool *journaled)
{
    conv__save one = {.exchange = exchange, .deadline_ns = conv__deadline_in_ms(5000)};
    conv_status status = conv__saving_save(saving, &one, noted);
    if (journaled != NULL) *journaled = one.journaled;
    return status;
}

conv__exchange saving_with_request(conv__exchange exchange, uint8_t hash)
{
    memset(exchange.request_hash, hash, sizeof exchange.request_hash);
    exchange.usage.usage.log_id = conv_uuid_v7();
    return exchange;
}

conv__exchange saving_answer_after_failure(saving_fixture *test, conv__saving *saving)
{
    conv__exchange failed = saving_with_request(saving_exchange(conv_uuid_v7()), 1);
    conv__exchange answered = saving_with_request(failed, 1);
    failed.status = CONV_OUTCOME_FAILED;
    answered.replaces_failed = true;
    mock_store_set_away(&test->mock, true);
    assert_int_equal(saving_save(saving, &failed, false, NULL), CONV_OK);
    assert_int_equal(saving_save(saving, &answered, false, NULL), CONV_OK);
    return answered;
}

conv__journal_counts saving_count(conv__saving *saving)
{
    conv__journal_counts counts;
    conv_error error;
    assert_ok(conv__saving_count(saving, conv__deadline_in_ms(5000), &counts, &error), error);
    return counts;
}

void saving_wait_for_saved(saving_fixture *test, size_t wanted)
{
    for (int i = 0; i < 2000 && mock_store_saved(&test->mock) < wanted; i++)
        usleep(5000);
    assert_int_equal(mock_store_saved(&test->mock), wanted);
}

void saving_wait_for_left(conv__saving *saving, int64_t wanted)
{
    int64_t left = -1;
    for (int i = 0; i < 2000 && left != wanted; i++) {
        if (i > 0) usleep(5000);
        conv__journal_counts counts = saving_count(saving);
        left = counts.turns + counts.exchanges;
    }
    assert_int_equal(left, wanted);
}

void saving_wait_until_empty(conv__saving *saving)
{
    saving_wait_for_left(saving, 0);
}
