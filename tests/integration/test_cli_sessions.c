/* What sessions search, rename, tag, archive, history --branch, summaries and erase do, on both
 * stores. */
#include <stdlib.h>
#include <string.h>

#include "support/program.h"
#include "support/store.h"
#include "support/test.h"

static const char *kind;

#define CHAT "conversation chat --provider echo "

static int setup(void **state)
{
    (void)state;
    test_program_setup(test_store_create(kind));
    assert_int_equal(test_run("conversation migrate && " CHAT
                              "--session s1 --user u1 'Where is my order 4711?' && " CHAT
                              "--session s2 --user u2 'hello \033[2J world'"),
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

static void has(const char *text)
{
    assert_contains(test_output, text);
}

static void lacks(const char *text)
{
    if (strstr(test_output, text) != NULL) fail_msg("%s in: %s", text, test_output);
}

static void a_search_finds_and_shows(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation sessions search order '\"my order\"' 471*"), 0);
    has("s1  #1  user");
    has("s1  #2  assistant");
    has("Where is my order 4711?");
    lacks("s2");
    assert_int_equal(test_run("conversation sessions search world"), 0);
    lacks("\033");
    assert_int_equal(test_run("conversation sessions search --json world"), 0);
    has("\"id\": \"s2\"");
    has("\"position\": 2");
    assert_int_equal(test_run("conversation sessions search --jsonl --limit 1 order"), 0);
    has("\"session_id\": ");
    assert_int_equal(test_run("conversation sessions search \"'; --\" 2>&1"), 0);
    has("no word to look for");
    assert_int_equal(test_run("conversation sessions search --json ''"), 0);
    assert_string_equal(test_output, "[]\n");
    assert_int_equal(test_run("conversation sessions search -- '-- ?!' '\"' '*' 2>&1"), 0);
    has("no word to look for");
    assert_int_equal(test_run("conversation sessions search $(printf 'x%%.0s' $(seq 9999)) 2>&1"),
                     0);
    has("nothing was found");
    assert_int_equal(test_run("conversation sessions search $(printf 'x%%.0s' $(seq 10001))"), 2);
    assert_int_equal(test_run("conversation sessions search giraffe 2>&1"), 0);
    has("nothing was found");
    assert_int_equal(test_run("conversation sessions search"), 2);
    assert_int_equal(test_run("conversation sessions search --csv order"), 2);
    assert_int_equal(test_run("conversation sessions frobnicate s1"), 2);
    assert_int_equal(test_run("conversation sessions rename s1"), 2);
    assert_int_equal(test_run("conversation sessions tag s1 \"$(printf 'a\\nb')\""), 2);
    assert_int_equal(test_run("conversation sessions --store sqlite:missing.db search order"), 3);
    assert_int_equal(test_run("test -e missing.db"), 1);
}

static void labels_show_in_the_list(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation sessions rename s1 'A title' && "
                              "conversation sessions tag s1 urgent && "
                              "conversation sessions tag s1 late && "
                              "conversation sessions"),
                     0);
    has("A title");
    has("late, urgent");
    has("s2");
    assert_int_equal(test_run("conversation sessions --tag urgent"), 0);
    lacks("s2");
    assert_int_equal(test_run("conversation sessions untag s1 urgent && "
                              "conversation sessions archive s2 && conversation sessions --json"),
                     0);
    has("\"tags\": [\"late\"]");
    has("\"archived_at\": null");
    lacks("s2");
    assert_int_equal(test_run("conversation sessions --archived"), 0);
    has("s2");
    lacks("s1");
    assert_int_equal(test_run("conversation sessions search world 2>&1"), 0);
    has("nothing was found");
    /* An export leaves nothing out. */
    assert_int_equal(test_run("conversation export"), 0);
    has("\"s2\"");
    assert_int_equal(test_run("conversation sessions unarchive s2"), 0);
    assert_int_equal(test_run("conversation sessions untag s1 never-there"), 0);
    assert_contains(test_errors, "the session is without the tag");
    static const char *const missing[] = {"rename", "tag", "untag", "archive", "unarchive"};
    for (int i = 0; i < 5; i++) {
        char begin[64];
        assert_int_equal(
            test_run("conversation sessions %s 'no such' %s", missing[i], i < 3 ? "text" : ""), 4);
        snprintf(begin, sizeof begin, "conversation: %s session: ", missing[i]);
        assert_contains(test_errors, begin);
    }
}

