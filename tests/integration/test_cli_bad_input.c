/* Whatever is wrong when the program starts: each has its exit code and one clear line, and leaves
 * nothing behind. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "support/http_server.h"
#include "support/program_one.h"
#include "support/store.h"
#include "support/test.h"

/* The first line of standard error begins so, nothing is on standard output, and no more than a
 * hint follows. */
#define assert_complains(begins)                                                                   \
    do {                                                                                           \
        assert_string_equal(test_output, "");                                                      \
        if (strncmp(test_errors, begins, strlen(begins)) != 0)                                     \
            fail_msg("standard error is:\n%s", test_errors);                                       \
        const char *end = strchr(test_errors, '\n');                                               \
        assert_non_null(end);                                                                      \
        if (end[1] != '\0' && strncmp(end + 1, "hint: ", 6) != 0)                                  \
            fail_msg("standard error is:\n%s", test_errors);                                       \
    } while (0)

static void a_wrong_command_line(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation exprot"), 2);
    assert_string_equal(test_errors,
                        "conversation: unknown command 'exprot'; did you mean 'export'?\n"
                        "hint: `conversation help` lists the commands\n");
    assert_int_equal(test_run("conversation export --otuput x"), 2);
    assert_complains("conversation: unknown option --otuput; did you mean --output?\n");
    assert_int_equal(test_run("conversation help nonsense"), 2);
    assert_complains("conversation: help: there is no such command\n");
    assert_int_equal(test_run("conversation sessions --json --csv"), 2);
    assert_complains("conversation: sessions: --json, --jsonl and --csv exclude each other\n");
    assert_int_equal(test_run("conversation history s --after 1 --last 2"), 2);
    assert_complains("conversation: history: --after, --before and --last exclude each other\n");
    assert_int_equal(test_run("conversation export --session a --user b"), 2);
    assert_complains("conversation: export: --session and --user exclude each other\n");
    assert_int_equal(test_run("conversation chat --provider nobody hi"), 2);
    assert_complains("conversation: chat: --provider is openai, echo or recorded:FILE\n");
}

static void a_file_that_is_not_there(void **state)
{
    (void)state;
    static const char *const commands[] = {"replay", "import"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(test_run("conversation %s none.jsonl --store sqlite:s.db", commands[i]),
                         4);
        assert_complains("conversation: ");
        assert_contains(test_errors, "none.jsonl");
        assert_int_equal(test_run("conversation %s . --store sqlite:s.db", commands[i]), 2);
        assert_complains("conversation: ");
    }
    assert_int_equal(test_run("conversation chat --provider recorded:none.jsonl hi "
                              "--store sqlite:s.db"),
                     4);
    assert_complains("conversation: ");
    assert_int_not_equal(access("s.db", F_OK), 0);
}

static void a_store_that_is_not_there(void **state)
{
    (void)state;
    static const char *const commands[] = {"sessions", "usage", "export", "history s",
                                           "delete --yes s"};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        assert_int_equal(test_run("conversation %s --store sqlite:none.db", commands[i]), 3);
        assert_complains("conversation: ");
        assert_contains(test_errors, "none.db\nhint: this store is named by --store\n");
        assert_int_not_equal(access("none.db", F_OK), 0);
    }
    assert_int_equal(test_run("conversation replay one.jsonl --store sqlite:none/none.db"), 3);
    assert_complains("conversation: ");
}

static void the_default_store_is_in_the_data_folder(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation sessions"), 3);
    assert_contains(test_errors, "\nhint: nothing was saved here yet; --store or ");
    assert_int_not_equal(access(".local", F_OK), 0);
    assert_int_equal(test_run("conversation replay one.jsonl"), 0);
    assert_int_equal(access(".local/share/conversation/conversation.db", F_OK), 0);
    assert_int_equal(test_run("XDG_DATA_HOME=$PWD/data conversation replay one.jsonl"), 0);
    assert_int_equal(access("data/conversation/conversation.db", F_OK), 0);
    assert_int_equal(test_run("DATABASE_URL=sqlite:url.db conversation replay one.jsonl"), 0);
    assert_int_equal(access("url.db", F_OK), 0);
    assert_int_equal(test_run("DATABASE_URL=sqlite:no.db CONVERSATION_STORE=sqlite:yes.db "
                              "conversation replay one.jsonl && ls *.db"),
                     0);
    assert_contains(test_output, "url.db\nyes.db\n");
}

