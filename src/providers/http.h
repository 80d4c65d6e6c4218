/* One HTTP POST with its answer given out as it comes, over libcurl. Knows nothing of what is sent;
 * retries nothing. Its own files, and openai_retry.c for reading dates, are all that include curl.
 */
#ifndef CONV__PROVIDERS_HTTP_H
#define CONV__PROVIDERS_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conversation/bytes.h"
#include "conversation/status.h"

/* Connections that wait for their next request. One pool serves any number of threads. */
typedef struct conv__http_pool conv__http_pool;

CONV_WARN_UNUSED conv_status conv__http_pool_create(conv__http_pool **pool);

/* Closes idle connections; no request may be under way. In a forked child it touches none. */
void conv__http_pool_free(conv__http_pool *pool);

#define CONV__HTTP_VALUE_SIZE 128

/* Head of an answer. A header that is absent, or too long to be of use, is "". */
typedef struct conv__http_answer {
    int status; /* 0: no answer came */
    char content_type[CONV__HTTP_VALUE_SIZE];
    char should_retry[CONV__HTTP_VALUE_SIZE];
    char retry_after_ms[CONV__HTTP_VALUE_SIZE];
    char retry_after[CONV__HTTP_VALUE_SIZE];
    char request_id[CONV__HTTP_VALUE_SIZE];
} conv__http_answer;

typedef enum conv__http_verdict {
    CONV__HTTP_MORE,   /* go on */
    CONV__HTTP_ENOUGH, /* all that matters is here; what follows is not wanted */
    CONV__HTTP_STOP    /* break off */
} conv__http_verdict;

/* Gets the body piece by piece, in pieces of any size. */
typedef conv__http_verdict (*conv__http_receiver)(void *context, const conv__http_answer *answer,
                                                  conv_bytes piece);

/* All of it is borrowed for the call. */
typedef struct conv__http_request {
    const char *url;
    const char *const *headers; /* "Name: value", up to a NULL */
    conv_bytes body;
    const char *ca_file; /* NULL: the system's certificates */
    int64_t connect_timeout_ms;
    int64_t
        idle_timeout_ms; /* without a byte either way; not while the server prepares its answer */
    int64_t deadline_ns;
    conv__http_receiver receiver;
    bool (*is_wanted)(void *context); /* asked several times a second while nothing comes */
    void *context;                    /* of both */
} conv__http_request;

/* How a request ended. */
typedef enum conv__http_end {
    CONV__HTTP_COMPLETE,    /* with an answer, whatever its status */
    CONV__HTTP_STOPPED,     /* by the receiver, or not wanted any more */
    CONV__HTTP_UNREACHABLE, /* no connection: name, port, proxy or TLS */
    CONV__HTTP_UNTRUSTED,   /* the certificate is not one to trust */
    CONV__HTTP_BROKEN,      /* the connection broke before the answer was complete */
    CONV__HTTP_GARBAGE,     /* what came is not HTTP */
    CONV__HTTP_IDLE,        /* idle_timeout_ms passed */
    CONV__HTTP_LATE,        /* the deadline passed */
    CONV__HTTP_BAD_CA_FILE,
    CONV__HTTP_NO_MEMORY
} conv__http_end;

/* Makes the request. `answer` is set in any case; `reason` (static, may be "") says in a few words
 * why no connection could be made. Blocks; raises no signal. */
conv__http_end conv__http_post(conv__http_pool *pool, const conv__http_request *request,
                               conv__http_answer *answer, const char **reason);

#define CONV__HTTP_HOST_SIZE 264

/* Writes "host" or "host:port" of an http or https URL, without user or password; false if it is
 * none or its host is too long. */
bool conv__http_host(const char *url, char host[CONV__HTTP_HOST_SIZE]);

#endif
