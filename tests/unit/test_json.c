/* JSON: the grammar of RFC 8259, navigation, strings and numbers, with jansson as second opinion.
 */
#include "core/json.h"

#include <jansson.h>
#include <stdlib.h>

#include "support/failing_memory.h"
#include "support/test.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Parses a copy of exactly the text's size, so that the sanitizer sees each byte read beyond it. */
static bool accepts(const char *data, size_t size, size_t *offset)
{
    char *copy = malloc(size == 0 ? 1 : size);
    memcpy(copy, data, size);
    conv__json value;
    bool accepted = conv__json_parse(conv_view(copy, size), &value, offset);
    free(copy);
    return accepted;
}

static conv__json parsed(const char *text)
{
    conv__json value = {0};
    if (!conv__json_parse(conv_text(text), &value, NULL)) fail_msg("refused: %s", text);
    return value;
}

static void json_of_the_rfc_is_accepted(void **state)
{
    (void)state;
    static const char *const table[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "12",
        "-12.5",
        "0.0",
        "1e5",
        "1E+5",
        "1e-5",
        "1.5e00",
        "\"\"",
        "\"a\"",
        "[]",
        "{}",
        " [ ] ",
        "\t\n\r {\n} ",
        "[1]",
        "[1,2 , 3]",
        "[[],[[]],{}]",
        "{\"a\":1}",
        "{\"a\":1,\"a\":2}",
        "{ \"\" : [ { } ] }",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\\u0000\\uD800\\udfff\\uFFFF\\uabcd\"",
        "\"\x7f\"",
        "\"/\"",
        "123456789012345678901234567890",
        "1e999999999",
        "-1.2345678901234567890123456789e-400",
        "\"\xed\xa0\x80\"",
        "\"\xff\xc0\"",
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        size_t offset = 99;
        if (!accepts(table[i], strlen(table[i]), &offset))
            fail_msg("refused at %zu: %s", offset, table[i]);
    }
}

static void anything_else_is_refused_where_it_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t offset;
    } table[] = {
        {"", 0},
        {" ", 1},
        {"nul", 3},
        {"nulll", 4},
        {"NULL", 0},
        {"True", 0},
        {"undefined", 0},
        {"NaN", 0},
        {"Infinity", 0},
        {"-", 1},
        {"-a", 1},
        {"+1", 0},
        {"01", 1},
        {"-01", 2},
        {"1.", 2},
        {".5", 0},
        {"1.e5", 2},
        {"1e", 2},
        {"1e+", 3},
        {"0x10", 1},
        {"1 2", 2},
        {"\"", 1},
        {"\"a", 2},
        {"'a'", 0},
        {"\"\\\"", 3},
        {"\"\\x\"", 2},
        {"\"\\u12\"", 5},
        {"\"\\u12g4\"", 5},
        {"\"\\", 2},
        {"\"\\u", 3},
        {"\"\n\"", 1},
        {"\"\t\"", 1},
        {"\"a\x01\"", 2},
        {"[", 1},
        {"]", 0},
        {"[1", 2},
        {"[1,", 3},
        {"[1,]", 3},
        {"[,1]", 1},
        {"[1 2]", 3},
        {"[1}", 2},
        {"[]]", 2},
        {"{", 1},
        {"}", 0},
        {"{\"a\"", 4},
        {"{\"a\":", 5},
        {"{\"a\":}", 5},
        {"{\"a\":1", 6},
        {"{\"a\":1,", 7},
        {"{\"a\":1,}", 7},
        {"{a:1}", 1},
        {"{1:1}", 1},
        {"{\"a\" 1}", 5},
        {"{\"a\":1]", 6},
        {"{null:1}", 1},
        {"[1]x", 3},
        {"// c\n1", 0},
        {"[1/**/]", 2},
        {"\xef\xbb\xbf"
         "1",
         0},
        {"\xc2\xa0"
         "1",
         0},
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        size_t offset = 99;
        if (accepts(table[i].text, strlen(table[i].text), &offset))
            fail_msg("taken: %s", table[i].text);
        if (offset != table[i].offset)
            fail_msg("at %zu, not %zu: %s", offset, table[i].offset, table[i].text);
    }
    size_t offset;
    assert_false(accepts("\"a\0b\"", 5, &offset));
    assert_false(accepts("1\0", 2, &offset));
    assert_int_equal(offset, 1);
    conv__json value;
    assert_false(conv__json_parse(conv_text(NULL), &value, &offset));
}

