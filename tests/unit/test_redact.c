/* Redacting texts: what is found, what is left alone, and that JSON stays JSON. Keys are made up of
 * pieces here, so that no scanner of sources takes them for real ones. */
#include "support/test.h"

#include <stdlib.h>

#include "core/json.h"
#include "middleware/redact_text.h"
#include "services/redaction.h"
#include "support/failing_memory.h"

static conv__arena arena;

static conv__redactor *make(const conv_redact_pattern *patterns, size_t count)
{
    conv_redact_params params = CONV_REDACT_PARAMS_INIT;
    conv__redactor *redactor = NULL;
    conv_error error;
    params.patterns = patterns;
    params.pattern_count = count;
    assert_ok(conv__redactor_create(&params, &redactor, &error), error);
    return redactor;
}

static void check(conv__redactor *redactor, const char *text, const char *wanted)
{
    conv_bytes redacted;
    assert_int_equal(conv__redact_text(redactor, &arena, conv_text(text), &redacted), CONV_OK);
    assert_bytes(redacted, wanted);
    if (strcmp(text, wanted) == 0) assert_ptr_equal(redacted.data, text);
}

typedef struct example {
    const char *text;
    const char *wanted; /* NULL: stays as it is */
} example;

static void check_all(const example *examples, size_t count)
{
    conv__redactor *redactor = make(NULL, 0);
    for (size_t i = 0; i < count; i++)
        check(redactor, examples[i].text,
              examples[i].wanted != NULL ? examples[i].wanted : examples[i].text);
    conv__redactor_free(redactor);
    conv__arena_reset(&arena);
}

#define CHECK_ALL(examples) check_all(examples, sizeof(examples) / sizeof(examples)[0])

static void addresses_are_found(void **state)
{
    (void)state;
    const example examples[] = {
        {"mail ann.b+c@mail.example.com.", "mail [redacted:email]."},
        {"<a@b.org>, c_d@e-f.co.uk", "<[redacted:email]>, [redacted:email]"},
        {"j\xc3\xb6rg@m\xc3\xbcller.de", "[redacted:email]"},
        {"a@b.org\nc@d.org", "[redacted:email]\n[redacted:email]"},
        {"a@b.org@c.org", "[redacted:email]@c.org"},
        {"a@[192.168.0.1], b@[IPv6:::1]", "[redacted:email], [redacted:email]"},
        {"```{\"to\": \"a\\u0040b.org\"}```", "```{\"to\": \"[redacted:email]\"}```"},
        {"1 {\"to\": \"{\\\"a\\\": \\\"ann\\\\u0040b.org\\\"}\"}\n",
         "1 {\"to\": \"{\\\"a\\\": \\\"[redacted:email]\\\"}\"}\n"},
        {"a@[], a@[b c], xs@[x], xs@[1..5], me@[10:30], f@[redacted:email], \\u0040, a\\u0040b",
         NULL},
        {"\"ann lee\"@b.org, {\"a\":\"see \\\"@x.social\\\"\"} [\"c:\\\\\",\"@b.org\"]", NULL},
        {"\"hello\" from \"@alice.bsky.social\", \"\" \"@b.org\"", NULL},
        {"```{\"a\":\"hello\",\"b\":\"@b.org\"}```", NULL},
        {"an @ alone, @name, a@b, a@b.c, a@.com., @", NULL},
        {"", NULL},
    };
    CHECK_ALL(examples);
}

