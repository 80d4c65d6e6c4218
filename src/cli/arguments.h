/* The words of the command line as a structure. Pure: it neither prints nor opens anything. */
#ifndef CLI_ARGUMENTS_H
#define CLI_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/exit_code.h"

typedef enum cli_option {
    CLI_OPTION_STORE,
    CLI_OPTION_POOLER,
    CLI_OPTION_JOURNAL,
    CLI_OPTION_NO_COLOR,
    CLI_OPTION_HELP,
    CLI_OPTION_VERSION,
    CLI_OPTION_JSON,
    CLI_OPTION_JSONL,
    CLI_OPTION_CSV,
    CLI_OPTION_PROVIDER,
    CLI_OPTION_MODEL,
    CLI_OPTION_BASE_URL,
    CLI_OPTION_SYSTEM,
    CLI_OPTION_SESSION,
    CLI_OPTION_USER,
    CLI_OPTION_TURN_ID,
    CLI_OPTION_NO_STREAM,
    CLI_OPTION_TIMEOUT,
    CLI_OPTION_JOBS,
    CLI_OPTION_OUTPUT,
    CLI_OPTION_LIMIT,
    CLI_OPTION_AFTER,
    CLI_OPTION_BEFORE,
    CLI_OPTION_LAST,
    CLI_OPTION_BY,
    CLI_OPTION_FROM,
    CLI_OPTION_TO,
    CLI_OPTION_SERVICE,
    CLI_OPTION_OPERATION,
    CLI_OPTION_ZONE,
    CLI_OPTION_REBUILD,
    CLI_OPTION_YES,
    CLI_OPTION_ALL,
    CLI_OPTION_REDACT,
    CLI_OPTION_ID,
    CLI_OPTION_MEDIA_TYPE,
    CLI_OPTION_TAG,
    CLI_OPTION_ARCHIVED,
    CLI_OPTION_BRANCH,
    CLI_OPTION_BRANCHES,
    CLI_OPTION_INSTEAD_OF,
    CLI_OPTION_OPENMETRICS,
    CLI_OPTION_DOCUMENT,
    CLI_OPTION_INPUT_TOKENS,
    CLI_OPTION_OUTPUT_TOKENS,
    CLI_OPTION_BYTES,
    CLI_OPTION_COST,
    CLI_OPTION_LATENCY,
    CLI_OPTION_STATUS,
    CLI_OPTION_LOG_ID,
    CLI_OPTION_NOTIFY,
    CLI_OPTION_CHANNEL,
    CLI_OPTION_KIND,
    CLI_OPTION_CONTEXT_TOKENS,
    CLI_OPTION_SUMMARY_TOKENS,
    CLI_OPTION_COUNT
} cli_option;

/* A set of options: bit n is option n. */
#define CLI_OPTION_BIT(option) (UINT64_C(1) << CLI_OPTION_##option)

typedef enum cli_value {
    CLI_VALUE_NONE,   /* a switch */
    CLI_VALUE_TEXT,   /* any text */
    CLI_VALUE_NUMBER, /* a whole number between `least` and `most` */
    CLI_VALUE_CHOICE  /* one of the words of `choices` */
} cli_value;

typedef struct cli_option_row {
    const char *name; /* without the two hyphens */
    cli_value value;
    const char *value_name; /* as the help shows it; of a choice, its words with '|' between */
    int64_t least;          /* of a text 1: it must not be empty */
    int64_t most;
    const char *help;
} cli_option_row;

/* CLI_OPTION_COUNT rows, in the order of cli_option. */
extern const cli_option_row cli_options[];

typedef struct cli_arguments cli_arguments;

typedef struct cli_command {
    const char *name;
    const char *words;  /* as the help shows them, e.g. "SESSION" */
    size_t words_least; /* how many words it takes */
    size_t words_most;
    uint64_t options;    /* beside those that every command takes */
    const char *summary; /* one line */
    const char *details; /* paragraphs for its own help, which wraps them */
    cli_exit (*run)(const cli_arguments *arguments);
} cli_command;

/* The commands; one without a name ends the table. */
extern const cli_command cli_commands[];

/* Options that every command takes. */
#define CLI_OPTIONS_EVERYWHERE                                                                     \
    (CLI_OPTION_BIT(STORE) | CLI_OPTION_BIT(POOLER) | CLI_OPTION_BIT(NO_COLOR) |                   \
     CLI_OPTION_BIT(HELP))

struct cli_arguments {
    const cli_command *command; /* NULL: none was named */
    char **words;               /* what is neither the command nor an option */
    size_t word_count;
    uint64_t given;                      /* the set of options that were given */
    const char *texts[CLI_OPTION_COUNT]; /* NULL: not given */
    int64_t numbers[CLI_OPTION_COUNT];
};

#define CLI_PROBLEM_SIZE 256

/* Reads the command line (`words[0]` is the first word after the program's name). Options may stand
 * anywhere, also before the command, as `--name value` or `--name=value`; after `--` everything is
 * a word. Of an option given twice the last one counts. The array is put in a new order:
 * `arguments` points into it. False if something is wrong; then `problem` says what, in one line.
 */
bool cli_arguments_parse(const cli_command *commands, char **words, size_t count,
                         cli_arguments *arguments, char problem[CLI_PROBLEM_SIZE]);

bool cli_given(const cli_arguments *arguments, cli_option option);

/* The command with this name, or NULL. */
const cli_command *cli_command_find(const cli_command *commands, const char *name);

#endif
