/* What may be told of an error that the endpoint answered: identifiers, never its free message,
 * which may quote the user's text or the key. */
#ifndef CONV__PROVIDERS_OPENAI_ERROR_H
#define CONV__PROVIDERS_OPENAI_ERROR_H

#include <stddef.h>

#include "core/json.h"

#define CONV__OPENAI_NAME_SIZE 64

/* Empty where the endpoint did not say, or said something else than an identifier. */
typedef struct conv__openai_error {
    char type[CONV__OPENAI_NAME_SIZE];
    char code[CONV__OPENAI_NAME_SIZE];
    char param[CONV__OPENAI_NAME_SIZE];
} conv__openai_error;

/* Why an answer is none. `what` is a static text that continues "HOST ...", NULL for no failure. */
typedef struct conv__openai_failure {
    const char *what;
    conv__openai_error error;
} conv__openai_failure;

/* The `error` member of an answer: ABSENT also where it is null or false. */
conv__json conv__openai_error_find(conv__json answer);

/* Reads {"type", "code", "param"}; anything but an object gives empty names. */
void conv__openai_error_read(conv__json value, conv__openai_error *error);

/* Copies `text` into `name` if it is an identifier that fits, else makes `name` empty. */
void conv__openai_name_copy(conv_bytes text, char name[CONV__OPENAI_NAME_SIZE]);

#endif