static void the_list_may_be_named(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation sessions --csv >bare && conversation sessions list "
                              "--csv | cmp - bare && test -s bare"),
                     0);
    assert_int_equal(test_run("conversation sessions list --user u1 --tag none --json"), 0);
    assert_string_equal(test_output, "[]\n");
    assert_int_equal(test_run("conversation sessions list s1"), 2);
    assert_contains(test_errors, "sessions: list takes no further word");
    assert_int_equal(test_run("conversation sessions list --session s1"), 2);
    assert_int_equal(test_run("conversation sessions frobnicate --tag x"), 2);
}

static void csv_has_what_json_has(void **state)
{
    (void)state;
    assert_int_equal(test_run(CHAT "--session csv 'hello' && "
                                   "conversation sessions tag csv 'a, b' && "
                                   "conversation sessions tag csv 'say \"c\"'"),
                     0);
    assert_int_equal(test_run("conversation sessions --csv"), 0);
    has("id,session_id,user,title,message_count,created_at,updated_at,tags,archived_at\r\n");
    has("Z,\"[\"\"a, b\"\", \"\"say \\\"\"c\\\"\"\"\"]\",\r\n");
    has("Z,,\r\n"); /* no tags: nothing */
    assert_int_equal(test_run("conversation sessions archive csv && "
                              "conversation sessions --archived --csv | sed -n 2p | tr -d '\\r' |"
                              " sed 's/.*]\",//'"),
                     0);
    assert_int_equal(strlen(test_output), strlen("2026-11-23T03:44:40.123456Z\n"));
    assert_int_equal(test_run("conversation sessions --archived --json"), 0);
    has("\"tags\": [\"a, b\", \"say \\\"c\\\"\"]");
    assert_int_equal(test_run("conversation sessions unarchive csv"), 0);
}

/* An id that is cut can't be typed again: titles, tags and users yield to it. */
static void an_id_is_whole_in_80_columns(void **state)
{
    (void)state;
    test_terminal terminal;
    assert_int_equal(test_run(CHAT "--session release-notes-2026-11-25 --user a-user-of-some-length"
                                   " hi && conversation sessions rename release-notes-2026-11-25"
                                   " 'What is new in this release, and what was mended' &&"
                                   " conversation sessions tag release-notes-2026-11-25 published"),
                     0);
    test_terminal_start(&terminal, 80, "conversation sessions --no-color");
    assert_int_equal(test_terminal_end(&terminal), 0);
    test_terminal_fits(&terminal, 80);
    assert_contains(terminal.screen, "release-notes-2026-11-25 ");
    assert_contains(terminal.screen, "a-use…");
}

static void what_was_chosen_by_is_named_where_nothing_is_found(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation sessions --tag nosuch"), 0);
    assert_string_equal(test_errors, "conversation: there are no sessions with the tag nosuch\n");
    assert_int_equal(
        test_run("conversation sessions --archived --tag t --user \"$(printf 'a\\033b')\""), 0);
    assert_string_equal(test_errors, "conversation: there are no archived sessions of a\\x1bb with "
                                     "the tag t\n");
}

static void history_shows_one_branch(void **state)
{
    (void)state;
    char command[256];
    assert_int_equal(test_run("conversation history --jsonl --limit 1 s1"), 0);
    char *id = strstr(test_output, "\"message_id\": \"");
    assert_non_null(id);
    snprintf(command, sizeof command, CHAT "--session s1 --instead-of %.36s 'Where is 4712?'",
             id + strlen("\"message_id\": \""));
    assert_int_equal(test_run("%s", command), 0);
    assert_int_equal(test_run("conversation history s1"), 0);
    has("4711");
    has("4712");
    assert_int_equal(test_run("conversation history --branch last s1"), 0);
    lacks("4711");
    assert_int_equal(test_run("conversation history --branches --json s1"), 0);
    has("\"position\": 2");
    has("\"position\": 4");
    lacks("\"position\": 3");
    has("\"parent_id\": \"");
    assert_int_equal(test_run("conversation history --branches s1"), 0);
    has("  #2  ");
    lacks("  #3  ");
    assert_int_equal(test_run("id=$(conversation history --branches s1 | head -n 1) &&"
                              " conversation history --branch $id s1"),
                     0);
    has("4711");
    lacks("4712");
    assert_int_equal(test_run("conversation export --session s1"), 0);
    assert_contains(test_errors, "1 with branches, written as one conversation");
    assert_int_equal(test_run("conversation history --branch rubbish s1"), 2);
    assert_int_equal(test_run("conversation history --branches --last 3 s1"), 2);
    assert_int_equal(
        test_run("conversation history --branch 00000000-0000-4000-8000-000000000001 s1"), 4);
    assert_int_equal(test_run(CHAT "--session s1 --instead-of rubbish hello"), 2);
    assert_int_equal(
        test_run(CHAT "--session s1 --instead-of 00000000-0000-4000-8000-000000000001 hello"), 4);
}

