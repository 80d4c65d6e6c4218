/* Usage objects in all the shapes that OpenAI-compatible endpoints send. */
#include "providers/openai_usage.h"

#include <stddef.h>

#include "providers/response.h"

static int64_t read_count(conv__json object, const char *key)
{
    int64_t count = CONV_UNKNOWN;
    if (!conv__json_integer(conv__json_get(object, key), &count)) return CONV_UNKNOWN;
    return count < 0 || count > CONV_TOKENS_MAX ? CONV_UNKNOWN : count;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t read_first(conv__json object, const char *key, const char *other)
{
    int64_t count = read_count(object, key);
    return count >= 0 ? count : read_count(object, other);
}

/* Both if both are known, else the known one; a sum that does not fit is unknown. */
static int64_t add(int64_t a, int64_t b)
{
    if (a < 0) return b;
    if (b < 0) return a;
    return a + b > CONV_TOKENS_MAX ? CONV_UNKNOWN : a + b;
}

static int64_t read_cache_read(conv__json object, conv__json details)
{
    int64_t count = read_count(details, "cached_tokens");
    count = larger(count, read_count(object, "cached_tokens"));           /* Moonshot */
    count = larger(count, read_count(object, "prompt_cache_hit_tokens")); /* DeepSeek */
    return larger(count, read_count(object, "cache_read_input_tokens"));  /* Anthropic */
}

static int64_t read_cache_write(conv__json object, conv__json details)
{
    int64_t count = read_count(details, "cache_write_tokens");
    count = larger(count, read_count(details, "cache_creation_tokens"));
    return larger(count, read_count(object, "cache_creation_input_tokens"));
}

static conv__json read_details(conv__json object, const char *key, const char *other)
{
    conv__json details = conv__json_get(object, key);
    return details.kind == CONV__JSON_OBJECT ? details : conv__json_get(object, other);
}

/* Anthropic's own object counts what came from or went into the cache beside input_tokens; one that
 * has prompt_tokens or input_tokens_details as well is OpenAI's and counts it inside. */
static void include_cache(conv__json object, conv_usage *usage)
{
    if (read_count(object, "prompt_tokens") >= 0 || usage->input_tokens < 0 ||
        conv__json_get(object, "input_tokens_details").kind == CONV__JSON_OBJECT)
        return;
    int64_t beside = add(read_count(object, "cache_read_input_tokens"),
                         read_count(object, "cache_creation_input_tokens"));
    if (beside <= 0) return;
    usage->input_tokens = add(usage->input_tokens, beside);
    usage->total_tokens = CONV_UNKNOWN; /* it was a sum without them */
}

/* Some count reasoning beside completion_tokens: their own total tells it. */
static void include_reasoning(conv_usage *usage)
{
    if (usage->input_tokens < 0 || usage->output_tokens < 0 || usage->reasoning_tokens <= 0) return;
    int64_t output = add(usage->output_tokens, usage->reasoning_tokens);
    if (output > 0 && add(usage->input_tokens, output) == usage->total_tokens)
        usage->output_tokens = output;
}

/* OpenRouter bills by itself and says how much in USD; with a key of the user's own it does not. */
static void read_cost(conv__json object, conv_usage *usage)
{
    conv__json cost = conv__json_get(object, "cost");
    if (cost.kind != CONV__JSON_NUMBER || cost.text.data[0] == '-' ||
        conv__json_get(object, "is_byok").kind == CONV__JSON_TRUE)
        return;
    usage->priced = conv_decimal_parse(cost.text, &usage->cost_usd) == CONV_OK;
}

bool conv__openai_usage_read(conv__json object, conv_usage *usage)
{
    static const conv_usage unknown = CONV_USAGE_INIT;
    *usage = unknown;
    if (object.kind != CONV__JSON_OBJECT) return false;
    conv__json input = read_details(object, "prompt_tokens_details", "input_tokens_details");
    conv__json output = read_details(object, "completion_tokens_details", "output_tokens_details");
    usage->input_tokens = read_first(object, "prompt_tokens", "input_tokens");
    usage->output_tokens = read_first(object, "completion_tokens", "output_tokens");
    usage->total_tokens = read_count(object, "total_tokens");
    if (usage->input_tokens <= 0 && usage->output_tokens <= 0 && usage->total_tokens <= 0) {
        *usage = unknown;
        usage->raw = object.text;
        return false;
    }
    usage->cache_read_tokens = read_cache_read(object, input);
    usage->cache_write_tokens = read_cache_write(object, input);
    usage->reasoning_tokens =
        larger(read_count(output, "reasoning_tokens"), read_count(object, "reasoning_tokens"));
    include_cache(object, usage);
    include_reasoning(usage);
    read_cost(object, usage);
    usage->raw = object.text;
    return true;
}

void conv__openai_usage_merge(conv__json answer, conv_usage *usage)
{
    conv__json choice = {CONV__JSON_ABSENT, {NULL, 0}};
    size_t position = 0;
    (void)conv__json_next(conv__json_get(answer, "choices"), &position, NULL, &choice);
    const conv__json places[] = {
        conv__json_get(conv__json_get(answer, "x_groq"), "usage"),
        conv__json_get(choice, "usage"), /* Moonshot */
        conv__json_get(answer, "usage"),
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        conv_usage said;
        bool says = conv__openai_usage_read(places[i], &said);
        conv__provider_usage_merge(usage, &said);
        if (says || usage->raw.data == NULL) usage->raw = said.raw;
    }
}
