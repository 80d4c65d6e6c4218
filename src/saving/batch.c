/* From accepted to committed: one transaction, retried and split as its errors ask for. Decides
 * nothing about who goes together; that is the writer's. */
#include "saving/batch.h"

#include <string.h>

#include "core/error.h"
#include "core/time.h"
#include "saving/retry.h"

#define ACTION "save exchange"

/* What is being saved together, in one transaction or several. */
typedef struct save_batch {
    conv__store *store;
    int64_t deadline_ns; /* the earliest */
} save_batch;

static int64_t earliest_deadline(conv__save *const *saves, size_t count)
{
    int64_t deadline = saves[0]->deadline_ns;
    for (size_t i = 1; i < count; i++)
        if (saves[i]->deadline_ns < deadline) deadline = saves[i]->deadline_ns;
    return deadline;
}

bool conv__save_in_doubt(const conv__save *save)
{
    return save->unknown || save->existing;
}

/* Whether it may be stored all the same is its own: others were in other transactions. */
static void fail(conv__save *save, const conv_error *error)
{
    save->left = false;
    save->status = error->status;
    save->error = *error;
    save->error.outcome_unknown = conv__save_in_doubt(save);
}

static void fail_all(conv__save **saves, size_t count, const conv_error *error)
{
    for (size_t i = 0; i < count; i++)
        fail(saves[i], error);
}

/* When the batch is over, those whose own time is not up are left. */
static void fail_in_time(const save_batch *batch, conv__save **saves, size_t count,
                         const conv_error *error)
{
    bool over = conv__deadline_passed(batch->deadline_ns);
    for (size_t i = 0; i < count; i++)
        if (!over || conv__deadline_passed(saves[i]->deadline_ns)) fail(saves[i], error);
}

/* Whether to try again now, after a pause. Else all have failed, or are left. */
static bool try_again(const save_batch *batch, conv__save **saves, size_t count,
                      const conv_error *error, int failures)
{
    int64_t pause_ms = 0;
    bool passes = conv__retry_after(error, failures, conv__retry_random(), &pause_ms);
    if (passes && conv__retry_sleep(pause_ms, batch->deadline_ns, &batch->store->latest))
        return true;
    if (passes || conv__failure_of_time(error))
        fail_in_time(batch, saves, count, error);
    else
        fail_all(saves, count, error);
    return false;
}

static conv_status transact(const save_batch *batch, const conv__exchange **exchanges, size_t count,
                            conv__save_result *results, conv_error *error)
{
    conv__transaction *transaction = NULL;
    conv__store *store = batch->store;
    conv__chat_repository *chat = store->chat;
    conv_status status = store->functions->begin(store, CONV__TRANSACTION_WRITE, batch->deadline_ns,
                                                 &transaction, error);
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

static void save_all(const save_batch *batch, conv__save **saves, size_t count);

/* The failed attempt makes room; it was not there when the turn began, or when the transaction
 * looked. */
static void replace(const save_batch *batch, conv__save *save)
{
    const conv__exchange *given = save->exchange;
    conv__exchange replacing = *given;
    replacing.replaces_failed = true;
    save->exchange = &replacing;
    save_all(batch, &save, 1);
    save->exchange = given;
}

/* What is stored under the ids, or NULL: then all have failed, or are left. */
static conv__exchange_state *look_up(const save_batch *batch, conv__save **saves, size_t count)
{
    conv_error error = CONV_ERROR_INIT;
    conv_status status = CONV_NO_MEMORY;
    conv__exchange_key *keys = conv__allocate(count * sizeof *keys);
    conv__exchange_state *states = conv__allocate(count * sizeof *states);
    for (size_t i = 0; keys != NULL && i < count; i++) {
        keys[i].session_id = saves[i]->exchange->session.session_id;
        keys[i].exchange_id = saves[i]->exchange->exchange_id;
    }
    for (int failures = 1; keys != NULL && states != NULL; failures++) {
        status = conv__batch_look_up(batch->store, keys, count, batch->deadline_ns, states, &error);
        if (status == CONV_OK || !try_again(batch, saves, count, &error, failures)) break;
    }
    if (keys == NULL || states == NULL) {
        conv__fail_memory(&error, ACTION);
        fail_all(saves, count, &error);
    }
    conv__release(keys);
    if (status == CONV_OK) return states;
    conv__release(states);
    return NULL;
}

/* Compares with what is there, and says whose it is. */
static void settle_found(conv__save *save, const conv__exchange_state *state, bool unknown)
{
    save->left = false;
    conv__save_compare(save, state);
    bool own = save->status == CONV_OK && (unknown || save->resumed) &&
               conv_uuid_compare(state->log_id, save->exchange->usage.usage.log_id) == 0;
    /* An earlier COMMIT of this call had arrived after all. */
    save->fresh = own && unknown;
    if (own) save->repeated = false;
}

/* Asks in a second transaction what is stored under the keys that were not new: in the first one an
 * exchange still in flight elsewhere could not have been seen. */
static void settle_existing(const save_batch *batch, conv__save **saves, size_t count)
{
    size_t vanished = 0;
    for (size_t i = 0; i < count; i++)
        saves[i]->existing = true;
    conv__exchange_state *states = look_up(batch, saves, count);
    for (size_t i = 0; states != NULL && i < count; i++) {
        conv__save *save = saves[i];
        bool unknown = save->unknown;
        save->unknown = save->existing = false;
        if (!states[i].found)
            saves[vanished++] = save;
        else if (conv__save_replaces(save, &states[i]))
            replace(batch, save);
        else
            settle_found(save, &states[i], unknown);
    }
    conv__release(states);
    /* Deleted between the two transactions, or the second one was asked of the standby that has
     * taken over, and never had them: they are new. */
    if (vanished > 0) save_all(batch, saves, vanished);
}

static void settle(const save_batch *batch, conv__save **saves, size_t count,
                   const conv__save_result *results)
{
    size_t existing = 0;
    for (size_t i = 0; i < count; i++) {
        conv__save *save = saves[i];
        save->status = CONV_OK;
        conv__error_clear(&save->error);
        save->fresh = results[i].inserted;
        save->session_created = results[i].session_created;
        if (results[i].inserted) {
            save->left = save->unknown = save->existing = false;
        } else {
            saves[i] = saves[existing];
            saves[existing++] = save;
        }
    }
    if (existing > 0) settle_existing(batch, saves, existing);
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

const conv__save *conv__save_find_before(conv__save *const *saves, size_t count,
                                         const conv__save *save)
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
        save->error.outcome_unknown = before->outcome_unknown || conv__save_in_doubt(save);
    } else {
        conv__fail(&save->error, before->status, ACTION,
                   "not tried, because one before it in the session was not saved: %s",
                   before->message);
        save->error.recovery = CONV_RECOVERY_NONE;
        save->error.outcome_unknown = conv__save_in_doubt(save);
        save->behind = true;
    }
    save->left = false;
    save->status = before->status;
}

