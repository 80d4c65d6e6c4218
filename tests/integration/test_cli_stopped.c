/* conversation replay that is killed, told to stop, or left by its store, on both stores: run again
 * it ends as if nothing had happened. */
#include <libpq-fe.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/lock_holder.h"
#include "support/loopback.h"
#include "support/program.h"
#include "support/store.h"
#include "support/test.h"

static const char *kind;
static char *lines; /* of many.jsonl */

/* Conversations enough that a run takes a while. */
static void write_many(int conversations, int turns)
{
    FILE *file = fopen("many.jsonl", "w");
    assert_non_null(file);
    for (int i = 1; i <= conversations; i++) {
        fprintf(file,
                "{\"id\": \"many/%d\", \"user\": \"user-%d\", \"model\": \"m\", \"messages\": [", i,
                i % 7);
        for (int turn = 1; turn <= turns; turn++)
            fprintf(file,
                    "%s{\"role\": \"user\", \"content\": \"question %d of %d\"}, "
                    "{\"role\": \"assistant\", \"content\": \"answer %d\"}",
                    turn == 1 ? "" : ", ", turn, i, turn);
        fputs("]}\n", file);
    }
    assert_int_equal(fclose(file), 0);
    free(lines);
    lines = test_read_file("many.jsonl", NULL);
}

static int setup(void **state)
{
    (void)state;
    test_program_setup(test_store_create(kind));
    assert_int_equal(test_run("conversation migrate"), 0);
    write_many(20, 2);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_program_teardown();
    test_store_drop(kind);
    free(lines);
    lines = NULL;
    return 0;
}

static long rows(const char *table)
{
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
    return strtol(test_store_value(kind, sql), NULL, 10);
}

static void pause_ms(long milliseconds)
{
    struct timespec pause = {0, milliseconds * 1000000};
    nanosleep(&pause, NULL);
}

static void await_exchanges(long wanted)
{
    for (int i = 0; i < 4000 && rows("chat_exchanges") < wanted; i++)
        pause_ms(5);
    assert_true(rows("chat_exchanges") >= wanted);
}

/* The store holds exactly what the file does, as after one undisturbed run. */
static void assert_whole(long conversations, long turns)
{
    assert_int_equal(rows("chat_sessions"), conversations);
    assert_int_equal(rows("chat_exchanges"), conversations * turns);
    assert_int_equal(rows("usage_logs"), conversations * turns);
    assert_int_equal(rows("chat_messages"), conversations * turns * 2);
    assert_int_equal(
        strtol(test_store_value(kind, "SELECT sum(message_count) FROM chat_sessions"), NULL, 10),
        conversations * turns * 2);
    assert_int_equal(test_run("sort many.jsonl >wanted && conversation export | sort | cmp wanted"),
                     0);
}

/* The program in the background with a pipe as standard input. */
static FILE *start(const char *command, pid_t *pid)
{
    char line[512];
    unlink(".pid");
    snprintf(line, sizeof line, "echo $$ >.new && mv .new .pid && exec %s >.out 2>.err", command);
    FILE *input = popen(line, "w");
    assert_non_null(input);
    while (access(".pid", F_OK) != 0)
        pause_ms(5);
    char *number = test_read_file(".pid", NULL);
    *pid = (pid_t)strtol(number, NULL, 10);
    free(number);
    return input;
}

