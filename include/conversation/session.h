/* Sessions: threads of conversation, and what can be done with them as a whole. */
#ifndef CONVERSATION_SESSION_H
#define CONVERSATION_SESSION_H

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

/* A session as stored, without its messages. Belongs to the page it came from. */
typedef struct conv_session {
    conv_uuid session_id;
    conv_bytes external_id; /* the id as the application gave it; the UUID's text if it gave one */
    conv_uuid user_id;      /* nil: nobody */
    conv_bytes external_user_id; /* likewise; absent: nobody */
    conv_bytes title;
    conv_bytes metadata; /* JSON object */
    int64_t message_count;
    int64_t created_us;
    int64_t updated_us;
    int64_t archived_us;    /* 0: it is not archived */
    const conv_bytes *tags; /* in the order of their bytes */
    size_t tag_count;
} conv_session;

/* Sessions, newest change first. */
typedef struct conv_session_page conv_session_page;

/* What to do about archived sessions. */
typedef enum conv_archived {
    CONV_ARCHIVED_NOT = 0, /* leave them out */
    CONV_ARCHIVED_ONLY,
    CONV_ARCHIVED_TOO
} conv_archived;

/* Which sessions. Start from CONV_SESSION_FILTER_INIT. */
typedef struct conv_session_filter {
    size_t size;
    conv_bytes user_id; /* any string; absent: everybody's */
    size_t limit;       /* 1 to 1000; 0: 50 */
    int64_t after_us;   /* cursor: `updated_us` and `session_id` of the last session of the page */
    conv_uuid after_id; /* before; both zero: from the newest */
    conv_bytes tag;     /* only with this tag; absent: any */
    conv_archived archived;
} conv_session_filter;

#define CONV_SESSION_FILTER_INIT                                                                   \
    {                                                                                              \
        sizeof(conv_session_filter), {NULL, 0}, 0, 0, {{0}}, {NULL, 0}, CONV_ARCHIVED_NOT          \
    }

/* What a session is made with or changed to. NULL leaves a value as it is. Borrowed for the call.
 */
typedef struct conv_session_params {
    size_t size;
    const char *session_id; /* any string; NULL: a new UUIDv7 (only when it is made) */
    const char *user_id;    /* any string; used only when the session is made */
    const char *title;
    const char *metadata; /* JSON object */
} conv_session_params;

#define CONV_SESSION_PARAMS_INIT                                                                   \
    {                                                                                              \
        sizeof(conv_session_params), NULL, NULL, NULL, NULL                                        \
    }

/* Makes a session, or resumes the one that has this id already (then nothing of it changes).
 * `session` receives a page of exactly that session, to be freed with conv_session_page_free; NULL
 * after a failure; `error` may be NULL. CONV_INVALID_ARGUMENT: metadata is not a JSON object.
 * CONV_UNAVAILABLE, CONV_TIMEOUT, CONV_LIMIT, CONV_PERMISSION, CONV_STATE, CONV_BAD_DATA: the
 * store. CONV_NO_MEMORY. Thread: any. Round trips: 2, to make and read it,
 * and to commit. */
CONV_WARN_UNUSED conv_status conv_session_create(conv_client *client,
                                                 const conv_session_params *params,
                                                 conv_session_page **session, conv_error *error);

/* Reads one session by any id. CONV_NOT_FOUND: there is none. Else as conv_session_create.
 * Thread: any. Round trips: 1. */
CONV_WARN_UNUSED conv_status conv_session_get(conv_client *client, const char *session_id,
                                              conv_session_page **session, conv_error *error);

/* Changes title and metadata of a session. CONV_NOT_FOUND: there is none. Else as
 * conv_session_create. Thread: any. Round trips: 2. */
CONV_WARN_UNUSED conv_status conv_session_update(conv_client *client,
                                                 const conv_session_params *params,
                                                 conv_error *error);

/* Reads one page of sessions, newest change first, without their messages; archived ones are left
 * out unless the filter asks for them. `filter` NULL for the first 50. CONV_INVALID_ARGUMENT: limit
 * over 1000, unknown `archived`. Else as conv_session_create. Thread: any. Round trips: 1. */
CONV_WARN_UNUSED conv_status conv_session_list(conv_client *client,
                                               const conv_session_filter *filter,
                                               conv_session_page **page, conv_error *error);

/* Gives a session a tag, or takes it away; either twice is as good as once. `tag`: 1 to 100 bytes
 * of UTF-8 without control characters. CONV_INVALID_ARGUMENT: it is something else. CONV_NOT_FOUND:
 * there is no such session. Else as conv_session_create. Thread: any. Round trips: 1. */
