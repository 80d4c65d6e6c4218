/* The built-in patterns, by hand: they must not depend on the locale, and take any bytes. */
#include "middleware/redact_find.h"

#include <string.h>

#include "core/memory.h"

static bool is_digit(unsigned char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_letter(unsigned char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static bool is_word(unsigned char byte)
{
    return is_digit(byte) || is_letter(byte);
}

static unsigned char at(conv_bytes line, size_t place)
{
    return (unsigned char)line.data[place];
}

void conv__marks_add(conv__marks *marks, size_t begin, size_t end, const char *name)
{
    if (marks->count == marks->capacity) {
        size_t capacity = marks->capacity == 0 ? 8 : 2 * marks->capacity;
        conv__mark *grown = conv__resize(marks->items, capacity * sizeof *grown);
        if (grown == NULL) {
            marks->failed = true;
            return;
        }
        marks->items = grown;
        marks->capacity = capacity;
    }
    marks->items[marks->count++] = (conv__mark){begin, end, name};
}

void conv__marks_free(conv__marks *marks)
{
    conv__release(marks->items);
    *marks = (conv__marks){0};
}

/* Bytes above ASCII belong to internationalised addresses (RFC 6531). */
static bool is_local_part(unsigned char byte)
{
    return is_word(byte) || byte >= 0x80 || (byte != 0 && strchr(".!#$%&'*+/=?^_`{|}~-", byte));
}

static bool is_domain(unsigned char byte)
{
    return is_word(byte) || byte >= 0x80 || byte == '.' || byte == '-';
}

static bool has(conv_bytes line, size_t place, const char *word)
{
    size_t size = strlen(word);
    return line.size - place >= size && memcmp(line.data + place, word, size) == 0;
}

/* Bytes of the sign at `place`, which JSON may have escaped, also JSON within it; 0: it is none. */
static size_t at_sign(conv_bytes line, size_t place)
{
    enum { MOST_ESCAPES = 8 };
    size_t end = place;
    if (at(line, place) == '@') return 1;
    while (end < line.size && at(line, end) == '\\' && end - place < MOST_ESCAPES)
        end++;
    return end > place && end < line.size && has(line, end, "u0040") ? end + 5 - place : 0;
}

/* Behind an address of the network in brackets (RFC 5321), or `begin`. */
static size_t literal_end(conv_bytes line, size_t begin)
{
    size_t end = begin + 1;
    size_t dots = 0;
    size_t colons = 0;
    bool digits = true;
    if (has(line, end, "IPv6:")) end += strlen("IPv6:");
    for (; end < line.size; end++) {
        unsigned char byte = at(line, end);
        bool hex = is_digit(byte) || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
        if (!hex && byte != '.' && byte != ':') break;
        dots += byte == '.';
        colons += byte == ':';
        digits = digits && (is_digit(byte) || byte == '.');
    }
    bool is_address = (digits && dots == 3) || colons > 1;
    return is_address && end < line.size && at(line, end) == ']' ? end + 1 : begin;
}

/* Where the domain that begins at `begin` ends, or `begin` if it is none: it has a dot, and at
 * least two characters behind the last one. */
static size_t domain_end(conv_bytes line, size_t begin)
{
    size_t end = begin;
    size_t dot = begin;
    if (begin < line.size && at(line, begin) == '[') return literal_end(line, begin);
    while (end < line.size && is_domain(at(line, end)))
        end++;
    while (end > begin && (at(line, end - 1) == '.' || at(line, end - 1) == '-'))
        end--;
    for (size_t i = begin; i < end; i++)
        if (at(line, i) == '.') dot = i;
    return dot > begin && end - dot > 2 ? end : begin;
}

void conv__find_emails(conv_bytes line, conv__marks *marks)
{
    size_t from = 0;
    for (size_t i = 0; i < line.size; i++) {
        size_t sign = at_sign(line, i);
        if (sign == 0) continue;
        size_t begin = i;
        while (begin > from && is_local_part(at(line, begin - 1)))
            begin--;
        size_t end = domain_end(line, i + sign);
        if (begin == i || end == i + sign) continue;
        conv__marks_add(marks, begin, end, "email");
        from = end;
        i = end - 1;
    }
}

static bool passes_luhn(const unsigned char *digits, size_t count)
{
    unsigned sum = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned digit = digits[count - 1 - i];
        if (i % 2 == 1) digit = digit > 4 ? 2 * digit - 9 : 2 * digit;
        sum += digit;
    }
    return sum % 10 == 0;
}

/* Bytes of what may part groups of digits; 0: it does not. A dot behind fewer digits is one of a
 * decimal, a date, a version or thousands. */
static size_t parts_card(conv_bytes line, size_t place, size_t group)
{
    enum { LEAST_GROUP = 4 };
    static const char *const spaces[] = {" ", "-", "\u00a0",
                                         "\u202f"}; /* that break no line, too */
    for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++)
        if (has(line, place, spaces[i])) return strlen(spaces[i]);
    return at(line, place) == '.' && group >= LEAST_GROUP ? 1 : 0;
}

/* What payment cards begin with, and from how many digits on; 0: with this none does. 1 are times
 * in milliseconds; of 8 and 9 (UnionPay, Troy) no card is as short as an ISBN or a telephone
 * number. */
static size_t least_digits(unsigned char first)
{
    if (first >= '2' && first <= '6') return 13;
    return first == '8' || first == '9' ? 16 : 0;
}

/* Where the longest card number that begins at `begin` ends, or `begin`. With a single dot it is a
 * decimal. */
