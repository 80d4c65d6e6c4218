/* Text as a terminal may safely show it, and how many columns it takes. Pure. */
#ifndef CLI_DISPLAY_H
#define CLI_DISPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "conversation/bytes.h"

/* The form in which one character, or one byte that is part of none, is shown. Whatever could steer
 * a terminal or hide text (control characters, bidirectional overrides, tags, stray bytes) comes as
 * a visible escape: \n, \x1b, \u{202e}. */
typedef struct cli_glyph {
    uint32_t code; /* the character; UINT32_MAX for a stray byte */
    char bytes[12];
    size_t size;
    size_t width; /* columns: 0 for combining marks, 2 for East Asian wide characters and emoji */
    bool escaped;
} cli_glyph;

/* Reads the first glyph of `text`. Gives the bytes consumed, 0 at the end. */
size_t cli_glyph_read(conv_bytes text, cli_glyph *glyph);

/* Columns of `text` in one line. An absent text has none. */
size_t cli_display_width(conv_bytes text);

/* Writes `text` in one line; what goes beyond `most` columns (0: no bound) is cut and ends with
 * "…". Gives the columns written. */
size_t cli_display_line(FILE *file, conv_bytes text, size_t most);

/* Writes `text` wrapped to `width` columns between words, each line after `indent`; line breaks of
 * the text stay, and so do blanks at the beginning of its lines. Ends with a line break. */
void cli_display_wrapped(FILE *file, conv_bytes text, size_t width, const char *indent);

/* The same in `width` columns where `column` of the first line are written already; the other lines
 * begin below it. */
void cli_display_hanging(FILE *file, conv_bytes text, size_t width, size_t column);

/* Writes text that arrives in pieces: a character cut between two pieces is put together again. */
typedef struct cli_stream {
    FILE *file;
    char kept[4]; /* the beginning of a character whose end has not come yet */
    size_t kept_size;
    char last; /* last byte of the text, 0 before the first */
    bool safe; /* escape what could steer a terminal; else the bytes go out as they are */
} cli_stream;

void cli_stream_write(cli_stream *stream, conv_bytes piece);

/* Writes what was kept, and a line break if the text did not end with one. */
void cli_stream_end(cli_stream *stream);

#endif
