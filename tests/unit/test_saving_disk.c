/* A journal whose disk takes nothing for good: what the caller hears is what the next process
 * finds. */
#include "support/test.h"

#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/time.h"
#include "support/failing_disk.h"
#include "support/saving_fixture.h"

enum { MANY = 3 };

/* What the process that died was told. */
typedef struct answers {
    conv__save first;
    conv__save late[MANY];
    conv_status note;
    conv_error note_error;
} answers;

static answers *told;

static int setup(void **state)
{
    (void)state;
    told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return told != MAP_FAILED && failing_disk_install() == SQLITE_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return munmap(told, sizeof *told);
}

/* A child of its own: it ends without closing anything, as a crash does. */
static void run(saving_fixture *test, void (*body)(saving_fixture *test))
{
    int ended = 1;
    *told = (answers){.note = CONV_OK};
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        mock_store_set_away(&test->mock, true);
        body(test);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_int_equal(ended, 0);
}

static void try_to_save(conv__saving *saving, conv__save *save)
{
    conv__exchange exchange = saving_exchange(conv_uuid_v7());
    *save = (conv__save){.exchange = &exchange, .deadline_ns = conv__deadline_in_ms(5000)};
    save->status = conv__saving_save(saving, save, false);
}

static void save_on_a_failing_disk(saving_fixture *test)
{
    conv__saving *saving = saving_open(test);
    try_to_save(saving, &told->first);
    failing_disk_start(FAILING_DISK_SYNC, 1, SQLITE_IOERR_FSYNC, true);
    try_to_save(saving, &told->late[0]);
}

static void save_together_on_a_failing_disk(saving_fixture *test)
{
    conv__exchange exchanges[MANY];
    conv__save *saves[MANY];
    conv__saving *saving = saving_open(test);
    try_to_save(saving, &told->first);
    failing_disk_start(FAILING_DISK_SYNC, 1, SQLITE_IOERR_FSYNC, true);
    for (size_t i = 0; i < MANY; i++) {
        exchanges[i] = saving_exchange(conv_uuid_v7());
        told->late[i] =
            (conv__save){.exchange = &exchanges[i], .deadline_ns = conv__deadline_in_ms(5000)};
        saves[i] = &told->late[i];
    }
    conv__saving_save_many(saving, saves, MANY, false);
}

static void be_refused_on_a_failing_disk(saving_fixture *test)
{
    conv__exchange exchange = saving_exchange(conv_uuid_v7());
    mock_store_set_away(&test->mock, false);
    mock_store_set_poison(&test->mock, exchange.exchange_id,
                          mock_error(CONV_BAD_DATA, CONV_RECOVERY_REJECT, "22P05"));
    conv__saving *saving = saving_open(test);
    failing_disk_start(FAILING_DISK_SYNC, 1, SQLITE_IOERR_FSYNC, true);
    told->first = (conv__save){.exchange = &exchange, .deadline_ns = conv__deadline_in_ms(5000)};
    told->first.status = conv__saving_save(saving, &told->first, false);
}

static void note_on_a_failing_disk(saving_fixture *test)
{
    conv__saving *saving = saving_open(test);
    conv__exchange exchange = saving_exchange(conv_uuid_v7());
    failing_disk_start(FAILING_DISK_SYNC, 1, SQLITE_IOERR_FSYNC, true);
    told->note =
        conv__saving_note(saving, &exchange, conv__deadline_in_ms(5000), &told->note_error);
}

static int64_t found_by_the_next_process(saving_fixture *test)
{
    mock_store_set_away(&test->mock, true);
    conv__saving *saving = saving_open(test);
    int64_t found = saving_count(saving).exchanges;
    conv__saving_close(saving, 0, NULL, NULL);
    return found;
}

static void what_the_journal_may_have_is_unknown(void **state)
{
    saving_fixture *test = *state;
    run(test, save_on_a_failing_disk);
    assert_int_equal(told->first.status, CONV_OK);
    assert_int_equal(told->late[0].status, CONV_UNAVAILABLE);
    assert_int_equal(found_by_the_next_process(test), 2);
    assert_true(told->late[0].error.outcome_unknown);
}

static void of_several_likewise(void **state)
{
    saving_fixture *test = *state;
    run(test, save_together_on_a_failing_disk);
    assert_int_equal(told->first.status, CONV_OK);
    assert_int_equal(found_by_the_next_process(test), 1 + MANY);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(told->late[i].status, CONV_UNAVAILABLE);
        assert_true(told->late[i].error.outcome_unknown);
    }
}

static void a_refusal_says_that_there_may_be_no_dead_letter(void **state)
{
    saving_fixture *test = *state;
    run(test, be_refused_on_a_failing_disk);
    assert_int_equal(told->first.status, CONV_BAD_DATA);
    assert_string_equal(told->first.error.sqlstate, "22P05");
    assert_int_equal(told->first.error.recovery, CONV_RECOVERY_REJECT);
    assert_false(told->first.dead);
    assert_non_null(strstr(told->first.error.message, "; there may be no dead letter of it: "));
}

/* Nobody was asked, and nothing can come of it: that is known. */
static void a_note_that_failed_is_no_open_question(void **state)
{
    saving_fixture *test = *state;
    run(test, note_on_a_failing_disk);
    assert_int_equal(told->note, CONV_UNAVAILABLE);
    assert_false(told->note_error.outcome_unknown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SAVING(what_the_journal_may_have_is_unknown),
        WITH_SAVING(of_several_likewise),
        WITH_SAVING(a_refusal_says_that_there_may_be_no_dead_letter),
        WITH_SAVING(a_note_that_failed_is_no_open_question),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
