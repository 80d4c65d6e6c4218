/* Events posted to a URL, signed and tried again. One request at a time, on the subscription's
 * thread; only stopping comes from another. */
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/base64.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/random.h"
#include "core/thread.h"
#include "core/time.h"
#include "events/handlers.h"

#define ACTION        "subscribe webhook"
#define SECRET_PREFIX "whsec_"

enum { MOST_TRIES = 100, DEFAULT_TIMEOUT_MS = 10000, SECRET_SIZE = 4096, HOST_SIZE = 64 };
enum { FIRST_PAUSE_MS = 500, LONGEST_PAUSE_MS = 60000, LONGEST_POLL_MS = 1000 };

typedef struct webhook {
    char *url;
    conv__buffer secret; /* empty: unsigned */
    bool is_signed;
    int max_tries;
    int64_t timeout_ms;
    int pace;
    CURLM *multi;
    CURL *easy;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t stopped;
    bool stopping;
} webhook;

static pthread_once_t global_once = PTHREAD_ONCE_INIT;
static CURLcode global_result;

static void start_curl(void)
{
    global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool is_stopping(webhook *self)
{
    pthread_mutex_lock(&self->lock);
    bool stopping = self->stopping;
    pthread_mutex_unlock(&self->lock);
    return stopping;
}

static void stop(void *context)
{
    webhook *self = context;
    pthread_mutex_lock(&self->lock);
    self->stopping = true;
    pthread_cond_broadcast(&self->stopped);
    pthread_mutex_unlock(&self->lock);
    curl_multi_wakeup(self->multi);
}

/* False when it is time to stop. */
static bool pause_before_try(webhook *self, int failures)
{
    int64_t pause_ms = FIRST_PAUSE_MS;
    for (int i = 1; i < failures && pause_ms < LONGEST_PAUSE_MS; i++)
        pause_ms *= 2;
    if (pause_ms > LONGEST_PAUSE_MS) pause_ms = LONGEST_PAUSE_MS;
    pause_ms -= (int64_t)(conv__random_u64() % (uint64_t)(pause_ms / 4 + 1));
    int64_t deadline = conv__deadline_in_ms(pause_ms / self->pace);
    pthread_mutex_lock(&self->lock);
    while (!self->stopping && conv__condition_wait(&self->stopped, &self->lock, deadline))
        ;
    bool stopping = self->stopping;
    pthread_mutex_unlock(&self->lock);
    return !stopping;
}

static size_t discard(char *data, size_t one, size_t size, void *context)
{
    (void)data;
    (void)context;
    return one * size;
}

static bool append_header(struct curl_slist **headers, const char *name, const char *value)
{
    conv__buffer line = {0};
    conv__buffer_format(&line, "%s: %s", name, value);
    struct curl_slist *grown = line.failed ? NULL : curl_slist_append(*headers, line.data);
    conv__buffer_free(&line);
    if (grown == NULL) return false;
    *headers = grown;
    return true;
}

static bool make_headers(const webhook *self, const char *id, conv_bytes body,
                         struct curl_slist **headers)
{
    char timestamp[24];
    conv__buffer signature = {0};
    snprintf(timestamp, sizeof timestamp, "%lld", (long long)(conv__now_us() / 1000000));
    bool made = append_header(headers, "content-type", "application/json") &&
                append_header(headers, "expect", "") && append_header(headers, "webhook-id", id) &&
                append_header(headers, "webhook-timestamp", timestamp);
    if (made && self->is_signed) {
        conv__webhook_sign(&signature, conv__buffer_bytes(&self->secret), id, timestamp, body);
        made = !signature.failed && append_header(headers, "webhook-signature", signature.data);
    }
    conv__buffer_free(&signature);
    return made;
}

/* Until it is done, or somebody has stopped it. */
static CURLcode transfer(webhook *self)
{
    CURLcode code = CURLE_ABORTED_BY_CALLBACK;
    int running = 1;
    if (curl_multi_add_handle(self->multi, self->easy) != CURLM_OK) return CURLE_OUT_OF_MEMORY;
    while (running > 0 && !is_stopping(self)) {
        if (curl_multi_perform(self->multi, &running) != CURLM_OK) break;
        if (running > 0) curl_multi_poll(self->multi, NULL, 0, LONGEST_POLL_MS, NULL);
    }
    int left = 0;
    for (CURLMsg *message; (message = curl_multi_info_read(self->multi, &left)) != NULL;)
        if (message->msg == CURLMSG_DONE) code = message->data.result;
    curl_multi_remove_handle(self->multi, self->easy);
    return code;
}

/* One try. `again`: another may help. */
static conv_status try_once(webhook *self, const char *id, conv_bytes body, bool *again)
{
    struct curl_slist *headers = NULL;
    long answer = 0;
    conv_status status = CONV_UNAVAILABLE;
    *again = true;
    if (make_headers(self, id, body, &headers)) {
        curl_easy_setopt(self->easy, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(self->easy, CURLOPT_POSTFIELDS, body.data);
        curl_easy_setopt(self->easy, CURLOPT_POSTFIELDSIZE, (long)body.size);
        CURLcode code = transfer(self);
        curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &answer);
        if (code == CURLE_OK && answer >= 200 && answer < 300) status = CONV_OK;
        if (code != CURLE_OK)
            *again = code != CURLE_URL_MALFORMAT;
        else
            *again = answer == 408 || answer == 409 || answer == 429 || answer >= 500;
        curl_easy_setopt(self->easy, CURLOPT_HTTPHEADER, NULL);
    }
    curl_slist_free_all(headers);
    return status;
}

static conv_status handle(void *context, const conv_event *event)
{
    webhook *self = context;
    char body[CONV_EVENT_TEXT_SIZE];
    char id[CONV_UUID_TEXT_SIZE];
    size_t size = conv_event_format(event, body, sizeof body);
    if (size == 0) return CONV_NO_MEMORY;
    conv_uuid_format(event->event_id, id);
    for (int tries = 1;; tries++) {
        bool again = false;
        if (is_stopping(self)) return CONV_CANCELLED;
        conv_status status = try_once(self, id, conv_view(body, size), &again);
        if (status == CONV_OK || !again || tries == self->max_tries) return status;
        if (!pause_before_try(self, tries)) return CONV_CANCELLED;
    }
}

static void destroy(void *context)
{
    webhook *self = context;
    if (self->easy != NULL) curl_easy_cleanup(self->easy);
    if (self->multi != NULL) curl_multi_cleanup(self->multi);
    pthread_cond_destroy(&self->stopped);
    pthread_mutex_destroy(&self->lock);
    conv__buffer_free(&self->secret);
    conv__release(self->url);
    conv__release(self);
}

static conv_status check(const conv_event_webhook *settings, conv_error *error)
{
    const char *wrong = NULL;
    if (settings == NULL || settings->size != sizeof *settings)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "the webhook was not begun with CONV_EVENT_WEBHOOK_INIT");
    const char *url = settings->url != NULL ? settings->url : "";
    if (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0)
        wrong = "the URL does not begin with http:// or https://";
    else if (settings->delivery == CONV_DELIVERY_SYNCHRONOUS)
        wrong = "its delivery has to be chosen: WAIT, DROP_NEWEST or DROP_OLDEST";
    else if (settings->max_tries < 0 || settings->max_tries > MOST_TRIES ||
             settings->timeout_ms < 0)
        wrong = "max_tries is not 1 to 100, or timeout_ms is negative";
    else if (settings->secret != NULL &&
             (settings->secret[0] == '\0' || strlen(settings->secret) > SECRET_SIZE))
        wrong = "the secret is empty or over 4096 bytes";
    return wrong == NULL ? CONV_OK : conv__fail(error, CONV_INVALID_ARGUMENT, ACTION, "%s", wrong);
}

