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

/* What provider.h lets `complete` answer. */
static bool is_provider_status(conv_status status)
{
    return status == CONV_PROVIDER || status == CONV_UNAVAILABLE || status == CONV_TIMEOUT ||
           status == CONV_CANCELLED || status == CONV_INVALID_ARGUMENT || status == CONV_NO_MEMORY;
}

static conv_status complete(conv_provider *provider, const conv_provider_request *request,
                            conv_provider_response *response, conv_error *error)
{
    const callback_provider *callback = (const callback_provider *)provider;
    /* Statuses alone say little: a function that fills no error still gets one that is whole. */
    conv_error own = CONV_ERROR_INIT;
    conv_status status = callback->function(callback->context, request, response, &own);
    if (status == CONV_OK) return CONV_OK;
    if (!is_provider_status(status)) status = CONV_PROVIDER;
    const char *action = own.action[0] != '\0' ? own.action : "ask provider";
    if (own.message[0] == '\0')
        return conv__fail(error, status, action, "the function of provider '%s' failed",
                          callback->name);
    /* Written anew, so that it is one line whatever the function put there. */
    conv__fail(error, status, action, "%s", own.message);
    if (error != NULL && own.recovery != CONV_RECOVERY_NONE) error->recovery = own.recovery;
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
