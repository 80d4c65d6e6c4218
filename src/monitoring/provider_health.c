/* Judging providers. None of them is ever failing for health: without an answer a turn is saved all
 * the same, so that taking this process out of service would help nobody. */
#include "monitoring/provider_health.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/time.h"

enum { MOST_FAILURES_IN_ROW = 2 };

static size_t append(char message[CONV_MESSAGE_SIZE], size_t used, const char *format, ...)
    CONV_PRINTF(3, 4);

static size_t append(char message[CONV_MESSAGE_SIZE], size_t used, const char *format, ...)
{
    va_list arguments;
    if (used >= CONV_MESSAGE_SIZE) return used;
    va_start(arguments, format);
    int size = vsnprintf(message + used, CONV_MESSAGE_SIZE - used, format, arguments);
    va_end(arguments);
    return size > 0 ? used + (size_t)size : used;
}

static size_t append_time(char message[CONV_MESSAGE_SIZE], size_t used, int64_t time_us)
{
    char text[CONV__TIME_TEXT_SIZE];
    conv__time_format(time_us, text);
    return append(message, used, " at %.19sZ", text);
}

/* The failure stands last: only its text may be long enough to be cut. */
static void describe(const conv__provider_gauges *gauges, char message[CONV_MESSAGE_SIZE])
{
    const conv__provider_record *record = &gauges->worst;
    size_t used =
        append(message, 0, "%s: %lld %s, %lld failed", record->name, (long long)record->calls,
               record->calls == 1 ? "call" : "calls", (long long)record->failures);
    if (record->failures_in_row > 1)
        used =
            append(message, used, ", the last %lld in a row", (long long)record->failures_in_row);
    if (record->answered_us != 0)
        used = append_time(message, append(message, used, "; last answer"), record->answered_us);
    else
        used = append(message, used, "; no answer yet");
    if (gauges->asked > 1)
        used = append(message, used, "; %zu providers were asked", gauges->asked);
    if (record->failed_us == 0) return;
    used = append_time(message, append(message, used, "; last failure"), record->failed_us);
    append(message, used, ": %s: %s", conv_status_text(record->failure.status),
           record->failure.message);
}

conv_health_state conv__provider_health(const conv__provider_gauges *gauges, bool configured,
                                        char message[CONV_MESSAGE_SIZE])
{
    const conv__provider_record *worst = &gauges->worst;
    if (gauges->asked == 0) {
        append(message, 0,
               configured ? "configured; nobody was asked yet"
                          : "none is configured: each turn brings its own");
        return configured ? CONV_HEALTH_OK : CONV_HEALTH_UNKNOWN;
    }
    describe(gauges, message);
    return worst->check_failed || worst->failures_in_row > MOST_FAILURES_IN_ROW
               ? CONV_HEALTH_DEGRADED
               : CONV_HEALTH_OK;
}
