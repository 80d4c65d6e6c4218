/* Refreshing the daily summary, and the proof that summary, ledger and sessions agree. */
#include "services/reconcile.h"

#include "core/error.h"
#include "core/memory.h"
#include "core/time.h"
#include "repositories/usage.h"
#include "saving/retry.h"
#include "services/question.h"

#define ACTION_REFRESH   "refresh usage"
#define ACTION_RECONCILE "reconcile usage"

enum { DEFAULT_LIMIT = 10000 };

struct conv_reconciliation {
    conv__arena arena;
    conv__reconciliation found;
};

typedef struct refresh_work {
    conv__refresh done; /* and committed */
    conv__refresh next;
} refresh_work;

static conv_status refresh(conv__transaction *transaction, conv__arena *arena, void *context,
                           conv_error *error)
{
    refresh_work *work = context;
    conv__usage_repository *usage = transaction->store->usage;
    (void)arena;
    work->next = work->done;
    return usage->functions->refresh(usage, transaction, &work->next, error);
}

static int64_t deadline_of(int64_t own_ms, int64_t usual_ms)
{
    return conv__deadline_in_ms(own_ms > 0 ? own_ms : usual_ms);
}

conv_status conv__usage_refresh(conv__store *store, int64_t timeout_ms,
                                const conv_refresh_params *params, int64_t *hours,
                                conv_error *error)
{
    static const conv_refresh_params defaults = CONV_REFRESH_PARAMS_INIT;
    if (params == NULL) params = &defaults;
    if (params->size != sizeof *params)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION_REFRESH,
                          "the params were not begun with CONV_REFRESH_PARAMS_INIT");
    if (params->timeout_ms < 0)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION_REFRESH, "timeout_ms is negative");
    refresh_work work = {.done = {.rebuild = params->rebuild, .more = true}};
    int64_t deadline_ns = deadline_of(params->timeout_ms, timeout_ms);
    conv_status status = CONV_OK;
    while (status == CONV_OK && work.done.more) {
        int64_t began_ns = conv__monotonic_ns();
        status = conv__ask(store, CONV__ASK_WRITE, deadline_ns, refresh, NULL, &work, error);
        if (status != CONV_OK) break;
        work.done = work.next;
        /* Half of the time is others': a program that is not this library looks for the lock only
         * now and then. When the time is up, the next step says so. */
        if (work.done.more)
            (void)conv__retry_sleep((conv__monotonic_ns() - began_ns) / 1000000 + 1, deadline_ns,
                                    &store->latest);
    }
    if (status == CONV_OK && hours != NULL) *hours = work.done.changed;
    return status;
}

typedef struct reconcile_work {
    size_t limit;
    conv__reconciliation *found;
} reconcile_work;

static conv_status reconcile(conv__transaction *transaction, conv__arena *arena, void *context,
                             conv_error *error)
{
    reconcile_work *work = context;
    conv__usage_repository *usage = transaction->store->usage;
    return usage->functions->reconcile(usage, transaction, work->limit, arena, work->found, error);
}

conv_status conv__usage_reconcile(conv__store *store, int64_t timeout_ms,
                                  const conv_reconcile_params *params, conv_reconciliation **result,
                                  conv_error *error)
{
    static const conv_reconcile_params defaults = CONV_RECONCILE_PARAMS_INIT;
    if (params == NULL) params = &defaults;
    if (params->size != sizeof *params)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION_RECONCILE,
                          "the params were not begun with CONV_RECONCILE_PARAMS_INIT");
    if (params->timeout_ms < 0)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION_RECONCILE, "timeout_ms is negative");
    conv_reconciliation *made = conv__allocate(sizeof *made);
    if (made == NULL) return conv__fail_memory(error, ACTION_RECONCILE);
    size_t limit = params->limit > 0 ? params->limit : DEFAULT_LIMIT;
    if (limit > INT32_MAX) limit = INT32_MAX;
    reconcile_work work = {limit, &made->found};
    conv_status status =
        conv__ask(store, CONV__ASK_READ, deadline_of(params->timeout_ms, timeout_ms), reconcile,
                  &made->arena, &work, error);
    if (status == CONV_OK)
        *result = made;
    else
        conv_reconciliation_free(made);
    return status;
}

static bool equal(const conv_account_sums *a, const conv_account_sums *b)
{
    return a->records == b->records && a->total_tokens == b->total_tokens &&
           conv_decimal_compare(a->cost_usd, b->cost_usd) == 0;
}

bool conv_reconciliation_agrees(const conv_reconciliation *result)
{
    const conv_account_sums *sums = result->found.sums;
    return result->found.list.count == 0 &&
           equal(&sums[CONV_ACCOUNT_LEDGER], &sums[CONV_ACCOUNT_SUMMARY]) &&
           equal(&sums[CONV_ACCOUNT_LEDGER], &sums[CONV_ACCOUNT_SESSIONS]);
}

const conv_account_sums *conv_reconciliation_sums(const conv_reconciliation *result,
                                                  conv_account account)
{
    return (unsigned)account <= CONV_ACCOUNT_SESSIONS ? &result->found.sums[account] : NULL;
}

int64_t conv_reconciliation_pending(const conv_reconciliation *result)
{
    return result->found.pending;
}

size_t conv_reconciliation_count(const conv_reconciliation *result)
{
    return result->found.list.count;
}

const conv_difference *conv_reconciliation_difference(const conv_reconciliation *result,
                                                      size_t index)
{
    return index < result->found.list.count ? &result->found.list.differences[index] : NULL;
}

bool conv_reconciliation_has_more(const conv_reconciliation *result)
{
    return result->found.list.has_more;
}

void conv_reconciliation_free(conv_reconciliation *result)
{
    if (result == NULL) return;
    conv__arena_reset(&result->arena);
    conv__release(result);
}
