/* One try of a chat completion. Tells of an answered error its status and identifiers only. */
#include "providers/openai_try.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/error.h"
#include "providers/openai_response.h"
#include "providers/openai_retry.h"

#define ACTION           "ask provider"
#define ERROR_BODY_LIMIT ((size_t)64 << 10)
#define DETAILS_SIZE     320

static bool is_success(int status)
{
    return status >= 200 && status < 300;
}

static bool is_type(const conv__http_answer *answer, const char *type)
{
    return strncasecmp(answer->content_type, type, strlen(type)) == 0;
}

/* Some endpoints stream unasked, some answer in one piece although asked to stream. */
static bool comes_streamed(const conv__openai_try *made, const conv__http_answer *answer)
{
    if (is_type(answer, "text/event-stream")) return true;
    return made->wants_stream && !is_type(answer, "application/json");
}

static conv__http_verdict take_error_body(conv__openai_try *made, conv_bytes piece)
{
    if (made->body.size + piece.size > ERROR_BODY_LIMIT) return CONV__HTTP_ENOUGH;
    conv__buffer_append_bytes(&made->body, piece);
    return CONV__HTTP_MORE;
}

static conv_status take_body(conv__openai_try *made, conv_bytes piece)
{
    if (piece.size > CONV__OPENAI_ANSWER_LIMIT - made->body.size) {
        made->failure.what = "answered with more than 64 MiB";
        return CONV_PROVIDER;
    }
    conv__buffer_append_bytes(&made->body, piece);
    return made->body.failed ? CONV_NO_MEMORY : CONV_OK;
}

static conv__http_verdict receive(void *context, const conv__http_answer *answer, conv_bytes piece)
{
    conv__openai_try *made = context;
    if (!is_success(answer->status)) return take_error_body(made, piece);
    made->is_streamed = comes_streamed(made, answer);
    made->status =
        made->is_streamed ? conv__openai_stream_feed(&made->chunks, piece) : take_body(made, piece);
    if (made->status != CONV_OK) return CONV__HTTP_STOP;
    return made->is_streamed && made->chunks.done ? CONV__HTTP_ENOUGH : CONV__HTTP_MORE;
}

static bool is_wanted(void *context)
{
    conv__openai_try *made = context;
    made->status = conv_provider_response_wanted(made->response);
    return made->status == CONV_OK;
}

static conv_status finish_success(conv__openai_try *made)
{
    if (made->is_streamed) return conv__openai_stream_finish(&made->chunks);
    if (made->body.size == 0) {
        made->failure.what = "answered with nothing";
        return CONV_PROVIDER;
    }
    return conv__openai_body_read(conv__buffer_bytes(&made->body), made->wants_stream,
                                  made->response, &made->failure);
}

static void read_error_body(conv__openai_try *made)
{
    conv__json answer;
    if (!conv__json_parse(conv__buffer_bytes(&made->body), &answer, NULL)) return;
    conv__openai_error_read(conv__openai_error_find(answer), &made->failure.error);
}

static conv_status status_of_end(const conv__openai_try *made)
{
    switch (made->end) {
    case CONV__HTTP_UNREACHABLE:
    case CONV__HTTP_UNTRUSTED:
    case CONV__HTTP_BROKEN:
        return CONV_UNAVAILABLE;
    case CONV__HTTP_IDLE:
    case CONV__HTTP_LATE:
        return CONV_TIMEOUT;
    case CONV__HTTP_BAD_CA_FILE:
        return CONV_INVALID_ARGUMENT;
    case CONV__HTTP_NO_MEMORY:
        return CONV_NO_MEMORY;
    case CONV__HTTP_STOPPED:
        return made->status;
    case CONV__HTTP_COMPLETE:
    case CONV__HTTP_GARBAGE:
        return CONV_PROVIDER;
    }
    return CONV_INTERNAL;
}

/* An error that was told counts even if the connection broke behind it. */
static bool is_answered_error(const conv__openai_try *made)
{
    return made->answer.status != 0 && !is_success(made->answer.status) &&
           made->end != CONV__HTTP_LATE && made->end != CONV__HTTP_STOPPED &&
           made->end != CONV__HTTP_NO_MEMORY;
}

void conv__openai_try_run(conv__openai_try *made, conv__http_pool *pool,
                          conv__http_request *request, bool wants_stream,
                          conv_provider_response *response)
{
    *made = (conv__openai_try){.response = response, .wants_stream = wants_stream};
    conv__openai_stream_begin(&made->chunks, response);
    request->receiver = receive;
    request->is_wanted = is_wanted;
    request->context = made;
    made->end = conv__http_post(pool, request, &made->answer, &made->reason);
    if (is_answered_error(made)) {
        read_error_body(made);
        made->status = CONV_PROVIDER;
    } else if (made->end == CONV__HTTP_COMPLETE) {
        made->status = finish_success(made);
    } else {
        made->status = status_of_end(made);
    }
    if (made->is_streamed) made->failure = made->chunks.failure;
}

