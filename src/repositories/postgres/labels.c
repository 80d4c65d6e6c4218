/* Tags and the archive, and the table of the session repository's functions on PostgreSQL. */
#include "repositories/postgres/sessions.h"
#include "repositories/postgres/transaction.h"

#define ACTION_TAG     "tag session"
#define ACTION_ARCHIVE "archive session"

enum { TAG, UNTAG, ARCHIVE, STATEMENTS };

/* A tag goes with the session's row: FOR KEY SHARE keeps a deletion out, and no saving. */
const conv__statement conv__postgres_label_statements[] = {
    [TAG] = {"conv_label_tag", ACTION_TAG, 2, false,
             "WITH session AS (SELECT session_id FROM chat_sessions WHERE session_id = $1::uuid"
             " FOR KEY SHARE), added AS (INSERT INTO chat_session_tags (session_id, tag)"
             " SELECT session_id, $2::text FROM session ON CONFLICT DO NOTHING)"
             " SELECT EXISTS (SELECT FROM session)"},
    [UNTAG] = {"conv_label_untag", ACTION_TAG, 2, false,
               "WITH removed AS (DELETE FROM chat_session_tags"
               " WHERE session_id = $1::uuid AND tag = $2::text)"
               " SELECT EXISTS (SELECT FROM chat_sessions WHERE session_id = $1::uuid)"},
    [ARCHIVE] = {"conv_label_archive", ACTION_ARCHIVE, 2, false,
                 "WITH changed AS (UPDATE chat_sessions SET archived_at ="
                 " CASE WHEN $2::timestamptz IS NULL THEN NULL"
                 "  ELSE coalesce(archived_at, $2::timestamptz) END"
                 " WHERE session_id = $1::uuid RETURNING 1) SELECT EXISTS (SELECT FROM changed)"},
    [STATEMENTS] = {NULL, NULL, 0, false, NULL},
};

static conv_status receive_found(void *context, const conv__result *result, conv_error *error)
{
    (void)error;
    if (conv__result_rows(result) != 1) return CONV_BAD_DATA;
    conv__reader reader = conv__reader_at(result, 0, NULL);
    *(bool *)context = conv__next_bool(&reader);
    return reader.status;
}

static conv_status set_tag(conv__session_repository *sessions, conv__transaction *transaction,
                           conv_uuid session_id, conv_bytes tag, bool present, bool *found,
                           conv_error *error)
{
    (void)sessions;
    conv__parameters parameters = {.count = 0};
    *found = false;
    conv__parameter_uuid(&parameters, session_id);
    conv__parameter_bytes(&parameters, tag);
    return conv__postgres_queue(transaction,
                                &conv__postgres_label_statements[present ? TAG : UNTAG],
                                &parameters, receive_found, found, error);
}

static conv_status set_archived(conv__session_repository *sessions, conv__transaction *transaction,
                                conv_uuid session_id, int64_t archived_us, bool *found,
                                conv_error *error)
{
    (void)sessions;
    conv__parameters parameters = {.count = 0};
    *found = false;
    conv__parameter_uuid(&parameters, session_id);
    if (archived_us == 0)
        conv__parameter_null(&parameters);
    else
        conv__parameter_time(&parameters, archived_us);
    return conv__postgres_queue(transaction, &conv__postgres_label_statements[ARCHIVE], &parameters,
                                receive_found, found, error);
}

const conv__session_repository_functions conv__postgres_session_functions = {
    .set_tag = set_tag,
    .set_archived = set_archived,
    .read_branch = conv__postgres_read_branch,
    .list_branches = conv__postgres_list_branches,
    .erase_user = conv__postgres_erase_user,
    .find_deleted = conv__postgres_find_deleted,
    .erase_unsaved = conv__postgres_erase_unsaved,
};
