/* Rows from what the application gave, and back. It must not know a store: what is storable here is
 * storable in both. */
#include "repositories/rows.h"

#include <string.h>

#include "core/error.h"
#include "core/time.h"
#include "repositories/fields.h"

#define ACTION_TO_ROW   "check fields"
#define ACTION_FROM_ROW "restore fields"

#define TEXT_FIELD(type, original, member, name)                                                   \
    {                                                                                              \
        CONV__ORIGINAL_##original, CONV__FIELD_TEXT, offsetof(type, member), name                  \
    }
#define JSON_FIELD(type, original, kind, member, name)                                             \
    {                                                                                              \
        CONV__ORIGINAL_##original, CONV__FIELD_##kind, offsetof(type, member), name                \
    }
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const conv__field name_fields[] = {
    TEXT_FIELD(conv__name_row, EXTERNAL_ID, external_id, "user id"),
};

static const conv__field session_fields[] = {
    TEXT_FIELD(conv__session_row, EXTERNAL_ID, external_id, "session id"),
    TEXT_FIELD(conv__session_row, TITLE, title, "title"),
    JSON_FIELD(conv__session_row, METADATA, JSON_OBJECT, metadata, "metadata"),
};

static const conv__field message_fields[] = {
    TEXT_FIELD(conv_message, CONTENT, content, "content"),
    JSON_FIELD(conv_message, PARTS, EXACT_JSON_ARRAY, parts, "parts"),
    JSON_FIELD(conv_message, TOOL_CALLS, EXACT_JSON_ARRAY, tool_calls, "tool calls"),
    TEXT_FIELD(conv_message, TOOL_CALL_ID, tool_call_id, "tool call id"),
    TEXT_FIELD(conv_message, NAME, name, "name"),
    TEXT_FIELD(conv_message, MODEL, model, "model"),
    JSON_FIELD(conv_message, METADATA, JSON_OBJECT, metadata, "metadata"),
};

static const conv__field usage_fields[] = {
    TEXT_FIELD(conv_usage, USER_EMAIL, user_email, "user email"),
    TEXT_FIELD(conv_usage, SERVICE, service, "service"),
    TEXT_FIELD(conv_usage, OPERATION, operation, "operation"),
    TEXT_FIELD(conv_usage, MODEL, model, "model"),
    TEXT_FIELD(conv_usage, PROVIDER, provider, "provider"),
    TEXT_FIELD(conv_usage, PRICE, price, "price"),
    TEXT_FIELD(conv_usage, ERROR, error, "error"),
    JSON_FIELD(conv_usage, RAW, JSON, raw, "raw usage"),
    JSON_FIELD(conv_usage, METADATA, JSON_OBJECT, metadata, "metadata"),
};

static const conv__field document_fields[] = {
    TEXT_FIELD(conv__document_row, EXTERNAL_ID, external_id, "document id"),
    TEXT_FIELD(conv__document_row, SESSION_ID, external_session_id, "session id"),
    TEXT_FIELD(conv__document_row, NAME, name, "name"),
    TEXT_FIELD(conv__document_row, MEDIA_TYPE, media_type, "media type"),
    JSON_FIELD(conv__document_row, METADATA, JSON_OBJECT, metadata, "metadata"),
};

static const conv__field summary_fields[] = {
    TEXT_FIELD(conv__summary_row, SUMMARY, text, "summary"),
    JSON_FIELD(conv__summary_row, KEY_POINTS, EXACT_JSON_ARRAY, key_points, "key points"),
    TEXT_FIELD(conv__summary_row, MODEL, model, "model"),
};

/* Makes `record` storable and gives the column for the rest, absent if there is none. */
static conv_status to_row(conv__arena *arena, const conv__field *fields, size_t count, void *record,
                          conv_bytes *originals, conv_error *error)
{
    conv__buffer buffer = {0};
    conv_status status = conv__fields_project(arena, fields, count, record, &buffer, error);
    *originals = conv_text(NULL);
    if (status == CONV_OK && buffer.size > 0 &&
        conv__arena_copy(arena, conv__buffer_bytes(&buffer), originals) != CONV_OK)
        status = conv__fail_memory(error, ACTION_TO_ROW);
    conv__buffer_free(&buffer);
    return status;
}

