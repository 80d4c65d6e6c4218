/* The chain: which steps a turn passes, in which order, and what a step may not do to it. */
#ifndef CONV__MIDDLEWARE_CHAIN_H
#define CONV__MIDDLEWARE_CHAIN_H

#include "conversation/middleware.h"
#include "core/memory.h"
#include "services/call.h"

typedef struct conv__chain {
    conv_middleware *const *steps;
    size_t count;
    size_t answered; /* steps before it surround the answer, those from it on the saving */
    conv__call_plan plan;
} conv__chain;

/* Checks an order of steps and keeps it in the arena; the steps are borrowed. NULL and 0: the
 * default chain. CONV_INVALID_ARGUMENT: a step is NULL or has no name, a built-in one stands twice
 * or before what it needs, there are more than 64. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__chain_create(conv__arena *arena, conv_middleware *const *steps,
                                                size_t count, const conv__chain **chain,
                                                conv_error *error);

/* The chain without a setting; static. */
const conv__chain *conv__chain_default(void);

/* See conv_process_message. */
CONV_WARN_UNUSED conv_status conv__process_message(const conv__conversation *service,
                                                   const conv_turn *turn, conv_reply **reply,
                                                   conv_error *error);

/* Lets every step of the chain add to what is saved, then saves. */
CONV_WARN_UNUSED conv_status conv__chain_save(const conv__chain *chain, conv_call *call,
                                              conv_error *error);

/* The chain that a step was called in. */
const conv__chain *conv__next_chain(const conv_next *next);

#endif
