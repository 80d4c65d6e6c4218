/* Ids and times of what is in a journal: exchanges and usage records choose theirs apart from each
 * other, also in a journal that an older version has written. */
#include "support/test.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "core/buffer.h"
#include "core/memory.h"
#include "core/time.h"
#include "db/migration.h"
#include "repositories/sqlite/journal.h"
#include "saving/record.h"
#include "support/saving_fixture.h"

static conv__journal *open_journal(const saving_fixture *test, char **set_aside)
{
    conv__journal *journal = NULL;
    conv_error error;
    assert_ok(conv__sqlite_journal_open(test->path, false, set_aside, &journal, &error), error);
    return journal;
}

static void apply(conv__journal *journal, conv__journal_change *change)
{
    conv_error error;
    assert_ok(journal->functions->apply(journal, change, 1, conv__deadline_in_ms(5000), &error),
              error);
}

static conv_status find(conv__journal *journal, conv_uuid session, conv_uuid item, bool is_usage,
                        conv__arena *arena, conv__journal_entry *entry)
{
    return journal->functions->find(journal, session, item, is_usage, conv__deadline_in_ms(5000),
                                    arena, entry, NULL);
}

static void what_replaces_a_turn_has_its_place_and_a_time_of_its_own(void **state)
{
    char *set_aside = NULL;
    conv__arena arena = {0};
    conv__journal_entry entry;
    conv__journal *journal = open_journal(*state, &set_aside);
    conv__journal_change change = {.what = CONV__JOURNAL_PUT,
                                   .entry = {.kind = CONV__JOURNAL_TURN,
                                             .session_id = conv_uuid_v7(),
                                             .item_id = conv_uuid_v7(),
                                             .record = conv_text("E"),
                                             .created_us = 1000000}};
    apply(journal, &change);
    change.entry.kind = CONV__JOURNAL_EXCHANGE;
    change.entry.created_us = 2000000;
    apply(journal, &change);
    assert_int_equal(
        find(journal, change.entry.session_id, change.entry.item_id, false, &arena, &entry),
        CONV_OK);
    assert_int_equal(entry.kind, CONV__JOURNAL_EXCHANGE);
    assert_int_equal(entry.entry_id, 1);
    assert_int_equal(entry.created_us, 2000000);
    conv__arena_reset(&arena);
    journal->functions->close(journal);
}

/* The drain holds a list in memory, whatever the size of its records. */
static void a_list_is_bounded_by_its_bytes(void **state)
{
    enum { RECORDS = 3 };
    char *set_aside = NULL;
    conv__arena arena = {0};
    conv__journal *journal = open_journal(*state, &set_aside);
    char *large = calloc(1, CONV__JOURNAL_LIST_BYTES / 2 + 1);
    assert_non_null(large);
    for (int i = 0; i < RECORDS; i++) {
        conv__journal_change change = {
            .what = CONV__JOURNAL_PUT,
            .entry = {.kind = CONV__JOURNAL_EXCHANGE,
                      .session_id = conv_uuid_v7(),
                      .item_id = conv_uuid_v7(),
                      .record = conv_view(large, CONV__JOURNAL_LIST_BYTES / 2 + 1)}};
        apply(journal, &change);
    }
    free(large);
    static const size_t expected[] = {2, 1};
    static const conv__journal_kind kinds[] = {CONV__JOURNAL_EXCHANGE};
    int64_t after = 0;
    for (int i = 0; i < 2; i++) {
        conv__journal_list list;
        conv_error error;
        assert_ok(journal->functions->list(journal, kinds, 1, after, RECORDS,
                                           conv__deadline_in_ms(5000), &arena, &list, &error),
                  error);
        assert_int_equal(list.count, expected[i]);
        assert_int_equal(list.has_more, i == 0);
        after = list.entries[list.count - 1].entry_id;
        conv__arena_reset(&arena);
    }
    journal->functions->close(journal);
}

static conv__usage_row usage_of(conv_uuid session, conv_uuid log_id, int64_t tokens)
{
    conv__usage_row row = {.session_id = session, .usage = CONV_USAGE_INIT};
    row.usage.log_id = log_id;
    row.usage.input_tokens = tokens;
    row.usage.created_us = conv__now_us();
    return row;
}

static void keep_usage_with(conv__saving *saving, const conv__usage_row *row,
                            const conv_error *cause)
{
    conv_error error;
    conv__buffer record = {0};
    conv__record_append_usage(&record, row);
    conv__usage_kept one = {row, conv__buffer_bytes(&record), cause};
    assert_ok(conv__saving_keep_usage(saving, &one, 1, conv__deadline_in_ms(5000), &error), error);
    conv__buffer_free(&record);
}

static void keep_usage(conv__saving *saving, const conv__usage_row *row)
{
    conv_error away = mock_error(CONV_UNAVAILABLE, CONV_RECOVERY_WAIT, "");
    keep_usage_with(saving, row, &away);
}

