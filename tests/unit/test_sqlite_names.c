/* A folder that can't be synced: the names of new files may be lost with the power, and what they
 * hold with them. This program's functions come before the system's. */
#include "support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "repositories/sqlite/journal.h"
#include "repositories/sqlite/store.h"

static char folder[64];
static char path[128];
static conv_error error;
static int problem; /* of syncing a folder */
static int interruptions;
static bool refuses_folders; /* for want of descriptors */

int open(const char *name, int flags, ...)
{
    va_list words;
    va_start(words, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(words, mode_t) : 0;
    va_end(words);
    if (!refuses_folders || (flags & O_DIRECTORY) == 0)
        return (int)syscall(SYS_openat, AT_FDCWD, name, flags, mode);
    errno = EMFILE;
    return -1;
}

int fsync(int descriptor)
{
    struct stat status;
    if (problem == 0 || fstat(descriptor, &status) != 0 || !S_ISDIR(status.st_mode))
        return (int)syscall(SYS_fsync, descriptor);
    errno = problem;
    if (problem == EINTR && --interruptions == 0) problem = 0;
    return -1;
}

static int setup(void **state)
{
    (void)state;
    error = (conv_error)CONV_ERROR_INIT;
    problem = 0;
    refuses_folders = false;
    snprintf(folder, sizeof folder, "/tmp/conversation-names-XXXXXX");
    if (mkdtemp(folder) == NULL) return -1;
    snprintf(path, sizeof path, "%s/file.db", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static conv_status open_journal(bool unsynced)
{
    char *set_aside = NULL;
    conv__journal *journal = NULL;
    conv_status status = conv__sqlite_journal_open(path, unsynced, &set_aside, &journal, &error);
    assert_null(set_aside);
    assert_true((journal == NULL) == (status != CONV_OK));
    if (journal != NULL) journal->functions->close(journal);
    return status;
}

static void a_journal_whose_name_may_be_lost_takes_nothing(void **state)
{
    (void)state;
    problem = EIO;
    assert_status(open_journal(false), CONV_UNAVAILABLE, error);
    assert_int_equal(error.recovery, CONV_RECOVERY_OPERATOR);
    assert_non_null(strstr(error.message, path));
    assert_non_null(strstr(error.message, strerrordesc_np(EIO)));
    problem = 0;
    assert_ok(open_journal(false), error);
}

static void a_journal_that_is_there_is_synced_again(void **state)
{
    (void)state;
    assert_ok(open_journal(false), error);
    problem = EIO;
    assert_status(open_journal(false), CONV_UNAVAILABLE, error);
}

static void a_journal_that_promises_less_asks_for_less(void **state)
{
    (void)state;
    problem = EIO;
    assert_ok(open_journal(true), error);
}

static void a_file_system_that_syncs_no_folders_is_taken_as_it_is(void **state)
{
    (void)state;
    static const int codes[] = {EINVAL, EBADF, ENOSYS, ENOTSUP};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        problem = codes[i];
        assert_ok(open_journal(false), error);
    }
}

static void an_interrupted_sync_is_begun_again(void **state)
{
    (void)state;
    problem = EINTR;
    interruptions = 2;
    assert_ok(open_journal(false), error);
    assert_int_equal(interruptions, 0);
}

/* Nothing says that the next one finds no room for a descriptor either, as SQLite does. */
static void a_folder_that_can_not_be_opened_now_is_no_excuse(void **state)
{
    (void)state;
    refuses_folders = true;
    assert_status(open_journal(false), CONV_UNAVAILABLE, error);
    refuses_folders = false;
    assert_ok(open_journal(false), error);
}

static void a_store_whose_name_may_be_lost_takes_nothing(void **state)
{
    (void)state;
    const conv__sqlite_params params = {.path = path, .create = true};
    conv__store *store = NULL;
    problem = EIO;
    assert_status(conv__sqlite_store_open(&params, false, &store, &error), CONV_UNAVAILABLE, error);
    assert_null(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_journal_whose_name_may_be_lost_takes_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_journal_that_is_there_is_synced_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_journal_that_promises_less_asks_for_less, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_file_system_that_syncs_no_folders_is_taken_as_it_is,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(an_interrupted_sync_is_begun_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_that_can_not_be_opened_now_is_no_excuse, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_store_whose_name_may_be_lost_takes_nothing, setup,
                                        teardown),
    };
    return RUN_TESTS("names of SQLite's files", tests);
}
