/* Documents: what the application keeps elsewhere and works on, and what that work used. */
#ifndef CONVERSATION_DOCUMENT_H
#define CONVERSATION_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "client.h"
#include "message.h"
#include "status.h"
#include "usage.h"
#include "uuid.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CONV_SHA256_TEXT_SIZE 65 /* 64 hexadecimal digits in lower case and the NUL */

/* The document's bytes stay with the application; the store knows what they are, who brought them
 * and what was done with them. Its operations (parse, embed, search …) are begun and ended with
 * operation.h, or recorded in one call by conv_document_track; both name the document by
 * `document_id`, as conv_usage_filter does to find their records.
 *
 * An id is unique within its session; documents without a session have ids of their own. */

/* What is registered. Start from CONV_DOCUMENT_PARAMS_INIT; NULL or absent means none. Borrowed for
 * the call. */
typedef struct conv_document_params {
    size_t size;
    const char *document_id;  /* any string (see conv_uuid_ensure); NULL: a new UUIDv7 */
    const char *session_id;   /* any string; it need not exist (yet) */
    const char *user_id;      /* any string */
    conv_bytes name;          /* of the file; any bytes */
    conv_bytes media_type;    /* e.g. "application/pdf"; any bytes */
    int64_t size_bytes;       /* of its content; 0 for an empty document */
    const char *sha256;       /* of its content: 64 hexadecimal digits, see conv_document_hash_file;
                                 NULL: not known */
    const char *metadata;     /* JSON object */
    const conv_usage *upload; /* what the upload used, its latency, outcome and model; ids and times
                                 but for the log_id are those of the document; service absent means
                                 "documents", operation "upload"; processed_bytes unknown:
                                 `size_bytes`. NULL: complete, and nothing more is known */
    int64_t created_us;       /* microseconds since 1970-01-01 UTC, years 1 to 9999; 0: now */
} conv_document_params;

#define CONV_DOCUMENT_PARAMS_INIT                                                                  \
    {                                                                                              \
        sizeof(conv_document_params), NULL, NULL, NULL, {NULL, 0}, {NULL, 0}, 0, NULL, NULL, NULL, \
            0                                                                                      \
    }

/* A document as stored. Belongs to the page it came from. */
typedef struct conv_document {
    conv_uuid document_id;
    conv_bytes external_id; /* the id as the application gave it; the UUID's text if it gave one */
    conv_uuid session_id;   /* nil: none */
    conv_bytes external_session_id; /* likewise; absent: none */
    conv_uuid user_id;              /* nil: nobody */
    conv_bytes external_user_id;    /* likewise; absent: nobody */
    conv_bytes name;
    conv_bytes media_type;
    int64_t size_bytes;
    char sha256[CONV_SHA256_TEXT_SIZE]; /* empty: not known */
    conv_bytes metadata;                /* JSON object */
    conv_bytes last_operation;          /* the newest one on it, as a text column holds it */
    conv_outcome last_status;           /* how that ended */
    int64_t created_us;
    int64_t updated_us; /* when that ended */
} conv_document;

typedef struct conv_document_page conv_document_page;

/* Registers a document, and the usage record of its upload, in one transaction, once for each id: a
 * repeat with the same content answers CONV_OK, changes nothing and records nothing. The content is
 * all of `params` but `upload` and `created_us`.
 * The first time is told as document.registered and usage.recorded (see events.h), on this thread,
 * after the commit.
 * `document` (may be NULL) receives a page of exactly that document, to be freed with
 * conv_document_page_free; NULL after a failure; `error` may be NULL.
 * CONV_INVALID_ARGUMENT: size_bytes is negative, created_us is no time, sha256 is no such hash,
 * metadata is no JSON object, or `upload` is no usage record. CONV_CONFLICT: the id is registered
 * with other content. CONV_UNAVAILABLE, CONV_TIMEOUT: the store is away. A document is no exchange:
 * it never waits in the journal, nothing was accepted (unless error->outcome_unknown), and the same
 * call may be repeated with the same id. CONV_LIMIT: no connection became free, or a field is too
 * large. CONV_PERMISSION, CONV_STATE, CONV_BAD_DATA: the store. CONV_NO_MEMORY. Thread: any. Round
 * trips: 3; 2 where `document` is NULL. */
CONV_WARN_UNUSED conv_status conv_document_register(conv_client *client,
                                                    const conv_document_params *params,
                                                    conv_document_page **document,
                                                    conv_error *error);

/* Reads one document by any id. `session_id` any string, NULL for a document without a session.
 * CONV_NOT_FOUND: there is none. Else as conv_document_register. Thread: any. Round trips: 1. */
CONV_WARN_UNUSED conv_status conv_document_get(conv_client *client, const char *document_id,
                                               const char *session_id,
                                               conv_document_page **document, conv_error *error);

