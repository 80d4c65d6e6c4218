/* What may be told of an error that the endpoint answered. */
#include "providers/openai_error.h"

#include <string.h>

conv__json conv__openai_error_find(conv__json answer)
{
    conv__json error = conv__json_get(answer, "error");
    if (error.kind == CONV__JSON_NULL || error.kind == CONV__JSON_FALSE)
        error.kind = CONV__JSON_ABSENT;
    return error;
}

static int is_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("_-.[]", c) != NULL);
}

void conv__openai_name_copy(conv_bytes text, char name[CONV__OPENAI_NAME_SIZE])
{
    name[0] = '\0';
    if (text.size == 0 || text.size >= CONV__OPENAI_NAME_SIZE) return;
    for (size_t i = 0; i < text.size; i++) {
        if (!is_name_character(text.data[i])) return;
    }
    memcpy(name, text.data, text.size);
    name[text.size] = '\0';
}

static void read_name(conv__json error, const char *key, char name[CONV__OPENAI_NAME_SIZE])
{
    conv__json value = conv__json_get(error, key);
    name[0] = '\0';
    if (value.kind == CONV__JSON_NUMBER) conv__openai_name_copy(value.text, name);
    /* An identifier needs no escapes, so the bytes between the quotes are the text. */
    if (value.kind == CONV__JSON_STRING)
        conv__openai_name_copy(conv_view(value.text.data + 1, value.text.size - 2), name);
}

void conv__openai_error_read(conv__json value, conv__openai_error *error)
{
    read_name(value, "type", error->type);
    read_name(value, "code", error->code);
    read_name(value, "param", error->param);
}