static void a_file_that_is_no_database(void **state)
{
    (void)state;
    assert_int_equal(test_run("seq 5000 >text.db; conversation sessions --store sqlite:text.db"),
                     3);
    assert_complains("conversation: ");
    assert_int_equal(test_run("conversation replay one.jsonl --store sqlite:text.db"), 3);
    assert_complains("conversation: ");
    assert_int_equal(test_run("seq 5000 | cmp - text.db"), 0);
}

static void a_server_that_is_not_there(void **state)
{
    (void)state;
    static const char *const commands[] = {"sessions", "replay one.jsonl", "migrate",
                                           "delete --yes s", "chat --provider echo hi"};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        assert_int_equal(
            test_run("conversation %s --store postgresql://user:secret@127.0.0.1:1/app",
                     commands[i]),
            3);
        assert_complains("conversation: ");
        assert_null(strstr(test_errors, "secret"));
    }
    assert_int_equal(test_run("conversation sessions --store 'host=x nonsense=1'"), 2);
    assert_complains("conversation: ");
}

/* Starts a server that answers a connection with these bytes; the store's URL for it. */
static const char *server_of(const char *bytes, size_t size, http_server **server)
{
    static char url[256];
    static http_reply reply;
    reply = (http_reply){.bytes = bytes, .size = size, .end = HTTP_HANG, .deaf = true};
    *server = http_server_start(&reply, 1);
    const char *port = strrchr(http_server_url(*server), ':') + 1;
    snprintf(url, sizeof url,
             "postgresql://user:secret@127.0.0.1:%.*s/app?sslmode=disable&gssencmode=disable",
             (int)strcspn(port, "/"), port);
    return url;
}

static void a_server_that_is_not_postgresql(void **state)
{
    (void)state;
    http_server *server = NULL;
    const char *url = server_of("HTTP/1.1 400 Bad Request\r\n\r\n", 0, &server);
    assert_int_equal(test_run("conversation sessions --store '%s'", url), 3);
    assert_complains("conversation: ");
    assert_null(strstr(test_errors, "secret"));
    http_server_stop(server);
}

/* Whatever is not understood may hold a password: none of it goes to a server or into a message. */
static void a_store_of_an_unknown_kind(void **state)
{
    (void)state;
    static const struct {
        const char *store;
        const char *says;
    } cases[] = {
        {"mysql://x:secretpw@y/z", "unknown scheme \"mysql\""},
        {"mysql://x:secretpw@y/z?a=b", "unknown scheme \"mysql\""},
        {"postgresq://x:secretpw@y/z", "unknown scheme \"postgresq\""},
        {"postgresql:x:secretpw@y/z", "unknown scheme \"postgresql\""},
        {"sqlite3:secretpw.db", "unknown scheme \"sqlite3\""},
        {"secretpw", "without a scheme"},
        {"//x:secretpw@y/z", "without a scheme"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int by_variable = 0; by_variable < 2; by_variable++) {
            assert_int_equal(
                by_variable
                    ? test_run("CONVERSATION_STORE='%s' conversation sessions", cases[i].store)
                    : test_run("conversation sessions --store '%s'", cases[i].store),
                2);
            assert_complains("conversation: ");
            assert_contains(test_errors, cases[i].says);
            assert_contains(test_errors, "use postgresql://..., key=value or sqlite:FILE");
            assert_null(strstr(test_errors, "secretpw"));
        }
    }
}

