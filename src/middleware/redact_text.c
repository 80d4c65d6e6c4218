/* The redactor: its patterns, and the texts that it makes. Finding is redact_find.c's and
 * regexec's. */
#include "middleware/redact_text.h"

#include <locale.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/json.h"
#include "middleware/redact_find.h"

#define ACTION "make redaction"

enum { NAME_SIZE = 32, MOST_PATTERNS = 64, MOST_NESTED = 4 };

typedef struct pattern {
    char name[NAME_SIZE];
    regex_t regex;
} pattern;

struct conv__redactor {
    bool emails;
    bool cards;
    bool keys;
    pattern *patterns;
    size_t count;
};

void conv__redactor_free(conv__redactor *redactor)
{
    if (redactor == NULL) return;
    for (size_t i = 0; i < redactor->count; i++)
        regfree(&redactor->patterns[i].regex);
    conv__release(redactor->patterns);
    conv__release(redactor);
}

/* It stands inside texts and JSON strings, so it is plain. */
static bool is_name(const char *name)
{
    size_t length = name == NULL ? 0 : strnlen(name, NAME_SIZE);
    return length > 0 && length < NAME_SIZE &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == length;
}

/* Compiled in the C locale, so that it means the same in every program, over bytes. */
static int compile(regex_t *regex, const char *text)
{
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain == (locale_t)0) return REG_ESPACE;
    locale_t own = uselocale(plain);
    int code = regcomp(regex, text, REG_EXTENDED);
    uselocale(own);
    freelocale(plain);
    return code;
}

static conv_status add_pattern(conv__redactor *redactor, const conv_redact_pattern *wanted,
                               conv_error *error)
{
    pattern *made = &redactor->patterns[redactor->count];
    size_t number = redactor->count + 1;
    if (!is_name(wanted->name) || wanted->pattern == NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "pattern %zu has no pattern, or its name is not 1 to %d of a-z, 0-9, '-' "
                          "and '_'",
                          number, NAME_SIZE - 1);
    int code = compile(&made->regex, wanted->pattern);
    if (code == REG_ESPACE) return conv__fail_memory(error, ACTION);
    if (code != 0)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "pattern %zu ('%s') is no extended regular expression", number,
                          wanted->name);
    if (regexec(&made->regex, "", 0, NULL, 0) == 0) {
        regfree(&made->regex);
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "pattern %zu ('%s') matches the empty text", number, wanted->name);
    }
    memcpy(made->name, wanted->name, strlen(wanted->name) + 1);
    redactor->count++;
    return CONV_OK;
}

conv_status conv__redactor_create(const conv_redact_params *params, conv__redactor **redactor,
                                  conv_error *error)
{
    *redactor = NULL;
    if (params->size != sizeof *params)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "the settings were not begun with CONV_REDACT_PARAMS_INIT");
    if (params->pattern_count > MOST_PATTERNS ||
        (params->pattern_count > 0 && params->patterns == NULL))
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "there are more than %d patterns, or patterns is NULL", MOST_PATTERNS);
    conv__redactor *made = conv__allocate(sizeof *made);
    if (made == NULL) return conv__fail_memory(error, ACTION);
    made->emails = !params->keep_emails;
    made->cards = !params->keep_cards;
    made->keys = !params->keep_api_keys;
    made->patterns = conv__allocate((params->pattern_count + 1) * sizeof *made->patterns);
    conv_status status = made->patterns != NULL ? CONV_OK : conv__fail_memory(error, ACTION);
    for (size_t i = 0; status == CONV_OK && i < params->pattern_count; i++)
        status = add_pattern(made, &params->patterns[i], error);
    if (status == CONV_OK)
        *redactor = made;
    else
        conv__redactor_free(made);
    return status;
}

/* All matches of one pattern. A failing regexec is out of memory. */
static void find_pattern(const pattern *wanted, conv_bytes line, conv__marks *marks)
{
    size_t from = 0;
    while (from < line.size) {
        regmatch_t match = {.rm_so = (regoff_t)from, .rm_eo = (regoff_t)line.size};
        int code = regexec(&wanted->regex, line.data, 1, &match,
                           REG_STARTEND | (from > 0 ? REG_NOTBOL : 0));
        if (code == REG_NOMATCH) return;
        if (code != 0) {
            marks->failed = true;
            return;
        }
        if (match.rm_eo > match.rm_so)
            conv__marks_add(marks, (size_t)match.rm_so, (size_t)match.rm_eo, wanted->name);
        from = match.rm_eo > match.rm_so ? (size_t)match.rm_eo : (size_t)match.rm_eo + 1;
    }
}

static int compare_marks(const void *a, const void *b)
{
    const conv__mark *first = a;
    const conv__mark *second = b;
    if (first->begin != second->begin) return first->begin < second->begin ? -1 : 1;
    return first->end > second->end ? -1 : first->end < second->end;
}

/* Appends the line with its marked pieces replaced; pieces that overlap are one. */
static void replace(conv_bytes line, const conv__marks *marks, conv__buffer *redacted)
{
    size_t done = 0;
    for (size_t i = 0; i < marks->count;) {
        const conv__mark *mark = &marks->items[i];
        size_t end = mark->end;
        while (++i < marks->count && marks->items[i].begin < end)
            if (marks->items[i].end > end) end = marks->items[i].end;
        conv__buffer_append(redacted, line.data + done, mark->begin - done);
        conv__buffer_append_text(redacted, "[redacted:");
        conv__buffer_append_text(redacted, mark->name);
        conv__buffer_append_text(redacted, "]");
        done = end;
    }
    conv__buffer_append(redacted, line.data + done, line.size - done);
}

