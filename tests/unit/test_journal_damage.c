/* Files that are no journal, another process's, or damaged: what can be read of them is kept. */
#include "support/test.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/memory.h"
#include "core/time.h"
#include "repositories/sqlite/journal.h"
#include "support/saving_fixture.h"

static void what_never_was_a_journal_is_left_alone(void **state)
{
    saving_fixture *test = *state;
    static const char text[] = "Dear diary, this is no journal of this kind.\n";
    char *set_aside = NULL;
    conv__journal *journal = NULL;
    conv_error error;
    FILE *file = fopen(test->path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, sizeof text, file), sizeof text);
    fclose(file);
    assert_status(conv__sqlite_journal_open(test->path, false, &set_aside, &journal, &error),
                  CONV_BAD_DATA, error);
    assert_null(set_aside);
    assert_non_null(strstr(error.message, test->path));
    char read[sizeof text] = "";
    file = fopen(test->path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(read, 1, sizeof read, file), sizeof read);
    fclose(file);
    assert_memory_equal(read, text, sizeof text);
    assert_status(conv__sqlite_journal_open("/dev/null", false, &set_aside, &journal, &error),
                  CONV_BAD_DATA, error);
}

static void a_second_process_is_told(void **state)
{
    saving_fixture *test = *state;
    char *set_aside = NULL;
    conv__journal *journal = NULL;
    conv_error error;
    conv__saving *saving = saving_open(test);
    assert_status(conv__sqlite_journal_open(test->path, false, &set_aside, &journal, &error),
                  CONV_STATE, error);
    assert_non_null(strstr(error.message, "another live process"));
    conv__saving_close(saving, 0, NULL, NULL);
    assert_ok(conv__sqlite_journal_open(test->path, false, &set_aside, &journal, &error), error);
    journal->functions->close(journal);
}

static void a_damaged_file_is_set_aside(void **state)
{
    saving_fixture *test = *state;
    conv__journal *journal = NULL;
    conv_error error;
    char *set_aside = NULL;
    conv__saving *saving = saving_open(test);
    mock_store_set_away(&test->mock, true);
    for (int i = 0; i < 200; i++) {
        conv__exchange exchange = saving_exchange(conv_uuid_v7());
        assert_int_equal(saving_save(saving, &exchange, false, NULL), CONV_OK);
    }
    conv__saving_close(saving, 0, NULL, NULL);
    FILE *file = fopen(test->path, "r+b");
    assert_non_null(file);
    fseek(file, -6000, SEEK_END);
    for (int i = 0; i < 3000; i++)
        fputc(0xAA, file);
    fclose(file);
    assert_ok(conv__sqlite_journal_open(test->path, false, &set_aside, &journal, &error), error);
    assert_non_null(set_aside);
    conv__release(set_aside);
    conv__journal_counts counts;
    assert_ok(journal->functions->count(journal, conv__deadline_in_ms(5000), &counts, &error),
              error);
    assert_in_range(counts.exchanges, 100, 199);
    journal->functions->close(journal);
}