/* Records an operation on a document whose numbers are all known, in one transaction with the
 * change of the document, whose last_operation, last_status and updated_us it sets; operation.h
 * measures one instead. CONV_OK means committed, and told as document.processed and usage.recorded
 * (see events.h). The same log_id and session_id again change and tell nothing.
 * `usage` see conv_usage; names the document by `document_id` and `session_id`, and `operation`;
 * service absent means "documents"; a nil log_id gets a new one; borrowed for the call; `error` may
 * be NULL.
 * CONV_NOT_FOUND: there is no such document in this session; the record was saved all the same.
 * CONV_INVALID_ARGUMENT: no usage, document or operation is named, a JSON field is not JSON, a
 * count is none (see conv_usage), or the operation ended after the year 9999. CONV_UNAVAILABLE,
 * CONV_TIMEOUT: the store is away and nothing was recorded (unless error->outcome_unknown), also
 * with a journal; conv_track_usage, with the same log_id, keeps the record there, which then
 * changes no document. CONV_LIMIT: no connection became free, or a field is too large.
 * CONV_PERMISSION, CONV_STATE, CONV_BAD_DATA: the store. CONV_NO_MEMORY. Thread: any. Round
 * trips: 1. */
CONV_WARN_UNUSED conv_status conv_document_track(conv_client *client, const conv_usage *usage,
                                                 conv_error *error);

/* Which documents. Start from CONV_DOCUMENT_FILTER_INIT. Zero or absent means "any". */
typedef struct conv_document_filter {
    size_t size;
    conv_bytes session_id; /* any string */
    conv_bytes user_id;    /* any string */
    const char *sha256;    /* 64 hexadecimal digits: those with this content */
    size_t limit;          /* 1 to 1000; 0: 50 */
    int64_t after_us;      /* cursor: `created_us`, `document_id` and `session_id` of the last */
    conv_uuid after_id;    /* document of the page before; all zero: from the newest */
    conv_uuid after_session_id;
} conv_document_filter;

#define CONV_DOCUMENT_FILTER_INIT                                                                  \
    {                                                                                              \
        sizeof(conv_document_filter), {NULL, 0}, {NULL, 0}, NULL, 0, 0, {{0}},                     \
        {                                                                                          \
            {                                                                                      \
                0                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }

/* Reads one page of documents, newest first. `filter` NULL for the first 50. Pages are keyed by
 * time of registration, so documents that arrive meanwhile neither move nor hide others.
 * CONV_INVALID_ARGUMENT: limit over 1000, sha256 is no such hash. Else as conv_document_get.
 * Thread: any. Round trips: 1. */
CONV_WARN_UNUSED conv_status conv_document_list(conv_client *client,
                                                const conv_document_filter *filter,
                                                conv_document_page **page, conv_error *error);

/* What a deletion removed, and what it kept. */
typedef struct conv_document_receipt {
    int64_t documents;
    int64_t usage_kept; /* usage records stay, that of the deletion among them */
} conv_document_receipt;

/* Deletes a document, and records the operation "delete", in one transaction. `session_id` as in
 * conv_document_get; `receipt` may be NULL. The id may then be registered anew. Told as
 * document.deleted and usage.recorded, after the commit. Those of a whole session, or of a user,
 * go by conv_session_delete and conv_user_erase. CONV_NOT_FOUND: there is none; nothing was
 * recorded. Else as conv_document_register. Thread: any. Round trips: 2. */
CONV_WARN_UNUSED conv_status conv_document_delete(conv_client *client, const char *document_id,
                                                  const char *session_id,
                                                  conv_document_receipt *receipt,
                                                  conv_error *error);

/* Documents in the page. Thread: any. */
size_t conv_document_page_count(const conv_document_page *page);

/* Document `index` (from 0), or NULL past the end; belongs to the page. Thread: any. */
const conv_document *conv_document_page_document(const conv_document_page *page, size_t index);

/* Whether documents follow after this page. Thread: any. */
bool conv_document_page_has_more(const conv_document_page *page);

/* Whether conv_document_register found the document registered before its call. Thread: any. */
bool conv_document_page_is_repeat(const conv_document_page *page);

/* Frees the page and all it gave out; NULL is allowed. Thread: owner. */
void conv_document_page_free(conv_document_page *page);

/* Writes the SHA-256 (FIPS 180-4) of `content` as text; absent content counts as empty.
 * CONV_NO_MEMORY. Thread: any. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_document_hash(conv_bytes content,
                                                char sha256[CONV_SHA256_TEXT_SIZE],
                                                conv_error *error);

/* The same for all bytes of a file, and how many they are, read piece by piece to its end.
 * CONV_INVALID_ARGUMENT: no path, or no regular file: a folder, a FIFO, a device. CONV_NOT_FOUND:
 * no such file. CONV_PERMISSION: it may not be read. CONV_UNAVAILABLE: reading failed.
 * CONV_NO_MEMORY. Thread: any. Round trips: none. */
CONV_WARN_UNUSED conv_status conv_document_hash_file(const char *path,
                                                     char sha256[CONV_SHA256_TEXT_SIZE],
                                                     int64_t *size_bytes, conv_error *error);

#ifdef __cplusplus
}
#endif
#endif
