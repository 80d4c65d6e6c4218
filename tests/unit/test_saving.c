/* The saving room with a real journal and a mocked store: what is kept while the store is away, and
 * how it gets there afterwards. */
#include "support/test.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/time.h"
#include "repositories/sqlite/journal.h"
#include "saving/record.h"
#include "saving/saving.h"
#include "support/mock_store.h"

static char folder[64];
static char path[96];
static mock_store mock;

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/conversation-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/journal.db", folder);
    mock_store_init(&mock);
    return 0;
}

static int teardown(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static conv__saving *open_saving_with(conv__saving_params limits)
{
    conv__journal *journal = NULL;
    conv__saving *saving = NULL;
    char *set_aside = NULL;
    conv_error error;
    assert_ok(conv__sqlite_journal_open(path, false, &set_aside, &journal, &error), error);
    conv__saving_params params = {.writer = {.store = &mock.store,
                                             .leaders = 1,
                                             .batch_exchanges = 8,
                                             .batch_bytes = 1 << 20,
                                             .queue_exchanges = 8},
                                  .journal = journal,
                                  .store_timeout_ms = 5000,
                                  .journal_bytes = limits.journal_bytes,
                                  .journal_age_ms = limits.journal_age_ms,
                                  .prove = limits.prove,
                                  .prove_context = limits.prove_context};
    assert_ok(conv__saving_create(&params, &saving, &error), error);
    return saving;
}

static conv__saving *open_saving(void)
{
    return open_saving_with((conv__saving_params){0});
}

static conv__message_row message = {.message = {.role = CONV_ROLE_USER, .content = {"hi", 2}}};

static conv__exchange make_exchange(conv_uuid session)
{
    conv__exchange exchange = {.messages = &message, .message_count = 1, .created_us = 1000000};
    exchange.session.session_id = session;
    exchange.exchange_id = conv_uuid_v7();
    exchange.usage.usage = (conv_usage)CONV_USAGE_INIT;
    exchange.usage.usage.log_id = conv_uuid_v7();
    return exchange;
}

static conv_status save(conv__saving *saving, const conv__exchange *exchange, bool noted,
                        bool *journaled)
{
    conv__save one = {.exchange = exchange, .deadline_ns = conv__deadline_in_ms(5000)};
    conv_status status = conv__saving_save(saving, &one, noted);
    if (journaled != NULL) *journaled = one.journaled;
    return status;
}

static conv__journal_counts count(conv__saving *saving)
{
    conv__journal_counts counts;
    conv_error error;
    assert_ok(conv__saving_count(saving, conv__deadline_in_ms(5000), &counts, &error), error);
    return counts;
}

/* Until so many are committed; the drain has its own pace, so this only bounds a broken one. */
static void wait_for_saved(size_t wanted)
{
    for (int i = 0; i < 2000 && mock_store_saved(&mock) < wanted; i++)
        usleep(5000);
    assert_int_equal(mock_store_saved(&mock), wanted);
}

static void wait_until_empty(conv__saving *saving)
{
    for (int i = 0; i < 2000; i++) {
        conv__journal_counts counts = count(saving);
        if (counts.turns + counts.exchanges == 0) return;
        usleep(5000);
    }
    fail_msg("the journal did not become empty");
}

static void what_the_store_misses_gets_there_by_itself(void **state)
{
    (void)state;
    conv__saving *saving = open_saving();
    conv__exchange exchanges[3];
    mock_store_set_away(&mock, true);
    for (int i = 0; i < 3; i++) {
        bool journaled = false;
        exchanges[i] = make_exchange(conv_uuid_v7());
        assert_int_equal(save(saving, &exchanges[i], false, &journaled), CONV_OK);
        assert_true(journaled);
    }
    assert_int_equal(count(saving).exchanges, 3);
    /* When it was accepted: the exchange itself is one of 1970. */
    assert_in_range(count(saving).oldest_us, conv__now_us() - 60000000, conv__now_us());
    assert_true(conv__saving_is_away(saving, "test", NULL));
    mock_store_set_away(&mock, false);
    wait_for_saved(3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(conv_uuid_compare(mock.saved_ids[i], exchanges[i].exchange_id), 0);
    wait_until_empty(saving);
    conv__saving_close(saving, 0, NULL, NULL);
}

static void what_waits_outlives_the_process(void **state)
{
    (void)state;
    conv__journal_counts remaining;
    conv__saving *saving = open_saving();
    conv__exchange exchange = make_exchange(conv_uuid_v7());
    mock_store_set_away(&mock, true);
    assert_int_equal(save(saving, &exchange, false, NULL), CONV_OK);
    conv__saving_close(saving, conv__deadline_in_ms(50), &remaining, NULL);
    assert_int_equal(remaining.exchanges, 1);
    assert_int_equal(mock.saved_count, 0);
    mock_store_set_away(&mock, false);
    saving = open_saving();
    wait_for_saved(1);
    wait_until_empty(saving);
    conv__saving_close(saving, conv__deadline_in_ms(1000), &remaining, NULL);
    assert_int_equal(remaining.exchanges, 0);
}

static void closing_drains(void **state)
{
    (void)state;
    conv__journal_counts remaining;
    conv__saving *saving = open_saving();
    mock_store_set_away(&mock, true);
    for (int i = 0; i < 100; i++) {
        conv__exchange exchange = make_exchange(conv_uuid_v7());
        assert_int_equal(save(saving, &exchange, false, NULL), CONV_OK);
    }
    mock_store_set_away(&mock, false);
    conv__saving_close(saving, conv__deadline_in_ms(20000), &remaining, NULL);
    assert_int_equal(remaining.exchanges, 0);
    assert_int_equal(mock.saved_count, 100);
}

static void a_session_keeps_its_order(void **state)
{
    (void)state;
    conv_uuid session = conv_uuid_v7();
    conv__exchange first = make_exchange(session);
    conv__exchange second = make_exchange(session);
    bool journaled = false;
    conv__saving *saving = open_saving();
    mock_store_set_away(&mock, true);
    assert_int_equal(save(saving, &first, false, NULL), CONV_OK);
    mock_store_set_away(&mock, false);
    assert_int_equal(save(saving, &second, false, &journaled), CONV_OK);
    wait_for_saved(2);
    assert_int_equal(conv_uuid_compare(mock.saved_ids[0], first.exchange_id), 0);
    assert_int_equal(conv_uuid_compare(mock.saved_ids[1], second.exchange_id), 0);
    conv__saving_close(saving, 0, NULL, NULL);
}

static void poison_becomes_a_dead_letter_and_holds_up_nobody(void **state)
{
    (void)state;
    char *set_aside = NULL;
    conv__exchange exchanges[5];
    conv__saving *saving = open_saving();
    mock_store_set_away(&mock, true);
    for (int i = 0; i < 5; i++) {
        exchanges[i] = make_exchange(conv_uuid_v7());
        assert_int_equal(save(saving, &exchanges[i], false, NULL), CONV_OK);
    }
    mock_store_set_poison(&mock, exchanges[2].exchange_id,
                          mock_error(CONV_BAD_DATA, CONV_RECOVERY_REJECT, "22P05"));
    mock_store_set_away(&mock, false);
    wait_for_saved(4);
    wait_until_empty(saving);
    assert_int_equal(count(saving).dead, 1);
    conv__saving_close(saving, 0, NULL, NULL);
    conv__journal *journal = NULL;
    conv__journal_entry entry;
    conv__arena arena = {0};
    conv__exchange letter;
    conv_error error;
    assert_ok(conv__sqlite_journal_open(path, false, &set_aside, &journal, &error), error);
    assert_ok(journal->functions->find(journal, exchanges[2].session.session_id,
                                       exchanges[2].exchange_id, conv__deadline_in_ms(5000), &arena,
                                       &entry, &error),
              error);
    assert_int_equal(entry.kind, CONV__JOURNAL_DEAD);
    assert_string_equal(entry.sqlstate, "22P05");
    assert_true(entry.reason.size > 0);
    assert_ok(conv__record_read_exchange(&arena, entry.record, &letter, &error), error);
    assert_bytes(letter.messages[0].message.content, "hi");
    conv__arena_reset(&arena);
    journal->functions->close(journal);
}

static conv_error person_must_act(void)
{
    return mock_error(CONV_PERMISSION, CONV_RECOVERY_OPERATOR, "42501");
}

static void what_a_person_must_mend_holds_up_its_session_alone(void **state)
{
    (void)state;
    conv__exchange exchanges[6];
    conv_error cause;
    conv__saving *saving = open_saving();
    mock_store_set_away(&mock, true);
    for (int i = 0; i < 6; i++) {
        /* The last belongs behind the third. */
        exchanges[i] = make_exchange(i == 5 ? exchanges[2].session.session_id : conv_uuid_v7());
        assert_int_equal(save(saving, &exchanges[i], false, NULL), CONV_OK);
    }
    mock_store_set_poison(&mock, exchanges[2].exchange_id, person_must_act());
    mock_store_set_away(&mock, false);
    wait_for_saved(4);
    for (int i = 0; i < 200 && conv__saving_is_away(saving, "test", NULL); i++)
        usleep(5000);
    assert_false(conv__saving_is_away(saving, "test", NULL));
    assert_int_equal(count(saving).exchanges, 2);
    assert_int_equal(count(saving).dead, 0);
    conv__saving_cause(saving, &cause);
    assert_string_equal(cause.sqlstate, "42501");
    bool journaled = true;
    conv__exchange other = make_exchange(conv_uuid_v7());
    assert_int_equal(save(saving, &other, false, &journaled), CONV_OK);
    assert_false(journaled);
    mock_store_set_poison(&mock, (conv_uuid){{0}}, person_must_act());
    wait_for_saved(7);
    assert_int_equal(conv_uuid_compare(mock.saved_ids[5], exchanges[2].exchange_id), 0);
    assert_int_equal(conv_uuid_compare(mock.saved_ids[6], exchanges[5].exchange_id), 0);
    wait_until_empty(saving);
    /* What waits is counted down a moment after it has left the journal. */
    for (int i = 0; i < 2000; i++) {
        conv__saving_cause(saving, &cause);
        if (cause.status == CONV_OK) break;
        usleep(5000);
    }
    assert_int_equal(cause.status, CONV_OK);
    conv__saving_close(saving, 0, NULL, NULL);
}

static void a_save_that_a_person_must_mend_opens_no_breaker(void **state)
{
    (void)state;
    bool journaled = false;
    conv__saving *saving = open_saving();
    conv__exchange odd = make_exchange(conv_uuid_v7());
    conv__exchange good = make_exchange(conv_uuid_v7());
    mock_store_set_poison(&mock, odd.exchange_id, person_must_act());
    assert_int_equal(save(saving, &odd, false, &journaled), CONV_OK);
    assert_true(journaled);
    assert_false(conv__saving_is_away(saving, "test", NULL));
    assert_int_equal(save(saving, &good, false, &journaled), CONV_OK);
    assert_false(journaled);
    conv_error cause;
    conv__journal_counts remaining;
    conv__saving_close(saving, conv__deadline_in_ms(20000), &remaining, &cause);
    assert_int_equal(remaining.exchanges, 1);
    assert_string_equal(cause.sqlstate, "42501");
}

static void *bring_back(void *context)
{
    (void)context;
    usleep(300000);
    mock_store_set_away(&mock, false);
    return NULL;
}

static void closing_waits_for_the_store(void **state)
{
    (void)state;
    pthread_t thread;
    conv__journal_counts remaining;
    conv__saving *saving = open_saving();
    conv__exchange exchange = make_exchange(conv_uuid_v7());
    mock_store_set_away(&mock, true);
    assert_int_equal(save(saving, &exchange, false, NULL), CONV_OK);
    assert_int_equal(pthread_create(&thread, NULL, bring_back, NULL), 0);
    conv__saving_close(saving, conv__deadline_in_ms(20000), &remaining, NULL);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(remaining.exchanges, 0);
    assert_int_equal(mock.saved_count, 1);
}

static void dead_letters_keep_to_the_limit(void **state)
{
    (void)state;
    conv__saving *saving = open_saving_with((conv__saving_params){.journal_bytes = 200000});
    int kept = 0;
    int refused = 0;
    for (; refused < 2000; refused++) {
        conv__exchange exchange = make_exchange(conv_uuid_v7());
        conv__save one = {.exchange = &exchange, .deadline_ns = conv__deadline_in_ms(5000)};
        mock_store_set_poison(&mock, exchange.exchange_id,
                              mock_error(CONV_BAD_DATA, CONV_RECOVERY_REJECT, "22P05"));
        assert_int_equal(conv__saving_save(saving, &one, false), CONV_BAD_DATA);
        kept += one.dead;
    }
    assert_true(kept > 0);
    assert_true(kept < refused);
    assert_int_equal(count(saving).dead, kept);
    /* Whoever finds no room hears what fills it. */
    conv_error error;
    conv__exchange exchange = make_exchange(conv_uuid_v7());
    assert_status(conv__saving_note(saving, &exchange, conv__deadline_in_ms(50), &error),
                  CONV_LIMIT, error);
    assert_non_null(strstr(error.message, "200000 bytes"));
    assert_non_null(strstr(error.message, "drop the dead letters"));
    conv__saving_close(saving, 0, NULL, NULL);
}

static void usage_records_keep_to_the_limit(void **state)
{
    (void)state;
    conv__saving *saving = open_saving_with((conv__saving_params){.journal_bytes = 200000});
    conv_error away = mock_error(CONV_UNAVAILABLE, CONV_RECOVERY_WAIT, "");
    conv_error error = CONV_ERROR_INIT;
    char bytes[1000] = "";
    conv_status status = CONV_OK;
    int kept = 0;
    mock_store_set_away(&mock, true);
    for (; status == CONV_OK && kept < 2000; kept++) {
        conv__usage_row row = {.usage = CONV_USAGE_INIT};
        row.usage.log_id = conv_uuid_v7();
        conv__usage_kept one = {&row, conv_view(bytes, sizeof bytes), &away};
        status = conv__saving_keep_usage(saving, &one, 1, conv__deadline_in_ms(5000), &error);
    }
    assert_status(status, CONV_LIMIT, error);
    assert_in_range(kept, 10, 500);
    conv__saving_close(saving, 0, NULL, NULL);
}

static void what_never_was_a_journal_is_left_alone(void **state)
{
    (void)state;
    static const char text[] = "Dear diary, this is no journal of this kind.\n";
    char *set_aside = NULL;
    conv__journal *journal = NULL;
    conv_error error;
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, sizeof text, file), sizeof text);
    fclose(file);
    assert_status(conv__sqlite_journal_open(path, false, &set_aside, &journal, &error),
                  CONV_BAD_DATA, error);
    assert_null(set_aside);
    assert_non_null(strstr(error.message, path));
    char read[sizeof text] = "";
    file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(read, 1, sizeof read, file), sizeof read);
    fclose(file);
    assert_memory_equal(read, text, sizeof text);
    assert_status(conv__sqlite_journal_open("/dev/null", false, &set_aside, &journal, &error),
                  CONV_BAD_DATA, error);
}