static void an_empty_name_of_a_store_is_none(void **state)
{
    (void)state;
    assert_int_equal(test_run("CONVERSATION_STORE= DATABASE_URL= conversation migrate --store ''"),
                     0);
    assert_int_equal(access(".local/share/conversation/conversation.db", F_OK), 0);
}

static int count_row(void *context, int columns, char **values, char **names)
{
    (void)columns;
    (void)values;
    (void)names;
    ++*(int *)context;
    return 0;
}

/* Nobody asked for our tables in it. */
static void a_file_of_another_program(void **state)
{
    (void)state;
    sqlite3 *database = NULL;
    assert_int_equal(sqlite3_open("foreign.db", &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, "CREATE TABLE theirs (a)", NULL, NULL, NULL), 0);
    assert_int_equal(test_run("conversation replay one.jsonl --store sqlite:foreign.db"), 3);
    assert_complains("conversation: ");
    assert_contains(test_errors, "tables of another program");
    assert_contains(test_errors, "`conversation migrate`");
    int tables = 0;
    assert_int_equal(sqlite3_exec(database, "SELECT 1 FROM sqlite_schema", count_row, &tables, 0),
                     0);
    assert_int_equal(tables, 1);
    sqlite3_close(database);
    assert_int_equal(test_run("conversation migrate --store sqlite:foreign.db"), 0);
    assert_int_equal(test_run("conversation replay one.jsonl --store sqlite:foreign.db"), 0);
}

static void a_wrong_password(void **state)
{
    (void)state;
    /* A request for the password in clear text, then SQLSTATE 28P01. */
    static const char bytes[] =
        "R\0\0\0\x08\0\0\0\x03"
        "E\0\0\0\x43SFATAL\0C28P01\0Mpassword authentication failed for user \"user\"\0";
    http_server *server = NULL;
    const char *url = server_of(bytes, sizeof bytes, &server);
    assert_int_equal(test_run("conversation sessions --store '%s'", url), 3);
    assert_complains("conversation: ");
    assert_contains(test_errors, "hint: a password comes from PGPASSWORD, ~/.pgpass");
    assert_null(strstr(test_errors, "secret"));
    http_server_stop(server);
}

static void a_file_of_another_kind_is_not_listed_whole(void **state)
{
    (void)state;
    assert_int_equal(test_run("seq -f 'line %%g' 72 >notes.md; "
                              "conversation import notes.md --store sqlite:s.db >/dev/null; "
                              "code=$?; exit $code"),
                     1);
    assert_contains(test_errors, "conversation: read transcripts: line 10: not JSON at byte 0\n"
                                 "conversation: 62 more could not be read either, and are not "
                                 "listed\nhint: FILE should be JSON Lines, ");
    assert_int_equal(test_run("head -n 3 notes.md | cat - one.jsonl | "
                              "conversation import - --store sqlite:s.db >&2"),
                     1);
    assert_contains(test_errors, "1 conversation, 1 exchange");
    assert_null(strstr(test_errors, "hint: "));
}

static void a_turn_that_is_refused_is_named_by_its_line(void **state)
{
    (void)state;
    static const char lines[] =
        "\n{\"id\": \"c\\u001b7\", \"messages\": [{\"role\": \"user\", \"content\": \"\"}, "
        "{\"role\": \"assistant\", \"content\": \"x\"}]}\n";
    test_write_file("empty.jsonl", lines, sizeof lines - 1);
    assert_int_equal(test_run("conversation replay empty.jsonl --store sqlite:s.db"), 1);
    assert_string_equal(test_errors, "conversation: line 2 (c\\x1b7), turn 1: process message: "
                                     "message 1 of the user is empty\n");
}

static void a_folder_that_may_not_be_made(void **state)
{
    (void)state;
    assert_int_equal(test_run("touch data; XDG_DATA_HOME=$PWD/data/x "
                              "conversation replay one.jsonl"),
                     3);
    assert_complains("conversation: ");
    assert_contains(test_errors, "\nhint: `ls -ld` ");
    assert_null(strstr(test_errors, "PGPASSWORD"));
}

