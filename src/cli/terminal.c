/* The terminal and standard error. It must not write to standard output: that is for data. */
#include "cli/terminal.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool capable; /* understands escape sequences, if it is a terminal */
static bool colours;
static bool status_drawn;
static pthread_mutex_t status_mutex = PTHREAD_MUTEX_INITIALIZER;

void cli_terminal_setup(bool no_color)
{
    /* https://no-color.org: set to anything but the empty string. */
    const char *never = getenv("NO_COLOR");
    const char *kind = getenv("TERM");
    capable = kind != NULL && strcmp(kind, "dumb") != 0;
    colours = capable && !no_color && (never == NULL || never[0] == '\0');
}

bool cli_is_terminal(FILE *file)
{
    return isatty(fileno(file)) == 1;
}

size_t cli_terminal_width(FILE *file)
{
    if (!cli_is_terminal(file)) return 0;
    struct winsize size = {0};
    if (ioctl(fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    return 80;
}

const char *cli_style_of(FILE *file, cli_style style)
{
    static const char *const sequences[] = {
        [CLI_STYLE_PLAIN] = "\033[0m",  [CLI_STYLE_BOLD] = "\033[1m", [CLI_STYLE_DIM] = "\033[2m",
        [CLI_STYLE_ERROR] = "\033[31m", [CLI_STYLE_BAR] = "\033[36m",
    };
    return colours && cli_is_terminal(file) ? sequences[style] : "";
}

static void erase(void)
{
    if (status_drawn) fputs("\r\033[K", stderr);
    status_drawn = false;
}

static void print(cli_style style, const char *lead, const char *format, va_list arguments)
{
    pthread_mutex_lock(&status_mutex);
    /* Where both go into one file, a remark must not stand in the middle of a row. */
    fflush(stdout);
    erase();
    fprintf(stderr, "%s%s%s", cli_style_of(stderr, style), lead,
            cli_style_of(stderr, CLI_STYLE_PLAIN));
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    pthread_mutex_unlock(&status_mutex);
}

void cli_note(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print(CLI_STYLE_DIM, "conversation: ", format, arguments);
    va_end(arguments);
}

void cli_complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print(CLI_STYLE_ERROR, "conversation: ", format, arguments);
    va_end(arguments);
}

void cli_hint(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print(CLI_STYLE_BOLD, "hint: ", format, arguments);
    va_end(arguments);
}

void cli_status_draw(const char *line)
{
    if (!capable || !cli_is_terminal(stderr)) return;
    pthread_mutex_lock(&status_mutex);
    fprintf(stderr, "\r%s\033[K", line);
    fflush(stderr);
    status_drawn = true;
    pthread_mutex_unlock(&status_mutex);
}

void cli_status_clear(void)
{
    pthread_mutex_lock(&status_mutex);
    erase();
    fflush(stderr);
    pthread_mutex_unlock(&status_mutex);
}