/* Strings are read eight bytes at a time: each byte must be judged at every place. */
static void every_byte_of_a_string_is_judged_at_every_place(void **state)
{
    (void)state;
    char text[44];
    for (size_t size = 3; size < sizeof text; size++) {
        for (size_t place = 1; place < size - 1; place++) {
            for (int byte = 0; byte < 256; byte++) {
                memset(text, place % 2 == 0 ? 'a' : '\x80', size);
                text[0] = text[size - 1] = '"';
                text[place] = (char)byte;
                bool is_plain = byte >= 0x20 && byte != '"' && byte != '\\';
                size_t offset = 0;
                assert_int_equal(accepts(text, size, &offset), is_plain);
                if (byte < 0x20) assert_int_equal(offset, place);
            }
        }
    }
}

static void nesting_has_a_limit(void **state)
{
    (void)state;
    for (int shape = 0; shape < 2; shape++) {
        const char *open = shape == 0 ? "[" : "{\"a\":";
        const char *close = shape == 0 ? "]" : "}";
        for (int extra = 0; extra < 2; extra++) {
            conv__buffer text = {0};
            for (int i = 0; i < CONV__JSON_DEPTH + extra; i++) {
                conv__buffer_append_text(&text, open);
            }
            conv__buffer_append_text(&text, "0");
            for (int i = 0; i < CONV__JSON_DEPTH + extra; i++) {
                conv__buffer_append_text(&text, close);
            }
            size_t offset;
            assert_int_equal(accepts(text.data, text.size, &offset), extra == 0);
            if (extra == 1) assert_int_equal(offset, CONV__JSON_DEPTH * strlen(open));
            conv__buffer_free(&text);
        }
    }
    static char endless[1000000];
    memset(endless, '[', sizeof endless);
    size_t offset;
    assert_false(accepts(endless, sizeof endless, &offset));
}

static void members_and_elements_are_found(void **state)
{
    (void)state;
    conv__json object =
        parsed(" {\"a\" : [1 , \"x\",{} ] ,\"b\\u0061\":null, \"a\": 2 , \"\":{\"a\":3}}");
    assert_int_equal(object.kind, CONV__JSON_OBJECT);
    assert_bytes(conv__json_get(object, "a").text, "2");
    assert_int_equal(conv__json_get(object, "ba").kind, CONV__JSON_NULL);
    assert_bytes(conv__json_get(object, "").text, "{\"a\":3}");
    assert_int_equal(conv__json_get(object, "b").kind, CONV__JSON_ABSENT);
    assert_int_equal(conv__json_get(object, "baa").kind, CONV__JSON_ABSENT);
    assert_int_equal(conv__json_get(parsed("[1]"), "a").kind, CONV__JSON_ABSENT);
    assert_int_equal(conv__json_get((conv__json){0}, "a").kind, CONV__JSON_ABSENT);

    static const char *const wanted[] = {"", "a", "none", "ba"};
    conv__json found[4];
    conv__json_get_all(object, wanted, 4, found);
    assert_bytes(found[0].text, "{\"a\":3}");
    assert_bytes(found[1].text, "2");
    assert_int_equal(found[2].kind, CONV__JSON_ABSENT);
    assert_int_equal(found[3].kind, CONV__JSON_NULL);
    conv__json_get_all(parsed("[]"), wanted, 4, found);
    assert_int_equal(found[1].kind, CONV__JSON_ABSENT);

    static const char *const keys[] = {"\"a\"", "\"b\\u0061\"", "\"a\"", "\"\""};
    static const char *const values[] = {"[1 , \"x\",{} ]", "null", "2", "{\"a\":3}"};
    size_t position = 0, count = 0;
    conv__json key, value;
    for (; conv__json_next(object, &position, &key, &value); count++) {
        assert_bytes(key.text, keys[count]);
        assert_bytes(value.text, values[count]);
    }
    assert_int_equal(count, 4);
    assert_false(conv__json_next(object, &position, &key, &value));

    static const char *const elements[] = {"1", "\"x\"", "{}"};
    conv__json array = parsed("[1 , \"x\",{} ]");
    for (position = count = 0; conv__json_next(array, &position, &key, &value); count++) {
        assert_int_equal(key.kind, CONV__JSON_ABSENT);
        assert_bytes(value.text, elements[count]);
    }
    assert_int_equal(count, 3);

    static const char *const empty[] = {"[]", "[ ]", "{}", "{\n}", "1", "\"[1]\"", "null"};
    for (size_t i = 0; i < COUNT(empty); i++) {
        position = 0;
        assert_false(conv__json_next(parsed(empty[i]), &position, NULL, &value));
    }
}

