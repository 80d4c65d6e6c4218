/* Forms of transcripts that others write: ShareGPT's and ChatGPT's. */
#include <stdlib.h>

#include "support/failing_memory.h"
#include "support/test.h"
#include "support/transcripts.h"

static void sharegpt_is_read(void **state)
{
    (void)state;
    conv_transcript *transcript = transcript_of(
        "{\"id\": \"QWJhYvA_0\", \"conversations\": [{\"from\": \"system\", \"value\": \"s\"},"
        "{\"from\": \"human\", \"value\": \"h\"}, {\"from\": \"gpt\", \"value\": \"g\"},"
        "{\"from\": \"user\", \"value\": \"u\"}, {\"from\": \"chatgpt\", \"value\": \"c\"},"
        "{\"from\": \"function_call\", \"value\": \"f\"}, {\"from\": \"observation\", \"value\": "
        "\"o\"},"
        "{\"from\": \"tool\", \"value\": \"t\"}, {\"role\": \"assistant\", \"content\": \"a\"}]}");
    assert_string_equal(conv_transcript_id(transcript), "QWJhYvA_0");
    assert_string_equal(transcript_texts(transcript),
                        "system:s|user:h|assistant:g|user:u|assistant:c|assistant:f|tool:o|tool:t|"
                        "assistant:a");
    assert_int_equal(conv_transcript_turn_count(transcript), 2);
    conv_transcript_free(transcript);
}

static void sharegpts_system_may_stand_beside_the_list(void **state)
{
    (void)state;
    conv_transcript *transcript = transcript_of(
        "{\"system\": \"s\", \"conversations\": [{\"from\": \"human\", \"value\": \"h\"}]}");
    assert_string_equal(transcript_texts(transcript), "system:s|user:h");
    conv_transcript_free(transcript);
    transcript = transcript_of(
        "{\"system\": \"\", \"conversations\": [{\"from\": \"human\", \"value\": \"h\"}]}");
    assert_string_equal(transcript_texts(transcript), "user:h");
    conv_transcript_free(transcript);
    assert_no_transcript("{\"conversations\": [{\"from\": \"alien\", \"value\": \"h\"}]}",
                         "a message without a known role at byte 19");
    assert_no_transcript("{\"system\": \"\", \"conversations\": []}",
                         "no messages in the object at byte 0");
}

#define NODE(id, parent, message)                                                                  \
    "\"" id "\": {\"id\": \"" id "\", \"parent\": " parent                                         \
    ", \"children\": [], \"message\": " message "}"
#define MESSAGE(role, text, more)                                                                  \
    "{\"author\": {\"role\": \"" role "\"}, \"content\": {\"content_type\": \"text\", "            \
    "\"parts\": [\"" text "\"]}" more "}"

/* The branch that was shown last is not the one that stands last in the file. */
static void chatgpts_current_branch_is_read(void **state)
{
    (void)state;
    conv_transcript *transcript = transcript_of(
        "{\"title\": \"T\", \"conversation_id\": \"conv-1\", \"current_node\": \"d\", \"mapping\": "
        "{" NODE("root", "null", "null") "," NODE("s", "\"root\"", MESSAGE("system", "", "")) "," NODE(
            "d", "\"c\"",
            MESSAGE(
                "assistant", "second \\u00e4nswer",
                ", \"metadata\": {\"model_slug\": \"gpt-4o\"}, \"create_time\": "
                "1700000000.1234567")) "," NODE("a", "\"s\"",
                                                MESSAGE(
                                                    "user", "question",
                                                    ", \"create_time\": "
                                                    "1700000000")) "," NODE("b",
                                                                            "\"a"
                                                                            "\"",
                                                                            MESSAGE(
                                                                                "assistant",
                                                                                "first answer",
                                                                                "")) "," NODE("c",
                                                                                              "\"a"
                                                                                              "\"",
                                                                                              MESSAGE(
                                                                                                  "tool",
                                                                                                  "looked up",
                                                                                                  "")) "," NODE("z",
                                                                                                                "\"b\"",
                                                                                                                MESSAGE(
                                                                                                                    "user",
                                                                                                                    "never mind",
                                                                                                                    "")) "}}");
    assert_string_equal(conv_transcript_id(transcript), "conv-1");
    assert_string_equal(conv_transcript_title(transcript), "T");
    assert_string_equal(conv_transcript_model(transcript), "gpt-4o");
    assert_string_equal(transcript_texts(transcript),
                        "user:question|tool:looked up|assistant:second \xc3\xa4nswer");
    const conv_message *messages = conv_transcript_messages(transcript);
    assert_int_equal(messages[0].created_us, INT64_C(1700000000000000));
    assert_int_equal(messages[1].created_us, 0);
    assert_int_equal(messages[2].created_us, INT64_C(1700000000123456));
    assert_bytes(messages[2].model, "gpt-4o");
    assert_null(messages[0].model.data);
    conv_transcript_free(transcript);
}

static void without_a_current_node_the_last_one_counts(void **state)
{
    (void)state;
    conv_transcript *transcript = transcript_of(
        "{\"id\": \"x\", \"mapping\": {" NODE("a", "null", MESSAGE("user", "q", "")) "," NODE(
            "b", "\"a\"", MESSAGE("assistant", "r", "")) "}}");
    assert_string_equal(transcript_texts(transcript), "user:q|assistant:r");
    conv_transcript_free(transcript);
}

