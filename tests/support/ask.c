#include "support/ask.h"

#include <stdio.h>
#include <stdlib.h>

#include "providers/response.h"

static int hear(void *context, conv_bytes delta)
{
    asked *made = context;
    if (delta.size == 0) return made->impatient;
    conv__buffer_append_bytes(&made->heard, delta);
    return ++made->deltas == made->stop_at;
}

conv_provider_request ask_request(bool stream)
{
    static const conv_message hello = {.role = CONV_ROLE_USER, .content = {"Hello", 5}};
    return (conv_provider_request){
        .size = sizeof(conv_provider_request),
        .messages = &hello,
        .message_count = 1,
        .stream = stream,
        .timeout_ms = 20000,
        .session_id = "0190b6f0-0000-7000-8000-000000000000",
        .turn_id = ASK_TURN_ID,
    };
}

void ask(asked *made, conv_provider *provider, const conv_provider_request *request)
{
    static const conv_error none = CONV_ERROR_INIT;
    *made = (asked){.stop_at = made->stop_at, .impatient = made->impatient, .error = none};
    if (conv__provider_response_create(hear, made, &made->response) != CONV_OK) abort();
    made->status = provider->functions->complete(provider, request, made->response, &made->error);
    made->messages = conv__provider_response_messages(made->response, &made->count);
}

void asked_free(asked *made)
{
    conv__provider_response_free(made->response);
    conv__buffer_free(&made->heard);
    *made = (asked){0};
}

conv_provider *ask_openai(const char *base_url, int max_retries)
{
    conv_error error = CONV_ERROR_INIT;
    conv_provider *provider = NULL;
    conv_openai_params params = CONV_OPENAI_PARAMS_INIT;
    params.base_url = base_url;
    params.api_key = "sk-test-1234567890";
    params.model = "m";
    params.max_retries = max_retries;
    if (conv_provider_openai(&params, &provider, &error) != CONV_OK) {
        fprintf(stderr, "making the provider: %s\n", error.message);
        abort();
    }
    return provider;
}