static conv_bytes decoded(conv__arena *arena, const char *text)
{
    conv_bytes bytes;
    assert_int_equal(conv__json_string(arena, parsed(text), &bytes), CONV_OK);
    if (bytes.data != NULL) assert_int_equal(bytes.data[bytes.size], 0);
    return bytes;
}

static void strings_are_decoded_without_loss(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *bytes;
        size_t size;
    } table[] = {
        {"\"\"", "", 0},
        {"\"abc\"", "abc", 3},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8},
        {"\"\\u0000\"", "\0", 1},
        {"\"a\\u0000b\"", "a\0b", 3},
        {"\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"", "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf",
         11},
        {"\"\\u00E4\\u00e4\"", "\xc3\xa4\xc3\xa4", 4},
        {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80", 4},
        {"\"\\uD83D\\uDE00x\"", "\xf0\x9f\x98\x80x", 5},
        {"\"\\udbff\\udfff\"", "\xf4\x8f\xbf\xbf", 4},
        {"\"\\ud800\"", "\xed\xa0\x80", 3},
        {"\"\\udfff\"", "\xed\xbf\xbf", 3},
        {"\"\\ud83dx\\ude00\"", "\xed\xa0\xbdx\xed\xb8\x80", 7},
        {"\"\\ud83d\\n\"", "\xed\xa0\xbd\n", 4},
        {"\"\\ud83d\\ud83d\\ude00\"", "\xed\xa0\xbd\xf0\x9f\x98\x80", 7},
        {"\"\\ude00\\ud83d\"", "\xed\xb8\x80\xed\xa0\xbd", 6},
        {"\"\xff\\n\xed\xa0\x80\"", "\xff\n\xed\xa0\x80", 5},
    };
    conv__arena arena = {0};
    for (size_t i = 0; i < COUNT(table); i++) {
        conv_bytes bytes = decoded(&arena, table[i].json);
        assert_int_equal(bytes.size, table[i].size);
        assert_memory_equal(bytes.data, table[i].bytes, table[i].size);
    }
    static const char *const no_strings[] = {"null", "1", "[\"a\"]", "{}"};
    for (size_t i = 0; i < COUNT(no_strings); i++) {
        assert_null(decoded(&arena, no_strings[i]).data);
    }
    conv__arena_reset(&arena);
}

static void strings_are_compared_decoded(void **state)
{
    (void)state;
    assert_true(conv__json_string_is(parsed("\"role\""), "role"));
    assert_true(conv__json_string_is(parsed("\"r\\u006fle\""), "role"));
    assert_true(conv__json_string_is(parsed("\"\\ud83d\\ude00\""), "\xf0\x9f\x98\x80"));
    assert_true(conv__json_string_is(parsed("\"\""), ""));
    assert_false(conv__json_string_is(parsed("\"rol\""), "role"));
    assert_false(conv__json_string_is(parsed("\"roles\""), "role"));
    assert_false(conv__json_string_is(parsed("\"role\\u0000\""), "role"));
    assert_false(conv__json_string_is(parsed("\"\\u0000\""), ""));
    assert_false(conv__json_string_is(parsed("null"), "null"));
    assert_false(conv__json_string_is((conv__json){0}, ""));
}