/* The id of message `position` of the session, static. */
static const char *id_of(const char *session, int position)
{
    static char id[37];
    assert_int_equal(
        test_run("conversation history --jsonl --after %d --limit 1 %s", position - 1, session), 0);
    const char *found = strstr(test_output, "\"message_id\": \"");
    assert_non_null(found);
    snprintf(id, sizeof id, "%.36s", found + strlen("\"message_id\": \""));
    return id;
}

static void a_question_is_asked_again_without_retyping(void **state)
{
    (void)state;
    assert_int_equal(test_run(CHAT "--session again --user u3 'Why is it so?'"), 0);
    assert_int_equal(test_run(CHAT "--session again --instead-of %s </dev/null", id_of("again", 1)),
                     0);
    assert_string_equal(test_output, "Why is it so?\n");
    assert_int_equal(test_run("conversation history --branch last --jsonl again | wc -l"), 0);
    assert_string_equal(test_output, "2\n");
    assert_int_equal(test_run("conversation history again --jsonl | wc -l"), 0);
    assert_string_equal(test_output, "4\n");
    /* The question before an answer is not said a second time. */
    assert_int_equal(
        test_run(CHAT "--session again --json --instead-of %s </dev/null", id_of("again", 4)), 0);
    has("\"content\": \"Why is it so?\"");
    assert_int_equal(test_run("conversation history again --jsonl | wc -l"), 0);
    assert_string_equal(test_output, "5\n");

    char command[256];
    test_terminal terminal;
    snprintf(command, sizeof command, CHAT "--session again --instead-of %s", id_of("again", 1));
    test_terminal_start(&terminal, 80, command);
    assert_int_equal(test_terminal_end(&terminal), 0);
    assert_contains(terminal.screen, "Why is it so?");
    assert_int_equal(test_run("conversation history again --jsonl | wc -l"), 0);
    assert_string_equal(test_output, "7\n");
}

static void what_instead_of_can_not_name_is_said(void **state)
{
    (void)state;
    static const char *const words[] = {"hello", "</dev/null"};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            test_run(CHAT "--session s1 --instead-of 00000000-0000-4000-8000-000000000001 %s",
                     words[i]),
            4);
        assert_contains(test_errors, "--instead-of: the session has no message with this id\n"
                                     "hint: `conversation history --json SESSION`");
        assert_int_equal(test_run(CHAT "--session s1 --instead-of %s %s", id_of("s2", 1), words[i]),
                         4);
        assert_contains(test_errors, "--instead-of");
        lacks("hello");
    }
    assert_int_equal(test_run(CHAT "--session s1 --instead-of %s hello", id_of("s1", 2)), 2);
    assert_contains(test_errors, "is an answer: name the question that it answers");
    assert_int_equal(test_run(CHAT "--session s1 --instead-of %s ''", id_of("s1", 1)), 2);
}

static void summaries_are_made_and_shown(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation summaries make s1 --provider echo"), 0);
    has("s1  up to #");
    has("user: Where is");
    assert_int_equal(test_run("conversation summaries --json"), 0);
    has("\"key_points\": []");
    has("\"model\": \"echo\"");
    assert_int_equal(test_run("conversation summaries show s1"), 0);
    has("user: Where is");
    assert_int_equal(test_run("conversation summaries --session s2 2>&1"), 0);
    has("there is no summary");
    assert_int_equal(test_run("conversation usage --by service --csv"), 0);
    has("summary,");
    assert_int_equal(test_run("conversation summaries show 'no such'"), 4);
    assert_int_equal(test_run(CHAT "--session open 'mail ann@example.com'"), 0);
    assert_int_equal(test_run("conversation summaries make open --provider echo --redact"), 0);
    has("mail [redacted:email]");
    lacks("ann@example.com");
    assert_int_equal(test_run("conversation summaries list --redact"), 2);
    assert_int_equal(test_run("conversation summaries make 'no such' --provider echo"), 4);
    assert_int_equal(test_run("conversation summaries make s2 --provider recorded:/dev/null"), 5);
    assert_int_equal(test_run("conversation summaries frob"), 2);
    assert_int_equal(test_run("conversation summaries show"), 2);
    assert_int_equal(test_run("conversation summaries list --model m"), 2);
}

