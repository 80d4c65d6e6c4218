/* Making the fields of a record storable, and restoring them. It must not know which records there
 * are. */
#include "repositories/fields.h"

#include "core/error.h"
#include "core/json.h"
#include "core/text.h"
#include "repositories/rows.h"

#define PROJECT "check fields"
#define RESTORE "restore fields"

static conv_bytes *bytes_at(void *record, const conv__field *field)
{
    return (conv_bytes *)(void *)((char *)record + field->offset);
}

static conv_status project_text(conv__arena *arena, const conv__field *field, conv_bytes *bytes,
                                conv__buffer *originals, conv_error *error)
{
    conv_bytes storable;
    if (conv__text_project(arena, *bytes, &storable) != CONV_OK)
        return conv__fail_memory(error, PROJECT);
    if (storable.data != bytes->data) conv__originals_append(originals, field->original, *bytes);
    *bytes = storable;
    return CONV_OK;
}

static bool is_of_kind(conv__json value, conv__field_kind kind)
{
    switch (kind) {
    case CONV__FIELD_JSON_OBJECT:
        return value.kind == CONV__JSON_OBJECT;
    case CONV__FIELD_JSON_ARRAY:
    case CONV__FIELD_EXACT_JSON_ARRAY:
        return value.kind == CONV__JSON_ARRAY;
    case CONV__FIELD_JSON:
    case CONV__FIELD_TEXT:
        break;
    }
    return true;
}

static const char *kind_name(conv__field_kind kind)
{
    switch (kind) {
    case CONV__FIELD_JSON_OBJECT:
        return "a JSON object";
    case CONV__FIELD_JSON_ARRAY:
    case CONV__FIELD_EXACT_JSON_ARRAY:
        return "a JSON array";
    case CONV__FIELD_JSON:
    case CONV__FIELD_TEXT:
        break;
    }
    return "JSON";
}

static conv_status parse(const conv__field *field, conv_bytes bytes, conv__json *value,
                         conv_error *error)
{
    size_t offset;
    if (!conv__json_parse(bytes, value, &offset))
        return conv__fail(error, CONV_INVALID_ARGUMENT, PROJECT, "%s: not JSON at byte %zu",
                          field->name, offset);
    if (!is_of_kind(*value, field->kind))
        return conv__fail(error, CONV_INVALID_ARGUMENT, PROJECT, "%s: not %s", field->name,
                          kind_name(field->kind));
    return CONV_OK;
}

static conv_status project_json(conv__arena *arena, const conv__field *field, conv_bytes *bytes,
                                conv__buffer *originals, conv_error *error)
{
    conv__json value;
    conv_bytes storable;
    conv_status status = parse(field, *bytes, &value, error);
    if (status != CONV_OK) return status;
    if (conv__json_project(arena, value, &storable) != CONV_OK)
        return conv__fail_memory(error, PROJECT);
    if (storable.data != value.text.data || field->kind == CONV__FIELD_EXACT_JSON_ARRAY)
        conv__originals_append(originals, field->original, *bytes);
    *bytes = storable;
    return CONV_OK;
}

static conv_status check_size(const conv__field *field, conv_bytes bytes, conv_error *error)
{
    if (bytes.size <= CONV__FIELD_LIMIT) return CONV_OK;
    return conv__fail(error, CONV_LIMIT, PROJECT, "%s: %zu bytes, the limit is %zu", field->name,
                      bytes.size, CONV__FIELD_LIMIT);
}

conv_status conv__fields_check(const conv__field *fields, size_t count, const void *record,
                               conv_error *error)
{
    conv__json value;
    conv_status status = CONV_OK;
    for (size_t i = 0; i < count && status == CONV_OK; i++) {
        conv_bytes bytes =
            *(const conv_bytes *)(const void *)((const char *)record + fields[i].offset);
        if (bytes.data == NULL) continue;
        status = check_size(&fields[i], bytes, error);
        if (status == CONV_OK && fields[i].kind != CONV__FIELD_TEXT)
            status = parse(&fields[i], bytes, &value, error);
    }
    return status;
}

conv_status conv__fields_project(conv__arena *arena, const conv__field *fields, size_t count,
                                 void *record, conv__buffer *originals, conv_error *error)
{
    for (size_t i = 0; i < count; i++) {
        const conv__field *field = &fields[i];
        conv_bytes *bytes = bytes_at(record, field);
        if (bytes->data == NULL) continue;
        conv_status status = check_size(field, *bytes, error);
        if (status == CONV_OK)
            status = field->kind == CONV__FIELD_TEXT
                         ? project_text(arena, field, bytes, originals, error)
                         : project_json(arena, field, bytes, originals, error);
        if (status != CONV_OK) return status;
    }
    return originals->failed ? conv__fail_memory(error, PROJECT) : CONV_OK;
}

conv_status conv__fields_restore(const conv__field *fields, size_t count, conv_bytes originals,
                                 void *record, conv_error *error)
{
    size_t position = 0;
    unsigned number;
    conv_bytes original;
    while (conv__originals_next(originals, &position, &number, &original)) {
        for (size_t i = 0; i < count; i++) {
            if (fields[i].original == number) *bytes_at(record, &fields[i]) = original;
        }
    }
    if (position == originals.size) return CONV_OK;
    return conv__fail(error, CONV_BAD_DATA, RESTORE,
                      "the column originals is damaged at byte %zu of %zu", position,
                      originals.size);
}