static void whole_numbers_are_integers(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        int64_t integer;
    } table[] = {
        {"0", 0},
        {"-0", 0},
        {"12", 12},
        {"-12", -12},
        {"12.0", 12},
        {"12.000", 12},
        {"1e3", 1000},
        {"1.5e1", 15},
        {"1200e-2", 12},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"922337203685477580.7e1", INT64_MAX},
        {"0e999999999999", 0},
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        int64_t integer = 4711;
        assert_true(conv__json_integer(parsed(table[i].json), &integer));
        assert_int_equal(integer, table[i].integer);
    }
    static const char *const others[] = {
        "0.5",
        "1e-1",
        "9223372036854775808",
        "-9223372036854775809",
        "1e19",
        "1e400",
        "18446744073709551616",
        "340282366920938463463374607431768211457",
        "\"1\"",
        "null",
        "[1]",
    };
    for (size_t i = 0; i < COUNT(others); i++) {
        int64_t integer = 4711;
        if (conv__json_integer(parsed(others[i]), &integer)) fail_msg("taken: %s", others[i]);
        assert_int_equal(integer, 4711);
    }
}

static void strings_are_written_as_python_does(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *json; /* json.dumps(text, ensure_ascii=False) */
    } table[] = {
        {"", 0, "\"\""},
        {"\"\\/", 3, "\"\\\"\\\\/\""},
        {"\0\1\b\t\n\v\f\r\x1f", 9, "\"\\u0000\\u0001\\b\\t\\n\\u000b\\f\\r\\u001f\""},
        {"\x7f\xc2\x80\xc2\xa0\xe2\x80\xa8\xe2\x80\xa9", 11,
         "\"\x7f\xc2\x80\xc2\xa0\xe2\x80\xa8\xe2\x80\xa9\""},
        {"Gr\xc3\xb6\xc3\x9f \xe4\xbc\x9a \xf0\x9f\x99\x82", 15,
         "\"Gr\xc3\xb6\xc3\x9f \xe4\xbc\x9a \xf0\x9f\x99\x82\""},
        {"a\"b\\c\n", 6, "\"a\\\"b\\\\c\\n\""},
        {"\xed\xa0\xbdx\xed\xb8\x80", 7, "\"\\ud83dx\\ude00\""},
        {"\xed\xb8\x80\xed\xa0\xbd", 6, "\"\\ude00\\ud83d\""},
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        conv__buffer buffer = {0};
        assert_true(conv__json_append_string(&buffer, conv_view(table[i].bytes, table[i].size)));
        assert_bytes(conv__buffer_bytes(&buffer), table[i].json);
        conv__buffer_free(&buffer);
    }
}

static void bytes_that_are_no_text_are_said(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        const char *json;
    } table[] = {
        {"a\xff"
         "b",
         "\"a\\ufffdb\""},
        {"\xc3", "\"\\ufffd\""},
        {"\xed\xa0", "\"\\ufffd\\ufffd\""},
        /* As escapes these two would be read back as one character of four bytes. */
        {"\xed\xa0\xbd\xed\xb8\x80", "\"\\ud83d\\ufffd\\ufffd\\ufffd\""},
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        conv__buffer buffer = {0};
        assert_false(conv__json_append_string(&buffer, conv_text(table[i].bytes)));
        assert_bytes(conv__buffer_bytes(&buffer), table[i].json);
        conv__buffer_free(&buffer);
    }
}

static uint64_t seed = 4711;

static unsigned next_random(unsigned below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 33) % below;
}

