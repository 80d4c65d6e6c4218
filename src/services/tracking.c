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
    if (usage == NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION, "there is no usage record");
    if (!is_count(usage->input_tokens) || !is_count(usage->output_tokens) ||
        !is_count(usage->total_tokens) || !is_count(usage->cache_read_tokens) ||
        !is_count(usage->cache_write_tokens) || !is_count(usage->reasoning_tokens) ||
        !is_count(usage->latency_ms))
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION, "a count is negative");
    if (usage->priced && usage->cost_usd.negative)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION, "the cost is negative");
    return CONV_OK;
}

conv_status conv__track_usage(conv__tracker *tracker, const conv__prices *prices,
                              const conv_usage *usage, conv_error *error)
{
    conv_status status = check(usage, error);
    if (status != CONV_OK) return status;
    conv_usage complete = *usage;
    if (conv_uuid_is_nil(complete.log_id)) complete.log_id = conv_uuid_v7();
    if (complete.created_us == 0) complete.created_us = conv__now_us();
    if (complete.service.data == NULL) complete.service = conv_text("chat");
    if (complete.operation.data == NULL) complete.operation = conv_text("chat");
    conv__usage_add_up(&complete);
    conv__prices_apply(prices, &complete);
    return conv__tracker_take(tracker, &complete, error);
}
