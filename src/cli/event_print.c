/* One line for each event. Anybody may tell anything on a channel: nothing of it is trusted. */
#include "cli/event_print.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/display.h"
#include "cli/format.h"
#include "cli/terminal.h"
#include "conversation/events.h"

/* What a line says, in this order, and how; a member that is not there is left out. Behind a number
 * stands what it counts, of which there may be several. */
static const struct {
    const char *member;
    const char *before;
    const char *behind;
} parts[] = {
    {"operation", "", ""},
    {"check", "", ""},
    {"health", "", ""},
    {"health_before", "was ", ""},
    {"model", "", ""},
    {"outcome", "", ""},
    {"error", "", ""},
    {"sqlstate", "sqlstate ", ""},
    {"messages", "", " message"},
    {"records", "", " record"},
    {"total_tokens", "", " token"},
    {"cost_usd", "", " USD"},
    {"session_id", "session ", ""},
    {"document_id", "document ", ""},
    {"user_id", "user ", ""},
};

#define PART_COUNT (sizeof parts / sizeof parts[0])

/* As wide as the longest name of an event. */
#define KIND_COLUMNS 19

static bool write_value(FILE *file, const char *before, const json_t *value, const char *behind)
{
    char text[CLI_FORMAT_SIZE];
    if (json_is_integer(value))
        cli_format_count(json_integer_value(value), text);
    else if (!json_is_string(value))
        return false;
    fputs(before, file);
    cli_display_line(file, conv_text(json_is_string(value) ? json_string_value(value) : text), 0);
    fputs(behind, file);
    if (json_is_integer(value) && json_integer_value(value) != 1) fputc('s', file);
    return true;
}

static void write_time(FILE *file, const json_t *value)
{
    int64_t time_us = 0;
    bool is_day = false;
    char text[CLI_FORMAT_SIZE] = "";
    if (json_is_string(value) && cli_read_date(json_string_value(value), &time_us, &is_day))
        cli_format_time(time_us, text);
    fprintf(file, "%-19s  ", text);
}

static void write_words(FILE *file, const json_t *event)
{
    write_time(file, json_object_get(event, "time"));
    fputs(cli_style_of(file, CLI_STYLE_BOLD), file);
    conv_bytes kind = conv_text(json_string_value(json_object_get(event, "event")));
    size_t columns = cli_display_line(file, kind, 0);
    fputs(cli_style_of(file, CLI_STYLE_PLAIN), file);
    fprintf(file, "%*s", columns < KIND_COLUMNS ? (int)(KIND_COLUMNS - columns) : 0, "");
    const char *gap = "  ";
    for (size_t i = 0; i < PART_COUNT; i++) {
        const json_t *value = json_object_get(event, parts[i].member);
        char before[32];
        snprintf(before, sizeof before, "%s%s", gap, parts[i].before);
        if (write_value(file, before, value, parts[i].behind)) gap = ", ";
    }
    fputc('\n', file);
}

/* A line break is nothing but a blank in JSON. */
static void write_json(FILE *file, const char *text)
{
    for (const char *byte = text; *byte != '\0'; byte++)
        fputc(*byte == '\n' || *byte == '\r' ? ' ' : *byte, file);
    fputc('\n', file);
}

/* Its kind; CONV_EVENT_KINDS, which only the set of all holds, for one that this version does not
 * know; -1: no event. */
static int kind_of(const json_t *event)
{
    const char *name = json_string_value(json_object_get(event, "event"));
    int kind = 0;
    if (name == NULL) return -1;
    while (kind < CONV_EVENT_KINDS &&
           strcmp(conv_event_kind_name((conv_event_kind)kind), name) != 0)
        kind++;
    return kind;
}

bool cli_event_print(const char *text, uint64_t kinds, bool as_json)
{
    json_error_t error;
    json_t *event = json_loads(text, 0, &error);
    int kind = kind_of(event);
    if (kind < 0) cli_note("something that is no event was told on this channel, and is left out");
    bool wanted = kind >= 0 && (kinds & CONV_EVENT_SET(kind)) != 0;
    if (wanted && as_json)
        write_json(stdout, text);
    else if (wanted)
        write_words(stdout, event);
    json_decref(event);
    return wanted;
}