static void a_note_is_taken_back_when_its_turn_is_saved(void **state)
{
    (void)state;
    conv_error error;
    conv__saving *saving = open_saving();
    conv__exchange exchange = make_exchange(conv_uuid_v7());
    int64_t deadline = conv__deadline_in_ms(5000);
    assert_ok(conv__saving_note(saving, &exchange, deadline, &error), error);
    assert_int_equal(count(saving).turns, 1);
    assert_int_equal(count(saving).exchanges, 0);
    assert_int_equal(save(saving, &exchange, true, NULL), CONV_OK);
    wait_until_empty(saving);
    conv__saving_close(saving, 0, NULL, NULL);
}

static void an_interrupted_turn_stays_until_it_is_completed(void **state)
{
    (void)state;
    conv_error error;
    conv__saving *saving = open_saving();
    conv__exchange exchange = make_exchange(conv_uuid_v7());
    assert_ok(conv__saving_note(saving, &exchange, conv__deadline_in_ms(5000), &error), error);
    conv__saving_close(saving, 0, NULL,
                       NULL); /* the program ends before the provider has answered */
    saving = open_saving();
    usleep(500000);
    assert_int_equal(count(saving).turns, 1);
    assert_ok(conv__saving_note(saving, &exchange, conv__deadline_in_ms(5000), &error), error);
    assert_int_equal(count(saving).turns, 1);
    assert_int_equal(save(saving, &exchange, true, NULL), CONV_OK);
    wait_until_empty(saving);
    conv__saving_close(saving, 0, NULL, NULL);
}

