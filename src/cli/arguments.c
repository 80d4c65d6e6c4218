/* Reading the command line by the tables of options and commands. It must not print. */
#include "cli/arguments.h"

#include <stdio.h>
#include <string.h>

#include "cli/spelling.h"

typedef struct parser {
    const cli_command *commands;
    char **words;
    size_t count;
    size_t next;
    cli_arguments *arguments;
    char *problem;
} parser;

bool cli_given(const cli_arguments *arguments, cli_option option)
{
    return (arguments->given & (UINT64_C(1) << option)) != 0;
}

const cli_command *cli_command_find(const cli_command *commands, const char *name)
{
    for (const cli_command *command = commands; command->name != NULL; command++)
        if (strcmp(command->name, name) == 0) return command;
    return NULL;
}

/* What the user wrote may hold anything: only a short, harmless form of it is repeated. */
static void quote(const char *text, size_t size, char out[64])
{
    size_t used = 0;
    for (size_t i = 0; i < size && used < 48; i++) {
        unsigned char byte = (unsigned char)text[i];
        out[used++] = byte < 0x20 || byte == 0x7f ? '?' : text[i];
    }
    /* A character that was cut in two is left out whole. */
    if (used == 48)
        while (used > 0 && ((unsigned char)out[used - 1] & 0x80) != 0)
            used--;
    out[used] = '\0';
}

static bool unknown_option(parser *self, const char *name, size_t size)
{
    char shown[64];
    quote(name, size, shown);
    cli_spelling spelling = cli_spelling_begin(shown);
    for (size_t i = 0; i < CLI_OPTION_COUNT; i++)
        cli_spelling_try(&spelling, cli_options[i].name);
    int used = snprintf(self->problem, CLI_PROBLEM_SIZE, "unknown option --%s", shown);
    if (spelling.best != NULL)
        snprintf(self->problem + used, CLI_PROBLEM_SIZE - (size_t)used, "; did you mean --%s?",
                 spelling.best);
    return false;
}

static bool unknown_command(parser *self, const char *name)
{
    char shown[64];
    quote(name, strlen(name), shown);
    cli_spelling spelling = cli_spelling_begin(shown);
    for (const cli_command *command = self->commands; command->name != NULL; command++)
        cli_spelling_try(&spelling, command->name);
    int used = snprintf(self->problem, CLI_PROBLEM_SIZE, "unknown command '%s'", shown);
    if (spelling.best != NULL)
        snprintf(self->problem + used, CLI_PROBLEM_SIZE - (size_t)used, "; did you mean '%s'?",
                 spelling.best);
    return false;
}

/* A whole number in plain digits; no sign, no blanks, no locale. */
static bool read_number(const char *text, int64_t *number)
{
    if (*text == '\0') return false;
    int64_t value = 0;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') return false;
        if (__builtin_mul_overflow(value, 10, &value)) return false;
        if (__builtin_add_overflow(value, *text - '0', &value)) return false;
    }
    *number = value;
    return true;
}

static bool is_choice(const char *choices, const char *text)
{
    size_t size = strlen(text);
    for (const char *word = choices; word != NULL;) {
        const char *end = strchr(word, '|');
        size_t word_size = end == NULL ? strlen(word) : (size_t)(end - word);
        if (word_size == size && memcmp(word, text, size) == 0) return true;
        word = end == NULL ? NULL : end + 1;
    }
    return false;
}

static bool wrong_number(parser *self, const cli_option_row *row)
{
    int used = snprintf(self->problem, CLI_PROBLEM_SIZE, "--%s wants a whole number, at least %lld",
                        row->name, (long long)row->least);
    /* Of the largest numbers nobody needs to be told. */
    if (row->most < INT64_C(1000000000))
        snprintf(self->problem + used, CLI_PROBLEM_SIZE - (size_t)used, " and at most %lld",
                 (long long)row->most);
    return false;
}

