/* What an operation's usage record says: made at its begin, completed at its end. */
#include "services/operation.h"

#include "core/error.h"
#include "core/time.h"
#include "repositories/rows.h"
#include "services/copy.h"

#define ACTION_BEGIN "begin operation"
#define ACTION_END   "end operation"
#define NEVER_ENDED  "the operation was given up before its end"

/* Whether rows can be made of it, so that nothing is wrong about it later. */
static conv_status check(const conv_usage *usage, conv_error *error)
{
    conv__arena arena = {0};
    conv__usage_row row;
    conv_status status = conv__usage_to_row(&arena, usage, &row, error);
    conv__arena_reset(&arena);
    return status;
}

conv_status conv__operation_begin(conv__operation *operation, const conv_usage *known,
                                  conv_error *error)
{
    *operation = (conv__operation){.latency_ms = CONV_UNKNOWN};
    if (known == NULL || known->operation.data == NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION_BEGIN, "no operation is named");
    conv_usage *made = &operation->known;
    *made = *known;
    if (conv_uuid_is_nil(made->log_id)) made->log_id = conv_uuid_v7();
    if (made->created_us == 0) made->created_us = conv__now_us();
    if (made->service.data == NULL)
        made->service = conv_text(made->document_id.data != NULL ? "documents" : "application");
    conv_status status = check(made, error);
    if (status == CONV_OK && conv__copy_usage(&operation->known_texts, made) != CONV_OK)
        status = conv__fail_memory(error, ACTION_BEGIN);
    if (status != CONV_OK) conv__operation_reset(operation);
    operation->begun_ns = conv__monotonic_ns();
    return status;
}

static void measure(conv__operation *operation)
{
    if (operation->latency_ms == CONV_UNKNOWN)
        operation->latency_ms = (conv__monotonic_ns() - operation->begun_ns) / 1000000;
}

static conv_bytes newer(conv_bytes used, conv_bytes known)
{
    return used.data != NULL ? used : known;
}

static void fill_count(int64_t *count, int64_t known)
{
    if (*count == CONV_UNKNOWN) *count = known;
}

static void fill_counts(conv_usage *record, const conv_usage *known)
{
    fill_count(&record->input_tokens, known->input_tokens);
    fill_count(&record->output_tokens, known->output_tokens);
    fill_count(&record->total_tokens, known->total_tokens);
    fill_count(&record->cache_read_tokens, known->cache_read_tokens);
    fill_count(&record->cache_write_tokens, known->cache_write_tokens);
    fill_count(&record->reasoning_tokens, known->reasoning_tokens);
    fill_count(&record->processed_bytes, known->processed_bytes);
}

static conv_usage merge(const conv__operation *operation, const conv_usage *used)
{
    const conv_usage *known = &operation->known;
    conv_usage record = *used;
    record.log_id = known->log_id;
    record.created_us = known->created_us;
    record.session_id = known->session_id;
    record.user_id = known->user_id;
    record.document_id = known->document_id;
    record.service = known->service;
    record.operation = known->operation;
    record.user_email = newer(used->user_email, known->user_email);
    record.model = newer(used->model, known->model);
    record.provider = newer(used->provider, known->provider);
    record.metadata = newer(used->metadata, known->metadata);
    fill_counts(&record, known);
    fill_count(&record.latency_ms, operation->latency_ms);
    return record;
}

conv_status conv__operation_finish(conv__operation *operation, const conv_usage *used,
                                   conv_error *error)
{
    static const conv_usage nothing = CONV_USAGE_INIT;
    measure(operation);
    conv_usage record = merge(operation, used != NULL ? used : &nothing);
    conv_status status = check(&record, error);
    if (status != CONV_OK) return status;
    conv__arena texts = {0};
    if (conv__copy_usage(&texts, &record) != CONV_OK) {
        conv__arena_reset(&texts);
        return conv__fail_memory(error, ACTION_END);
    }
    conv__arena_reset(&operation->record_texts);
    operation->record_texts = texts;
    operation->record = record;
    operation->ending = true;
    return CONV_OK;
}

void conv__operation_interrupt(conv__operation *operation)
{
    if (operation->ending) return;
    measure(operation);
    operation->record = operation->known;
    operation->record.latency_ms = operation->latency_ms;
    operation->record.status = CONV_OUTCOME_INTERRUPTED;
    operation->record.error = conv_text(NEVER_ENDED);
}

void conv__operation_reset(conv__operation *operation)
{
    conv__arena_reset(&operation->known_texts);
    conv__arena_reset(&operation->record_texts);
}