static void a_note_whose_exchange_is_stored_goes_at_the_next_start(void **state)
{
    (void)state;
    conv_error error;
    conv__saving *saving = open_saving();
    conv__exchange exchange = make_exchange(conv_uuid_v7());
    assert_ok(conv__saving_note(saving, &exchange, conv__deadline_in_ms(5000), &error), error);
    conv__saving_close(saving, 0, NULL, NULL);
    mock.existing.found = true;
    mock.existing.status = CONV_OUTCOME_COMPLETE;
    saving = open_saving();
    wait_until_empty(saving);
    conv__saving_close(saving, 0, NULL, NULL);
}

static void a_full_journal_pushes_back(void **state)
{
    (void)state;
    conv_error error;
    conv__saving *saving = open_saving_with((conv__saving_params){.journal_bytes = 1000});
    conv__exchange exchange = make_exchange(conv_uuid_v7());
    assert_status(conv__saving_note(saving, &exchange, conv__deadline_in_ms(100), &error),
                  CONV_LIMIT, error);
    mock_store_set_away(&mock, true);
    assert_int_equal(save(saving, &exchange, false, NULL), CONV_LIMIT);
    conv__saving_close(saving, 0, NULL, NULL);
}

static void a_second_process_is_told(void **state)
{
    (void)state;
    char *set_aside = NULL;
    conv__journal *journal = NULL;
    conv_error error;
    conv__saving *saving = open_saving();
    assert_status(conv__sqlite_journal_open(path, false, &set_aside, &journal, &error), CONV_STATE,
                  error);
    assert_non_null(strstr(error.message, "another live process"));
    conv__saving_close(saving, 0, NULL, NULL);
    assert_ok(conv__sqlite_journal_open(path, false, &set_aside, &journal, &error), error);
    journal->functions->close(journal);
}