/* Moves those that must not overtake one of the first `done` behind these and fails them likewise;
 * gives how many. */
static size_t fail_behind(conv__save **saves, size_t done, size_t count)
{
    size_t behind = 0;
    for (size_t i = done; i < count; i++) {
        conv__save *save = saves[i];
        const conv__save *before = conv__save_find_before(saves, done, save);
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
static void save_apart(const save_batch *batch, conv__save **saves, size_t count)
{
    size_t half = count / 2;
    save_all(batch, saves, half);
    const conv__save *away = find_away(saves, half);
    if (away != NULL) {
        fail_in_time(batch, saves + half, count - half, &away->error);
        return;
    }
    size_t done = half + fail_behind(saves, half, count);
    if (done < count) save_all(batch, saves + done, count - done);
}

static size_t bytes_of(conv__save *const *saves, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += conv__exchange_bytes(saves[i]->exchange);
    return bytes;
}

static void save_together(const save_batch *batch, conv__save **saves, size_t count,
                          const conv__exchange **exchanges, conv__save_result *results)
{
    for (int failures = 1;; failures++) {
        conv_error error = CONV_ERROR_INIT;
        for (size_t i = 0; i < count; i++) {
            exchanges[i] = saves[i]->exchange;
            results[i] = (conv__save_result){0};
        }
        if (transact(batch, exchanges, count, results, &error) == CONV_OK) {
            settle(batch, saves, count, results);
            return;
        }
        /* Once unknown it stays so until the same ids were tried with a clear answer. */
        for (size_t i = 0; error.outcome_unknown && i < count; i++)
            saves[i]->unknown = true;
        if (conv__failure_of_row(&error) && count > 1) {
            save_apart(batch, saves, count);
            return;
        }
        if (!try_again(batch, saves, count, &error, failures)) return;
    }
}

static void save_all(const save_batch *batch, conv__save **saves, size_t count)
{
    if (count > 1 && bytes_of(saves, count) > CONV__BATCH_BYTES) {
        save_apart(batch, saves, count);
        return;
    }
    const conv__exchange **exchanges = conv__allocate(count * sizeof *exchanges);
    conv__save_result *results = conv__allocate(count * sizeof *results);
    if (exchanges == NULL || results == NULL) {
        conv_error error;
        conv__fail_memory(&error, ACTION);
        fail_all(saves, count, &error);
    } else {
        save_together(batch, saves, count, exchanges, results);
    }
    conv__release(exchanges);
    conv__release(results);
}

void conv__batch_try(conv__store *store, conv__save **saves, size_t count)
{
    save_batch all = {store, earliest_deadline(saves, count)};
    for (size_t i = 0; i < count; i++) {
        saves[i]->status = CONV_OK;
        saves[i]->left = true;
    }
    save_all(&all, saves, count);
}

void conv__batch_save(conv__store *store, conv__save **saves, size_t count)
{
    int64_t deadline_ns = earliest_deadline(saves, count);
    for (size_t i = 0; i < count; i++)
        saves[i]->deadline_ns = deadline_ns;
    conv__batch_try(store, saves, count);
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
