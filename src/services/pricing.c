/* Prices of models, applied to usage. cost = sum of (tokens of a kind x price of the kind) / 10^6,
 * over kinds that do not overlap. */
#include "services/pricing.h"

#include <string.h>

#include "core/error.h"
#include "core/memory.h"

#define ACTION "read prices"

enum kind { KIND_INPUT, KIND_OUTPUT, KIND_CACHE_READ, KIND_CACHE_WRITE, KIND_REASONING, KINDS };

typedef struct price_row {
    conv_bytes name;  /* as given */
    conv_bytes model; /* without the '*' */
    bool is_prefix;
    bool known[KINDS];
    conv_decimal per_million[KINDS];
} price_row;

struct conv__prices {
    conv__arena arena;
    price_row *rows;
    size_t count;
};

static conv_status read_price(const conv_price *price, price_row *row, conv_error *error)
{
    const char *literals[KINDS] = {price->input, price->output, price->cache_read,
                                   price->cache_write, price->reasoning};
    for (int kind = 0; kind < KINDS; kind++) {
        if (literals[kind] == NULL) continue;
        if (conv_decimal_parse(conv_text(literals[kind]), &row->per_million[kind]) != CONV_OK ||
            row->per_million[kind].negative)
            return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                              "a price of model \"%s\" is not a decimal number of at least 0",
                              price->model);
        row->known[kind] = true;
    }
    return CONV_OK;
}

static conv_status copy_prices(conv__prices *made, const conv_price *prices, size_t count,
                               conv_error *error)
{
    made->rows = conv__arena_allocate(&made->arena, count * sizeof *made->rows);
    if (made->rows == NULL) return conv__fail_memory(error, ACTION);
    made->count = count;
    for (size_t i = 0; i < count; i++) {
        price_row *row = &made->rows[i];
        if (prices[i].model == NULL)
            return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION, "price %zu names no model", i);
        if (conv__arena_copy(&made->arena, conv_text(prices[i].model), &row->name) != CONV_OK)
            return conv__fail_memory(error, ACTION);
        row->model = row->name;
        row->is_prefix = row->model.size > 0 && row->model.data[row->model.size - 1] == '*';
        if (row->is_prefix) row->model.size--;
        conv_status status = read_price(&prices[i], row, error);
        if (status != CONV_OK) return status;
    }
    return CONV_OK;
}

conv_status conv__prices_create(const conv_price *prices, size_t count, conv__prices **created,
                                conv_error *error)
{
    *created = NULL;
    conv__prices *made = conv__allocate(sizeof *made);
    if (made == NULL) return conv__fail_memory(error, ACTION);
    conv_status status = count == 0 ? CONV_OK : copy_prices(made, prices, count, error);
    if (status != CONV_OK) {
        conv__prices_free(made);
        return status;
    }
    *created = made;
    return CONV_OK;
}

static bool matches(const price_row *row, conv_bytes model)
{
    if (row->is_prefix ? model.size < row->model.size : model.size != row->model.size) return false;
    return memcmp(model.data, row->model.data, row->model.size) == 0;
}

/* The exact name, else the longest prefix. */
static const price_row *find_row(const conv__prices *prices, conv_bytes model)
{
    const price_row *best = NULL;
    for (size_t i = 0; model.data != NULL && i < prices->count; i++) {
        const price_row *row = &prices->rows[i];
        if (!matches(row, model)) continue;
        if (!row->is_prefix) return row;
        if (best == NULL || row->model.size > best->model.size) best = row;
    }
    return best;
}

static int64_t known_or_zero(int64_t tokens)
{
    return tokens == CONV_UNKNOWN ? 0 : tokens;
}

/* The tokens of each kind, none counted twice; false where that can't be told. */
static bool split_kinds(const conv_usage *usage, int64_t tokens[KINDS])
{
    if (usage->input_tokens == CONV_UNKNOWN || usage->output_tokens == CONV_UNKNOWN) return false;
    tokens[KIND_CACHE_READ] = known_or_zero(usage->cache_read_tokens);
    tokens[KIND_CACHE_WRITE] = known_or_zero(usage->cache_write_tokens);
    tokens[KIND_REASONING] = known_or_zero(usage->reasoning_tokens);
    if (tokens[KIND_CACHE_READ] > usage->input_tokens ||
        tokens[KIND_CACHE_WRITE] > usage->input_tokens - tokens[KIND_CACHE_READ] ||
        tokens[KIND_REASONING] > usage->output_tokens)
        return false;
    tokens[KIND_INPUT] = usage->input_tokens - tokens[KIND_CACHE_READ] - tokens[KIND_CACHE_WRITE];
    tokens[KIND_OUTPUT] = usage->output_tokens - tokens[KIND_REASONING];
    return true;
}

static bool add_kind(const price_row *row, int kind, int64_t tokens, conv_decimal *cost)
{
    static const int fallback[KINDS] = {KIND_INPUT, KIND_OUTPUT, KIND_INPUT, KIND_INPUT,
                                        KIND_OUTPUT};
    if (tokens == 0) return true;
    int priced = row->known[kind] ? kind : fallback[kind];
    conv_decimal part;
    return row->known[priced] &&
           conv_decimal_multiply(conv_decimal_from_integer(tokens), row->per_million[priced],
                                 &part) == CONV_OK &&
           conv_decimal_shift(part, 6, &part) == CONV_OK &&
           conv_decimal_add(*cost, part, cost) == CONV_OK;
}

void conv__usage_add_up(conv_usage *usage)
{
    if (usage->total_tokens != CONV_UNKNOWN || usage->input_tokens == CONV_UNKNOWN ||
        usage->output_tokens == CONV_UNKNOWN)
        return;
    int64_t total;
    if (!__builtin_add_overflow(usage->input_tokens, usage->output_tokens, &total) &&
        total <= CONV_TOKENS_MAX)
        usage->total_tokens = total;
}

void conv__prices_apply(const conv__prices *prices, conv_usage *usage)
{
    int64_t tokens[KINDS];
    if (prices == NULL || usage->priced) return;
    const price_row *row = find_row(prices, usage->model);
    if (row == NULL || !split_kinds(usage, tokens)) return;
    conv_decimal cost = conv_decimal_from_integer(0);
    for (int kind = 0; kind < KINDS; kind++)
        if (!add_kind(row, kind, tokens[kind], &cost)) return;
    usage->cost_usd = cost;
    usage->price = row->name;
    usage->priced = true;
}

void conv__prices_free(conv__prices *prices)
{
    if (prices == NULL) return;
    conv__arena_reset(&prices->arena);
    conv__release(prices);
}