static void a_usage_record_leaves_the_turn_with_its_id_alone(void **state)
{
    saving_fixture *test = *state;
    conv_error error;
    bool journaled = false;
    conv__saving *saving = saving_open(test);
    mock_store_set_away(&test->mock, true);
    conv__exchange exchange = saving_exchange(conv_uuid_v7());
    conv__usage_row row = usage_of(exchange.session.session_id, exchange.exchange_id, 7);
    assert_ok(conv__saving_note(saving, &exchange, conv__deadline_in_ms(5000), &error), error);
    keep_usage(saving, &row);
    assert_int_equal(saving_count(saving).turns, 1);
    assert_int_equal(saving_count(saving).usage, 1);
    assert_int_equal(saving_save(saving, &exchange, true, &journaled), CONV_OK);
    assert_true(journaled);
    assert_int_equal(saving_count(saving).exchanges, 1);
    assert_int_equal(saving_count(saving).usage, 1);
    conv__saving_close(saving, 0, NULL, NULL);
}

static void an_exchange_leaves_room_for_a_usage_record_with_its_id(void **state)
{
    saving_fixture *test = *state;
    conv__saving *saving = saving_open(test);
    mock_store_set_away(&test->mock, true);
    conv__exchange exchange = saving_exchange(conv_uuid_v7());
    conv__usage_row row = usage_of(exchange.session.session_id, exchange.exchange_id, 7);
    conv_error refused = mock_error(CONV_BAD_DATA, CONV_RECOVERY_REJECT, "22P05");
    assert_int_equal(saving_save(saving, &exchange, false, NULL), CONV_OK);
    keep_usage_with(saving, &row, &refused);
    assert_int_equal(saving_count(saving).exchanges, 1);
    assert_int_equal(saving_count(saving).dead, 1);
    conv__saving_close(saving, 0, NULL, NULL);
}

static void another_record_with_the_same_log_id_is_not_lost_in_silence(void **state)
{
    saving_fixture *test = *state;
    char *set_aside = NULL;
    conv__saving *saving = saving_open(test);
    mock_store_set_away(&test->mock, true);
    conv__usage_row row = usage_of(conv_uuid_v7(), conv_uuid_v7(), 7);
    keep_usage(saving, &row);
    row.usage.created_us += 1000000;
    keep_usage(saving, &row);
    assert_int_equal(saving_count(saving).usage, 1);
    assert_int_equal(saving_count(saving).dead, 0);
    row.usage.input_tokens = 8;
    for (int i = 0; i < 2; i++) {
        keep_usage(saving, &row);
        assert_int_equal(saving_count(saving).usage, 1);
        assert_int_equal(saving_count(saving).dead, 1);
    }
    conv__saving_close(saving, 0, NULL, NULL);

    static const conv__journal_kind dead[] = {CONV__JOURNAL_DEAD};
    conv__journal *journal = open_journal(test, &set_aside);
    conv__journal_list list;
    conv__arena arena = {0};
    conv__usage_row kept;
    conv_error error;
    assert_ok(journal->functions->list(journal, dead, 1, 0, 10, conv__deadline_in_ms(5000), &arena,
                                       &list, &error),
              error);
    assert_int_equal(list.count, 1);
    assert_true(list.entries[0].is_usage);
    assert_non_null(strstr(list.entries[0].reason.data, "same log id"));
    assert_ok(conv__record_read_usage(list.entries[0].record, &kept, &error), error);
    assert_int_equal(kept.usage.input_tokens, 8);
    conv__arena_reset(&arena);
    journal->functions->close(journal);
}

static void a_letter_that_the_journal_did_not_take_is_not_claimed(void **state)
{
    saving_fixture *test = *state;
    conv__saving *saving = saving_open(test);
    conv__exchange exchange = saving_exchange(conv_uuid_v7());
    mock_store_set_poison(&test->mock, exchange.exchange_id,
                          mock_error(CONV_BAD_DATA, CONV_RECOVERY_REJECT, "22P05"));
    for (int i = 0; i < 3; i++) {
        conv__save one = {.exchange = &exchange, .deadline_ns = conv__deadline_in_ms(5000)};
        exchange.request_hash[0] = i == 2;
        exchange.created_us++;
        assert_int_equal(conv__saving_save(saving, &one, false), CONV_BAD_DATA);
        assert_int_equal(one.dead, i < 2);
    }
    assert_int_equal(saving_count(saving).dead, 1);
    conv__saving_close(saving, 0, NULL, NULL);
}

static const conv_uuid session = {{1}};
static const conv_uuid first = {{2}};
static const conv_uuid second = {{3}};

/* A journal as the first version made it: an exchange, a usage record that waits, one that is dead,
 * and so many further exchanges. */
