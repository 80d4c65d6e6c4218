/* One HTTP POST over libcurl. Retries nothing and follows no redirect: a key goes to one host only.
 */
#include "providers/http.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/memory.h"
#include "core/time.h"
#include "providers/http_pool.h"

#define HEAD_LIMIT                                                                                 \
    ((size_t)256 << 10)     /* bytes of all headers of an answer; less than curl's own bound */
#define LINGER_MS       200 /* for the end of an answer of which all that matters has come */
#define LONGEST_WAIT_MS 200 /* then the caller is asked whether to go on */

/* A request under way. */
typedef struct http_transfer {
    const conv__http_request *request;
    conv__http_answer *answer;
    CURL *easy;
    int64_t moved_ns; /* when a byte went or came last */
    curl_off_t sent;
    size_t head_size;
    bool body_begun;
    conv__http_verdict verdict;
    int64_t enough_ns; /* when to stop waiting for the end */
} http_transfer;

static void copy_value(char value[CONV__HTTP_VALUE_SIZE], const char *text, size_t size)
{
    while (size > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        size--;
    }
    while (size > 0 && strchr(" \t\r\n", text[size - 1]) != NULL)
        size--;
    if (size >= CONV__HTTP_VALUE_SIZE) size = 0;
    memcpy(value, text, size);
    value[size] = '\0';
}

static void take_header(conv__http_answer *answer, const char *line, size_t size)
{
    struct {
        const char *name;
        char *value;
    } const wanted[] = {
        {"content-type", answer->content_type},     {"x-should-retry", answer->should_retry},
        {"retry-after-ms", answer->retry_after_ms}, {"retry-after", answer->retry_after},
        {"x-request-id", answer->request_id},
    };
    const char *colon = memchr(line, ':', size);
    if (colon == NULL) return;
    size_t name_size = (size_t)(colon - line);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (strlen(wanted[i].name) == name_size &&
            strncasecmp(wanted[i].name, line, name_size) == 0)
            copy_value(wanted[i].value, colon + 1, size - name_size - 1);
    }
}

static size_t on_header(char *line, size_t one, size_t size, void *context)
{
    http_transfer *transfer = context;
    (void)one;
    transfer->moved_ns = conv__monotonic_ns();
    transfer->head_size += size;
    if (transfer->head_size > HEAD_LIMIT) return 0;
    if (size >= 5 && memcmp(line, "HTTP/", 5) == 0) /* a 1xx answer may have come before */
        *transfer->answer = (conv__http_answer){0};
    else
        take_header(transfer->answer, line, size);
    return size;
}

static size_t on_body(char *data, size_t one, size_t size, void *context)
{
    http_transfer *transfer = context;
    (void)one;
    transfer->moved_ns = conv__monotonic_ns();
    if (!transfer->body_begun) {
        long status = 0;
        curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
        transfer->answer->status = (int)status;
        transfer->body_begun = true;
    }
    if (transfer->verdict != CONV__HTTP_MORE) return size;
    transfer->verdict = transfer->request->receiver(transfer->request->context, transfer->answer,
                                                    conv_view(data, size));
    transfer->enough_ns = transfer->moved_ns + (int64_t)LINGER_MS * 1000000;
    return size;
}

static struct curl_slist *make_headers(const char *const *headers)
{
    struct curl_slist *list = NULL;
    for (; *headers != NULL; headers++) {
        struct curl_slist *longer = curl_slist_append(list, *headers);
        if (longer == NULL) {
            curl_slist_free_all(list);
            return NULL;
        }
        list = longer;
    }
    return list;
}

static bool set_options(CURL *easy, const conv__http_request *request, struct curl_slist *headers,
                        http_transfer *transfer)
{
    bool ok = curl_easy_setopt(easy, CURLOPT_URL, request->url) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size) ==
          CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.data) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_timeout_ms) ==
          CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    /* A resolver that hangs must not hold a call beyond its deadline. */
    ok &= curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer) == CURLE_OK;
    if (request->ca_file != NULL)
        ok &= curl_easy_setopt(easy, CURLOPT_CAINFO, request->ca_file) == CURLE_OK;
    return ok;
}

static void note_upload(http_transfer *transfer)
{
    curl_off_t sent = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
    if (sent == transfer->sent) return;
    transfer->sent = sent;
    transfer->moved_ns = conv__monotonic_ns();
}

/* A model may think for minutes between the question's last byte and the answer's first. */
static bool server_prepares(const http_transfer *transfer)
{
    return !transfer->body_begun && transfer->sent == (curl_off_t)transfer->request->body.size;
}

/* The moment at which waiting ends, and how it ends then. */
static int64_t next_moment(const http_transfer *transfer, conv__http_end *end)
{
    int64_t moment = transfer->request->deadline_ns;
    int64_t idle_ns = transfer->moved_ns + transfer->request->idle_timeout_ms * 1000000;
    *end = CONV__HTTP_LATE;
    if (!server_prepares(transfer) && idle_ns < moment) {
        moment = idle_ns;
        *end = CONV__HTTP_IDLE;
    }
    if (transfer->verdict == CONV__HTTP_ENOUGH && transfer->enough_ns < moment) {
        moment = transfer->enough_ns;
        *end = CONV__HTTP_COMPLETE;
    }
    return moment;
}

