/* The provider that answers with the question: for trying things out without a model. */
#include <stdint.h>

#include "conversation/provider.h"
#include "core/error.h"
#include "core/memory.h"
#include "providers/words.h"

static const conv_message *last_user_message(const conv_provider_request *request)
{
    for (size_t i = request->message_count; i > 0; i--) {
        if (request->messages[i - 1].role == CONV_ROLE_USER) return &request->messages[i - 1];
    }
    return NULL;
}

static conv_status put_usage(const conv_provider_request *request, conv_bytes text,
                             conv_provider_response *response)
{
    conv_usage usage = CONV_USAGE_INIT;
    usage.input_tokens = 0;
    for (size_t i = 0; i < request->message_count; i++)
        usage.input_tokens += conv__word_count(request->messages[i].content);
    usage.output_tokens = conv__word_count(text);
    return conv_provider_response_usage(response, &usage);
}

static conv_status complete(conv_provider *provider, const conv_provider_request *request,
                            conv_provider_response *response, conv_error *error)
{
    (void)provider;
    const conv_message *question = last_user_message(request);
    if (question == NULL)
        return conv__fail(error, CONV_PROVIDER, "echo", "there is no user message to answer with");
    bool has_model = request->model.data != NULL;
    conv_message reply = {
        .role = CONV_ROLE_ASSISTANT, .content = question->content, .parts = question->parts};
    conv_status status = CONV_OK;
    if (request->stream) status = conv__put_words(response, question->content, SIZE_MAX);
    if (status == CONV_OK) status = conv_provider_response_message(response, &reply);
    if (status == CONV_OK) status = put_usage(request, question->content, response);
    if (status == CONV_OK)
        status = conv_provider_response_model(
            response, has_model ? request->model : conv_text("echo"), conv_text("stop"));
    if (status == CONV_CANCELLED)
        return conv__fail(error, status, "echo", "the caller wanted no more of the reply");
    if (status != CONV_OK) return conv__fail(error, status, "echo", "the reply can't be kept");
    return CONV_OK;
}

static void free_provider(conv_provider *provider)
{
    conv__release(provider);
}

conv_status conv_provider_echo(conv_provider **provider, conv_error *error)
{
    static const conv_provider_functions functions = {"echo", complete, free_provider};
    *provider = conv__allocate(sizeof **provider);
    if (*provider == NULL) return conv__fail_memory(error, "make provider");
    (*provider)->functions = &functions;
    return CONV_OK;
}
