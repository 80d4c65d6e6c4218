/* Summaries: what was said in a session so far, made by the provider, so that a long session goes
 * on fitting into a context. */
#ifndef CONVERSATION_SUMMARY_H
#define CONVERSATION_SUMMARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "client.h"
#include "status.h"
#include "uuid.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How many tokens a text takes, as this library estimates it: one for every four bytes, rounded up.
 * Close to the truth for English, too many for most other languages, and the same for every model.
 * A message takes four more. Absent takes none. Thread: any. Round trips: none. */
int64_t conv_token_estimate(conv_bytes text);

/* A summary as stored. Belongs to the page it came from. */
typedef struct conv_summary {
    conv_uuid summary_id;
    conv_uuid session_id;
    conv_bytes external_id; /* of the session, as the application gave it */
    conv_bytes text;
    conv_bytes key_points; /* JSON array of strings; absent: none */
    int64_t last_position; /* of the last message that is in it */
    conv_bytes model;
    conv_uuid log_id; /* of its usage record: service "summary", operation "summarize" */
    int64_t created_us;
} conv_summary;

/* Summaries, newest first. */
typedef struct conv_summary_page conv_summary_page;

/* Which summaries. Start from CONV_SUMMARY_FILTER_INIT. */
typedef struct conv_summary_filter {
    size_t size;
    const char *session_id; /* any string; NULL: of all sessions */
    size_t limit;           /* 1 to 1000; 0: 50 */
    int64_t after_us;       /* cursor: `created_us` and `summary_id` of the last summary of the */
    conv_uuid after_id;     /* page before; both zero: from the newest */
} conv_summary_filter;

#define CONV_SUMMARY_FILTER_INIT                                                                   \
    {                                                                                              \
        sizeof(conv_summary_filter), NULL, 0, 0,                                                   \
        {                                                                                          \
            {                                                                                      \
                0                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }

/* Reads one page. `filter` NULL for the first 50; `page` receives it, to be freed with
 * conv_summary_page_free; NULL after a failure; `error` may be NULL. CONV_INVALID_ARGUMENT: limit
 * over 1000. CONV_UNAVAILABLE, CONV_TIMEOUT, CONV_LIMIT, CONV_PERMISSION, CONV_STATE: the store.
 * CONV_BAD_DATA: a stored summary is damaged. CONV_NO_MEMORY. Thread: any. Round trips: 1. */
CONV_WARN_UNUSED conv_status conv_summary_list(conv_client *client,
                                               const conv_summary_filter *filter,
                                               conv_summary_page **page, conv_error *error);

/* Makes a summary of a session now, whatever its size, and waits for it. It covers what no earlier
 * one covers, with the latest of those as its beginning: at most context_tokens of it (no less than
 * 4,000, no more than 60,000), and without the last exchanges of half of summary_tokens. `page`
 * receives it, as conv_summary_list, or is empty: there was nothing new to cover. The usage record
 * is saved with the summary in one transaction; a provider's failure leaves one with status failed,
 * and no summary. No step of the client's chain is around it, but what redacting steps in it take
 * away (conv_middleware_redact) is neither told to the provider, of messages from before the step
 * either, nor kept of what it answers: summary, key points, usage object and error.
 * CONV_INVALID_ARGUMENT: no session id, the client has no provider. CONV_NOT_FOUND: no such
 * session, or something that the summary was made of was deleted or erased meanwhile: it is not
 * saved, but its usage record is. CONV_PROVIDER, CONV_CANCELLED, CONV_TIMEOUT: the provider. Else
 * as conv_summary_list. Thread: any. Round trips to the store: 3, and 1 for each 1000 messages; no
 * connection is held while the provider answers.
 */
CONV_WARN_UNUSED conv_status conv_summary_make(conv_client *client, const char *session_id,
                                               conv_summary_page **page, conv_error *error);

/* What became of the summaries that turns asked for (conv_client_params.summary_tokens), since the
 * client was opened. */
typedef struct conv_summary_counts {
    int64_t made;
    int64_t failed;  /* by the provider or the store; the session then rests for half a minute,
                        twice as long after its next failure, up to half an hour; after failures of
                        three sessions with none made between all sessions do */
    int64_t dropped; /* the queue was full, or a failure was recent; a later turn asks again */
    int64_t waiting; /* in the queue or under way */
} conv_summary_counts;

/* Reads the counts. CONV_INVALID_ARGUMENT: no client or `counts`. CONV_STATE: closing or forked.
 * Thread: any. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_summary_count(conv_client *client, conv_summary_counts *counts,
                                                conv_error *error);

/* Summaries in the page. Thread: any. */
size_t conv_summary_page_count(const conv_summary_page *page);

/* Summary `index` (from 0), or NULL past the end; belongs to the page. Thread: any. */
const conv_summary *conv_summary_page_summary(const conv_summary_page *page, size_t index);

/* Whether summaries follow after this page. Thread: any. */
bool conv_summary_page_has_more(const conv_summary_page *page);

/* Frees the page and all it gave out; NULL is allowed. Thread: owner. */
void conv_summary_page_free(conv_summary_page *page);

#ifdef __cplusplus
}
#endif
#endif
