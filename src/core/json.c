/* JSON's grammar, and finding one's way in a text that follows it. Nothing is copied or decoded
 * here: strings are the matter of json_string.c. */
#include "core/json.h"

#include <string.h>

#include "conversation/decimal.h"
#include "core/hex.h"

typedef struct json_scanner {
    const char *at; /* where the text was wrong, after a failure */
    const char *end;
    int depth;
} json_scanner;

static bool scan_value(json_scanner *scanner, conv__json *value);

static void skip_space(json_scanner *scanner)
{
    while (scanner->at < scanner->end && (*scanner->at == ' ' || *scanner->at == '\t' ||
                                          *scanner->at == '\n' || *scanner->at == '\r')) {
        scanner->at++;
    }
}

static bool next_is(const json_scanner *scanner, char wanted)
{
    return scanner->at < scanner->end && *scanner->at == wanted;
}

static bool scan_character(json_scanner *scanner, char wanted)
{
    if (!next_is(scanner, wanted)) return false;
    scanner->at++;
    return true;
}

static bool scan_word(json_scanner *scanner, const char *word)
{
    for (; *word != '\0'; word++) {
        if (!scan_character(scanner, *word)) return false;
    }
    return true;
}

static bool scan_digits(json_scanner *scanner)
{
    const char *start = scanner->at;
    while (scanner->at < scanner->end && *scanner->at >= '0' && *scanner->at <= '9') {
        scanner->at++;
    }
    return scanner->at > start;
}

static bool scan_number(json_scanner *scanner)
{
    scan_character(scanner, '-');
    if (!scan_character(scanner, '0') && !scan_digits(scanner)) return false;
    if (scan_character(scanner, '.') && !scan_digits(scanner)) return false;
    if (!scan_character(scanner, 'e') && !scan_character(scanner, 'E')) return true;
    if (!scan_character(scanner, '+')) scan_character(scanner, '-');
    return scan_digits(scanner);
}

static bool scan_escape(json_scanner *scanner)
{
    if (scanner->at == scanner->end || memchr("\"\\/bfnrtu", *scanner->at, 9) == NULL) return false;
    if (*scanner->at++ != 'u') return true;
    for (int i = 0; i < 4; i++) {
        if (scanner->at == scanner->end || conv__hex_digit(*scanner->at) < 0) return false;
        scanner->at++;
    }
    return true;
}

/* The top bit of each byte that is less than 0x80 and less than `bound`, and perhaps of bytes above
 * one that is. */
static uint64_t bytes_below(uint64_t eight, uint64_t bound)
{
    return (eight - bound * UINT64_C(0x0101010101010101)) & ~eight & UINT64_C(0x8080808080808080);
}

static uint64_t bytes_equal(uint64_t eight, uint64_t byte)
{
    return bytes_below(eight ^ byte * UINT64_C(0x0101010101010101), 1);
}

/* Steps over plain bytes of a string, eight at a time: nearly all of a conversation is such. */
static void skip_plain(json_scanner *scanner)
{
    while (scanner->end - scanner->at >= 8) {
        uint64_t eight;
        memcpy(&eight, scanner->at, 8);
        if ((bytes_below(eight, 0x20) | bytes_equal(eight, '"') | bytes_equal(eight, '\\')) != 0)
            return;
        scanner->at += 8;
    }
}

static bool scan_string(json_scanner *scanner)
{
    if (!scan_character(scanner, '"')) return false;
    skip_plain(scanner);
    while (scanner->at < scanner->end) {
        unsigned char c = (unsigned char)*scanner->at;
        if (c < 0x20) return false;
        scanner->at++;
        if (c == '"') return true;
        if (c != '\\') continue;
        if (!scan_escape(scanner)) return false;
        skip_plain(scanner);
    }
    return false;
}

static bool scan_elements(json_scanner *scanner)
{
    scanner->at++;
    skip_space(scanner);
    if (scan_character(scanner, ']')) return true;
    do {
        conv__json element;
        skip_space(scanner);
        if (!scan_value(scanner, &element)) return false;
        skip_space(scanner);
    } while (scan_character(scanner, ','));
    return scan_character(scanner, ']');
}

static bool scan_members(json_scanner *scanner)
{
    scanner->at++;
    skip_space(scanner);
    if (scan_character(scanner, '}')) return true;
    do {
        conv__json member;
        skip_space(scanner);
        if (!scan_string(scanner)) return false;
        skip_space(scanner);
        if (!scan_character(scanner, ':')) return false;
        skip_space(scanner);
        if (!scan_value(scanner, &member)) return false;
        skip_space(scanner);
    } while (scan_character(scanner, ','));
    return scan_character(scanner, '}');
}

