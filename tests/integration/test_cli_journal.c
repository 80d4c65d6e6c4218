/* --journal on the commands that save, and conversation journal, on both stores. */
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/loopback.h"
#include "support/program.h"
#include "support/store.h"
#include "support/test.h"

static const char *kind;

static int setup(void **state)
{
    (void)state;
    test_program_setup(test_store_create(kind));
    assert_int_equal(test_run("conversation migrate"), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_program_teardown();
    test_store_drop(kind);
    return 0;
}

static void take_away(void)
{
    test_store_execute(kind, "ALTER TABLE chat_exchanges RENAME TO away");
}

static void bring_back(void)
{
    test_store_execute(kind, "ALTER TABLE away RENAME TO chat_exchanges");
}

static long rows(const char *table)
{
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
    return strtol(test_store_value(kind, sql), NULL, 10);
}

static const char two[] =
    "{\"id\": \"first\", \"user\": \"u\", \"model\": \"m\", \"messages\": [{\"role\": \"user\", "
    "\"content\": \"one\"}, {\"role\": \"assistant\", \"content\": \"1\"}, {\"role\": \"user\", "
    "\"content\": \"two\"}, {\"role\": \"assistant\", \"content\": \"2\"}]}\n"
    "{\"id\": \"second\", \"user\": \"u\", \"model\": \"m\", \"messages\": [{\"role\": \"user\", "
    "\"content\": \"\\u0000x\"}, {\"role\": \"assistant\", \"content\": \"y\"}]}\n";

static void write_two(void)
{
    test_write_file("two.jsonl", two, sizeof two - 1);
}

static void what_the_store_misses_waits_and_is_brought_in(void **state)
{
    (void)state;
    write_two();
    take_away();
    assert_int_equal(test_run("conversation chat --provider echo --journal j.db --json hello"), 0);
    assert_contains(test_output, "\"saved\": \"journaled\"");
    assert_contains(test_errors, "wait in the journal");
    assert_contains(test_errors, "hint: `conversation journal retry --journal j.db`");
    assert_int_equal(test_run("conversation replay two.jsonl --journal j.db --json"), 0);
    assert_contains(test_output, "\"exchanges\": 3, \"messages\": 6, \"repeated\": 0, "
                                 "\"failed\": 0, \"journaled\": 3, ");
    assert_int_equal(test_run("conversation import two.jsonl --journal i.db"), 0);
    assert_contains(test_output, "3 exchanges went into the journal\n");
    assert_int_equal(test_run("conversation chat --provider echo hello"), 3);
    assert_int_equal(test_run("conversation journal list --journal j.db --json"), 0);
    assert_contains(test_output, "{\"exchanges\": 4, \"usage\": 0, \"turns\": 0, \"dead\": 0, ");
    assert_contains(test_output, "\"session\": \"first\", \"user\": \"u\"");
    bring_back();
    /* Replay has the very content of the import: once each, whoever comes second. */
    assert_int_equal(test_run("conversation journal retry --journal j.db --json"), 0);
    assert_string_equal(test_output, "{\"saved\": 4, \"refused\": 0, \"waiting\": 0, \"turns\": 0, "
                                     "\"dead\": 0, \"cause\": null}\n");
    assert_int_equal(test_run("conversation journal retry --journal i.db"), 0);
    assert_int_equal(rows("chat_exchanges"), 4);
    assert_int_equal(rows("usage_logs"), 4);
    assert_int_equal(test_run("conversation journal list --journal j.db"), 0);
    assert_string_equal(test_output, "");
    assert_contains(test_errors, "the journal is empty");
    assert_int_equal(test_run("conversation replay two.jsonl --journal j.db --json"), 0);
    assert_contains(test_output, "\"repeated\": 3, \"failed\": 0, \"journaled\": 0, ");
}

static void a_session_that_waits_can_be_changed_with_its_journal(void **state)
{
    (void)state;
    write_two();
    take_away();
    assert_int_equal(test_run("conversation replay two.jsonl --journal j.db"), 0);
    bring_back();
    assert_int_equal(test_run("conversation sessions tag first urgent"), 4);
    assert_int_equal(test_run("conversation sessions --journal j.db"), 2);
    assert_contains(test_errors, "--journal is for what changes a session");
    assert_int_equal(test_run("conversation sessions tag first urgent --journal j.db"), 0);
    assert_int_equal(test_run("conversation sessions --tag urgent --json"), 0);
    assert_contains(test_output, "\"first\"");
    assert_int_equal(test_run("conversation journal list --journal j.db"), 0);
    assert_contains(test_errors, "the journal is empty");
}

static void entries_are_shown_dropped_and_exported(void **state)
{
    (void)state;
    write_two();
    take_away();
    assert_int_equal(test_run("conversation replay two.jsonl --jobs 1 --journal j.db"), 0);
    bring_back();
    assert_int_equal(test_run("conversation journal list --journal j.db --jsonl --limit 1"), 0);
    assert_contains(test_output, "{\"entry\": ");
    assert_null(strchr(strchr(test_output, '\n') + 1, '{'));
    int entry = (int)strtol(test_output + strlen("{\"entry\": "), NULL, 10);
    assert_int_equal(test_run("conversation journal list --journal j.db"), 0);
    assert_contains(test_output, "exchange  first ");
    assert_null(strstr(test_output, "one"));
    assert_int_equal(test_run("conversation journal show %d --journal j.db", entry), 0);
    assert_contains(test_output, "session   first\n");
    assert_contains(test_output, "  one\n");
    assert_int_equal(test_run("conversation journal show %d --journal j.db --json", entry), 0);
    assert_contains(test_output, "{\"role\": \"user\", \"content\": \"one\"}");

    assert_int_equal(test_run("conversation journal export --journal j.db >out.jsonl"), 0);
    assert_int_equal(test_run("cmp out.jsonl two.jsonl"), 0);
    assert_int_equal(test_run("conversation journal export --journal j.db --output o.jsonl"), 0);
    assert_contains(test_errors, "2 sessions exported");
    assert_int_equal(test_run("cmp o.jsonl two.jsonl"), 0);

    assert_int_equal(test_run("conversation journal drop %d --journal j.db", entry), 2);
    assert_contains(test_errors, "--yes");
    assert_int_equal(test_run("conversation journal drop %d --yes --journal j.db", entry), 0);
    assert_int_equal(test_run("conversation journal drop %d --yes --journal j.db", entry), 4);
    assert_int_equal(test_run("conversation journal show %d --journal j.db", entry), 4);
    assert_contains(test_errors, "\nhint: `conversation journal list` lists them\n");
    assert_int_equal(test_run("conversation journal retry --journal j.db"), 0);
    assert_contains(test_output, "saved 2, refused 0\n");
    assert_int_equal(rows("chat_exchanges"), 2);
}

static pid_t start(const char *command)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0) return child;
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