static void a_damaged_file_is_set_aside(void **state)
{
    (void)state;
    conv__journal *journal = NULL;
    conv_error error;
    char *set_aside = NULL;
    conv__saving *saving = open_saving();
    mock_store_set_away(&mock, true);
    for (int i = 0; i < 200; i++) {
        conv__exchange exchange = make_exchange(conv_uuid_v7());
        assert_int_equal(save(saving, &exchange, false, NULL), CONV_OK);
    }
    conv__saving_close(saving, 0, NULL, NULL);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, -6000, SEEK_END);
    for (int i = 0; i < 3000; i++)
        fputc(0xAA, file);
    fclose(file);
    assert_ok(conv__sqlite_journal_open(path, false, &set_aside, &journal, &error), error);
    assert_non_null(set_aside);
    conv__release(set_aside);
    conv__journal_counts counts;
    assert_ok(journal->functions->count(journal, conv__deadline_in_ms(5000), &counts, &error),
              error);
    assert_in_range(counts.exchanges, 100, 199);
    journal->functions->close(journal);
}

static conv__exchange with_request(conv__exchange exchange, uint8_t hash)
{
    memset(exchange.request_hash, hash, sizeof exchange.request_hash);
    exchange.usage.usage.log_id = conv_uuid_v7();
    return exchange;
}

