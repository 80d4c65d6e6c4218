/* Transcripts of ChatGPT's export: a tree of nodes, of which one branch was shown last. What the
 * form holds is known from exports only; there is no published description. */
#include "core/time.h"
#include "providers/transcript.h"

#include <stdlib.h>
#include <string.h>

/* The nodes by id, so that a long branch is walked without searching the whole tree for each step.
 */
typedef struct node {
    conv_bytes id;
    conv__json value;
} node;

static int compare_bytes(conv_bytes a, conv_bytes b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size == 0 ? 0 : memcmp(a.data, b.data, size);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare_nodes(const void *a, const void *b)
{
    return compare_bytes(((const node *)a)->id, ((const node *)b)->id);
}

static conv_status read_nodes(const conv__transcript_source *source, conv__json mapping,
                              node **nodes, size_t *count)
{
    conv__arena *arena = &source->transcript->arena;
    conv__json key, value;
    *count = 0;
    for (size_t position = 0; conv__json_next(mapping, &position, NULL, &value);) {
        (*count)++;
    }
    *nodes = conv__arena_allocate(arena, *count * sizeof **nodes);
    if (*nodes == NULL) return conv__transcript_no_memory(source);
    node *next = *nodes;
    for (size_t position = 0; conv__json_next(mapping, &position, &key, &value); next++) {
        next->value = value;
        if (conv__json_string(arena, key, &next->id) != CONV_OK)
            return conv__transcript_no_memory(source);
    }
    return CONV_OK;
}

/* The node that a JSON string names; NULL if it names none. */
static conv_status find_node(const conv__transcript_source *source, const node *nodes, size_t count,
                             conv__json name, const node **found)
{
    node wanted = {0};
    *found = NULL;
    if (name.kind != CONV__JSON_STRING) return CONV_OK;
    if (conv__json_string(&source->transcript->arena, name, &wanted.id) != CONV_OK)
        return conv__transcript_no_memory(source);
    *found = bsearch(&wanted, nodes, count, sizeof *nodes, compare_nodes);
    return CONV_OK;
}

/* Texts one under the other; `all_text` is false if there is something else among the parts. */
static conv_status join_parts(const conv__transcript_source *source, conv__json parts,
                              conv_bytes *text, bool *all_text)
{
    conv__buffer joined = {0};
    conv__json part;
    conv_bytes piece;
    *all_text = true;
    for (size_t position = 0; conv__json_next(parts, &position, NULL, &part);) {
        if (part.kind != CONV__JSON_STRING) *all_text = false;
        if (conv__json_string(&source->transcript->arena, part, &piece) != CONV_OK)
            joined.failed = true;
        if (joined.size > 0) conv__buffer_append(&joined, "\n", 1);
        conv__buffer_append_bytes(&joined, piece);
    }
    bool failed = joined.failed || conv__arena_copy(&source->transcript->arena,
                                                    conv__buffer_bytes(&joined), text) != CONV_OK;
    conv__buffer_free(&joined);
    return failed ? conv__transcript_no_memory(source) : CONV_OK;
}

/* A text where the content is one; else the content as it is written, as one part of a list. */
static conv_status read_content(const conv__transcript_source *source, conv__json content,
                                conv_message *message)
{
    conv__json parts = conv__json_get(content, "parts");
    if (parts.kind == CONV__JSON_ARRAY) {
        bool all_text;
        conv_status status = join_parts(source, parts, &message->content, &all_text);
        if (status != CONV_OK || all_text) return status;
        message->content = conv_text(NULL);
        return conv__transcript_exact(source, parts, &message->parts);
    }
    conv__json text = conv__json_get(content, "text");
    if (text.kind == CONV__JSON_STRING)
        return conv__transcript_text(source, "text", text, (conv__json){0}, &message->content);
    if (content.kind != CONV__JSON_OBJECT) return CONV_OK;
    conv__buffer list = {0};
    conv__buffer_append(&list, "[", 1);
    conv__buffer_append_bytes(&list, content.text);
    conv__buffer_append(&list, "]", 1);
    bool failed =
        list.failed || conv__arena_copy(&source->transcript->arena, conv__buffer_bytes(&list),
                                        &message->parts) != CONV_OK;
    conv__buffer_free(&list);
    return failed ? conv__transcript_no_memory(source) : CONV_OK;
}

/* Seconds since 1970 with a fraction, as microseconds; 0 if it is no such time. */
static int64_t microseconds_of(conv__json seconds)
{
    conv_decimal decimal;
    if (seconds.kind != CONV__JSON_NUMBER ||
        conv_decimal_parse(seconds.text, &decimal) != CONV_OK || decimal.negative ||
        decimal.high != 0)
        return 0;
    uint64_t value = decimal.low;
    unsigned places = decimal.scale;
    for (; places > 6; places--) {
        value /= 10;
    }
    for (; places < 6; places++) {
        if (value > (uint64_t)INT64_MAX / 10) return 0;
        value *= 10;
    }
    bool is_time = value <= (uint64_t)INT64_MAX && conv__time_is_storable((int64_t)value);
    return is_time ? (int64_t)value : 0;
}

/* Reads a node's message; one without any content, as the root's, leaves the role at none. */
static conv_status read_message(const conv__transcript_source *source, conv__json object,
                                conv_message *message)
{
    *message = (conv_message){0};
    if (object.kind != CONV__JSON_OBJECT) return CONV_OK;
    static const conv__json none = {0};
    conv_status status = read_content(source, conv__json_get(object, "content"), message);
    if (status != CONV_OK) return status;
    if (message->content.size == 0 && message->parts.data == NULL) return CONV_OK;
    conv__json author = conv__json_get(object, "author");
    message->role = conv__transcript_role(conv__json_get(author, "role"));
    if (message->role == CONV_ROLE_NONE)
        return conv__transcript_bad(source, object, "a message without a known role");
    message->created_us = microseconds_of(conv__json_get(object, "create_time"));
    status =
        conv__transcript_text(source, "name", conv__json_get(author, "name"), none, &message->name);
    if (status != CONV_OK) return status;
    conv__json model = conv__json_get(conv__json_get(object, "metadata"), "model_slug");
    return conv__transcript_text(source, "model_slug", model, none, &message->model);
}

/* From the last node up to the root; the array is filled from its end. */
static conv_status read_branch(const conv__transcript_source *source, const node *nodes,
                               size_t count, conv__json last)
{
    conv_transcript *transcript = source->transcript;
    conv_message *messages = conv__arena_allocate(&transcript->arena, count * sizeof *messages);
    if (messages == NULL) return conv__transcript_no_memory(source);
    size_t first = count;
    const node *found;
    conv_status status = find_node(source, nodes, count, last, &found);
    for (size_t steps = 0; status == CONV_OK && found != NULL; steps++) {
        if (steps == count)
            return conv__transcript_bad(source, found->value, "a node that is its own parent");
        conv_message message;
        status = read_message(source, conv__json_get(found->value, "message"), &message);
        if (status == CONV_OK && message.role != CONV_ROLE_NONE) messages[--first] = message;
        if (status == CONV_OK)
            status =
                find_node(source, nodes, count, conv__json_get(found->value, "parent"), &found);
    }
    transcript->messages = messages + first;
    transcript->message_count = count - first;
    return status;
}

conv_status conv__transcript_read_mapping(const conv__transcript_source *source, conv__json last,
                                          conv__json mapping)
{
    node *nodes;
    size_t count;
    conv_status status = read_nodes(source, mapping, &nodes, &count);
    if (status != CONV_OK) return status;
    qsort(nodes, count, sizeof *nodes, compare_nodes);

    conv__json key, value;
    bool is_named = last.kind == CONV__JSON_STRING;
    for (size_t position = 0; !is_named && conv__json_next(mapping, &position, &key, &value);) {
        last = key;
    }
    status = read_branch(source, nodes, count, last);
    conv_transcript *transcript = source->transcript;
    for (size_t i = transcript->message_count; i > 0 && transcript->model == NULL; i--) {
        conv_bytes model = transcript->messages[i - 1].model;
        if (model.data != NULL && memchr(model.data, '\0', model.size) == NULL)
            transcript->model = model.data;
    }
    return status;
}
