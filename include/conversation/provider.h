/* Providers: who answers a turn. Ready-made ones, and the interface to write your own. */
#ifndef CONVERSATION_PROVIDER_H
#define CONVERSATION_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "message.h"
#include "status.h"
#include "usage.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct conv_transcript conv_transcript;

/* What a provider is asked. Everything is borrowed for the call. */
typedef struct conv_provider_request {
    size_t size;
    conv_bytes model;             /* absent: the provider's own default */
    const conv_message *messages; /* context first, then the turn's own messages */
    size_t message_count;
    conv_bytes options; /* JSON object of further request fields (temperature, tools), or absent */
    bool stream;        /* somebody listens to deltas */
    int64_t timeout_ms; /* time left for the answer; > 0 */
    const char *session_id; /* UUID, 36 characters */
    const char *turn_id;    /* UUID, 36 characters: use it as idempotency key */
} conv_provider_request;

/* Where a provider puts its answer; made and owned by the library. */
typedef struct conv_provider_response conv_provider_response;

/* Hands on a piece of the reply's text while it comes. The library gathers the pieces, so that a
 * stream that breaks is kept as far as it came. `text` is copied.
 * CONV_CANCELLED: the caller wants no more; return it from `complete` at once. CONV_NO_MEMORY.
 * Thread: owner. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_provider_response_delta(conv_provider_response *response,
                                                          conv_bytes text);

/* Asks, without any text, whether the caller still wants the reply: for a provider that waits.
 * CONV_CANCELLED: no; return it from `complete` at once. Thread: owner. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_provider_response_wanted(conv_provider_response *response);

/* Adds one message of the reply, in order; copied. Deltas that came before it are taken as its
 * text; those after the last message become one more assistant message. A created_us that is
 * none is unknown. CONV_INVALID_ARGUMENT: no role, both content and parts, or a JSON field that is
 * not JSON of its kind. CONV_NO_MEMORY.
 * Thread: owner. */
CONV_WARN_UNUSED conv_status conv_provider_response_message(conv_provider_response *response,
                                                            const conv_message *message);

/* Says what was used: token counts, `raw`, and cost if the provider itself bills it; copied. Called
 * again, known counts replace unknown ones, the larger known count wins, and the last `raw` stays.
 * A negative count or cost, or more than CONV_TOKENS_MAX, is unknown: the reply is saved anyway.
 * CONV_INVALID_ARGUMENT: `raw` is not JSON. CONV_NO_MEMORY. Thread: owner. */
CONV_WARN_UNUSED conv_status conv_provider_response_usage(conv_provider_response *response,
                                                          const conv_usage *usage);

/* Names the model that really answered, and why it stopped (stop, length, tool_calls,
 * content_filter). Absent leaves a value as it was. Copied. CONV_NO_MEMORY. Thread: owner. */
CONV_WARN_UNUSED conv_status conv_provider_response_model(conv_provider_response *response,
                                                          conv_bytes model,
                                                          conv_bytes finish_reason);

typedef struct conv_provider conv_provider;

/* The interface. `complete` may be called from many threads at once. It answers CONV_OK, or
 * CONV_PROVIDER (an error or rubbish came back), CONV_UNAVAILABLE, CONV_TIMEOUT, CONV_CANCELLED,
 * CONV_INVALID_ARGUMENT, CONV_NO_MEMORY, with `error->message` saying what happened without any
 * text of messages and without keys; messages and usage it has put into the response by then are
 * saved as an interrupted turn. CONV_OK with neither a message nor a delta is an error of the
 * provider, unless it has named a finish reason. `free` gives back the provider itself. */
typedef struct conv_provider_functions {
    const char *name; /* gen_ai.provider.name: "openai", "echo" */
    conv_status (*complete)(conv_provider *provider, const conv_provider_request *request,
                            conv_provider_response *response, conv_error *error);
    void (*free)(conv_provider *provider);
} conv_provider_functions;

/* First member of every provider's own struct. */
struct conv_provider {
    const conv_provider_functions *functions;
};

/* Frees a provider; NULL is allowed. Every client that uses it must be closed before.
 * Thread: owner. */
