/* Which store is meant, before and after it is opened: who names it, in which order, and that
 * nothing but an SQLite file's path is given out. */
#include "support/test.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conversation/client.h"
#include "conversation/store.h"
#include "support/program.h"

#define SECRET "postgresql://ann:hunter2@db.example.org/app"

static conv_store_location *location;

static int setup(void **state)
{
    (void)state;
    test_program_setup(NULL);
    unsetenv("XDG_DATA_HOME");
    location = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    conv_store_location_free(location);
    test_program_teardown();
    return 0;
}

static void locate(const char *setting)
{
    conv_error error;
    conv_store_location_free(location);
    assert_ok(conv_store_locate(setting, &location, &error), error);
}

static void assert_file(const char *file)
{
    assert_int_equal(location->kind, CONV_STORE_SQLITE);
    assert_string_equal(location->file, file);
}

static void the_first_that_names_one_decides(void **state)
{
    (void)state;
    setenv("DATABASE_URL", SECRET, 1);
    locate(NULL);
    assert_int_equal(location->kind, CONV_STORE_POSTGRESQL);
    assert_null(location->file);
    assert_string_equal(location->variable, "DATABASE_URL");
    assert_false(location->is_default);
    setenv("CONVERSATION_STORE", "sqlite:here.db", 1);
    locate("");
    assert_file("here.db");
    assert_string_equal(location->variable, "CONVERSATION_STORE");
    locate("sqlite://tmp/there.db");
    assert_file("tmp/there.db");
    assert_null(location->variable);
    assert_false(location->is_default);
    setenv("CONVERSATION_STORE", "", 1);
    locate(NULL);
    assert_string_equal(location->variable, "DATABASE_URL");
}

static void the_default_is_a_file_that_is_not_made(void **state)
{
    (void)state;
    char file[512];
    locate(NULL);
    snprintf(file, sizeof file, "%s/.local/share/conversation/conversation.db", getenv("HOME"));
    assert_file(file);
    assert_null(location->variable);
    assert_true(location->is_default);
    setenv("XDG_DATA_HOME", "relative", 1);
    locate(NULL);
    assert_file(file);
    snprintf(file, sizeof file, "%s/data", getenv("HOME"));
    setenv("XDG_DATA_HOME", file, 1);
    locate(NULL);
    snprintf(file, sizeof file, "%s/data/conversation/conversation.db", getenv("HOME"));
    assert_file(file);
    assert_int_equal(access(".local", F_OK), -1);
    assert_int_equal(access("data", F_OK), -1);
}

static void a_client_opens_what_was_located(void **state)
{
    (void)state;
    static const char *const settings[] = {NULL, "sqlite:named.db"};
    for (size_t i = 0; i < 2; i++) {
        conv_error error;
        conv_client *client = NULL;
        conv_client_params params = CONV_CLIENT_PARAMS_INIT;
        params.store = settings[i];
        locate(settings[i]);
        assert_int_equal(access(location->file, F_OK), -1);
        params.read_only = true;
        assert_status(conv_client_open(&params, &client, &error), CONV_UNAVAILABLE, error);
        assert_int_equal(access(".local", F_OK), i == 0 ? -1 : 0);
        params.read_only = false;
        assert_ok(conv_client_open(&params, &client, &error), error);
        assert_ok(conv_client_close(client, 1000, &error), error);
        assert_int_equal(access(location->file, F_OK), 0);
    }
    struct stat folder;
    assert_int_equal(stat(".local/share/conversation", &folder), 0);
    assert_int_equal(folder.st_mode & 0777, 0700);
}

static void what_names_no_store_is_refused_without_repeating_it(void **state)
{
    (void)state;
    static const char *const wrong[] = {"ann:hunter2@db.example.org", "mysql://ann:hunter2@db/app",
                                        "hunter2", "host"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        conv_error error;
        conv_store_location_free(location);
        assert_status(conv_store_locate(wrong[i], &location, &error), CONV_INVALID_ARGUMENT, error);
        assert_null(location);
        assert_null(strstr(error.message, "hunter2"));
    }
    conv_error error;
    unsetenv("HOME");
    assert_status(conv_store_locate(NULL, &location, &error), CONV_INVALID_ARGUMENT, error);
    assert_contains(error.message, "CONVERSATION_STORE");
    assert_status(conv_store_locate(NULL, NULL, &error), CONV_INVALID_ARGUMENT, error);
    assert_int_equal(conv_store_locate(NULL, &location, NULL), CONV_INVALID_ARGUMENT);
    conv_store_location_free(NULL);
}

static void other_forms_are_postgresql_or_memory(void **state)
{
    (void)state;
    static const char *const forms[] = {SECRET, "postgres:///app", "host=/tmp password=hunter2"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        locate(forms[i]);
        assert_int_equal(location->kind, CONV_STORE_POSTGRESQL);
        assert_null(location->file);
    }
    locate("sqlite::memory:");
    assert_file(":memory:");
}

static void try_journal(const char *store, const char *journal, conv_status wanted)
{
    conv_error error;
    conv_client *client = NULL;
    conv_client_params params = CONV_CLIENT_PARAMS_INIT;
    params.store = store;
    params.journal = journal;
    conv_status status = conv_client_open(&params, &client, &error);
    if (wanted == CONV_OK) {
        assert_ok(status, error);
        assert_ok(conv_client_close(client, 1000, &error), error);
        return;
    }
    assert_status(status, wanted, error);
    assert_contains(error.message, journal);
    assert_contains(error.message, "name another file");
}

static void the_store_is_not_its_own_journal(void **state)
{
    (void)state;
    static const char *const names[] = {"own.db", "./own.db", "folder/../own.db", "link/own.db"};
    assert_int_equal(mkdir("folder", 0700), 0);
    assert_int_equal(symlink(".", "link"), 0);
    for (int there = 0; there < 2; there++) {
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            try_journal("sqlite:own.db", names[i], CONV_INVALID_ARGUMENT);
        assert_int_equal(access("own.db", F_OK), there == 0 ? -1 : 0);
        try_journal("sqlite:own.db", there == 0 ? "journal.db" : "folder/own.db", CONV_OK);
    }
    assert_int_equal(link("own.db", "hard.db"), 0);
    assert_int_equal(symlink("own.db", "soft.db"), 0);
    try_journal("sqlite:own.db", "hard.db", CONV_INVALID_ARGUMENT);
    try_journal("sqlite:own.db", "soft.db", CONV_INVALID_ARGUMENT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_first_that_names_one_decides),
        TEST(the_default_is_a_file_that_is_not_made),
        TEST(a_client_opens_what_was_located),
        TEST(what_names_no_store_is_refused_without_repeating_it),
        TEST(other_forms_are_postgresql_or_memory),
        TEST(the_store_is_not_its_own_journal),
    };
    return RUN_TESTS("store location", tests);
}
