/* The provider for OpenAI-compatible endpoints: its settings, and a call with its retries. The key
 * goes into the Authorization header and nowhere else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conversation/provider.h"
#include "conversation/version.h"
#include "core/buffer.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/random.h"
#include "core/time.h"
#include "providers/http.h"
#include "providers/openai_request.h"
#include "providers/openai_retry.h"
#include "providers/openai_try.h"
#include "providers/response.h"

#define ACTION           "ask provider"
#define DEFAULT_BASE_URL "https://api.openai.com/v1"
#define HEADERS          9 /* all there can be, and the NULL */
#define LONGEST_WAIT_MS  200
#define SECRET_SIZE      8 /* what is shorter is a placeholder, and may be part of any word */

enum {
    DEFAULT_CONNECT_TIMEOUT_MS = 10000,
    DEFAULT_IDLE_TIMEOUT_MS = 60000,
    DEFAULT_RETRIES = 2,
};

typedef struct openai_provider {
    conv_provider base;
    conv_provider_functions functions; /* a table of its own, because the name is its own */
    conv__arena arena;                 /* all texts */
    conv__http_pool *pool;
    const char *url;
    char host[CONV__HTTP_HOST_SIZE];
    const char *key;
    conv_bytes model;
    const char *ca_file;
    const char *authorization; /* whole header lines, NULL where not set */
    const char *organization;
    const char *project;
    int64_t connect_timeout_ms;
    int64_t idle_timeout_ms;
    int max_retries;
} openai_provider;

/* HEADERS is room for all of these. */
static void list_headers(const openai_provider *openai, const char *idempotency_key, bool stream,
                         const char *headers[HEADERS])
{
    size_t count = 0;
    headers[count++] = "Content-Type: application/json";
    headers[count++] = stream ? "Accept: text/event-stream" : "Accept: application/json";
    headers[count++] = "User-Agent: libconversation/" CONV_VERSION;
    headers[count++] = "Expect:"; /* no waiting for 100-continue, which many endpoints never send */
    headers[count++] = idempotency_key;
    if (openai->authorization != NULL) headers[count++] = openai->authorization;
    if (openai->organization != NULL) headers[count++] = openai->organization;
    if (openai->project != NULL) headers[count++] = openai->project;
    headers[count] = NULL;
}

/* Waits before the next try, as long as the caller still wants the reply. */
static conv_status pause_ms(int64_t wait_ms, conv_provider_response *response, conv_error *error)
{
    int64_t end_ns = conv__deadline_in_ms(wait_ms);
    while (!conv__deadline_passed(end_ns)) {
        if (conv_provider_response_wanted(response) != CONV_OK)
            return conv__fail(error, CONV_CANCELLED, ACTION,
                              "the caller wanted no more of the reply");
        int left_ms = conv__deadline_left_ms(end_ns);
        if (left_ms > LONGEST_WAIT_MS) left_ms = LONGEST_WAIT_MS;
        struct timespec left = {.tv_nsec = (long)left_ms * 1000000};
        nanosleep(&left, NULL);
    }
    return CONV_OK;
}

static int64_t wait_before_next(const openai_provider *openai, const conv__openai_try *made,
                                int retries, int64_t deadline_ns)
{
    if (!conv__openai_try_is_hopeful(made)) return -1;
    int status = made->answer.status;
    const conv__openai_failed_try failed = {
        .http_status = status >= 300 ? status : 0, /* a good head with a broken body: connection */
        .should_retry = made->answer.should_retry,
        .retry_after_ms = made->answer.retry_after_ms,
        .retry_after = made->answer.retry_after,
        .retries = retries,
        .max_retries = openai->max_retries,
        .handed_on = conv__provider_response_has_deltas(made->response),
        .left_ms = conv__deadline_left_ms(deadline_ns),
        .now_s = conv__now_us() / 1000000,
        .chance = (uint32_t)conv__random_u64(),
    };
    return conv__openai_retry_wait_ms(&failed);
}