static int finish(FILE *input)
{
    int status = pclose(input);
    free(test_output);
    free(test_errors);
    test_output = test_read_file(".out", NULL);
    test_errors = test_read_file(".err", NULL);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Starts a replay from a pipe, and waits until the first `count` conversations are stored; `rest`
 * receives the lines that were not written yet. */
static FILE *start_with(const char *command, int count, pid_t *pid, const char **rest)
{
    FILE *input = start(command, pid);
    *rest = lines;
    for (int i = 0; i < count; i++)
        *rest = strchr(*rest, '\n') + 1;
    fwrite(lines, 1, (size_t)(*rest - lines), input);
    assert_int_equal(fflush(input), 0);
    await_exchanges(2 * count);
    return input;
}

static void a_killed_replay_run_again_is_as_if_undisturbed(void **state)
{
    (void)state;
    write_many(100, 4);
    int killed = 0;
    for (long wanted = 1; wanted <= 121; wanted += 60) {
        pid_t pid;
        FILE *input = start("conversation replay many.jsonl", &pid);
        await_exchanges(wanted);
        kill(pid, SIGKILL);
        killed += finish(input) == 128 + SIGKILL ? 1 : 0;
    }
    assert_true(killed > 0);
    assert_int_equal(test_run("conversation replay many.jsonl --json"), 0);
    assert_contains(test_output,
                    "{\"conversations\": 100, \"exchanges\": 400, \"messages\": 800, ");
    assert_whole(100, 4);
}

static void await_stopped(void)
{
    bool stopped = false;
    for (int i = 0; i < 4000 && !stopped; i++) {
        char *said = test_read_file(".err", NULL);
        stopped = strstr(said, "\nhint: ") != NULL;
        free(said);
        pause_ms(5);
    }
    assert_true(stopped);
}

static void a_signal_lets_turns_finish_and_says_what_remains(void **state)
{
    (void)state;
    static const int signals[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < 2; i++) {
        pid_t pid;
        const char *rest;
        /* One more each time: that it is stored tells that this very run is under way. */
        FILE *input = start_with("conversation replay -", (int)i + 1, &pid, &rest);
        kill(pid, signals[i]);
        await_stopped(); /* while the pipe is still open: nobody has to close it */
        assert_int_equal(finish(input), 128 + signals[i]);
        assert_contains(test_errors, "conversation: stopped: ");
        assert_contains(test_errors, "hint: the same command again goes on where this one stopped");
        assert_contains(test_output, i == 0 ? "replayed 1 conversation, 2 exchanges, 4 messages"
                                            : "replayed 2 conversations, 4 exchanges, 8 messages");
    }
    assert_int_equal(test_run("conversation replay many.jsonl"), 0);
    assert_whole(20, 2);
}

/* The schema goes away under the program's feet, as an operator's mistake would have it. */
static void a_store_that_fails_stops_the_run(void **state)
{
    (void)state;
    pid_t pid;
    const char *rest;
    FILE *input = start_with("conversation replay - --json", 1, &pid, &rest);
    test_store_execute(kind, "ALTER TABLE chat_exchanges RENAME TO away");
    fputs(rest, input);
    assert_int_equal(finish(input), 3);
    assert_contains(test_errors, "conversation: stopped: ");
    assert_contains(test_output, "{\"conversations\": 1, \"exchanges\": 2, ");
    test_store_execute(kind, "ALTER TABLE away RENAME TO chat_exchanges");
    assert_int_equal(test_run("conversation replay many.jsonl"), 0);
    assert_whole(20, 2);
}

/* Whether the program has set itself to hear the signal. */
static bool hears(pid_t pid, int signal_number)
{
    char path[64];
    char line[256];
    unsigned long long caught = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "SigCgt:", 7) == 0) caught = strtoull(line + 7, NULL, 16);
    if (file != NULL) fclose(file);
    return (caught >> (signal_number - 1) & 1) != 0;
}

static void a_signal_lets_a_command_with_a_journal_finish(void **state)
{
    (void)state;
    pid_t pid;
    bool heard = false;
    assert_int_equal(test_run("conversation chat --provider echo --user u hello"), 0);
    lock_holder holder = lock_holder_take(getenv("CONVERSATION_STORE"));
    FILE *input = start("conversation erase --user u --yes --journal j.db", &pid);
    for (int i = 0; i < 4000 && !heard; i++) {
        heard = hears(pid, SIGTERM);
        if (!heard) pause_ms(5);
    }
    kill(pid, SIGTERM);
    lock_holder_release(&holder);
    assert_int_equal(finish(input), 0);
    assert_true(heard);
    assert_contains(test_output, "1 session");
    assert_int_equal(rows("chat_exchanges"), 0);
}

/* Runs it while nobody can save, tells it to end, and waits for that; only then others can save. It
 * must not wait for the store as long as the store wants, which is half a minute. */
static int run_and_stop(const char *command)
{
    pid_t pid;
    bool heard = false;
    lock_holder holder = lock_holder_take(getenv("CONVERSATION_STORE"));
    FILE *input = start(command, &pid);
    for (int i = 0; i < 4000 && !heard; i++) {
        heard = hears(pid, SIGTERM);
        if (!heard) pause_ms(5);
    }
    pause_ms(500); /* so that it is in its call, most likely */
    time_t told = time(NULL);
    kill(pid, SIGTERM);
    int code = finish(input);
    time_t ended = time(NULL);
    lock_holder_release(&holder);
    assert_true(heard);
    assert_in_range(ended - told, 0, 15);
    return code;
}

