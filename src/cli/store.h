/* Opening the store that a command works on, and reporting what it answers. */
#ifndef CLI_STORE_H
#define CLI_STORE_H

#include "cli/arguments.h"
#include "cli/exit_code.h"
#include "conversation/client.h"

typedef enum cli_store_use {
    CLI_STORE_READ,   /* a missing SQLite file is an error, not an empty store */
    CLI_STORE_WRITE,  /* a new SQLite file is made */
    CLI_STORE_LOOK,   /* as for writing; what waits in the journal stays there */
    CLI_STORE_MIGRATE /* the schema is not looked at */
} cli_store_use;

/* Who named the store: "--store" or a variable of the environment; NULL: nobody did. */
const char *cli_store_namer(const cli_arguments *arguments);

/* Whether what was named is an SQLite file. */
bool cli_store_is_sqlite(const cli_arguments *arguments);

/* Whether it is an SQLite file that is not there, and that the first program that saves makes. */
bool cli_store_is_to_be_made(const cli_arguments *arguments);

/* Opens the store of --store or of the environment, for writing with the journal of --journal, for
 * `connections` callers at a time. After a failure, which is reported, `client` is NULL. With a
 * journal the first SIGINT or SIGTERM from then on is only noted (cli/signals.h), so that the
 * journal is drained and closed. */
cli_exit cli_store_open(const cli_arguments *arguments, cli_store_use use, int connections,
                        conv_client **client);

/* The same for who tells the failure in a form of its own, too: `error` receives it. `provider` is
 * the client's; NULL: none. */
cli_exit cli_store_open_why(const cli_arguments *arguments, cli_store_use use, int connections,
                            conv_provider *provider, conv_client **client, conv_error *error);

/* Whether it was the journal that could not be opened, and not the store. */
bool cli_is_of_journal(const conv_error *error);

/* Opens a store for writing that must be there: a missing SQLite file is an error and is not made.
 * `provider` likewise. */
cli_exit cli_store_open_existing(const cli_arguments *arguments, conv_provider *provider,
                                 conv_client **client);

/* Opens a store with the journal for looking at how it is, which makes neither a store nor its
 * schema, and saves nothing of what waits in the journal. With a journal it opens also while the
 * server is away; `away` then receives the exit code of that, else CLI_EXIT_OK. What was reported
 * is in `errors`: of the store, and of opening it for writing. */
cli_exit cli_store_open_to_look(const cli_arguments *arguments, conv_provider *provider,
                                conv_client **client, cli_exit *away, conv_error errors[2]);

/* Closes the store; a failure is reported and changes an exit code of 0. */
cli_exit cli_store_close(conv_client *client, cli_exit code);

/* The same for a command that saves: what could not be saved now waits in the journal, which is
 * said and changes nothing. */
cli_exit cli_store_drain(const cli_arguments *arguments, conv_client *client, cli_exit code);

/* Says on standard error what failed and what can be done; gives the exit code. */
cli_exit cli_report(cli_part part, const conv_error *error);

#endif
