/* Asks a provider by itself, without a client or a store. */
#ifndef TESTS_SUPPORT_ASK_H
#define TESTS_SUPPORT_ASK_H

#include <stdbool.h>
#include <stddef.h>

#include "conversation/provider.h"
#include "core/buffer.h"

#define ASK_TURN_ID "0190b6f0-0000-7000-8000-000000000001"

/* What came of it. Set before are `stop_at`: the delta at which the listener stops, 0 for never;
 * and `impatient`: it stops as soon as it is asked whether to go on waiting. */
typedef struct asked {
    int stop_at;
    bool impatient;
    int deltas;
    conv__buffer heard;
    conv_provider_response *response;
    conv_status status;
    conv_error error;
    const conv_message *messages;
    size_t count;
} asked;

/* A request of one user message "Hello", with a time limit of 20 s. */
conv_provider_request ask_request(bool stream);

/* Begins `made` anew but for stop_at and impatient. */
void ask(asked *made, conv_provider *provider, const conv_provider_request *request);

void asked_free(asked *made);

/* An OpenAI provider at this base URL, with the key "sk-test-1234567890" and the model "m"; for
 * `max_retries` see conv_openai_params. Ends the program if it can't be made. */
conv_provider *ask_openai(const char *base_url, int max_retries);

#endif