static void a_signal_ends_a_turn_that_waits_for_the_store(void **state)
{
    (void)state;
    assert_int_equal(run_and_stop("conversation chat --provider echo --journal j.db hello"), 0);
    assert_contains(test_errors, "1 exchange and 0 usage records wait in the journal");
    assert_int_equal(test_run("conversation journal retry --journal j.db"), 0);
    assert_int_equal(rows("chat_exchanges"), 1);
    assert_int_not_equal(run_and_stop("conversation chat --provider echo hello"), 0);
    /* Without a journal it is not saved, or not surely, and says so. */
    assert_contains(test_errors, "asks again and saves the message once");
}

static void a_signal_ends_an_import_that_waits_for_the_store(void **state)
{
    (void)state;
    write_many(1000, 2);
    assert_int_equal(run_and_stop("conversation import many.jsonl --journal j.db"), 143);
    assert_contains(test_errors, "wait in the journal");
    assert_int_equal(run_and_stop("conversation import many.jsonl"), 143);
    assert_int_equal(test_run("conversation import many.jsonl --journal j.db"), 0);
    assert_whole(1000, 2);
}

/* The signal is caught before the answer comes. The turn is saved with it; the summary that it then
 * asks for, at the same silent server, is not waited for. */
static void a_signal_in_a_turn_also_ends_the_wait_for_its_summary(void **state)
{
    (void)state;
    static const char answer[] =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 66\r\n\r\n"
        "{\"choices\": [{\"message\": {\"role\": \"assistant\", \"content\": \"ho\"}}]}";
    char command[256];
    char request[4096];
    char port[LOOPBACK_PORT_SIZE];
    test_terminal terminal;
    int listener = loopback_listen(port);
    snprintf(command, sizeof command,
             "conversation chat --model m --base-url http://127.0.0.1:%s/v1 --no-stream "
             "--session s --summary-tokens 1 hi",
             port);
    test_terminal_start(&terminal, 100, command);
    int peer = accept(listener, NULL, NULL);
    assert_true(peer >= 0 && read(peer, request, sizeof request) > 0);
    kill(terminal.child, SIGTERM);
    assert_int_equal(write(peer, answer, sizeof answer - 1), sizeof answer - 1);
    assert_int_equal(test_terminal_end(&terminal), 0);
    assert_contains(terminal.screen, "a summary of the session was not made");
    close(peer);
    close(listener);
    assert_int_equal(rows("chat_exchanges"), 1);
}

/* Beside the library, and from another database: one does not shut out oneself. */
static void shut_out_everybody(void)
{
    char sql[512];
    const char *name = test_store_value(kind, "SELECT current_database()");
    snprintf(sql, sizeof sql,
             "ALTER DATABASE %s ALLOW_CONNECTIONS false; "
             "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%s'",
             name, name);
    PGconn *connection = PQconnectdb(getenv("CONVERSATION_TEST_STORE"));
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    PQclear(result);
    PQfinish(connection);
    assert_int_equal(status, PGRES_TUPLES_OK);
}

static void a_server_that_goes_away_stops_the_run(void **state)
{
    (void)state;
    if (strcmp(kind, "postgresql") != 0) return;
    pid_t pid;
    const char *rest;
    FILE *input = start_with("conversation replay - --json", 1, &pid, &rest);
    shut_out_everybody();
    fputs(rest, input);
    assert_int_equal(finish(input), 3);
    assert_contains(test_errors, "conversation: stopped: ");
    assert_contains(test_output, "{\"conversations\": 1, \"exchanges\": 2, ");
}

int main(void)
{
    static const char *const kinds[] = {"sqlite", "postgresql"};
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(a_killed_replay_run_again_is_as_if_undisturbed),
        TEST(a_signal_lets_turns_finish_and_says_what_remains),
        TEST(a_store_that_fails_stops_the_run),
        TEST(a_signal_lets_a_command_with_a_journal_finish),
        TEST(a_signal_ends_a_turn_that_waits_for_the_store),
        TEST(a_signal_in_a_turn_also_ends_the_wait_for_its_summary),
        TEST(a_signal_ends_an_import_that_waits_for_the_store),
        TEST(a_server_that_goes_away_stops_the_run),
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