CONV_WARN_UNUSED conv_status conv_session_tag(conv_client *client, const char *session_id,
                                              const char *tag, conv_error *error);
CONV_WARN_UNUSED conv_status conv_session_untag(conv_client *client, const char *session_id,
                                                const char *tag, conv_error *error);

/* Archives a session, or (`archived` false) takes it back: lists and searches leave it out from
 * then on, all else works as before, turns too. Its place in the list does not change.
 * CONV_NOT_FOUND: there is none. Else as conv_session_create. Thread: any. Round trips: 1. */
CONV_WARN_UNUSED conv_status conv_session_archive(conv_client *client, const char *session_id,
                                                  bool archived, conv_error *error);

/* What a deletion removed, and what it kept. */
typedef struct conv_delete_receipt {
    int64_t sessions;
    int64_t messages;
    int64_t exchanges;
    int64_t summaries;
    int64_t documents;
    int64_t usage_kept; /* usage records stay: they are the ledger, and hold no text; of an erased
                           user also those that this client's journal keeps */
    int64_t journal;    /* entries removed from this client's journal */
} conv_delete_receipt;

/* Deletes a session with all its messages, tags, branches, summaries, documents and indexed words
 * in one transaction. What waits for it in this client's journal goes too, and the store remembers
 * that the session was deleted and when: a journal of another process drops what it accepted for it
 * before, by its clock, and its usage record alone goes to the store, as it is. What is accepted
 * later begins the session anew. In PostgreSQL's own files its bytes go with VACUUM. SQLite
 * overwrites them, and writes its search index anew, in steps of a fifth of a second between which
 * others save: about a second for each 400,000 messages that were indexed (none for a store that
 * nobody searches), whatever the time limit; then they are gone from the file, and from its log
 * (-wal) with the next checkpoint that begins it anew, as when the last client closes. Each
 * document is told as document.deleted (events.h): what it is made of is kept elsewhere. `receipt`
 * may be NULL. CONV_NOT_FOUND: there is none, neither in the store nor in the journal, and no
 * document of it. Else as conv_session_create; after CONV_UNAVAILABLE with error->outcome_unknown
 * ask again. Thread: any. Round trips: 1. */
CONV_WARN_UNUSED conv_status conv_session_delete(conv_client *client, const char *session_id,
                                                 conv_delete_receipt *receipt, conv_error *error);

/* What an erasure removed and kept. */
typedef struct conv_erase_receipt {
    conv_delete_receipt removed;
    conv_uuid pseudonym; /* whose the kept usage records are now; random, written nowhere else */
} conv_erase_receipt;

/* Erases a user in one transaction: their sessions as conv_session_delete does, their documents
 * wherever they are, their exchanges in sessions of others (message_count stays exact) with the
 * summaries of those sessions, and the spelling of their id. Usage records are kept, so that no sum
 * changes, but belong to a new random id, without e-mail address and without the original bytes of
 * any field, also those that name no user but are of the user's own sessions or documents; their
 * metadata, which is the application's, stays. This client's buffered usage is saved before: a
 * record that names this user and must wait for a person, without a journal, is an error that names
 * the cause; one that names nobody loses the address when it goes to the store, and one of others
 * is no matter. What its journal holds of the user goes, but usage records, waiting ones and dead
 * letters, which get the same random id there and count as `usage_kept`. Other processes' journals
 * drop it when they are drained; a usage record that still waits there gets a random id of its own.
 * A session that only a journal has is the user's where its first exchange there is; what others
 * said in it stays, what names no user goes when that is drained. Usage that names no user and is
 * of a session or a document which was deleted before the user is erased stays as it was: nobody
 * knows any more whose it is. What other processes have only buffered (tracker_interval_ms) comes
 * later, under the old id. Documents are told as by conv_session_delete. `user_id` any string;
 * `receipt` may be NULL. CONV_INVALID_ARGUMENT: no user id. CONV_NOT_FOUND: nothing of this user is
 * there. Else as conv_session_delete. Thread: any. Round trips: 2. */
CONV_WARN_UNUSED conv_status conv_user_erase(conv_client *client, const char *user_id,
                                             conv_erase_receipt *receipt, conv_error *error);

/* Sessions in the page. Thread: any. */
size_t conv_session_page_count(const conv_session_page *page);

/* Session `index` (from 0), or NULL past the end; belongs to the page. Thread: any. */
const conv_session *conv_session_page_session(const conv_session_page *page, size_t index);

/* Whether sessions follow after this page. Thread: any. */
bool conv_session_page_has_more(const conv_session_page *page);

/* Frees the page and all it gave out; NULL is allowed. Thread: owner. */
void conv_session_page_free(conv_session_page *page);

#ifdef __cplusplus
}
#endif
#endif
