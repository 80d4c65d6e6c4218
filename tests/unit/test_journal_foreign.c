/* Files that were named by mistake: they keep their name, their bytes and their folder. */
#include "support/test.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "conversation/journal.h"
#include "core/memory.h"
#include "core/time.h"
#include "repositories/sqlite/journal.h"
#include "repositories/sqlite/store.h"
#include "support/folder.h"
#include "support/saving_fixture.h"

enum { MOST = 1 << 20 };

static size_t read_file(const char *path, char *content)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(content, 1, MOST, file);
    fclose(file);
    return size;
}

static void write_file(const char *path, const char *content, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, size, file), size);
    fclose(file);
}

/* What lies at the fixture's path is refused by both ways of opening it, and is as it was. */
static void assert_refused(saving_fixture *test, conv_status wanted)
{
    static char before[MOST];
    static char after[MOST];
    char *set_aside = NULL;
    conv__journal *journal = NULL;
    conv_journal *handle = NULL;
    conv_error error;
    size_t size = read_file(test->path, before);
    int files = folder_count(test->folder, "");
    assert_status(conv__sqlite_journal_open(test->path, false, &set_aside, &journal, &error),
                  wanted, error);
    assert_null(set_aside);
    assert_non_null(strstr(error.message, test->path));
    assert_non_null(strstr(error.message, "nothing was changed: name another file"));
    assert_status(conv_journal_open(test->path, &handle, &error), wanted, error);
    assert_int_equal(read_file(test->path, after), size);
    assert_memory_equal(before, after, size);
    assert_int_equal(folder_count(test->folder, ""), files);
}

static void run_command(saving_fixture *test, const char *format)
{
    char command[512];
    snprintf(command, sizeof command, "cd '%s' && ", test->folder);
    size_t size = strlen(command);
    snprintf(command + size, sizeof command - size, "%s", format);
    assert_int_equal(system(command), 0);
}

static void an_archive_is_left_alone(void **state)
{
    saving_fixture *test = *state;
    run_command(test, "echo hello > a.txt && tar cf journal.db a.txt");
    assert_refused(test, CONV_BAD_DATA);
}

static void make_journal(saving_fixture *test)
{
    conv__saving *saving = saving_open(test);
    mock_store_set_away(&test->mock, true);
    conv__exchange exchange = saving_exchange(conv_uuid_v7());
    assert_int_equal(saving_save(saving, &exchange, false, NULL), CONV_OK);
    conv__saving_close(saving, 0, NULL, NULL);
}

/* Every page of a journal is in it, but not where a journal has it. */
static void an_archive_of_a_journal_is_left_alone(void **state)
{
    saving_fixture *test = *state;
    make_journal(test);
    run_command(test, "tar cf b.tar journal.db && rm journal.db* && mv b.tar journal.db");
    assert_refused(test, CONV_BAD_DATA);
}

static void bytes_of_any_size_are_left_alone(void **state)
{
    saving_fixture *test = *state;
    static const size_t sizes[] = {512, 1024, 4096, 8192, 65536};
    static char content[65536];
    uint64_t random = 88172645463325252u;
    for (size_t i = 0; i < sizeof content; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        content[i] = (char)random;
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        write_file(test->path, content, sizes[i]);
        assert_refused(test, CONV_BAD_DATA);
    }
    memset(content, 'A', sizeof content);
    write_file(test->path, content, 8192);
    assert_refused(test, CONV_BAD_DATA);
    memset(content, 0, sizeof content);
    write_file(test->path, content, 8192);
    assert_refused(test, CONV_BAD_DATA);
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *database = NULL;
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
}

/* Also one that has a table of the same name. */
static void a_database_of_another_program_is_left_alone(void **state)
{
    saving_fixture *test = *state;
    run_sql(test->path, "CREATE TABLE journal (entry_id INTEGER PRIMARY KEY AUTOINCREMENT, line);"
                        "CREATE INDEX idx_journal_kind ON journal (line);"
                        "INSERT INTO journal (line) VALUES ('bread')");
    assert_refused(test, CONV_STATE);
}

/* All that it holds is still in its log, as another program's crash leaves it. */
static void a_log_of_another_program_is_left_alone(void **state)
{
    saving_fixture *test = *state;
    char other[128];
    sqlite3 *database = NULL;
    snprintf(other, sizeof other, "%s/other.db", test->folder);
    assert_int_equal(sqlite3_open(other, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database,
                                  "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;"
                                  "CREATE TABLE accounts (id); INSERT INTO accounts VALUES (7)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    run_command(test, "cp other.db journal.db && cp other.db-wal journal.db-wal");
    sqlite3_close(database);
    assert_refused(test, CONV_STATE);
    run_sql(test->path, "UPDATE accounts SET id = 8 WHERE id = 7");
}

static void a_store_is_left_alone(void **state)
{
    saving_fixture *test = *state;
    conv__store *store = NULL;
    conv_error error;
    conv_schema_state schema;
    const conv__sqlite_params params = {.path = test->path, .create = true};
    assert_ok(conv__sqlite_store_open(&params, false, &store, &error), error);
    assert_ok(store->functions->migrate(store, conv__deadline_in_ms(10000), &schema, &error),
              error);
    store->functions->close(store);
    assert_refused(test, CONV_STATE);
}

/* What a power cut leaves of a file just made holds nothing, and nobody misses it. */
static void a_page_of_zeros_keeps_nobody_out(void **state)
{
    saving_fixture *test = *state;
    static const char zeros[4096];
    char *set_aside = NULL;
    conv__journal *journal = NULL;
    conv_error error;
    write_file(test->path, zeros, sizeof zeros);
    assert_ok(conv__sqlite_journal_open(test->path, false, &set_aside, &journal, &error), error);
    assert_non_null(set_aside);
    conv__release(set_aside);
    journal->functions->close(journal);
}

static void assert_rescued(saving_fixture *test, long at, size_t size)
{
    static const char zeros[4096];
    char *set_aside = NULL;
    conv__journal *journal = NULL;
    conv_error error;
    make_journal(test);
    FILE *file = fopen(test->path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    assert_int_equal(fwrite(zeros, 1, size, file), size);
    fclose(file);
    assert_ok(conv__sqlite_journal_open(test->path, false, &set_aside, &journal, &error), error);
    journal->functions->close(journal);
    conv__release(set_aside);
    saving_empty_folder(test);
}

static void a_journal_without_a_sector_or_its_first_page_is_known(void **state)
{
    saving_fixture *test = *state;
    for (long at = 0; at < 8192; at += 512)
        assert_rescued(test, at, 512);
    assert_rescued(test, 0, 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SAVING(an_archive_is_left_alone),
        WITH_SAVING(an_archive_of_a_journal_is_left_alone),
        WITH_SAVING(bytes_of_any_size_are_left_alone),
        WITH_SAVING(a_database_of_another_program_is_left_alone),
        WITH_SAVING(a_log_of_another_program_is_left_alone),
        WITH_SAVING(a_store_is_left_alone),
        WITH_SAVING(a_page_of_zeros_keeps_nobody_out),
        WITH_SAVING(a_journal_without_a_sector_or_its_first_page_is_known),
    };
    return RUN_TESTS("journal foreign", tests);
}
