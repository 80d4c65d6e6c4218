/* The words of messages: indexing what waits, and finding. */
#include "core/error.h"
#include "core/separators.h"
#include "repositories/postgres/columns.h"
#include "repositories/postgres/sessions.h"
#include "repositories/postgres/transaction.h"

#define ACTION_INDEX "index messages"
#define ACTION_FIND  "search messages"

enum { BATCHES = 8 };     /* of the queue, at once */
#define WORD_BYTES "2046" /* of a lexeme, at most */

/* 65,536 characters can't pass the 1 MiB that a tsvector may have: no message is too long to be
 * saved or indexed. */
#define INDEXED_TEXT                                                                               \
    "left(coalesce(m.content, (SELECT string_agg(p ->> 'text', ' ')"                               \
    " FROM jsonb_array_elements(m.parts) AS p WHERE jsonb_typeof(p -> 'text') = 'string'), ''),"   \
    " 65536)"

/* What a letter is would depend on the locale of the database if PostgreSQL's parser decided it, so
 * a tsvector is written out, word by word, as core/letters.h divides them. The type itself keeps
 * the first 256 places of a word, and places up to 16,383. */
#define AS_RANGE(first, last) "\\U" #first "-\\U" #last
#define SEPARATORS            "[\\u0001-/:-@\\[-`{-\\u007F" CONV__SEPARATORS(AS_RANGE) "]+"
#define INDEXED_WORDS                                                                              \
    "coalesce((SELECT string_agg(w || ':' || n, ' ')"                                              \
    " FROM string_to_table(regexp_replace(lower(" INDEXED_TEXT "), '" SEPARATORS "', ' ', 'g'),"   \
    "  ' ') WITH ORDINALITY AS words (w, n)"                                                       \
    " WHERE octet_length(w) BETWEEN 1 AND " WORD_BYTES "), '')::tsvector"

/* A word that is too long for an index is in no message; a tsquery refuses it. */
#define WANTED_WORDS                                                                               \
    "(CASE WHEN (SELECT max(octet_length(w)) FROM string_to_table(lower($1::text), '''') AS w)"    \
    " <= " WORD_BYTES " THEN lower($1::text) ELSE '''a'' & !''a''' END)::tsquery"

enum { INDEX, FIND, WAITS, STATEMENTS };

const conv__statement conv__postgres_search_statements[] = {
    /* The sessions' rows are held against a deletion, which would not see words that are being
     * indexed; a saving does not wait for that. A long session goes back into the queue with its
     * rest. */
    [INDEX] = {"conv_search_index", ACTION_INDEX, 1, false,
               "WITH taken AS ("
               " DELETE FROM chat_search_queue WHERE queue_id IN ("
               "  SELECT queue_id FROM chat_search_queue ORDER BY queue_id LIMIT $1::int8"
               "  FOR UPDATE) RETURNING session_ids, first_positions, message_counts"
               "), wanted AS MATERIALIZED ("
               " SELECT w.* FROM taken t, unnest(t.session_ids, t.first_positions,"
               "  t.message_counts) AS w (session_id, first, count)"
               "), session AS MATERIALIZED ("
               " SELECT session_id FROM chat_sessions"
               " WHERE session_id IN (SELECT session_id FROM wanted)"
               " ORDER BY session_id FOR KEY SHARE"
               "), rest AS ("
               " INSERT INTO chat_search_queue (session_ids, first_positions, message_counts)"
               " SELECT array_agg(session_id), array_agg(first + 500), array_agg(count - 500)"
               " FROM wanted WHERE count > 500 HAVING count(*) > 0"
               "), indexed AS ("
               " INSERT INTO chat_search (session_id, position, created_at, words)"
               " SELECT m.session_id, m.position, m.created_at,"
               "  " INDEXED_WORDS
               " FROM wanted w JOIN session USING (session_id) JOIN chat_messages m"
               "  ON m.session_id = w.session_id AND m.position >= w.first"
               "  AND m.position < w.first + least(w.count, 500)"
               " ON CONFLICT DO NOTHING"
               ") SELECT count(*) FROM taken"},
    [FIND] = {"conv_search_find", ACTION_FIND, 8, true,
              "SELECT s.session_id, s.external_id, s.title, s.originals, m.message_id, m.position,"
              " m.role, m.created_at, " INDEXED_TEXT
              " FROM (SELECT x.session_id, x.position, x.created_at FROM chat_search x"
              "  JOIN chat_sessions c USING (session_id)"
              "  WHERE x.words @@ " WANTED_WORDS
              "   AND ($2::uuid IS NULL OR x.session_id = $2::uuid)"
              "   AND ($3::uuid IS NULL OR c.user_id = $3::uuid)"
              "   AND ($4::int8 = 2 OR (c.archived_at IS NOT NULL) = ($4::int8 = 1))"
              "   AND ($5::timestamptz IS NULL OR (x.created_at, x.session_id, x.position)"
              "    < ($5::timestamptz, $6::uuid, $7::int8))"
              "  ORDER BY x.created_at DESC, x.session_id DESC, x.position DESC LIMIT $8::int8) f"
              " JOIN chat_sessions s ON s.session_id = f.session_id"
              " JOIN chat_messages m ON m.session_id = f.session_id AND m.position = f.position"
              " ORDER BY f.created_at DESC, f.session_id DESC, f.position DESC"},
    [WAITS] = {"conv_search_waits", ACTION_FIND, 0, false,
               "SELECT EXISTS (SELECT FROM chat_search_queue)"},
    [STATEMENTS] = {NULL, NULL, 0, false, NULL},
};

