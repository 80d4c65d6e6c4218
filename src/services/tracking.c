/* Completing a usage record before the tracker takes it. */
#include "services/tracking.h"

#include "core/error.h"
#include "core/time.h"

#define ACTION "track usage"

static bool is_count(int64_t tokens)
{
    return tokens >= CONV_UNKNOWN;
}

static conv_status check(const conv_usage *usage, conv_error *error)
{
    if (!is_count(usage->input_tokens) || !is_count(usage->output_tokens) ||
        !is_count(usage->total_tokens) || !is_count(usage->cache_read_tokens) ||
        !is_count(usage->cache_write_tokens) || !is_count(usage->reasoning_tokens) ||
        !is_count(usage->latency_ms) || !is_count(usage->processed_bytes))
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION, "a count is negative");
    if (usage->priced && usage->cost_usd.negative)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION, "the cost is negative");
    return CONV_OK;
}

/* What must be set before the first try, so that a repeated one is the same record. */
static conv_status begin(conv_usage *usage, conv_error *error)
{
    conv_status status = check(usage, error);
    if (status != CONV_OK) return status;
    if (conv_uuid_is_nil(usage->log_id)) usage->log_id = conv_uuid_v7();
    if (usage->created_us == 0) usage->created_us = conv__now_us();
    return CONV_OK;
}

void conv__usage_finish(const void *prices, conv_usage *usage)
{
    if (usage->service.data == NULL) usage->service = conv_text("chat");
    if (usage->operation.data == NULL) usage->operation = conv_text("chat");
    conv__usage_add_up(usage);
    conv__prices_apply(prices, usage);
}

conv_status conv__usage_complete(const conv__prices *prices, conv_usage *usage, conv_error *error)
{
    conv_status status = begin(usage, error);
    if (status == CONV_OK) conv__usage_finish(prices, usage);
    return status;
}

conv_status conv__track_usage(conv__tracker *tracker, const conv__prices *prices,
                              const conv_usage *usage, conv_error *error)
{
    if (usage == NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION, "there is no usage record");
    conv_usage begun = *usage;
    conv_status status = begin(&begun, error);
    return status == CONV_OK ? conv__tracker_take(tracker, &begun, prices, error) : status;
}
