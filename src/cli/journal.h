/* The parts of `conversation journal`. */
#ifndef CLI_JOURNAL_H
#define CLI_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/arguments.h"
#include "conversation/client.h"
#include "conversation/journal.h"

/* Opens the file that --journal names; a failure is reported. */
/* Says that a damaged file was set aside; nothing when `set_aside` is NULL. */
void cli_journal_note_damage(const char *path, const char *set_aside);

cli_exit cli_journal_open(const cli_arguments *arguments, conv_journal **journal);

/* Each works on an open journal, and reports what fails. */
cli_exit cli_journal_list(const cli_arguments *arguments, conv_journal *journal);
cli_exit cli_journal_show(const cli_arguments *arguments, conv_journal *journal, int64_t entry_id);
cli_exit cli_journal_export(const cli_arguments *arguments, conv_journal *journal);

/* `entry_id` 0: none. */
cli_exit cli_journal_retry(const cli_arguments *arguments, int64_t entry_id);

/* Until nothing waits in the client's journal, nothing has got through for ten seconds, or a signal
 * came; gives how many entries still wait, or what counting says. */
conv_status cli_journal_await(conv_client *client, int64_t *waiting, conv_error *error);

/* "2 exchanges and 1 usage record wait for the store, 1 turn was interrupted …" as a note. */
void cli_journal_note(const conv_journal_counts *counts);

#endif
