/* conversation events: follows what other processes tell, until it is told to end. */
#include "cli/commands.h"

#include <string.h>
#include <time.h>

#include "cli/event_print.h"
#include "cli/notify.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "cli/spelling.h"
#include "cli/store.h"
#include "cli/terminal.h"
#include "conversation/events.h"

/* A signal is seen within this time. */
#define SLICE_MS 200

typedef struct follower {
    const cli_arguments *arguments;
    conv_event_listener *listener; /* NULL: the connection is lost, and the end has come */
    uint64_t kinds;
    bool lines; /* of JSON */
    int64_t left;
} follower;

static bool is_named(conv_event_kind kind, const char *word, size_t size)
{
    const char *name = conv_event_kind_name(kind);
    if (size > 2 && memcmp(word + size - 2, ".*", 2) == 0)
        return strncmp(name, word, size - 1) == 0;
    return strlen(name) == size && memcmp(name, word, size) == 0;
}

static void complain_of_kind(const char *word, size_t size)
{
    char text[CONV_EVENT_NAME_SIZE];
    snprintf(text, sizeof text, "%.*s", (int)size, word);
    cli_spelling spelling = cli_spelling_begin(text);
    for (int kind = 0; kind < CONV_EVENT_KINDS; kind++)
        cli_spelling_try(&spelling, conv_event_kind_name((conv_event_kind)kind));
    if (spelling.best != NULL)
        cli_complain("events: --kind names no event; did you mean '%s'?", spelling.best);
    else
        cli_complain("events: --kind names no event");
    cli_hint("it wants names or groups with commas between, e.g. exchange.saved,session.*");
}

/* "exchange.saved,session.*" as a set; 0, with a complaint, where a part of it is none. */
static uint64_t read_kinds(const char *text)
{
    uint64_t kinds = 0;
    for (const char *word = text; word != NULL;) {
        size_t size = strcspn(word, ",");
        uint64_t before = kinds;
        for (int kind = 0; kind < CONV_EVENT_KINDS; kind++)
            if (is_named((conv_event_kind)kind, word, size)) kinds |= CONV_EVENT_SET(kind);
        if (kinds == before) {
            complain_of_kind(word, size);
            return 0;
        }
        word = word[size] == ',' ? word + size + 1 : NULL;
    }
    return kinds;
}

static conv_status listen_again(follower *self, conv_error *error)
{
    return conv_event_listener_open(self->arguments->texts[CLI_OPTION_STORE],
                                    self->arguments->texts[CLI_OPTION_CHANNEL], &self->listener,
                                    error);
}

/* The connection is lost: tries once a second until it is there again, or a signal came. Connecting
 * may wait for a server that says nothing, so that a signal meanwhile ends the program at once. */
static void reconnect(follower *self, const conv_error *lost)
{
    const struct timespec second = {1, 0};
    conv_error error = CONV_ERROR_INIT;
    conv_event_listener_close(self->listener);
    self->listener = NULL;
    cli_complain("%s: %s", lost->action, lost->message);
    cli_note("connecting again; what is told until then is missed");
    cli_signals_end_at_once();
    if (cli_signals_caught() != 0) return;
    while (listen_again(self, &error) != CONV_OK)
        nanosleep(&second, NULL);
    cli_signals_catch();
    cli_note("listening again; events may have been missed");
}

/* False: nobody reads them any more. */
static bool show(follower *self, const char *text)
{
    if (cli_event_print(text, self->kinds, self->lines)) self->left--;
    return fflush(stdout) == 0;
}

static cli_exit follow(follower *self)
{
    while (cli_signals_caught() == 0 && self->left > 0) {
        const char *text = NULL;
        conv_error error = CONV_ERROR_INIT;
        conv_status status = conv_event_listener_next(self->listener, SLICE_MS, &text, &error);
        if (status == CONV_NO_MEMORY) return cli_report(CLI_PART_STORE, &error);
        if (status == CONV_OK && !show(self, text)) return CLI_EXIT_FAILED;
        if (status != CONV_OK && status != CONV_TIMEOUT) reconnect(self, &error);
    }
    return self->left > 0 ? cli_exit_of_signal(cli_signals_caught()) : CLI_EXIT_OK;
}

static cli_exit check(const cli_arguments *arguments, follower *self)
{
    cli_form form;
    const char *kinds = arguments->texts[CLI_OPTION_KIND];
    bool limited = cli_given(arguments, CLI_OPTION_LIMIT);
    if (!cli_form_of(arguments, &form)) return CLI_EXIT_USAGE;
    *self = (follower){.arguments = arguments,
                       .kinds = kinds != NULL ? read_kinds(kinds) : UINT64_MAX,
                       .lines = form != CLI_FORM_PEOPLE,
                       .left = limited ? arguments->numbers[CLI_OPTION_LIMIT] : INT64_MAX};
    if (self->kinds == 0) return CLI_EXIT_USAGE;
    return cli_notify_check_store(
        arguments, "a program hears its own events with conv_event_subscribe; `conversation "
                   "sessions` shows what changed last");
}

cli_exit cli_events(const cli_arguments *arguments)
{
    follower self;
    conv_error error = CONV_ERROR_INIT;
    cli_exit code = check(arguments, &self);
    if (code != CLI_EXIT_OK) return code;
    cli_signals_end_at_once();
    if (listen_again(&self, &error) != CONV_OK) return cli_report(CLI_PART_OPEN, &error);
    cli_signals_catch();
    cli_note("listening; Ctrl-C ends");
    code = follow(&self);
    conv_event_listener_close(self.listener);
    return code;
}