static void card_numbers_are_found(void **state)
{
    (void)state;
    const example examples[] = {
        {"pay 4111111111111111 now", "pay [redacted:card] now"},
        {"4111 1111 1111 1111", "[redacted:card]"},
        {"4111\u00a01111\u202f1111\u00a01111\u00a0", "[redacted:card]\u00a0"},
        {"5500-0055-5555-5559.", "[redacted:card]."},
        {"3782 822463 10005", "[redacted:card]"},
        {"order 12 4111 1111 1111 1111", "order 12 [redacted:card]"},
        {"4222222222222", "[redacted:card]"},
        {"9792000000000003", "[redacted:card]"},
        {"8171 9999 0000 0018", "[redacted:card]"},
        {"4111.1111.1111.1111.", "[redacted:card]."},
        {"3782.822463.10005", "[redacted:card]"},
        {"4111111111111112", NULL},     /* Luhn */
        {"4111  1111 1111 1111", NULL}, /* two spaces */
        {"41111111111111111111", NULL}, /* 20 digits */
        {"1700000000000", NULL},        /* a time */
        {"x4111111111111111", NULL},    /* part of a word */
        {"4111 1111 1111\n1111", NULL}, /* two lines */
        {"411111111111", NULL},
        {"4111..1111.1111.1111", NULL},
        {"41.11.1111.1111.1111", NULL}, /* groups as of a date */
        {"4.11111111111116", NULL},     /* a decimal */
        {"411.111.111.111.116", NULL},  /* thousands */
        {"9792.0000.0000.0003", "[redacted:card]"},
        {"9792000000000004", NULL}, /* Luhn */
        {"8171-9999-0000-0019", NULL},
        {"7992000000000005", NULL},  /* no issuer's */
        {"4111.111111111111", NULL}, /* a decimal of many digits */
        {"lat 0.4111111111111111", NULL},
        {"1.4111 1111 1111 1111", "1.[redacted:card]"}, /* in a list */
        {"9780316060035", NULL},                        /* an ISBN that passes */
        {"978-0-316-06003-5", NULL},
        {"call 8613812345678", NULL},
        {"8171 9999 0000 0018 000", "[redacted:card] 000"},
    };
    CHECK_ALL(examples);
}

static void keys_are_found(void **state)
{
    (void)state;
    const example examples[] = {
        {"key sk-"
         "proj-abc123def456ghi789jkl.",
         "key [redacted:key]."},
        {"ghp_"
         "0123456789abcdefghijABCDEFGHIJ012345",
         "[redacted:key]"},
        {"AKIA"
         "IOSFODNN7EXAMPLE",
         "[redacted:key]"},
        {"Bearer eyJ"
         "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
         "Bearer [redacted:key]"},
        {"task-force-0123456789012345678", NULL},
        {"sk-this-is-a-rather-long-name", NULL},
        {"sk-short1", NULL},
        {"AKIA in a sentence", NULL},
        {"eyJ.eyJ.x", NULL},
        {"sk-12345678901234567890-sk-a-name-of-no-digit", "[redacted:key]"},
        {"not sk-a-name-9-sk-another-name-of-no-digit", "not [redacted:key]"},
        {"9-sk-another-name-of-no-digit", NULL},
        {"a-eyJ"
         "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.",
         "a-[redacted:key]"},
        {"eyJ"
         "hbGciOi.eyJ"
         "hbGciOi.eyJ"
         "hbGciOi.x",
         "[redacted:key].x"},
        {"eyJ-eyJ"
         "hbGciOi.short.eyJ",
         NULL},
        {"AKIA"
         "IOSFODNN7EXAMPLEx-1",
         "[redacted:key]x-1"},
    };
    CHECK_ALL(examples);
}

enum { LONG = 1 << 19 };

/* `unit` again and again, the last time cut, and `end` behind it. */
static char *long_text(const char *unit, const char *end)
{
    size_t size = strlen(unit);
    char *text = malloc(LONG + strlen(end) + 1);
    assert_non_null(text);
    for (size_t i = 0; i < LONG; i++)
        text[i] = unit[i % size];
    memcpy(text + LONG, end, strlen(end) + 1);
    return text;
}

/* Nothing is measured: where every start read the rest again, this would take an hour. */
static void a_long_text_is_read_once(void **state)
{
    (void)state;
    const char *const units[] = {"sk-",
                                 "sk_live_",
                                 "sk_test_",
                                 "rk_live_",
                                 "rk_test_",
                                 "ghp_",
                                 "ghp-",
                                 "gho-",
                                 "ghu-",
                                 "ghs-",
                                 "ghr-",
                                 "github_pat_-",
                                 "glpat-",
                                 "xoxa-",
                                 "xoxb-",
                                 "xoxp-",
                                 "xoxr-",
                                 "xoxs-",
                                 "hf_-",
                                 "npm_-",
                                 "AIza-",
                                 "AKIA",
                                 "ASIA",
                                 "AKIA-",
                                 "ASIA_",
                                 "eyJ",
                                 "eyJ-",
                                 "eyJ_.",
                                 "eyJaaaaaaaa.-",
                                 "eyJ-aaaa.",
                                 "a",
                                 "a@",
                                 "@",
                                 "a.",
                                 "@a.",
                                 "a@a-",
                                 ".",
                                 "4-",
                                 "4.",
                                 "4444.",
                                 "4111111111111112 ",
                                 "4111 1111-",
                                 "[",
                                 "{\"a\":",
                                 "\"",
                                 "[\"",
                                 "\\",
                                 "\n",
                                 "\xff"};
    conv__redactor *redactor = make(NULL, 0);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        conv_bytes redacted;
        char *text = long_text(units[i], "");
        assert_int_equal(conv__redact_text(redactor, &arena, conv_text(text), &redacted), CONV_OK);
        free(text);
        conv__arena_reset(&arena);
    }
    conv__redactor_free(redactor);
}

