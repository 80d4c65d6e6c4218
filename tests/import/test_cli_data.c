/* The shared real conversations through the command: replayed on both stores they come back byte
 * for byte, a second run adds nothing, and neither does one that was killed on the way. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/json.h"
#include "support/program.h"
#include "support/store.h"
#include "support/test.h"

static const char *kind;
static char folder[4096];

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

/* The next line of a text, without its line break; advances. */
static conv_bytes next_line(const char **text)
{
    size_t size = strcspn(*text, "\n");
    conv_bytes line = conv_view(*text, size);
    *text += size + ((*text)[size] == '\n' ? 1 : 0);
    return line;
}

/* A member's value is the same text, whatever the order of the members. */
static void assert_same_member(conv__json a, conv__json b, const char *key)
{
    conv__json left = conv__json_get(a, key);
    conv__json right = conv__json_get(b, key);
    assert_int_equal(left.kind, right.kind);
    if (left.kind != CONV__JSON_ABSENT) assert_true(conv_bytes_equal(left.text, right.text));
}

static void assert_same_line(conv_bytes before, conv_bytes after)
{
    static const char *const keys[] = {"role", "content", "tool_calls", "tool_call_id", "name"};
    conv__json a, b, message_a, message_b;
    assert_true(conv__json_parse(before, &a, NULL));
    assert_true(conv__json_parse(after, &b, NULL));
    assert_same_member(a, b, "id");
    assert_same_member(a, b, "user");
    assert_same_member(a, b, "model");
    a = conv__json_get(a, "messages");
    b = conv__json_get(b, "messages");
    size_t position_a = 0;
    size_t position_b = 0;
    while (conv__json_next(a, &position_a, NULL, &message_a)) {
        assert_true(conv__json_next(b, &position_b, NULL, &message_b));
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
            assert_same_member(message_a, message_b, keys[i]);
    }
    assert_false(conv__json_next(b, &position_b, NULL, &message_b));
}

static void assert_same_file(const char *before_path, const char *after_path)
{
    char *before = test_read_file(before_path, NULL);
    char *after = test_read_file(after_path, NULL);
    const char *rest_before = before;
    const char *rest_after = after;
    while (*rest_before != '\0') {
        assert_true(*rest_after != '\0');
        assert_same_line(next_line(&rest_before), next_line(&rest_after));
    }
    assert_int_equal(*rest_after, '\0');
    free(before);
    free(after);
}

static void round_trip(const char *name, const char *counts)
{
    struct stat found;
    char path[8192];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (stat(path, &found) != 0) {
        print_message("%s is not there: nothing was compared\n", path);
        skip();
    }
    for (int run = 0; run < 2; run++) {
        assert_int_equal(test_run("conversation replay %s --jobs 1 --json", path), 0);
        assert_contains(test_output, counts);
    }
    assert_contains(test_output, "\"failed\": 0");
    assert_int_equal(test_run("conversation export --output out"), 0);
    assert_same_file(path, "out");
}

static void airline_comes_back(void **state)
{
    (void)state;
    round_trip("airline.jsonl",
               "{\"conversations\": 200, \"exchanges\": 1490, \"messages\": 5308, ");
    assert_string_equal(test_store_value(kind, "SELECT count(*) FROM chat_messages"), "5308");
    assert_string_equal(test_store_value(kind, "SELECT count(*) FROM usage_logs"), "1490");
}

static void japanese_comes_back(void **state)
{
    (void)state;
    round_trip("mt_bench_ja.jsonl",
               "{\"conversations\": 240, \"exchanges\": 480, \"messages\": 960, ");
    assert_int_equal(test_run("cmp out %s/mt_bench_ja.jsonl", folder), 0);
}

/* Looked for by other means than the library's: grep and the store's own SQL. */
#define ADDRESS "[A-Za-z0-9._]+@[A-Za-z0-9.]+[.][a-z][a-z]+"

static void redacted_airline_has_no_address_anywhere(void **state)
{
    (void)state;
    char path[8192];
    struct stat found;
    snprintf(path, sizeof path, "%s/airline.jsonl", folder);
    if (stat(path, &found) != 0) skip();
    assert_int_equal(test_run("grep -qE '" ADDRESS "' %s", path), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(test_run("conversation replay --redact --journal j.db %s", path), 0);
    assert_int_equal(test_run("conversation export >out"), 0);
    assert_int_equal(test_run("grep -qF '[redacted:email]' out"), 0);
    assert_int_equal(test_run("grep -qaE '" ADDRESS "' out j.db*"), 1);
    if (strcmp(kind, "sqlite") == 0)
        assert_int_equal(test_run("grep -qaE '" ADDRESS "' ${CONVERSATION_STORE#sqlite:}*"), 1);
    else
        assert_string_equal(
            test_store_value(kind, "SELECT count(*) FROM chat_messages m WHERE m::text ~ '" ADDRESS
                                   "' OR encode(originals, 'escape') ~ '" ADDRESS "'"),
            "0");
    assert_string_equal(test_store_value(kind, "SELECT count(*) FROM chat_messages"), "5308");
    assert_string_equal(test_store_value(kind, "SELECT count(*) FROM usage_logs"), "1490");
    assert_string_equal(test_store_value(kind, "SELECT sum(message_count) FROM chat_sessions"),
                        "5308");
}

static void a_replay_killed_on_the_way_loses_and_doubles_nothing(void **state)
{
    (void)state;
    char path[8192];
    struct stat found;
    snprintf(path, sizeof path, "%s/mt_bench_ja.jsonl", folder);
    if (stat(path, &found) != 0) skip();
    for (int tenths = 1; tenths <= 3; tenths++)
        test_run("timeout -s KILL 0.%d conversation replay %s", tenths, path);
    assert_int_equal(test_run("conversation replay %s --json", path), 0);
    assert_contains(test_output, "\"exchanges\": 480, \"messages\": 960, ");
    assert_int_equal(test_run("sort %s >a && conversation export | sort | cmp a", path), 0);
    assert_string_equal(test_store_value(kind, "SELECT count(*) FROM chat_messages"), "960");
    assert_string_equal(test_store_value(kind, "SELECT count(*) FROM usage_logs"), "480");
    assert_string_equal(test_store_value(kind, "SELECT sum(message_count) FROM chat_sessions"),
                        "960");
}

int main(void)
{
    static const char *const kinds[] = {"sqlite", "postgresql"};
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(airline_comes_back),
        TEST(japanese_comes_back),
        TEST(redacted_airline_has_no_address_anywhere),
        TEST(a_replay_killed_on_the_way_loses_and_doubles_nothing),
#undef TEST
    };
    const char *named = getenv("CONVERSATION_SHARED_DATA");
    char resolved[4096];
    snprintf(folder, sizeof folder, "%s",
             named != NULL ? named : TEST_SOURCE_DIR "/../shared/data");
    /* The tests go to folders of their own. */
    if (realpath(folder, resolved) != NULL) snprintf(folder, sizeof folder, "%s", resolved);
    int failed = 0;
    for (size_t i = 0; i < 2; i++) {
        kind = kinds[i];
        failed += RUN_TESTS(kind, tests);
    }
    return failed;
}