/* A single turn waits for the summary it asked for, and the next one is told it. */
static void a_chat_makes_and_uses_summaries(void **state)
{
    (void)state;
    static const char count[] = "SELECT count(*) FROM chat_sessions_summary s JOIN chat_sessions c"
                                " ON c.session_id = s.session_id WHERE c.external_id = 'told'";
    assert_int_equal(test_run(CHAT "--session told 'my name is Zebulon'"), 0);
    assert_string_equal(test_store_value(kind, count), "0");
    assert_int_equal(test_run(CHAT "--session told --summary-tokens 1000 hello"), 0);
    assert_string_equal(test_store_value(kind, count), "0");
    assert_int_equal(test_run(CHAT "--session told --summary-tokens 1 hello"), 0);
    assert_string_equal(test_store_value(kind, count), "1");
    assert_int_equal(test_run("conversation summaries show told"), 0);
    has("Zebulon");
    assert_int_equal(test_run(CHAT "--session told --context-tokens 1 --json hello"), 0);
    has("\"input_tokens\": 1,");
    assert_int_equal(test_run(CHAT "--session told --context-tokens 100 --json hello"), 0);
    lacks("\"input_tokens\": 1,");
    lacks("\"input_tokens\": 2,");
    assert_int_equal(test_run(CHAT "--session told --context-tokens 0 hello"), 2);
    assert_int_equal(test_run("conversation summaries --context-tokens 7"), 2);
    /* No more goes into one summary than the model may be told, or 4,000 tokens. */
    assert_int_equal(test_run(CHAT "--session told \"$(head -c 17000 /dev/zero | tr '\\0' a)\""),
                     0);
    assert_int_equal(
        test_run("conversation summaries make told --provider echo --context-tokens 1"), 0);
    has("up to #10 ");
}

/* What was paid for is not lost where the store can't take it any more. */
static void a_summary_that_was_paid_for_is_counted(void **state)
{
    (void)state;
    static const char records[] = "SELECT count(*) FROM usage_logs WHERE service = 'summary'";
    assert_int_equal(test_run(CHAT "--session paid hello"), 0);
    int before = atoi(test_store_value(kind, records));
    test_store_execute(kind, "ALTER TABLE usage_logs RENAME TO usage_away");
    assert_true(test_run("conversation summaries make paid --provider echo --journal j.db") != 0);
    assert_contains(test_errors, "1 usage record wait");
    test_store_execute(kind, "ALTER TABLE usage_away RENAME TO usage_logs");
    assert_int_equal(test_run("conversation journal retry --journal j.db"), 0);
    assert_int_equal(atoi(test_store_value(kind, records)), before + 1);
    assert_string_equal(test_store_value(kind, "SELECT count(*) FROM usage_logs JOIN chat_sessions"
                                               " USING (session_id) WHERE service = 'summary'"
                                               " AND external_id = 'paid'"),
                        "1");
    assert_int_equal(test_run("conversation summaries make paid --provider echo --journal j.db"),
                     0);
    has("paid  up to #");
    assert_int_equal(test_run("conversation summaries show paid --journal j.db"), 2);
    assert_int_equal(test_run("conversation delete paid --yes"), 0);
}

