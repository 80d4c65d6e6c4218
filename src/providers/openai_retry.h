/* When a failed request is made again, and after how long. A pure function: no clock, no chance and
 * no wire of its own. Source: the retry rules of OpenAI's official clients. */
#ifndef CONV__PROVIDERS_OPENAI_RETRY_H
#define CONV__PROVIDERS_OPENAI_RETRY_H

#include <stdbool.h>
#include <stdint.h>

/* What is known when a request has failed. Header values are "" where the header was absent. */
typedef struct conv__openai_failed_try {
    int http_status; /* 0: the connection failed */
    const char *should_retry;
    const char *retry_after_ms;
    const char *retry_after;
    int retries; /* made before this one */
    int max_retries;
    bool handed_on;  /* the caller has seen a part of the reply */
    int64_t left_ms; /* until the caller's deadline */
    int64_t now_s;   /* seconds since 1970, for a Retry-After that is a date */
    uint32_t chance; /* any number, for the jitter */
} conv__openai_failed_try;

/* Milliseconds to wait before the next try, or -1 for no further try. */
int64_t conv__openai_retry_wait_ms(const conv__openai_failed_try *failed);

/* Whether an HTTP status is of the kind that may pass: 408, 409, 429, 5xx. */
bool conv__openai_status_may_pass(int http_status);

#endif