static void what_waits_is_not_replaced_by_what_comes_later(void **state)
{
    (void)state;
    conv_error error;
    conv__saving *saving = open_saving();
    conv__exchange first = with_request(make_exchange(conv_uuid_v7()), 1);
    conv__exchange same = with_request(first, 1);
    conv__exchange other = with_request(first, 2);
    bool journaled = false;
    mock_store_set_away(&mock, true);
    assert_int_equal(save(saving, &first, false, NULL), CONV_OK);
    assert_int_equal(save(saving, &same, false, &journaled), CONV_OK);
    assert_true(journaled);
    assert_int_equal(save(saving, &other, false, NULL), CONV_CONFLICT);
    assert_ok(conv__saving_note(saving, &other, conv__deadline_in_ms(5000), &error), error);
    assert_int_equal(count(saving).exchanges, 1);
    assert_int_equal(count(saving).turns, 0);
    mock_store_set_away(&mock, false);
    wait_for_saved(1);
    wait_until_empty(saving);
    assert_int_equal(conv_uuid_compare(mock.last.usage.usage.log_id, first.usage.usage.log_id), 0);
    conv__saving_close(saving, conv__deadline_in_ms(5000), NULL, NULL);
    assert_int_equal(mock.saved_count, 1);
}

static void a_failed_turn_that_waits_is_replaced_by_its_repetition(void **state)
{
    (void)state;
    conv__saving *saving = open_saving();
    conv__exchange failed = with_request(make_exchange(conv_uuid_v7()), 1);
    conv__exchange answered = with_request(failed, 1);
    failed.status = CONV_OUTCOME_FAILED;
    answered.replaces_failed = true;
    mock_store_set_away(&mock, true);
    assert_int_equal(save(saving, &failed, false, NULL), CONV_OK);
    assert_int_equal(save(saving, &answered, false, NULL), CONV_OK);
    assert_int_equal(count(saving).exchanges, 1);
    mock_store_set_away(&mock, false);
    wait_for_saved(1);
    wait_until_empty(saving);
    assert_int_equal(conv_uuid_compare(mock.last.usage.usage.log_id, answered.usage.usage.log_id),
                     0);
    conv__saving_close(saving, 0, NULL, NULL);
}

