/* Progress and summary of a long run. Progress goes to standard error, the summary to standard
 * output. */
#include "cli/batch_report.h"

#include <time.h>

#include "cli/format.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/terminal.h"

#define REDRAW_MS 100
#define LOG_MS    10000

static int64_t now_ms(void)
{
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    return (int64_t)moment.tv_sec * 1000 + moment.tv_nsec / 1000000;
}

void cli_batch_report_begin(cli_batch_report *report, const cli_arguments *arguments,
                            const cli_batch_kind *kind)
{
    report->done = kind->done;
    report->json = cli_given(arguments, CLI_OPTION_JSON);
    report->terminal = cli_is_terminal(stderr);
    report->begun_ms = now_ms();
    /* A bar is there at once; a log gets its first line when there is something to tell. */
    report->shown_ms = report->begun_ms - (report->terminal ? REDRAW_MS : 0);
}

void cli_batch_report_tick(cli_batch_report *report, const cli_batch_counts *counts,
                           int64_t bytes_done, int64_t bytes_all)
{
    int64_t now = now_ms();
    if (now - report->shown_ms < (report->terminal ? REDRAW_MS : LOG_MS)) return;
    report->shown_ms = now;
    cli_progress progress = {bytes_done, bytes_all, counts->exchanges, now - report->begun_ms};
    char text[CLI_PROGRESS_SIZE];
    if (report->terminal) {
        /* The last column stays free: some terminals wrap when it is written. */
        cli_progress_text(&progress, cli_terminal_width(stderr) - 1, text);
        cli_status_draw(text);
    } else {
        cli_progress_line(&progress, text);
        cli_note("%s", text);
    }
}

static cli_exit print_json(const cli_batch_counts *counts, int64_t elapsed_ms)
{
    json_t *summary = json_object();
    bool failed = false;
    cli_json_add(summary, &failed, "conversations", json_integer(counts->conversations));
    cli_json_add(summary, &failed, "exchanges", json_integer(counts->exchanges));
    cli_json_add(summary, &failed, "messages", json_integer(counts->messages));
    cli_json_add(summary, &failed, "repeated", json_integer(counts->repeated));
    cli_json_add(summary, &failed, "failed", json_integer(counts->failed));
    cli_json_add(summary, &failed, "journaled", json_integer(counts->journaled));
    cli_json_add(summary, &failed, "seconds", json_real((double)elapsed_ms / 1000));
    return cli_json_print(stdout, summary, failed) ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

static void print_count(int64_t count, const char *one, const char *many)
{
    char text[CLI_FORMAT_SIZE];
    cli_format_count(count, text);
    printf("%s %s", text, count == 1 ? one : many);
}

static void print_people(const cli_batch_report *report, const cli_batch_counts *counts,
                         int64_t elapsed_ms)
{
    char text[CLI_FORMAT_SIZE];
    printf("%s ", report->done);
    print_count(counts->conversations, "conversation", "conversations");
    printf(", ");
    print_count(counts->exchanges, "exchange", "exchanges");
    printf(", ");
    print_count(counts->messages, "message", "messages");
    cli_format_duration(elapsed_ms, text);
    printf(" in %s", text);
    cli_format_count(cli_progress_rate(counts->exchanges, elapsed_ms), text);
    printf(" (%s exchanges/s)\n", text);
    if (counts->repeated > 0) {
        print_count(counts->repeated, "exchange was", "exchanges were");
        printf(" there already\n");
    }
    if (counts->journaled > 0) {
        print_count(counts->journaled, "exchange", "exchanges");
        printf(" went into the journal\n");
    }
    if (counts->failed > 0) {
        print_count(counts->failed, "conversation", "conversations");
        printf(" failed\n");
    }
}

cli_exit cli_batch_report_end(cli_batch_report *report, const cli_batch_counts *counts)
{
    int64_t elapsed_ms = now_ms() - report->begun_ms;
    cli_status_clear();
    if (report->json) return print_json(counts, elapsed_ms);
    print_people(report, counts, elapsed_ms);
    return CLI_EXIT_OK;
}

void cli_batch_report_rest(const cli_batch_rest *rest)
{
    char open[CLI_FORMAT_SIZE];
    const char *noun = rest->open == 1 ? "conversation" : "conversations";
    cli_format_count(rest->open, open);
    if (rest->ended)
        cli_note("stopped: %s %s not stored whole", open, noun);
    else if (rest->bytes_all > 0)
        cli_note("stopped: %s %s not stored whole, %lld %% of the file not read", open, noun,
                 (long long)(100 - rest->bytes_done * 100 / rest->bytes_all));
    else
        cli_note("stopped: %s %s not stored whole, the rest of the input not read", open, noun);
    cli_hint("the same command again goes on where this one stopped; nothing is saved twice");
}
