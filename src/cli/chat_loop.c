/* The loop at the terminal: a prompt, a message, a reply. The prompt goes to standard error, so
 * that standard output holds nothing but replies. */
#include "cli/chat.h"

#include <signal.h>
#include <stdlib.h>

#include "cli/signals.h"
#include "cli/terminal.h"

static void prompt(void)
{
    fprintf(stderr, "%s> %s", cli_style_of(stderr, CLI_STYLE_BOLD),
            cli_style_of(stderr, CLI_STYLE_PLAIN));
    fflush(stderr);
}

cli_exit cli_chat_loop(cli_chat_state *chat)
{
    char *line = NULL;
    size_t capacity = 0;
    cli_exit code = CLI_EXIT_OK;
    cli_note("session %s", chat->session_id);
    cli_note("Ctrl-C interrupts a reply, Ctrl-D ends");
    cli_signals_hurry(chat->client, false);
    for (;;) {
        /* A signal right behind the prompt would else be noted and the read go on. */
        cli_signals_hold();
        cli_signals_catch();
        prompt();
        bool has_input = cli_signals_await_input();
        cli_signals_admit();
        ssize_t size = has_input ? getline(&line, &capacity, stdin) : -1;
        if (cli_signals_caught() == SIGTERM) {
            code = CLI_EXIT_TERMINATED;
            break;
        }
        if (size < 0) {
            fputc('\n', stderr);
            if (cli_signals_caught() == 0) break;
            clearerr(stdin);
            continue;
        }
        if (size > 0 && line[size - 1] == '\n') size--;
        if (size == 0) continue;
        /* A turn that failed was reported; the next one may succeed. */
        if (cli_chat_turn(chat, conv_view(line, (size_t)size)) == CLI_EXIT_TERMINATED) {
            code = CLI_EXIT_TERMINATED;
            break;
        }
    }
    free(line);
    return code;
}