static void what_is_written_as_text_is_read_back(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "a",
        "\"",
        "\\",
        "\0",
        "\x1f",
        "\x7f",
        "\xc3\xa4",
        "\xf0\x9f\x98\x80",
        "\xed\xa0\xbd",
        "\xed\xb8\x80",
        "\xff",
        "\xed",
        "\x80",
        "u0041",
        "\n",
        "/",
    };
    static const size_t sizes[] = {1, 1, 1, 1, 1, 1, 2, 4, 3, 3, 1, 1, 1, 5, 1, 1};
    int texts = 0;
    for (int round = 0; round < 20000; round++) {
        conv__buffer bytes = {0}, json = {0};
        conv__arena arena = {0};
        for (unsigned i = next_random(8); i > 0; i--) {
            unsigned piece = next_random(COUNT(pieces));
            conv__buffer_append(&bytes, pieces[piece], sizes[piece]);
        }
        if (conv__json_append_string(&json, conv__buffer_bytes(&bytes))) {
            texts++;
            conv__json value;
            conv_bytes read;
            assert_true(conv__json_parse(conv__buffer_bytes(&json), &value, NULL));
            assert_int_equal(conv__json_string(&arena, value, &read), CONV_OK);
            assert_true(conv_bytes_equal(read, conv__buffer_bytes(&bytes)));
        }
        conv__arena_reset(&arena);
        conv__buffer_free(&bytes);
        conv__buffer_free(&json);
    }
    assert_in_range(texts, 5000, 15000);
}

/* Compares every string and the shape of a document with what jansson has read. */
static void compare_with_jansson(conv__arena *arena, conv__json ours, const json_t *theirs)
{
    conv__json key, value;
    size_t position = 0, count = 0;
    conv_bytes bytes;
    switch (json_typeof(theirs)) {
    case JSON_STRING:
        assert_int_equal(conv__json_string(arena, ours, &bytes), CONV_OK);
        assert_true(conv_bytes_equal(
            bytes, conv_view(json_string_value(theirs), json_string_length(theirs))));
        break;
    case JSON_ARRAY:
        assert_int_equal(ours.kind, CONV__JSON_ARRAY);
        for (; conv__json_next(ours, &position, NULL, &value); count++) {
            compare_with_jansson(arena, value, json_array_get(theirs, count));
        }
        assert_int_equal(count, json_array_size(theirs));
        break;
    case JSON_OBJECT:
        assert_int_equal(ours.kind, CONV__JSON_OBJECT);
        while (conv__json_next(ours, &position, &key, &value)) {
            assert_int_equal(conv__json_string(arena, key, &bytes), CONV_OK);
            json_t *member = json_object_getn(theirs, bytes.data, bytes.size);
            assert_non_null(member);
            value = conv__json_get(ours, bytes.data);
            compare_with_jansson(arena, value, member);
        }
        break;
    case JSON_INTEGER: {
        int64_t integer = 0;
        assert_true(conv__json_integer(ours, &integer));
        assert_int_equal(integer, json_integer_value(theirs));
        break;
    }
    case JSON_REAL:
        assert_int_equal(ours.kind, CONV__JSON_NUMBER);
        break;
    case JSON_TRUE:
        assert_int_equal(ours.kind, CONV__JSON_TRUE);
        break;
    case JSON_FALSE:
        assert_int_equal(ours.kind, CONV__JSON_FALSE);
        break;
    case JSON_NULL:
        assert_int_equal(ours.kind, CONV__JSON_NULL);
        break;
    }
}

/* What jansson refuses though it is JSON, by its own words. */
static bool is_limit_of_jansson(const json_error_t *error)
{
    static const char *const words[] = {
        "invalid Unicode", "unable to decode byte",  "too big",
        "overflow",        "NUL byte in object key", "control character 0x7f"};
    for (size_t i = 0; i < COUNT(words); i++) {
        if (strstr(error->text, words[i]) != NULL) return true;
    }
    return false;
}

