/* Opening and closing of the PostgreSQL store. It holds no SQL. */
#include "repositories/postgres/store.h"

#include "core/error.h"
#include "core/memory.h"
#include "core/time.h"
#include "db/postgres/migrations.h"
#include "db/postgres/pool.h"
#include "repositories/postgres/chat.h"
#include "repositories/postgres/documents.h"
#include "repositories/postgres/notify.h"
#include "repositories/postgres/sessions.h"
#include "repositories/postgres/transaction.h"
#include "repositories/postgres/usage.h"

#define ACTION "open store"

enum { CONNECTIONS = 8, CONNECTIONS_LIMIT = 1000, CONNECT_TIMEOUT_MS = 10000 };

typedef struct postgres_store {
    conv__store base; /* first: it is all that others see */
    conv__pool *pool;
    conv__chat_repository chat;
    conv__usage_repository usage;
    conv__document_repository documents;
    conv__session_repository sessions;
    conv__search_repository search;
    conv__summary_repository summaries;
} postgres_store;

static conv__pool *pool_of(conv__store *store)
{
    return ((postgres_store *)store)->pool;
}

static conv_status begin(conv__store *store, conv__transaction_mode mode, int64_t deadline_ns,
                         conv__transaction **transaction, conv_error *error)
{
    return conv__postgres_begin(store, pool_of(store), mode, deadline_ns, transaction, error);
}

typedef conv_status (*schema_function)(conv__connection *connection,
                                       const conv__migration *migrations, int64_t deadline_ns,
                                       conv_schema_state *state, conv_error *error);

static conv_status with_connection(conv__store *store, schema_function work, int64_t deadline_ns,
                                   conv_schema_state *state, conv_error *error)
{
    conv__connection *connection = NULL;
    conv__pool *pool = pool_of(store);
    conv_status status = conv__pool_lease(pool, deadline_ns, &connection, error);
    if (status != CONV_OK) return status;
    status = work(connection, conv__migrations_postgres, deadline_ns, state, error);
    conv__pool_return(pool, connection);
    return status;
}

static conv_status read_schema(conv__store *store, int64_t deadline_ns, conv_schema_state *state,
                               conv_error *error)
{
    return with_connection(store, conv__migrations_read, deadline_ns, state, error);
}

static conv_status migrate(conv__store *store, int64_t deadline_ns, conv_schema_state *state,
                           conv_error *error)
{
    return with_connection(store, conv__migrations_apply, deadline_ns, state, error);
}

static conv_status notify(conv__store *store, const char *channel, const char *payload,
                          int64_t deadline_ns, conv_error *error)
{
    return conv__postgres_notify(store, pool_of(store), channel, payload, deadline_ns, error);
}

static void close_store(conv__store *store)
{
    conv__pool_close(pool_of(store));
    conv__release(store);
}

static const conv__store_functions functions = {
    .name = "postgresql",
    .begin = begin,
    .commit = conv__postgres_commit,
    .rollback = conv__postgres_rollback,
    .read_schema = read_schema,
    .migrate = migrate,
    .notify = notify,
    .close = close_store,
};

static conv_status check(const conv__postgres_params *params, conv_error *error)
{
    if (params->connection == NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION, "there is no connection string");
    if (params->connections < 0 || params->connections > CONNECTIONS_LIMIT)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "connections is %d, but must be 1 to %d", params->connections,
                          CONNECTIONS_LIMIT);
    if (params->connect_timeout_ms < 0)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION, "connect_timeout_ms is negative");
    return CONV_OK;
}

/* Bounded by the connect timeout alone: the user's own may be longer than ours. */
static conv_status connect_once(conv__pool *pool, conv_error *error)
{
    conv__connection *connection = NULL;
    conv_status status = conv__pool_lease(pool, CONV__NO_DEADLINE, &connection, error);
    if (status == CONV_OK) conv__pool_return(pool, connection);
    return status;
}

conv_status conv__postgres_store_open(const conv__postgres_params *params, conv__store **store,
                                      conv_error *error)
{
    *store = NULL;
    conv_status status = check(params, error);
    if (status != CONV_OK) return status;
    conv__pool_params settings = {
        .conninfo = params->connection,
        .application = params->application == NULL ? "conversation" : params->application,
        .connections = params->connections == 0 ? CONNECTIONS : params->connections,
        .connect_timeout_ms =
            params->connect_timeout_ms == 0 ? CONNECT_TIMEOUT_MS : params->connect_timeout_ms,
        .pooler = params->pooler};
    postgres_store *self = conv__allocate(sizeof *self);
    if (self == NULL) return conv__fail_memory(error, ACTION);
    settings.latest = &self->base.latest;
    status = conv__pool_create(&settings, &self->pool, error);
    if (status == CONV_OK && !params->later) status = connect_once(self->pool, error);
    if (status != CONV_OK) {
        conv__pool_close(self->pool);
        conv__release(self);
        return status;
    }
    self->base.functions = &functions;
    self->base.chat = &self->chat;
    self->base.usage = &self->usage;
    self->base.documents = &self->documents;
    self->base.sessions = &self->sessions;
    self->base.search = &self->search;
    self->base.summaries = &self->summaries;
    self->chat.functions = &conv__postgres_chat_functions;
    self->usage.functions = &conv__postgres_usage_functions;
    self->documents.functions = &conv__postgres_document_functions;
    self->sessions.functions = &conv__postgres_session_functions;
    self->search.functions = &conv__postgres_search_functions;
    self->summaries.functions = &conv__postgres_summary_functions;
    *store = &self->base;
    return CONV_OK;
}

conv__postgres_gauges conv__postgres_store_gauges(conv__store *store)
{
    conv__pool_gauges gauges = conv__pool_read_gauges(pool_of(store));
    return (conv__postgres_gauges){gauges.limit, gauges.open, gauges.idle, gauges.waiting};
}
