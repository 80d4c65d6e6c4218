/* Usage objects in all the shapes that endpoints send. What nobody said is unknown, never 0. */
#include "providers/openai_usage.h"
#include "support/test.h"

#define NO CONV_UNKNOWN

typedef struct usage_case {
    const char *what;
    const char *answers[4]; /* chunks, in order */
    int64_t input, output, total, cache_read, cache_write, reasoning;
    const char *raw; /* NULL: absent */
} usage_case;

static const usage_case rows[] = {
    {"none", {"{\"choices\":[]}"}, NO, NO, NO, NO, NO, NO, NULL},
    {"null", {"{\"usage\":null}"}, NO, NO, NO, NO, NO, NO, NULL},
    {"not an object", {"{\"usage\":[7]}"}, NO, NO, NO, NO, NO, NO, NULL},
    {"empty", {"{\"usage\":{}}"}, NO, NO, NO, NO, NO, NO, "{}"},
    {"plain",
     {"{\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15}}"},
     10,
     5,
     15,
     NO,
     NO,
     NO,
     "{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15}"},
    {"openai details",
     {"{\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":50,\"total_tokens\":60,"
      "\"prompt_tokens_details\":{\"cached_tokens\":4,\"cache_write_tokens\":3,\"audio_tokens\":0},"
      "\"completion_tokens_details\":{\"reasoning_tokens\":40}}}"},
     10,
     50,
     60,
     4,
     3,
     40,
     "*"},
    {"details are null",
     {"{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3,"
      "\"prompt_tokens_details\":null,\"completion_tokens_details\":null}}"},
     1,
     2,
     3,
     NO,
     NO,
     NO,
     "*"},
    {"known zeros stay",
     {"{\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":0,\"total_tokens\":9,"
      "\"prompt_tokens_details\":{\"cached_tokens\":0}}}"},
     9,
     0,
     9,
     0,
     NO,
     NO,
     "*"},
    {"all zero says nothing",
     {"{\"usage\":{\"prompt_tokens\":0,\"completion_tokens\":0,\"total_tokens\":0}}"},
     NO,
     NO,
     NO,
     NO,
     NO,
     NO,
     "*"},
    {"deepseek",
     {"{\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15,"
      "\"prompt_cache_hit_tokens\":8,\"prompt_cache_miss_tokens\":2}}"},
     10,
     5,
     15,
     8,
     NO,
     NO,
     "*"},
    {"cached_tokens at the top",
     {"{\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,\"cached_tokens\":6}}"},
     10,
     5,
     NO,
     6,
     NO,
     NO,
     "*"},
    {"groq",
     {"{\"x_groq\":{\"id\":\"x\",\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3,"
      "\"total_tokens\":10}},\"usage\":null}"},
     7,
     3,
     10,
     NO,
     NO,
     NO,
     "{\"prompt_tokens\":7,\"completion_tokens\":3,\"total_tokens\":10}"},
    {"in the choice",
     {"{\"choices\":[{\"index\":0,\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}]}"},
     7,
     3,
     NO,
     NO,
     NO,
     NO,
     "*"},
    {"anthropic: cache beside input",
     {"{\"usage\":{\"input_tokens\":10,\"output_tokens\":5,\"cache_read_input_tokens\":100,"
      "\"cache_creation_input_tokens\":20}}"},
     130,
     5,
     NO,
     100,
     20,
     NO,
     "*"},
    {"anthropic with a total of its own",
     {"{\"usage\":{\"input_tokens\":10,\"output_tokens\":5,\"total_tokens\":15,"
      "\"cache_read_input_tokens\":100,\"cache_creation_input_tokens\":null}}"},
     110,
     5,
     NO,
     100,
     NO,
     NO,
     "*"},
    {"anthropic without cache",
     {"{\"usage\":{\"input_tokens\":10,\"output_tokens\":5,\"cache_read_input_tokens\":0,"
      "\"cache_creation_input_tokens\":0}}"},
     10,
     5,
     NO,
     0,
     0,
     NO,
     "*"},
    {"responses api: cache inside input",
     {"{\"usage\":{\"input_tokens\":110,\"input_tokens_details\":{\"cached_tokens\":100},"
      "\"output_tokens\":5,\"output_tokens_details\":{\"reasoning_tokens\":3},"
      "\"total_tokens\":115}}"},
     110,
     5,
     115,
     100,
     NO,
     3,
     "*"},
    {"openai with anthropic's names beside",
     {"{\"usage\":{\"prompt_tokens\":130,\"completion_tokens\":5,\"total_tokens\":135,"
      "\"cache_read_input_tokens\":100,\"cache_creation_input_tokens\":20}}"},
     130,
     5,
     135,
     100,
     20,
     NO,
     "*"},
    {"reasoning beside output, as the total tells",
     {"{\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":55,"
      "\"completion_tokens_details\":{\"reasoning_tokens\":40}}}"},
     10,
     45,
     55,
     NO,
     NO,
     40,
     "*"},
    {"cumulative on every chunk",
     {"{\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":1,\"total_tokens\":11}}",
      "{\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":2,\"total_tokens\":12}}",
      "{\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":3,\"total_tokens\":13}}"},
     10,
     3,
     13,
     NO,
     NO,
     NO,
     "{\"prompt_tokens\":10,\"completion_tokens\":3,\"total_tokens\":13}"},
    {"null and zero on every chunk but one",
     {"{\"usage\":null}",
      "{\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":3,\"total_tokens\":13}}",
      "{\"usage\":{\"prompt_tokens\":0,\"completion_tokens\":0,\"total_tokens\":0}}",
      "{\"usage\":null}"},
     10,
     3,
     13,
     NO,
     NO,
     NO,
     "{\"prompt_tokens\":10,\"completion_tokens\":3,\"total_tokens\":13}"},
    {"in parts",
     {"{\"usage\":{\"prompt_tokens\":10}}", "{\"usage\":{\"completion_tokens\":3}}"},
     10,
     3,
     NO,
     NO,
     NO,
     NO,
     "{\"completion_tokens\":3}"},
    {"counts that are none",
     {"{\"usage\":{\"prompt_tokens\":-1,\"completion_tokens\":\"5\",\"total_tokens\":1.5,"
      "\"cached_tokens\":1e99,\"input_tokens\":12.0}}"},
     12,
     NO,
     NO,
     NO,
     NO,
     NO,
     "*"},
    {"beyond 32 bits",
     {"{\"usage\":{\"prompt_tokens\":5000000000,\"completion_tokens\":1000000000000}}"},
     5000000000,
     CONV_TOKENS_MAX,
     NO,
     NO,
     NO,
     NO,
     "*"},
    {"what nobody can have used is unknown",
     {"{\"usage\":{\"prompt_tokens\":9223372036854775807,\"completion_tokens\":7}}"},
     NO,
     7,
     NO,
     NO,
     NO,
     NO,
     "*"},
    {"and so is a sum of it",
     {"{\"usage\":{\"input_tokens\":1000000000000,\"output_tokens\":1,"
      "\"cache_read_input_tokens\":1}}"},
     NO,
     1,
     NO,
     1,
     NO,
     NO,
     "*"},
};

