/* Completing a usage record before the tracker takes it. */
#include "services/tracking.h"

#include "core/error.h"
#include "core/time.h"
#include "core/uuid.h"

#define ACTION "track usage"

/* What must be set before the first try, so that a repeated one is the same record. */
static void begin(conv_usage *usage)
{
    bool unnamed = conv_uuid_is_nil(usage->log_id);
    if (!unnamed && usage->created_us != 0) return;
    int64_t now_us = conv__now_us();
    if (unnamed) usage->log_id = conv__uuid_v7_at(now_us);
    if (usage->created_us == 0) usage->created_us = now_us;
}

void conv__usage_finish(const void *prices, conv_usage *usage)
{
    if (usage->service.data == NULL) usage->service = conv_text("chat");
    if (usage->operation.data == NULL) usage->operation = conv_text("chat");
    conv__usage_add_up(usage);
    conv__prices_apply(prices, usage);
}

void conv__usage_complete(const conv__prices *prices, conv_usage *usage)
{
    begin(usage);
    conv__usage_finish(prices, usage);
}

conv_status conv__track_usage(conv__tracker *tracker, const conv__prices *prices,
                              const conv_usage *usage, conv_error *error)
{
    if (usage == NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION, "there is no usage record");
    conv_usage begun = *usage;
    begin(&begun);
    return conv__tracker_take(tracker, &begun, prices, error);
}
