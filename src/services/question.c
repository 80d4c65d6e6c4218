/* One question to the store, with the retries that are safe. Holds no SQL and no rule. */
#include "services/question.h"

#include "saving/retry.h"

static conv_status ask_once(conv__store *store, conv__ask_mode mode, int64_t deadline_ns,
                            conv__question question, conv__arena *arena, void *context,
                            conv_error *error)
{
    conv__transaction *transaction = NULL;
    conv_status status = store->functions->begin(
        store, mode == CONV__ASK_READ ? CONV__TRANSACTION_READ : CONV__TRANSACTION_WRITE,
        deadline_ns, &transaction, error);
    if (status != CONV_OK) return status;
    status = question(transaction, arena, context, error);
    if (status == CONV_OK && mode != CONV__ASK_READ)
        return store->functions->commit(transaction, error);
    store->functions->rollback(transaction);
    return status;
}

conv_status conv__ask(conv__store *store, conv__ask_mode mode, int64_t deadline_ns,
                      conv__question question, conv__arena *arena, void *context, conv_error *error)
{
    for (int failures = 1;; failures++) {
        conv_error details = CONV_ERROR_INIT;
        int64_t pause_ms = 0;
        conv_status status = ask_once(store, mode, deadline_ns, question, arena, context, &details);
        if (status == CONV_OK) return CONV_OK;
        if (arena != NULL) conv__arena_reset(arena);
        if ((mode == CONV__ASK_WRITE_ONCE && details.outcome_unknown) ||
            !conv__retry_after(&details, failures, conv__retry_random(), &pause_ms) ||
            !conv__retry_sleep(pause_ms, deadline_ns, &store->latest)) {
            if (error != NULL) *error = details;
            return status;
        }
    }
}
