/* Wrapping of text between words. It must not cut a character or lose a line break. */
#include <string.h>

#include "cli/display.h"

#define TAB           4
#define INDENT_WIDEST 100

typedef struct wrapper {
    FILE *file;
    const char *indent;
    size_t width;
    size_t column; /* written in this line */
    size_t blanks; /* before the word; dropped where the line is broken */
    char word[1024];
    size_t word_size;
    size_t word_width;
    bool indented; /* the indent of this line was written */
} wrapper;

static void end_line(wrapper *self)
{
    fputc('\n', self->file);
    self->column = 0;
    self->indented = false;
}

static void write_word(wrapper *self)
{
    if (self->word_size == 0) return;
    if (self->column > 0 && self->column + self->blanks + self->word_width > self->width) {
        end_line(self);
        self->blanks = 0;
    }
    if (!self->indented) fputs(self->indent, self->file);
    self->indented = true;
    /* A deep indentation must leave room for the words. */
    if (self->column == 0 && self->blanks > self->width / 2) self->blanks = self->width / 2;
    for (; self->blanks > 0; self->blanks--, self->column++)
        fputc(' ', self->file);
    fwrite(self->word, 1, self->word_size, self->file);
    self->column += self->word_width;
    self->word_size = 0;
    self->word_width = 0;
}

static void add_to_word(wrapper *self, const cli_glyph *glyph)
{
    bool full = self->word_width + glyph->width > self->width ||
                self->word_size + glyph->size > sizeof self->word;
    /* Wide characters are scripts that break anywhere. */
    if (full || (glyph->width == 2 && !glyph->escaped)) write_word(self);
    memcpy(self->word + self->word_size, glyph->bytes, glyph->size);
    self->word_size += glyph->size;
    self->word_width += glyph->width;
}

static void wrap(FILE *file, conv_bytes text, size_t width, const char *indent, bool indented)
{
    size_t indent_width = cli_display_width(conv_text(indent));
    wrapper self = {.file = file, .indent = indent, .indented = indented};
    self.width = width > indent_width + 20 ? width - indent_width : 20;
    cli_glyph glyph;
    bool was_wide = false;
    for (size_t offset = 0, size; offset < text.size; offset += size) {
        size = cli_glyph_read(conv_view(text.data + offset, text.size - offset), &glyph);
        if (glyph.code == '\n') {
            write_word(&self);
            self.blanks = 0;
            end_line(&self);
        } else if (glyph.code == ' ' || glyph.code == '\t') {
            write_word(&self);
            self.blanks += glyph.code == ' ' ? 1 : TAB - (self.column + self.blanks) % TAB;
        } else {
            if (was_wide && glyph.width > 0) write_word(&self);
            add_to_word(&self, &glyph);
        }
        if (glyph.width > 0) was_wide = glyph.width == 2 && !glyph.escaped;
    }
    write_word(&self);
    if (self.column > 0 || text.size == 0 || text.data[text.size - 1] != '\n') end_line(&self);
}

void cli_display_wrapped(FILE *file, conv_bytes text, size_t width, const char *indent)
{
    wrap(file, text, width, indent, false);
}

void cli_display_hanging(FILE *file, conv_bytes text, size_t width, size_t column)
{
    char indent[INDENT_WIDEST + 1];
    size_t size = column < INDENT_WIDEST ? column : INDENT_WIDEST;
    memset(indent, ' ', size);
    indent[size] = '\0';
    wrap(file, text, width, indent, true);
}