static void a_journal_that_was_full_has_room_once_it_is_drained(void **state)
{
    (void)state;
    conv_error error;
    conv__saving *saving = open_saving_with((conv__saving_params){.journal_bytes = 90000});
    conv_status status = CONV_OK;
    mock_store_set_away(&mock, true);
    for (int i = 0; i < 500 && status == CONV_OK; i++) {
        conv__exchange exchange = make_exchange(conv_uuid_v7());
        conv__save one = {.exchange = &exchange, .deadline_ns = conv__deadline_in_ms(20)};
        status = conv__saving_save(saving, &one, false);
    }
    assert_int_equal(status, CONV_LIMIT);
    mock_store_set_away(&mock, false);
    conv__exchange last = make_exchange(conv_uuid_v7());
    /* Waits until the drain has made room. */
    assert_ok(conv__saving_note(saving, &last, conv__deadline_in_ms(20000), &error), error);
    conv__saving_close(saving, conv__deadline_in_ms(20000), NULL, NULL);
}

/* Its answers, and how often it was asked. */
typedef struct proof {
    atomic_int asked;
    atomic_bool there;
} proof;

static conv_status prove(void *context, conv_error *error)
{
    proof *self = context;
    atomic_fetch_add(&self->asked, 1);
    if (atomic_load(&self->there)) return CONV_OK;
    return conv__fail(error, CONV_UNAVAILABLE, "connect", "nobody is there");
}

static void an_unseen_store_is_not_used_before_it_was_seen(void **state)
{
    (void)state;
    proof seen = {0};
    bool journaled = false;
    conv_error error = CONV_ERROR_INIT;
    conv__saving *saving =
        open_saving_with((conv__saving_params){.prove = prove, .prove_context = &seen});
    conv__exchange exchange = make_exchange(conv_uuid_v7());
    assert_int_equal(save(saving, &exchange, false, &journaled), CONV_OK);
    assert_true(journaled);
    while (atomic_load(&seen.asked) < 3)
        usleep(1000);
    assert_int_equal(mock.writes, 0);
    assert_true(conv__saving_is_away(saving, "test", &error));
    assert_string_equal(error.message, "the store is away: nobody is there");
    atomic_store(&seen.there, true);
    wait_for_saved(1);
    wait_until_empty(saving);
    assert_false(conv__saving_is_away(saving, "test", NULL));
    conv__saving_close(saving, 0, NULL, NULL);
}

static void what_a_closing_client_never_saw_stays_in_the_journal(void **state)
{
    (void)state;
    proof seen = {0};
    conv__journal_counts remaining;
    conv__saving *saving =
        open_saving_with((conv__saving_params){.prove = prove, .prove_context = &seen});
    conv__exchange exchange = make_exchange(conv_uuid_v7());
    assert_int_equal(save(saving, &exchange, false, NULL), CONV_OK);
    conv__saving_close(saving, conv__deadline_in_ms(50), &remaining, NULL);
    assert_int_equal(remaining.exchanges, 1);
    assert_int_equal(mock.writes, 0);
}

static void what_the_store_refuses_at_once_is_a_dead_letter_too(void **state)
{
    (void)state;
    conv_error error;
    conv__saving *saving = open_saving();
    for (int noted = 0; noted < 2; noted++) {
        conv__exchange exchange = make_exchange(conv_uuid_v7());
        conv__save one = {.exchange = &exchange, .deadline_ns = conv__deadline_in_ms(5000)};
        mock_store_set_poison(&mock, exchange.exchange_id,
                              mock_error(CONV_BAD_DATA, CONV_RECOVERY_REJECT, "22P05"));
        if (noted == 1)
            assert_ok(conv__saving_note(saving, &exchange, one.deadline_ns, &error), error);
        assert_int_equal(conv__saving_save(saving, &one, noted == 1), CONV_BAD_DATA);
        assert_int_equal(one.error.recovery, CONV_RECOVERY_REJECT);
        assert_string_equal(one.error.sqlstate, "22P05");
        assert_non_null(strstr(one.error.message, "dead letter"));
        conv__journal_counts counts = count(saving);
        assert_int_equal(counts.dead, noted + 1);
        assert_int_equal(counts.turns, 0);
        assert_int_equal(counts.exchanges, 0);
    }
    assert_false(conv__saving_is_away(saving, "test", NULL));
    conv__saving_close(saving, 0, NULL, NULL);
}

