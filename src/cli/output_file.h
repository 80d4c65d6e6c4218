/* A file that appears whole or not at all. */
#ifndef CLI_OUTPUT_FILE_H
#define CLI_OUTPUT_FILE_H

#include <stdbool.h>
#include <stdio.h>

typedef struct cli_output_file {
    FILE *file;
    char *path;      /* where it is to be in the end; NULL: standard output or a device */
    char *temporary; /* where it is written meanwhile: in the same folder */
} cli_output_file;

/* Opens `path` for writing, NULL or "-" for standard output. A file that exists already stays as it
 * is until the commit; a device or a pipe is written directly. False, with a complaint, after a
 * failure. */
bool cli_output_file_open(cli_output_file *output, const char *path);

/* Brings what was written to the disk and then under its name, in place of what was there. False,
 * with a complaint, after a failure: nothing is left of it then. */
bool cli_output_file_commit(cli_output_file *output);

/* Ends without a trace. */
void cli_output_file_abandon(cli_output_file *output);

#endif