void conv_provider_free(conv_provider *provider);

/* Settings of an OpenAI-compatible endpoint. NULL or 0 means the default. Copied. */
typedef struct conv_openai_params {
    size_t size;
    const char *base_url;     /* OPENAI_BASE_URL, else https://api.openai.com/v1 */
    const char *api_key;      /* OPENAI_API_KEY; sent as Bearer token; endpoints without keys: "" */
    const char *organization; /* OPENAI_ORG_ID */
    const char *project;      /* OPENAI_PROJECT_ID */
    const char *model;        /* for requests that name none */
    const char *name;         /* gen_ai.provider.name; "openai" */
    const char *ca_file;      /* PEM file of certificates to trust instead of the system's */
    int64_t connect_timeout_ms; /* 10000 */
    int64_t idle_timeout_ms;    /* no byte for so long ends the call; 60000; not counted while the
                                   endpoint has the whole question and has sent no answer yet */
    int max_retries;            /* 2 as the official clients do; -1 for none */
} conv_openai_params;

#define CONV_OPENAI_PARAMS_INIT                                                                    \
    {                                                                                              \
        sizeof(conv_openai_params), NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0              \
    }

/* A provider that speaks OpenAI's chat completions over HTTP(S), plain and streaming.
 * What it reads: the first choice only; a refusal becomes a content part; token counts wherever
 * compatible endpoints put them, and `usage.cost` where they bill by themselves. What it sends: the
 * request's options as further fields, except messages, model, stream and n, which belong to the
 * turn (CONV_INVALID_ARGUMENT); `"stream_options": null` leaves that field out for endpoints that
 * refuse it; an interrupted reply without its tool calls, which nobody will answer. What it tells
 * of an error: HTTP status and identifiers, never the endpoint's free text. `params` settings, NULL
 * for all defaults; `provider` receives it, to be freed with conv_provider_free; NULL after a
 * failure; `error` may be NULL. CONV_INVALID_ARGUMENT: base_url is not http(s), or a header value
 * has a line break. CONV_NO_MEMORY. Thread: any. Round trips: none; a turn makes one request, more
 * when it retries. */
CONV_WARN_UNUSED conv_status conv_provider_openai(const conv_openai_params *params,
                                                  conv_provider **provider, conv_error *error);

/* A provider that answers from recorded conversations: a JSON Lines file of transcripts (see
 * transcript.h). A turn is found by its turn id (see conv_transcript_turn_id), else by the text of
 * its last user message; CONV_PROVIDER if the recording has no such turn.
 * CONV_NOT_FOUND, CONV_PERMISSION: the file can't be opened. CONV_BAD_DATA: a line is malformed
 * (its number is named). CONV_NO_MEMORY. Thread: any. */
CONV_WARN_UNUSED conv_status conv_provider_recorded(const char *path, conv_provider **provider,
                                                    conv_error *error);

/* The same for one transcript, which is borrowed and must outlive the provider. CONV_NO_MEMORY.
 * Thread: any. */
CONV_WARN_UNUSED conv_status conv_provider_recorded_transcript(const conv_transcript *transcript,
                                                               conv_provider **provider,
                                                               conv_error *error);

/* A provider that answers with the last user message's own text, one word a delta, and counts words
 * as tokens. CONV_NO_MEMORY. Thread: any. */
CONV_WARN_UNUSED conv_status conv_provider_echo(conv_provider **provider, conv_error *error);

/* The application's own function as provider; statuses and duties as `complete` above. */
typedef conv_status (*conv_provider_function)(void *context, const conv_provider_request *request,
                                              conv_provider_response *response, conv_error *error);

/* Wraps a function. `name` is copied; `context` is handed to each call and never touched.
 * CONV_INVALID_ARGUMENT: name or function is NULL. CONV_NO_MEMORY. Thread: any. */
CONV_WARN_UNUSED conv_status conv_provider_callback(const char *name,
                                                    conv_provider_function function, void *context,
                                                    conv_provider **provider, conv_error *error);

#ifdef __cplusplus
}
#endif
#endif
