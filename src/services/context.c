/* Building a context. Asks nobody but the store for its summary. */
#include "services/context.h"

#include <string.h>

#include "conversation/summary.h"
#include "core/buffer.h"
#include "core/json.h"
#include "core/text.h"

/* A cut summary of fewer tokens than LEAST_SUMMARY would be little but its heading. */
enum { BYTES_OF_TOKEN = 4, TOKENS_OF_MESSAGE = 4, LEAST_SUMMARY = 24 };

int64_t conv_token_estimate(conv_bytes text)
{
    return (int64_t)(text.size / BYTES_OF_TOKEN) + (text.size % BYTES_OF_TOKEN > 0);
}

int64_t conv__message_tokens(const conv_message *message)
{
    return TOKENS_OF_MESSAGE + conv_token_estimate(message->content) +
           conv_token_estimate(message->parts) + conv_token_estimate(message->tool_calls);
}

conv_status conv__context_read_summary(conv__transaction *transaction, const conv_turn *turn,
                                       conv_uuid session_id, conv__arena *arena,
                                       conv__summary_list *summary, conv_error *error)
{
    conv__summary_repository *summaries = transaction->store->summaries;
    return summaries->functions->find(summaries, transaction, session_id, turn->after,
                                      turn->instead_of, arena, summary, error);
}

static const conv_message *message_at(const conv__context *context, size_t index)
{
    return &context->history->rows[index].message;
}

static size_t count_leading(const conv__context *context)
{
    size_t count = 0;
    while (count < context->history->count &&
           (message_at(context, count)->role == CONV_ROLE_SYSTEM ||
            message_at(context, count)->role == CONV_ROLE_DEVELOPER))
        count++;
    return count;
}

/* The first message behind the leading ones that the summary does not cover. */
static size_t first_uncovered(const conv__context *context, size_t leading)
{
    size_t first = leading;
    while (context->summary != NULL && first < context->history->count &&
           message_at(context, first)->position <= context->summary->last_position)
        first++;
    return first;
}

/* Where the last messages begin that take no more than `budget`: at a question, so that no answer
 * stands without one. */
static size_t first_fitting(const conv__context *context, size_t first, int64_t budget)
{
    size_t start = context->history->count;
    while (start > first) {
        budget -= conv__message_tokens(message_at(context, start - 1));
        if (budget < 0) break;
        start--;
    }
    if (start == first) return start;
    while (start < context->history->count && message_at(context, start)->role != CONV_ROLE_USER)
        start++;
    return start;
}

static conv_status append_points(conv__arena *arena, conv__buffer *text, conv_bytes key_points)
{
    conv__json array;
    conv__json point;
    size_t position = 0;
    if (key_points.data == NULL || !conv__json_parse(key_points, &array, NULL)) return CONV_OK;
    while (conv__json_next(array, &position, NULL, &point)) {
        conv_bytes said;
        if (conv__json_string(arena, point, &said) != CONV_OK) return CONV_NO_MEMORY;
        if (said.data == NULL) continue;
        conv__buffer_append_text(text, "\n- ");
        conv__buffer_append_bytes(text, said);
    }
    return CONV_OK;
}

/* Cuts a text that takes more than `tokens` at its end, at a character. */
static void cut(conv__buffer *text, int64_t tokens)
{
    static const char mark[] = "…";
    size_t most = (size_t)tokens * BYTES_OF_TOKEN - strlen(mark);
    text->size = conv__utf8_cut(conv__buffer_bytes(text), most).size;
    conv__buffer_append_text(text, mark);
}

/* Of `budget` tokens at most: key points go first, then the summary's end. Absent where too little
 * would be left. */
static conv_status summary_message(conv__arena *arena, const conv_summary *summary, int64_t budget,
                                   conv_message *message)
{
    conv__buffer text = {0};
    conv__buffer_append_text(&text, "Summary of the conversation so far:\n");
    conv__buffer_append_bytes(&text, summary->text);
    conv_status status = append_points(arena, &text, summary->key_points);
    int64_t tokens = TOKENS_OF_MESSAGE + conv_token_estimate(conv__buffer_bytes(&text));
    bool fits = tokens <= budget;
    if (!fits && budget >= LEAST_SUMMARY) cut(&text, budget - TOKENS_OF_MESSAGE);
    *message = (conv_message){.role = CONV_ROLE_SYSTEM};
    if (status == CONV_OK && text.failed) status = CONV_NO_MEMORY;
    if (status == CONV_OK && (fits || budget >= LEAST_SUMMARY))
        status = conv__arena_copy(arena, conv__buffer_bytes(&text), &message->content);
    conv__buffer_free(&text);
    return status;
}

conv_status conv__context_build(conv__arena *arena, const conv__context *context,
                                conv_message **messages, size_t *count)
{
    size_t most = context->history->count + 1;
    conv_message *made = conv__arena_allocate(arena, most * sizeof *made);
    size_t leading = count_leading(context);
    int64_t budget = context->tokens > 0 ? context->tokens : INT64_MAX;
    size_t used = 0;
    if (made == NULL) return CONV_NO_MEMORY;
    for (size_t i = 0; i < leading; i++) {
        made[used] = *message_at(context, i);
        budget -= conv__message_tokens(&made[used++]);
    }
    if (context->summary != NULL) {
        if (summary_message(arena, context->summary, budget, &made[used]) != CONV_OK)
            return CONV_NO_MEMORY;
        if (made[used].content.data != NULL) budget -= conv__message_tokens(&made[used++]);
    }
    size_t start = first_fitting(context, first_uncovered(context, leading), budget);
    for (size_t i = start; i < context->history->count; i++)
        made[used++] = *message_at(context, i);
    *messages = made;
    *count = used;
    return CONV_OK;
}

int64_t conv__context_tokens(const conv__context *context)
{
    int64_t tokens = 0;
    for (size_t i = first_uncovered(context, count_leading(context)); i < context->history->count;
         i++)
        tokens += conv__message_tokens(message_at(context, i));
    return tokens;
}
