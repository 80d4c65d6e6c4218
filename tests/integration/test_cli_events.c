/* conversation events and --notify: what one command does is heard by another, over PostgreSQL. */
#include "support/test.h"

#include <libpq-fe.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/loopback.h"
#include "support/program.h"
#include "support/program_store.h"
#include "support/store.h"

/* Follows into heard.txt, with these options, until it has enough; the commands come when it
 * listens. Ends with the exit code of the follower. */
#define FOLLOW(options, commands)                                                                  \
    ": >notes.txt; "                                                                               \
    "timeout 60 conversation events " options " >heard.txt 2>notes.txt & follower=$!; "            \
    "until grep -q listening notes.txt; do sleep 0.05; done; "                                     \
    "{ " commands "; } >said.txt 2>&1 && wait $follower; code=$?; "                                \
    "cat heard.txt; cat notes.txt >&2; exit $code"

#define CHAT "conversation chat --provider echo --no-stream "
#define DISCONNECT                                                                                 \
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"                                       \
    " WHERE datname = current_database() AND query LIKE 'LISTEN%'"

static size_t lines_of(const char *text)
{
    size_t lines = 0;
    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

/* Each of the names must be told, behind the one before. */
static void assert_told(const char *const *names, size_t count)
{
    const char *rest = test_output;
    for (size_t i = 0; i < count; i++) {
        char part[96];
        snprintf(part, sizeof part, "\"event\":\"%s\"", names[i]);
        assert_contains(rest, part);
        rest = strstr(rest, part) + 1;
    }
    assert_int_equal(lines_of(test_output), count);
}

static void every_command_that_saves_can_tell(void **state)
{
    (void)state;
    static const char *const told[] = {
        "session.created", "exchange.saved",      "session.updated", "usage.recorded",
        "usage.flushed",   "document.registered", "usage.recorded",  "document.processed",
        "usage.recorded",  "document.deleted",    "usage.recorded",  "session.deleted",
        "session.created", "exchange.saved",      "user.erased"};
    test_write_file("hello.txt", "hello", 5);
    int code = test_run(FOLLOW("--jsonl --limit 15",
                               CHAT "--notify --session a one && "
                                    "conversation sessions rename a title --notify && "
                                    "conversation track search --notify && "
                                    "conversation documents add hello.txt --notify && "
                                    "conversation track parse --document hello.txt --notify && "
                                    "conversation documents delete hello.txt --yes --notify && "
                                    "conversation delete a --yes --notify && " CHAT
                                    "--notify --session b --user ann two && "
                                    "conversation erase --user ann --yes --notify"));
    if (code != 0) fail_msg("it ended with %d: %s", code, test_errors);
    assert_told(told, sizeof told / sizeof told[0]);
    assert_string_equal(test_errors, "conversation: listening; Ctrl-C ends\n");
}

static void what_is_read_from_files_is_told(void **state)
{
    (void)state;
    static const char *const told[] = {"exchange.saved", "exchange.saved"};
    static const char line[] =
        "{\"id\": \"c\", \"messages\": [{\"role\": \"user\", \"content\": \"hi\"}, "
        "{\"role\": \"assistant\", \"content\": \"ho\"}]}\n";
    test_write_file("one.jsonl", line, sizeof line - 1);
    assert_int_equal(test_run(FOLLOW("--json --kind exchange.saved --limit 2",
                                     "conversation replay one.jsonl --notify && "
                                     "sed 's/\"c\"/\"d\"/' one.jsonl >two.jsonl && "
                                     "conversation import two.jsonl --notify")),
                     0);
    assert_told(told, 2);
}

static void kinds_and_channels_choose(void **state)
{
    (void)state;
    static const char *const told[] = {"session.created", "exchange.saved", "session.updated"};
    assert_int_equal(
        test_run(FOLLOW("--json --limit 3 --kind 'session.*,exchange.saved'",
                        "conversation track search --notify && " CHAT "--session a --notify one && "
                        "conversation sessions tag a urgent --notify")),
        0);
    assert_told(told, 3);
    assert_int_equal(test_run(FOLLOW("--json --limit 1 --channel 'a \"b\"'",
                                     CHAT "--notify one && "
                                          "conversation track search --notify --channel other && "
                                          "conversation sessions archive a --notify "
                                          "--channel 'a \"b\"'")),
                     0);
    assert_told(told + 2, 1);
}

static void a_person_sees_a_line_for_each(void **state)
{
    (void)state;
    test_terminal terminal;
    test_terminal_start(&terminal, 200, "conversation events --no-color");
    test_terminal_await(&terminal, "listening");
    assert_int_equal(test_run(CHAT "--session a --notify hello"), 0);
    test_terminal_await(&terminal, "  session.created      session ");
    test_terminal_await(&terminal, "  exchange.saved       chat, echo, complete, 2 messages, 2 "
                                   "tokens, session ");
    assert_int_equal(test_run("conversation track parse --cost 0.5 --notify"), 0);
    test_terminal_await(&terminal, "  usage.recorded       parse, complete, 0.5 USD\r\n");
    test_terminal_await(&terminal, "  usage.flushed        1 record\r\n");
    test_terminal_type(&terminal, "\x03");
    assert_int_equal(test_terminal_end(&terminal), 130);
}

static void a_lost_connection_is_said_and_made_again(void **state)
{
    (void)state;
    test_terminal terminal;
    test_terminal_start(&terminal, 200, "conversation events --no-color");
    test_terminal_await(&terminal, "listening");
    for (int i = 0; i < 2; i++) {
        test_store_execute(program_kind, DISCONNECT);
        test_terminal_await(&terminal, "listen for events: ");
        test_terminal_await(&terminal, "is missed\r\n");
        test_terminal_await(&terminal, "listening again; events may have been missed\r\n");
        assert_int_equal(test_run(CHAT "--notify hello"), 0);
        test_terminal_await(&terminal, "exchange.saved");
    }
    test_terminal_type(&terminal, "\x03");
    assert_int_equal(test_terminal_end(&terminal), 130);
}

static void what_others_tell_does_no_harm(void **state)
{
    (void)state;
    test_terminal terminal;
    test_terminal_start(&terminal, 200, "conversation events --no-color --limit 2");
    test_terminal_await(&terminal, "listening");
    test_store_execute(program_kind,
                       "SELECT pg_notify('conversation', '');"
                       "SELECT pg_notify('conversation', '[1]');"
                       "SELECT pg_notify('conversation', '{\"event\": 7}');"
                       "SELECT pg_notify('conversation', '{\"event\": \"later.kind\", "
                       "\"model\": \"\\u001b[2J\", \"time\": 3, \"messages\": \"x\"}');"
                       "SELECT pg_notify('conversation', '{\"event\": \"session.created\"}')");
    for (int i = 0; i < 3; i++)
        test_terminal_await(&terminal, "something that is no event was told");
    test_terminal_await(&terminal, "later.kind           \\x1b[2J, x");
    test_terminal_await(&terminal, "session.created");
    assert_int_equal(test_terminal_end(&terminal), 0);
    assert_null(strchr(terminal.screen, '\x1b'));
}

static void a_signal_ends_it(void **state)
{
    (void)state;
    assert_int_equal(test_run(FOLLOW("", "kill -TERM $follower")), 143);
}

/* The program has connected to a server that says nothing. A signal then ends it: the attempt comes
 * neither to a failure nor to the next host. */
static void assert_ends_while_connecting(test_terminal *terminal, int listener)
{
    int peer = accept(listener, NULL, NULL);
    assert_true(peer >= 0);
    kill(terminal->child, SIGTERM);
    assert_int_equal(test_terminal_end(terminal), 128 + SIGTERM);
    assert_null(strstr(terminal->screen, "listening again"));
    close(peer);
    close(listener);
}

static void a_signal_ends_it_while_it_connects(void **state)
{
    (void)state;
    test_terminal terminal;
    char port[LOOPBACK_PORT_SIZE];
    char store[64];
    int listener = loopback_listen(port);
    snprintf(store, sizeof store, "host=127.0.0.1 port=%s", port);
    setenv("CONVERSATION_STORE", store, 1);
    test_terminal_start(&terminal, 200, "conversation events");
    assert_ends_while_connecting(&terminal, listener);
}

/* The test's store, with a first host that refuses connections until it is silent. */
static void put_before(const char *port)
{
    char store[2048];
    PGconn *link = PQconnectdb(getenv("CONVERSATION_STORE"));
    assert_int_equal(PQstatus(link), CONNECTION_OK);
    snprintf(store, sizeof store, "%s host='127.0.0.1,%s' port='%s,%s'",
             getenv("CONVERSATION_STORE"), PQhost(link), port, PQport(link));
    PQfinish(link);
    setenv("CONVERSATION_STORE", store, 1);
}

static void a_signal_ends_it_while_it_connects_again(void **state)
{
    (void)state;
    test_terminal terminal;
    char port[LOOPBACK_PORT_SIZE];
    int first = loopback_bind(port);
    put_before(port);
    test_terminal_start(&terminal, 200, "conversation events --no-color");
    test_terminal_await(&terminal, "listening");
    assert_int_equal(listen(first, 8), 0);
    test_store_execute(program_kind, DISCONNECT);
    assert_ends_while_connecting(&terminal, first);
}

static void what_can_not_work_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        const char *problem;
    } wrong[] = {
        {"events --kind exchange.savd", "did you mean 'exchange.saved'?"},
        {"events --kind 'session.*,'", "--kind names no event"},
        {"events --kind '.*'", "--kind names no event"},
        {"events --json --jsonl", "exclude each other"},
        {"events --store sqlite:none.db", "the store is SQLite, and only PostgreSQL"},
        {"events --pooler", "nobody can listen through a pooler"},
        {"events --notify", "events takes no option --notify"},
        {"events word", "one word too many"},
        {"chat --provider echo --notify --store sqlite:none.db hi", "the store is SQLite"},
        {"chat --provider echo --notify --pooler hi", "nobody can listen through a pooler"},
        {"chat --provider echo --channel other hi", "--channel goes with --notify"},
        {"documents list --notify", "--notify is for add and delete"},
        {"sessions --notify", "--notify is for what changes a session"},
        {"summaries --notify", "--notify is for make"},
        {"journal list --journal j --notify", "--notify is for retry"},
        {"usage --notify", "usage takes no option --notify"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(test_run("conversation %s", wrong[i].words), 2);
        assert_contains(test_errors, wrong[i].problem);
        assert_string_equal(test_output, "");
    }
    assert_int_equal(test_run("test -e none.db"), 1);
    char name[65] = "";
    memset(name, 'x', 64);
    assert_int_equal(test_run("conversation events --channel %s", name), 2);
    assert_contains(test_errors, "the channel has 64 bytes");
    assert_int_equal(test_run(CHAT "--notify --channel %s hi", name), 2);
    assert_contains(test_errors, "the channel has 64 bytes");
    assert_int_equal(test_run("conversation events --store 'host=127.0.0.1 port=1'"), 3);
}

static void sqlite_says_what_to_use_instead(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation events"), 2);
    assert_contains(test_errors, "the store is SQLite, and only PostgreSQL tells other processes");
    assert_contains(test_errors, "a program hears its own events with");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_POSTGRES(every_command_that_saves_can_tell),
        ON_POSTGRES(what_is_read_from_files_is_told),
        ON_POSTGRES(kinds_and_channels_choose),
        ON_POSTGRES(a_person_sees_a_line_for_each),
        ON_POSTGRES(a_lost_connection_is_said_and_made_again),
        ON_POSTGRES(what_others_tell_does_no_harm),
        ON_POSTGRES(a_signal_ends_it),
        ON_POSTGRES(a_signal_ends_it_while_it_connects),
        ON_POSTGRES(a_signal_ends_it_while_it_connects_again),
        ON_POSTGRES(what_can_not_work_is_said),
        ON_SQLITE(sqlite_says_what_to_use_instead),
    };
#undef ON
    return RUN_TESTS("conversation events", tests);
}