static void what_has_waited_too_long_pushes_back(void **state)
{
    (void)state;
    conv_error error;
    conv__saving *saving = open_saving_with((conv__saving_params){.journal_age_ms = 30});
    conv__exchange first = make_exchange(conv_uuid_v7());
    conv__exchange second = make_exchange(conv_uuid_v7());
    mock_store_set_away(&mock, true);
    assert_int_equal(save(saving, &first, false, NULL), CONV_OK);
    usleep(40000);
    conv__save late = {.exchange = &second, .deadline_ns = conv__deadline_in_ms(20)};
    assert_int_equal(conv__saving_save(saving, &late, false), CONV_LIMIT);
    mock_store_set_away(&mock, false);
    /* Waits until what is old has left. */
    assert_ok(conv__saving_note(saving, &second, conv__deadline_in_ms(20000), &error), error);
    assert_int_equal(mock_store_saved(&mock), 1);
    conv__saving_close(saving, 0, NULL, NULL);
}

static int64_t fill(int entries)
{
    conv__saving *saving = open_saving();
    mock_store_set_away(&mock, true);
    for (int i = 0; i < entries; i++) {
        conv__exchange exchange = make_exchange(conv_uuid_v7());
        assert_int_equal(save(saving, &exchange, false, NULL), CONV_OK);
    }
    conv__saving_close(saving, 0, NULL, NULL);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    int64_t size = ftell(file);
    fclose(file);
    return size;
}

static void overwrite(int64_t offset, const char *bytes, size_t size)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, (long)offset, SEEK_SET);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

/* Every third page is damaged, one at a time, each in a file of its own. */
static void entries_on_both_sides_of_a_damage_are_taken_over(void **state)
{
    (void)state;
    enum { ENTRIES = 60, PAGE = 4096 };
    char rubbish[PAGE];
    memset(rubbish, 0xAA, sizeof rubbish);
    int64_t size = fill(ENTRIES);
    int64_t best = 0;
    char *content = malloc((size_t)size);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(content, 1, (size_t)size, file), size);
    fclose(file);
    for (int64_t page = 2; page * PAGE < size; page += 3) {
        conv__journal *journal = NULL;
        conv__journal_counts counts;
        conv_error error;
        char *set_aside = NULL;
        overwrite(0, content, (size_t)size);
        overwrite(page * PAGE, rubbish, sizeof rubbish);
        assert_ok(conv__sqlite_journal_open(path, false, &set_aside, &journal, &error), error);
        assert_ok(journal->functions->count(journal, conv__deadline_in_ms(5000), &counts, &error),
                  error);
        if (set_aside != NULL) assert_int_equal(counts.dead, 1);
        conv__release(set_aside);
        if (counts.last_id >= ENTRIES && counts.exchanges < ENTRIES && counts.exchanges > best)
            best = counts.exchanges;
        journal->functions->close(journal);
        assert_int_equal(truncate(path, 0), 0);
    }
    free(content);
    /* A leaf in the middle: what is behind it is there as well. */
    assert_in_range(best, ENTRIES - 12, ENTRIES - 1);
}

static void one_damaged_row_holds_up_no_other(void **state)
{
    (void)state;
    conv__journal *journal = NULL;
    conv__journal_counts counts;
    conv_error error;
    char *set_aside = NULL;
    fill(50);
    sqlite3 *database = NULL;
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database,
                                  "UPDATE journal SET created_at = 'x' || substr(created_at, 2)"
                                  " WHERE entry_id = 25",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(database);
    assert_ok(conv__sqlite_journal_open(path, false, &set_aside, &journal, &error), error);
    assert_non_null(set_aside);
    conv__release(set_aside);
    assert_ok(journal->functions->count(journal, conv__deadline_in_ms(5000), &counts, &error),
              error);
    assert_int_equal(counts.exchanges, 49);
    journal->functions->close(journal);
}

static int64_t entries_after_flip(int64_t at, int bit)
{
    char *set_aside = NULL;
    conv__journal *journal = NULL;
    conv__journal_counts counts;
    conv_error error;
    char byte = 0;
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    assert_int_equal(fread(&byte, 1, 1, file), 1);
    fclose(file);
    byte = (char)(byte ^ (1 << bit));
    overwrite(at, &byte, 1);
    assert_ok(conv__sqlite_journal_open(path, false, &set_aside, &journal, &error), error);
    assert_ok(journal->functions->count(journal, conv__deadline_in_ms(5000), &counts, &error),
              error);
    journal->functions->close(journal);
    conv__release(set_aside);
    assert_int_equal(teardown(NULL), 0);
    assert_int_equal(setup(NULL), 0);
    return counts.exchanges;
}

