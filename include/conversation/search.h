/* Search: messages by the words that are in them. */
#ifndef CONVERSATION_SEARCH_H
#define CONVERSATION_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "client.h"
#include "message.h"
#include "session.h"
#include "status.h"
#include "uuid.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A message that was found. Belongs to the page it came from. */
typedef struct conv_search_hit {
    conv_uuid session_id;
    conv_bytes external_id; /* of the session, as the application gave it */
    conv_bytes title;       /* of the session */
    conv_uuid message_id;
    int64_t position; /* in the session; history.h reads what stands around it */
    conv_role role;
    int64_t created_us;
    conv_bytes snippet;  /* some 160 bytes of valid UTF-8 around the first word that was found, in
                            one  line; "…" where the text goes on */
    size_t match_offset; /* of that word in the snippet */
    size_t match_size;   /* 0: it is spelled so differently that it could not be marked */
} conv_search_hit;

/* What to look for. Start from CONV_SEARCH_PARAMS_INIT; NULL, absent or 0 means the default.
 * Borrowed for the call. */
typedef struct conv_search_params {
    size_t size;
    conv_bytes
        query;              /* words that must all be in the message, in any order, capital or small
                               (beyond ASCII as far as the database's locale knows); "words in
                               quotes" must stand together; word* also finds longer ones, in quotes
                               only as the last. PostgreSQL remembers where a word stands up to
                               the 256th time in a message and up to its 16,383rd word: behind
                               that "words in quotes" may not be found there, or be found though
                               they stand apart; single words are, but for those of more than
                               2,046 bytes, which it finds nowhere. Nothing else has a meaning of
                               its own: what is no letter, no digit and no mark on one only
                               separates words, the same on every store and in every locale, and
                               nothing else does: where a script writes no spaces (Chinese, Japanese, Thai), a
                               run up to the next space or sign is one word, found whole or by
                               its beginning (word*) */
    const char *session_id; /* only in this session; any string */
    const char *user_id;    /* only in sessions of this user; any string */
    conv_archived archived;
    size_t limit;       /* 1 to 100; 0: 20 */
    int64_t after_us;   /* cursor: created_us, session_id and position of the last hit of the */
    conv_uuid after_id; /* page before; all zero: from the newest message */
    int64_t after_position;
} conv_search_params;

#define CONV_SEARCH_PARAMS_INIT                                                                    \
    {                                                                                              \
        sizeof(conv_search_params), {NULL, 0}, NULL, NULL, CONV_ARCHIVED_NOT, 0, 0, {{0}}, 0       \
    }

/* Hits, newest message first. */
typedef struct conv_search_page conv_search_page;

/* Finds messages by their words: of a text the first 65,536 characters, of content parts their
 * texts. Saving does not index words, it only notes what to index; a search does that first, for at
 * most half of the client's store_timeout_ms, and so finds all that was committed before it was
 * called unless conv_search_page_is_complete says otherwise: on a store that may only be read, or
 * when much was saved since the last search (conv_search_index does it beforehand).
 * `page` receives the hits, to be freed with conv_search_page_free; NULL after a failure; `error`
 * may be NULL. A query without any word finds nothing, which is no failure.
 * CONV_INVALID_ARGUMENT: limit over 100, a query over 10,000 bytes, unknown `archived`, a negative
 * cursor. CONV_UNAVAILABLE, CONV_TIMEOUT, CONV_LIMIT, CONV_PERMISSION, CONV_STATE: the store.
 * CONV_NO_MEMORY. Thread: any. Round trips: 2, and 1 for each few thousand messages to be indexed.
 */
CONV_WARN_UNUSED conv_status conv_search(conv_client *client, const conv_search_params *params,
                                         conv_search_page **page, conv_error *error);

/* Indexes what was saved since the last search, for `timeout_ms` at most; `complete` (may be NULL)
 * receives whether nothing is left. Statuses as conv_search. Thread: any. Round trips: 1 for each
 * few thousand messages. */
CONV_WARN_UNUSED conv_status conv_search_index(conv_client *client, int64_t timeout_ms,
                                               bool *complete, conv_error *error);

/* Hits in the page. Thread: any. */
size_t conv_search_page_count(const conv_search_page *page);

/* Hit `index` (from 0), or NULL past the end; belongs to the page. Thread: any. */
const conv_search_hit *conv_search_page_hit(const conv_search_page *page, size_t index);

/* Whether hits follow after this page. Thread: any. */
bool conv_search_page_has_more(const conv_search_page *page);

/* Whether the query had a word to look for. Thread: any. */
bool conv_search_page_has_words(const conv_search_page *page);

/* Whether all that had been saved was indexed. Thread: any. */
bool conv_search_page_is_complete(const conv_search_page *page);

/* Frees the page and all it gave out; NULL is allowed. Thread: owner. */
void conv_search_page_free(conv_search_page *page);

#ifdef __cplusplus
}
#endif
#endif