/* The spelling of an id where it differs from what the id itself would be written as. */
static conv_bytes external_id_of(conv_uuid id, conv_bytes name)
{
    char text[CONV_UUID_TEXT_SIZE];
    conv_uuid_format(id, text);
    return conv_bytes_equal(name, conv_text(text)) ? conv_text(NULL) : name;
}

conv_status conv__name_to_row(conv__arena *arena, conv_bytes name, conv__name_row *row,
                              conv_error *error)
{
    *row = (conv__name_row){0};
    if (name.data == NULL) return CONV_OK;
    row->id = conv_uuid_ensure(name);
    row->external_id = external_id_of(row->id, name);
    return to_row(arena, name_fields, COUNT(name_fields), row, &row->originals, error);
}

conv_status conv__session_to_row(conv__arena *arena, conv_bytes session_id, conv_bytes user_id,
                                 conv_bytes title, conv_bytes metadata, conv__session_row *row,
                                 conv_error *error)
{
    *row = (conv__session_row){.title = title, .metadata = metadata};
    if (session_id.data != NULL) {
        row->session_id = conv_uuid_ensure(session_id);
        row->external_id = external_id_of(row->session_id, session_id);
    }
    conv_status status = conv__name_to_row(arena, user_id, &row->user, error);
    if (status != CONV_OK) return status;
    return to_row(arena, session_fields, COUNT(session_fields), row, &row->originals, error);
}

conv_status conv__created_check(int64_t created_us, conv_error *error)
{
    if (conv__time_is_storable(created_us)) return CONV_OK;
    return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION_TO_ROW,
                      "created_us is not within the years 1 to 9999: it counts microseconds");
}

static bool is_known_outcome(conv_outcome outcome)
{
    return outcome == CONV_OUTCOME_COMPLETE || outcome == CONV_OUTCOME_INTERRUPTED ||
           outcome == CONV_OUTCOME_FAILED;
}

conv_status conv__message_to_row(conv__arena *arena, const conv_message *message,
                                 conv__message_row *row, conv_error *error)
{
    if (message->role <= CONV_ROLE_NONE || message->role > CONV_ROLE_TOOL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION_TO_ROW, "the message has no role");
    if (message->content.data != NULL && message->parts.data != NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION_TO_ROW,
                          "the message has both content and parts");
    if (!is_known_outcome(message->status))
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION_TO_ROW,
                          "the message's status is none of conv_outcome");
    conv_status status = conv__created_check(message->created_us, error);
    if (status != CONV_OK) return status;
    *row = (conv__message_row){.message = *message};
    return to_row(arena, message_fields, COUNT(message_fields), &row->message, &row->originals,
                  error);
}

static conv_status check_numbers(const conv_usage *usage, conv_error *error)
{
    const int64_t tokens[] = {usage->input_tokens,       usage->output_tokens,
                              usage->total_tokens,       usage->cache_read_tokens,
                              usage->cache_write_tokens, usage->reasoning_tokens};
    bool negative = usage->latency_ms < CONV_UNKNOWN || usage->processed_bytes < CONV_UNKNOWN;
    bool too_many = false;
    for (size_t i = 0; i < COUNT(tokens); i++) {
        negative = negative || tokens[i] < CONV_UNKNOWN;
        too_many = too_many || tokens[i] > CONV_TOKENS_MAX;
    }
    if (negative)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION_TO_ROW,
                          "a count of the usage record is negative");
    if (too_many)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION_TO_ROW,
                          "the usage record counts more than 1000000000000 tokens of a kind");
    if (usage->latency_ms > CONV_LATENCY_MS_MAX)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION_TO_ROW,
                          "the latency of the usage record is longer than ten years");
    if (usage->priced && conv_decimal_compare(usage->cost_usd, (conv_decimal){0}) < 0)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION_TO_ROW,
                          "the cost of the usage record is negative");
    if (!is_known_outcome(usage->status))
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION_TO_ROW,
                          "the usage record's status is none of conv_outcome");
    return conv__created_check(usage->created_us, error);
}

