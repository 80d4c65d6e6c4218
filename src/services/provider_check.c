/* One question of a few words to the provider. It belongs to no session and is saved nowhere, but
 * what it used is in the ledger like all that is paid for. */
#include "services/provider_check.h"

#include "core/error.h"
#include "providers/response.h"
#include "services/tracking.h"

#define ACTION   "check provider"
#define QUESTION "This is a health check. Answer with the word ok."

/* No field limits the answer: endpoints do not agree on its name, and refuse the others'. */
static conv_status ask(const conv__conversation *service, int64_t timeout_ms,
                       conv_provider_response *response, int64_t *latency_us, conv_error *error)
{
    char session_id[CONV_UUID_TEXT_SIZE];
    char turn_id[CONV_UUID_TEXT_SIZE];
    const conv_message question = {.role = CONV_ROLE_USER, .content = conv_text(QUESTION)};
    conv_uuid_format(conv_uuid_v7(), session_id);
    conv_uuid_format(conv_uuid_v7(), turn_id);
    const conv_provider_request request = {.size = sizeof request,
                                           .model = conv_text(service->model),
                                           .messages = &question,
                                           .message_count = 1,
                                           .timeout_ms = timeout_ms,
                                           .session_id = session_id,
                                           .turn_id = turn_id};
    return conv__provider_calls_ask(service->provider_calls, service->provider, &request, response,
                                    latency_us, error);
}

static conv_status track(const conv__conversation *service, const conv_provider_response *response,
                         int64_t latency_us, const conv_error *failure, conv_error *error)
{
    conv__arena arena = {0};
    conv_usage usage = *conv__provider_response_usage(response);
    if (conv__redaction_text(&service->redaction, &arena, &usage.raw) != CONV_OK) {
        conv__arena_reset(&arena);
        return conv__fail_memory(error, ACTION);
    }
    usage.service = conv_text("health");
    usage.operation = conv_text("check");
    usage.provider = conv_text(service->provider->functions->name);
    usage.model = conv__provider_response_model(response);
    if (usage.model.data == NULL) usage.model = conv_text(service->model);
    usage.latency_ms = latency_us / 1000;
    usage.status = failure == NULL ? CONV_OUTCOME_COMPLETE : CONV_OUTCOME_FAILED;
    usage.error = conv_text(failure == NULL ? NULL : failure->message);
    conv_status status = conv__track_usage(service->tracker, service->prices, &usage, error);
    conv__arena_reset(&arena);
    return status;
}

conv_status conv__provider_check(const conv__conversation *service, int64_t timeout_ms,
                                 int64_t *latency_us, conv_error *error)
{
    conv_error why = CONV_ERROR_INIT;
    conv_provider_response *response = NULL;
    if (service->provider == NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "the client has no provider that could be asked");
    if (conv__provider_response_create(NULL, NULL, &response) != CONV_OK)
        return conv__fail_memory(error, ACTION);
    conv_status status = ask(service, timeout_ms, response, latency_us, &why);
    if (status != CONV_OK) conv__provider_calls_suspect(service->provider_calls, service->provider);
    conv_error untracked = CONV_ERROR_INIT;
    conv_status tracked =
        track(service, response, *latency_us, status == CONV_OK ? NULL : &why, &untracked);
    conv__provider_response_free(response);
    if (status == CONV_OK && tracked != CONV_OK) {
        status = tracked;
        why = untracked;
    }
    if (status != CONV_OK && error != NULL) *error = why;
    return status;
}
