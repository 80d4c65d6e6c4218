/* The steps that every client has, and the chain that they make by default. Each is one piece of a
 * turn (services/call.h) at its place; the rules stand there. */
#include "core/error.h"
#include "middleware/chain.h"

static conv_status validate_ids(conv_middleware *middleware, conv_call *call, conv_next *next,
                                conv_error *error)
{
    (void)middleware;
    conv_status status = conv__call_validate(call, error);
    return status == CONV_OK ? conv_next_run(next, call, error) : status;
}

/* The innermost step: it answers, so nothing is called on. */
static conv_status provider(conv_middleware *middleware, conv_call *call, conv_next *next,
                            conv_error *error)
{
    (void)middleware;
    (void)next;
    return conv__call_ask(call, error);
}

static conv_status save_to_database(conv_middleware *middleware, conv_call *call, conv_next *next,
                                    conv_error *error)
{
    (void)middleware;
    conv_status status = conv__chain_save(conv__next_chain(next), call, error);
    return status == CONV_OK ? conv_next_run(next, call, error) : status;
}

/* The record is part of the exchange's transaction; without one it goes its own way. */
static conv_status track_usage(conv_middleware *middleware, conv_call *call, conv_next *next,
                               conv_error *error)
{
    (void)middleware;
    conv_status status = call->plan.stores ? CONV_OK : conv__call_track(call, error);
    return status == CONV_OK ? conv_next_run(next, call, error) : status;
}

static conv_status make_record(conv_middleware *middleware, conv_call *call, conv_error *error)
{
    (void)middleware;
    (void)error;
    conv__call_make_record(call);
    return CONV_OK;
}

static conv_status publish(conv_middleware *middleware, conv_call *call, conv_next *next,
                           conv_error *error)
{
    (void)middleware;
    conv__call_announce(call, NULL);
    return conv_next_run(next, call, error);
}

#define STEP(function, hook)                                                                       \
    static const conv_middleware_functions function##_functions = {                                \
        .name = #function, .handle = function, .before_save = hook};                               \
    static conv_middleware function##_step = {&function##_functions};                              \
    conv_middleware *conv_middleware_##function(void)                                              \
    {                                                                                              \
        return &function##_step;                                                                   \
    }

STEP(validate_ids, NULL)
STEP(provider, NULL)
STEP(save_to_database, NULL)
STEP(track_usage, make_record)
STEP(publish, NULL)

const conv__chain *conv__chain_default(void)
{
    static conv_middleware *const steps[] = {&validate_ids_step, &provider_step,
                                             &save_to_database_step, &track_usage_step,
                                             &publish_step};
    static const conv__chain chain = {.steps = steps,
                                      .count = sizeof steps / sizeof steps[0],
                                      .answered = 2,
                                      .plan = {.asks = true, .stores = true, .announces = true}};
    return &chain;
}

void conv_middleware_free(conv_middleware *middleware)
{
    if (middleware != NULL && middleware->functions->free != NULL)
        middleware->functions->free(middleware);
}