static int64_t fill(saving_fixture *test, int entries)
{
    conv__saving *saving = saving_open(test);
    mock_store_set_away(&test->mock, true);
    for (int i = 0; i < entries; i++) {
        conv__exchange exchange = saving_exchange(conv_uuid_v7());
        assert_int_equal(saving_save(saving, &exchange, false, NULL), CONV_OK);
    }
    conv__saving_close(saving, 0, NULL, NULL);
    FILE *file = fopen(test->path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    int64_t size = ftell(file);
    fclose(file);
    return size;
}

static void overwrite(saving_fixture *test, int64_t offset, const char *bytes, size_t size)
{
    FILE *file = fopen(test->path, "r+b");
    assert_non_null(file);
    fseek(file, (long)offset, SEEK_SET);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

/* Every third page is damaged, one at a time, each in a file of its own. */
static void entries_on_both_sides_of_a_damage_are_taken_over(void **state)
{
    saving_fixture *test = *state;
    enum { ENTRIES = 60, PAGE = 4096 };
    char rubbish[PAGE];
    memset(rubbish, 0xAA, sizeof rubbish);
    int64_t size = fill(test, ENTRIES);
    int64_t best = 0;
    char *content = malloc((size_t)size);
    FILE *file = fopen(test->path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(content, 1, (size_t)size, file), size);
    fclose(file);
    for (int64_t page = 2; page * PAGE < size; page += 3) {
        conv__journal *journal = NULL;
        conv__journal_counts counts;
        conv_error error;
        char *set_aside = NULL;
        overwrite(test, 0, content, (size_t)size);
        overwrite(test, page * PAGE, rubbish, sizeof rubbish);
        assert_ok(conv__sqlite_journal_open(test->path, false, &set_aside, &journal, &error),
                  error);
        assert_ok(journal->functions->count(journal, conv__deadline_in_ms(5000), &counts, &error),
                  error);
        if (set_aside != NULL) assert_int_equal(counts.dead, 1);
        conv__release(set_aside);
        if (counts.last_id >= ENTRIES && counts.exchanges < ENTRIES && counts.exchanges > best)
            best = counts.exchanges;
        journal->functions->close(journal);
        assert_int_equal(truncate(test->path, 0), 0);
    }
    free(content);
    /* A leaf in the middle: what is behind it is there as well. */
    assert_in_range(best, ENTRIES - 12, ENTRIES - 1);
}

static void one_damaged_row_holds_up_no_other(void **state)
{
    saving_fixture *test = *state;
    conv__journal *journal = NULL;
    conv__journal_counts counts;
    conv_error error;
    char *set_aside = NULL;
    fill(test, 50);
    sqlite3 *database = NULL;
    assert_int_equal(sqlite3_open(test->path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database,
                                  "UPDATE journal SET created_at = 'x' || substr(created_at, 2)"
                                  " WHERE entry_id = 25",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(database);
    assert_ok(conv__sqlite_journal_open(test->path, false, &set_aside, &journal, &error), error);
    assert_non_null(set_aside);
    conv__release(set_aside);
    assert_ok(journal->functions->count(journal, conv__deadline_in_ms(5000), &counts, &error),
              error);
    assert_int_equal(counts.exchanges, 49);
    journal->functions->close(journal);
}

static int64_t entries_after_flip(saving_fixture *test, int64_t at, int bit)
{
    char *set_aside = NULL;
    conv__journal *journal = NULL;
    conv__journal_counts counts;
    conv_error error;
    char byte = 0;
    FILE *file = fopen(test->path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    assert_int_equal(fread(&byte, 1, 1, file), 1);
    fclose(file);
    byte = (char)(byte ^ (1 << bit));
    overwrite(test, at, &byte, 1);
    assert_ok(conv__sqlite_journal_open(test->path, false, &set_aside, &journal, &error), error);
    assert_ok(journal->functions->count(journal, conv__deadline_in_ms(5000), &counts, &error),
              error);
    journal->functions->close(journal);
    conv__release(set_aside);
    saving_empty_folder(test);
    return counts.exchanges;
}

/* Without a whole header SQLite reads nothing of a file, and nearly all of it is known. */
static void a_flipped_bit_in_the_header_costs_nothing(void **state)
{
    saving_fixture *test = *state;
    for (int64_t at = 0; at < 100; at++) {
        (void)fill(test, 20);
        assert_int_equal(entries_after_flip(test, at, (int)(at % 8)), 20);
    }
}

/* Behind the header the first page has the schema, from its end on. */
static void a_flipped_bit_in_the_schema_keeps_nobody_out(void **state)
{
    saving_fixture *test = *state;
    enum { PAGE = 4096, SCHEMA = 1700, STEP = 13 };
    for (int64_t at = PAGE - SCHEMA; at < PAGE; at += STEP) {
        (void)fill(test, 1);
        (void)entries_after_flip(test, at, (int)(at % 8));
    }
}

static void a_rescue_that_was_cut_short_goes_on(void **state)
{
    saving_fixture *test = *state;
    conv__journal *journal = NULL;
    conv__journal_counts counts;
    conv_error error;
    char *set_aside = NULL;
    char other[128];
    char last[128];
    snprintf(other, sizeof other, "%s.other", test->path);
    snprintf(last, sizeof last, "%s.damaged", test->path);
    fill(test, 30);
    assert_int_equal(rename(test->path, other), 0);
    fill(test, 3); /* what the next process has accepted since */
    assert_int_equal(rename(other, last), 0);
    assert_ok(conv__sqlite_journal_open(test->path, false, &set_aside, &journal, &error), error);
    assert_non_null(set_aside);
    conv__release(set_aside);
    assert_ok(journal->functions->count(journal, conv__deadline_in_ms(5000), &counts, &error),
              error);
    assert_int_equal(counts.exchanges, 33);
    journal->functions->close(journal);
    assert_int_equal(access(last, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SAVING(what_never_was_a_journal_is_left_alone),
        WITH_SAVING(a_second_process_is_told),
        WITH_SAVING(a_damaged_file_is_set_aside),
        WITH_SAVING(entries_on_both_sides_of_a_damage_are_taken_over),
        WITH_SAVING(one_damaged_row_holds_up_no_other),
        WITH_SAVING(a_flipped_bit_in_the_header_costs_nothing),
        WITH_SAVING(a_flipped_bit_in_the_schema_keeps_nobody_out),
        WITH_SAVING(a_rescue_that_was_cut_short_goes_on),
    };
    return RUN_TESTS("journal damage", tests);
}
