/* conversation documents, on both stores: files become rows, and nothing of a file's name or of a
 * hostile id steers the terminal. */
#include <stdlib.h>
#include <string.h>

#include "support/program.h"
#include "support/store.h"
#include "support/test.h"

#define OF_HELLO "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

static const char *kind;

static int setup(void **state)
{
    (void)state;
    test_program_setup(test_store_create(kind));
    assert_int_equal(test_run("conversation migrate && mkdir sub && printf hello > hello.txt &&"
                              " : > sub/empty.pdf"),
                     0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_program_teardown();
    test_store_drop(kind);
    return 0;
}

static void files_are_registered_once(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation documents"), 0);
    assert_string_equal(test_output, "");
    assert_contains(test_errors, "there are no such documents");
    assert_int_equal(test_run("conversation documents add hello.txt sub/empty.pdf"), 0);
    assert_contains(test_output, "hello.txt");
    assert_contains(test_output, "text/plain");
    assert_contains(test_output, "application/pdf");
    assert_contains(test_errors, "2 registered, 0 there already, 0 failed");
    assert_int_equal(test_run("conversation documents add sub/empty.pdf hello.txt"), 0);
    assert_contains(test_errors, "0 registered, 2 there already, 0 failed");
    assert_int_equal(test_run("conversation documents list --jsonl"), 0);
    assert_contains(test_output, "\"name\": \"empty.pdf\"");
    assert_contains(test_output, "\"size_bytes\": 0");
    assert_contains(test_output, "\"sha256\": \"" OF_HELLO "\"");
    assert_string_equal(test_store_value(kind, "SELECT count(*) FROM usage_logs"), "2");
}

static void other_content_of_the_same_id_is_refused(void **state)
{
    (void)state;
    assert_int_equal(test_run("printf changed > changed.txt && conversation documents add"
                              " --id hello.txt changed.txt"),
                     1);
    assert_contains(test_errors, "registered with other content");
    assert_int_equal(test_run("conversation documents add nowhere.txt"), 4);
    assert_contains(test_errors, "nowhere.txt");
    assert_int_equal(test_run("conversation documents add nowhere.txt changed.txt sub"), 1);
    assert_contains(test_errors, "1 registered, 0 there already, 2 failed");
    assert_int_equal(test_run("conversation documents add --user ann --session support-42"
                              " --media-type text/x-note --id note hello.txt"),
                     0);
    assert_int_equal(test_run("conversation documents --session support-42 --json"), 0);
    assert_contains(test_output, "[{\"id\": \"note\"");
    assert_contains(test_output, "\"user\": \"ann\"");
    assert_contains(test_output, "\"media_type\": \"text/x-note\"");
}

static void documents_are_found_by_content(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation documents find " OF_HELLO " --csv"), 0);
    assert_contains(test_output, "\nnote,support-42,ann,hello.txt,text/x-note,5," OF_HELLO);
    assert_contains(test_output, "\nhello.txt,,,hello.txt,text/plain,5," OF_HELLO);
    assert_null(strstr(test_output, "empty"));
    assert_int_equal(test_run("conversation documents find hello.txt --user ann"), 0);
    assert_contains(test_output, "note");
    assert_int_equal(test_run("printf unknown > u && conversation documents find u"), 4);
    assert_int_equal(test_run("conversation documents find no-such-file"), 4);
}

static void one_is_shown_with_its_operations(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation documents show hello.txt"), 0);
    assert_contains(test_output, "sha256      " OF_HELLO);
    assert_contains(test_output, "upload");
    assert_int_equal(test_run("conversation documents show note"), 4);
    assert_contains(test_errors, "--session");
    assert_int_equal(test_run("conversation documents show note --session support-42 --json"), 0);
    assert_contains(test_output, "\"operations\": [{\"log_id\": ");
    assert_contains(test_output, "\"processed_bytes\": 5");
    assert_contains(test_output, "\"metadata\": null}\n");
}

static void an_id_is_whole_in_80_columns(void **state)
{
    (void)state;
    test_terminal terminal;
    assert_int_equal(test_run("mkdir files && printf handbook > files/handbook-2026.txt"), 0);
    test_terminal_start(&terminal, 80,
                        "conversation documents add files/handbook-2026.txt --no-color");
    assert_int_equal(test_terminal_end(&terminal), 0);
    test_terminal_fits(&terminal, 80);
    assert_contains(terminal.screen, "files/handbook-2026.txt ");
}

static void what_steers_a_terminal_is_shown_as_an_escape(void **state)
{
    (void)state;
    assert_int_equal(test_run("F=$(printf 'evil\\033[2J\\377.txt'); printf x > \"$F\";"
                              " conversation documents add \"$F\" && conversation documents show"
                              " \"$F\" && conversation documents"),
                     0);
    assert_null(strchr(test_output, '\x1b'));
    assert_contains(test_output, "evil\\x1b[2J");
    assert_int_equal(test_run("conversation documents --json | tr -d '\\n' | grep -c evil"), 0);
}

static void a_deletion_says_what_it_kept(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation documents delete hello.txt"), 2);
    assert_int_equal(test_run("conversation documents delete hello.txt --yes"), 0);
    assert_string_equal(test_output, "deleted 1 document; 2 usage records kept\n");
    assert_int_equal(test_run("conversation documents delete hello.txt --yes"), 4);
    assert_int_equal(
        test_run("conversation documents delete note --session support-42 --yes --json"), 0);
    assert_string_equal(test_output, "{\"documents\": 1, \"usage_kept\": 2}\n");
}

static void wrong_words_are_told(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "frob",        "list more", "add",          "show",           "show a b",          "find",
        "list --id x", "delete",    "show a --csv", "add --id x a b", "list --json --csv",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(test_run("conversation documents %s", wrong[i]), 2);
        assert_string_equal(test_output, "");
    }
    assert_int_equal(test_run("conversation documents add --id '' hello.txt"), 2);
    assert_contains(test_errors, "--id is empty");
    assert_int_equal(test_run("conversation documents add --media-type \"$(printf 'a\\nb')\""
                              " hello.txt"),
                     2);
    assert_contains(test_errors, "--media-type has control characters");
    assert_int_equal(test_run("mkfifo fifo && conversation documents add fifo"), 2);
    assert_contains(test_errors, "fifo");
    assert_contains(test_errors, "no regular file");
    assert_int_equal(test_run("conversation documents add ."), 2);
    assert_contains(test_errors, "it is a folder, which has no content of its own: name the files");
    assert_int_equal(test_run("conversation documents add /dev/zero changed.txt"), 1);
    assert_contains(test_errors, "0 registered, 1 there already, 1 failed");
    assert_int_equal(test_run("conversation documents find /dev/zero"), 2);
    assert_int_equal(test_run("conversation documents --store sqlite:none.db"), 3);
    assert_int_equal(test_run("test -e none.db"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_registered_once),
        cmocka_unit_test(other_content_of_the_same_id_is_refused),
        cmocka_unit_test(documents_are_found_by_content),
        cmocka_unit_test(one_is_shown_with_its_operations),
        cmocka_unit_test(an_id_is_whole_in_80_columns),
        cmocka_unit_test(what_steers_a_terminal_is_shown_as_an_escape),
        cmocka_unit_test(a_deletion_says_what_it_kept),
        cmocka_unit_test(wrong_words_are_told),
    };
    kind = "sqlite";
    int failed = RUN_TESTS_WITH("documents on sqlite", tests, setup, teardown);
    kind = "postgresql";
    return failed + RUN_TESTS_WITH("documents on postgresql", tests, setup, teardown);
}
