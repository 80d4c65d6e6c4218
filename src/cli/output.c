/* Values for programs. Exact decimals are strings: a JSON number would become a double somewhere.
 */
#include "cli/output.h"

#include <stdlib.h>
#include <string.h>

#include "cli/display.h"
#include "cli/format.h"
#include "cli/terminal.h"

bool cli_form_of(const cli_arguments *arguments, cli_form *form)
{
    bool json = cli_given(arguments, CLI_OPTION_JSON);
    bool jsonl = cli_given(arguments, CLI_OPTION_JSONL);
    bool csv = cli_given(arguments, CLI_OPTION_CSV);
    *form = json ? CLI_FORM_JSON : jsonl ? CLI_FORM_JSONL : csv ? CLI_FORM_CSV : CLI_FORM_PEOPLE;
    if (json + jsonl + csv <= 1) return true;
    cli_complain("%s: --json, --jsonl and --csv exclude each other", arguments->command->name);
    return false;
}

void cli_write_repaired(FILE *file, conv_bytes bytes)
{
    cli_glyph glyph;
    for (size_t offset = 0, used; offset < bytes.size; offset += used) {
        used = cli_glyph_read(conv_view(bytes.data + offset, bytes.size - offset), &glyph);
        if (glyph.code == UINT32_MAX)
            fputs("\xef\xbf\xbd", file);
        else
            fwrite(bytes.data + offset, 1, used, file);
    }
}

/* The same on the heap. */
static char *repaired(conv_bytes bytes, size_t *size)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, size);
    if (file == NULL) return NULL;
    cli_write_repaired(file, bytes);
    bool failed = ferror(file) != 0;
    if (fclose(file) == 0 && !failed) return text;
    free(text);
    return NULL;
}

json_t *cli_json_text(conv_bytes bytes)
{
    if (bytes.data == NULL) return json_null();
    json_t *value = json_stringn(bytes.data, bytes.size);
    if (value != NULL) return value;
    size_t size = 0;
    char *text = repaired(bytes, &size);
    if (text == NULL) return NULL;
    value = json_stringn(text, size);
    free(text);
    return value;
}

json_t *cli_json_time(int64_t time_us)
{
    char text[CLI_FORMAT_SIZE];
    cli_format_timestamp(time_us, text);
    return json_string(text);
}

json_t *cli_json_decimal(conv_decimal decimal)
{
    char text[CONV_DECIMAL_TEXT_SIZE];
    conv_decimal_format(decimal, text);
    return json_string(text);
}

json_t *cli_json_count(int64_t count)
{
    return count == CONV_UNKNOWN ? json_null() : json_integer(count);
}

void cli_json_add(json_t *object, bool *failed, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0) *failed = true;
}

void cli_json_add_usage(json_t *object, bool *failed, const conv_usage *usage)
{
    cli_json_add(object, failed, "model", cli_json_text(usage->model));
    cli_json_add(object, failed, "provider", cli_json_text(usage->provider));
    cli_json_add(object, failed, "input_tokens", cli_json_count(usage->input_tokens));
    cli_json_add(object, failed, "output_tokens", cli_json_count(usage->output_tokens));
    cli_json_add(object, failed, "total_tokens", cli_json_count(usage->total_tokens));
    cli_json_add(object, failed, "cost_usd",
                 usage->priced ? cli_json_decimal(usage->cost_usd) : json_null());
    cli_json_add(object, failed, "latency_ms", cli_json_count(usage->latency_ms));
}

bool cli_json_print(FILE *file, json_t *value, bool failed)
{
    bool ok = value != NULL && !failed;
    if (ok) {
        /* A full disk shows when the stream is flushed at the end of the program. */
        (void)json_dumpf(value, file, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
        fputc('\n', file);
    } else {
        cli_complain("print: out of memory");
    }
    json_decref(value);
    return ok;
}

bool cli_json_print_open(FILE *file, json_t *object, bool failed)
{
    char *text = object == NULL || failed ? NULL : json_dumps(object, JSON_REAL_PRECISION(15));
    json_decref(object);
    if (text == NULL) {
        cli_complain("print: out of memory");
        return false;
    }
    fwrite(text, 1, strlen(text) - 1, file);
    free(text);
    return true;
}

void cli_csv_field(FILE *file, conv_bytes field, bool first)
{
    if (!first) fputc(',', file);
    if (field.data == NULL) return;
    bool quoted = field.size == 0;
    for (size_t i = 0; i < field.size && !quoted; i++)
        quoted = strchr("\",\r\n", field.data[i]) != NULL;
    if (!quoted) {
        fwrite(field.data, 1, field.size, file);
        return;
    }
    fputc('"', file);
    for (size_t i = 0; i < field.size; i++) {
        if (field.data[i] == '"') fputc('"', file);
        fputc(field.data[i], file);
    }
    fputc('"', file);
}

void cli_csv_end(FILE *file)
{
    fputs("\r\n", file);
}
