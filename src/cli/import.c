/* conversation import: saves conversations that took place elsewhere. It must not ask a provider.
 */
#include "cli/commands.h"

#include <stdlib.h>
#include <string.h>

#include "cli/batch.h"
#include "conversation/turn.h"

/* The messages as they are, but each answer with the model that the file names for all. On the
 * heap. */
static conv_message *with_model(const conv_transcript *transcript, const conv_transcript_turn *turn)
{
    size_t count = turn->request_count + turn->reply_count;
    conv_message *messages = malloc((count + 1) * sizeof *messages);
    if (messages == NULL) return NULL;
    memcpy(messages, turn->messages, count * sizeof *messages);
    for (size_t i = 0; i < count; i++)
        if (messages[i].role == CONV_ROLE_ASSISTANT && messages[i].model.data == NULL)
            messages[i].model = conv_text(conv_transcript_model(transcript));
    return messages;
}

static bool make_exchange(const cli_batch_turn *recorded, conv_exchange *exchange)
{
    conv_message *messages = with_model(recorded->transcript, &recorded->turn);
    if (messages == NULL) return false;
    *exchange = (conv_exchange)CONV_EXCHANGE_INIT;
    exchange->session_id = conv_transcript_id(recorded->transcript);
    exchange->user_id = conv_transcript_user(recorded->transcript);
    exchange->turn_id = recorded->turn_id;
    exchange->title = recorded->title;
    exchange->messages = messages;
    exchange->message_count = recorded->turn.request_count + recorded->turn.reply_count;
    exchange->request_count = recorded->turn.request_count;
    exchange->usage = recorded->turn.usage;
    if (exchange->usage.model.data == NULL)
        exchange->usage.model = conv_text(conv_transcript_model(recorded->transcript));
    if (exchange->message_count > 0) exchange->created_us = messages[0].created_us;
    return true;
}

cli_exit cli_import(const cli_arguments *arguments)
{
    static const cli_batch_kind kind = {.done = "imported", .jobs = 64, .exchange = make_exchange};
    return cli_batch_run(arguments, &kind);
}
