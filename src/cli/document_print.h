/* Documents and the operations on them, for people and programs. */
#ifndef CLI_DOCUMENT_PRINT_H
#define CLI_DOCUMENT_PRINT_H

#include <stdbool.h>

#include "cli/exit_code.h"
#include "cli/output.h"
#include "conversation/document.h"
#include "conversation/usage.h"

/* A list that is printed while it comes. */
typedef struct cli_document_list cli_document_list;

/* NULL when out of memory, which is complained about. */
cli_document_list *cli_document_list_begin(cli_form form);

/* False when out of memory, which is complained about. */
bool cli_document_list_add(cli_document_list *list, const conv_document *document);

/* Prints what is left to print, and frees the list; NULL is allowed. Gives how many there were. */
size_t cli_document_list_end(cli_document_list *list);

/* A usage record as one of a document's operations is shown. NULL when out of memory. */
json_t *cli_operation_value(const conv_usage *usage);

/* One document with `count` operations on it, newest first. */
cli_exit cli_document_print(const conv_document *document, const conv_usage *const *operations,
                            size_t count, bool json);

#endif
