/* Composition root: the one file that knows every room. Puts a client together and takes it apart.
 */
#include "client.h"

#include <string.h>

#include "async_queue.h"
#include "core/error.h"
#include "core/process.h"
#include "core/thread.h"
#include "core/time.h"
#include "middleware/chain.h"
#include "middleware/redact.h"
#include "repositories/postgres/store.h"
#include "repositories/sqlite/journal.h"
#include "repositories/sqlite/store.h"
#include "services/tracking.h"
#include "store_location.h"

#define ACTION "open client"

enum {
    DEFAULT_CONNECTIONS = 8,
    MAX_CONNECTIONS = 1000,
    DEFAULT_CONNECT_TIMEOUT_MS = 10000,
    DEFAULT_STORE_TIMEOUT_MS = 30000,
    DEFAULT_TURN_TIMEOUT_MS = 600000,
    DEFAULT_CONTEXT_MESSAGES = 50,
    MAX_CONTEXT_MESSAGES = 10000,
    BATCH_EXCHANGES = 256,
    QUEUE_EXCHANGES = 65536,
    POSTGRES_LEADERS = 2,
    LEAST_SUMMARIZED_TOKENS = 4000,
    MOST_SUMMARIZED_TOKENS = 60000,
    DEFAULT_TRACKER_RECORDS = 10,
    MAX_TRACKER_RECORDS = 100000,
    DEFAULT_TRACKER_INTERVAL_MS = 60000,
    TRACKER_BYTES = 64 << 20
};
#define DEFAULT_JOURNAL_BYTES ((int64_t)1 << 30)

static conv_status invalid(conv_error *error, const char *what)
{
    return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION, "%s", what);
}

static conv_status check_params(const conv_client_params *params, conv_error *error)
{
    if (params->size != sizeof *params)
        return invalid(error, "the parameters were not begun with CONV_CLIENT_PARAMS_INIT");
    if ((unsigned)params->schema > CONV_SCHEMA_IGNORE)
        return invalid(error, "schema is no known policy");
    if (params->connections < 0 || params->connections > MAX_CONNECTIONS)
        return invalid(error, "connections is not 1 to 1000");
    if (params->connect_timeout_ms < 0 || params->store_timeout_ms < 0 ||
        params->turn_timeout_ms < 0)
        return invalid(error, "a timeout is negative");
    if (params->context_messages < -1 || params->context_messages > MAX_CONTEXT_MESSAGES)
        return invalid(error, "context_messages is not -1 to 10000");
    if (params->tracker_records < 0 || params->tracker_records > MAX_TRACKER_RECORDS)
        return invalid(error, "tracker_records is not 1 to 100000");
    if (params->context_tokens < 0 || params->summary_tokens < 0)
        return invalid(error, "context_tokens or summary_tokens is negative");
    if (params->summary_tokens > 0 && params->provider == NULL && !params->read_only)
        return invalid(error, "summary_tokens is set, but no provider to ask for summaries");
    if (params->tracker_interval_ms < 0 || params->journal_bytes < 0)
        return invalid(error, "tracker_interval_ms or journal_bytes is negative");
    if (params->journal_age_ms < 0) return invalid(error, "journal_age_ms is negative");
    if ((unsigned)params->journal_sync > CONV_JOURNAL_SYNC_PROCESS)
        return invalid(error, "journal_sync is no known level");
    if (params->price_count > 0 && params->prices == NULL)
        return invalid(error, "price_count is set but prices is NULL");
    return CONV_OK;
}

static int64_t or_default(int64_t value, int64_t fallback)
{
    return value > 0 ? value : fallback;
}

/* `later`: the store was not to be reached; whoever needs it tries again. */
static conv_status open_store(conv_client *client, const conv_client_params *params, bool later,
                              conv_error *error)
{
    const char *location = NULL;
    conv_status status =
        conv__store_location(&client->arena, params->store, params->read_only, &location, error);
    if (status != CONV_OK) return status;
    const char *file = conv__store_sqlite_file(location);
    if (file != NULL && params->journal != NULL && conv__store_is_same_file(file, params->journal))
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "%s is the store's own file and can't be its journal: name another file "
                          "for the journal",
                          params->journal);
    if (file != NULL) {
        conv__sqlite_params sqlite = {.path = file,
                                      .read_only = params->read_only,
                                      .create = !params->read_only,
                                      .timeout_ms = params->connect_timeout_ms};
        return conv__sqlite_store_open(&sqlite, later, &client->store, error);
    }
    conv__postgres_params postgres = {
        .connection = location,
        .application = params->application != NULL ? params->application : "conversation",
        .connections = (int)or_default(params->connections, DEFAULT_CONNECTIONS),
        .connect_timeout_ms = or_default(params->connect_timeout_ms, DEFAULT_CONNECT_TIMEOUT_MS),
        .pooler = params->pooler,
        .later = later};
    return conv__postgres_store_open(&postgres, &client->store, error);
}

