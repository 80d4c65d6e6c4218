/* conversation chat: where the message comes from and who answers. It must not print the reply. */
#include "cli/chat.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/provider.h"
#include "cli/signals.h"
#include "cli/store.h"
#include "cli/terminal.h"
#include "conversation/summary.h"

/* All of standard input, without the line break at its end. NULL after a failure. */
static char *read_input(size_t *size)
{
    char *text = NULL;
    size_t used = 0;
    FILE *file = open_memstream(&text, &used);
    if (file == NULL) return NULL;
    char block[65536];
    for (size_t got; (got = fread(block, 1, sizeof block, stdin)) > 0;)
        fwrite(block, 1, got, file);
    bool failed = ferror(stdin) != 0 || ferror(file) != 0;
    if (fclose(file) != 0 || failed) {
        free(text);
        return NULL;
    }
    *size = used > 0 && text[used - 1] == '\n' ? used - 1 : used;
    return text;
}

/* The words of the command line with blanks between. NULL when out of memory. */
static char *join_words(const cli_arguments *arguments, size_t *size)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, size);
    if (file == NULL) return NULL;
    for (size_t i = 0; i < arguments->word_count; i++)
        fprintf(file, i == 0 ? "%s" : " %s", arguments->words[i]);
    bool failed = ferror(file) != 0;
    if (fclose(file) == 0 && !failed) return text;
    free(text);
    return NULL;
}

static cli_exit one_turn(cli_chat_state *chat)
{
    bool given = chat->arguments->word_count > 0;
    bool replaces = !conv_uuid_is_nil(chat->instead_of);
    size_t size = 0;
    if (replaces && !given && cli_is_terminal(stdin)) return cli_chat_again(chat);
    char *text = given ? join_words(chat->arguments, &size) : read_input(&size);
    if (text == NULL) {
        cli_complain(given ? "read message: out of memory" : "read message: standard input broke");
        return CLI_EXIT_FAILED;
    }
    cli_exit code = replaces && !given && size == 0 ? cli_chat_again(chat)
                                                    : cli_chat_turn(chat, conv_view(text, size));
    free(text);
    return code;
}

/* What a turn asked for would be given up when the client closes, and every run begin it anew. A
 * signal that was caught before ends this as well. */
static void await_summaries(const cli_chat_state *chat)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    conv_summary_counts counts = {.waiting = 0};
    conv_error error = CONV_ERROR_INIT;
    cli_status_draw("waiting for the summary");
    while (conv_summary_count(chat->client, &counts, &error) == CONV_OK && counts.waiting > 0 &&
           cli_signals_caught() == 0)
        nanosleep(&pause, NULL);
    cli_status_clear();
    if (counts.waiting + counts.failed > 0)
        cli_note("a summary of the session was not made; a later turn asks for it again");
}

static cli_exit talk(cli_chat_state *chat)
{
    chat->session_id = chat->arguments->texts[CLI_OPTION_SESSION];
    /* A new session is named here, so that a first turn that fails leaves no second session. With a
     * turn id the library derives it: the repeat must find the same one. */
    if (chat->session_id == NULL && chat->arguments->texts[CLI_OPTION_TURN_ID] == NULL) {
        conv_uuid_format(conv_uuid_v7(), chat->own_id);
        chat->session_id = chat->own_id;
    }
    /* A reader that goes away interrupts the turn; it must not end the program before it is saved.
     */
    signal(SIGPIPE, SIG_IGN);
    cli_exit code = chat->interactive ? cli_chat_loop(chat) : one_turn(chat);
    if (cli_given(chat->arguments, CLI_OPTION_SUMMARY_TOKENS) && code == CLI_EXIT_OK)
        await_summaries(chat);
    return code;
}

cli_exit cli_chat(const cli_arguments *arguments)
{
    const char *instead_of = arguments->texts[CLI_OPTION_INSTEAD_OF];
    bool interactive = arguments->word_count == 0 && instead_of == NULL && cli_is_terminal(stdin);
    if (interactive &&
        (cli_given(arguments, CLI_OPTION_TURN_ID) || cli_given(arguments, CLI_OPTION_JSON))) {
        cli_complain("chat: --turn-id and --json are for one message: name it, or pipe it in");
        return CLI_EXIT_USAGE;
    }
    cli_chat_state chat = {.arguments = arguments,
                           .json = cli_given(arguments, CLI_OPTION_JSON),
                           .interactive = interactive};
    if (instead_of != NULL && (!cli_given(arguments, CLI_OPTION_SESSION) ||
                               !conv_uuid_parse(conv_text(instead_of), &chat.instead_of))) {
        cli_complain("chat: --instead-of wants the id of a message, and --session its session");
        return CLI_EXIT_USAGE;
    }
    cli_exit code = cli_provider_open(arguments, &chat.provider);
    if (code != CLI_EXIT_OK) return code;
    conv_error error = CONV_ERROR_INIT;
    code = cli_store_open_why(arguments, CLI_STORE_WRITE, 1, chat.provider, &chat.client, &error);
    if (code == CLI_EXIT_OK) code = cli_store_drain(arguments, chat.client, talk(&chat));
    conv_provider_free(chat.provider);
    return code;
}