/* Likewise of a token, whose second part is behind all those starts. */
static void what_follows_a_long_text_is_read_once(void **state)
{
    (void)state;
    char *second = long_text("a-", "");
    second[0] = '.';
    char *text = long_text("eyJ-", second);
    conv__redactor *redactor = make(NULL, 0);
    check(redactor, text, text);
    conv__redactor_free(redactor);
    conv__arena_reset(&arena);
    free(text);
    free(second);
}

static void json_stays_json(void **state)
{
    (void)state;
    const example examples[] = {
        {"{\"to\": \"a@b.org\", \"n\": 1.50}", "{\"to\":\"[redacted:email]\",\"n\":1.50}"},
        {"{\"to\":\"a\\u0040b.org\"}", "{\"to\":\"[redacted:email]\"}"},
        {"{\"card\":4111111111111111}", "{\"card\":\"[redacted:card]\"}"},
        {"[{\"a@b.org\":[true,null,\"x\"]}]", "[{\"[redacted:email]\":[true,null,\"x\"]}]"},
        {"{\"arguments\":\"{\\\"card\\\": 4111111111111111}\"}",
         "{\"arguments\":\"{\\\"card\\\":\\\"[redacted:card]\\\"}\"}"},
        {" { \"a\" : \"b c\" , \"d\":[ ] } ", NULL},
        {"{\"a\\\" b\": 1}", NULL},
        {"{not JSON a@b.org", "{not JSON [redacted:email]"},
    };
    CHECK_ALL(examples);
}

static conv_status redact(const void *context, conv__arena *into, conv_bytes *text)
{
    return conv__redact_text(context, into, *text, text);
}

/* A result must still be found by its call's id, whatever patterns say. */
static void ids_of_tool_calls_stay(void **state)
{
    static const conv_redact_pattern pattern = {"ticket", "call_[0-9]+"};
    static const example examples[] = {
        {"[{\"id\":\"call_77\",\"function\":{\"arguments\":\"{\\\"to\\\":\\\"a@b.org\\\"}\"}},"
         " {\"function\":{\"name\":\"call_1\"}, \"id\" : \"call_78\"}, 7]",
         "[{\"id\":\"call_77\",\"function\":{\"arguments\":\"{\\\"to\\\":\\\"[redacted:email]\\\"}"
         "\"}},"
         "{\"function\":{\"name\":\"[redacted:ticket]\"},\"id\":\"call_78\"},7]"},
        {"[ {\"id\": \"call_77\"} ]", NULL},
        {"[{\"id\":{\"of\":\"a@b.org\"}}]", "[{\"id\":{\"of\":\"[redacted:email]\"}}]"},
        {"call_5 is no JSON", "[redacted:ticket] is no JSON"},
    };
    (void)state;
    conv__redactor *redactor = make(&pattern, 1);
    const conv__redaction redaction = {redact, redactor};
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        bool changed = false;
        const char *wanted = examples[i].wanted != NULL ? examples[i].wanted : examples[i].text;
        conv_message message = {.tool_calls = conv_text(examples[i].text),
                                .tool_call_id = conv_text("call_77"),
                                .model = conv_text("a@b.org")};
        assert_int_equal(conv__redaction_message(&redaction, &arena, &message, &changed), CONV_OK);
        assert_bytes(message.tool_calls, wanted);
        assert_bytes(message.tool_call_id, "call_77");
        assert_bytes(message.model, "a@b.org");
        assert_int_equal(changed, examples[i].wanted != NULL);
    }
    conv__redactor_free(redactor);
    conv__arena_reset(&arena);
}

