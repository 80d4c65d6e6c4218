/* conversation replay: sends recorded conversations through process_message, answered by the
 * recording itself. It must not ask any other provider. */
#include "cli/commands.h"

#include "cli/batch.h"
#include "conversation/turn.h"

static conv_status save(conv_client *client, const cli_batch_turn *recorded, cli_batch_saved *saved,
                        conv_error *error)
{
    conv_turn turn = CONV_TURN_INIT;
    turn.session_id = conv_transcript_id(recorded->transcript);
    turn.user_id = conv_transcript_user(recorded->transcript);
    turn.turn_id = recorded->turn_id;
    turn.title = recorded->title;
    turn.messages = recorded->turn.messages;
    turn.message_count = recorded->turn.request_count;
    turn.model = conv_transcript_model(recorded->transcript);
    turn.provider = recorded->provider;
    turn.context_messages = -1;
    conv_reply *reply = NULL;
    conv_status status = conv_process_message(client, &turn, &reply, error);
    if (status == CONV_OK) {
        saved->repeated = conv_reply_is_repeat(reply);
        saved->journaled = conv_reply_saved(reply) == CONV_SAVED_JOURNALED;
    }
    conv_reply_free(reply);
    return status;
}

cli_exit cli_replay(const cli_arguments *arguments)
{
    static const cli_batch_kind kind = {.done = "replayed", .jobs = 4, .asks = true, .save = save};
    return cli_batch_run(arguments, &kind);
}
