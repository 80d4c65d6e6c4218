/* Opening an SQLite file: what is made, what is refused, and how it is said. */
#include "support/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "core/time.h"
#include "repositories/sqlite/store.h"

static char folder[64];
static char path[128];
static conv_error error;

static int setup(void **state)
{
    (void)state;
    error = (conv_error)CONV_ERROR_INIT;
    snprintf(folder, sizeof folder, "/tmp/conversation-open-XXXXXX");
    if (mkdtemp(folder) == NULL) return -1;
    snprintf(path, sizeof path, "%s/store.db", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[256];
    snprintf(command, sizeof command, "chmod -R u+w '%s' && rm -rf '%s'", folder, folder);
    return system(command);
}

static conv_status open_store(const char *file, bool read_only, bool create, conv__store **store)
{
    const conv__sqlite_params params = {.path = file, .read_only = read_only, .create = create};
    *store = (conv__store *)&params; /* must be overwritten */
    return conv__sqlite_store_open(&params, false, store, &error);
}

static void make_store(void)
{
    conv__store *store = NULL;
    conv_schema_state schema;
    assert_ok(open_store(path, false, true, &store), error);
    assert_ok(store->functions->migrate(store, conv__deadline_in_ms(10000), &schema, &error),
              error);
    store->functions->close(store);
}

static void write_file(const char *text, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    fclose(file);
}

/* One value by a connection of the test's own. */
static void assert_pragma(const char *pragma, const char *wanted)
{
    sqlite3 *database = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(database, pragma, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(statement, 0), wanted);
    sqlite3_finalize(statement);
    sqlite3_close(database);
}

static void refuse(const char *file, bool read_only, bool create, conv_status wanted,
                   const char *words)
{
    conv__store *store = NULL;
    assert_status(open_store(file, read_only, create, &store), wanted, error);
    assert_null(store);
    if (strstr(error.message, words) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", words, error.message);
}

static void test_a_new_file_is_private(void **state)
{
    (void)state;
    struct stat status;
    make_store();
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    char lock[160];
    snprintf(lock, sizeof lock, "%s-lock", path);
    assert_int_equal(stat(lock, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(status.st_size, 0);
    assert_pragma("PRAGMA journal_mode", "wal");
    assert_pragma("PRAGMA integrity_check", "ok");
}

static void test_others_may_write_where_the_file_lets_them(void **state)
{
    (void)state;
    struct stat status;
    write_file("", 0);
    assert_int_equal(chmod(path, 0660), 0);
    make_store();
    char lock[160];
    snprintf(lock, sizeof lock, "%s-lock", path);
    assert_int_equal(stat(lock, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0660);
}

static void test_what_is_not_there(void **state)
{
    (void)state;
    char nowhere[160];
    snprintf(nowhere, sizeof nowhere, "%s/no/folder/store.db", folder);
    refuse(path, false, false, CONV_UNAVAILABLE, "there is no file");
    refuse(path, true, false, CONV_UNAVAILABLE, "there is no file");
    refuse(path, true, true, CONV_UNAVAILABLE, "there is no file");
    assert_int_equal(access(path, F_OK), -1);
    refuse(nowhere, false, true, CONV_UNAVAILABLE, "folder");
    assert_int_equal(error.recovery, CONV_RECOVERY_OPERATOR);
    refuse(folder, false, true, CONV_UNAVAILABLE, "directory");
    refuse("", false, true, CONV_INVALID_ARGUMENT, "empty");
    refuse(NULL, false, true, CONV_INVALID_ARGUMENT, "empty");
    refuse(":memory:", true, false, CONV_INVALID_ARGUMENT, "memory");
}

static void test_what_is_no_database(void **state)
{
    (void)state;
    static const char text[] =
        "This is a letter, not a database. It is longer than the header of a "
        "database, which has a hundred bytes.";
    write_file(text, sizeof text - 1);
    refuse(path, false, true, CONV_BAD_DATA, "not an SQLite database");
    assert_int_equal(error.recovery, CONV_RECOVERY_OPERATOR);
    refuse(path, true, false, CONV_BAD_DATA, "not an SQLite database");
    FILE *file = fopen(path, "r");
    char still[sizeof text] = "";
    assert_int_equal(fread(still, 1, sizeof text - 1, file), sizeof text - 1);
    fclose(file);
    assert_string_equal(still, text);
}

static void test_a_damaged_file(void **state)
{
    (void)state;
    make_store();
    int descriptor = open(path, O_RDWR);
    char rubbish[4096];
    memset(rubbish, 0x5A, sizeof rubbish);
    /* The page of the schema, behind the file's header. */
    assert_int_equal(pwrite(descriptor, rubbish, 3900, 100), 3900);
    close(descriptor);
    refuse(path, false, true, CONV_BAD_DATA, "damaged");
    assert_int_equal(error.recovery, CONV_RECOVERY_OPERATOR);
}

/* A path is only ever a path, also where SQLite would see a URI or a temporary database. */
static void test_strange_names(void **state)
{
    (void)state;
    static const char *const names[] = {"file:x?mode=memory", "a b'c\"d%e", ":memory:x", "-"};
    char before[512];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(folder), 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        conv__store *store = NULL;
        assert_ok(open_store(names[i], false, true, &store), error);
        store->functions->close(store);
        assert_int_equal(access(names[i], F_OK), 0);
    }
    assert_int_equal(chdir(before), 0);
}

static void test_links_lead_to_one_lock(void **state)
{
    (void)state;
    char link[160];
    char lock[192];
    make_store();
    snprintf(link, sizeof link, "%s/link.db", folder);
    snprintf(lock, sizeof lock, "%s-lock", link);
    assert_int_equal(symlink(path, link), 0);
    conv__store *store = NULL;
    assert_ok(open_store(link, false, false, &store), error);
    store->functions->close(store);
    assert_int_equal(access(lock, F_OK), -1);
}

static void test_a_reader_changes_nothing(void **state)
{
    (void)state;
    make_store();
    conv__store *store = NULL;
    conv__transaction *transaction = NULL;
    conv_schema_state schema;
    assert_ok(open_store(path, true, true, &store), error);
    assert_status(store->functions->begin(store, CONV__TRANSACTION_WRITE,
                                          conv__deadline_in_ms(1000), &transaction, &error),
                  CONV_PERMISSION, error);
    assert_status(store->functions->migrate(store, conv__deadline_in_ms(1000), &schema, &error),
                  CONV_PERMISSION, error);
    assert_ok(store->functions->read_schema(store, conv__deadline_in_ms(1000), &schema, &error),
              error);
    assert_true(schema.version == schema.wanted);
    store->functions->close(store);
}

static void test_a_file_without_schema(void **state)
{
    (void)state;
    conv__store *store = NULL;
    conv_schema_state schema;
    assert_ok(open_store(path, false, true, &store), error);
    store->functions->close(store);
    assert_ok(open_store(path, true, false, &store), error);
    assert_ok(store->functions->read_schema(store, conv__deadline_in_ms(1000), &schema, &error),
              error);
    assert_true(schema.version == 0);
    store->functions->close(store);
}

static void test_in_memory(void **state)
{
    (void)state;
    conv__store *first = NULL;
    conv__store *second = NULL;
    conv_schema_state schema;
    assert_ok(open_store(":memory:", false, false, &first), error);
    assert_ok(open_store(":memory:", false, false, &second), error);
    assert_ok(first->functions->migrate(first, conv__deadline_in_ms(1000), &schema, &error), error);
    assert_ok(second->functions->read_schema(second, conv__deadline_in_ms(1000), &schema, &error),
              error);
    assert_true(schema.version == 0);
    first->functions->close(first);
    second->functions->close(second);
    assert_int_equal(access(":memory:", F_OK), -1);
}

/* What an unprivileged user meets. The exit code says which check failed. */
static int meet_permissions(void)
{
    conv__store *store = NULL;
    if (chmod(path, 0400) != 0 || (getuid() == 0 && chown(path, 65534, 65534) != 0)) return 10;
    if (getuid() == 0 && (chown(folder, 65534, 65534) != 0 || setuid(65534) != 0)) return 11;
    if (open_store(path, false, false, &store) != CONV_PERMISSION) return 1;
    if (open_store(path, true, false, &store) != CONV_OK) return 2;
    store->functions->close(store);
    if (chmod(path, 0) != 0 || open_store(path, true, false, &store) != CONV_PERMISSION) return 3;
    if (chmod(path, 0600) != 0 || chmod(folder, 0500) != 0) return 12;
    if (open_store(path, false, false, &store) != CONV_PERMISSION) return 4;
    char other[128];
    snprintf(other, sizeof other, "%s/new.db", folder);
    if (open_store(other, false, true, &store) != CONV_PERMISSION) return 5;
    if (chmod(folder, 0) != 0) return 13;
    if (open_store(path, false, true, &store) != CONV_PERMISSION) return 6;
    return chmod(folder, 0700) == 0 ? 0 : 14;
}

/* A database in WAL mode can't be read where its log can't be made. */
static int meet_a_folder_that_is_read_only(void)
{
    conv__store *store = NULL;
    conv_schema_state schema;
    if (getuid() == 0 &&
        (chown(path, 65534, 65534) != 0 || chown(folder, 65534, 65534) != 0 || setuid(65534) != 0))
        return 10;
    if (chmod(folder, 0500) != 0) return 11;
    conv_status status = open_store(path, true, false, &store);
    if (status == CONV_OK) {
        status = store->functions->read_schema(store, conv__deadline_in_ms(1000), &schema, &error);
        store->functions->close(store);
    }
    if (status != CONV_PERMISSION) return 1;
    return strstr(error.message, "make the folder writable, or copy the file") != NULL ? 0 : 2;
}

static void test_a_folder_that_is_read_only(void **state)
{
    (void)state;
    make_store();
    pid_t child = fork();
    if (child == 0) _exit(meet_a_folder_that_is_read_only());
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_missing_rights(void **state)
{
    (void)state;
    write_file("", 0);
    pid_t child = fork();
    if (child == 0) _exit(meet_permissions());
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_new_file_is_private, setup, teardown),
        cmocka_unit_test_setup_teardown(test_others_may_write_where_the_file_lets_them, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_is_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_database, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_damaged_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_strange_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links_lead_to_one_lock, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_reader_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_file_without_schema, setup, teardown),
        cmocka_unit_test_setup_teardown(test_in_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing_rights, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_folder_that_is_read_only, setup, teardown),
    };
    return RUN_TESTS("sqlite open", tests);
}
