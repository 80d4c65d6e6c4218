/* The words of messages: indexing what waits, and finding. */
#include "core/buffer.h"
#include "core/error.h"
#include "repositories/sqlite/columns.h"
#include "repositories/sqlite/sessions.h"

#define ACTION_INDEX "index messages"
#define ACTION_FIND  "search messages"
#define ACTION_PURGE "purge search index"

enum { EXCHANGES = 256, MESSAGES = 2000 }; /* at once; a long session counts as many */

enum {
    SELECT_QUEUE,
    SELECT_LAST,
    INSERT_SEARCH,
    INSERT_WORDS,
    SHORTEN,
    DONE,
    FIND,
    WAITS,
    CHANGES,
    MERGE
};

const conv__sqlite_statement conv__sqlite_search_statements[] = {
    [SELECT_QUEUE] = {"SELECT queue_id, session_id, first_position, message_count"
                      " FROM chat_search_queue ORDER BY queue_id LIMIT 1"},
    [SELECT_LAST] = {"SELECT coalesce(max(search_id), 0) FROM chat_search"},
    [INSERT_SEARCH] = {"INSERT INTO chat_search (session_id, position, created_at)"
                       " SELECT session_id, position, created_at FROM chat_messages"
                       " WHERE session_id = ?1 AND position >= ?2 AND position < ?3"
                       " ON CONFLICT DO NOTHING"},
    [INSERT_WORDS] = {"INSERT INTO chat_search_words (rowid, words)"
                      " SELECT x.search_id, " CONV__SQLITE_INDEXED_WORDS
                      " FROM chat_search x JOIN chat_messages m"
                      " ON m.session_id = x.session_id AND m.position = x.position"
                      " WHERE x.search_id > ?1"},
    [SHORTEN] = {"UPDATE chat_search_queue SET first_position = first_position + ?2,"
                 " message_count = message_count - ?2 WHERE queue_id = ?1"},
    [DONE] = {"DELETE FROM chat_search_queue WHERE queue_id = ?1"},
    [FIND] = {"SELECT s.session_id, s.external_id, s.title, s.originals, m.message_id, m.position,"
              " m.role, m.created_at, " CONV__SQLITE_INDEXED_TEXT
              " FROM chat_search_words w JOIN chat_search x ON x.search_id = w.rowid"
              " JOIN chat_sessions s ON s.session_id = x.session_id"
              " JOIN chat_messages m ON m.session_id = x.session_id AND m.position = x.position"
              " WHERE chat_search_words MATCH ?1 AND (?2 IS NULL OR x.session_id = ?2)"
              " AND (?3 IS NULL OR s.user_id = ?3)"
              " AND (?4 = 2 OR (s.archived_at IS NOT NULL) = (?4 = 1))"
              " AND (?5 IS NULL OR (x.created_at, x.session_id, x.position) < (?5, ?6, ?7))"
              " ORDER BY x.created_at DESC, x.session_id DESC, x.position DESC LIMIT ?8"},
    [WAITS] = {"SELECT EXISTS (SELECT 1 FROM chat_search_queue)"},
    [CHANGES] = {"SELECT total_changes()"},
    /* Below zero: all parts of the index, however few, until they are one. Pages at once. */
    [MERGE] = {"INSERT INTO chat_search_words (chat_search_words, rank) VALUES ('merge', -1000)"},
    {NULL},
};

static void prepare(conv__sqlite_query *query, conv__sqlite *connection, int which,
                    const char *action)
{
    conv__sqlite_prepare(query, connection, &conv__sqlite_search_statements[which], action);
}

typedef struct waiting {
    int64_t queue_id;
    conv_uuid session_id;
    int64_t first;
    int64_t count;
} waiting;

static conv_status read_number(conv__sqlite *connection, int which, const char *action,
                               int64_t *number, conv_error *error)
{
    conv__sqlite_query query;
    prepare(&query, connection, which, action);
    if (conv__sqlite_step(&query)) *number = conv__sqlite_integer(&query, 0);
    return conv__sqlite_finish(&query, error);
}

static conv_status read_next(conv__sqlite *connection, waiting *next, bool *found,
                             conv_error *error)
{
    conv__sqlite_query query;
    prepare(&query, connection, SELECT_QUEUE, ACTION_INDEX);
    *found = conv__sqlite_step(&query);
    if (*found)
        *next = (waiting){conv__sqlite_integer(&query, 0), conv__sqlite_uuid(&query, 1),
                          conv__sqlite_integer(&query, 2), conv__sqlite_integer(&query, 3)};
    return conv__sqlite_finish(&query, error);
}

/* Gives the messages of the next exchange their numbers; a long session is taken in pieces. */
static conv_status take_next(conv__sqlite *connection, const waiting *next, conv_error *error)
{
    bool whole = next->count <= MESSAGES;
    conv__sqlite_query query;
    prepare(&query, connection, INSERT_SEARCH, ACTION_INDEX);
    conv__sqlite_bind_uuid(&query, next->session_id);
    conv__sqlite_bind_integer(&query, next->first);
    conv__sqlite_bind_integer(&query, next->first + (whole ? next->count : MESSAGES));
    conv_status status = conv__sqlite_execute(&query, NULL, error);
    if (status != CONV_OK) return status;
    prepare(&query, connection, whole ? DONE : SHORTEN, ACTION_INDEX);
    conv__sqlite_bind_integer(&query, next->queue_id);
    if (!whole) conv__sqlite_bind_integer(&query, MESSAGES);
    return conv__sqlite_execute(&query, NULL, error);
}