static size_t card_end(conv_bytes line, size_t begin)
{
    enum { MOST = 19 };
    unsigned char digits[MOST];
    size_t least = least_digits(at(line, begin));
    size_t count = 0;
    size_t group = 0; /* digits since the last separator */
    size_t dots = 0;
    size_t end = begin;
    for (size_t i = begin; least > 0 && i < line.size && count < MOST; i++) {
        size_t between = group > 0 ? parts_card(line, i, group) : 0;
        if (between > 0 && i + between < line.size && is_digit(at(line, i + between))) {
            if (at(line, i) == '.') dots++;
            group = 0;
            i += between - 1;
            continue;
        }
        if (!is_digit(at(line, i))) break;
        group++;
        digits[count++] = (unsigned char)(at(line, i) - '0');
        bool ends = i + 1 == line.size || !is_word(at(line, i + 1));
        if (ends && dots != 1 && count >= least && passes_luhn(digits, count)) end = i + 1;
    }
    return end;
}

/* Digits alone behind a point behind a digit. */
static bool is_fraction(conv_bytes line, size_t begin, size_t end)
{
    if (begin < 2 || at(line, begin - 1) != '.' || !is_digit(at(line, begin - 2))) return false;
    while (begin < end && is_digit(at(line, begin)))
        begin++;
    return begin == end;
}

void conv__find_cards(conv_bytes line, conv__marks *marks)
{
    for (size_t i = 0; i < line.size; i++) {
        if (i > 0 && is_word(at(line, i - 1))) continue;
        size_t end = card_end(line, i);
        if (end == i || is_fraction(line, i, end)) continue;
        conv__marks_add(marks, i, end, "card");
        i = end - 1;
    }
}

typedef struct key_form {
    const char *prefix;
    size_t least; /* bytes behind it */
    bool capitals;
} key_form;

/* As their issuers document them; lengths are the shortest in use. */
static const key_form forms[] = {
    {"sk-", 20, false},      {"sk_live_", 16, false},    {"sk_test_", 16, false},
    {"rk_live_", 16, false}, {"rk_test_", 16, false},    {"ghp_", 30, false},
    {"gho_", 30, false},     {"ghu_", 30, false},        {"ghs_", 30, false},
    {"ghr_", 30, false},     {"github_pat_", 22, false}, {"glpat-", 20, false},
    {"xoxa-", 10, false},    {"xoxb-", 10, false},       {"xoxp-", 10, false},
    {"xoxr-", 10, false},    {"xoxs-", 10, false},       {"hf_", 30, false},
    {"npm_", 30, false},     {"AIza", 35, false},        {"AKIA", 16, true},
    {"ASIA", 16, true},
};

static bool is_key(unsigned char byte)
{
    return is_word(byte) || byte == '_' || byte == '-';
}

/* What the starts in one run of key bytes share, so that a long run is read once and not once for
 * each of them. */
typedef struct key_run {
    size_t end;
    size_t digits_end; /* behind its last digit, or where it was begun to be read */
    size_t token_end;  /* of the token whose first part ends with this run; 0: there is none */
} key_run;

static size_t run_end(conv_bytes line, size_t begin)
{
    while (begin < line.size && is_key(at(line, begin)))
        begin++;
    return begin;
}

/* Behind the last digit, or `begin`. */
static size_t digits_end(conv_bytes line, size_t begin, size_t end)
{
    while (end > begin && !is_digit(at(line, end - 1)))
        end--;
    return end;
}

enum { LEAST_TOKEN_PART = 8 };

/* A token is three parts in base64url with dots between (RFC 7519). */
static key_run run_at(conv_bytes line, size_t begin)
{
    key_run run = {.end = run_end(line, begin)};
    run.digits_end = digits_end(line, begin, run.end);
    if (run.end == line.size || at(line, run.end) != '.') return run;
    size_t second = run.end + 1;
    size_t end = run_end(line, second);
    if (end - second >= LEAST_TOKEN_PART && end < line.size && at(line, end) == '.')
        run.token_end = run_end(line, end + 1);
    return run;
}

static size_t capitals_end(conv_bytes line, size_t begin, size_t end)
{
    while (begin < end &&
           (is_digit(at(line, begin)) || (at(line, begin) >= 'A' && at(line, begin) <= 'Z')))
        begin++;
    return begin;
}

/* Where the key of this form that begins at `begin` ends, or `begin`. One without any digit is more
 * likely a name. */
static size_t key_end(conv_bytes line, size_t begin, const key_run *run, const key_form *form)
{
    size_t length = strlen(form->prefix);
    if (run->end - begin < length + form->least ||
        memcmp(line.data + begin, form->prefix, length) != 0)
        return begin;
    size_t first = begin + length;
    size_t end = run->end;
    bool has_digit = run->digits_end > first;
    if (form->capitals) { /* no other start is among them: these, too, are read once */
        end = capitals_end(line, first, run->end);
        has_digit = digits_end(line, first, end) > first;
    }
    return has_digit && end - first >= form->least ? end : begin;
}

/* The first part is a JSON object. */
static size_t token_end(conv_bytes line, size_t begin, const key_run *run)
{
    bool begins = run->end - begin >= LEAST_TOKEN_PART && memcmp(line.data + begin, "eyJ", 3) == 0;
    return begins && run->token_end > 0 ? run->token_end : begin;
}

void conv__find_keys(conv_bytes line, conv__marks *marks)
{
    key_run run = {0};
    for (size_t i = 0; i < line.size; i++) {
        if (!is_letter(at(line, i)) || (i > 0 && is_word(at(line, i - 1)))) continue;
        if (i >= run.end) run = run_at(line, i);
        size_t end = token_end(line, i, &run);
        for (size_t form = 0; end == i && form < sizeof forms / sizeof forms[0]; form++)
            end = key_end(line, i, &run, &forms[form]);
        if (end == i) continue;
        conv__marks_add(marks, i, end, "key");
        i = end - 1;
    }
}
