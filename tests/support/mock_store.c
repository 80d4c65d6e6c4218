#include "support/mock_store.h"

#include <string.h>

#include "core/error.h"

static mock_store *of(conv__store *store)
{
    return (mock_store *)store;
}

conv_error mock_error(conv_status status, conv_recovery recovery, const char *sqlstate)
{
    conv_error error;
    conv__fail(&error, status, "mock", "scripted failure");
    error.recovery = recovery;
    memcpy(error.sqlstate, sqlstate, strlen(sqlstate) + 1);
    return error;
}

void mock_store_set_most(mock_store *mock, size_t exchanges)
{
    pthread_mutex_lock(&mock->lock);
    mock->most = exchanges;
    pthread_mutex_unlock(&mock->lock);
}

void mock_store_set_poison(mock_store *mock, conv_uuid id, conv_error error)
{
    pthread_mutex_lock(&mock->lock);
    mock->poison = id;
    mock->poison_error = error;
    pthread_mutex_unlock(&mock->lock);
}

static conv_status begin(conv__store *store, conv__transaction_mode mode, int64_t deadline_ns,
                         conv__transaction **transaction, conv_error *error)
{
    mock_store *mock = of(store);
    pthread_mutex_lock(&mock->lock);
    mock->last_deadline_ns = deadline_ns;
    if (mock->begin_error.status != CONV_OK) {
        conv_status status = mock->begin_error.status;
        if (error != NULL) *error = mock->begin_error;
        pthread_mutex_unlock(&mock->lock);
        return status;
    }
    if (mode == CONV__TRANSACTION_READ)
        mock->reads++;
    else
        mock->writes++;
    mock->open++;
    mock->pending_count = 0;
    mock->pending_poison = false;
    mock->transaction.store = store;
    *transaction = &mock->transaction;
    return CONV_OK;
}

static conv_status commit_locked(mock_store *mock, conv_error *error)
{
    if (mock->on_commit != NULL) mock->on_commit(mock->commit_context);
    mock->open--;
    const conv_error *scripted = &mock->commit_errors[mock->commits++ % MOCK_STORE_COMMITS];
    if (scripted->status != CONV_OK) {
        *error = *scripted;
        return error->status;
    }
    if (mock->pending_poison) {
        *error = mock->poison_error;
        return error->status;
    }
    for (size_t i = 0; i < mock->pending_count && mock->saved_count < MOCK_STORE_SAVED; i++)
        mock->saved_ids[mock->saved_count++] = mock->pending_ids[i];
    return CONV_OK;
}

static conv_status commit(conv__transaction *transaction, conv_error *error)
{
    mock_store *mock = of(transaction->store);
    conv_status status = commit_locked(mock, error);
    pthread_mutex_unlock(&mock->lock);
    return status;
}

static void rollback(conv__transaction *transaction)
{
    if (transaction == NULL) return;
    mock_store *mock = of(transaction->store);
    mock->open--;
    mock->rollbacks++;
    pthread_mutex_unlock(&mock->lock);
}

static void take_id(mock_store *mock, conv_uuid id)
{
    if (!conv_uuid_is_nil(mock->poison) && conv_uuid_compare(mock->poison, id) == 0)
        mock->pending_poison = true;
    if (!mock->not_inserted && mock->pending_count < MOCK_STORE_SAVED)
        mock->pending_ids[mock->pending_count++] = id;
}

static conv_status save(conv__chat_repository *chat, conv__transaction *transaction,
                        const conv__exchange *const *exchanges, size_t count,
                        conv__save_result *results, conv_error *error)
{
    mock_store *mock = of(transaction->store);
    (void)chat;
    mock->saves++;
    if (mock->most > 0 && count > mock->most) {
        *error = mock_error(CONV_UNAVAILABLE, CONV_RECOVERY_WAIT, "");
        return error->status;
    }
    if (count > mock->largest_batch) mock->largest_batch = count;
    for (size_t i = 0; i < count; i++) {
        results[i] = (conv__save_result){!mock->not_inserted, 1, false};
        mock->last = *exchanges[i];
        take_id(mock, exchanges[i]->exchange_id);
    }
    return CONV_OK;
}