static bool is_embedded(const conv_client *client)
{
    return strcmp(client->store->functions->name, "sqlite") == 0;
}

static conv_status check_schema(void *context, conv_error *error)
{
    conv_client *client = context;
    conv_schema_state state = {0};
    int64_t deadline = conv__deadline_in_ms(client->store_timeout_ms);
    if (client->schema == CONV_SCHEMA_IGNORE) return CONV_OK;
    conv_status status =
        client->store->functions->read_schema(client->store, deadline, &state, error);
    if (status != CONV_OK) return status;
    bool empty = is_embedded(client) && state.version == 0 && !state.foreign;
    bool make =
        client->schema == CONV_SCHEMA_MIGRATE || (client->schema == CONV_SCHEMA_DEFAULT && empty);
    if (state.version < state.wanted && make && !client->read_only)
        return client->store->functions->migrate(client->store, deadline, &state, error);
    if (state.version == state.wanted) return CONV_OK;
    if (state.foreign)
        return conv__fail(error, CONV_STATE, ACTION,
                          "the file holds tables of another program and none of libconversation: "
                          "name another file, or run `conversation migrate` to add ours to it");
    if (state.version == 0)
        return conv__fail(error, CONV_STATE, ACTION,
                          "the store has no schema of libconversation yet: run `conversation "
                          "migrate` on it");
    if (state.version < state.wanted)
        return conv__fail(error, CONV_STATE, ACTION,
                          "the store's schema is %lld, this library needs %lld: run `conversation "
                          "migrate`",
                          (long long)state.version, (long long)state.wanted);
    return conv__fail(error, CONV_STATE, ACTION,
                      "the store's schema is %lld, newer than this library's %lld: update the "
                      "program",
                      (long long)state.version, (long long)state.wanted);
}

static void close_store(conv_client *client)
{
    if (client->store != NULL) client->store->functions->close(client->store);
    client->store = NULL;
}

/* A program whose store is away must still start where a journal can take what comes: what may pass
 * by itself (nobody there, starting up, too many connections) is left to the thread that drains.
 * What a person must change (password, database, schema) is said at once. */
static conv_status reach_store(conv_client *client, const conv_client_params *params,
                               conv_error *error)
{
    conv_error why = CONV_ERROR_INIT;
    conv_status status = open_store(client, params, false, &why);
    if (status == CONV_OK) status = check_schema(client, &why);
    bool later = status != CONV_OK && params->journal != NULL && !params->read_only &&
                 conv_error_is_retryable(&why);
    if (later) {
        close_store(client);
        status = open_store(client, params, true, &why);
        client->store_unseen = status == CONV_OK;
    }
    if (status != CONV_OK && error != NULL) *error = why;
    return status;
}

/* Transactions that write side by side. */
static int leaders(const conv_client *client, const conv_client_params *params)
{
    return is_embedded(client) || params->connections == 1 ? 1 : POSTGRES_LEADERS;
}

static conv_status open_saving(conv_client *client, const conv_client_params *params,
                               conv_error *error)
{
    conv__journal *journal = NULL;
    conv_bytes path;
    conv__writer_params writer = {.store = client->store,
                                  .leaders = leaders(client, params),
                                  .batch_exchanges = BATCH_EXCHANGES,
                                  .batch_bytes = CONV__BATCH_BYTES,
                                  .queue_exchanges = QUEUE_EXCHANGES};
    if (params->journal != NULL && !params->read_only) {
        conv_status status = conv__sqlite_journal_open(
            params->journal, params->journal_sync == CONV_JOURNAL_SYNC_PROCESS,
            &client->journal_set_aside, &journal, error);
        if (status != CONV_OK) return status;
        if (conv__arena_copy(&client->arena, conv_text(params->journal), &path) != CONV_OK) {
            journal->functions->close(journal);
            return conv__fail_memory(error, ACTION);
        }
        client->journal = path.data;
    }
    conv__saving_params saving = {.writer = writer,
                                  .journal = journal,
                                  .journal_stays = params->journal_stays,
                                  .store_timeout_ms = client->store_timeout_ms,
                                  .journal_bytes =
                                      or_default(params->journal_bytes, DEFAULT_JOURNAL_BYTES),
                                  .journal_age_ms = params->journal_age_ms,
                                  .prove = client->store_unseen ? check_schema : NULL,
                                  .prove_context = client,
                                  .bus = client->bus};
    return conv__saving_create(&saving, &client->saving, error);
}