/* An endpoint that echoes the key where an identifier belongs gets none of it into our errors. */
static void drop_secret(const openai_provider *openai, conv_error *error)
{
    if (error == NULL || openai->key == NULL || strlen(openai->key) < SECRET_SIZE ||
        strstr(error->message, openai->key) == NULL)
        return;
    conv_recovery recovery = error->recovery;
    conv__fail(error, error->status, ACTION, "%s answered with an error", openai->host);
    error->recovery = recovery;
}

static conv_status settle(const openai_provider *openai, conv__openai_try *made, int tries,
                          conv_error *error)
{
    if (conv__openai_try_put(made) != CONV_OK) return conv__fail_memory(error, ACTION);
    if (made->status == CONV_OK) return CONV_OK;
    conv_status status = conv__openai_try_explain(made, openai->host, tries, error);
    drop_secret(openai, error);
    return status;
}

static conv_status ask(const openai_provider *openai, const conv_provider_request *request,
                       conv_bytes body, int64_t deadline_ns, conv_provider_response *response,
                       conv_error *error)
{
    char idempotency_key[64];
    const char *headers[HEADERS];
    snprintf(idempotency_key, sizeof idempotency_key, "Idempotency-Key: %s", request->turn_id);
    list_headers(openai, idempotency_key, request->stream, headers);
    conv__http_request http = {
        .url = openai->url,
        .headers = headers,
        .body = body,
        .ca_file = openai->ca_file,
        .connect_timeout_ms = openai->connect_timeout_ms,
        .idle_timeout_ms = openai->idle_timeout_ms,
        .deadline_ns = deadline_ns,
    };
    for (int retries = 0;; retries++) {
        conv__openai_try made;
        conv__openai_try_run(&made, openai->pool, &http, request->stream, response);
        int64_t wait_ms = wait_before_next(openai, &made, retries, deadline_ns);
        conv_status status = CONV_OK;
        if (wait_ms < 0) status = settle(openai, &made, retries + 1, error);
        conv__openai_try_free(&made);
        if (wait_ms < 0) return status;
        status = pause_ms(wait_ms, response, error);
        if (status != CONV_OK) return status;
    }
}

static conv_status complete(conv_provider *provider, const conv_provider_request *request,
                            conv_provider_response *response, conv_error *error)
{
    const openai_provider *openai = (const openai_provider *)provider;
    int64_t deadline_ns = conv__deadline_in_ms(request->timeout_ms);
    conv__buffer body = {0};
    conv_status status = conv__openai_request_write(request, openai->model, &body, error);
    if (status == CONV_OK)
        status = ask(openai, request, conv__buffer_bytes(&body), deadline_ns, response, error);
    conv__buffer_free(&body);
    return status;
}

static void free_provider(conv_provider *provider)
{
    openai_provider *openai = (openai_provider *)provider;
    conv__http_pool_free(openai->pool);
    conv__arena_reset(&openai->arena);
    conv__release(openai);
}

/* What was set, else the environment variable, else NULL; empty settings are kept, empty variables
 * are none. */
static const char *setting(const char *value, const char *variable)
{
    if (value != NULL) return value;
    value = getenv(variable);
    return value == NULL || value[0] == '\0' ? NULL : value;
}

static bool fits_header(const char *value)
{
    for (; *value != '\0'; value++) {
        unsigned char c = (unsigned char)*value;
        if (c < 0x20 || c == 0x7F) return false;
    }
    return true;
}

/* The texts joined, in the provider's arena; NULL when out of memory. */
static const char *join(openai_provider *openai, const char *first, size_t first_size,
                        const char *second, const char *third)
{
    size_t second_size = strlen(second);
    size_t third_size = strlen(third);
    char *text = conv__arena_allocate(&openai->arena, first_size + second_size + third_size + 1);
    if (text == NULL) return NULL;
    memcpy(text, first, first_size);
    memcpy(text + first_size, second, second_size);
    memcpy(text + first_size + second_size, third, third_size);
    return text;
}

/* The path goes before a query (Azure's api-version). */
static conv_status set_url(openai_provider *openai, const char *base_url, conv_error *error)
{
    if (!conv__http_host(base_url, openai->host))
        return conv__fail(error, CONV_INVALID_ARGUMENT, "make provider",
                          "base_url is not an http or https URL");
    size_t size = strcspn(base_url, "?#");
    const char *query = base_url + size;
    while (size > 0 && base_url[size - 1] == '/')
        size--;
    openai->url = join(openai, base_url, size, "/chat/completions", query);
    return openai->url != NULL ? CONV_OK : conv__fail_memory(error, "make provider");
}