static bool take_value(parser *self, size_t option, const char *text)
{
    const cli_option_row *row = &cli_options[option];
    if (row->value == CLI_VALUE_NUMBER) {
        int64_t number = 0;
        if (!read_number(text, &number) || number < row->least || number > row->most)
            return wrong_number(self, row);
        self->arguments->numbers[option] = number;
    }
    if (row->value == CLI_VALUE_CHOICE && !is_choice(row->value_name, text)) {
        snprintf(self->problem, CLI_PROBLEM_SIZE, "--%s wants one of %s", row->name,
                 row->value_name);
        return false;
    }
    /* No text at all is an unset variable of a script, not an id. */
    if (row->value == CLI_VALUE_TEXT && row->least > 0 && text[0] == '\0') {
        snprintf(self->problem, CLI_PROBLEM_SIZE, "--%s is empty", row->name);
        return false;
    }
    self->arguments->texts[option] = text;
    return true;
}

static bool take_option(parser *self, const char *word)
{
    const char *name = word + 2;
    const char *equals = strchr(name, '=');
    size_t size = equals == NULL ? strlen(name) : (size_t)(equals - name);
    size_t option = 0;
    while (option < CLI_OPTION_COUNT && (strlen(cli_options[option].name) != size ||
                                         memcmp(cli_options[option].name, name, size) != 0))
        option++;
    if (option == CLI_OPTION_COUNT) return unknown_option(self, name, size);

    self->arguments->given |= UINT64_C(1) << option;
    const cli_option_row *row = &cli_options[option];
    if (row->value == CLI_VALUE_NONE) {
        if (equals == NULL) return true;
        snprintf(self->problem, CLI_PROBLEM_SIZE, "--%s takes no value", row->name);
        return false;
    }
    if (equals != NULL) return take_value(self, option, equals + 1);
    if (self->next == self->count) {
        snprintf(self->problem, CLI_PROBLEM_SIZE, "--%s wants a value: --%s %s", row->name,
                 row->name, row->value_name);
        return false;
    }
    return take_value(self, option, self->words[self->next++]);
}

/* Whether the command takes what was given. */
static bool check(parser *self)
{
    const cli_arguments *arguments = self->arguments;
    const cli_command *command = arguments->command;
    uint64_t allowed = command->options | CLI_OPTIONS_EVERYWHERE;
    for (size_t option = 0; option < CLI_OPTION_COUNT; option++) {
        if (!cli_given(arguments, (cli_option)option)) continue;
        if ((allowed & (UINT64_C(1) << option)) != 0) continue;
        snprintf(self->problem, CLI_PROBLEM_SIZE, "%s takes no option --%s", command->name,
                 cli_options[option].name);
        return false;
    }
    if (cli_given(arguments, CLI_OPTION_HELP)) return true;
    if (arguments->word_count < command->words_least) {
        snprintf(self->problem, CLI_PROBLEM_SIZE, "%s wants %s", command->name, command->words);
        return false;
    }
    if (arguments->word_count > command->words_most) {
        char shown[64];
        const char *word = arguments->words[command->words_most];
        quote(word, strlen(word), shown);
        snprintf(self->problem, CLI_PROBLEM_SIZE, "%s: '%s' is one word too many", command->name,
                 shown);
        return false;
    }
    return true;
}

bool cli_arguments_parse(const cli_command *commands, char **words, size_t count,
                         cli_arguments *arguments, char problem[CLI_PROBLEM_SIZE])
{
    *arguments = (cli_arguments){.words = words};
    parser self = {commands, words, count, 0, arguments, problem};
    bool only_words = false;
    while (self.next < count) {
        char *word = words[self.next++];
        if (!only_words && strcmp(word, "--") == 0) {
            only_words = true;
        } else if (!only_words && strcmp(word, "-h") == 0) {
            arguments->given |= CLI_OPTION_BIT(HELP);
        } else if (!only_words && strncmp(word, "--", 2) == 0) {
            if (!take_option(&self, word)) return false;
        } else if (!only_words && word[0] == '-' && word[1] != '\0') {
            char shown[64];
            quote(word, strlen(word), shown);
            snprintf(problem, CLI_PROBLEM_SIZE, "unknown option %s", shown);
            return false;
        } else if (arguments->command == NULL) {
            arguments->command = cli_command_find(commands, word);
            if (arguments->command == NULL) return unknown_command(&self, word);
        } else {
            words[arguments->word_count++] = word;
        }
    }
    return arguments->command == NULL || check(&self);
}