static conv_status open_tracker(conv_client *client, const conv_client_params *params,
                                conv_error *error)
{
    conv__tracker_params tracker = {
        .saving = client->saving,
        .spool = params->read_only ? NULL : params->journal,
        .flush_records = (size_t)or_default(params->tracker_records, DEFAULT_TRACKER_RECORDS),
        .flush_interval_ms = or_default(params->tracker_interval_ms, DEFAULT_TRACKER_INTERVAL_MS),
        .buffer_bytes = TRACKER_BYTES,
        .store_timeout_ms = client->store_timeout_ms,
        .flushers = leaders(client, params),
        .finish = conv__usage_finish};
    return conv__tracker_create(&tracker, &client->tracker, error);
}

static conv_status open_health(conv_client *client, const conv_client_params *params,
                               conv_error *error)
{
    conv__health_sources sources = {
        .saving = client->saving,
        .bus = client->bus,
        .read_only = params->read_only,
        .has_provider = params->provider != NULL,
        .journal_bytes = or_default(params->journal_bytes, DEFAULT_JOURNAL_BYTES),
        .tracker_records = or_default(params->tracker_records, DEFAULT_TRACKER_RECORDS)};
    client->health = conv__health_create(&sources);
    return client->health != NULL ? CONV_OK : conv__fail_memory(error, ACTION);
}

static conv_status set_up_service(conv_client *client, const conv_client_params *params,
                                  conv_error *error)
{
    conv_bytes model;
    const conv__redaction redaction = conv__chain_redaction(client->chain);
    client->provider_calls = conv__provider_calls_create(&redaction);
    if (client->provider_calls == NULL ||
        conv__arena_copy(&client->arena, conv_text(params->model), &model) != CONV_OK)
        return conv__fail_memory(error, ACTION);
    client->conversation = (conv__conversation){
        .store = client->store,
        .saving = client->saving,
        .tracker = client->tracker,
        .prices = client->prices,
        .announcer = {conv__client_announce, client},
        .chain = client->chain,
        .provider = params->provider,
        .provider_calls = client->provider_calls,
        .redaction = redaction,
        .model = model.data,
        .context_messages =
            params->context_messages != 0 ? params->context_messages : DEFAULT_CONTEXT_MESSAGES,
        .store_timeout_ms = client->store_timeout_ms,
        .turn_timeout_ms = or_default(params->turn_timeout_ms, DEFAULT_TURN_TIMEOUT_MS)};
    return CONV_OK;
}

static bool enter_for_summary(void *context)
{
    return conv__client_enter(context, "make summary", NULL) == CONV_OK;
}

static void leave_for_summary(void *context)
{
    conv__client_leave(context);
}

/* What it is told of a history anyway, within what a provider can be expected to read at once. */
static int64_t summarized_tokens(const conv_client_params *params)
{
    int64_t tokens = params->context_tokens;
    if (tokens == 0 || tokens > MOST_SUMMARIZED_TOKENS) return MOST_SUMMARIZED_TOKENS;
    return tokens < LEAST_SUMMARIZED_TOKENS ? LEAST_SUMMARIZED_TOKENS : tokens;
}

