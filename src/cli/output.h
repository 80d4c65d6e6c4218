/* Data for programs: JSON, JSON Lines and CSV on standard output. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/arguments.h"
#include "conversation/bytes.h"
#include "conversation/decimal.h"
#include "conversation/usage.h"

typedef enum cli_form { CLI_FORM_PEOPLE, CLI_FORM_JSON, CLI_FORM_JSONL, CLI_FORM_CSV } cli_form;

/* The form that was asked for. False, with a complaint on standard error, if several were. */
bool cli_form_of(const cli_arguments *arguments, cli_form *form);

/* A JSON string; null where `bytes` are absent. Bytes that are not UTF-8 become U+FFFD: ids and
 * titles are shown so, messages go another way. NULL when out of memory. */
json_t *cli_json_text(conv_bytes bytes);
json_t *cli_json_time(int64_t time_us);         /* RFC 3339 */
json_t *cli_json_decimal(conv_decimal decimal); /* a string: exact */
json_t *cli_json_count(int64_t count);          /* null for CONV_UNKNOWN */

/* Adds a member; takes `value` over, also when NULL, which makes it fail. */
void cli_json_add(json_t *object, bool *failed, const char *key, json_t *value);

/* Adds the members of a usage record: model, provider, tokens, cost_usd, latency_ms. */
void cli_json_add_usage(json_t *object, bool *failed, const conv_usage *usage);

/* Prints the value and a line break on `file`, and gives the value back to jansson. False, with a
 * complaint, when out of memory: `value` is NULL or `failed` is set. */
bool cli_json_print(FILE *file, json_t *value, bool failed);

/* Prints an object without its closing brace, for members that follow on another way: messages come
 * from conv_transcript_write_message, which loses no byte. Else as cli_json_print. */
bool cli_json_print_open(FILE *file, json_t *object, bool failed);

/* Writes the text, U+FFFD for each byte that is not UTF-8: for JSON that is printed as it is. */
void cli_write_repaired(FILE *file, conv_bytes bytes);

/* Writes one field as RFC 4180 has it, with the comma before unless `first`. An absent one is
 * empty. */
void cli_csv_field(FILE *file, conv_bytes field, bool first);
void cli_csv_end(FILE *file);

#endif
