/* Rows as the columns of either store hold them, and their making from what the application gave.
 * Everything a row points to lives in an arena or in the caller's own memory. */
#ifndef CONV__REPOSITORIES_ROWS_H
#define CONV__REPOSITORIES_ROWS_H

#include "conversation/document.h"
#include "conversation/message.h"
#include "conversation/session.h"
#include "conversation/status.h"
#include "conversation/summary.h"
#include "conversation/usage.h"
#include "conversation/uuid.h"
#include "core/hash.h"
#include "core/memory.h"

/* SHA-256 cut to 128 bits: it tells repeated content from other content under the same id. */
#define CONV__CONTENT_HASH_SIZE 16

/* Bytes of one field at most: PostgreSQL's jsonb ends at 256 MiB, its messages at 1 GiB. */
#define CONV__FIELD_LIMIT ((size_t)200 << 20)

/* An id and the application's own spelling of it. `external_id` is absent where it would only
 * repeat the UUID's 36 characters. Texts are storable; `originals` keeps what is not (or is
 * absent). */
typedef struct conv__name_row {
    conv_uuid id; /* nil: none */
    conv_bytes external_id;
    conv_bytes originals;
} conv__name_row;

typedef struct conv__session_row {
    conv_uuid session_id;
    conv__name_row user;
    conv_bytes external_id; /* as above */
    conv_bytes title;
    conv_bytes metadata;
    conv_bytes originals;
    int64_t created_us;
} conv__session_row;

/* `message` has storable texts and JSON. `originals` always keeps parts and tool calls exactly,
 * because jsonb reorders keys; and any other text that is not storable. */
typedef struct conv__message_row {
    conv_message message;
    conv_bytes originals;
    conv_uuid parent_id; /* in history: the message it goes on after; nil: it begins the session */
} conv__message_row;

/* `usage` has storable texts; its session_id, user_id and document_id are not used here. */
typedef struct conv__usage_row {
    conv_usage usage;
    conv_uuid session_id;  /* nil: none */
    conv_uuid document_id; /* nil: none */
    conv__name_row user;
    conv_bytes originals;
} conv__usage_row;

/* Texts and JSON are storable; `originals` keeps the rest. */
typedef struct conv__document_row {
    conv_uuid document_id;
    conv_uuid session_id; /* nil: none */
    conv__name_row user;
    conv_bytes external_id;         /* as above */
    conv_bytes external_session_id; /* likewise */
    conv_bytes name;
    conv_bytes media_type;
    int64_t size_bytes;
    conv_bytes sha256; /* its 32 bytes, or absent */
    uint8_t content_hash[CONV__CONTENT_HASH_SIZE];
    conv_bytes metadata;
    conv_bytes last_operation; /* the nearest text that a column holds */
    conv_outcome last_status;
    conv_bytes originals;
    int64_t created_us;
    int64_t updated_us;
} conv__document_row;

/* `text`, `key_points` and `model` are storable. */
typedef struct conv__summary_row {
    conv_uuid summary_id;
    conv_uuid session_id;
    conv_bytes text;
    conv_bytes key_points;
    conv_bytes model;
    conv_bytes originals;
    int64_t last_position;
    conv_uuid log_id;
    int64_t created_us;
} conv__summary_row;

/* A session, all messages and one usage record: the atomic unit. */
typedef struct conv__exchange {
    conv__session_row session;
    conv_uuid exchange_id;                         /* the turn's id */
    uint8_t request_hash[CONV__CONTENT_HASH_SIZE]; /* of what the user's side said */
    uint8_t reply_hash[CONV__CONTENT_HASH_SIZE];   /* of the answer */
    conv_outcome status;
    int64_t created_us;
    const conv__message_row *messages;
    size_t message_count;
    conv__usage_row usage;
    bool replaces_failed; /* an earlier attempt with status failed is to be removed first */
    bool has_parent;      /* it goes on after `parent_id` (nil: it begins the session anew), and not
                             after the session's last message */
    conv_uuid parent_id;
} conv__exchange;

/* From what the application gave to rows. Bytes are borrowed where they are storable, else copied
 * into the arena. CONV_INVALID_ARGUMENT: a JSON field is not JSON of its kind, no role, content and
 * parts together, a negative count or cost. CONV_LIMIT: a field over CONV__FIELD_LIMIT.
 * CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__name_to_row(conv__arena *arena, conv_bytes name,
                                               conv__name_row *row, conv_error *error);
CONV_WARN_UNUSED conv_status conv__session_to_row(conv__arena *arena, conv_bytes session_id,
                                                  conv_bytes user_id, conv_bytes title,
                                                  conv_bytes metadata, conv__session_row *row,
                                                  conv_error *error);
/* 0, or a time that every store keeps exactly. CONV_INVALID_ARGUMENT. */
CONV_WARN_UNUSED conv_status conv__created_check(int64_t created_us, conv_error *error);

CONV_WARN_UNUSED conv_status conv__message_to_row(conv__arena *arena, const conv_message *message,
                                                  conv__message_row *row, conv_error *error);
CONV_WARN_UNUSED conv_status conv__usage_to_row(conv__arena *arena, const conv_usage *usage,
                                                conv__usage_row *row, conv_error *error);

/* Whether conv__usage_to_row would take it, memory aside: for what becomes a row later. */
CONV_WARN_UNUSED conv_status conv__usage_check(const conv_usage *usage, conv_error *error);

/* Ids, texts and size of what is registered; hash, last operation and times are left alone, but for
 * the check of created_us. */
CONV_WARN_UNUSED conv_status conv__document_to_row(conv__arena *arena,
                                                   const conv_document_params *params,
                                                   conv__document_row *row, conv_error *error);

/* Makes the row's own texts storable. */
CONV_WARN_UNUSED conv_status conv__summary_to_row(conv__arena *arena, conv__summary_row *row,
                                                  conv_error *error);

/* From rows back, in place: each original takes the place of its column's value. Points into
 * `originals`. CONV_BAD_DATA: the originals are damaged. */
CONV_WARN_UNUSED conv_status conv__message_from_row(conv__message_row *row, conv_error *error);
CONV_WARN_UNUSED conv_status conv__usage_from_row(conv__usage_row *row, conv_error *error);

CONV_WARN_UNUSED conv_status conv__summary_from_row(conv__summary_row *row, conv_summary *summary,
                                                    conv_error *error);

/* The spelling to give back for an id: original, else external id, else the UUID's 36 characters
 * made in the arena; absent for nil. CONV_BAD_DATA, CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__name_from_row(conv__arena *arena, const conv__name_row *row,
                                                 conv_bytes *name, conv_error *error);

/* Fills the output form of a session from its row, in the same way; its counters (message_count,
 * updated_us) are no part of the row and left alone. */
CONV_WARN_UNUSED conv_status conv__session_from_row(conv__arena *arena,
                                                    const conv__session_row *row,
                                                    conv_session *session, conv_error *error);

/* Fills all of the output form of a document. CONV_BAD_DATA also for a hash of another size. */
CONV_WARN_UNUSED conv_status conv__document_from_row(conv__arena *arena,
                                                     const conv__document_row *row,
                                                     conv_document *document, conv_error *error);
/* Fills the tags of a session from a list with CONV__TAG_SEPARATOR between, absent for none. No tag
 * holds a control character. CONV_NO_MEMORY. */
#define CONV__TAG_SEPARATOR '\x1f'
CONV_WARN_UNUSED conv_status conv__tags_from_row(conv__arena *arena, conv_bytes joined,
                                                 conv_session *session);

#endif