static void make_old_journal(const saving_fixture *test, int further)
{
    sqlite3 *database = NULL;
    char sql[1024];
    assert_int_equal(sqlite3_open(test->path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, "PRAGMA journal_mode = WAL", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, conv__migrations_journal[0].sql, NULL, NULL, NULL),
                     SQLITE_OK);
    snprintf(sql, sizeof sql,
             "UPDATE conversation_schema SET checksum = '%s';"
             "INSERT INTO journal (kind, session_id, item_id, record, created_at)"
             " SELECT column1, '01000000-0000-0000-0000-000000000000',"
             " column2 || '000000-0000-0000-0000-000000000000', column3,"
             " '2026-11-28T00:00:00.000000Z' FROM (VALUES ('exchange', '02', x'4501'),"
             " ('usage', '03', x'5501'), ('dead', '04', x'5502'), ('dead', '05', x'4502'))",
             conv__migrations_journal[0].checksum);
    assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
             "INSERT INTO journal (kind, session_id, item_id, record, created_at)"
             " SELECT 'exchange', '01000000-0000-0000-0000-000000000000',"
             " printf('00000000-0000-0000-0000-%%012d', i), zeroblob(100),"
             " '2026-11-28T00:00:00.000000Z' FROM n WHERE %d > 0",
             further, further);
    assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
}

static void check_old_entries(conv__journal *journal)
{
    static const struct {
        unsigned char item;
        bool is_usage;
        conv__journal_kind kind;
    } wanted[] = {{2, false, CONV__JOURNAL_EXCHANGE},
                  {3, true, CONV__JOURNAL_USAGE},
                  {4, true, CONV__JOURNAL_DEAD},
                  {5, false, CONV__JOURNAL_DEAD}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        conv__arena arena = {0};
        conv__journal_entry entry;
        conv_uuid item = {{wanted[i].item}};
        assert_int_equal(find(journal, session, item, wanted[i].is_usage, &arena, &entry), CONV_OK);
        assert_int_equal(entry.kind, wanted[i].kind);
        assert_int_equal(entry.entry_id, i + 1);
        assert_int_equal(find(journal, session, item, !wanted[i].is_usage, &arena, &entry),
                         CONV_NOT_FOUND);
        conv__arena_reset(&arena);
    }
}

static void an_older_journal_is_brought_up_to_date(void **state)
{
    saving_fixture *test = *state;
    char *set_aside = NULL;
    make_old_journal(test, 0);
    conv__journal *journal = open_journal(test, &set_aside);
    assert_null(set_aside);
    check_old_entries(journal);
    conv__journal_change changes[] = {
        {.what = CONV__JOURNAL_PUT,
         .entry = {.kind = CONV__JOURNAL_USAGE, .item_id = first, .is_usage = true}},
        {.what = CONV__JOURNAL_PUT, .entry = {.kind = CONV__JOURNAL_EXCHANGE, .item_id = second}},
        {.what = CONV__JOURNAL_REMOVE, .entry = {.kind = CONV__JOURNAL_EXCHANGE, .item_id = first}},
        {.what = CONV__JOURNAL_REMOVE,
         .entry = {.kind = CONV__JOURNAL_USAGE, .item_id = second, .is_usage = true}}};
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        changes[i].entry.session_id = session;
        if (changes[i].what == CONV__JOURNAL_PUT) changes[i].entry.record = conv_text("new");
        apply(journal, &changes[i]);
        assert_false(changes[i].unchanged);
    }
    journal->functions->close(journal);
    journal = open_journal(test, &set_aside);
    journal->functions->close(journal);
}

static void an_older_journal_that_is_damaged_is_rescued(void **state)
{
    saving_fixture *test = *state;
    char *set_aside = NULL;
    conv_error error;
    conv__journal_counts counts;
    make_old_journal(test, 400);
    FILE *file = fopen(test->path, "r+b");
    assert_non_null(file);
    fseek(file, -6000, SEEK_END);
    for (int i = 0; i < 3000; i++)
        fputc(0xAA, file);
    fclose(file);
    conv__journal *journal = open_journal(test, &set_aside);
    assert_non_null(set_aside);
    conv__release(set_aside);
    check_old_entries(journal);
    assert_ok(journal->functions->count(journal, conv__deadline_in_ms(5000), &counts, &error),
              error);
    assert_true(counts.exchanges > 200);
    journal->functions->close(journal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SAVING(what_replaces_a_turn_has_its_place_and_a_time_of_its_own),
        WITH_SAVING(a_list_is_bounded_by_its_bytes),
        WITH_SAVING(a_usage_record_leaves_the_turn_with_its_id_alone),
        WITH_SAVING(an_exchange_leaves_room_for_a_usage_record_with_its_id),
        WITH_SAVING(another_record_with_the_same_log_id_is_not_lost_in_silence),
        WITH_SAVING(a_letter_that_the_journal_did_not_take_is_not_claimed),
        WITH_SAVING(an_older_journal_is_brought_up_to_date),
        WITH_SAVING(an_older_journal_that_is_damaged_is_rescued),
    };
    return RUN_TESTS("journal ids", tests);
}
