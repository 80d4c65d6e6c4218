/* A step that refuses a user who asks too often. Keeps one moment for each user (the generic cell
 * rate algorithm, ITU-T I.371): when all of its turns will be free again. */
#include "middleware/rate_limit.h"

#include <pthread.h>
#include <string.h>

#include "conversation/uuid.h"
#include "core/error.h"
#include "core/memory.h"

#define ACTION "limit rate"

enum {
    DEFAULT_TURNS = 60,
    DEFAULT_PERIOD_MS = 60000,
    DEFAULT_USERS = 65536,
    MOST_TURNS = 1000000,
    MOST_PERIOD_MS = 86400000,
    MOST_USERS = 1000000
};

/* In two lists, whose links are places in `users`, and 0 where they end. */
typedef struct rate_user {
    conv_uuid user_id; /* nil: turns without one */
    int64_t free_ns;
    uint32_t next;  /* with the same hash */
    uint32_t newer; /* asked after this one */
    uint32_t older;
} rate_user;

typedef struct rate_limit {
    conv_middleware base;
    const conv__clock *clock;
    int64_t step_ns;  /* from one turn to the next */
    int64_t slack_ns; /* how far ahead a user may be */
    pthread_mutex_t lock;
    rate_user *users;  /* the first is none: after it comes the oldest, before it the newest */
    uint32_t *by_hash; /* heads of lists, as many as users are remembered */
    uint32_t most;     /* users remembered */
    uint32_t count;
} rate_limit;

static uint32_t *list_of(rate_limit *limit, conv_uuid id)
{
    uint64_t sum = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; i < sizeof id.bytes; i++)
        sum = (sum ^ id.bytes[i]) * UINT64_C(1099511628211);
    return &limit->by_hash[(sum ^ (sum >> 32)) % limit->most];
}

static void take_out(rate_limit *limit, uint32_t at)
{
    rate_user *users = limit->users;
    users[users[at].older].newer = users[at].newer;
    users[users[at].newer].older = users[at].older;
}

static void put_last(rate_limit *limit, uint32_t at)
{
    rate_user *users = limit->users;
    users[at].older = users[0].older;
    users[at].newer = 0;
    users[users[0].older].newer = at;
    users[0].older = at;
}

/* Gives the place of the user who has not asked for the longest time. */
static uint32_t forget_oldest(rate_limit *limit)
{
    uint32_t at = limit->users[0].newer;
    uint32_t *link = list_of(limit, limit->users[at].user_id);
    while (*link != at)
        link = &limit->users[*link].next;
    *link = limit->users[at].next;
    take_out(limit, at);
    return at;
}

/* The user's place, who is the newest now. */
static rate_user *place_of(rate_limit *limit, conv_uuid user_id)
{
    rate_user *users = limit->users;
    uint32_t *list = list_of(limit, user_id);
    uint32_t at = *list;
    while (at != 0 && conv_uuid_compare(users[at].user_id, user_id) != 0)
        at = users[at].next;
    if (at != 0) {
        take_out(limit, at);
    } else {
        at = limit->count < limit->most ? ++limit->count : forget_oldest(limit);
        users[at] = (rate_user){.user_id = user_id, .next = *list};
        *list = at;
    }
    put_last(limit, at);
    return &users[at];
}

/* Takes one turn; 0, or how long until there is one. */
static int64_t take(rate_limit *limit, conv_uuid user_id)
{
    int64_t wait_ns = 0;
    pthread_mutex_lock(&limit->lock);
    int64_t now = limit->clock->functions->monotonic_ns(limit->clock);
    rate_user *user = place_of(limit, user_id);
    int64_t free_ns = user->free_ns > now ? user->free_ns : now;
    if (free_ns - now > limit->slack_ns)
        wait_ns = free_ns - now - limit->slack_ns;
    else
        user->free_ns = free_ns + limit->step_ns;
    pthread_mutex_unlock(&limit->lock);
    return wait_ns;
}

static conv_status handle(conv_middleware *middleware, conv_call *call, conv_next *next,
                          conv_error *error)
{
    const char *user_id = conv_call_turn(call)->user_id;
    conv_uuid user = user_id == NULL ? (conv_uuid){{0}} : conv_uuid_ensure(conv_text(user_id));
    int64_t wait_ns = take((rate_limit *)middleware, user);
    if (wait_ns == 0) return conv_next_run(next, call, error);
    return conv__fail(error, CONV_LIMIT, ACTION,
                      "this user's turns are used up for now: try again in %lld ms",
                      (long long)((wait_ns + 999999) / 1000000));
}

static void free_step(conv_middleware *middleware)
{
    rate_limit *limit = (rate_limit *)middleware;
    pthread_mutex_destroy(&limit->lock);
    conv__release(limit->users);
    conv__release(limit->by_hash);
    conv__release(limit);
}

static conv_status check(const conv_rate_limit_params *params, conv_error *error)
{
    if (params->size != sizeof *params)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "the settings were not begun with CONV_RATE_LIMIT_PARAMS_INIT");
    if (params->turns < 0 || params->turns > MOST_TURNS || params->period_ms < 0 ||
        params->period_ms > MOST_PERIOD_MS || params->users > MOST_USERS)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "turns is not 1 to %d, period_ms not 1 to %d, or users not 1 to %d",
                          MOST_TURNS, MOST_PERIOD_MS, MOST_USERS);
    return CONV_OK;
}

conv_status conv__rate_limit_create(const conv_rate_limit_params *params, const conv__clock *clock,
                                    conv_middleware **middleware, conv_error *error)
{
    static const conv_rate_limit_params defaults = CONV_RATE_LIMIT_PARAMS_INIT;
    static const conv_middleware_functions functions = {
        .name = "rate_limit", .handle = handle, .free = free_step};
    *middleware = NULL;
    if (params == NULL) params = &defaults;
    conv_status status = check(params, error);
    if (status != CONV_OK) return status;
    int64_t turns = params->turns > 0 ? params->turns : DEFAULT_TURNS;
    int64_t period_ms = params->period_ms > 0 ? params->period_ms : DEFAULT_PERIOD_MS;
    rate_limit *made = conv__allocate(sizeof *made);
    if (made == NULL) return conv__fail_memory(error, ACTION);
    made->most = params->users > 0 ? (uint32_t)params->users : DEFAULT_USERS;
    made->users = conv__allocate((made->most + 1) * sizeof *made->users);
    made->by_hash = conv__allocate(made->most * sizeof *made->by_hash);
    if (made->users == NULL || made->by_hash == NULL) {
        conv__release(made->users);
        conv__release(made->by_hash);
        conv__release(made);
        return conv__fail_memory(error, ACTION);
    }
    made->base.functions = &functions;
    made->clock = clock;
    made->step_ns = period_ms * 1000000 / turns;
    made->slack_ns = made->step_ns * (turns - 1);
    pthread_mutex_init(&made->lock, NULL);
    *middleware = &made->base;
    return CONV_OK;
}

conv_status conv_middleware_rate_limit(const conv_rate_limit_params *params,
                                       conv_middleware **middleware, conv_error *error)
{
    return conv__rate_limit_create(params, conv__clock_system(), middleware, error);
}