static void ask_both(const char *data, size_t size)
{
    char *copy = malloc(size == 0 ? 1 : size);
    memcpy(copy, data, size);
    conv__json ours;
    bool accepted = conv__json_parse(conv_view(copy, size), &ours, NULL);
    json_error_t error;
    json_t *theirs = json_loadb(copy, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (theirs != NULL && !accepted) fail_msg("only jansson takes: %.*s", (int)size, data);
    if (theirs == NULL && accepted && !is_limit_of_jansson(&error))
        fail_msg("jansson refuses (%s): %.*s", error.text, (int)size, data);
    if (theirs != NULL && accepted) {
        conv__arena arena = {0};
        compare_with_jansson(&arena, ours, theirs);
        conv__arena_reset(&arena);
    }
    json_decref(theirs);
    free(copy);
}

static const char *const documents[] = {
    "{\"id\": \"x\", \"messages\": [{\"role\": \"user\", \"content\": \"Gr\xc3\xb6\xc3\x9f"
    "e\\n\"}]}",
    "[0, -1, 1.5, 2e3, 1E-2, -0.0, 12345678901, true, false, null, \"\", [], {}, [[1]]]",
    "{\"a\\u0041\\ud83d\\ude00\": \"\\\"\\\\\\/\\b\\f\\n\\r\\t\", \"\xf0\x9f\x98\x80\": "
    "{\"k\":[{}]}}",
    " \t\r\n[ 1 , 2 ] \n",
};

static void every_prefix_and_every_changed_byte_agrees_with_jansson(void **state)
{
    (void)state;
    static const char bytes[] = "\"\\[]{},:0123-+.eEutfnal /\n\t\x01\x1f\x7f\x80\xc3\xed\xf4\xff";
    for (size_t i = 0; i < COUNT(documents); i++) {
        size_t size = strlen(documents[i]);
        char changed[256];
        assert_true(size < sizeof changed);
        for (size_t end = 0; end <= size; end++) {
            ask_both(documents[i], end);
        }
        for (size_t place = 0; place < size; place++) {
            memcpy(changed, documents[i], size);
            for (size_t k = 0; k < sizeof bytes - 1; k++) {
                changed[place] = bytes[k];
                ask_both(changed, size);
            }
            /* jansson passes over a NUL behind a number, so it is not asked. */
            changed[place] = '\0';
            assert_false(accepts(changed, size, NULL));
            memcpy(changed, documents[i], size);
            memmove(changed + place, changed + place + 1, size - place - 1);
            ask_both(changed, size - 1);
        }
    }
}

static void random_tokens_agree_with_jansson(void **state)
{
    (void)state;
    static const char *const tokens[] = {
        "{",    "}",    "[", "]",           ",",         ":",     "\"a\"",  "\"b\"", "1",  "-2.5e1",
        "null", "true", " ", "\"\\u00e4\"", "{\"a\":1}", "[1,2]", "\"a\":", "\"",    "\\",
    };
    for (int round = 0; round < 30000; round++) {
        char text[256] = "";
        size_t size = 0;
        for (unsigned i = next_random(12) + 1; i > 0; i--) {
            const char *token = tokens[next_random(COUNT(tokens))];
            memcpy(text + size, token, strlen(token) + 1);
            size += strlen(token);
        }
        ask_both(text, size);
    }
}

static conv_status use_strings(void *context)
{
    (void)context;
    conv__arena arena = {0};
    conv__buffer buffer = {0};
    conv__json value = parsed("\"a\\u0000\\ud800 and more, as long as one arena's chunk is not\"");
    conv_bytes bytes = {0}, storable;
    conv_status status = conv__json_string(&arena, value, &bytes);
    if (status == CONV_OK) status = conv__json_project(&arena, value, &storable);
    conv__json_append_string(&buffer, bytes);
    if (buffer.failed) status = CONV_NO_MEMORY;
    conv__buffer_free(&buffer);
    conv__arena_reset(&arena);
    return status;
}

static void failing_allocations_are_said(void **state)
{
    (void)state;
    assert_in_range(failing_memory_run(use_strings, NULL), 3, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_of_the_rfc_is_accepted),
        cmocka_unit_test(anything_else_is_refused_where_it_is_wrong),
        cmocka_unit_test(every_byte_of_a_string_is_judged_at_every_place),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(members_and_elements_are_found),
        cmocka_unit_test(strings_are_decoded_without_loss),
        cmocka_unit_test(strings_are_compared_decoded),
        cmocka_unit_test(whole_numbers_are_integers),
        cmocka_unit_test(strings_are_written_as_python_does),
        cmocka_unit_test(bytes_that_are_no_text_are_said),
        cmocka_unit_test(what_is_written_as_text_is_read_back),
        cmocka_unit_test(every_prefix_and_every_changed_byte_agrees_with_jansson),
        cmocka_unit_test(random_tokens_agree_with_jansson),
        cmocka_unit_test(failing_allocations_are_said),
    };
    return RUN_TESTS("json", tests);
}
