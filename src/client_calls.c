/* The public calls of an open client: each checks that the client may be used and hands over to the
 * service that does the work. */
#include "client_calls.h"

#include "conversation/document.h"
#include "conversation/middleware.h"
#include "conversation/report.h"
#include "conversation/schema.h"
#include "conversation/tracking.h"
#include "conversation/turn.h"
#include "conversation/usage.h"
#include "core/time.h"
#include "middleware/chain.h"
#include "services/documents.h"
#include "services/reconcile.h"
#include "services/reports.h"
#include "services/tracking.h"

static conv_status process_message(conv_client *client, const conv_turn *turn, conv_reply **reply,
                                   conv_error *error)
{
    int64_t begun = conv__monotonic_ns();
    conv_status status = conv__process_message(&client->conversation, turn, reply, error);
    conv__metrics_count_turn(client->metrics, status, (conv__monotonic_ns() - begun) / 1000);
    return status;
}

conv_status conv_process_message(conv_client *client, const conv_turn *turn, conv_reply **reply,
                                 conv_error *error)
{
    CALL_WITH_RESULT(client, "process message", reply, error,
                     process_message(client, turn, reply, error));
}

size_t conv_client_step_count(const conv_client *client)
{
    return client->chain->count;
}

const char *conv_client_step_name(const conv_client *client, size_t index)
{
    const conv__chain *chain = client->chain;
    return index < chain->count ? chain->steps[index]->functions->name : NULL;
}

conv_status conv_save_exchange(conv_client *client, const conv_exchange *exchange,
                               conv_reply **reply, conv_error *error)
{
    if (reply != NULL) *reply = NULL;
    CALL(client, "save exchange", error,
         conv__save_exchange(&client->conversation, exchange, reply, error));
}

conv_status conv_save_exchanges(conv_client *client, const conv_exchange *exchanges, size_t count,
                                conv_exchange_result *results, conv_error *error)
{
    CALL(client, "save exchanges", error,
         conv__save_exchanges(&client->conversation, exchanges, count, results, error));
}

conv_status conv_document_register(conv_client *client, const conv_document_params *params,
                                   conv_document_page **document, conv_error *error)
{
    if (document != NULL) *document = NULL;
    conv__document_listener listener = conv__client_listener(client);
    CALL(client, "register document", error,
         conv__documents_register(client->store, client->prices, &listener, deadline_of(client),
                                  params, document, error));
}

conv_status conv_document_get(conv_client *client, const char *document_id, const char *session_id,
                              conv_document_page **document, conv_error *error)
{
    CALL_WITH_RESULT(client, "read document", document, error,
                     conv__documents_get(client->store, deadline_of(client), document_id,
                                         session_id, document, error));
}

conv_status conv_document_list(conv_client *client, const conv_document_filter *filter,
                               conv_document_page **page, conv_error *error)
{
    CALL_WITH_RESULT(client, "list documents", page, error,
                     conv__documents_list(client->store, deadline_of(client), filter, page, error));
}

conv_status conv_document_delete(conv_client *client, const char *document_id,
                                 const char *session_id, conv_document_receipt *receipt,
                                 conv_error *error)
{
    conv__document_listener listener = conv__client_listener(client);
    CALL(client, "delete document", error,
         conv__documents_delete(client->store, &listener, deadline_of(client), document_id,
                                session_id, receipt, error));
}

conv_status conv_usage_query(conv_client *client, const conv_usage_filter *filter,
                             conv_usage_page **page, conv_error *error)
{
    CALL_WITH_RESULT(client, "query usage", page, error,
                     conv__usage_records(client->store, deadline_of(client), filter, page, error));
}

conv_status conv_usage_sum(conv_client *client, const conv_usage_filter *filter,
                           conv_usage_group group, conv_usage_totals **totals, conv_error *error)
{
    CALL_WITH_RESULT(
        client, "sum usage", totals, error,
        conv__usage_sums(client->store, deadline_of(client), filter, group, totals, error));
}

conv_status conv_usage_refresh(conv_client *client, const conv_refresh_params *params,
                               int64_t *hours, conv_error *error)
{
    CALL(client, "refresh usage", error,
         conv__usage_refresh(client->store, client->store_timeout_ms, params, hours, error));
}

conv_status conv_reconcile(conv_client *client, const conv_reconcile_params *params,
                           conv_reconciliation **result, conv_error *error)
{
    CALL_WITH_RESULT(
        client, "reconcile usage", result, error,
        conv__usage_reconcile(client->store, client->store_timeout_ms, params, result, error));
}

conv_status conv_track_usage(conv_client *client, const conv_usage *usage, conv_error *error)
{
    CALL(client, "track usage", error,
         conv__track_usage(client->tracker, client->prices, usage, error));
}

conv_status conv_track_flush(conv_client *client, int64_t timeout_ms, size_t *pending,
                             conv_error *error)
{
    CALL(client, "flush usage", error,
         conv__tracker_flush(client->tracker, conv__deadline_in_ms(timeout_ms > 0 ? timeout_ms : 0),
                             pending, error));
}

conv_status conv_schema_migrate(conv_client *client, conv_schema_state *state, conv_error *error)
{
    conv_schema_state unused;
    CALL(client, "migrate schema", error,
         client->store->functions->migrate(client->store, deadline_of(client),
                                           state != NULL ? state : &unused, error));
}

conv_status conv_schema_read(conv_client *client, conv_schema_state *state, conv_error *error)
{
    if (state == NULL) return nowhere(error, "read schema");
    CALL(client, "read schema", error,
         client->store->functions->read_schema(client->store, deadline_of(client), state, error));
}
