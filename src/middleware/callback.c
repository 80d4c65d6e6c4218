/* The application's own function as a step. */
#include <string.h>

#include "conversation/middleware.h"
#include "core/error.h"
#include "core/memory.h"

enum { NAME_SIZE = 64 };

typedef struct callback_step {
    conv_middleware base;
    conv_middleware_functions functions; /* a table of its own, because the name is its own */
    conv_middleware_function function;
    void *context;
    char name[NAME_SIZE];
} callback_step;

static conv_status handle(conv_middleware *middleware, conv_call *call, conv_next *next,
                          conv_error *error)
{
    const callback_step *step = (const callback_step *)middleware;
    return step->function(step->context, call, next, error);
}

static void free_step(conv_middleware *middleware)
{
    conv__release(middleware);
}

conv_status conv_middleware_callback(const char *name, conv_middleware_function function,
                                     void *context, conv_middleware **middleware, conv_error *error)
{
    *middleware = NULL;
    size_t length = name == NULL ? 0 : strnlen(name, NAME_SIZE);
    if (function == NULL || length == 0 || length == NAME_SIZE)
        return conv__fail(error, CONV_INVALID_ARGUMENT, "make middleware",
                          "the function is NULL, or its name is not 1 to %d bytes", NAME_SIZE - 1);
    callback_step *step = conv__allocate(sizeof *step);
    if (step == NULL) return conv__fail_memory(error, "make middleware");
    memcpy(step->name, name, length);
    step->functions =
        (conv_middleware_functions){.name = step->name, .handle = handle, .free = free_step};
    step->base.functions = &step->functions;
    step->function = function;
    step->context = context;
    *middleware = &step->base;
    return CONV_OK;
}