static conv_status set_header(openai_provider *openai, const char *opening, const char *value,
                              const char *what, const char **line, conv_error *error)
{
    if (value == NULL || value[0] == '\0') return CONV_OK;
    if (!fits_header(value))
        return conv__fail(error, CONV_INVALID_ARGUMENT, "make provider",
                          "%s has a line break or another control character", what);
    *line = join(openai, opening, strlen(opening), value, "");
    return *line != NULL ? CONV_OK : conv__fail_memory(error, "make provider");
}

static conv_status copy_text(openai_provider *openai, const char *text, const char **copy,
                             conv_error *error)
{
    if (text == NULL) return CONV_OK;
    *copy = join(openai, text, strlen(text), "", "");
    return *copy != NULL ? CONV_OK : conv__fail_memory(error, "make provider");
}

static conv_status set_texts(openai_provider *openai, const conv_openai_params *params,
                             conv_error *error)
{
    const char *base_url = setting(params->base_url, "OPENAI_BASE_URL");
    const char *key = setting(params->api_key, "OPENAI_API_KEY");
    const char *organization = setting(params->organization, "OPENAI_ORG_ID");
    const char *project = setting(params->project, "OPENAI_PROJECT_ID");
    const char *model = NULL;
    conv_status status = set_url(openai, base_url != NULL ? base_url : DEFAULT_BASE_URL, error);
    if (status == CONV_OK)
        status = set_header(openai, "Authorization: Bearer ", key, "the API key",
                            &openai->authorization, error);
    if (status == CONV_OK)
        status = set_header(openai, "OpenAI-Organization: ", organization, "organization",
                            &openai->organization, error);
    if (status == CONV_OK)
        status =
            set_header(openai, "OpenAI-Project: ", project, "project", &openai->project, error);
    if (status == CONV_OK) status = copy_text(openai, key, &openai->key, error);
    if (status == CONV_OK) status = copy_text(openai, params->ca_file, &openai->ca_file, error);
    if (status == CONV_OK) status = copy_text(openai, params->model, &model, error);
    if (status == CONV_OK)
        status = copy_text(openai, params->name != NULL ? params->name : "openai",
                           &openai->functions.name, error);
    openai->model = conv_text(model);
    return status;
}

static int64_t or_default(int64_t value_ms, int64_t fallback_ms)
{
    if (value_ms <= 0) return fallback_ms;
    return value_ms < INT32_MAX ? value_ms : INT32_MAX;
}

conv_status conv_provider_openai(const conv_openai_params *params, conv_provider **provider,
                                 conv_error *error)
{
    static const conv_openai_params defaults = CONV_OPENAI_PARAMS_INIT;
    *provider = NULL;
    if (params == NULL) params = &defaults;
    if (params->size != sizeof *params)
        return conv__fail(error, CONV_INVALID_ARGUMENT, "make provider",
                          "the parameters were not begun with CONV_OPENAI_PARAMS_INIT");
    openai_provider *openai = conv__allocate(sizeof *openai);
    if (openai == NULL) return conv__fail_memory(error, "make provider");
    openai->base.functions = &openai->functions;
    openai->functions.complete = complete;
    openai->functions.free = free_provider;
    openai->connect_timeout_ms = or_default(params->connect_timeout_ms, DEFAULT_CONNECT_TIMEOUT_MS);
    openai->idle_timeout_ms = or_default(params->idle_timeout_ms, DEFAULT_IDLE_TIMEOUT_MS);
    openai->max_retries = params->max_retries != 0 ? params->max_retries : DEFAULT_RETRIES;
    conv_status status = set_texts(openai, params, error);
    if (status == CONV_OK && conv__http_pool_create(&openai->pool) != CONV_OK)
        status = conv__fail_memory(error, "make provider");
    if (status != CONV_OK) {
        free_provider(&openai->base);
        return status;
    }
    *provider = &openai->base;
    return CONV_OK;
}
