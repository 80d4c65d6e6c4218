/* Queries and snippets. What a word is, core/letters.h decides, here and in the stores. */
#include "services/words.h"

#include <string.h>

#include "core/buffer.h"
#include "core/letters.h"
#include "core/text.h"

enum { BEFORE_BYTES = 60, SNIPPET_BYTES = 160 };

static bool is_blank(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* What stands in quotes, or up to the next blank or quote; gives its size with the quotes. */
static size_t next_piece(conv_bytes rest, conv_bytes *piece)
{
    bool quoted = rest.data[0] == '"';
    size_t start = quoted ? 1 : 0;
    size_t end = start;
    while (end < rest.size && rest.data[end] != '"' && (quoted || !is_blank(rest.data[end])))
        end++;
    *piece = conv_view(rest.data + start, end - start);
    return quoted && end < rest.size ? end + 1 : end;
}

conv_status conv__words_parse(conv__arena *arena, conv_bytes query, conv__search_term **terms,
                              size_t *count)
{
    conv__buffer words = {0};
    conv_status status = CONV_OK;
    *count = 0;
    *terms = conv__arena_allocate(arena, CONV__WORDS_TERMS * sizeof **terms);
    if (*terms == NULL) return CONV_NO_MEMORY;
    for (size_t at = 0; status == CONV_OK && at < query.size && *count < CONV__WORDS_TERMS;) {
        conv_bytes piece;
        if (is_blank(query.data[at])) {
            at++;
            continue;
        }
        at += next_piece(conv_view(query.data + at, query.size - at), &piece);
        conv__buffer_clear(&words);
        conv__letters_append(&words, piece);
        if (words.failed) status = CONV_NO_MEMORY;
        if (status != CONV_OK || words.size == 0) continue;
        conv__search_term *term = &(*terms)[(*count)++];
        term->prefix = piece.data[piece.size - 1] == '*';
        status = conv__arena_copy(arena, conv__buffer_bytes(&words), &term->words);
    }
    conv__buffer_free(&words);
    return status;
}

static char lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

static bool matches_at(conv_bytes text, size_t at, conv_bytes word)
{
    if (text.size - at < word.size) return false;
    for (size_t i = 0; i < word.size; i++)
        if (lower(text.data[at + i]) != lower(word.data[i])) return false;
    return true;
}

/* The first word of a term as a word of the text; gives the text's size if it is nowhere. */
static size_t find_term(conv_bytes text, const conv__search_term *term, size_t *size)
{
    const char *blank = memchr(term->words.data, ' ', term->words.size);
    conv_bytes word = term->words;
    if (blank != NULL) word.size = (size_t)(blank - word.data);
    bool open = term->prefix && blank == NULL;
    *size = word.size;
    bool before = false;
    for (size_t at = 0; at < text.size;) {
        bool is_word = false;
        bool after = false;
        size_t length = conv__letters_step(conv_view(text.data + at, text.size - at), &is_word);
        if (is_word && !before && matches_at(text, at, word)) {
            size_t end = at + word.size;
            if (end < text.size)
                conv__letters_step(conv_view(text.data + end, text.size - end), &after);
            if (open || !after) return at;
        }
        before = is_word;
        at += length;
    }
    return text.size;
}

/* Back to where a character begins. */
static size_t to_character(conv_bytes text, size_t at)
{
    while (at > 0 && at < text.size && ((unsigned char)text.data[at] & 0xC0) == 0x80)
        at--;
    return at;
}

static void append_line(conv__buffer *buffer, conv_bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        char byte = text.data[i];
        bool control = (unsigned char)byte < 0x20 || byte == 0x7F;
        conv__buffer_append(buffer, control ? " " : &byte, 1);
    }
}

conv_status conv__words_snippet(conv__arena *arena, conv_bytes text, const conv__search_term *terms,
                                size_t count, conv_search_hit *hit)
{
    conv__buffer buffer = {0};
    size_t match = text.size;
    size_t match_size = 0;
    for (size_t i = 0; i < count; i++) {
        size_t size = 0;
        size_t at = find_term(text, &terms[i], &size);
        if (at >= match) continue;
        match = at;
        match_size = size;
    }
    if (match == text.size) match = match_size = 0;
    size_t start = match > BEFORE_BYTES ? to_character(text, match - BEFORE_BYTES) : 0;
    size_t end =
        start + SNIPPET_BYTES < match + match_size ? match + match_size : start + SNIPPET_BYTES;
    end = end < text.size ? to_character(text, end) : text.size;
    if (start > 0) conv__buffer_append_text(&buffer, "\xE2\x80\xA6"); /* … */
    hit->match_offset = buffer.size + (match - start);
    hit->match_size = match_size;
    append_line(&buffer, conv_view(text.data + start, end - start));
    if (end < text.size) conv__buffer_append_text(&buffer, "\xE2\x80\xA6");
    conv_status status = buffer.failed
                             ? CONV_NO_MEMORY
                             : conv__arena_copy(arena, conv__buffer_bytes(&buffer), &hit->snippet);
    conv__buffer_free(&buffer);
    return status;
}
