/* conversation metrics: one look at the store and the journal, as a text for Prometheus. The names
 * and the text are the library's own. */
#include "cli/commands.h"

#include "cli/journal.h"
#include "cli/output_file.h"
#include "cli/store.h"
#include "cli/terminal.h"
#include "conversation/health.h"
#include "conversation/metrics.h"

/* Why a journal has nothing to show, or NULL. Who has it open tells of it, and looking makes none.
 * That must not keep the store from being looked at: a file that is not written anew shows the past
 * as the present. */
static const char *why_left_out(const char *path)
{
    conv_journal *journal = NULL;
    conv_error error = CONV_ERROR_INIT;
    if (conv_journal_open(path, &journal, &error) == CONV_OK)
        cli_journal_note_damage(path, conv_journal_set_aside(journal));
    conv_journal_close(journal);
    if (error.status == CONV_NOT_FOUND) return "is not there yet";
    bool is_in_use = error.status == CONV_STATE && error.recovery == CONV_RECOVERY_WAIT;
    return is_in_use ? "is open in another process, which tells of it" : NULL;
}

static cli_exit write_text(const char *path, const conv_metrics *metrics)
{
    cli_output_file output;
    if (!cli_output_file_open(&output, path)) return CLI_EXIT_FAILED;
    fwrite(conv_metrics_text(metrics), 1, conv_metrics_size(metrics), output.file);
    return cli_output_file_commit(&output) ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

/* The look at the health comes first: it is one of the metrics, whatever it says. */
static cli_exit look(const cli_arguments *arguments, conv_client *client)
{
    conv_health *health = NULL;
    conv_metrics *metrics = NULL;
    conv_error error = CONV_ERROR_INIT;
    conv_metrics_format format = cli_given(arguments, CLI_OPTION_OPENMETRICS)
                                     ? CONV_METRICS_OPENMETRICS
                                     : CONV_METRICS_PROMETHEUS;
    conv_status status = conv_health_read(client, NULL, &health, &error);
    conv_health_free(health);
    if (status == CONV_OK) status = conv_metrics_read(client, format, &metrics, &error);
    if (status != CONV_OK) return cli_report(CLI_PART_STORE, &error);
    cli_exit code = write_text(arguments->texts[CLI_OPTION_OUTPUT], metrics);
    conv_metrics_free(metrics);
    return code;
}

cli_exit cli_metrics(const cli_arguments *arguments)
{
    conv_client *client = NULL;
    conv_error errors[2];
    cli_exit away;
    cli_arguments used = *arguments;
    const char *journal = arguments->texts[CLI_OPTION_JOURNAL];
    const char *why = journal != NULL ? why_left_out(journal) : NULL;
    if (why != NULL) {
        cli_note("%s %s: its metrics are left out", journal, why);
        used.texts[CLI_OPTION_JOURNAL] = NULL;
    }
    cli_exit code = cli_store_open_to_look(&used, NULL, &client, &away, errors);
    if (client == NULL) return code;
    return cli_store_drain(&used, client, look(&used, client));
}