static void any_bytes_pass(void **state)
{
    (void)state;
    conv__redactor *redactor = make(NULL, 0);
    const char text[] = "\xff\x00 a@b.org \xed\xa0\x80\x00";
    conv_bytes redacted;
    conv_bytes given = conv_view(text, sizeof text - 1);
    assert_int_equal(conv__redact_text(redactor, &arena, given, &redacted), CONV_OK);
    const char wanted[] = "\xff\x00 [redacted:email] \xed\xa0\x80\x00";
    assert_int_equal(redacted.size, sizeof wanted - 1);
    assert_memory_equal(redacted.data, wanted, redacted.size);
    assert_int_equal(conv__redact_text(redactor, &arena, conv_text(NULL), &redacted), CONV_OK);
    assert_null(redacted.data);
    conv__redactor_free(redactor);
    conv__arena_reset(&arena);
}

static void own_patterns_are_found(void **state)
{
    (void)state;
    const conv_redact_pattern patterns[] = {{"ticket", "(^|[^A-Z])TK-[0-9]{4}"},
                                            {"word", "[fg]oo+"}};
    conv__redactor *redactor = make(patterns, 2);
    check(redactor, "TK-1234", "[redacted:ticket]");
    check(redactor, "a TK-1234 and TK-12", "a[redacted:ticket] and TK-12");
    check(redactor, "foo gooo f", "[redacted:word] [redacted:word] f");
    check(redactor, "fooTK-1234foo@b.org", "[redacted:email]"); /* they overlap: one piece */
    conv__redactor_free(redactor);
    conv__arena_reset(&arena);
}

static void built_in_patterns_can_be_kept(void **state)
{
    (void)state;
    conv_redact_params params = CONV_REDACT_PARAMS_INIT;
    conv__redactor *redactor = NULL;
    conv_error error;
    params.keep_emails = params.keep_cards = params.keep_api_keys = true;
    assert_ok(conv__redactor_create(&params, &redactor, &error), error);
    check(redactor, "a@b.org 4111111111111111", "a@b.org 4111111111111111");
    conv__redactor_free(redactor);
}

static void bad_patterns_are_named(void **state)
{
    (void)state;
    const conv_redact_pattern patterns[] = {{"ok", "("}, {"Name", "x"}, {"", "x"},
                                            {NULL, "x"}, {"ok", NULL},  {"ok", "x*"}};
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        conv_redact_pattern both[] = {{"first", "x"}, patterns[i]};
        conv_redact_params params = CONV_REDACT_PARAMS_INIT;
        conv_middleware *middleware = NULL;
        conv_error error;
        params.patterns = both;
        params.pattern_count = 2;
        assert_status(conv_middleware_redact(&params, &middleware, &error), CONV_INVALID_ARGUMENT,
                      error);
        assert_null(middleware);
        assert_non_null(strstr(error.message, "pattern 2"));
    }
}

static conv_status make_and_redact(void *context)
{
    const conv_redact_pattern pattern = {"word", "foo"};
    conv_redact_params params = CONV_REDACT_PARAMS_INIT;
    conv__redactor *redactor = NULL;
    conv__arena own = {0};
    conv_bytes redacted;
    (void)context;
    params.patterns = &pattern;
    params.pattern_count = 1;
    conv_status status = conv__redactor_create(&params, &redactor, NULL);
    if (status == CONV_OK)
        status = conv__redact_text(redactor, &own, conv_text("[\"foo a@b.org\",\"\\u0041\"]"),
                                   &redacted);
    if (status == CONV_OK)
        assert_bytes(redacted, "[\"[redacted:word] [redacted:email]\",\"\\u0041\"]");
    conv__redactor_free(redactor);
    conv__arena_reset(&own);
    return status;
}

static void memory_that_ends_lets_nothing_through(void **state)
{
    (void)state;
    assert_true(failing_memory_run(make_and_redact, NULL) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_found),
        cmocka_unit_test(card_numbers_are_found),
        cmocka_unit_test(keys_are_found),
        cmocka_unit_test(a_long_text_is_read_once),
        cmocka_unit_test(what_follows_a_long_text_is_read_once),
        cmocka_unit_test(json_stays_json),
        cmocka_unit_test(ids_of_tool_calls_stay),
        cmocka_unit_test(any_bytes_pass),
        cmocka_unit_test(own_patterns_are_found),
        cmocka_unit_test(built_in_patterns_can_be_kept),
        cmocka_unit_test(bad_patterns_are_named),
        cmocka_unit_test(memory_that_ends_lets_nothing_through),
    };
    return RUN_TESTS("redact", tests);
}