static bool scan_container(json_scanner *scanner, bool (*scan_inside)(json_scanner *))
{
    if (scanner->depth == CONV__JSON_DEPTH) return false;
    scanner->depth++;
    bool scanned = scan_inside(scanner);
    scanner->depth--;
    return scanned;
}

static bool scan_by_kind(json_scanner *scanner, conv__json_kind kind)
{
    switch (kind) {
    case CONV__JSON_NULL:
        return scan_word(scanner, "null");
    case CONV__JSON_FALSE:
        return scan_word(scanner, "false");
    case CONV__JSON_TRUE:
        return scan_word(scanner, "true");
    case CONV__JSON_NUMBER:
        return scan_number(scanner);
    case CONV__JSON_STRING:
        return scan_string(scanner);
    case CONV__JSON_ARRAY:
        return scan_container(scanner, scan_elements);
    case CONV__JSON_OBJECT:
        return scan_container(scanner, scan_members);
    case CONV__JSON_ABSENT:
        break;
    }
    return false;
}

/* The kind of a value shows in its first byte. */
static conv__json_kind kind_of(char first)
{
    switch (first) {
    case 'n':
        return CONV__JSON_NULL;
    case 'f':
        return CONV__JSON_FALSE;
    case 't':
        return CONV__JSON_TRUE;
    case '"':
        return CONV__JSON_STRING;
    case '[':
        return CONV__JSON_ARRAY;
    case '{':
        return CONV__JSON_OBJECT;
    default:
        return first == '-' || (first >= '0' && first <= '9') ? CONV__JSON_NUMBER
                                                              : CONV__JSON_ABSENT;
    }
}

static bool scan_value(json_scanner *scanner, conv__json *value)
{
    if (scanner->at == scanner->end) return false;
    const char *start = scanner->at;
    value->kind = kind_of(*start);
    if (!scan_by_kind(scanner, value->kind)) return false;
    value->text = conv_view(start, (size_t)(scanner->at - start));
    return true;
}

bool conv__json_parse(conv_bytes text, conv__json *value, size_t *error_offset)
{
    if (error_offset != NULL) *error_offset = 0;
    if (text.data == NULL) return false;
    json_scanner scanner = {.at = text.data, .end = text.data + text.size};
    conv__json parsed = {0};
    skip_space(&scanner);
    bool is_value = scan_value(&scanner, &parsed);
    if (is_value) skip_space(&scanner);
    if (is_value && scanner.at == scanner.end) {
        *value = parsed;
        return true;
    }
    if (error_offset != NULL) *error_offset = (size_t)(scanner.at - text.data);
    return false;
}

static conv__json absent(void)
{
    return (conv__json){0};
}

bool conv__json_next(conv__json container, size_t *position, conv__json *key, conv__json *value)
{
    bool is_object = container.kind == CONV__JSON_OBJECT;
    if (!is_object && container.kind != CONV__JSON_ARRAY) return false;
    json_scanner scanner = {.at = container.text.data + *position,
                            .end = container.text.data + container.text.size};
    /* The opening bracket, or the comma after the value before. */
    scanner.at++;
    skip_space(&scanner);
    conv__json found_key = absent();
    if (is_object) {
        if (!scan_value(&scanner, &found_key)) return false;
        skip_space(&scanner);
        scanner.at++;
        skip_space(&scanner);
    }
    if (scanner.at >= scanner.end || !scan_value(&scanner, value)) return false;
    skip_space(&scanner);
    if (key != NULL) *key = found_key;
    *position = (size_t)(scanner.at - container.text.data);
    return true;
}

void conv__json_get_all(conv__json object, const char *const *keys, size_t count,
                        conv__json *values)
{
    for (size_t i = 0; i < count; i++) {
        values[i] = absent();
    }
    if (object.kind != CONV__JSON_OBJECT) return;
    conv__json member_key, member;
    for (size_t position = 0; conv__json_next(object, &position, &member_key, &member);) {
        for (size_t i = 0; i < count; i++) {
            if (conv__json_string_is(member_key, keys[i])) values[i] = member;
        }
    }
}

conv__json conv__json_get(conv__json object, const char *key)
{
    conv__json found;
    conv__json_get_all(object, &key, 1, &found);
    return found;
}

bool conv__json_integer(conv__json value, int64_t *integer)
{
    conv_decimal decimal;
    if (value.kind != CONV__JSON_NUMBER) return false;
    if (conv_decimal_parse(value.text, &decimal) != CONV_OK) return false;
    if (decimal.scale != 0 || decimal.high != 0) return false;
    uint64_t bound = (uint64_t)INT64_MAX + (decimal.negative ? 1 : 0);
    if (decimal.low > bound) return false;
    *integer = decimal.negative ? (int64_t)(0 - decimal.low) : (int64_t)decimal.low;
    return true;
}
