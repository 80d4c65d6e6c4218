/* Tidying of messages that others wrote. It must not allocate, and knows no connection. */
#include "db/postgres/message.h"

#include <stdbool.h>
#include <string.h>

/* A line that is being written; always ends with a NUL, and is cut at its size. */
typedef struct line_writer {
    char *text;
    size_t size;
    size_t used;
} line_writer;

static void put(line_writer *writer, char c)
{
    if (c == '\n' || c == '\r' || c == '\t') c = ' ';
    bool doubled = c == ' ' && (writer->used == 0 || writer->text[writer->used - 1] == ' ');
    if (!doubled && writer->used + 1 < writer->size) writer->text[writer->used++] = c;
    writer->text[writer->used] = '\0';
}

static void end(line_writer *writer)
{
    while (writer->used > 0 && writer->text[writer->used - 1] == ' ')
        writer->text[--writer->used] = '\0';
}

void conv__message_one_line(const char *message, char *line, size_t size)
{
    line_writer writer = {line, size, 0};
    line[0] = '\0';
    for (; *message != '\0'; message++)
        put(&writer, *message);
    end(&writer);
}

void conv__message_without_quotes(const char *message, char *line, size_t size)
{
    line_writer writer = {line, size, 0};
    bool quoted = false;
    line[0] = '\0';
    for (; *message != '\0'; message++) {
        if (*message == '"') {
            quoted = !quoted;
            for (const char *dots = quoted ? "\"..." : "\""; *dots != '\0'; dots++)
                put(&writer, *dots);
        } else if (!quoted) {
            put(&writer, *message);
        }
    }
    end(&writer);
}

static bool is_state_character(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
}

/* "FATAL:  28P01: password …": the severity may be in any language, the colons stay. */
static bool is_state(const char *text)
{
    if (strncmp(text, ":  ", 3) != 0) return false;
    for (int i = 3; i < 8; i++)
        if (!is_state_character(text[i])) return false;
    return text[8] == ':' && text[9] == ' ';
}

/* "LOCATION:  auth_failed, auth.c:331" */
static bool is_place(const char *text, size_t size)
{
    size_t digits = 0;
    while (digits < size && text[size - 1 - digits] >= '0' && text[size - 1 - digits] <= '9')
        digits++;
    return digits > 0 && size > digits + 3 && memcmp(text + size - digits - 3, ".c:", 3) == 0;
}

/* libpq's advice is indented, in every language. */
static bool is_advice(const char *text)
{
    return text[0] == '\t';
}

void conv__message_of_connecting(const char *message, char *line, size_t size, char sqlstate[6])
{
    line_writer writer = {line, size, 0};
    line[0] = '\0';
    sqlstate[0] = '\0';
    while (*message != '\0') {
        size_t length = strcspn(message, "\n");
        if (length > 0 && !is_advice(message) && !is_place(message, length)) {
            if (writer.used > 0) put(&writer, ';');
            put(&writer, ' ');
            for (size_t i = 0; i < length; i++) {
                put(&writer, message[i]);
                if (!is_state(message + i)) continue;
                memcpy(sqlstate, message + i + 3, 5);
                sqlstate[5] = '\0';
                i += 8;
            }
        }
        message += length + (message[length] == '\n');
    }
    end(&writer);
}