/* After the service, whose settings it shares. */
static conv_status set_up_summaries(conv_client *client, const conv_client_params *params,
                                    conv_error *error)
{
    const conv__conversation *conversation = &client->conversation;
    conv_bytes model;
    if (conv__arena_copy(&client->arena, conv_text(params->summary_model), &model) != CONV_OK)
        return conv__fail_memory(error, ACTION);
    client->summaries =
        (conv__summaries){.store = client->store,
                          .tracker = client->tracker,
                          .prices = client->prices,
                          .bus = client->bus,
                          .provider = params->provider,
                          .provider_calls = client->provider_calls,
                          .redaction = conversation->redaction,
                          .model = model.data != NULL ? model.data : conversation->model,
                          .summary_tokens = params->summary_tokens,
                          .most_tokens = summarized_tokens(params),
                          .store_timeout_ms = client->store_timeout_ms,
                          .turn_timeout_ms = conversation->turn_timeout_ms};
    client->conversation.context_tokens = params->context_tokens;
    client->conversation.summary_tokens = params->summary_tokens;
    if (params->summary_tokens == 0 || params->provider == NULL || params->read_only)
        return CONV_OK;
    const conv__summarizer_params summarizer = {client->summaries, enter_for_summary,
                                                leave_for_summary, client};
    client->summarizer = conv__summarizer_create(&summarizer);
    client->conversation.summarizer = client->summarizer;
    return client->summarizer != NULL ? CONV_OK : conv__fail_memory(error, ACTION);
}

size_t conv__client_destroy(conv_client *client, int64_t deadline_ns,
                            conv__journal_counts *remaining, conv_error *cause)
{
    bool spooled = false;
    conv__async_close(client->async);
    conv__summarizer_free(client->summarizer);
    conv__health_free(client->health, deadline_ns);
    size_t buffered = conv__tracker_close(client->tracker, deadline_ns, &spooled);
    conv__saving_close(client->saving, deadline_ns, remaining, cause);
    if (remaining != NULL && spooled) remaining->usage += (int64_t)buffered;
    if (remaining != NULL && !spooled) remaining->lost = (int64_t)buffered;
    size_t events = conv__bus_close(client->bus, deadline_ns);
    conv__metrics_free(client->metrics);
    close_store(client);
    conv__prices_free(client->prices);
    conv__provider_calls_free(client->provider_calls);
    pthread_cond_destroy(&client->idle);
    pthread_mutex_destroy(&client->lock);
    conv__arena_reset(&client->arena);
    conv__release(client->journal_set_aside);
    conv__release(client);
    return events;
}

static conv_client *create(void)
{
    conv_client *client = conv__allocate(sizeof *client);
    if (client == NULL) return NULL;
    client->bus = conv__bus_create();
    client->metrics = conv__metrics_create();
    if (client->bus == NULL || client->metrics == NULL) {
        conv__bus_close(client->bus, 0);
        conv__metrics_free(client->metrics);
        conv__release(client);
        return NULL;
    }
    conv__bus_set_tap(client->bus, conv__metrics_observe, client->metrics);
    client->pid = conv__process_id();
    pthread_mutex_init(&client->lock, NULL);
    conv__condition_init(&client->idle);
    return client;
}

const char *conv_client_journal_set_aside(const conv_client *client)
{
    return client == NULL ? NULL : client->journal_set_aside;
}

conv_status conv_client_open(const conv_client_params *params, conv_client **client,
                             conv_error *error)
{
    static const conv_client_params defaults = CONV_CLIENT_PARAMS_INIT;
    conv__error_clear(error);
    if (client == NULL) return invalid(error, "there is nowhere to put the client");
    *client = NULL;
    if (params == NULL) params = &defaults;
    conv_status status = check_params(params, error);
    if (status != CONV_OK) return status;
    conv_client *made = create();
    if (made == NULL) return conv__fail_memory(error, ACTION);
    made->schema = params->schema;
    made->read_only = params->read_only;
    made->store_timeout_ms = or_default(params->store_timeout_ms, DEFAULT_STORE_TIMEOUT_MS);
    made->pooler = params->pooler;
    status = conv__prices_create(params->prices, params->price_count, &made->prices, error);
    if (status == CONV_OK)
        status = conv__chain_create(&made->arena, params->chain, params->chain_count, &made->chain,
                                    error);
    if (status == CONV_OK) status = reach_store(made, params, error);
    if (status == CONV_OK) status = open_saving(made, params, error);
    if (status == CONV_OK) status = open_tracker(made, params, error);
    if (status == CONV_OK) status = open_health(made, params, error);
    if (status == CONV_OK) status = set_up_service(made, params, error);
    if (status == CONV_OK) status = set_up_summaries(made, params, error);
    if (status == CONV_OK)
        *client = made;
    else
        (void)conv__client_destroy(made, 0, NULL, NULL);
    return status;
}
