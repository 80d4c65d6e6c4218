/* From any bytes to what a terminal may show. It must not decide where text goes or in which
 * colour. The widths are libc's, asked in a UTF-8 locale of our own, so that the program's locale
 * stays "C" and numbers stay numbers. */
#include "cli/display.h"

#include <locale.h>
#include <pthread.h>
#include <string.h>
#include <wchar.h>

static pthread_once_t locale_once = PTHREAD_ONCE_INIT;
static locale_t utf8_locale;

static void make_locale(void)
{
    utf8_locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

/* One column for what libc does not know: a new emoji, or no UTF-8 locale at all. */
static size_t width_of(uint32_t code)
{
    if (code < 0x300) return 1;
    pthread_once(&locale_once, make_locale);
    if (utf8_locale == (locale_t)0) return 1;
    locale_t before = uselocale(utf8_locale);
    int width = wcwidth((wchar_t)code);
    uselocale(before);
    return width < 0 ? 1 : (size_t)width;
}

static size_t length_of(unsigned char first)
{
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first <= 0xdf) return 2;
    if (first >= 0xe0 && first <= 0xef) return 3;
    if (first >= 0xf0 && first <= 0xf4) return 4;
    return 0;
}

/* Whether `second` may follow `first` (RFC 3629: nothing overlong, no surrogates, no more than
 * U+10FFFF). */
static bool second_fits(unsigned char first, unsigned char second)
{
    if (first == 0xe0) return second >= 0xa0 && second <= 0xbf;
    if (first == 0xed) return second >= 0x80 && second <= 0x9f;
    if (first == 0xf0) return second >= 0x90 && second <= 0xbf;
    if (first == 0xf4) return second >= 0x80 && second <= 0x8f;
    return second >= 0x80 && second <= 0xbf;
}

/* Bytes of the well-formed character at the start, and the character; 0 if there is none.
 * `cut` is set where the text ends before the character does. */
static size_t decode(conv_bytes text, uint32_t *code, bool *cut)
{
    const unsigned char *bytes = (const unsigned char *)text.data;
    size_t length = length_of(bytes[0]);
    *cut = false;
    if (length == 0) return 0;
    uint32_t value = length == 1 ? bytes[0] : bytes[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if (i == text.size) {
            *cut = true;
            return 0;
        }
        bool fits = i == 1 ? second_fits(bytes[0], bytes[1]) : (bytes[i] & 0xc0) == 0x80;
        if (!fits) return 0;
        value = value << 6 | (bytes[i] & 0x3f);
    }
    *code = value;
    return length;
}

static bool must_be_escaped(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code <= 0x9f) || /* controls */
           code == 0x2028 || code == 0x2029 ||              /* line and paragraph separator */
           (code >= 0x202a && code <= 0x202e) ||            /* bidirectional overrides */
           (code >= 0x2066 && code <= 0x2069) ||            /* and isolates */
           (code >= 0xe0000 && code <= 0xe007f);            /* invisible tags */
}

static void escape(cli_glyph *glyph, unsigned char byte)
{
    int size;
    if (glyph->code == '\n')
        size = snprintf(glyph->bytes, sizeof glyph->bytes, "\\n");
    else if (glyph->code == '\t')
        size = snprintf(glyph->bytes, sizeof glyph->bytes, "\\t");
    else if (glyph->code == '\r')
        size = snprintf(glyph->bytes, sizeof glyph->bytes, "\\r");
    else if (glyph->code < 0x80 || glyph->code == UINT32_MAX)
        size = snprintf(glyph->bytes, sizeof glyph->bytes, "\\x%02x", byte);
    else
        size = snprintf(glyph->bytes, sizeof glyph->bytes, "\\u{%x}", (unsigned)glyph->code);
    glyph->size = (size_t)size;
    glyph->width = glyph->size;
    glyph->escaped = true;
}

size_t cli_glyph_read(conv_bytes text, cli_glyph *glyph)
{
    if (text.data == NULL || text.size == 0) return 0;
    *glyph = (cli_glyph){.code = UINT32_MAX};
    bool cut;
    size_t length = decode(text, &glyph->code, &cut);
    if (length == 0 || must_be_escaped(glyph->code)) {
        escape(glyph, (unsigned char)text.data[0]);
        return length == 0 ? 1 : length;
    }
    memcpy(glyph->bytes, text.data, length);
    glyph->size = length;
    glyph->width = width_of(glyph->code);
    return length;
}

static conv_bytes skip(conv_bytes text, size_t size)
{
    return conv_view(text.data + size, text.size - size);
}

size_t cli_display_width(conv_bytes text)
{
    size_t width = 0;
    cli_glyph glyph;
    for (size_t size; (size = cli_glyph_read(text, &glyph)) > 0; text = skip(text, size))
        width += glyph.width;
    return width;
}

size_t cli_display_line(FILE *file, conv_bytes text, size_t most)
{
    bool cut = most > 0 && cli_display_width(text) > most;
    size_t room = cut ? most - 1 : SIZE_MAX;
    size_t width = 0;
    cli_glyph glyph;
    for (size_t size; (size = cli_glyph_read(text, &glyph)) > 0; text = skip(text, size)) {
        if (glyph.width > room - width) break;
        fwrite(glyph.bytes, 1, glyph.size, file);
        width += glyph.width;
    }
    if (!cut) return width;
    fputs("…", file);
    return width + 1;
}

void cli_stream_write(cli_stream *stream, conv_bytes piece)
{
    if (piece.data == NULL || piece.size == 0) return;
    stream->last = piece.data[piece.size - 1];
    if (!stream->safe) {
        fwrite(piece.data, 1, piece.size, stream->file);
        return;
    }
    while (piece.size > 0 || stream->kept_size > 0) {
        /* The kept bytes and the next ones make one small text of at least one character. */
        char joined[4];
        size_t size = stream->kept_size;
        memcpy(joined, stream->kept, size);
        size_t taken = 0;
        while (size < sizeof joined && taken < piece.size)
            joined[size++] = piece.data[taken++];
        uint32_t code;
        bool cut;
        conv_bytes text = conv_view(joined, size);
        if (decode(text, &code, &cut) == 0 && cut && taken == piece.size) {
            memcpy(stream->kept, joined, size);
            stream->kept_size = size;
            return;
        }
        cli_glyph glyph;
        size_t used = cli_glyph_read(text, &glyph);
        if (glyph.code == '\n' || glyph.code == '\t')
            fputc((int)glyph.code, stream->file);
        else
            fwrite(glyph.bytes, 1, glyph.size, stream->file);
        if (used >= stream->kept_size) {
            piece = skip(piece, used - stream->kept_size);
            stream->kept_size = 0;
        } else {
            stream->kept_size -= used;
            memmove(stream->kept, stream->kept + used, stream->kept_size);
        }
    }
}

void cli_stream_end(cli_stream *stream)
{
    for (size_t i = 0; i < stream->kept_size; i++)
        fprintf(stream->file, "\\x%02x", (unsigned char)stream->kept[i]);
    stream->kept_size = 0;
    if (stream->last != '\n' && stream->last != '\0') fputc('\n', stream->file);
}
