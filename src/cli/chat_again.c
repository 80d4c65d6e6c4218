/* chat --instead-of without a message: the question is asked again as it is stored, or gets another
 * answer. It must not print the reply. */
#include "cli/chat.h"

#include "cli/store.h"
#include "cli/terminal.h"
#include "conversation/history.h"

cli_exit cli_chat_no_such_message(void)
{
    cli_complain("chat: --instead-of: the session has no message with this id");
    cli_hint("`conversation history --json SESSION` shows the ids");
    return CLI_EXIT_NOT_FOUND;
}

cli_exit cli_chat_again(cli_chat_state *chat)
{
    conv_history *history = NULL;
    conv_error error = CONV_ERROR_INIT;
    conv_status status =
        conv_history_message_by_id(chat->client, chat->instead_of, &history, &error);
    if (status == CONV_NOT_FOUND) return cli_chat_no_such_message();
    if (status != CONV_OK) return cli_report(CLI_PART_STORE, &error);
    const conv_message *named = conv_history_message(history, 0);
    const conv_message question = {.role = named->role,
                                   .content = named->content,
                                   .parts = named->parts,
                                   .tool_calls = named->tool_calls,
                                   .tool_call_id = named->tool_call_id,
                                   .name = named->name,
                                   .metadata = named->metadata};
    /* The question before an answer is there already. */
    if (named->role != CONV_ROLE_ASSISTANT) chat->question = &question;
    cli_exit code = cli_chat_turn(chat, conv_text(NULL));
    chat->question = NULL;
    conv_history_free(history);
    return code;
}
