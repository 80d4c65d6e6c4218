/* The store in an SQLite file: transactions and schema. Holds no SQL; that stands beside the
 * functions it belongs to. */
#include "repositories/sqlite/store.h"

#include <pthread.h>

#include "core/error.h"
#include "core/memory.h"
#include "db/sqlite/migrations.h"
#include "repositories/sqlite/internal.h"
#include "repositories/sqlite/sessions.h"

typedef struct sqlite_store {
    conv__store base;
    conv__chat_repository chat;
    conv__usage_repository usage;
    conv__document_repository documents;
    conv__session_repository sessions;
    conv__search_repository search;
    conv__summary_repository summaries;
    conv__sqlite_params params;
    char *path;
    pthread_mutex_t opening; /* of the connection, where it was left for later */
    conv__sqlite *connection;
    /* One connection has one transaction at a time, so it needs no memory of its own. */
    conv__transaction transaction;
} sqlite_store;

static sqlite_store *store_of(conv__store *store)
{
    return (sqlite_store *)store;
}

conv__sqlite *conv__sqlite_of(const conv__transaction *transaction)
{
    return store_of(transaction->store)->connection;
}

/* The file was not to be had when the store was opened: now it may be. */
static conv_status have_connection(sqlite_store *self, conv_error *error)
{
    pthread_mutex_lock(&self->opening);
    conv_status status = self->connection != NULL
                             ? CONV_OK
                             : conv__sqlite_open(&self->params, &self->connection, error);
    pthread_mutex_unlock(&self->opening);
    return status;
}

static conv_status begin(conv__store *store, conv__transaction_mode mode, int64_t deadline_ns,
                         conv__transaction **transaction, conv_error *error)
{
    sqlite_store *self = store_of(store);
    conv__sqlite_mode wanted =
        mode == CONV__TRANSACTION_WRITE ? CONV__SQLITE_WRITE : CONV__SQLITE_READ;
    conv_status status = have_connection(self, error);
    if (status == CONV_OK)
        status = conv__sqlite_begin(self->connection, wanted, deadline_ns, error);
    if (status == CONV_OK) *transaction = &self->transaction;
    return status;
}

static conv_status commit(conv__transaction *transaction, conv_error *error)
{
    return conv__sqlite_commit(conv__sqlite_of(transaction), error);
}

static void rollback(conv__transaction *transaction)
{
    if (transaction != NULL) conv__sqlite_rollback(conv__sqlite_of(transaction));
}

static conv_status read_schema(conv__store *store, int64_t deadline_ns, conv_schema_state *state,
                               conv_error *error)
{
    conv_status status = have_connection(store_of(store), error);
    if (status != CONV_OK) return status;
    return conv__sqlite_read_schema(store_of(store)->connection, conv__migrations_sqlite,
                                    deadline_ns, state, error);
}

static conv_status migrate(conv__store *store, int64_t deadline_ns, conv_schema_state *state,
                           conv_error *error)
{
    conv_status status = have_connection(store_of(store), error);
    if (status != CONV_OK) return status;
    return conv__sqlite_migrate(store_of(store)->connection, conv__migrations_sqlite, deadline_ns,
                                state, error);
}

static void close_store(conv__store *store)
{
    sqlite_store *self = store_of(store);
    conv__sqlite_close(self->connection);
    pthread_mutex_destroy(&self->opening);
    conv__release(self->path);
    conv__release(self);
}

static const conv__store_functions store_functions = {
    .name = "sqlite",
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .read_schema = read_schema,
    .migrate = migrate,
    .close = close_store,
};

static const conv__chat_repository_functions chat_functions = {
    .save = conv__sqlite_save_exchanges,
    .remove_failed = conv__sqlite_remove_failed,
    .find_exchanges = conv__sqlite_find_exchanges,
    .read_turn = conv__sqlite_read_turn,
    .read_history = conv__sqlite_read_history,
    .read_message = conv__sqlite_read_message,
    .create_session = conv__sqlite_create_session,
    .read_session = conv__sqlite_read_session,
    .update_session = conv__sqlite_update_session,
    .list_sessions = conv__sqlite_list_sessions,
    .delete_session = conv__sqlite_delete_session,
};

static const conv__usage_repository_functions usage_functions = {
    .save = conv__sqlite_save_usage,
    .save_new = conv__sqlite_save_usage,
    .query = conv__sqlite_query_usage,
    .sum = conv__sqlite_sum_usage,
    .refresh = conv__sqlite_refresh_usage,
    .reconcile = conv__sqlite_reconcile_usage,
};

static const conv__document_repository_functions document_functions = {
    .insert = conv__sqlite_insert_document,
    .read = conv__sqlite_read_document,
    .list = conv__sqlite_list_documents,
    .note = conv__sqlite_note_document,
    .remove = conv__sqlite_remove_document,
    .remove_session = conv__sqlite_remove_documents,
};

conv_status conv__sqlite_store_open(const conv__sqlite_params *params, bool later,
                                    conv__store **store, conv_error *error)
{
    *store = NULL;
    sqlite_store *opened = conv__allocate(sizeof *opened);
    if (opened == NULL) return conv__fail_memory(error, "open store");
    pthread_mutex_init(&opened->opening, NULL);
    opened->base.functions = &store_functions;
    opened->base.chat = &opened->chat;
    opened->base.usage = &opened->usage;
    opened->base.documents = &opened->documents;
    opened->chat.functions = &chat_functions;
    opened->usage.functions = &usage_functions;
    opened->documents.functions = &document_functions;
    opened->base.sessions = &opened->sessions;
    opened->base.search = &opened->search;
    opened->base.summaries = &opened->summaries;
    opened->sessions.functions = &conv__sqlite_session_functions;
    opened->search.functions = &conv__sqlite_search_functions;
    opened->summaries.functions = &conv__sqlite_summary_functions;
    opened->transaction.store = &opened->base;
    opened->path = conv__copy_text(params->path);
    opened->params = *params;
    opened->params.path = opened->path;
    opened->params.latest = &opened->base.latest;
    conv_status status = CONV_OK;
    if (opened->path == NULL && params->path != NULL)
        status = conv__fail_memory(error, "open store");
    else if (!later)
        status = have_connection(opened, error);
    if (status == CONV_OK)
        *store = &opened->base;
    else
        close_store(&opened->base);
    return status;
}
