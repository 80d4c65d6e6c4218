/* What is set aside of a damaged journal is what was found, byte for byte: it is the evidence. */
#include "support/test.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/memory.h"
#include "core/time.h"
#include "repositories/sqlite/journal.h"
#include "support/folder.h"
#include "support/saving_fixture.h"

enum { MOST = 4 << 20, ENTRIES = 40, PAGE = 4096 };

typedef struct content {
    char *bytes;
    size_t size;
} content;

static content read_file(const char *path, const char *ending)
{
    char name[192];
    content read = {.bytes = malloc(MOST)};
    snprintf(name, sizeof name, "%s%s", path, ending);
    FILE *file = fopen(name, "rb");
    if (file == NULL) return read;
    read.size = fread(read.bytes, 1, MOST, file);
    fclose(file);
    return read;
}

static void assert_same(content before, const char *path, const char *ending)
{
    content after = read_file(path, ending);
    assert_int_equal(after.size, before.size);
    if (before.size > 0) assert_memory_equal(after.bytes, before.bytes, before.size);
    free(after.bytes);
}

/* A journal as a kill leaves it, with all of its entries in its log; or, closed, with none. */
static void make_journal(saving_fixture *test, bool killed, int entries)
{
    char command[512];
    conv__saving *saving = saving_open(test);
    mock_store_set_away(&test->mock, true);
    for (int i = 0; i < entries; i++) {
        conv__exchange exchange = saving_exchange(conv_uuid_v7());
        assert_int_equal(saving_save(saving, &exchange, false, NULL), CONV_OK);
    }
    snprintf(command, sizeof command, "cd '%s' && cp journal.db k && cp journal.db-wal k-wal",
             test->folder);
    assert_int_equal(system(command), 0);
    conv__saving_close(saving, 0, NULL, NULL);
    snprintf(command, sizeof command, "cd '%s' && mv k journal.db && mv k-wal journal.db-wal",
             test->folder);
    if (killed) assert_int_equal(system(command), 0);
}

static void damage(saving_fixture *test, const char *ending, long at, size_t size)
{
    char name[192];
    snprintf(name, sizeof name, "%s%s", test->path, ending);
    FILE *file = fopen(name, "r+b");
    assert_non_null(file);
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(fseek(file, at + (long)i, SEEK_SET), 0);
        int byte = fgetc(file);
        assert_int_equal(fseek(file, at + (long)i, SEEK_SET), 0);
        fputc(byte ^ 1, file);
    }
    fclose(file);
}

/* Opens the damaged journal; what is set aside is what `file` and `log` hold. */
static int64_t rescue(saving_fixture *test, content file, content log)
{
    char *set_aside = NULL;
    conv__journal *journal = NULL;
    conv__journal_counts counts;
    conv_error error;
    assert_ok(conv__sqlite_journal_open(test->path, false, &set_aside, &journal, &error), error);
    assert_non_null(set_aside);
    assert_ok(journal->functions->count(journal, conv__deadline_in_ms(5000), &counts, &error),
              error);
    journal->functions->close(journal);
    assert_same(file, set_aside, "");
    assert_same(log, set_aside, "-wal");
    assert_int_equal(folder_count(test->folder, ".copy"), 0);
    conv__release(set_aside);
    free(file.bytes);
    free(log.bytes);
    return counts.exchanges;
}

static int64_t rescue_damaged(saving_fixture *test)
{
    content file = read_file(test->path, "");
    return rescue(test, file, read_file(test->path, "-wal"));
}

static void a_file_is_kept_as_it_was(void **state)
{
    saving_fixture *test = *state;
    static const long places[] = {3, 17, 18, 19, 21, PAGE + 3, 2 * PAGE + 3};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        make_journal(test, false, ENTRIES);
        damage(test, "", places[i], places[i] < PAGE ? 1 : 200);
        int64_t exchanges = rescue_damaged(test);
        if (places[i] < PAGE) assert_int_equal(exchanges, ENTRIES);
        saving_empty_folder(test);
    }
}

/* The header of the file, or one frame of the log. */
static void a_file_with_a_log_is_kept_as_it_was(void **state)
{
    saving_fixture *test = *state;
    static const long places[] = {3, 18};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        make_journal(test, true, ENTRIES);
        damage(test, "", places[i], 1);
        assert_int_equal(rescue_damaged(test), ENTRIES);
        saving_empty_folder(test);
    }
    make_journal(test, true, ENTRIES);
    damage(test, "-wal", 32 + 10 * (24 + PAGE) + 300, 1);
    assert_in_range(rescue_damaged(test), 1, ENTRIES);
}

/* A process that died while it read its copy leaves a half of it behind. */
static void a_copy_that_was_left_behind_is_made_anew(void **state)
{
    saving_fixture *test = *state;
    char command[512];
    make_journal(test, true, ENTRIES);
    damage(test, "", 18, 1);
    content file = read_file(test->path, "");
    content log = read_file(test->path, "-wal");
    snprintf(
        command, sizeof command,
        "cd '%s' && mv journal.db journal.db.damaged && mv journal.db-wal journal.db.damaged-wal"
        " && head -c 99999 /dev/urandom > journal.db.damaged.copy"
        " && head -c 99999 /dev/urandom > journal.db.damaged.copy-wal",
        test->folder);
    assert_int_equal(system(command), 0);
    assert_int_equal(rescue(test, file, log), ENTRIES);
}

/* The disk has room for the new journal and not for a copy: nothing is lost, and once there is room
 * the next opening goes on. */
static void without_room_for_a_copy_nothing_is_lost(void **state)
{
    saving_fixture *test = *state;
    enum { MANY = 600, ROOM = 200000 };
    char *set_aside = NULL;
    conv__journal *journal = NULL;
    conv_error error;
    struct rlimit before;
    char damaged[128];
    make_journal(test, false, MANY);
    damage(test, "", 18, 1);
    content file = read_file(test->path, "");
    content log = read_file(test->path, "-wal");
    assert_true(file.size > 2 * ROOM);
    snprintf(damaged, sizeof damaged, "%s.damaged", test->path);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit small = {.rlim_cur = ROOM, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    conv_status status = conv__sqlite_journal_open(test->path, false, &set_aside, &journal, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_status(status, CONV_UNAVAILABLE, error);
    assert_non_null(strstr(error.message, damaged));
    assert_same(file, damaged, "");
    assert_int_equal(folder_count(test->folder, ".copy"), 0);
    assert_int_equal(rescue(test, file, log), MANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SAVING(a_file_is_kept_as_it_was),
        WITH_SAVING(a_file_with_a_log_is_kept_as_it_was),
        WITH_SAVING(a_copy_that_was_left_behind_is_made_anew),
        WITH_SAVING(without_room_for_a_copy_nothing_is_lost),
    };
    return RUN_TESTS("journal kept", tests);
}
