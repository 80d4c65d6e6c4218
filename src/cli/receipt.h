/* What deletions ask before and show after. */
#ifndef CLI_RECEIPT_H
#define CLI_RECEIPT_H

#include <stdbool.h>

#include "cli/exit_code.h"
#include "conversation/session.h"

/* Whether the question that stands on standard error is answered with yes on standard input. */
bool cli_confirm(void);

/* Prints a receipt; `pseudonym` nil: of a deletion. */
cli_exit cli_receipt_print(const conv_delete_receipt *receipt, conv_uuid pseudonym, bool json);

#endif
