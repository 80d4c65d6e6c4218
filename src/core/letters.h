/* Where words begin and end, the same in queries, in snippets and in the index of every store. */
#ifndef CONV__CORE_LETTERS_H
#define CONV__CORE_LETTERS_H

#include <stdbool.h>
#include <stddef.h>

#include "conversation/bytes.h"
#include "core/buffer.h"

/* Bytes of the character at the start of `rest`, 1 for a stray byte; `is_letter` receives whether
 * it belongs to a word: a letter, a digit or a mark on one. `rest` must not be empty. */
size_t conv__letters_step(conv_bytes rest, bool *is_letter);

/* Appends the words of `text` with one blank between. */
void conv__letters_append(conv__buffer *buffer, conv_bytes text);

#endif
