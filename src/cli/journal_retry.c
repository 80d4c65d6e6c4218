/* conversation journal retry: marks entries, and lets a client drain the journal. */
#include "cli/journal.h"

#include <time.h>

#include "cli/output.h"
#include "cli/signals.h"
#include "cli/store.h"
#include "cli/terminal.h"
#include "conversation/client.h"

#define PATIENCE_MS 10000 /* without any progress */
#define TICK_MS     50
#define CLOSE_MS    1000

static int64_t now_ms(void)
{
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    return (int64_t)moment.tv_sec * 1000 + moment.tv_nsec / 1000000;
}

static int64_t waiting(const conv_journal_counts *counts)
{
    return counts->exchanges + counts->usage;
}

/* Marks all entries of a kind, one page after the other: a marked one is of another kind then. */
static conv_status mark_kind(conv_journal *journal, conv_journal_kind kind, conv_error *error)
{
    conv_journal_filter filter = CONV_JOURNAL_FILTER_INIT;
    filter.kind = kind;
    for (bool more = true; more;) {
        conv_journal_page *page = NULL;
        conv_status status = conv_journal_list(journal, &filter, &page, error);
        if (status != CONV_OK) return status;
        for (size_t i = 0; status == CONV_OK && i < conv_journal_page_count(page); i++) {
            const conv_journal_entry *entry = conv_journal_page_entry(page, i);
            filter.after_id = entry->entry_id;
            if (entry->readable)
                status = conv_journal_retry(journal, entry->entry_id, error);
            else
                cli_complain("retry journal entry: entry %lld can't be read",
                             (long long)entry->entry_id);
        }
        more = conv_journal_page_has_more(page);
        conv_journal_page_free(page);
        if (status != CONV_OK) return status;
    }
    return CONV_OK;
}

static cli_exit mark(const cli_arguments *arguments, int64_t entry_id, conv_journal_counts *counts)
{
    conv_journal *journal = NULL;
    conv_error error = CONV_ERROR_INIT;
    conv_status status = CONV_OK;
    cli_exit code = cli_journal_open(arguments, &journal);
    if (code != CLI_EXIT_OK) return code;
    if (entry_id > 0) status = conv_journal_retry(journal, entry_id, &error);
    if (cli_given(arguments, CLI_OPTION_ALL)) {
        status = mark_kind(journal, CONV_JOURNAL_TURN, &error);
        if (status == CONV_OK) status = mark_kind(journal, CONV_JOURNAL_DEAD, &error);
    }
    if (status == CONV_OK) status = conv_journal_count(journal, counts, &error);
    conv_journal_close(journal);
    return status == CONV_OK ? CLI_EXIT_OK : cli_report(CLI_PART_JOURNAL, &error);
}

conv_status cli_journal_await(conv_client *client, int64_t *left, conv_error *error)
{
    const struct timespec tick = {0, TICK_MS * 1000000L};
    int64_t least = INT64_MAX;
    for (int64_t progress_ms = now_ms();;) {
        conv_journal_counts counts;
        conv_status status = conv_client_journal_count(client, &counts, error);
        if (status != CONV_OK) return status;
        *left = waiting(&counts);
        if (*left == 0 || cli_signals_caught() != 0) return CONV_OK;
        if (*left < least) {
            least = *left;
            progress_ms = now_ms();
        }
        if (now_ms() - progress_ms >= PATIENCE_MS) return CONV_OK;
        nanosleep(&tick, NULL);
    }
}

static cli_exit print(const cli_arguments *arguments, const conv_journal_counts *before,
                      const conv_journal_counts *after, const conv_error *cause)
{
    int64_t refused = after->dead - before->dead;
    int64_t saved = waiting(before) - waiting(after) - refused;
    if (cli_given(arguments, CLI_OPTION_JSON)) {
        json_t *value = json_object();
        bool failed = false;
        cli_json_add(value, &failed, "saved", json_integer(saved));
        cli_json_add(value, &failed, "refused", json_integer(refused));
        cli_json_add(value, &failed, "waiting", json_integer(waiting(after)));
        cli_json_add(value, &failed, "turns", json_integer(after->turns));
        cli_json_add(value, &failed, "dead", json_integer(after->dead));
        cli_json_add(value, &failed, "cause",
                     cli_json_text(conv_text(cause->message[0] != '\0' ? cause->message : NULL)));
        if (!cli_json_print(stdout, value, failed)) return CLI_EXIT_FAILED;
    } else {
        printf("saved %lld, refused %lld\n", (long long)saved, (long long)refused);
        cli_journal_note(after);
        if (cause->message[0] != '\0') cli_note("they wait because %s", cause->message);
    }
    if (waiting(after) > 0)
        return cli_signals_caught() != 0 ? cli_exit_of_signal(cli_signals_caught())
                                         : CLI_EXIT_NO_CONNECTION;
    return refused > 0 ? CLI_EXIT_FAILED : CLI_EXIT_OK;
}

cli_exit cli_journal_retry(const cli_arguments *arguments, int64_t entry_id)
{
    conv_journal_counts before;
    conv_journal_counts after;
    conv_client *client = NULL;
    conv_journal *journal = NULL;
    conv_error error = CONV_ERROR_INIT;
    cli_exit code = mark(arguments, entry_id, &before);
    if (code != CLI_EXIT_OK) return code;
    code = cli_store_open(arguments, CLI_STORE_WRITE, 1, &client);
    if (code != CLI_EXIT_OK) {
        cli_journal_note(&before);
        return code;
    }
    int64_t left = 0;
    /* What remains is counted below; a failure of waiting or closing would say no more. */
    (void)!cli_journal_await(client, &left, NULL);
    conv_error cause = CONV_ERROR_INIT;
    (void)!conv_client_journal_cause(client, &cause, NULL);
    cli_signals_hurry(NULL, false);
    (void)conv_client_close(client, CLOSE_MS, NULL);
    code = cli_journal_open(arguments, &journal);
    if (code != CLI_EXIT_OK) return code;
    conv_status status = conv_journal_count(journal, &after, &error);
    conv_journal_close(journal);
    if (status != CONV_OK) return cli_report(CLI_PART_JOURNAL, &error);
    return print(arguments, &before, &after, &cause);
}