static void check(const usage_case *row, const char *what, int64_t got, int64_t wanted)
{
    if (got != wanted)
        fail_msg("%s: %s is %lld instead of %lld", row->what, what, (long long)got,
                 (long long)wanted);
}

static void every_shape_becomes_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const usage_case *row = &rows[i];
        conv_usage usage = CONV_USAGE_INIT;
        for (int chunk = 0; chunk < 4 && row->answers[chunk] != NULL; chunk++) {
            conv__json answer;
            assert_true(conv__json_parse(conv_text(row->answers[chunk]), &answer, NULL));
            conv__openai_usage_merge(answer, &usage);
        }
        check(row, "input", usage.input_tokens, row->input);
        check(row, "output", usage.output_tokens, row->output);
        check(row, "total", usage.total_tokens, row->total);
        check(row, "cache read", usage.cache_read_tokens, row->cache_read);
        check(row, "cache write", usage.cache_write_tokens, row->cache_write);
        check(row, "reasoning", usage.reasoning_tokens, row->reasoning);
        if (row->raw == NULL)
            assert_null(usage.raw.data);
        else if (strcmp(row->raw, "*") != 0)
            assert_bytes(usage.raw, row->raw);
        else
            assert_non_null(usage.raw.data);
        assert_false(usage.priced);
    }
}

static conv_usage read_one(const char *object)
{
    conv__json value;
    conv_usage usage;
    assert_true(conv__json_parse(conv_text(object), &value, NULL));
    assert_true(conv__openai_usage_read(value, &usage));
    return usage;
}

static void bill_of_the_endpoint_is_exact(void **state)
{
    (void)state;
    char text[CONV_DECIMAL_TEXT_SIZE];
    conv_usage usage = read_one("{\"prompt_tokens\":1,\"cost\":0.00014499999999999999}");
    assert_true(usage.priced);
    conv_decimal_format(usage.cost_usd, text);
    assert_string_equal(text, "0.00014499999999999999");
    assert_false(read_one("{\"prompt_tokens\":1,\"cost\":0.1,\"is_byok\":true}").priced);
    assert_false(read_one("{\"prompt_tokens\":1,\"cost\":-0.1}").priced);
    assert_false(read_one("{\"prompt_tokens\":1,\"cost\":{\"total\":1}}").priced);
    assert_false(read_one("{\"prompt_tokens\":1,\"cost\":null}").priced);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shape_becomes_one),
        cmocka_unit_test(bill_of_the_endpoint_is_exact),
    };
    return RUN_TESTS("openai_usage", tests);
}