static conv_status index_some(conv__search_repository *search, conv__transaction *transaction,
                              bool *more, conv_error *error)
{
    (void)search;
    conv__sqlite *connection = conv__sqlite_of(transaction);
    int64_t last = 0;
    int64_t messages = 0;
    bool found = true;
    conv_status status = read_number(connection, SELECT_LAST, ACTION_INDEX, &last, error);
    for (int i = 0; status == CONV_OK && found && i < EXCHANGES && messages < MESSAGES; i++) {
        waiting next = {0};
        status = read_next(connection, &next, &found, error);
        if (status == CONV_OK && found) status = take_next(connection, &next, error);
        messages += next.count;
    }
    *more = found;
    if (status != CONV_OK) return status;
    conv__sqlite_query query;
    prepare(&query, connection, INSERT_WORDS, ACTION_INDEX);
    conv__sqlite_bind_integer(&query, last);
    return conv__sqlite_execute(&query, NULL, error);
}

/* "foo bar" AND "baz" * - the terms hold nothing but letters, digits and blanks. */
static void append_terms(conv__buffer *text, const conv__search_query *query)
{
    for (size_t i = 0; i < query->term_count; i++) {
        if (i > 0) conv__buffer_append_text(text, " AND ");
        conv__buffer_append_text(text, "\"");
        conv__buffer_append_bytes(text, query->terms[i].words);
        conv__buffer_append_text(text, query->terms[i].prefix ? "\" *" : "\"");
    }
}

static void append_hit(conv__sqlite_query *query, conv__arena *arena, conv__search_list *list,
                       size_t *capacity)
{
    void *rows = list->rows;
    conv__search_row *row = conv__sqlite_grow(arena, &rows, list->count, capacity, sizeof *row);
    if (row == NULL) {
        conv__sqlite_no_memory(query);
        return;
    }
    list->rows = rows;
    conv__session_row session = {.session_id = conv__sqlite_uuid(query, 0),
                                 .external_id = conv__sqlite_copy(query, 1, arena),
                                 .title = conv__sqlite_copy(query, 2, arena),
                                 .originals = conv__sqlite_copy(query, 3, arena)};
    conv_session restored = {.title = {NULL, 0}};
    conv_status status = conv__session_from_row(arena, &session, &restored, NULL);
    if (status == CONV_NO_MEMORY)
        conv__sqlite_no_memory(query);
    else if (status != CONV_OK)
        conv__sqlite_damaged(query);
    row->hit.session_id = session.session_id;
    row->hit.external_id = restored.external_id;
    row->hit.title = restored.title;
    row->hit.message_id = conv__sqlite_uuid(query, 4);
    row->hit.position = conv__sqlite_integer(query, 5);
    row->hit.role = conv_role_parse(conv__sqlite_bytes(query, 6));
    row->hit.created_us = conv__sqlite_time(query, 7);
    row->text = conv__sqlite_copy(query, 8, arena);
    list->count++;
}

static void bind_find(conv__sqlite_query *query, const conv__search_query *question,
                      conv_bytes terms)
{
    conv__sqlite_bind_text(query, terms);
    conv__sqlite_bind_uuid(query, question->session_id);
    conv__sqlite_bind_uuid(query, question->user_id);
    conv__sqlite_bind_integer(query, (int64_t)question->archived);
    if (question->after_us == 0)
        conv__sqlite_bind_text(query, conv_text(NULL));
    else
        conv__sqlite_bind_time(query, question->after_us);
    conv__sqlite_bind_uuid_or_nil(query, question->after_id);
    conv__sqlite_bind_integer(query, question->after_position);
    conv__sqlite_bind_integer(query, (int64_t)question->limit + 1);
}

static conv_status find(conv__search_repository *search, conv__transaction *transaction,
                        const conv__search_query *question, conv__arena *arena,
                        conv__search_list *list, conv_error *error)
{
    (void)search;
    conv__sqlite *connection = conv__sqlite_of(transaction);
    conv__buffer terms = {0};
    size_t capacity = 0;
    int64_t waits = 0;
    *list = (conv__search_list){0};
    append_terms(&terms, question);
    if (terms.failed) {
        conv__buffer_free(&terms);
        return conv__fail_memory(error, ACTION_FIND);
    }
    conv__sqlite_query query;
    prepare(&query, connection, FIND, ACTION_FIND);
    bind_find(&query, question, conv__buffer_bytes(&terms));
    while (conv__sqlite_step(&query)) {
        if (list->count == question->limit)
            list->has_more = true;
        else
            append_hit(&query, arena, list, &capacity);
    }
    conv_status status = conv__sqlite_finish(&query, error);
    conv__buffer_free(&terms);
    if (status == CONV_OK) status = read_number(connection, WAITS, ACTION_FIND, &waits, error);
    list->complete = waits == 0;
    return status;
}

/* FTS5 takes words out by noting so in a new part of the index. Those of an older part go when the
 * two become one; a merge that had nothing to do changes fewer than two rows (FTS5, "merge"). */
static conv_status purge(conv__search_repository *search, conv__transaction *transaction,
                         bool *more, conv_error *error)
{
    (void)search;
    conv__sqlite *connection = conv__sqlite_of(transaction);
    int64_t before = 0;
    int64_t after = 0;
    conv__sqlite_query query;
    conv_status status = read_number(connection, CHANGES, ACTION_PURGE, &before, error);
    if (status != CONV_OK) return status;
    prepare(&query, connection, MERGE, ACTION_PURGE);
    status = conv__sqlite_execute(&query, NULL, error);
    if (status == CONV_OK) status = read_number(connection, CHANGES, ACTION_PURGE, &after, error);
    *more = after - before >= 2;
    return status;
}

const conv__search_repository_functions conv__sqlite_search_functions = {
    .index = index_some,
    .find = find,
    .purge = purge,
};
