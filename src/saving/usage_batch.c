/* One transaction of usage records. */
#include "saving/usage_batch.h"

#include "core/error.h"
#include "core/memory.h"
#include "saving/retry.h"

#define ACTION "save usage"

void conv__usage_batch_fail(conv__usage_save *saves, size_t count, const conv_error *error)
{
    for (size_t i = 0; i < count; i++) {
        saves[i].status = error->status;
        saves[i].error = *error;
    }
}

/* One that failed for all of them, or NULL. */
static const conv__usage_save *find_away(const conv__usage_save *saves, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (saves[i].status != CONV_OK && !conv__failure_of_row(&saves[i].error)) return &saves[i];
    return NULL;
}

static conv_status transact(conv__store *store, const conv__usage_row *const *rows, size_t count,
                            bool tried, bool *inserted, int64_t deadline_ns, conv_error *error)
{
    conv__transaction *transaction = NULL;
    conv__usage_repository *usage = store->usage;
    conv_status status =
        store->functions->begin(store, CONV__TRANSACTION_WRITE, deadline_ns, &transaction, error);
    if (status != CONV_OK) return status;
    status = (tried ? usage->functions->save : usage->functions->save_new)(usage, transaction, rows,
                                                                           count, inserted, error);
    if (status == CONV_OK) return store->functions->commit(transaction, error);
    store->functions->rollback(transaction);
    return status;
}

static void save_rows(conv__store *store, conv__usage_save *saves, const conv__usage_row **rows,
                      bool *inserted, size_t count, bool tried, int64_t deadline_ns)
{
    conv_error error = CONV_ERROR_INIT;
    bool unknown = false;
    for (int failures = 1;; failures++) {
        int64_t pause_ms = 0;
        conv__error_clear(&error);
        if (transact(store, rows, count, tried, inserted, deadline_ns, &error) == CONV_OK) break;
        unknown = unknown || error.outcome_unknown;
        bool first = !tried;
        tried = true;
        if (first && conv__failure_of_row(&error)) continue; /* one may be there */
        if (conv__failure_of_row(&error) && count > 1) {
            size_t half = count / 2;
            save_rows(store, saves, rows, inserted, half, true, deadline_ns);
            const conv__usage_save *away = find_away(saves, half);
            if (away != NULL)
                conv__usage_batch_fail(saves + half, count - half, &away->error);
            else
                save_rows(store, saves + half, rows + half, inserted, count - half, true,
                          deadline_ns);
            return;
        }
        if (!conv__retry_after(&error, failures, conv__retry_random(), &pause_ms) ||
            !conv__retry_sleep(pause_ms, deadline_ns, &store->latest))
            break;
    }
    conv__usage_batch_fail(saves, count, &error);
    /* After a COMMIT without answer nobody knows whose insertion it was; most likely this one. */
    for (size_t i = 0; error.status == CONV_OK && i < count; i++)
        saves[i].fresh = inserted[i] || unknown;
}

void conv__usage_batch_save(conv__store *store, conv__usage_save *saves, size_t count, bool tried,
                            int64_t deadline_ns)
{
    const conv__usage_row **rows = conv__allocate(count * sizeof *rows);
    bool *inserted = conv__allocate(count * sizeof *inserted);
    if (rows != NULL && inserted != NULL) {
        for (size_t i = 0; i < count; i++)
            rows[i] = saves[i].row;
        save_rows(store, saves, rows, inserted, count, tried, deadline_ns);
    } else {
        conv_error error;
        conv__fail_memory(&error, ACTION);
        conv__usage_batch_fail(saves, count, &error);
    }
    conv__release(rows);
    conv__release(inserted);
}
