/* What conversation doctor finds. */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "cli/arguments.h"
#include "conversation/journal.h"
#include "conversation/schema.h"

enum { CLI_DOCTOR_STEPS = 64, CLI_DOCTOR_TEXT = 1024 };

typedef enum cli_verdict { CLI_VERDICT_OK, CLI_VERDICT_WARNING, CLI_VERDICT_FAILED } cli_verdict;

/* One thing that was looked at. */
typedef struct cli_finding {
    cli_verdict verdict;
    char text[CLI_DOCTOR_TEXT];
} cli_finding;

typedef struct cli_diagnosis {
    cli_finding store;
    cli_finding schema;
    cli_finding journal;
    cli_finding provider;
    cli_finding chain;
    conv_schema_state versions;
    conv_journal_counts counts;
    bool has_counts;
    const char *steps[CLI_DOCTOR_STEPS]; /* static texts */
    size_t step_count;
    cli_exit code; /* of the first that failed */
} cli_diagnosis;

/* Prints it on standard output. False when out of memory. */
bool cli_doctor_print(const cli_diagnosis *diagnosis, bool json);

#endif
