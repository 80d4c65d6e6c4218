/* Documents in a store. An implementation holds SQL and nothing else. */
#ifndef CONV__REPOSITORIES_DOCUMENTS_H
#define CONV__REPOSITORIES_DOCUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "conversation/document.h"
#include "repositories/rows.h"
#include "repositories/store.h"

typedef struct conv__document_key {
    conv_uuid document_id;
    conv_uuid session_id; /* nil: none */
} conv__document_key;

typedef struct conv__stored_document {
    conv_document document; /* restored by conv__document_from_row */
    uint8_t content_hash[CONV__CONTENT_HASH_SIZE];
} conv__stored_document;

typedef struct conv__document_list {
    conv__stored_document *rows;
    size_t count;
    bool has_more;
} conv__document_list;

/* Newest first, keyset: created_at, document_id, session_id descending. */
typedef struct conv__document_query {
    conv_uuid session_id; /* nil: any */
    conv_uuid user_id;    /* nil: any */
    conv_bytes sha256;    /* 32 bytes; absent: any */
    size_t limit;
    int64_t after_us; /* 0 and nil: from the newest */
    conv_uuid after_id;
    conv_uuid after_session_id;
} conv__document_query;

/* An operation on a document. */
typedef struct conv__document_note {
    const conv__usage_row *record; /* names the document and what was done with it */
    int64_t ended_us;
} conv__document_note;

/* What was known of a document that is gone. */
typedef struct conv__removed_document {
    bool found;
    conv_uuid user_id;
    int64_t usage_records; /* of operations on it */
} conv__removed_document;

/* One that went with its session or its user. */
typedef struct conv__gone_document {
    conv__document_key key;
    conv_uuid user_id; /* nil: nobody */
} conv__gone_document;

/* Those of one deletion. */
typedef struct conv__gone_documents {
    conv__arena *arena; /* where `rows` are put; the caller's */
    conv__gone_document *rows;
    size_t count;
} conv__gone_documents;

/* As in chat.h: what answers at once takes its memory from the arena, other writes may be queued
 * until commit. */
typedef struct conv__document_repository_functions {
    /* Inserts the row and the spelling of its user, unless its key is there: then nothing is
     * written. Answers at once. */
    conv_status (*insert)(conv__document_repository *documents, conv__transaction *transaction,
                          const conv__document_row *row, bool *inserted, conv_error *error);

    /* CONV_NOT_FOUND. */
    conv_status (*read)(conv__document_repository *documents, conv__transaction *transaction,
                        const conv__document_key *key, conv__arena *arena,
                        conv__document_list *list, conv_error *error);

    conv_status (*list)(conv__document_repository *documents, conv__transaction *transaction,
                        const conv__document_query *query, conv__arena *arena,
                        conv__document_list *list, conv_error *error);

    /* Saves the record, once by its log_id, and with a new one sets the last operation, unless a
     * newer one is known. Valid after commit: `saved`, as the usage repository tells it, and
     * `found`, whether there is such a document. */
    conv_status (*note)(conv__document_repository *documents, conv__transaction *transaction,
                        const conv__document_note *note, bool *saved, bool *found,
                        conv_error *error);

    /* Answers at once. */
    conv_status (*remove)(conv__document_repository *documents, conv__transaction *transaction,
                          const conv__document_key *key, conv__removed_document *removed,
                          conv_error *error);

    /* All of a session; `gone` is valid after commit. */
    conv_status (*remove_session)(conv__document_repository *documents,
                                  conv__transaction *transaction, conv_uuid session_id,
                                  conv__gone_documents *gone, conv_error *error);
} conv__document_repository_functions;

struct conv__document_repository {
    const conv__document_repository_functions *functions;
};

#endif