static conv_status take_secret(webhook *self, const char *secret, conv_error *error)
{
    size_t prefix = strlen(SECRET_PREFIX);
    if (secret == NULL) return CONV_OK;
    self->is_signed = true;
    if (strncmp(secret, SECRET_PREFIX, prefix) != 0)
        conv__buffer_append_text(&self->secret, secret);
    else if (!conv__base64_decode(&self->secret, conv_text(secret + prefix)) ||
             self->secret.size == 0)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "what follows whsec_ in the secret is not Base64");
    return self->secret.failed ? conv__fail_memory(error, ACTION) : CONV_OK;
}

/* Of a URL that begins with its scheme, how many bytes are fit for an error message: scheme, host
 * and port. Names, passwords, paths and queries may be secrets; where an "@" is, none of it is
 * sure. */
static int shown_size(const char *url)
{
    static const char host_bytes[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:[]";
    const char *host = strstr(url, "://") + 3;
    size_t size = strchr(url, '@') != NULL ? 0 : strspn(host, host_bytes);
    return (int)(host - url) + (size < HOST_SIZE ? (int)size : HOST_SIZE);
}

/* By the parser that reads it for each request. That one takes "http:///x" for the host x. */
static conv_status check_url(const char *text, conv_error *error)
{
    char *host = NULL;
    CURLU *url = curl_url();
    if (url == NULL) return conv__fail_memory(error, ACTION);
    CURLUcode code = curl_url_set(url, CURLUPART_URL, text, 0);
    if (code == CURLUE_OK) code = curl_url_get(url, CURLUPART_HOST, &host, 0);
    if (code == CURLUE_OK && (host[0] == '\0' || strstr(text, "://")[3] == '/'))
        code = CURLUE_NO_HOST;
    curl_free(host);
    curl_url_cleanup(url);
    if (code == CURLUE_OK) return CONV_OK;
    if (code == CURLUE_OUT_OF_MEMORY) return conv__fail_memory(error, ACTION);
    return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                      "the URL that begins with %.*s can't be used: %s", shown_size(text), text,
                      curl_url_strerror(code));
}