static conv__http_end end_of_code(CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return CONV__HTTP_COMPLETE;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT: /* no limit but the one for connecting is curl's to keep */
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PROXY:
        return CONV__HTTP_UNREACHABLE;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return CONV__HTTP_UNTRUSTED;
    case CURLE_SSL_CACERT_BADFILE:
        return CONV__HTTP_BAD_CA_FILE;
    case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9: a body without a head */
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_WRITE_ERROR: /* our own refusal of an endless head */
        return CONV__HTTP_GARBAGE;
    case CURLE_OUT_OF_MEMORY:
        return CONV__HTTP_NO_MEMORY;
    default:
        return CONV__HTTP_BROKEN;
    }
}

static const char *reason_of(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return "its name can't be resolved";
    case CURLE_OPERATION_TIMEDOUT:
        return "connecting took too long";
    case CURLE_SSL_CONNECT_ERROR:
        return "the TLS handshake failed";
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY:
        return "the proxy can't be reached or refuses";
    default:
        return "nobody listens there, or the way is blocked";
    }
}

/* What curl calls a lack of memory is also a line of the head beyond its own bound. */
static bool is_endless_head(const http_transfer *transfer, CURLcode code)
{
    curl_off_t first_byte_us = 0;
    if (code != CURLE_OUT_OF_MEMORY || transfer->body_begun) return false;
    curl_easy_getinfo(transfer->easy, CURLINFO_STARTTRANSFER_TIME_T, &first_byte_us);
    return first_byte_us > 0;
}

static CURLcode result_of(CURLM *multi)
{
    int left = 0;
    CURLMsg *message = curl_multi_info_read(multi, &left);
    return message == NULL ? CURLE_OUT_OF_MEMORY : message->data.result;
}

/* Drives the transfer to its end. */
static conv__http_end drive(conv__http_lane *lane, http_transfer *transfer, const char **reason)
{
    for (;;) {
        int running = 0;
        if (curl_multi_perform(lane->multi, &running) != CURLM_OK) return CONV__HTTP_NO_MEMORY;
        if (transfer->verdict == CONV__HTTP_STOP) return CONV__HTTP_STOPPED;
        if (running == 0) {
            CURLcode code = result_of(lane->multi);
            /* What breaks after all that matters has come breaks nothing. */
            if (transfer->verdict == CONV__HTTP_ENOUGH) return CONV__HTTP_COMPLETE;
            if (is_endless_head(transfer, code)) return CONV__HTTP_GARBAGE;
            conv__http_end end = end_of_code(code);
            if (end == CONV__HTTP_UNREACHABLE) *reason = reason_of(code);
            return end;
        }
        note_upload(transfer);
        conv__http_end end;
        int64_t moment = next_moment(transfer, &end);
        if (conv__deadline_passed(moment)) return end;
        int wait_ms = conv__deadline_left_ms(moment);
        if (wait_ms > LONGEST_WAIT_MS) wait_ms = LONGEST_WAIT_MS;
        int ready = 0;
        if (curl_multi_poll(lane->multi, NULL, 0, wait_ms, &ready) != CURLM_OK)
            return CONV__HTTP_NO_MEMORY;
        if (ready == 0 && transfer->verdict == CONV__HTTP_MORE &&
            !transfer->request->is_wanted(transfer->request->context))
            return CONV__HTTP_STOPPED;
    }
}

static conv__http_end run(conv__http_lane *lane, http_transfer *transfer, const char **reason)
{
    if (curl_multi_add_handle(lane->multi, lane->easy) != CURLM_OK) return CONV__HTTP_NO_MEMORY;
    conv__http_end end = drive(lane, transfer, reason);
    long status = 0;
    curl_easy_getinfo(lane->easy, CURLINFO_RESPONSE_CODE, &status);
    transfer->answer->status = (int)status;
    curl_multi_remove_handle(lane->multi, lane->easy); /* closes the connection if not at its end */
    return end;
}

conv__http_end conv__http_post(conv__http_pool *pool, const conv__http_request *request,
                               conv__http_answer *answer, const char **reason)
{
    *answer = (conv__http_answer){0};
    *reason = "";
    conv__http_lane *lane = conv__http_pool_take(pool);
    if (lane == NULL) return CONV__HTTP_NO_MEMORY;
    http_transfer transfer = {
        .request = request,
        .answer = answer,
        .easy = lane->easy,
        .moved_ns = conv__monotonic_ns(),
    };
    struct curl_slist *headers = make_headers(request->headers);
    conv__http_end end = CONV__HTTP_NO_MEMORY;
    if (headers != NULL && set_options(lane->easy, request, headers, &transfer))
        end = run(lane, &transfer, reason);
    conv__http_pool_give_back(pool, lane);
    curl_slist_free_all(headers);
    return end;
}

static bool write_host(CURLU *parts, const char *url, char host[CONV__HTTP_HOST_SIZE])
{
    char *scheme = NULL;
    char *name = NULL;
    char *port = NULL;
    bool ok = curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
              curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0) &&
              curl_url_get(parts, CURLUPART_HOST, &name, 0) == CURLUE_OK;
    if (ok) {
        bool has_port = curl_url_get(parts, CURLUPART_PORT, &port, 0) == CURLUE_OK;
        int size = snprintf(host, CONV__HTTP_HOST_SIZE, "%s%s%s", name, has_port ? ":" : "",
                            has_port ? port : "");
        ok = size > 0 && size < CONV__HTTP_HOST_SIZE;
    }
    curl_free(scheme);
    curl_free(name);
    curl_free(port);
    return ok;
}

bool conv__http_host(const char *url, char host[CONV__HTTP_HOST_SIZE])
{
    CURLU *parts = curl_url();
    if (parts == NULL) return false;
    bool ok = write_host(parts, url, host);
    curl_url_cleanup(parts);
    return ok;
}
