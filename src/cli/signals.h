/* SIGINT and SIGTERM as a flag that loops look at. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <stdbool.h>

#include "conversation/client.h"

/* A command that was told to end does so within this time, with what it had begun. */
enum { CLI_END_MS = 2000 };

/* From now on the first SIGINT or SIGTERM only sets the flag, and a system call that waits returns
 * EINTR; the next one ends the program at once. Call again to clear the flag and start over. */
void cli_signals_catch(void);

/* From now on either signal ends the program at once, until they are caught again: for a wait that
 * nothing can cut short, where nothing is left to be done. One that was caught before stays so. */
void cli_signals_end_at_once(void);

/* For a command that reads standard input on another's behalf, who repeats an interrupted read: the
 * signal also ends the input, so that a wait for it is over. */
void cli_signals_end_input(void);

/* A signal that is caught also hurries this client (NULL: none); SIGINT only where it ends the
 * program (`interrupt`). */
void cli_signals_hurry(conv_client *client, bool interrupt);

/* The signal that came, or 0. */
int cli_signals_caught(void);

/* Keeps both signals from the threads that the caller starts until cli_signals_admit, so that they
 * reach the main thread. */
void cli_signals_hold(void);
void cli_signals_admit(void);

/* While they are held: waits until standard input can be read, or one of them comes (false), which
 * none can unseen. */
bool cli_signals_await_input(void);

#endif