conv_status conv__usage_check(const conv_usage *usage, conv_error *error)
{
    const conv__name_row user = {.external_id = usage->user_id};
    conv_status status = check_numbers(usage, error);
    if (status == CONV_OK)
        status = conv__fields_check(name_fields, COUNT(name_fields), &user, error);
    if (status == CONV_OK)
        status = conv__fields_check(usage_fields, COUNT(usage_fields), usage, error);
    return status;
}

conv_status conv__usage_to_row(conv__arena *arena, const conv_usage *usage, conv__usage_row *row,
                               conv_error *error)
{
    *row = (conv__usage_row){.usage = *usage,
                             .session_id = conv_uuid_ensure(usage->session_id),
                             .document_id = conv_uuid_ensure(usage->document_id)};
    if (usage->service.data == NULL) row->usage.service = conv_text("chat");
    if (usage->operation.data == NULL) row->usage.operation = conv_text("chat");
    conv_status status = check_numbers(usage, error);
    if (status != CONV_OK) return status;
    status = conv__name_to_row(arena, usage->user_id, &row->user, error);
    if (status != CONV_OK) return status;
    return to_row(arena, usage_fields, COUNT(usage_fields), &row->usage, &row->originals, error);
}

static conv_status read_sha256(conv__arena *arena, const char *text, conv_bytes *sha256,
                               conv_error *error)
{
    uint8_t digest[CONV__SHA256_SIZE];
    if (text == NULL) return CONV_OK;
    if (!conv__sha256_parse(text, digest))
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION_TO_ROW,
                          "sha256 is not 64 hexadecimal digits");
    if (conv__arena_copy(arena, conv_view((const char *)digest, sizeof digest), sha256) != CONV_OK)
        return conv__fail_memory(error, ACTION_TO_ROW);
    return CONV_OK;
}

conv_status conv__document_to_row(conv__arena *arena, const conv_document_params *params,
                                  conv__document_row *row, conv_error *error)
{
    conv_bytes id = conv_text(params->document_id);
    conv_bytes session_id = conv_text(params->session_id);
    *row = (conv__document_row){.document_id = conv_uuid_ensure(id),
                                .session_id = conv_uuid_ensure(session_id),
                                .name = params->name,
                                .media_type = params->media_type,
                                .size_bytes = params->size_bytes,
                                .metadata = conv_text(params->metadata)};
    row->external_id = external_id_of(row->document_id, id);
    row->external_session_id = external_id_of(row->session_id, session_id);
    if (params->size_bytes < 0)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION_TO_ROW,
                          "the size of the document is negative");
    conv_status status = conv__created_check(params->created_us, error);
    if (status == CONV_OK) status = read_sha256(arena, params->sha256, &row->sha256, error);
    if (status == CONV_OK)
        status = conv__name_to_row(arena, conv_text(params->user_id), &row->user, error);
    if (status != CONV_OK) return status;
    return to_row(arena, document_fields, COUNT(document_fields), row, &row->originals, error);
}

conv_status conv__summary_to_row(conv__arena *arena, conv__summary_row *row, conv_error *error)
{
    return to_row(arena, summary_fields, COUNT(summary_fields), row, &row->originals, error);
}

conv_status conv__summary_from_row(conv__summary_row *row, conv_summary *summary, conv_error *error)
{
    conv_status status =
        conv__fields_restore(summary_fields, COUNT(summary_fields), row->originals, row, error);
    if (status != CONV_OK) return status;
    summary->summary_id = row->summary_id;
    summary->session_id = row->session_id;
    summary->text = row->text;
    summary->key_points = row->key_points;
    summary->last_position = row->last_position;
    summary->model = row->model;
    summary->log_id = row->log_id;
    summary->created_us = row->created_us;
    return CONV_OK;
}

conv_status conv__message_from_row(conv__message_row *row, conv_error *error)
{
    return conv__fields_restore(message_fields, COUNT(message_fields), row->originals,
                                &row->message, error);
}

conv_status conv__usage_from_row(conv__usage_row *row, conv_error *error)
{
    return conv__fields_restore(usage_fields, COUNT(usage_fields), row->originals, &row->usage,
                                error);
}

