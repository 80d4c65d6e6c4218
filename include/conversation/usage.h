/* Usage records: what one metered operation used and cost; and questions about them. */
#ifndef CONVERSATION_USAGE_H
#define CONVERSATION_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "decimal.h"
#include "message.h"
#include "status.h"
#include "uuid.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct conv_client conv_client;

#define CONV_UNKNOWN (-1) /* a count that nobody reported; stored as NULL, never as 0 */

/* The most that a record may count of a kind of tokens; so a ledger of millions of them still has
 * sums of 64 bits. */
#define CONV_TOKENS_MAX INT64_C(1000000000000)

/* The longest that an operation may have taken: ten years. */
#define CONV_LATENCY_MS_MAX INT64_C(315360000000)

/* One record; its key is log_id together with session_id, so that the same two are stored, and
 * counted, once. Token kinds follow OpenTelemetry's GenAI conventions: `input_tokens` includes what
 * was read from and written to a cache, `output_tokens` includes reasoning; each is CONV_UNKNOWN or
 * 0 to CONV_TOKENS_MAX. As input: start from CONV_USAGE_INIT; texts are borrowed for the call. As
 * output: everything lives as long as the handle it came from. */
typedef struct conv_usage {
    conv_uuid log_id;      /* nil as input: made by the library, version 7 */
    int64_t created_us;    /* microseconds since 1970-01-01 UTC, years 1 to 9999; 0 as input: now */
    conv_bytes session_id; /* any string (see conv_uuid_ensure), or absent; given back as it came */
    conv_bytes user_id;    /* likewise */
    conv_bytes user_email;
    conv_bytes document_id; /* the document that was worked on, any string, see document.h */
    conv_bytes service;     /* e.g. "chat"; as input absent means "chat" */
    conv_bytes operation;   /* gen_ai.operation.name; as input absent means "chat" */
    conv_bytes model;
    conv_bytes provider; /* gen_ai.provider.name, e.g. "openai" */
    int64_t input_tokens;
    int64_t output_tokens;
    int64_t total_tokens; /* CONV_UNKNOWN as input: input + output when both are known, and fit */
    int64_t cache_read_tokens;
    int64_t cache_write_tokens;
    int64_t reasoning_tokens;
    int64_t latency_ms;      /* CONV_UNKNOWN or 0 to CONV_LATENCY_MS_MAX */
    int64_t processed_bytes; /* read by the operation, e.g. of the document that was parsed */
    bool priced; /* false: no price was known, `cost_usd` means nothing (stored as NULL) */
    conv_decimal cost_usd; /* exact */
    conv_bytes price;      /* which price row gave the cost */
    conv_outcome status;
    conv_bytes error;    /* why it failed, without text of messages */
    conv_bytes raw;      /* the provider's own usage object, JSON */
    conv_bytes metadata; /* JSON object of the application */
} conv_usage;

#define CONV_USAGE_INIT                                                                            \
    {                                                                                              \
        {{0}}, 0, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0},     \
            {NULL, 0}, CONV_UNKNOWN, CONV_UNKNOWN, CONV_UNKNOWN, CONV_UNKNOWN, CONV_UNKNOWN,       \
            CONV_UNKNOWN, CONV_UNKNOWN, CONV_UNKNOWN, false, {0, 0, 0, false}, {NULL, 0},          \
            CONV_OUTCOME_COMPLETE, {NULL, 0}, {NULL, 0},                                           \
        {                                                                                          \
            NULL, 0                                                                                \
        }                                                                                          \
    }

/* Which records a question is about. Zero or absent means "any". */
typedef struct conv_usage_filter {
    size_t size;
    int64_t from_us; /* created at or after; microseconds since 1970 UTC */
    int64_t to_us;   /* created before; 0: no end */
    conv_bytes service;
    conv_bytes operation;
    conv_bytes model;
    conv_bytes user_id;     /* any string */
    conv_bytes session_id;  /* any string */
    conv_bytes document_id; /* any string */
    size_t limit;           /* records of a page, 1 to 1000; 0: 100 */
    int64_t after_us;       /* cursor: `created_us` and `log_id` of the last record of the page */
    conv_uuid after_id;     /* before; both zero: from the newest */
    /* Whose calendar days CONV_USAGE_GROUP_DAY makes: a name of the tz database ("Europe/Berlin");
     * absent or empty: UTC. It chooses no records: conv_zone_day_start gives times for that. */
    conv_bytes zone;
} conv_usage_filter;