/* Without a whole header SQLite reads nothing of a file, and nearly all of it is known. */
static void a_flipped_bit_in_the_header_costs_nothing(void **state)
{
    (void)state;
    for (int64_t at = 0; at < 100; at++) {
        (void)fill(20);
        assert_int_equal(entries_after_flip(at, (int)(at % 8)), 20);
    }
}

/* Behind the header the first page has the schema, from its end on. */
static void a_flipped_bit_in_the_schema_keeps_nobody_out(void **state)
{
    (void)state;
    enum { PAGE = 4096, SCHEMA = 1700, STEP = 13 };
    for (int64_t at = PAGE - SCHEMA; at < PAGE; at += STEP) {
        (void)fill(1);
        (void)entries_after_flip(at, (int)(at % 8));
    }
}

static void a_rescue_that_was_cut_short_goes_on(void **state)
{
    (void)state;
    conv__journal *journal = NULL;
    conv__journal_counts counts;
    conv_error error;
    char *set_aside = NULL;
    char other[128];
    char last[128];
    snprintf(other, sizeof other, "%s.other", path);
    snprintf(last, sizeof last, "%s.damaged", path);
    fill(30);
    assert_int_equal(rename(path, other), 0);
    fill(3); /* what the next process has accepted since */
    assert_int_equal(rename(other, last), 0);
    assert_ok(conv__sqlite_journal_open(path, false, &set_aside, &journal, &error), error);
    assert_non_null(set_aside);
    conv__release(set_aside);
    assert_ok(journal->functions->count(journal, conv__deadline_in_ms(5000), &counts, &error),
              error);
    assert_int_equal(counts.exchanges, 33);
    journal->functions->close(journal);
    assert_int_equal(access(last, F_OK), -1);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(what_the_store_misses_gets_there_by_itself),
        WITH_FOLDER(what_waits_outlives_the_process),
        WITH_FOLDER(closing_drains),
        WITH_FOLDER(a_session_keeps_its_order),
        WITH_FOLDER(poison_becomes_a_dead_letter_and_holds_up_nobody),
        WITH_FOLDER(a_note_is_taken_back_when_its_turn_is_saved),
        WITH_FOLDER(an_interrupted_turn_stays_until_it_is_completed),
        WITH_FOLDER(a_note_whose_exchange_is_stored_goes_at_the_next_start),
        WITH_FOLDER(a_full_journal_pushes_back),
        WITH_FOLDER(a_second_process_is_told),
        WITH_FOLDER(what_a_person_must_mend_holds_up_its_session_alone),
        WITH_FOLDER(a_save_that_a_person_must_mend_opens_no_breaker),
        WITH_FOLDER(closing_waits_for_the_store),
        WITH_FOLDER(dead_letters_keep_to_the_limit),
        WITH_FOLDER(usage_records_keep_to_the_limit),
        WITH_FOLDER(what_never_was_a_journal_is_left_alone),
        WITH_FOLDER(a_damaged_file_is_set_aside),
        WITH_FOLDER(what_waits_is_not_replaced_by_what_comes_later),
        WITH_FOLDER(a_failed_turn_that_waits_is_replaced_by_its_repetition),
        WITH_FOLDER(a_journal_that_was_full_has_room_once_it_is_drained),
        WITH_FOLDER(an_unseen_store_is_not_used_before_it_was_seen),
        WITH_FOLDER(what_a_closing_client_never_saw_stays_in_the_journal),
        WITH_FOLDER(what_the_store_refuses_at_once_is_a_dead_letter_too),
        WITH_FOLDER(what_has_waited_too_long_pushes_back),
        WITH_FOLDER(entries_on_both_sides_of_a_damage_are_taken_over),
        WITH_FOLDER(one_damaged_row_holds_up_no_other),
        WITH_FOLDER(a_flipped_bit_in_the_header_costs_nothing),
        WITH_FOLDER(a_flipped_bit_in_the_schema_keeps_nobody_out),
        WITH_FOLDER(a_rescue_that_was_cut_short_goes_on),
    };
    return RUN_TESTS("saving", tests);
}
