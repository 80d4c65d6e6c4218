/* An event by itself: its making, its names, and its text. */
#include <stdio.h>
#include <string.h>

#include "core/buffer.h"
#include "core/json.h"
#include "core/text.h"
#include "core/time.h"
#include "events/bus.h"

static const char *const kind_names[] = {
#define KIND_NAME(symbol, name, meaning) name,
    CONV_EVENT_MAP(KIND_NAME)
#undef KIND_NAME
};

const char *conv_event_kind_name(conv_event_kind kind)
{
    return (unsigned)kind < CONV_EVENT_KINDS ? kind_names[kind] : "unknown";
}

conv_event conv__event_make(conv_event_kind kind)
{
    return (conv_event){.event_id = conv_uuid_v7(),
                        .kind = kind,
                        .time_us = conv__now_us(),
                        .message_count = CONV_UNKNOWN,
                        .record_count = CONV_UNKNOWN,
                        .input_tokens = CONV_UNKNOWN,
                        .output_tokens = CONV_UNKNOWN,
                        .total_tokens = CONV_UNKNOWN,
                        .cache_read_tokens = CONV_UNKNOWN,
                        .cache_write_tokens = CONV_UNKNOWN,
                        .reasoning_tokens = CONV_UNKNOWN,
                        .latency_ms = CONV_UNKNOWN,
                        .store_us = CONV_UNKNOWN};
}

void conv__event_set_name(char name[CONV_EVENT_NAME_SIZE], conv_bytes text)
{
    size_t size = 0;
    while (size < text.size && text.data[size] != '\0') {
        conv_bytes rest = conv_view(text.data + size, text.size - size);
        size_t length = conv__utf8_length(rest);
        if (length == 0) length = 1;
        if (size + length >= CONV_EVENT_NAME_SIZE) break;
        size += length;
    }
    if (size > 0) memcpy(name, text.data, size);
    memset(name + size, 0, CONV_EVENT_NAME_SIZE - size);
}

static void append_text(conv__buffer *buffer, const char *key, const char *text)
{
    if (text[0] == '\0') return;
    conv__buffer_format(buffer, ",\"%s\":", key);
    (void)conv__json_append_string(buffer, conv_text(text));
}

static void append_uuid(conv__buffer *buffer, const char *key, conv_uuid uuid)
{
    char text[CONV_UUID_TEXT_SIZE];
    if (conv_uuid_is_nil(uuid)) return;
    conv_uuid_format(uuid, text);
    append_text(buffer, key, text);
}

static void append_count(conv__buffer *buffer, const char *key, int64_t count)
{
    if (count == CONV_UNKNOWN) return;
    conv__buffer_format(buffer, ",\"%s\":%lld", key, (long long)count);
}

static void append_result(conv__buffer *buffer, const conv_event *event)
{
    bool done =
        event->kind == CONV_EVENT_EXCHANGE_SAVED || event->kind == CONV_EVENT_EXCHANGE_RECOVERED ||
        event->kind == CONV_EVENT_EXCHANGE_JOURNALED || event->kind == CONV_EVENT_USAGE_RECORDED ||
        event->kind == CONV_EVENT_DOCUMENT_PROCESSED;
    if (done) append_text(buffer, "outcome", conv_outcome_name(event->outcome));
    if (event->status != CONV_OK) append_text(buffer, "error", conv_status_name(event->status));
    append_text(buffer, "sqlstate", event->sqlstate);
    if (event->dead) conv__buffer_append_text(buffer, ",\"dead\":true");
    if (event->through_journal) conv__buffer_append_text(buffer, ",\"through_journal\":true");
}

static void append_event(conv__buffer *buffer, const conv_event *event)
{
    char text[CONV_UUID_TEXT_SIZE];
    char time[CONV__TIME_TEXT_SIZE];
    char cost[CONV_DECIMAL_TEXT_SIZE];
    conv_uuid_format(event->event_id, text);
    conv__time_format(event->time_us, time);
    conv__buffer_format(buffer, "{\"event_id\":\"%s\",\"event\":\"%s\",\"time\":\"%s\"", text,
                        conv_event_kind_name(event->kind), time);
    append_uuid(buffer, "session_id", event->session_id);
    append_uuid(buffer, "turn_id", event->turn_id);
    append_uuid(buffer, "log_id", event->log_id);
    append_uuid(buffer, "document_id", event->document_id);
    append_uuid(buffer, "user_id", event->user_id);
    append_text(buffer, "service", event->service);
    append_text(buffer, "operation", event->operation);
    append_text(buffer, "model", event->model);
    append_text(buffer, "provider", event->provider);
    append_result(buffer, event);
    append_text(buffer, "check", event->check);
    if (event->kind == CONV_EVENT_HEALTH_CHANGED) {
        append_text(buffer, "health", conv_health_state_name(event->health));
        append_text(buffer, "health_before", conv_health_state_name(event->health_before));
    }
    append_count(buffer, "messages", event->message_count);
    append_count(buffer, "records", event->record_count);
    append_count(buffer, "input_tokens", event->input_tokens);
    append_count(buffer, "output_tokens", event->output_tokens);
    append_count(buffer, "total_tokens", event->total_tokens);
    append_count(buffer, "cache_read_tokens", event->cache_read_tokens);
    append_count(buffer, "cache_write_tokens", event->cache_write_tokens);
    append_count(buffer, "reasoning_tokens", event->reasoning_tokens);
    append_count(buffer, "latency_ms", event->latency_ms);
    append_count(buffer, "store_us", event->store_us);
    if (event->priced) {
        conv_decimal_format(event->cost_usd, cost);
        append_text(buffer, "cost_usd", cost);
    }
    conv__buffer_append_text(buffer, "}");
}

size_t conv_event_format(const conv_event *event, char *text, size_t size)
{
    conv__buffer buffer = {0};
    append_event(&buffer, event);
    if (buffer.failed) conv__buffer_clear(&buffer);
    size_t length = buffer.size;
    if (size > 0) snprintf(text, size, "%s", buffer.data == NULL ? "" : buffer.data);
    conv__buffer_free(&buffer);
    return length;
}
