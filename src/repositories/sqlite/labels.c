/* Tags and the archive, and the table of the session repository's functions on SQLite. */
#include "repositories/sqlite/sessions.h"

#define ACTION_TAG     "tag session"
#define ACTION_ARCHIVE "archive session"

enum { LOOK, TAG, UNTAG, ARCHIVE };

const conv__sqlite_statement conv__sqlite_label_statements[] = {
    [LOOK] = {"SELECT 1 FROM chat_sessions WHERE session_id = ?"},
    [TAG] = {"INSERT INTO chat_session_tags (session_id, tag) VALUES (?, ?)"
             " ON CONFLICT DO NOTHING"},
    [UNTAG] = {"DELETE FROM chat_session_tags WHERE session_id = ? AND tag = ?"},
    [ARCHIVE] = {"UPDATE chat_sessions SET archived_at ="
                 " CASE WHEN ?2 IS NULL THEN NULL ELSE coalesce(archived_at, ?2) END"
                 " WHERE session_id = ?1"},
    {NULL},
};

static conv_status set_tag(conv__session_repository *sessions, conv__transaction *transaction,
                           conv_uuid session_id, conv_bytes tag, bool present, bool *found,
                           conv_error *error)
{
    (void)sessions;
    conv__sqlite *connection = conv__sqlite_of(transaction);
    conv__sqlite_query query;
    conv__sqlite_prepare(&query, connection, &conv__sqlite_label_statements[LOOK], ACTION_TAG);
    conv__sqlite_bind_uuid(&query, session_id);
    *found = conv__sqlite_step(&query);
    conv_status status = conv__sqlite_finish(&query, error);
    if (status != CONV_OK || !*found) return status;
    conv__sqlite_prepare(&query, connection, &conv__sqlite_label_statements[present ? TAG : UNTAG],
                         ACTION_TAG);
    conv__sqlite_bind_uuid(&query, session_id);
    conv__sqlite_bind_text(&query, tag);
    return conv__sqlite_execute(&query, NULL, error);
}

static conv_status set_archived(conv__session_repository *sessions, conv__transaction *transaction,
                                conv_uuid session_id, int64_t archived_us, bool *found,
                                conv_error *error)
{
    (void)sessions;
    int64_t changes = 0;
    conv__sqlite_query query;
    conv__sqlite_prepare(&query, conv__sqlite_of(transaction),
                         &conv__sqlite_label_statements[ARCHIVE], ACTION_ARCHIVE);
    conv__sqlite_bind_uuid(&query, session_id);
    if (archived_us == 0)
        conv__sqlite_bind_text(&query, conv_text(NULL));
    else
        conv__sqlite_bind_time(&query, archived_us);
    conv_status status = conv__sqlite_execute(&query, &changes, error);
    *found = changes > 0;
    return status;
}

const conv__session_repository_functions conv__sqlite_session_functions = {
    .set_tag = set_tag,
    .set_archived = set_archived,
    .read_branch = conv__sqlite_read_branch,
    .list_branches = conv__sqlite_list_branches,
    .erase_user = conv__sqlite_erase_user,
    .find_deleted = conv__sqlite_find_deleted,
    .erase_unsaved = conv__sqlite_erase_unsaved,
};