bool conv__openai_try_is_hopeful(const conv__openai_try *made)
{
    if (made->status == CONV_OK) return false;
    return is_answered_error(made) || made->end == CONV__HTTP_UNREACHABLE ||
           made->end == CONV__HTTP_BROKEN || made->end == CONV__HTTP_GARBAGE ||
           made->end == CONV__HTTP_IDLE;
}

conv_status conv__openai_try_put(conv__openai_try *made)
{
    if (!made->is_streamed) return CONV_OK; /* read whole, or not at all */
    return conv__openai_stream_put(&made->chunks, made->status == CONV_OK);
}

static void add_detail(char details[DETAILS_SIZE], const char *label, const char *value)
{
    size_t size = strlen(details);
    if (value[0] == '\0') return;
    snprintf(details + size, DETAILS_SIZE - size, "%s%s %s", size == 0 ? " (" : ", ", label, value);
}

static void write_details(const conv__openai_try *made, int tries, char details[DETAILS_SIZE])
{
    char request_id[CONV__OPENAI_NAME_SIZE];
    char count[16];
    conv__openai_name_copy(conv_text(made->answer.request_id), request_id);
    snprintf(count, sizeof count, "%d", tries);
    details[0] = '\0';
    add_detail(details, "type", made->failure.error.type);
    add_detail(details, "code", made->failure.error.code);
    add_detail(details, "param", made->failure.error.param);
    add_detail(details, "request", request_id);
    if (tries > 1) add_detail(details, "tries", count);
    if (details[0] != '\0') strncat(details, ")", DETAILS_SIZE - strlen(details) - 1);
}

static const char *advice(int status)
{
    if (status == 401 || status == 403) return "; check the API key";
    if (status == 404) return "; check base URL and model";
    if (status == 429) return "; slow down or check the quota";
    if (status >= 300 && status < 400) return "; the base URL must name the final address";
    return conv__openai_status_may_pass(status) ? "; try again later" : "; check the request";
}

static conv_recovery recovery_of(int status)
{
    if (conv__openai_status_may_pass(status)) return CONV_RECOVERY_BACKOFF;
    if (status == 401 || status == 403 || status == 404 || (status >= 300 && status < 400))
        return CONV_RECOVERY_OPERATOR;
    return CONV_RECOVERY_NONE;
}

static conv_status explain_error_answer(const conv__openai_try *made, const char *host,
                                        const char *details, conv_error *error)
{
    int status = made->answer.status;
    conv__fail(error, made->status, ACTION, "%s answered HTTP %d%s%s", host, status, details,
               advice(status));
    if (error != NULL) error->recovery = recovery_of(status);
    return made->status;
}

static conv_status explain_connection(const conv__openai_try *made, const char *host,
                                      const char *details, conv_error *error)
{
    conv_status status = made->status;
    switch (made->end) {
    case CONV__HTTP_UNREACHABLE:
        return conv__fail(error, status, ACTION, "can't connect to %s: %s%s", host, made->reason,
                          details);
    case CONV__HTTP_UNTRUSTED:
        conv__fail(error, status, ACTION, "the certificate of %s is not trusted; see ca_file",
                   host);
        if (error != NULL) error->recovery = CONV_RECOVERY_OPERATOR;
        return status;
    case CONV__HTTP_BROKEN:
        return conv__fail(error, status, ACTION,
                          "the connection to %s broke before the answer was complete%s", host,
                          details);
    case CONV__HTTP_IDLE:
        return conv__fail(error, status, ACTION,
                          "%s stopped sending before the answer was "
                          "complete%s",
                          host, details);
    case CONV__HTTP_LATE:
        return conv__fail(error, status, ACTION, "%s did not answer in time%s", host, details);
    case CONV__HTTP_BAD_CA_FILE:
        return conv__fail(error, status, ACTION, "ca_file can't be read as PEM certificates");
    case CONV__HTTP_GARBAGE:
        return conv__fail(error, status, ACTION, "%s did not answer in HTTP%s", host, details);
    default:
        return conv__fail(error, status, ACTION, "%s %s%s", host,
                          made->failure.what != NULL ? made->failure.what : "failed", details);
    }
}

conv_status conv__openai_try_explain(const conv__openai_try *made, const char *host, int tries,
                                     conv_error *error)
{
    char details[DETAILS_SIZE];
    if (made->status == CONV_NO_MEMORY) return conv__fail_memory(error, ACTION);
    if (made->status == CONV_CANCELLED)
        return conv__fail(error, CONV_CANCELLED, ACTION, "the caller wanted no more of the reply");
    write_details(made, tries, details);
    if (is_answered_error(made)) return explain_error_answer(made, host, details, error);
    return explain_connection(made, host, details, error);
}

void conv__openai_try_free(conv__openai_try *made)
{
    conv__openai_stream_free(&made->chunks);
    conv__buffer_free(&made->body);
}
