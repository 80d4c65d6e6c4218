/* Server-sent events: lines out of pieces, events out of lines. */
#include "providers/sse.h"

#include <string.h>

static conv_status give_event(conv__sse *sse)
{
    if (!sse->has_data) return CONV_OK;
    conv_status status = sse->on_event(sse->context, conv__buffer_bytes(&sse->data));
    conv__buffer_clear(&sse->data);
    sse->has_data = false;
    return status;
}

static conv_bytes without_byte_order_mark(conv__sse *sse, conv_bytes line)
{
    if (!sse->past_start && line.size >= 3 && memcmp(line.data, "\xEF\xBB\xBF", 3) == 0) {
        line.data += 3;
        line.size -= 3;
    }
    sse->past_start = true;
    return line;
}

static conv_status take_line(conv__sse *sse)
{
    conv_bytes line = without_byte_order_mark(sse, conv__buffer_bytes(&sse->line));
    if (line.size == 0) return give_event(sse);
    const char *colon = memchr(line.data, ':', line.size);
    size_t name = colon == NULL ? line.size : (size_t)(colon - line.data);
    if (name != 4 || memcmp(line.data, "data", 4) != 0) return CONV_OK;
    size_t start = colon == NULL ? line.size : name + 1;
    if (start < line.size && line.data[start] == ' ') start++;
    if (line.size - start + sse->data.size >= sse->limit) return CONV_LIMIT;
    if (sse->has_data) conv__buffer_append(&sse->data, "\n", 1);
    conv__buffer_append(&sse->data, line.data + start, line.size - start);
    sse->has_data = true;
    return sse->data.failed ? CONV_NO_MEMORY : CONV_OK;
}

static conv_status end_line(conv__sse *sse)
{
    conv_status status = take_line(sse);
    conv__buffer_clear(&sse->line);
    return status;
}

static size_t line_length(conv_bytes text)
{
    size_t length = 0;
    while (length < text.size && text.data[length] != '\n' && text.data[length] != '\r')
        length++;
    return length;
}

conv_status conv__sse_feed(conv__sse *sse, conv_bytes piece)
{
    while (piece.size > 0) {
        if (sse->after_return && piece.data[0] == '\n') {
            piece = conv_view(piece.data + 1, piece.size - 1);
            sse->after_return = false;
            continue;
        }
        sse->after_return = false;
        size_t length = line_length(piece);
        if (length > sse->limit - sse->line.size) return CONV_LIMIT;
        conv__buffer_append(&sse->line, piece.data, length);
        if (sse->line.failed) return CONV_NO_MEMORY;
        if (length == piece.size) return CONV_OK;
        sse->after_return = piece.data[length] == '\r';
        piece = conv_view(piece.data + length + 1, piece.size - length - 1);
        conv_status status = end_line(sse);
        if (status != CONV_OK) return status;
    }
    return CONV_OK;
}

conv_status conv__sse_finish(conv__sse *sse)
{
    conv_status status = CONV_OK;
    if (sse->line.size > 0) status = end_line(sse);
    if (status == CONV_OK) status = give_event(sse);
    return status;
}

void conv__sse_free(conv__sse *sse)
{
    conv__buffer_free(&sse->line);
    conv__buffer_free(&sse->data);
}
