/* What the program answers to the shell. It must not print. */
#ifndef CLI_EXIT_CODE_H
#define CLI_EXIT_CODE_H

#include "conversation/status.h"

/* One line for each code: name, number, meaning as --help and the documentation give it. */
#define CLI_EXIT_MAP(X)                                                                            \
    X(OK, 0, "done")                                                                               \
    X(FAILED, 1, "failed, wholly or in part; standard error says what")                            \
    X(USAGE, 2, "the command line is wrong; nothing was done")                                     \
    X(NO_CONNECTION, 3,                                                                            \
      "the store or the journal can't be opened, or the store stopped answering")                  \
    X(NOT_FOUND, 4, "what was named does not exist: a session, a file, an entry")                  \
    X(PROVIDER, 5, "the provider gave no answer, an error or a part of the answer")                \
    X(INTERRUPTED, 130, "stopped by Ctrl-C (SIGINT)")                                              \
    X(TERMINATED, 143, "stopped by SIGTERM")

typedef enum cli_exit {
#define CLI_EXIT_ENUM(name, number, meaning) CLI_EXIT_##name = number,
    CLI_EXIT_MAP(CLI_EXIT_ENUM)
#undef CLI_EXIT_ENUM
} cli_exit;

/* What a failing call was about: the same status means different things to whom it comes from. */
typedef enum cli_part {
    CLI_PART_OPEN,     /* opening the store */
    CLI_PART_STORE,    /* a question to the store, or saving */
    CLI_PART_JOURNAL,  /* a question to the journal, or bringing it to the store */
    CLI_PART_PROVIDER, /* asking the provider */
    CLI_PART_INPUT     /* a file or a setting that the command line names */
} cli_part;

/* The code for a failure; CLI_EXIT_OK for CONV_OK. */
cli_exit cli_exit_of(cli_part part, conv_status status);

/* The code for a signal that stopped the program. */
cli_exit cli_exit_of_signal(int signal_number);

#endif