conv_status conv__name_from_row(conv__arena *arena, const conv__name_row *row, conv_bytes *name,
                                conv_error *error)
{
    *name = conv_text(NULL);
    if (conv_uuid_is_nil(row->id)) return CONV_OK;
    conv__name_row restored = *row;
    conv_status status =
        conv__fields_restore(name_fields, COUNT(name_fields), row->originals, &restored, error);
    if (status != CONV_OK) return status;
    *name = restored.external_id;
    if (name->data != NULL) return CONV_OK;
    char text[CONV_UUID_TEXT_SIZE];
    conv_uuid_format(row->id, text);
    if (conv__arena_copy(arena, conv_text(text), name) != CONV_OK)
        return conv__fail_memory(error, ACTION_FROM_ROW);
    return CONV_OK;
}

conv_status conv__session_from_row(conv__arena *arena, const conv__session_row *row,
                                   conv_session *session, conv_error *error)
{
    conv__session_row restored = *row;
    conv_status status = conv__fields_restore(session_fields, COUNT(session_fields), row->originals,
                                              &restored, error);
    if (status != CONV_OK) return status;
    session->session_id = row->session_id;
    session->user_id = row->user.id;
    session->title = restored.title;
    session->metadata = restored.metadata;
    session->created_us = row->created_us;
    /* The external id has been restored above. */
    const conv__name_row name = {.id = row->session_id, .external_id = restored.external_id};
    status = conv__name_from_row(arena, &name, &session->external_id, error);
    if (status != CONV_OK) return status;
    return conv__name_from_row(arena, &row->user, &session->external_user_id, error);
}

conv_status conv__document_from_row(conv__arena *arena, const conv__document_row *row,
                                    conv_document *document, conv_error *error)
{
    conv__document_row restored = *row;
    conv_status status = conv__fields_restore(document_fields, COUNT(document_fields),
                                              row->originals, &restored, error);
    if (status != CONV_OK) return status;
    if (row->sha256.data != NULL && row->sha256.size != CONV__SHA256_SIZE)
        return conv__fail(error, CONV_BAD_DATA, ACTION_FROM_ROW, "the column sha256 is damaged");
    *document = (conv_document){.document_id = row->document_id,
                                .session_id = row->session_id,
                                .user_id = row->user.id,
                                .name = restored.name,
                                .media_type = restored.media_type,
                                .size_bytes = row->size_bytes,
                                .metadata = restored.metadata,
                                .last_operation = row->last_operation,
                                .last_status = row->last_status,
                                .created_us = row->created_us,
                                .updated_us = row->updated_us};
    if (row->sha256.data != NULL)
        conv__sha256_format((const uint8_t *)row->sha256.data, document->sha256);
    /* The external ids have been restored above. */
    const conv__name_row id = {.id = row->document_id, .external_id = restored.external_id};
    const conv__name_row session = {.id = row->session_id,
                                    .external_id = restored.external_session_id};
    status = conv__name_from_row(arena, &id, &document->external_id, error);
    if (status == CONV_OK)
        status = conv__name_from_row(arena, &session, &document->external_session_id, error);
    if (status != CONV_OK) return status;
    return conv__name_from_row(arena, &row->user, &document->external_user_id, error);
}

conv_status conv__tags_from_row(conv__arena *arena, conv_bytes joined, conv_session *session)
{
    size_t count = joined.data == NULL ? 0 : 1;
    for (size_t i = 0; i < joined.size; i++)
        if (joined.data[i] == CONV__TAG_SEPARATOR) count++;
    session->tags = NULL;
    session->tag_count = count;
    if (count == 0) return CONV_OK;
    conv_bytes *tags = conv__arena_allocate(arena, count * sizeof *tags);
    if (tags == NULL) return CONV_NO_MEMORY;
    const char *at = joined.data;
    const char *end = joined.data + joined.size;
    for (size_t i = 0; i < count; i++) {
        const char *separator = memchr(at, CONV__TAG_SEPARATOR, (size_t)(end - at));
        conv_bytes tag = conv_view(at, (size_t)((separator != NULL ? separator : end) - at));
        if (conv__arena_copy(arena, tag, &tags[i]) != CONV_OK) return CONV_NO_MEMORY;
        at = separator != NULL ? separator + 1 : end;
    }
    session->tags = tags;
    return CONV_OK;
}
