/* From accepted to committed: one transaction, retried and split as its errors ask for. Decides
 * nothing about who goes together; that is the writer's. */
#include "saving/batch.h"

#include <string.h>

#include "core/error.h"
#include "core/time.h"
#include "saving/retry.h"

#define ACTION "save exchange"

static int64_t earliest_deadline(conv__save *const *saves, size_t count)
{
    int64_t deadline = saves[0]->deadline_ns;
    for (size_t i = 1; i < count; i++)
        if (saves[i]->deadline_ns < deadline) deadline = saves[i]->deadline_ns;
    return deadline;
}

/* Whether it may be stored all the same is its own: others were in other transactions. */
static void fail(conv__save *save, const conv_error *error)
{
    save->status = error->status;
    save->error = *error;
    save->error.outcome_unknown = save->unknown;
}

static void fail_all(conv__save **saves, size_t count, const conv_error *error)
{
    for (size_t i = 0; i < count; i++)
        fail(saves[i], error);
}

static conv_status transact(conv__store *store, conv__save **saves, size_t count,
                            const conv__exchange **exchanges, conv__save_result *results,
                            conv_error *error)
{
    conv__transaction *transaction = NULL;
    int64_t deadline = earliest_deadline(saves, count);
    conv__chat_repository *chat = store->chat;
    conv_status status =
        store->functions->begin(store, CONV__TRANSACTION_WRITE, deadline, &transaction, error);
    if (status != CONV_OK) return status;
    if (exchanges[0]->replaces_failed)
        status = chat->functions->remove_failed(chat, transaction, exchanges[0], error);
    if (status == CONV_OK)
        status = chat->functions->save(chat, transaction, exchanges, count, results, error);
    if (status != CONV_OK) {
        store->functions->rollback(transaction);
        return status;
    }
    return store->functions->commit(transaction, error);
}

conv_status conv__batch_look_up(conv__store *store, const conv__exchange_key *keys, size_t count,
                                int64_t deadline_ns, conv__exchange_state *states,
                                conv_error *error)
{
    conv__transaction *transaction = NULL;
    conv__chat_repository *chat = store->chat;
    conv_status status =
        store->functions->begin(store, CONV__TRANSACTION_READ, deadline_ns, &transaction, error);
    if (status != CONV_OK) return status;
    status = chat->functions->find_exchanges(chat, transaction, keys, count, states, error);
    store->functions->rollback(transaction);
    return status;
}

void conv__save_compare(conv__save *save, const conv__exchange_state *state)
{
    const conv__exchange *exchange = save->exchange;
    bool same =
        memcmp(state->request_hash, exchange->request_hash, sizeof state->request_hash) == 0 &&
        (!save->compare_reply ||
         memcmp(state->reply_hash, exchange->reply_hash, sizeof state->reply_hash) == 0);
    if (!same) {
        save->status = conv__fail(&save->error, CONV_CONFLICT, ACTION,
                                  "the turn id was used in this session for other messages; "
                                  "nothing was saved, use a new turn id");
        return;
    }
    save->status = CONV_OK;
    save->repeated = true;
}

bool conv__save_replaces(const conv__save *save, const conv__exchange_state *state)
{
    const conv__exchange *exchange = save->exchange;
    return !save->compare_reply && exchange->status != CONV_OUTCOME_FAILED && state->found &&
           state->status == CONV_OUTCOME_FAILED &&
           memcmp(state->request_hash, exchange->request_hash, sizeof state->request_hash) == 0;
}

/* The failed attempt makes room; it was not seen when the turn began. */
static void replace(conv__store *store, conv__save *save)
{
    const conv__exchange *given = save->exchange;
    conv__exchange replacing = *given;
    replacing.replaces_failed = true;
    save->exchange = &replacing;
    conv__batch_save(store, &save, 1);
    save->exchange = given;
}

/* Asks in a second transaction what is stored under the keys that were not new: in the first one an
 * exchange still in flight elsewhere could not have been seen. */