static void content_that_is_no_text_is_kept(void **state)
{
    (void)state;
    conv_transcript *transcript =
        transcript_of("{\"id\": \"x\", \"current_node\": \"d\", \"mapping\": {" NODE(
            "a", "null",
            "{\"author\": {\"role\": \"user\"}, \"content\": {\"parts\": "
            "[\"one\", \"two\"]}}") "," NODE("b", "\"a\"",
                                             "{\"author\": {\"role\": \"user\"}, "
                                             "\"content\": {\"parts\": "
                                             "[ {\"asset_pointer\": \"file-1\"}, "
                                             "\"look\"]}}") "," NODE("c", "\"b\"",
                                                                     "{\"author\": "
                                                                     "{\"role\": "
                                                                     "\"assistant\", "
                                                                     "\"name\": "
                                                                     "\"python\"}, "
                                                                     "\"content\": "
                                                                     "{\"content_type\": "
                                                                     "\"code\", \"text\": "
                                                                     "\"1+1\"}}") "," NODE("d",
                                                                                           "\"c\"",
                                                                                           "{\"auth"
                                                                                           "or\": "
                                                                                           "{\"role"
                                                                                           "\": "
                                                                                           "\"tool"
                                                                                           "\"}, "
                                                                                           "\"conte"
                                                                                           "nt\": "
                                                                                           "{\"cont"
                                                                                           "ent_"
                                                                                           "type\":"
                                                                                           " \"thou"
                                                                                           "ghts\"}"
                                                                                           "}") "}"
                                                                                                "}");
    const conv_message *messages = conv_transcript_messages(transcript);
    assert_int_equal(conv_transcript_message_count(transcript), 4);
    assert_bytes(messages[0].content, "one\ntwo");
    assert_null(messages[1].content.data);
    assert_bytes(messages[1].parts, "[ {\"asset_pointer\": \"file-1\"}, \"look\"]");
    assert_bytes(messages[2].content, "1+1");
    assert_bytes(messages[2].name, "python");
    assert_bytes(messages[3].parts, "[{\"content_type\": \"thoughts\"}]");
    conv_transcript_free(transcript);
}

static void broken_trees_are_refused(void **state)
{
    (void)state;
    assert_no_transcript("{\"id\": \"x\", \"mapping\": {}}", "no messages in the object at byte 0");
    assert_no_transcript("{\"id\": \"x\", \"current_node\": \"gone\", \"mapping\": {" NODE(
                             "a", "null", MESSAGE("user", "q", "")) "}}",
                         "no messages in the object at byte 0");
    assert_no_transcript("{\"mapping\": {\"a\": {\"parent\": \"a\"}}}",
                         "a node that is its own parent at byte 18");
    assert_no_transcript("{\"mapping\": {\"a\": {\"parent\": \"b\"}, \"b\": {\"parent\": \"a\"}}}",
                         "a node that is its own parent at byte 40");
    assert_no_transcript("{\"mapping\": {" NODE("a", "\"b\"", MESSAGE("user", "q", "")) "," NODE(
                             "b", "\"a\"", MESSAGE("user", "q", "")) "}}",
                         "a node that is its own parent at byte 160");
    assert_no_transcript("{\"mapping\": {\"a\": {\"message\": {\"author\": {\"role\": \"alien\"}, "
                         "\"content\": {\"text\": \"x\"}}}}}",
                         "a message without a known role at byte 30");
    assert_no_transcript("{\"mapping\": {\"a\": 5}}", "no messages in the object at byte 0");
}

/* Ten thousand nodes: a search of the whole tree for each step would take minutes here. */
static void a_long_branch_is_walked_quickly(void **state)
{
    (void)state;
    enum { NODES = 10000 };
    char *line = NULL;
    size_t size;
    FILE *file = open_memstream(&line, &size);
    fprintf(file, "{\"id\":\"x\",\"current_node\":\"n0\",\"mapping\":{");
    for (int i = 0; i < NODES; i++) {
        fprintf(file, "%s\"n%d\":{\"parent\":\"n%d\",\"message\":" MESSAGE("user", "%d", "") "}",
                i == 0 ? "" : ",", i, i + 1, NODES - 1 - i);
    }
    fprintf(file, "}}");
    fclose(file);
    conv_transcript *transcript = transcript_of(line);
    assert_int_equal(conv_transcript_message_count(transcript), NODES);
    for (int i = 0; i < NODES; i++) {
        assert_int_equal(atol(conv_transcript_messages(transcript)[i].content.data), i);
    }
    conv_transcript_free(transcript);
    free(line);
}

static conv_status read_tree(void *context)
{
    conv_transcript *transcript = NULL;
    conv_error error;
    conv_status status = conv_transcript_parse(conv_text(context), &transcript, &error);
    conv_transcript_free(transcript);
    return status;
}

static void failing_allocations_are_said(void **state)
{
    (void)state;
    char tree[] = "{\"current_node\": \"b\", \"mapping\": {" NODE(
        "a", "null",
        MESSAGE("user", "q",
                "")) "," NODE("b", "\"a\"",
                              "{\"author\": {\"role\": \"tool\"}, \"content\": {\"x\": 1}}") "}}";
    assert_in_range(failing_memory_run(read_tree, tree), 5, 40);
    char list[] =
        "{\"system\": \"s\", \"conversations\": [{\"from\": \"human\", \"value\": \"h\"}]}";
    assert_in_range(failing_memory_run(read_tree, list), 3, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sharegpt_is_read),
        cmocka_unit_test(sharegpts_system_may_stand_beside_the_list),
        cmocka_unit_test(chatgpts_current_branch_is_read),
        cmocka_unit_test(without_a_current_node_the_last_one_counts),
        cmocka_unit_test(content_that_is_no_text_is_kept),
        cmocka_unit_test(broken_trees_are_refused),
        cmocka_unit_test(a_long_branch_is_walked_quickly),
        cmocka_unit_test(failing_allocations_are_said),
    };
    return RUN_TESTS("transcript forms", tests);
}