static void redact_line(const conv__redactor *redactor, conv_bytes line, conv__marks *marks,
                        conv__buffer *redacted)
{
    marks->count = 0;
    if (redactor->emails) conv__find_emails(line, marks);
    if (redactor->cards) conv__find_cards(line, marks);
    if (redactor->keys) conv__find_keys(line, marks);
    for (size_t i = 0; i < redactor->count; i++)
        find_pattern(&redactor->patterns[i], line, marks);
    if (marks->count > 1) qsort(marks->items, marks->count, sizeof *marks->items, compare_marks);
    replace(line, marks, redacted);
}

conv_status conv__redact_lines(const conv__redactor *redactor, conv_bytes text,
                               conv__buffer *redacted)
{
    conv__marks marks = {0};
    while (text.size > 0 && !marks.failed) {
        const char *end = memchr(text.data, '\n', text.size);
        size_t size = end == NULL ? text.size : (size_t)(end - text.data);
        redact_line(redactor, conv_view(text.data, size), &marks, redacted);
        if (end != NULL) conv__buffer_append(redacted, "\n", 1);
        if (end != NULL) size++;
        text = conv_view(text.data + size, text.size - size);
    }
    bool failed = marks.failed || redacted->failed;
    conv__marks_free(&marks);
    return failed ? CONV_NO_MEMORY : CONV_OK;
}

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

bool conv__redact_is_json(conv_bytes text, bool *known)
{
    size_t i = 0;
    while (i < text.size && is_space(text.data[i]))
        i++;
    *known = i < text.size;
    return *known && (text.data[i] == '{' || text.data[i] == '[');
}

static conv_status redact_nested(const conv__redactor *redactor, conv__arena *arena,
                                 conv_bytes text, int nested, conv_bytes *redacted);

/* Appends a string or a number, as it was or with what had to go. */
static conv_status redact_scalar(const conv__redactor *redactor, conv__arena *arena,
                                 conv__json value, int nested, conv__buffer *out)
{
    conv_bytes said = value.text;
    conv_bytes redacted;
    conv_status status = CONV_OK;
    if (value.kind == CONV__JSON_STRING) status = conv__json_string(arena, value, &said);
    if (status == CONV_OK) status = redact_nested(redactor, arena, said, nested + 1, &redacted);
    if (status != CONV_OK) return status;
    if (redacted.data == said.data)
        conv__buffer_append_bytes(out, value.text);
    else
        (void)conv__json_append_string(out, redacted);
    return CONV_OK;
}

/* Where the string or number that begins at `begin` ends. */
static size_t scalar_end(conv_bytes text, size_t begin)
{
    size_t end = begin + 1;
    if (text.data[begin] == '"') {
        while (text.data[end] != '"')
            end += text.data[end] == '\\' ? 2 : 1;
        return end + 1;
    }
    while (end < text.size && text.data[end] != '\0' && strchr("+-.eE0123456789", text.data[end]))
        end++;
    return end;
}

/* A value that was parsed before. One pass over its bytes, however deep it is: member by member,
 * each level would read all that is in it again. */
static conv_status redact_value(const conv__redactor *redactor, conv__arena *arena, conv_bytes text,
                                int nested, conv__buffer *out)
{
    conv_status status = CONV_OK;
    for (size_t i = 0; status == CONV_OK && i < text.size;) {
        char byte = text.data[i];
        bool string = byte == '"';
        if (string || byte == '-' || (byte >= '0' && byte <= '9')) {
            size_t end = scalar_end(text, i);
            const conv__json value = {.kind = string ? CONV__JSON_STRING : CONV__JSON_NUMBER,
                                      .text = conv_view(text.data + i, end - i)};
            status = redact_scalar(redactor, arena, value, nested, out);
            i = end;
        } else {
            if (!is_space(byte)) conv__buffer_append(out, &byte, 1);
            i++;
        }
    }
    return status;
}

/* The same value written without the spaces between: what redacting compares with. */
static bool same_but_for_spaces(conv_bytes a, conv_bytes b)
{
    bool in_string = false;
    size_t j = 0;
    for (size_t i = 0; i < a.size; i++) {
        char byte = a.data[i];
        if (!in_string && is_space(byte)) continue;
        if (j == b.size || b.data[j] != byte) return false;
        j++;
        if (in_string && byte == '\\' && i + 1 < a.size) {
            if (j == b.size || b.data[j] != a.data[i + 1]) return false;
            i++;
            j++;
        } else if (byte == '"') {
            in_string = !in_string;
        }
    }
    return j == b.size;
}

/* Gives `text` itself where nothing is redacted. `nested` counts strings that hold JSON. */
static conv_status redact_nested(const conv__redactor *redactor, conv__arena *arena,
                                 conv_bytes text, int nested, conv_bytes *redacted)
{
    conv__buffer out = {0};
    conv__json value;
    bool known;
    *redacted = text;
    if (text.size == 0) return CONV_OK;
    bool json = nested < MOST_NESTED && conv__redact_is_json(text, &known) &&
                conv__json_parse(text, &value, NULL);
    conv_status status = json ? redact_value(redactor, arena, value.text, nested, &out)
                              : conv__redact_lines(redactor, text, &out);
    if (status == CONV_OK && out.failed) status = CONV_NO_MEMORY;
    conv_bytes made = conv__buffer_bytes(&out);
    bool same = json ? status == CONV_OK && same_but_for_spaces(value.text, made)
                     : conv_bytes_equal(text, made);
    if (status == CONV_OK && !same) status = conv__arena_copy(arena, made, redacted);
    conv__buffer_free(&out);
    return status;
}

conv_status conv__redact_text(const conv__redactor *redactor, conv__arena *arena, conv_bytes text,
                              conv_bytes *redacted)
{
    return redact_nested(redactor, arena, text, 0, redacted);
}
