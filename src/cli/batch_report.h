/* What replay and import say while they run and when they end. */
#ifndef CLI_BATCH_REPORT_H
#define CLI_BATCH_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/batch.h"

typedef struct cli_batch_report {
    const char *done; /* "replayed" */
    bool json;
    bool terminal;
    int64_t begun_ms;
    int64_t shown_ms;
    size_t width;
} cli_batch_report;

void cli_batch_report_begin(cli_batch_report *report, const cli_arguments *arguments,
                            const cli_batch_kind *kind);

/* Redraws the bar on a terminal, at most ten times a second; elsewhere prints a plain line every
 * ten seconds. */
void cli_batch_report_tick(cli_batch_report *report, const cli_batch_counts *counts,
                           int64_t bytes_done, int64_t bytes_all);

/* Takes the bar away and prints the summary on standard output. */
cli_exit cli_batch_report_end(cli_batch_report *report, const cli_batch_counts *counts);

/* What is left of the file when a run was stopped. */
typedef struct cli_batch_rest {
    int64_t open; /* conversations begun and not finished, or read and not begun */
    bool ended;   /* the file was read to its end */
    int64_t bytes_done;
    int64_t bytes_all; /* -1: unknown */
} cli_batch_rest;

void cli_batch_report_rest(const cli_batch_rest *rest);

#endif
