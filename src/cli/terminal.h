/* What the program knows about its terminal, and its lines on standard error. */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "conversation/status.h"

/* To be called once, before the others: whether --no-color was given. */
void cli_terminal_setup(bool no_color);

bool cli_is_terminal(FILE *file);

/* Columns of the terminal behind `file`, 0 where there is none. */
size_t cli_terminal_width(FILE *file);

/* Escape sequences where `file` is a terminal that may show colours, else "". */
typedef enum cli_style {
    CLI_STYLE_PLAIN,
    CLI_STYLE_BOLD,
    CLI_STYLE_DIM,
    CLI_STYLE_ERROR,
    CLI_STYLE_BAR
} cli_style;
const char *cli_style_of(FILE *file, cli_style style);

/* Prints "conversation: …" and a line break on standard error. A status line is taken away before.
 * May be called on any thread. */
void cli_note(const char *format, ...) CONV_PRINTF(1, 2);

/* Prints "conversation: …" for something that went wrong: "conversation: " in red where possible.
 */
void cli_complain(const char *format, ...) CONV_PRINTF(1, 2);

/* Prints a second line of advice: "hint: …". */
void cli_hint(const char *format, ...) CONV_PRINTF(1, 2);

/* Draws a line on standard error that the next one replaces, and takes it away; nothing where that
 * is not a terminal. */
void cli_status_draw(const char *line);
void cli_status_clear(void);

#endif