/* What is the same for every request. */
static conv_status set_up(webhook *self, conv_error *error)
{
    pthread_once(&global_once, start_curl);
    if (global_result != CURLE_OK) return conv__fail_memory(error, ACTION);
    self->multi = curl_multi_init();
    self->easy = curl_easy_init();
    if (self->url == NULL || self->multi == NULL || self->easy == NULL)
        return conv__fail_memory(error, ACTION);
    conv_status status = check_url(self->url, error);
    if (status != CONV_OK) return status;
    if (curl_easy_setopt(self->easy, CURLOPT_URL, self->url) != CURLE_OK)
        return conv__fail_memory(error, ACTION);
    curl_easy_setopt(self->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(self->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(self->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(self->easy, CURLOPT_TIMEOUT_MS, (long)self->timeout_ms);
    curl_easy_setopt(self->easy, CURLOPT_WRITEFUNCTION, discard);
    curl_easy_setopt(self->easy, CURLOPT_USERAGENT, "libconversation");
    return CONV_OK;
}

conv_status conv__event_webhook_make(const conv_event_webhook *settings, int pace,
                                     conv__subscriber *subscriber, conv_error *error)
{
    conv_status status = check(settings, error);
    if (status != CONV_OK) return status;
    webhook *self = conv__allocate(sizeof *self);
    if (self == NULL) return conv__fail_memory(error, ACTION);
    self->url = conv__copy_text(settings->url);
    self->max_tries = settings->max_tries > 0 ? settings->max_tries : MOST_TRIES;
    self->pace = pace;
    self->timeout_ms = settings->timeout_ms > 0 ? settings->timeout_ms : DEFAULT_TIMEOUT_MS;
    pthread_mutex_init(&self->lock, NULL);
    conv__condition_init(&self->stopped);
    status = take_secret(self, settings->secret, error);
    if (status == CONV_OK) status = set_up(self, error);
    if (status != CONV_OK) {
        destroy(self);
        return status;
    }
    *subscriber = (conv__subscriber){.params = {.size = sizeof subscriber->params,
                                                .kinds = settings->kinds,
                                                .delivery = settings->delivery,
                                                .queue_events = settings->queue_events,
                                                .wait_ms = settings->wait_ms,
                                                .handler = handle,
                                                .context = self,
                                                .on_release = destroy},
                                     .on_stop = stop};
    return CONV_OK;
}
