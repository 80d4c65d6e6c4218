/* conversation journal: finds what is to be done with which entry. */
#include "cli/journal.h"

#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/confirm.h"
#include "cli/format.h"
#include "cli/notify.h"
#include "cli/store.h"
#include "cli/terminal.h"
#include "conversation/uuid.h"

void cli_journal_note_damage(const char *path, const char *set_aside)
{
    if (set_aside == NULL) return;
    cli_complain("%s was damaged: what could be read of it was taken over, and the damaged file is "
                 "%s",
                 path, set_aside);
    cli_hint("keep that file; `conversation journal list --journal %s` shows what was rescued",
             path);
}

cli_exit cli_journal_open(const cli_arguments *arguments, conv_journal **journal)
{
    const char *path = arguments->texts[CLI_OPTION_JOURNAL];
    conv_error error = CONV_ERROR_INIT;
    if (conv_journal_open(path, journal, &error) == CONV_OK) {
        cli_journal_note_damage(path, conv_journal_set_aside(*journal));
        return CLI_EXIT_OK;
    }
    cli_exit code =
        cli_report(error.status == CONV_NOT_FOUND ? CLI_PART_INPUT : CLI_PART_OPEN, &error);
    if (error.status == CONV_STATE && error.recovery == CONV_RECOVERY_WAIT)
        cli_hint("that process saves what waits by itself; look again when it has ended");
    if (error.status == CONV_PERMISSION)
        cli_hint(
            "a journal is written to as soon as it is opened: copy it, with its -wal file if it "
            "has one, to a folder that takes writes, and look there");
    return code;
}

static void add_count(char *line, size_t size, int64_t count, const char *one, const char *many)
{
    char text[CLI_FORMAT_SIZE];
    size_t used = strlen(line);
    if (count == 0) return;
    cli_format_count(count, text);
    snprintf(line + used, size - used, "%s%s %s", used == 0 ? "" : ", ", text,
             count == 1 ? one : many);
}

void cli_journal_note(const conv_journal_counts *counts)
{
    char line[512] = "";
    char text[CLI_FORMAT_SIZE];
    add_count(line, sizeof line, counts->exchanges, "exchange waits", "exchanges wait");
    add_count(line, sizeof line, counts->usage, "usage record waits", "usage records wait");
    add_count(line, sizeof line, counts->turns, "turn was interrupted", "turns were interrupted");
    add_count(line, sizeof line, counts->dead, "dead letter", "dead letters");
    if (line[0] == '\0') {
        cli_note("the journal is empty");
        return;
    }
    cli_format_bytes(counts->bytes, text);
    cli_note("%s; %s", line, text);
}

static bool read_entry_id(const char *word, int64_t *entry_id)
{
    char *end = NULL;
    bool digits = word[0] >= '0' && word[0] <= '9';
    long long number = digits ? strtoll(word, &end, 10) : 0;
    if (!digits || *end != '\0' || number < 1 || number == INT64_MAX) {
        cli_complain("journal: an entry is named by its number; `conversation journal list` shows "
                     "them");
        return false;
    }
    *entry_id = number;
    return true;
}

static cli_exit drop(const cli_arguments *arguments, conv_journal *journal, int64_t entry_id)
{
    conv_error error = CONV_ERROR_INIT;
    conv_journal_page *page = NULL;
    if (conv_journal_get(journal, entry_id, &page, &error) != CONV_OK)
        return cli_report(CLI_PART_JOURNAL, &error);
    conv_journal_kind kind = conv_journal_page_entry(page, 0)->kind;
    conv_journal_page_free(page);
    if (!cli_given(arguments, CLI_OPTION_YES)) {
        fprintf(stderr, "drop entry %lld (%s), which is saved nowhere else?", (long long)entry_id,
                conv_journal_kind_name(kind));
        if (!cli_confirmed()) {
            cli_note("nothing was dropped");
            return CLI_EXIT_FAILED;
        }
    }
    if (conv_journal_drop(journal, entry_id, &error) != CONV_OK)
        return cli_report(CLI_PART_JOURNAL, &error);
    cli_note("dropped entry %lld", (long long)entry_id);
    return CLI_EXIT_OK;
}

static cli_exit wrong(const char *problem)
{
    cli_complain("journal: %s", problem);
    cli_hint("`conversation help journal` shows how");
    return CLI_EXIT_USAGE;
}

/* What is wrong about the words and options, or NULL. */
static const char *problem_of(const cli_arguments *arguments, const char *what)
{
    bool takes_entry = strcmp(what, "show") == 0 || strcmp(what, "drop") == 0;
    bool is_retry = strcmp(what, "retry") == 0;
    bool has_entry = arguments->word_count == 2;
    if (!takes_entry && !is_retry && strcmp(what, "list") != 0 && strcmp(what, "export") != 0)
        return "it is list, show, retry, drop or export";
    if (arguments->texts[CLI_OPTION_JOURNAL] == NULL) return "--journal FILE says which one";
    if (takes_entry && !has_entry) return "this wants the number of an entry";
    if (has_entry && !takes_entry && !is_retry) return "this takes no entry";
    if (cli_given(arguments, CLI_OPTION_ALL) && (!is_retry || has_entry))
        return "--all is for retry without an entry";
    if (cli_given(arguments, CLI_OPTION_OUTPUT) && strcmp(what, "export") != 0)
        return "--output is for export";
    if (cli_notify_given(arguments) && !is_retry) return "--notify is for retry";
    if (strcmp(what, "drop") == 0 && !cli_given(arguments, CLI_OPTION_YES) &&
        !cli_is_terminal(stdin))
        return "nobody can be asked here: add --yes";
    return NULL;
}

cli_exit cli_journal(const cli_arguments *arguments)
{
    const char *what = arguments->words[0];
    const char *problem = problem_of(arguments, what);
    int64_t entry_id = 0;
    conv_journal *journal = NULL;
    if (problem != NULL) return wrong(problem);
    if (arguments->word_count == 2 && !read_entry_id(arguments->words[1], &entry_id))
        return CLI_EXIT_USAGE;
    if (strcmp(what, "retry") == 0) return cli_journal_retry(arguments, entry_id);
    cli_exit code = cli_journal_open(arguments, &journal);
    if (code != CLI_EXIT_OK) return code;
    if (strcmp(what, "list") == 0)
        code = cli_journal_list(arguments, journal);
    else if (strcmp(what, "show") == 0)
        code = cli_journal_show(arguments, journal, entry_id);
    else if (strcmp(what, "drop") == 0)
        code = drop(arguments, journal, entry_id);
    else
        code = cli_journal_export(arguments, journal);
    conv_journal_close(journal);
    return code;
}
