/* The application's own function as a provider. */
#include "conversation/provider.h"
#include "core/error.h"
#include "core/memory.h"

typedef struct callback_provider {
    conv_provider base;
    conv_provider_functions functions; /* a table of its own, because the name is its own */
    char *name;
    conv_provider_function function;
    void *context;
} callback_provider;

static conv_status complete(conv_provider *provider, const conv_provider_request *request,
                            conv_provider_response *response, conv_error *error)
{
    const callback_provider *callback = (const callback_provider *)provider;
    /* Statuses alone say little: a function that fills no error still gets one that is whole. */
    conv_error own = CONV_ERROR_INIT;
    conv_status status = callback->function(callback->context, request, response, &own);
    if (status == CONV_OK) return CONV_OK;
    if (own.status != status || own.message[0] == '\0')
        return conv__fail(error, status, "ask provider", "the function of provider '%s' failed",
                          callback->name);
    if (error != NULL) *error = own;
    return status;
}

static void free_provider(conv_provider *provider)
{
    callback_provider *callback = (callback_provider *)provider;
    conv__release(callback->name);
    conv__release(callback);
}

conv_status conv_provider_callback(const char *name, conv_provider_function function, void *context,
                                   conv_provider **provider, conv_error *error)
{
    *provider = NULL;
    if (name == NULL || function == NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, "make provider",
                          "name or function is NULL");
    callback_provider *callback = conv__allocate(sizeof *callback);
    if (callback == NULL) return conv__fail_memory(error, "make provider");
    callback->name = conv__copy_text(name);
    if (callback->name == NULL) {
        conv__release(callback);
        return conv__fail_memory(error, "make provider");
    }
    callback->functions = (conv_provider_functions){callback->name, complete, free_provider};
    callback->base.functions = &callback->functions;
    callback->function = function;
    callback->context = context;
    *provider = &callback->base;
    return CONV_OK;
}
