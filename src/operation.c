/* Operations of the application, under way on a client or told in one call, and where their records
 * go. */
#include "conversation/operation.h"

#include "client.h"
#include "conversation/document.h"
#include "core/error.h"
#include "core/process.h"
#include "core/time.h"
#include "services/documents.h"
#include "services/operation.h"
#include "services/tracking.h"

struct conv_operation {
    conv_client *client; /* which counts this as a call under way */
    conv__operation state;
    bool ended;
};

conv_status conv_operation_begin(conv_client *client, const conv_usage *known,
                                 conv_operation **operation, conv_error *error)
{
    static const char action[] = "begin operation";
    if (operation == NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, action,
                          "there is nowhere to put the operation");
    *operation = NULL;
    conv_status status = conv__client_enter(client, action, error);
    if (status != CONV_OK) return status;
    conv_operation *made = conv__allocate(sizeof *made);
    status = made == NULL ? conv__fail_memory(error, action)
                          : conv__operation_begin(&made->state, known, error);
    if (status != CONV_OK) {
        conv__release(made);
        conv__client_leave(client);
        return status;
    }
    made->client = client;
    conv__client_stay(client);
    *operation = made;
    return CONV_OK;
}

conv_uuid conv_operation_log_id(const conv_operation *operation)
{
    return operation->state.known.log_id;
}

static conv_status track_document(conv_client *client, conv_usage record, conv_error *error)
{
    conv__usage_complete(client->prices, &record);
    conv__document_listener listener = conv__client_listener(client);
    return conv__documents_track(client->store, &listener,
                                 conv__deadline_in_ms(client->store_timeout_ms), &record, error);
}

conv_status conv_document_track(conv_client *client, const conv_usage *usage, conv_error *error)
{
    static const char action[] = "track document";
    conv_status status = conv__client_enter(client, action, error);
    if (status != CONV_OK) return status;
    if (usage == NULL || usage->document_id.data == NULL || usage->operation.data == NULL) {
        status = conv__fail(error, CONV_INVALID_ARGUMENT, action,
                            "no document or no operation is named");
    } else {
        conv_usage record = *usage;
        if (record.service.data == NULL) record.service = conv_text("documents");
        status = track_document(client, record, error);
    }
    conv__client_leave(client);
    return status;
}

/* With a document the record belongs to its change; else the tracker has it. */
static conv_status save(const conv_operation *operation, conv_error *error)
{
    conv_client *client = operation->client;
    const conv_usage *record = &operation->state.record;
    if (record->document_id.data != NULL) return track_document(client, *record, error);
    return conv__track_usage(client->tracker, client->prices, record, error);
}

conv_status conv_operation_end(conv_operation *operation, const conv_usage *used, conv_error *error)
{
    static const char action[] = "end operation";
    conv__error_clear(error);
    if (operation == NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, action, "there is no operation");
    if (operation->client->pid != conv__process_id())
        return conv__fail(error, CONV_STATE, action,
                          "this process was forked after the operation was begun: its parent ends "
                          "it");
    if (operation->ended)
        return conv__fail(error, CONV_STATE, action, "the operation has ended already");
    conv_status status = conv__operation_finish(&operation->state, used, error);
    if (status == CONV_OK) status = save(operation, error);
    operation->ended = status == CONV_OK || status == CONV_NOT_FOUND;
    return status;
}

/* One that was never ended is interrupted, and so is its document, if the store takes that now. One
 * whose end failed is not tried there again: whoever frees it has waited for the store already. */
static conv_status record_left(conv_operation *operation, conv_error *error)
{
    conv__operation *state = &operation->state;
    bool was_tried = state->ending;
    conv__operation_interrupt(state);
    if (!was_tried && state->record.document_id.data != NULL) {
        conv_status status = save(operation, error);
        conv__error_clear(error);
        if (status == CONV_OK || status == CONV_NOT_FOUND) return CONV_OK;
    }
    return conv__track_usage(operation->client->tracker, operation->client->prices, &state->record,
                             error);
}

conv_status conv_operation_free(conv_operation *operation, conv_error *error)
{
    conv_status status = CONV_OK;
    conv__error_clear(error);
    if (operation == NULL) return CONV_OK;
    conv_client *client = operation->client;
    bool is_ours = client->pid == conv__process_id();
    if (is_ours && !operation->ended) status = record_left(operation, error);
    conv__operation_reset(&operation->state);
    conv__release(operation);
    if (is_ours) conv__client_leave_at_last(client);
    return status;
}
