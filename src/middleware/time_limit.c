/* A step that gives a turn less time. It stops nobody: it only moves the deadline. */
#include "conversation/middleware.h"
#include "core/error.h"
#include "core/memory.h"

enum { MOST_MS = 86400000 };

typedef struct time_limit {
    conv_middleware base;
    int64_t timeout_ms;
} time_limit;

static conv_status handle(conv_middleware *middleware, conv_call *call, conv_next *next,
                          conv_error *error)
{
    const time_limit *limit = (const time_limit *)middleware;
    conv_call_limit_time(call, limit->timeout_ms);
    return conv_next_run(next, call, error);
}

static void free_step(conv_middleware *middleware)
{
    conv__release(middleware);
}

conv_status conv_middleware_time_limit(int64_t timeout_ms, conv_middleware **middleware,
                                       conv_error *error)
{
    static const conv_middleware_functions functions = {
        .name = "time_limit", .handle = handle, .free = free_step};
    *middleware = NULL;
    if (timeout_ms < 1 || timeout_ms > MOST_MS)
        return conv__fail(error, CONV_INVALID_ARGUMENT, "make middleware",
                          "the time limit is not 1 to %d ms", MOST_MS);
    time_limit *made = conv__allocate(sizeof *made);
    if (made == NULL) return conv__fail_memory(error, "make middleware");
    made->base.functions = &functions;
    made->timeout_ms = timeout_ms;
    *middleware = &made->base;
    return CONV_OK;
}