static int end_of(pid_t child)
{
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Starts a turn, and comes back when the provider has been asked, who never answers. */
static pid_t start_turn(int listener, const char *port)
{
    char command[512];
    snprintf(command, sizeof command,
             "exec conversation chat --journal j.db --session s --turn-id t --model m --base-url "
             "http://127.0.0.1:%s/v1 question >.out 2>.err </dev/null",
             port);
    pid_t child = start(command);
    struct pollfd asked = {.fd = listener, .events = POLLIN};
    assert_int_equal(poll(&asked, 1, 20000), 1);
    return child;
}

static void an_interrupted_turn_is_listed_and_completed(void **state)
{
    (void)state;
    char port[LOOPBACK_PORT_SIZE];
    int listener = loopback_listen(port);
    pid_t child = start_turn(listener, port);
    assert_int_equal(test_run("conversation journal list --journal j.db"), 3);
    assert_contains(test_errors, "j.db is open in another live process");
    assert_contains(test_errors, "hint: that process saves what waits by itself");
    assert_int_equal(test_run("conversation chat --provider echo --journal j.db hi"), 3);
    kill(child, SIGKILL);
    assert_int_equal(end_of(child), 128 + SIGKILL);
    close(listener);
    assert_int_equal(test_run("conversation journal list --journal j.db"), 0);
    assert_contains(test_output, "turn  s ");
    assert_contains(test_errors, "1 turn was interrupted");
    assert_int_equal(test_run("conversation journal retry --journal j.db"), 0);
    assert_contains(test_output, "saved 0, refused 0\n");
    assert_int_equal(test_run("conversation journal retry --all --journal j.db"), 0);
    assert_contains(test_output, "saved 1, refused 0\n");
    assert_string_equal(test_store_value(kind, "SELECT status FROM chat_exchanges"), "failed");
    assert_int_equal(test_run("conversation chat --journal j.db --session s --turn-id t --provider "
                              "echo question"),
                     0);
    assert_string_equal(test_output, "question\n");
    assert_int_equal(rows("chat_exchanges"), 1);
    assert_int_equal(rows("chat_messages"), 2);
    assert_int_equal(rows("usage_logs"), 1);
}

static void sigterm_in_a_turn_saves_it_and_leaves_the_journal_empty(void **state)
{
    (void)state;
    char port[LOOPBACK_PORT_SIZE];
    int listener = loopback_listen(port);
    pid_t child = start_turn(listener, port);
    kill(child, SIGTERM);
    assert_int_equal(end_of(child), 143);
    close(listener);
    assert_string_equal(test_store_value(kind, "SELECT status FROM chat_exchanges"), "failed");
    assert_int_equal(test_run("conversation journal list --journal j.db"), 0);
    assert_contains(test_errors, "the journal is empty");
}

/* The first conversation is stored, the others come while the store is away. */
static void a_stopped_replay_leaves_everything_in_store_or_journal(void **state)
{
    (void)state;
    char *stored = NULL;
    write_two();
    assert_int_equal(test_run("mkfifo pipe && head -1 two.jsonl >one && tail -1 two.jsonl >rest"),
                     0);
    pid_t child = start("exec conversation replay - --journal j.db --json <pipe >.out 2>.err");
    pid_t writer = start("exec 3>pipe && cat one >&3 && while ! test -e go; do sleep 0.01; done && "
                         "cat rest >&3 && touch gone && exec sleep 60");
    for (int i = 0; i < 4000 && rows("chat_exchanges") < 2; i++)
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    assert_int_equal(rows("chat_exchanges"), 2);
    take_away();
    test_write_file("go", "", 0);
    for (int i = 0; i < 4000 && access("gone", F_OK) != 0; i++)
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    kill(child, SIGTERM);
    assert_int_equal(end_of(child), 143);
    kill(writer, SIGKILL);
    end_of(writer);
    stored = test_read_file(".out", NULL);
    bring_back();
    assert_int_equal(test_run("conversation journal retry --journal j.db"), 0);
    /* Whether the last conversation was begun before the signal is open; what was is counted. */
    bool begun = strstr(stored, "\"exchanges\": 3, ") != NULL;
    if (!begun) assert_contains(stored, "\"exchanges\": 2, ");
    assert_int_equal(rows("chat_exchanges"), begun ? 3 : 2);
    free(stored);
    assert_int_equal(test_run("conversation replay two.jsonl --journal j.db"), 0);
    assert_int_equal(rows("chat_exchanges"), 3);
}

static void a_dead_letter_is_refused_until_the_reason_is_gone(void **state)
{
    (void)state;
    write_two();
    take_away();
    assert_int_equal(test_run("conversation replay two.jsonl --journal j.db"), 0);
    bring_back();
    bool sqlite = strcmp(kind, "sqlite") == 0;
    test_store_execute(kind, sqlite ? "CREATE TRIGGER refuse BEFORE INSERT ON chat_sessions WHEN "
                                      "NEW.external_id = 'second' BEGIN SELECT RAISE(ABORT, 'no'); "
                                      "END"
                                    : "ALTER TABLE chat_sessions ADD CONSTRAINT refuse CHECK "
                                      "(external_id <> 'second')");
    assert_int_equal(test_run("conversation journal retry --journal j.db"), 1);
    assert_contains(test_output, "saved 2, refused 1\n");
    assert_contains(test_errors, "1 dead letter");
    assert_int_equal(test_run("conversation journal retry --all --journal j.db"), 1);
    assert_contains(test_output, "saved 0, refused 1\n");
    test_store_execute(kind, sqlite ? "DROP TRIGGER refuse"
                                    : "ALTER TABLE chat_sessions DROP CONSTRAINT refuse");
    assert_int_equal(test_run("conversation journal retry --journal j.db"), 0);
    assert_contains(test_output, "saved 0, refused 0\n");
    assert_int_equal(test_run("conversation journal retry --all --journal j.db"), 0);
    assert_contains(test_output, "saved 1, refused 0\n");
    assert_int_equal(rows("chat_exchanges"), 3);
}

static void deleting_looks_into_the_journal_too(void **state)
{
    (void)state;
    write_two();
    take_away();
    assert_int_equal(test_run("conversation replay two.jsonl --journal j.db"), 0);
    bring_back();
    assert_int_equal(test_run("conversation delete first --yes --journal j.db --json"), 0);
    assert_contains(test_output, "\"messages\": 4");
    assert_int_equal(test_run("conversation journal retry --journal j.db"), 0);
    assert_int_equal(rows("chat_sessions"), 1);
    char port[LOOPBACK_PORT_SIZE];
    int listener = loopback_listen(port);
    pid_t child = start_turn(listener, port);
    kill(child, SIGKILL);
    end_of(child);
    close(listener);
    assert_int_equal(test_run("conversation chat --provider echo --session s hi"), 0);
    assert_int_equal(test_run("conversation delete s --yes --journal j.db"), 0);
    assert_int_equal(test_run("conversation journal list --journal j.db"), 0);
    assert_contains(test_errors, "the journal is empty");
}

static void execute(const char *file, const char *sql)
{
    sqlite3 *database = NULL;
    assert_int_equal(sqlite3_open(file, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
}

static void a_damaged_journal_is_set_aside_and_said(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation chat --provider echo --journal j.db hello"), 0);
    assert_int_equal(test_run("dd if=/dev/zero of=j.db bs=1 count=16 conv=notrunc"), 0);
    assert_int_equal(test_run("cp j.db k.db"), 0);
    assert_int_equal(test_run("conversation journal list --journal j.db"), 0);
    assert_contains(test_errors, "j.db was damaged");
    assert_contains(test_errors, "the damaged file is j.db.damaged-");
    assert_contains(test_output, "damaged");
    assert_int_equal(test_run("ls j.db.damaged-*"), 0);
    assert_int_equal(test_run("conversation chat --provider echo --journal k.db hello"), 0);
    assert_contains(test_errors, "the damaged file is k.db.damaged-");
}

static void journals_that_cant_be_used_are_left_alone(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation chat --provider echo --journal j.db hello"), 0);
    execute("j.db", "INSERT INTO conversation_schema (version, name) VALUES (20991231000000, 'x')");
    assert_int_equal(test_run("conversation journal list --journal j.db"), 3);
    assert_contains(test_errors, "j.db was written by a newer version of this library");
    assert_null(strstr(test_errors, "that process"));
    execute("other.db", "CREATE TABLE theirs (a)");
    assert_int_equal(test_run("conversation journal list --journal other.db"), 3);
    assert_contains(test_errors, "other.db is a database of something else");
}

static void wrong_words_are_said(void **state)
{
    (void)state;
    static const char *const commands[] = {
        "journal",
        "journal list",
        "journal look --journal j.db",
        "journal show --journal j.db",
        "journal show x --journal j.db",
        "journal show 0 --journal j.db",
        "journal list 1 --journal j.db",
        "journal retry 1 --all --journal j.db",
        "journal list --all --journal j.db",
        "journal list --output f --journal j.db",
        "journal list --json --jsonl --journal j.db",
    };
    assert_int_equal(test_run("conversation chat --provider echo --journal j.db hello"), 0);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        assert_int_equal(test_run("conversation %s", commands[i]), 2);
        assert_string_equal(test_output, "");
    }
    assert_int_equal(test_run("conversation journal list --journal none.db"), 4);
    assert_int_equal(test_run("test -e none.db"), 1);
    test_write_file("bad.db", "this is no journal, is it? ---------------------------", 54);
    assert_int_equal(test_run("conversation journal list --journal bad.db"), 3);
    assert_contains(test_errors, "bad.db is no journal, and nothing was changed");
    assert_int_equal(test_run("conversation chat --provider echo --journal bad.db hello"), 3);
    assert_contains(test_errors, "bad.db is no journal, and nothing was changed");
    assert_int_equal(test_run("ls bad.db?*"), 2);
}

int main(void)
{
    static const char *const kinds[] = {"sqlite", "postgresql"};
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(what_the_store_misses_waits_and_is_brought_in),
        TEST(a_session_that_waits_can_be_changed_with_its_journal),
        TEST(entries_are_shown_dropped_and_exported),
        TEST(an_interrupted_turn_is_listed_and_completed),
        TEST(sigterm_in_a_turn_saves_it_and_leaves_the_journal_empty),
        TEST(a_stopped_replay_leaves_everything_in_store_or_journal),
        TEST(a_dead_letter_is_refused_until_the_reason_is_gone),
        TEST(deleting_looks_into_the_journal_too),
        TEST(a_damaged_journal_is_set_aside_and_said),
        TEST(journals_that_cant_be_used_are_left_alone),
        TEST(wrong_words_are_said),
#undef TEST
    };
    signal(SIGPIPE, SIG_IGN);
    int failed = 0;
    for (size_t i = 0; i < 2; i++) {
        kind = kinds[i];
        failed += RUN_TESTS(kind, tests);
    }
    return failed;
}