/* One that is deleted has its records still, and so can be told from a slip of the pen. */
static void a_session_that_is_not_there_is_an_error_everywhere(void **state)
{
    (void)state;
    static const char *const choosing[] = {
        "sessions search --session $S hello",
        "sessions search --session $S --json hello",
        "summaries --session $S",
        "summaries list --session $S --json",
        "usage --session $S",
        "usage --session $S --by day --csv",
        "documents --session $S",
        "documents list --session $S --json",
    };
    static const char *const naming[] = {
        "history $S",
        "history --json $S",
        "export --session $S",
        "delete --yes $S",
        "summaries show $S",
        "summaries show --json $S",
        "summaries make --provider echo $S",
        "sessions tag $S x",
        "sessions archive $S",
        "sessions rename $S new",
        "documents show --session $S d",
    };
    assert_int_equal(test_run(CHAT "--session gone hello && conversation delete gone --yes"), 0);
    for (size_t i = 0; i < sizeof choosing / sizeof choosing[0]; i++) {
        assert_int_equal(test_run("S=nope; conversation %s", choosing[i]), 4);
        assert_string_equal(test_output, "");
        assert_contains(test_errors, ": there is no session with this id, and no record of one\n"
                                     "hint: `conversation sessions` lists them\n");
        assert_int_equal(test_run("S=gone; conversation %s", choosing[i]), 0);
        assert_int_equal(test_run("S=s1; conversation %s", choosing[i]), 0);
    }
    for (size_t i = 0; i < sizeof naming / sizeof naming[0]; i++) {
        assert_int_equal(test_run("S=nope; conversation %s", naming[i]), 4);
        assert_string_equal(test_output, "");
        assert_contains(test_errors, "conversation: ");
        assert_int_equal(test_run("S=gone; conversation %s", naming[i]), 4);
        assert_contains(test_errors, "conversation: ");
    }
    assert_int_equal(test_run("printf x >x && conversation documents find x --session nope"), 4);
    assert_contains(test_errors, "documents: there is no session with this id");
}

/* A user exists by what is theirs. */
static void a_user_of_whom_there_is_nothing_chooses_nothing(void **state)
{
    (void)state;
    static const char *const choosing[] = {"sessions --user nobody",
                                           "sessions search --user nobody hello",
                                           "documents --user nobody", "export --user nobody"};
    for (size_t i = 0; i < sizeof choosing / sizeof choosing[0]; i++) {
        assert_int_equal(test_run("conversation %s", choosing[i]), 0);
        assert_string_equal(test_output, "");
        assert_contains(test_errors, "conversation: ");
    }
    assert_int_equal(test_run("conversation usage --user nobody --json"), 0);
    has("\"rows\": [], \"total\": {\"records\": 0");
    assert_int_equal(test_run("conversation erase --user nobody --yes"), 4);
}

static void an_erasure_asks_and_shows_a_receipt(void **state)
{
    (void)state;
    assert_int_equal(test_run("conversation erase --yes"), 2);
    assert_int_equal(test_run("conversation erase --user u2 </dev/null"), 2);
    assert_int_equal(test_run(": > d && conversation documents add --session s2 --user u2 d"), 0);
    assert_int_equal(test_run("conversation erase --user u2 --yes --json"), 0);
    has("\"documents\": 1");
    has("\"sessions\": 1");
    has("\"messages\": 2");
    has("\"usage_kept\": 3"); /* others are of a summary that failed, and of the document */
    has("\"pseudonym\": ");
    assert_int_equal(test_run("conversation usage refresh && conversation reconcile"), 0);
    assert_int_equal(test_run("conversation history s2"), 4);
    assert_int_equal(test_run("conversation erase --user u2 --yes"), 4);
    assert_contains(test_errors, "hint: `conversation sessions` and `conversation documents` show");
    assert_int_equal(test_run("conversation usage --json"), 0);
    assert_int_equal(test_run("conversation erase --user u1 --yes"), 0);
    has("erased 1 session, ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_search_finds_and_shows),
        cmocka_unit_test(labels_show_in_the_list),
        cmocka_unit_test(the_list_may_be_named),
        cmocka_unit_test(csv_has_what_json_has),
        cmocka_unit_test(what_was_chosen_by_is_named_where_nothing_is_found),
        cmocka_unit_test(history_shows_one_branch),
        cmocka_unit_test(a_question_is_asked_again_without_retyping),
        cmocka_unit_test(what_instead_of_can_not_name_is_said),
        cmocka_unit_test(summaries_are_made_and_shown),
        cmocka_unit_test(a_chat_makes_and_uses_summaries),
        cmocka_unit_test(a_summary_that_was_paid_for_is_counted),
        cmocka_unit_test(a_session_that_is_not_there_is_an_error_everywhere),
        cmocka_unit_test(a_user_of_whom_there_is_nothing_chooses_nothing),
        cmocka_unit_test(an_erasure_asks_and_shows_a_receipt),
        cmocka_unit_test(an_id_is_whole_in_80_columns),
    };
    kind = "postgresql";
    int failed = RUN_TESTS_WITH("sessions on PostgreSQL", tests, setup, teardown);
    kind = "sqlite";
    return failed + RUN_TESTS_WITH("sessions on SQLite", tests, setup, teardown);
}
