/* A message for people. */
#ifndef CLI_MESSAGE_PRINT_H
#define CLI_MESSAGE_PRINT_H

#include <stddef.h>
#include <stdio.h>

#include "conversation/message.h"

/* Prints who spoke and when, the text wrapped to `width` columns, and tool calls in short form. No
 * byte of the message reaches the terminal that could steer it. */
void cli_message_print(FILE *file, const conv_message *message, size_t width);

#endif