static conv_status receive_taken(void *context, const conv__result *result, conv_error *error)
{
    (void)error;
    if (conv__result_rows(result) != 1) return CONV_BAD_DATA;
    conv__reader reader = conv__reader_at(result, 0, NULL);
    *(bool *)context = conv__next_int8(&reader) > 0;
    return reader.status;
}

static conv_status index_some(conv__search_repository *search, conv__transaction *transaction,
                              bool *more, conv_error *error)
{
    (void)search;
    conv__parameters parameters = {.count = 0};
    *more = false;
    conv__parameter_int8(&parameters, BATCHES);
    return conv__postgres_queue(transaction, &conv__postgres_search_statements[INDEX], &parameters,
                                receive_taken, more, error);
}

/* 'foo' <-> 'bar':* - one word after the other. */
static void append_term(conv__buffer *text, const conv__search_term *term)
{
    conv__buffer_append_text(text, "'");
    for (size_t i = 0; i < term->words.size; i++) {
        if (term->words.data[i] == ' ')
            conv__buffer_append_text(text, "' <-> '");
        else
            conv__buffer_append_bytes(text, conv_view(term->words.data + i, 1));
    }
    conv__buffer_append_text(text, term->prefix ? "':*" : "'");
}

/* The terms hold nothing but letters, digits and blanks. */
static void append_terms(conv__buffer *text, const conv__search_query *query)
{
    for (size_t i = 0; i < query->term_count; i++) {
        if (i > 0) conv__buffer_append_text(text, " & ");
        append_term(text, &query->terms[i]);
    }
}

typedef struct finding {
    conv__arena *arena;
    conv__search_list *list;
    size_t limit;
} finding;

static conv_status read_hit(conv__reader *reader, conv__search_row *row)
{
    conv__session_row session = {.session_id = conv__next_uuid(reader)};
    conv_session restored = {.title = {NULL, 0}};
    session.external_id = conv__next_bytes(reader);
    session.title = conv__next_bytes(reader);
    session.originals = conv__next_bytes(reader);
    row->hit.message_id = conv__next_uuid(reader);
    row->hit.position = conv__next_int8(reader);
    row->hit.role = conv_role_parse(conv__next_bytes(reader));
    row->hit.created_us = conv__next_time(reader);
    row->text = conv__next_bytes(reader);
    if (reader->status != CONV_OK) return reader->status;
    conv_status status = conv__session_from_row(reader->arena, &session, &restored, NULL);
    row->hit.session_id = session.session_id;
    row->hit.external_id = restored.external_id;
    row->hit.title = restored.title;
    return status;
}

static conv_status receive_hits(void *context, const conv__result *result, conv_error *error)
{
    finding *self = context;
    (void)error;
    size_t count = conv__result_rows(result);
    bool more = count > self->limit;
    if (more) count = self->limit;
    *self->list = (conv__search_list){.has_more = more};
    self->list->rows = conv__arena_allocate(self->arena, (count + 1) * sizeof *self->list->rows);
    if (self->list->rows == NULL) return CONV_NO_MEMORY;
    for (; self->list->count < count; self->list->count++) {
        conv__reader reader = conv__reader_at(result, self->list->count, self->arena);
        conv_status status = read_hit(&reader, &self->list->rows[self->list->count]);
        if (status != CONV_OK) return status;
    }
    return CONV_OK;
}

static conv_status receive_waits(void *context, const conv__result *result, conv_error *error)
{
    finding *self = context;
    (void)error;
    if (conv__result_rows(result) != 1) return CONV_BAD_DATA;
    conv__reader reader = conv__reader_at(result, 0, NULL);
    self->list->complete = !conv__next_bool(&reader);
    return reader.status;
}

static conv_status find(conv__search_repository *search, conv__transaction *transaction,
                        const conv__search_query *query, conv__arena *arena,
                        conv__search_list *list, conv_error *error)
{
    (void)search;
    finding self = {arena, list, query->limit};
    conv__parameters parameters = {.count = 0};
    conv__buffer terms = {0};
    *list = (conv__search_list){.count = 0};
    append_terms(&terms, query);
    bool failed = terms.failed;
    conv__parameter_bytes(&parameters, conv__buffer_bytes(&terms));
    conv__buffer_free(&terms);
    if (failed) {
        conv__parameters_free(&parameters);
        return conv__fail_memory(error, ACTION_FIND);
    }
    conv__parameter_uuid(&parameters, query->session_id);
    conv__parameter_uuid(&parameters, query->user_id);
    conv__parameter_int8(&parameters, (int64_t)query->archived);
    if (query->after_us == 0)
        conv__parameter_null(&parameters);
    else
        conv__parameter_time(&parameters, query->after_us);
    conv__parameter_bytes(
        &parameters, conv_view((const char *)query->after_id.bytes, sizeof query->after_id.bytes));
    conv__parameter_int8(&parameters, query->after_position);
    conv__parameter_int8(&parameters, (int64_t)query->limit + 1);
    conv_status status = conv__postgres_queue(transaction, &conv__postgres_search_statements[FIND],
                                              &parameters, receive_hits, &self, error);
    /* In the same moment: what is not found can't have been indexed since. */
    if (status == CONV_OK)
        status = conv__postgres_queue(transaction, &conv__postgres_search_statements[WAITS],
                                      &parameters, receive_waits, &self, error);
    if (status != CONV_OK) return status;
    return conv__postgres_ask(transaction, error);
}

const conv__search_repository_functions conv__postgres_search_functions = {
    .index = index_some,
    .find = find,
};
