/* What deletions show after. */
#ifndef CLI_RECEIPT_H
#define CLI_RECEIPT_H

#include <stdbool.h>

#include "cli/exit_code.h"
#include "conversation/session.h"

/* Prints a receipt; `pseudonym` nil: of a deletion. */
cli_exit cli_receipt_print(const conv_delete_receipt *receipt, conv_uuid pseudonym, bool json);

#endif
