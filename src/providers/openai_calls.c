/* Tool calls of a streamed reply, put together from their fragments. */
#include "providers/openai_calls.h"

#include <string.h>

#include "providers/surrogate.h"

static conv__openai_call *new_call(conv__openai_calls *calls, int64_t index)
{
    if (calls->count == calls->capacity) {
        size_t capacity = calls->capacity == 0 ? 4 : calls->capacity * 2;
        conv__openai_call *grown = conv__resize(calls->items, capacity * sizeof *grown);
        if (grown == NULL) return NULL;
        calls->items = grown;
        calls->capacity = capacity;
    }
    conv__openai_call *call = &calls->items[calls->count++];
    *call = (conv__openai_call){.index = index};
    return call;
}

/* The newest call that the fragment can belong to, NULL if it begins one. */
static conv__openai_call *find_call(conv__openai_calls *calls, bool has_index, int64_t index,
                                    conv_bytes id)
{
    for (size_t i = calls->count; i > 0; i--) {
        conv__openai_call *call = &calls->items[i - 1];
        bool same_id = conv_bytes_equal(conv__buffer_bytes(&call->id), id);
        if (has_index && call->index != index) continue;
        if (id.size == 0 || same_id || (has_index && call->id.size == 0)) return call;
    }
    return NULL;
}

static bool is_known_member(conv__json key)
{
    static const char *const known[] = {"index", "id", "type", "function", "custom"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (conv__json_string_is(key, known[i])) return true;
    }
    return false;
}

/* Members that we do not know may have to be sent back with the call, a signature say. The first
 * fragment that has one counts. */
static void add_extra(conv__openai_call *call, conv__json fragment)
{
    conv__json key;
    conv__json value;
    size_t position = 0;
    if (call->extra.size > 0) return;
    while (conv__json_next(fragment, &position, &key, &value)) {
        if (value.kind == CONV__JSON_NULL || is_known_member(key)) continue;
        conv__buffer_append_text(&call->extra, ",");
        conv__buffer_append_bytes(&call->extra, key.text);
        conv__buffer_append_text(&call->extra, ":");
        conv__buffer_append_bytes(&call->extra, value.text);
    }
}

/* Some repeat the name with each fragment. */
static conv_status add_text(conv__buffer *buffer, conv__json value, conv__arena *scratch,
                            bool repeats)
{
    conv_bytes text = value.text;
    if (value.kind == CONV__JSON_ABSENT || value.kind == CONV__JSON_NULL) return CONV_OK;
    if (value.kind == CONV__JSON_STRING && conv__json_string(scratch, value, &text) != CONV_OK)
        return CONV_NO_MEMORY;
    if (repeats && conv_bytes_equal(conv__buffer_bytes(buffer), text)) return CONV_OK;
    conv__surrogate_append(buffer, text);
    return buffer->failed ? CONV_NO_MEMORY : CONV_OK;
}

static conv_status add_fragment(conv__openai_call *call, conv__json fragment, conv__arena *scratch)
{
    conv__json custom = conv__json_get(fragment, "custom");
    if (custom.kind == CONV__JSON_OBJECT) call->is_custom = true;
    conv__json tool = call->is_custom ? custom : conv__json_get(fragment, "function");
    conv__json input = conv__json_get(tool, call->is_custom ? "input" : "arguments");
    add_extra(call, fragment);
    if (call->extra.failed ||
        add_text(&call->id, conv__json_get(fragment, "id"), scratch, true) != CONV_OK ||
        add_text(&call->type, conv__json_get(fragment, "type"), scratch, true) != CONV_OK ||
        add_text(&call->name, conv__json_get(tool, "name"), scratch, true) != CONV_OK ||
        add_text(&call->input, input, scratch, false) != CONV_OK)
        return CONV_NO_MEMORY;
    return CONV_OK;
}

conv_status conv__openai_calls_add(conv__openai_calls *calls, conv__json fragments,
                                   conv__arena *scratch, size_t *size)
{
    conv__json fragment;
    size_t position = 0;
    while (conv__json_next(fragments, &position, NULL, &fragment)) {
        int64_t index = (int64_t)calls->count;
        bool has_index = conv__json_integer(conv__json_get(fragment, "index"), &index);
        conv_bytes id;
        if (conv__json_string(scratch, conv__json_get(fragment, "id"), &id) != CONV_OK)
            return CONV_NO_MEMORY;
        conv__openai_call *call = find_call(calls, has_index, index, id);
        if (call == NULL && calls->count == CONV__OPENAI_CALLS) return CONV_LIMIT;
        if (call == NULL) call = new_call(calls, index);
        if (call == NULL || add_fragment(call, fragment, scratch) != CONV_OK) return CONV_NO_MEMORY;
        *size += fragment.text.size;
    }
    return CONV_OK;
}

static void write_member(conv__buffer *json, const char *opening, const conv__buffer *text)
{
    conv__buffer_append_text(json, opening);
    (void)conv__json_append_string(json, conv__buffer_bytes(text));
}

static void write_call(const conv__openai_call *call, conv__buffer *json)
{
    const char *kind = call->is_custom ? "custom" : "function";
    write_member(json, "{\"id\":", &call->id);
    if (call->type.size > 0)
        write_member(json, ",\"type\":", &call->type);
    else
        conv__buffer_format(json, ",\"type\":\"%s\"", kind);
    conv__buffer_format(json, ",\"%s\":{\"name\":", kind);
    (void)conv__json_append_string(json, conv__buffer_bytes(&call->name));
    write_member(json, call->is_custom ? ",\"input\":" : ",\"arguments\":", &call->input);
    conv__buffer_append_text(json, "}");
    conv__buffer_append_bytes(json, conv__buffer_bytes(&call->extra));
    conv__buffer_append_text(json, "}");
}

bool conv__openai_calls_write(const conv__openai_calls *calls, bool finished, conv__buffer *json)
{
    bool any = false;
    for (size_t i = 0; i < calls->count; i++) {
        if (!finished && calls->items[i].input.size == 0) continue;
        conv__buffer_append_text(json, any ? "," : "[");
        write_call(&calls->items[i], json);
        any = true;
    }
    if (any) conv__buffer_append_text(json, "]");
    return any;
}

void conv__openai_calls_free(conv__openai_calls *calls)
{
    for (size_t i = 0; i < calls->count; i++) {
        conv__openai_call *call = &calls->items[i];
        conv__buffer_free(&call->id);
        conv__buffer_free(&call->type);
        conv__buffer_free(&call->name);
        conv__buffer_free(&call->input);
        conv__buffer_free(&call->extra);
    }
    conv__release(calls->items);
    *calls = (conv__openai_calls){0};
}