static conv_status save_usage(conv__usage_repository *usage, conv__transaction *transaction,
                              const conv__usage_row *const *rows, size_t count, bool *inserted,
                              conv_error *error)
{
    mock_store *mock = of(transaction->store);
    (void)usage;
    (void)error;
    for (size_t i = 0; i < count; i++) {
        inserted[i] = !mock->not_inserted;
        take_id(mock, rows[i]->usage.log_id);
    }
    return CONV_OK;
}

static conv_status remove_failed(conv__chat_repository *chat, conv__transaction *transaction,
                                 const conv__exchange *exchange, conv_error *error)
{
    (void)chat;
    (void)exchange;
    (void)error;
    of(transaction->store)->removals++;
    return CONV_OK;
}

static conv_status find_exchanges(conv__chat_repository *chat, conv__transaction *transaction,
                                  const conv__exchange_key *keys, size_t count,
                                  conv__exchange_state *states, conv_error *error)
{
    mock_store *mock = of(transaction->store);
    (void)chat;
    (void)keys;
    (void)error;
    mock->lookups++;
    if (mock->on_lookup != NULL) mock->on_lookup(mock->lookup_context);
    for (size_t i = 0; i < count; i++) {
        states[i] = mock->existing;
        if (mock->existing_is_last) {
            states[i].found = true;
            states[i].log_id = mock->last.usage.usage.log_id;
            memcpy(states[i].request_hash, mock->last.request_hash, CONV__CONTENT_HASH_SIZE);
            memcpy(states[i].reply_hash, mock->last.reply_hash, CONV__CONTENT_HASH_SIZE);
        }
    }
    return CONV_OK;
}

static conv_status read_turn(conv__chat_repository *chat, conv__transaction *transaction,
                             const conv__turn_query *query, conv__arena *arena,
                             conv__turn_state *state, conv_error *error)
{
    mock_store *mock = of(transaction->store);
    (void)chat;
    (void)arena;
    (void)error;
    mock->turn_reads++;
    mock->last_query = *query;
    *state = mock->turn_state;
    return CONV_OK;
}

static conv_status find_deleted(conv__session_repository *sessions, conv__transaction *transaction,
                                const conv__accepted *items, size_t count, bool erased,
                                bool *deleted, conv_error *error)
{
    (void)sessions;
    (void)items;
    (void)erased;
    (void)error;
    for (size_t i = 0; i < count; i++)
        deleted[i] = of(transaction->store)->deleted;
    return CONV_OK;
}

static conv_status erase_unsaved(conv__session_repository *sessions, conv__transaction *transaction,
                                 const conv__accepted *items, size_t count, conv_uuid pseudonym,
                                 int64_t *hidden, conv_error *error)
{
    (void)sessions;
    (void)transaction;
    (void)items;
    (void)count;
    (void)pseudonym;
    (void)error;
    *hidden = 0;
    return CONV_OK;
}

static void close_store(conv__store *store)
{
    (void)store;
}

void mock_store_set_away(mock_store *mock, bool away)
{
    pthread_mutex_lock(&mock->lock);
    mock->begin_error =
        away ? mock_error(CONV_UNAVAILABLE, CONV_RECOVERY_WAIT, "") : (conv_error)CONV_ERROR_INIT;
    pthread_mutex_unlock(&mock->lock);
}

size_t mock_store_saved(mock_store *mock)
{
    pthread_mutex_lock(&mock->lock);
    size_t saved = mock->saved_count;
    pthread_mutex_unlock(&mock->lock);
    return saved;
}

void mock_store_init(mock_store *mock)
{
    static const conv__store_functions store = {.name = "mock",
                                                .begin = begin,
                                                .commit = commit,
                                                .rollback = rollback,
                                                .close = close_store};
    static const conv__chat_repository_functions chat = {.save = save,
                                                         .remove_failed = remove_failed,
                                                         .find_exchanges = find_exchanges,
                                                         .read_turn = read_turn};
    static const conv__usage_repository_functions usage = {.save = save_usage,
                                                           .save_new = save_usage};
    static const conv__session_repository_functions sessions = {.find_deleted = find_deleted,
                                                                .erase_unsaved = erase_unsaved};
    memset(mock, 0, sizeof *mock);
    pthread_mutex_init(&mock->lock, NULL);
    mock->store.functions = &store;
    mock->store.chat = &mock->chat;
    mock->store.usage = &mock->usage;
    mock->store.sessions = &mock->sessions;
    mock->sessions.functions = &sessions;
    mock->chat.functions = &chat;
    mock->usage.functions = &usage;
}