static void settle_existing(conv__store *store, conv__save **saves, size_t count)
{
    conv_error error = CONV_ERROR_INIT;
    conv__exchange_key *keys = conv__allocate(count * sizeof *keys);
    conv__exchange_state *states = conv__allocate(count * sizeof *states);
    conv_status status = CONV_OK;
    if (keys == NULL || states == NULL) status = conv__fail_memory(&error, ACTION);
    for (size_t i = 0; status == CONV_OK && i < count; i++) {
        keys[i].session_id = saves[i]->exchange->session.session_id;
        keys[i].exchange_id = saves[i]->exchange->exchange_id;
    }
    for (int failures = 1; status == CONV_OK; failures++) {
        int64_t deadline = earliest_deadline(saves, count);
        int64_t pause_ms = 0;
        status = conv__batch_look_up(store, keys, count, deadline, states, &error);
        if (status == CONV_OK) break;
        if (!conv__retry_after(&error, failures, conv__retry_random(), &pause_ms) ||
            !conv__retry_sleep(pause_ms, deadline, &store->latest))
            break;
        status = CONV_OK;
    }
    size_t vanished = 0;
    for (size_t i = 0; status == CONV_OK && i < count; i++) {
        conv__save *save = saves[i];
        bool unknown = save->unknown;
        save->unknown = false;
        if (!states[i].found) {
            saves[vanished++] = save;
            continue;
        }
        if (!save->exchange->replaces_failed && conv__save_replaces(save, &states[i])) {
            replace(store, save);
            continue;
        }
        conv__save_compare(save, &states[i]);
        bool own = save->status == CONV_OK && (unknown || save->resumed) &&
                   conv_uuid_compare(states[i].log_id, save->exchange->usage.usage.log_id) == 0;
        /* An earlier COMMIT of this call had arrived after all. */
        save->fresh = own && unknown;
        if (own) save->repeated = false;
    }
    for (size_t i = 0; status != CONV_OK && i < count; i++) {
        fail(saves[i], &error);
        saves[i]->error.outcome_unknown = true;
    }
    conv__release(keys);
    conv__release(states);
    /* Deleted between the two transactions, or the second one was asked of the standby that has
     * taken over, and never had them: they are new. */
    if (vanished > 0) conv__batch_save(store, saves, vanished);
}

static void settle(conv__store *store, conv__save **saves, size_t count,
                   const conv__save_result *results)
{
    size_t existing = 0;
    for (size_t i = 0; i < count; i++) {
        saves[i]->status = CONV_OK;
        conv__error_clear(&saves[i]->error);
        saves[i]->fresh = results[i].inserted;
        saves[i]->session_created = results[i].session_created;
        if (results[i].inserted) {
            saves[i]->unknown = false;
            continue;
        }
        conv__save *save = saves[i];
        saves[i] = saves[existing];
        saves[existing++] = save;
    }
    if (existing > 0) settle_existing(store, saves, existing);
}

/* Moves those whose time is up to the front and fails them; gives how many. */
static size_t fail_late(conv__save **saves, size_t count, const conv_error *error)
{
    size_t late = 0;
    for (size_t i = 0; i < count; i++) {
        if (!conv__deadline_passed(saves[i]->deadline_ns)) continue;
        conv__save *save = saves[i];
        saves[i] = saves[late];
        saves[late++] = save;
    }
    fail_all(saves, late, error);
    return late;
}

/* One that failed for all of them, or NULL. */
static const conv__save *find_away(conv__save *const *saves, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (saves[i]->status != CONV_OK && saves[i]->status != CONV_CONFLICT && !saves[i]->behind &&
            !conv__failure_of_row(&saves[i]->error))
            return saves[i];
    return NULL;
}

/* One of the same session that a person must mend first, or that failed otherwise where the order
 * counts; or NULL. A conflict keeps nobody back: what stands there stays there. */
static const conv__save *find_before(conv__save *const *saves, size_t count, const conv__save *save)
{
    for (size_t i = 0; i < count; i++) {
        const conv__save *one = saves[i];
        bool ordered = one->in_order && save->in_order && one->status != CONV_CONFLICT;
        if (one->status != CONV_OK && (ordered || one->error.recovery == CONV_RECOVERY_OPERATOR) &&
            conv_uuid_compare(one->exchange->session.session_id,
                              save->exchange->session.session_id) == 0)
            return one;
    }
    return NULL;
}

void conv__save_fail_behind(conv__save *save, const conv_error *before)
{
    /* Tried together before, it may have been saved with the one whose outcome nobody knows. */
    if (before->recovery == CONV_RECOVERY_OPERATOR || before->outcome_unknown) {
        save->error = *before;
        save->error.outcome_unknown = before->outcome_unknown || save->unknown;
    } else {
        conv__fail(&save->error, before->status, ACTION,
                   "not tried, because one before it in the session was not saved: %s",
                   before->message);
        save->error.recovery = CONV_RECOVERY_NONE;
        save->error.outcome_unknown = save->unknown;
        save->behind = true;
    }
    save->status = before->status;
}