static void a_user_without_rights_to_the_tables(void **state)
{
    (void)state;
    const char *store = test_store_create("postgresql");
    test_store_execute("postgresql", "DROP ROLE IF EXISTS conversation_without_rights; "
                                     "CREATE ROLE conversation_without_rights");
    assert_int_equal(test_run("conversation migrate --store '%s'", store), 0);
    assert_int_equal(test_run("PGOPTIONS='-c role=conversation_without_rights' "
                              "conversation sessions --store '%s'",
                              store),
                     3);
    assert_complains("conversation: ");
    assert_contains(test_errors, "\nhint: GRANT gives this role ");
    assert_null(strstr(test_errors, "PGPASSWORD"));
    test_store_execute("postgresql", "DROP ROLE conversation_without_rights");
    test_store_drop("postgresql");
}

/* On both stores: the schema is not the one that this program knows. */
static void the_schema_of(const char *kind)
{
    const char *store = test_store_create(kind);
    bool postgresql = strcmp(kind, "postgresql") == 0;
    setenv("CONVERSATION_STORE", store, 1);
    if (postgresql) {
        assert_int_equal(test_run("conversation sessions"), 3);
        assert_complains("conversation: ");
        assert_contains(test_errors, "conversation migrate");
        assert_int_equal(test_run("conversation sessions --store \"%s dbname=missing\"", store), 3);
        assert_complains("conversation: ");
    }
    assert_int_equal(test_run("conversation migrate"), 0);
    assert_int_equal(test_run("conversation replay one.jsonl"), 0);
    test_store_execute(kind, "ALTER TABLE usage_logs RENAME TO away");
    assert_int_equal(test_run("conversation usage"), 3);
    assert_complains("conversation: ");
    assert_contains(test_errors, "`conversation migrate`; if that says up to date, restore ");
    test_store_execute(kind, "ALTER TABLE away RENAME TO usage_logs");

    test_store_execute(kind, "INSERT INTO conversation_schema (version, name) "
                             "VALUES (99991231000000, 'from_the_future')");
    static const char *const commands[] = {"sessions", "replay one.jsonl", "migrate"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(test_run("conversation %s", commands[i]), 3);
        assert_complains("conversation: ");
        assert_contains(test_errors, "newer");
    }
    test_store_execute(kind, "DELETE FROM conversation_schema WHERE version = 99991231000000");
    test_store_execute(kind, "DELETE FROM conversation_schema; INSERT INTO conversation_schema "
                             "(version, name) VALUES (20000101000000, 'from_the_past')");
    assert_int_equal(test_run("conversation sessions"), 3);
    assert_complains("conversation: ");
    assert_contains(test_errors, "conversation migrate");
    unsetenv("CONVERSATION_STORE");
    test_store_drop(kind);
}

static void a_schema_that_is_missing_too_old_or_too_new(void **state)
{
    (void)state;
    the_schema_of("sqlite");
    the_schema_of("postgresql");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, test_program_one_setup, test_program_one_teardown)
        TEST(a_wrong_command_line),
        TEST(a_file_that_is_not_there),
        TEST(a_store_that_is_not_there),
        TEST(the_default_store_is_in_the_data_folder),
        TEST(a_file_that_is_no_database),
        TEST(a_server_that_is_not_there),
        TEST(a_server_that_is_not_postgresql),
        TEST(a_store_of_an_unknown_kind),
        TEST(an_empty_name_of_a_store_is_none),
        TEST(a_file_of_another_program),
        TEST(a_wrong_password),
        TEST(a_user_without_rights_to_the_tables),
        TEST(a_schema_that_is_missing_too_old_or_too_new),
        TEST(a_file_of_another_kind_is_not_listed_whole),
        TEST(a_turn_that_is_refused_is_named_by_its_line),
        TEST(a_folder_that_may_not_be_made),
#undef TEST
    };
    return RUN_TESTS("bad input", tests);
}
