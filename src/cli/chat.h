/* A conversation at the terminal or for a pipe. */
#ifndef CLI_CHAT_H
#define CLI_CHAT_H

#include <stdbool.h>

#include "cli/arguments.h"
#include "conversation/client.h"
#include "conversation/provider.h"
#include "conversation/turn.h"
#include "conversation/uuid.h"

typedef struct cli_chat_state {
    const cli_arguments *arguments;
    conv_client *client;
    conv_provider *provider;
    const char *session_id;
    char own_id[CONV_UUID_TEXT_SIZE];  /* of a new session */
    char turn_id[CONV_UUID_TEXT_SIZE]; /* of the turn under way, unless --turn-id names it */
    conv_uuid instead_of;              /* what the turn takes the place of; nil: nothing */
    const conv_message *question;      /* a stored one that is asked again; NULL: none */
    bool json;
    bool interactive;
    bool begun; /* a turn was sent: the system message goes with the first one only */
} cli_chat_state;

/* Sends one message (absent: none but the stored question) and prints the reply. SIGINT ends the
 * reply; what came is saved. */
cli_exit cli_chat_turn(cli_chat_state *chat, conv_bytes message);

/* Prints what a turn left: for people the reply where it was not streamed, and a line about it on
 * standard error. `streamed`: the reply's text has been printed already. */
void cli_chat_print(const cli_chat_state *chat, const conv_reply *reply, bool streamed);

/* Asks the question again that --instead-of names, or for another answer where it names an answer.
 */
cli_exit cli_chat_again(cli_chat_state *chat);

/* Says that --instead-of names nothing of the session. */
cli_exit cli_chat_no_such_message(void);

/* Reads messages from the terminal until Ctrl-D. */
cli_exit cli_chat_loop(cli_chat_state *chat);

#endif
