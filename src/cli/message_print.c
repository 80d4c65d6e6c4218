/* Messages as a readable transcript. What can't be read as JSON is shown as it is, never left out.
 */
#include "cli/message_print.h"

#include <jansson.h>
#include <string.h>

#include "cli/display.h"
#include "cli/format.h"
#include "cli/terminal.h"

#define INDENT "  "

static void print_bytes(FILE *file, const char *separator, conv_bytes bytes)
{
    if (bytes.data == NULL) return;
    fputs(separator, file);
    cli_display_line(file, bytes, 0);
}

static void print_heading(FILE *file, const conv_message *message)
{
    char text[CLI_FORMAT_SIZE];
    fprintf(file, "%s%s%s", cli_style_of(file, CLI_STYLE_BOLD), conv_role_name(message->role),
            cli_style_of(file, CLI_STYLE_PLAIN));
    print_bytes(file, " ", message->name);
    fputs(cli_style_of(file, CLI_STYLE_DIM), file);
    if (message->position > 0) fprintf(file, "  #%lld", (long long)message->position);
    cli_format_time(message->created_us, text);
    fprintf(file, "  %s UTC", text);
    print_bytes(file, "  ", message->model);
    fputs(cli_style_of(file, CLI_STYLE_PLAIN), file);
    if (message->status != CONV_OUTCOME_COMPLETE)
        fprintf(file, "  %s(%s)%s", cli_style_of(file, CLI_STYLE_ERROR),
                conv_outcome_name(message->status), cli_style_of(file, CLI_STYLE_PLAIN));
    fputc('\n', file);
}

static conv_bytes string_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value)) return conv_text(NULL);
    return conv_view(json_string_value(value), json_string_length(value));
}

/* "-> get_weather({"city": "Paris"})" in one line. */
static void print_call(FILE *file, const json_t *call, size_t width)
{
    const json_t *function = json_object_get(call, "function");
    conv_bytes name = string_of(function, "name");
    conv_bytes arguments = string_of(function, "arguments");
    fputs(INDENT "-> ", file);
    size_t used = strlen(INDENT "-> ()");
    used += cli_display_line(file, name.data == NULL ? conv_text("?") : name, 0);
    fputc('(', file);
    cli_display_line(file, arguments, width > used + 10 ? width - used : 10);
    fputs(")\n", file);
}

static void print_calls(FILE *file, conv_bytes tool_calls, size_t width)
{
    json_t *calls = json_loadb(tool_calls.data, tool_calls.size, JSON_ALLOW_NUL, NULL);
    if (!json_is_array(calls)) {
        fputs(INDENT "-> ", file);
        cli_display_line(file, tool_calls, width > 20 ? width - 6 : 14);
        fputc('\n', file);
    }
    for (size_t i = 0; json_is_array(calls) && i < json_array_size(calls); i++)
        print_call(file, json_array_get(calls, i), width);
    json_decref(calls);
}

/* The text of text parts; of any other part its kind. */
static void print_parts(FILE *file, conv_bytes parts, size_t width)
{
    json_t *list = json_loadb(parts.data, parts.size, JSON_ALLOW_NUL, NULL);
    if (!json_is_array(list)) cli_display_wrapped(file, parts, width, INDENT);
    for (size_t i = 0; json_is_array(list) && i < json_array_size(list); i++) {
        const json_t *part = json_array_get(list, i);
        conv_bytes text = string_of(part, "text");
        if (text.data != NULL) {
            cli_display_wrapped(file, text, width, INDENT);
            continue;
        }
        conv_bytes kind = string_of(part, "type");
        fputs(INDENT "[", file);
        cli_display_line(file, kind.data == NULL ? conv_text("part") : kind, 40);
        fputs("]\n", file);
    }
    json_decref(list);
}

void cli_message_print(FILE *file, const conv_message *message, size_t width)
{
    print_heading(file, message);
    if (message->content.data != NULL) cli_display_wrapped(file, message->content, width, INDENT);
    if (message->parts.data != NULL) print_parts(file, message->parts, width);
    if (message->tool_calls.data != NULL) print_calls(file, message->tool_calls, width);
    fputc('\n', file);
}
