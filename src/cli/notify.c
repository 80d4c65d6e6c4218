/* Telling events over PostgreSQL's NOTIFY. */
#include "cli/notify.h"

#include "cli/store.h"
#include "cli/terminal.h"
#include "conversation/events.h"

/* Each is a commit of its own: more than these could not be told in the time that closing has. */
#define QUEUE_EVENTS 64

bool cli_notify_given(const cli_arguments *arguments)
{
    return cli_given(arguments, CLI_OPTION_NOTIFY) || cli_given(arguments, CLI_OPTION_CHANNEL);
}

cli_exit cli_notify_check_store(const cli_arguments *arguments, const char *instead)
{
    const char *command = arguments->command->name;
    if (cli_given(arguments, CLI_OPTION_POOLER)) {
        cli_complain("%s: nobody can listen through a pooler: connect to the server itself",
                     command);
    } else if (cli_store_is_sqlite(arguments)) {
        cli_complain("%s: the store is SQLite, and only PostgreSQL tells other processes", command);
        cli_hint("%s", instead);
    } else {
        return CLI_EXIT_OK;
    }
    return CLI_EXIT_USAGE;
}

cli_exit cli_notify_check(const cli_arguments *arguments)
{
    if (!cli_notify_given(arguments)) return CLI_EXIT_OK;
    if (cli_given(arguments, CLI_OPTION_NOTIFY))
        return cli_notify_check_store(arguments, "without --notify the command does the same");
    cli_complain("%s: --channel goes with --notify", arguments->command->name);
    return CLI_EXIT_USAGE;
}

conv_status cli_notify_begin(const cli_arguments *arguments, conv_client *client, conv_error *error)
{
    uint64_t subscription = 0;
    conv_event_notify notify = CONV_EVENT_NOTIFY_INIT;
    if (!cli_given(arguments, CLI_OPTION_NOTIFY)) return CONV_OK;
    notify.channel = arguments->texts[CLI_OPTION_CHANNEL];
    notify.delivery = CONV_DELIVERY_WAIT;
    notify.queue_events = QUEUE_EVENTS;
    return conv_event_subscribe_notify(client, &notify, &subscription, error);
}
