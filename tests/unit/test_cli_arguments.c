/* The command line: what is understood, and the words for what is not. */
#include <string.h>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "support/test.h"

static cli_arguments arguments;
static char problem[CLI_PROBLEM_SIZE];
static char *words[16];

/* Parses the words of a NULL-terminated list. */
static bool parse(const char *const *list)
{
    size_t count = 0;
    for (; list[count] != NULL; count++)
        words[count] = (char *)(uintptr_t)list[count];
    problem[0] = '\0';
    return cli_arguments_parse(cli_commands, words, count, &arguments, problem);
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static void options_stand_anywhere_and_in_both_forms(void **state)
{
    (void)state;
    assert_true(PARSE("--store", "sqlite:a.db", "history", "--last=5", "support-42", "--json"));
    assert_string_equal(arguments.command->name, "history");
    assert_string_equal(arguments.texts[CLI_OPTION_STORE], "sqlite:a.db");
    assert_int_equal(arguments.numbers[CLI_OPTION_LAST], 5);
    assert_true(cli_given(&arguments, CLI_OPTION_JSON));
    assert_false(cli_given(&arguments, CLI_OPTION_JSONL));
    assert_int_equal(arguments.word_count, 1);
    assert_string_equal(arguments.words[0], "support-42");
}

static void after_two_hyphens_everything_is_a_word(void **state)
{
    (void)state;
    assert_true(PARSE("history", "--", "--json"));
    assert_int_equal(arguments.word_count, 1);
    assert_string_equal(arguments.words[0], "--json");
    assert_false(cli_given(&arguments, CLI_OPTION_JSON));
}

static void a_hyphen_alone_is_a_word(void **state)
{
    (void)state;
    assert_true(PARSE("replay", "-"));
    assert_string_equal(arguments.words[0], "-");
}

static void of_two_values_the_last_counts(void **state)
{
    (void)state;
    assert_true(PARSE("sessions", "--limit", "5", "--limit=7"));
    assert_int_equal(arguments.numbers[CLI_OPTION_LIMIT], 7);
}

static void an_empty_value_is_a_value(void **state)
{
    (void)state;
    assert_true(PARSE("chat", "--system=", ""));
    assert_string_equal(arguments.texts[CLI_OPTION_SYSTEM], "");
    assert_int_equal(arguments.word_count, 1);
}

static void help_needs_no_words(void **state)
{
    (void)state;
    assert_true(PARSE("history", "-h"));
    assert_true(cli_given(&arguments, CLI_OPTION_HELP));
    assert_true(PARSE("--help"));
    assert_null(arguments.command);
}

#define REFUSED(text, ...)                                                                         \
    do {                                                                                           \
        assert_false(PARSE(__VA_ARGS__));                                                          \
        assert_string_equal(problem, text);                                                        \
    } while (0)

static void mistakes_are_named(void **state)
{
    (void)state;
    REFUSED("unknown command 'exprot'; did you mean 'export'?", "exprot");
    REFUSED("unknown command 'frobnicate'", "frobnicate");
    REFUSED("unknown option --sesion; did you mean --session?", "export", "--sesion", "x");
    REFUSED("unknown option --frobnicate", "export", "--frobnicate=1");
    REFUSED("unknown option -x", "export", "-x");
    REFUSED("history wants SESSION", "history");
    REFUSED("version: 'please' is one word too many", "version", "please");
    REFUSED("version takes no option --limit", "version", "--limit", "3");
    REFUSED("--store wants a value: --store URL", "sessions", "--store");
    REFUSED("--json takes no value", "sessions", "--json=yes");
    REFUSED("--by wants one of day|service|operation|model|user|session", "usage", "--by", "week");
    REFUSED("--by wants one of day|service|operation|model|user|session", "usage", "--by", "");
}

/* It would stand for everybody, or name a session that nobody meant. */
static void an_id_is_not_empty(void **state)
{
    (void)state;
    REFUSED("--session is empty", "chat", "--session", "");
    REFUSED("--session is empty", "export", "--session=");
    REFUSED("--user is empty", "sessions", "--user", "");
    REFUSED("--user is empty", "erase", "--user=");
    REFUSED("--turn-id is empty", "chat", "--turn-id", "");
    REFUSED("--id is empty", "documents", "add", "f", "--id", "");
    REFUSED("--document is empty", "track", "x", "--document", "");
    REFUSED("--log-id is empty", "track", "x", "--log-id", "");
}

static void numbers_are_plain_and_bounded(void **state)
{
    (void)state;
    REFUSED("--jobs wants a whole number, at least 1 and at most 256", "replay", "f", "--jobs=0");
    REFUSED("--jobs wants a whole number, at least 1 and at most 256", "replay", "f", "--jobs=257");
    REFUSED("--jobs wants a whole number, at least 1 and at most 256", "replay", "f", "--jobs=4x");
    REFUSED("--jobs wants a whole number, at least 1 and at most 256", "replay", "f", "--jobs=-1");
    REFUSED("--jobs wants a whole number, at least 1 and at most 256", "replay", "f", "--jobs=");
    REFUSED("--jobs wants a whole number, at least 1 and at most 256", "replay", "f", "--jobs",
            "1.5");
    REFUSED("--after wants a whole number, at least 0", "history", "s", "--after",
            "99999999999999999999");
    assert_true(PARSE("history", "s", "--before", "9223372036854775807"));
    assert_true(arguments.numbers[CLI_OPTION_BEFORE] == INT64_MAX);
}

/* What is wrong is repeated in a form that can't steer the terminal, and not at any length. */
static void what_is_repeated_is_harmless(void **state)
{
    (void)state;
    REFUSED("unknown command '?[31mred'", "\033[31mred");
    char longer[400];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    assert_false(PARSE(longer));
    assert_true(strlen(problem) < 80);
    assert_false(PARSE("export", longer));
    assert_true(strlen(problem) < 80);
}

static void every_command_is_complete(void **state)
{
    (void)state;
    size_t count = 0;
    for (const cli_command *command = cli_commands; command->name != NULL; command++, count++) {
        assert_non_null(command->run);
        assert_non_null(command->summary);
        assert_ptr_equal(cli_command_find(cli_commands, command->name), command);
        assert_true((command->options & CLI_OPTIONS_EVERYWHERE) == 0);
    }
    assert_int_equal(count, 21);
    for (size_t i = 0; i < CLI_OPTION_COUNT; i++) {
        assert_non_null(cli_options[i].name);
        assert_non_null(cli_options[i].help);
    }
}

static void exit_codes_follow_what_failed(void **state)
{
    (void)state;
    assert_int_equal(cli_exit_of(CLI_PART_STORE, CONV_OK), 0);
    assert_int_equal(cli_exit_of(CLI_PART_STORE, CONV_BAD_DATA), 1);
    assert_int_equal(cli_exit_of(CLI_PART_STORE, CONV_CONFLICT), 1);
    assert_int_equal(cli_exit_of(CLI_PART_STORE, CONV_INVALID_ARGUMENT), 2);
    assert_int_equal(cli_exit_of(CLI_PART_STORE, CONV_UNAVAILABLE), 3);
    assert_int_equal(cli_exit_of(CLI_PART_STORE, CONV_NOT_FOUND), 4);
    assert_int_equal(cli_exit_of(CLI_PART_PROVIDER, CONV_UNAVAILABLE), 5);
    assert_int_equal(cli_exit_of(CLI_PART_PROVIDER, CONV_PROVIDER), 5);
    static const conv_status opening[] = {CONV_UNAVAILABLE, CONV_PERMISSION, CONV_TIMEOUT,
                                          CONV_STATE,       CONV_NOT_FOUND,  CONV_BAD_DATA};
    for (size_t i = 0; i < sizeof opening / sizeof opening[0]; i++)
        assert_int_equal(cli_exit_of(CLI_PART_OPEN, opening[i]), 3);
    assert_int_equal(cli_exit_of(CLI_PART_OPEN, CONV_INVALID_ARGUMENT), 2);
    assert_int_equal(cli_exit_of(CLI_PART_INPUT, CONV_NOT_FOUND), 4);
    assert_int_equal(cli_exit_of(CLI_PART_INPUT, CONV_PERMISSION), 1);
    assert_int_equal(cli_exit_of_signal(2), 130);
    assert_int_equal(cli_exit_of_signal(15), 143);
}

/* The whole of a small file. */
static char *read_text(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t got = fread(text, 1, size - 1, file);
    fclose(file);
    assert_true(got < size - 1);
    text[got] = '\0';
    return text;
}

/* The pages are written by hand: this is what keeps them from falling behind the tables. */
static void the_pages_name_every_command_option_and_exit_code(void **state)
{
    (void)state;
    static char page[65536];
    static const struct {
        const char *path;
        const char *hyphens;
    } pages[] = {{TEST_SOURCE_DIR "/docs/command-line.md", "--"},
                 {TEST_SOURCE_DIR "/docs/conversation.1", "\\-\\-"}};
    for (size_t p = 0; p < 2; p++) {
        read_text(pages[p].path, page, sizeof page);
        char wanted[128];
        for (const cli_command *command = cli_commands; command->name != NULL; command++) {
            snprintf(wanted, sizeof wanted, "conversation %s", command->name);
            if (strstr(page, wanted) == NULL) fail_msg("%s lacks %s", pages[p].path, wanted);
        }
        for (size_t i = 0; i < CLI_OPTION_COUNT; i++) {
            size_t used = (size_t)snprintf(wanted, sizeof wanted, "%s", pages[p].hyphens);
            for (const char *c = cli_options[i].name; *c != '\0'; c++)
                used += (size_t)snprintf(wanted + used, sizeof wanted - used,
                                         *c == '-' && p == 1 ? "\\-" : "%c", *c);
            if (strstr(page, wanted) == NULL) fail_msg("%s lacks %s", pages[p].path, wanted);
        }
#define CODE_IS_NAMED(name, number, meaning)                                                       \
    if (strstr(page, meaning) == NULL) fail_msg("%s lacks exit code %d", pages[p].path, number);
        CLI_EXIT_MAP(CODE_IS_NAMED)
#undef CODE_IS_NAMED
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_anywhere_and_in_both_forms),
        cmocka_unit_test(after_two_hyphens_everything_is_a_word),
        cmocka_unit_test(a_hyphen_alone_is_a_word),
        cmocka_unit_test(of_two_values_the_last_counts),
        cmocka_unit_test(an_empty_value_is_a_value),
        cmocka_unit_test(help_needs_no_words),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(an_id_is_not_empty),
        cmocka_unit_test(numbers_are_plain_and_bounded),
        cmocka_unit_test(what_is_repeated_is_harmless),
        cmocka_unit_test(every_command_is_complete),
        cmocka_unit_test(exit_codes_follow_what_failed),
        cmocka_unit_test(the_pages_name_every_command_option_and_exit_code),
    };
    return RUN_TESTS("command line arguments", tests);
}
