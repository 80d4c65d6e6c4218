/* The order of a chain: which one is meant, and whether it can work. Runs nothing. */
#include "middleware/chain.h"

#include <string.h>

#include "core/error.h"
#include "middleware/redact.h"

#define ACTION "open client"

enum { MOST_STEPS = 64 };

static const size_t absent = SIZE_MAX;

/* Where a step stands, or `absent`. */
static size_t place_of(conv_middleware *const *steps, size_t count, const conv_middleware *step)
{
    for (size_t i = 0; i < count; i++)
        if (steps[i] == step) return i;
    return absent;
}

static conv_status check_steps(conv_middleware *const *steps, size_t count, conv_error *error)
{
    if (count > MOST_STEPS)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION, "the chain has more than %d steps",
                          MOST_STEPS);
    for (size_t i = 0; i < count; i++) {
        const conv_middleware_functions *functions = steps[i] == NULL ? NULL : steps[i]->functions;
        if (functions == NULL || functions->name == NULL || functions->handle == NULL)
            return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                              "step %zu of the chain is NULL, or has no name or no function",
                              i + 1);
    }
    const conv__chain *standard = conv__chain_default();
    for (size_t i = 0; i < standard->count; i++) {
        const conv_middleware *step = standard->steps[i];
        size_t first = place_of(steps, count, step);
        if (first != absent && place_of(steps + first + 1, count - first - 1, step) != absent)
            return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION, "%s stands in the chain twice",
                              step->functions->name);
    }
    return CONV_OK;
}

static conv_status before(conv_middleware *const *steps, size_t count, conv_middleware *first,
                          conv_middleware *second, conv_error *error)
{
    size_t first_place = place_of(steps, count, first);
    size_t second_place = place_of(steps, count, second);
    if (first_place == absent || second_place == absent || first_place < second_place)
        return CONV_OK;
    return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION, "%s stands in the chain before %s",
                      second->functions->name, first->functions->name);
}

static conv_status check_order(conv_middleware *const *steps, size_t count, conv_error *error)
{
    conv_middleware *provider = conv_middleware_provider();
    conv_middleware *save = conv_middleware_save_to_database();
    conv_middleware *track = conv_middleware_track_usage();
    conv_middleware *publish = conv_middleware_publish();
    conv_status status = before(steps, count, conv_middleware_validate_ids(), provider, error);
    if (status == CONV_OK) status = before(steps, count, provider, save, error);
    if (status == CONV_OK) status = before(steps, count, provider, track, error);
    if (status == CONV_OK) status = before(steps, count, provider, publish, error);
    if (status == CONV_OK) status = before(steps, count, save, publish, error);
    return status;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void plan(conv__chain *chain)
{
    size_t provider = place_of(chain->steps, chain->count, conv_middleware_provider());
    size_t save = place_of(chain->steps, chain->count, conv_middleware_save_to_database());
    size_t track = place_of(chain->steps, chain->count, conv_middleware_track_usage());
    size_t publish = place_of(chain->steps, chain->count, conv_middleware_publish());
    chain->plan = (conv__call_plan){
        .asks = provider != absent, .stores = save != absent, .announces = publish != absent};
    chain->answered =
        provider != absent ? provider + 1 : least(chain->count, least(save, least(track, publish)));
}

conv_status conv__chain_create(conv__arena *arena, conv_middleware *const *steps, size_t count,
                               const conv__chain **chain, conv_error *error)
{
    *chain = NULL;
    if ((steps == NULL) != (count == 0))
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "chain and chain_count contradict each other");
    if (steps == NULL) {
        *chain = conv__chain_default();
        return CONV_OK;
    }
    conv_status status = check_steps(steps, count, error);
    if (status == CONV_OK) status = check_order(steps, count, error);
    if (status != CONV_OK) return status;
    conv__chain *made = conv__arena_allocate(arena, sizeof *made);
    conv_middleware **copy = conv__arena_allocate(arena, count * sizeof(conv_middleware *));
    if (made == NULL || copy == NULL) return conv__fail_memory(error, ACTION);
    memcpy(copy, steps, count * sizeof(conv_middleware *));
    *made = (conv__chain){.steps = copy, .count = count};
    plan(made);
    for (size_t i = made->answered; i < count; i++)
        if (conv__is_redact(copy[i]))
            return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                              "redact stands in the chain behind the answer, where all has been "
                              "noted and sent: it belongs before provider");
    *chain = made;
    return CONV_OK;
}