#define CONV_USAGE_FILTER_INIT                                                                     \
    {                                                                                              \
        sizeof(conv_usage_filter), 0, 0, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0},    \
            {NULL, 0}, 0, 0, {{0}},                                                                \
        {                                                                                          \
            NULL, 0                                                                                \
        }                                                                                          \
    }

typedef struct conv_usage_page conv_usage_page;

/* Reads one page of usage records, newest first.
 * `client` open client; `filter` see conv_usage_filter, NULL for everything; `page` receives the
 * page, to be freed with conv_usage_page_free; NULL after a failure; `error` may be NULL.
 * CONV_INVALID_ARGUMENT: limit over 1000, to before from. CONV_UNAVAILABLE, CONV_TIMEOUT: the store
 * did not answer in time. CONV_LIMIT: no connection became free. CONV_BAD_DATA: a stored record is
 * damaged. CONV_NO_MEMORY. Thread: any. Round trips: 1. */
CONV_WARN_UNUSED conv_status conv_usage_query(conv_client *client, const conv_usage_filter *filter,
                                              conv_usage_page **page, conv_error *error);

/* Records in the page. Thread: any. Round trips: none. */
size_t conv_usage_page_count(const conv_usage_page *page);

/* Record `index` (from 0), or NULL past the end; belongs to the page. Thread: any. */
const conv_usage *conv_usage_page_record(const conv_usage_page *page, size_t index);

/* Whether records follow after this page. Thread: any. */
bool conv_usage_page_has_more(const conv_usage_page *page);

/* Frees the page and all it gave out; NULL is allowed. Thread: owner. */
void conv_usage_page_free(conv_usage_page *page);

typedef enum conv_usage_group {
    CONV_USAGE_GROUP_NONE = 0, /* one row for everything */
    CONV_USAGE_GROUP_DAY,      /* key: YYYY-MM-DD, days of the filter's zone */
    CONV_USAGE_GROUP_SERVICE,
    CONV_USAGE_GROUP_OPERATION,
    CONV_USAGE_GROUP_MODEL,
    CONV_USAGE_GROUP_USER,
    CONV_USAGE_GROUP_SESSION
} conv_usage_group;

/* Exact sums over a group of records. A sum counts known values only; `unreported` says how many
 * records had no token count and `unpriced` how many had no price. */
typedef struct conv_usage_total {
    conv_bytes key; /* the group's value; absent for records without one */
    int64_t records;
    int64_t failed;
    int64_t unreported;
    int64_t unpriced;
    int64_t input_tokens;
    int64_t output_tokens;
    int64_t total_tokens;
    int64_t cache_read_tokens;
    int64_t cache_write_tokens;
    int64_t reasoning_tokens;
    conv_decimal cost_usd;
} conv_usage_total;

typedef struct conv_usage_totals conv_usage_totals;

/* Sums the records that match `filter` (its page fields are ignored) by `group`, ordered by key.
 * `totals` receives the rows, to be freed with conv_usage_totals_free; NULL after a failure.
 * CONV_USAGE_GROUP_NONE gives exactly one row, also when nothing matches. Statuses as
 * conv_usage_query; CONV_LIMIT also when a sum passes 2^63-1; CONV_INVALID_ARGUMENT also when the
 * system's tz database, or the server's, has no such zone, CONV_UNAVAILABLE also when the system
 * has none. Thread: any. Round trips: 1. */
CONV_WARN_UNUSED conv_status conv_usage_sum(conv_client *client, const conv_usage_filter *filter,
                                            conv_usage_group group, conv_usage_totals **totals,
                                            conv_error *error);

/* Rows. Thread: any. */
size_t conv_usage_totals_count(const conv_usage_totals *totals);

/* Row `index` (from 0), or NULL past the end; belongs to the totals. Thread: any. */
const conv_usage_total *conv_usage_totals_row(const conv_usage_totals *totals, size_t index);

/* Frees the totals and all they gave out; NULL is allowed. Thread: owner. */
void conv_usage_totals_free(conv_usage_totals *totals);

#ifdef __cplusplus
}
#endif
#endif
