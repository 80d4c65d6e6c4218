/* Records of providers by name, and the call that fills them. */
#include "services/provider_calls.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/time.h"
#include "providers/response.h"

#define ACTION "ask provider"

struct conv__provider_calls {
    conv__redaction redaction;
    pthread_mutex_t lock; /* of what follows */
    size_t count;
    conv__provider_record records[CONV__PROVIDERS];
};

conv__provider_calls *conv__provider_calls_create(const conv__redaction *redaction)
{
    conv__provider_calls *made = conv__allocate(sizeof *made);
    if (made == NULL) return NULL;
    made->redaction = *redaction;
    pthread_mutex_init(&made->lock, NULL);
    return made;
}

void conv__provider_calls_free(conv__provider_calls *calls)
{
    if (calls == NULL) return;
    pthread_mutex_destroy(&calls->lock);
    conv__release(calls);
}

/* The record of this provider, made if need be. */
static conv__provider_record *record_of(conv__provider_calls *calls, const conv_provider *provider)
{
    char name[CONV__PROVIDER_NAME_SIZE];
    size_t at = 0;
    snprintf(name, sizeof name, "%s",
             provider->functions->name != NULL ? provider->functions->name : "unnamed");
    while (at < calls->count && strcmp(calls->records[at].name, name) != 0)
        at++;
    if (at < calls->count) return &calls->records[at];
    bool shared = at == CONV__PROVIDERS;
    if (shared)
        at--;
    else
        calls->count++;
    conv__provider_record *record = &calls->records[at];
    snprintf(record->name, sizeof record->name, "%s", shared ? "others" : name);
    return record;
}

static bool is_failure(conv_status status)
{
    return status != CONV_OK && status != CONV_CANCELLED && status != CONV_INVALID_ARGUMENT &&
           status != CONV_NO_MEMORY;
}

static void remember(conv__provider_calls *calls, const conv_provider *provider, conv_status status,
                     int64_t latency_us, const conv_error *error)
{
    pthread_mutex_lock(&calls->lock);
    conv__provider_record *record = record_of(calls, provider);
    record->calls++;
    record->latency_us = latency_us;
    if (status == CONV_OK) {
        record->failures_in_row = 0;
        record->check_failed = false;
        record->answered_us = conv__now_us();
    } else if (is_failure(status)) {
        record->failures++;
        record->failures_in_row++;
        record->failed_us = conv__now_us();
        conv__fail(&record->failure, status, ACTION, "%s", error->message);
    }
    pthread_mutex_unlock(&calls->lock);
}

/* A provider that has nothing to say must mean it, by a finish reason (a recording that ends with
 * the question does); else silence would pass for an answer, and a repeat would ask nobody. */
static bool is_silence(conv_provider_response *response)
{
    size_t count = 0;
    (void)conv__provider_response_messages(response, &count);
    return count == 0 && conv__provider_response_finish_reason(response).data == NULL;
}

conv_status conv__provider_calls_ask(conv__provider_calls *calls, conv_provider *provider,
                                     const conv_provider_request *request,
                                     conv_provider_response *response, int64_t *latency_us,
                                     conv_error *error)
{
    conv_error why = CONV_ERROR_INIT;
    int64_t begun = conv__monotonic_ns();
    conv_status status = provider->functions->complete(provider, request, response, &why);
    *latency_us = (conv__monotonic_ns() - begun) / 1000;
    if (status == CONV_OK && is_silence(response))
        status =
            conv__fail(&why, CONV_PROVIDER, ACTION, "the provider answered without any message");
    /* A provider of the application's own may have left the details empty, or without an end. */
    why.message[sizeof why.message - 1] = '\0';
    why.action[sizeof why.action - 1] = '\0';
    if (status != CONV_OK && why.message[0] == '\0')
        conv__fail(&why, status, ACTION, "%s", conv_status_text(status));
    why.status = status;
    if (calls != NULL && status != CONV_OK) conv__redaction_error(&calls->redaction, &why);
    if (calls != NULL) remember(calls, provider, status, *latency_us, &why);
    if (status != CONV_OK && error != NULL) *error = why;
    return status;
}

void conv__provider_calls_suspect(conv__provider_calls *calls, const conv_provider *provider)
{
    if (calls == NULL) return;
    pthread_mutex_lock(&calls->lock);
    conv__provider_record *record = record_of(calls, provider);
    record->check_failed = record->failures_in_row > 0;
    pthread_mutex_unlock(&calls->lock);
}

static bool is_worse(const conv__provider_record *record, const conv__provider_record *than)
{
    if (record->check_failed != than->check_failed) return record->check_failed;
    if (record->failures_in_row != than->failures_in_row)
        return record->failures_in_row > than->failures_in_row;
    return record->calls > than->calls;
}

size_t conv__provider_calls_worst(conv__provider_calls *calls, conv__provider_record *worst)
{
    size_t at = 0;
    pthread_mutex_lock(&calls->lock);
    size_t count = calls->count;
    for (size_t i = 1; i < count; i++)
        if (is_worse(&calls->records[i], &calls->records[at])) at = i;
    if (count > 0) *worst = calls->records[at];
    pthread_mutex_unlock(&calls->lock);
    return count;
}