/* Moves those that must not overtake one of the first `done` behind these and fails them likewise;
 * gives how many. */
static size_t fail_behind(conv__save **saves, size_t done, size_t count)
{
    size_t behind = 0;
    for (size_t i = done; i < count; i++) {
        conv__save *save = saves[i];
        const conv__save *before = find_before(saves, done, save);
        if (before == NULL) continue;
        conv__save_fail_behind(save, &before->error);
        /* The others keep their order. */
        memmove(saves + done + behind + 1, saves + done + behind,
                (i - done - behind) * sizeof(conv__save *));
        saves[done + behind++] = save;
    }
    return behind;
}

/* Halves, until what can't be saved stands alone. */
static void save_apart(conv__store *store, conv__save **saves, size_t count)
{
    size_t half = count / 2;
    conv__batch_save(store, saves, half);
    const conv__save *away = find_away(saves, half);
    if (away != NULL) {
        fail_all(saves + half, count - half, &away->error);
        return;
    }
    size_t done = half + fail_behind(saves, half, count);
    if (done < count) conv__batch_save(store, saves + done, count - done);
}

static size_t bytes_of(conv__save *const *saves, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += conv__exchange_bytes(saves[i]->exchange);
    return bytes;
}

/* Settles at least one save of the batch and gives how many are settled, from the front. */
static size_t save_some(conv__store *store, conv__save **saves, size_t count,
                        const conv__exchange **exchanges, conv__save_result *results)
{
    for (int failures = 1;; failures++) {
        conv_error error = CONV_ERROR_INIT;
        int64_t pause_ms = 0;
        for (size_t i = 0; i < count; i++) {
            exchanges[i] = saves[i]->exchange;
            results[i] = (conv__save_result){0};
        }
        conv_status status = transact(store, saves, count, exchanges, results, &error);
        if (status == CONV_OK) {
            settle(store, saves, count, results);
            return count;
        }
        /* Once unknown it stays so until the same ids were tried with a clear answer. */
        for (size_t i = 0; error.outcome_unknown && i < count; i++)
            saves[i]->unknown = true;
        if (conv__failure_of_row(&error) && count > 1) {
            save_apart(store, saves, count);
            return count;
        }
        if (error.status == CONV_TIMEOUT || error.status == CONV_LIMIT) {
            size_t late = fail_late(saves, count, &error);
            if (late > 0) return late;
        }
        if (!conv__retry_after(&error, failures, conv__retry_random(), &pause_ms) ||
            !conv__retry_sleep(pause_ms, earliest_deadline(saves, count), &store->latest)) {
            fail_all(saves, count, &error);
            return count;
        }
    }
}

void conv__batch_save(conv__store *store, conv__save **saves, size_t count)
{
    if (count > 1 && bytes_of(saves, count) > CONV__BATCH_BYTES) {
        save_apart(store, saves, count);
        return;
    }
    const conv__exchange **exchanges = conv__allocate(count * sizeof *exchanges);
    conv__save_result *results = conv__allocate(count * sizeof *results);
    if (exchanges == NULL || results == NULL) {
        conv_error error;
        conv__fail_memory(&error, ACTION);
        fail_all(saves, count, &error);
        count = 0;
    }
    for (size_t settled = 0; settled < count;)
        settled += save_some(store, saves + settled, count - settled, exchanges, results);
    conv__release(exchanges);
    conv__release(results);
}

size_t conv__exchange_bytes(const conv__exchange *exchange)
{
    size_t bytes = 512; /* ids, times and counts */
    for (size_t i = 0; i < exchange->message_count; i++) {
        const conv__message_row *row = &exchange->messages[i];
        const conv_message *message = &row->message;
        bytes += 256 + message->content.size + message->parts.size + message->tool_calls.size +
                 message->tool_call_id.size + message->name.size + message->metadata.size +
                 row->originals.size;
    }
    const conv_usage *usage = &exchange->usage.usage;
    return bytes + usage->raw.size + usage->metadata.size + usage->error.size +
           exchange->usage.originals.size + exchange->session.metadata.size;
}
