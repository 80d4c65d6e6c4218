/* Documents: registered once, found by id, session, user or content, changed by what is done with
 * them. */
#include "repositories/postgres/documents.h"

#include "core/error.h"
#include "repositories/postgres/columns.h"
#include "repositories/postgres/transaction.h"
#include "repositories/usage.h"

#define ACTION_REGISTER "register document"
#define ACTION_READ     "read document"
#define ACTION_LIST     "list documents"
#define ACTION_NOTE     "track document"
#define ACTION_DELETE   "delete document"

/* In the order of read_document. */
#define SELECT_DOCUMENTS                                                                           \
    "SELECT d.document_id, d.session_id, d.external_id, d.external_session_id, d.user_id, d.name," \
    " d.media_type, d.size_bytes, d.sha256, d.content_hash, d.metadata, d.last_operation,"         \
    " d.last_status, d.originals, d.created_at, d.updated_at, u.external_id, u.originals"          \
    " FROM chat_documents d LEFT JOIN chat_users u ON u.user_id = d.user_id"

#define OF_KEY                                                                                     \
    " document_id = $1::uuid AND session_id = coalesce($2::uuid, " CONV__POSTGRES_NIL "::uuid)"

enum { INSERT_USER, INSERT, READ, LIST, NOTE, REMOVE, REMOVE_SESSION, STATEMENTS };

const conv__statement conv__postgres_document_statements[] = {
    [INSERT_USER] = {"conv_document_user", ACTION_REGISTER, 3, false, CONV__POSTGRES_INSERT_USERS},
    [INSERT] = {"conv_document_insert", ACTION_REGISTER, 15, false,
                "INSERT INTO chat_documents (document_id, session_id, external_id,"
                " external_session_id, user_id, name, media_type, size_bytes, sha256, content_hash,"
                " metadata, last_operation, last_status, originals, created_at, updated_at)"
                " VALUES ($1::uuid, coalesce($2::uuid, " CONV__POSTGRES_NIL "), $3::text, $4::text,"
                " $5::uuid, $6::text, $7::text, $8::int8, $9::bytea, $10::bytea, $11::jsonb,"
                " $12::text, $13::text, $14::bytea, $15::timestamptz, $15::timestamptz)"
                " ON CONFLICT DO NOTHING RETURNING 1"},
    [READ] = {"conv_document_read", ACTION_READ, 2, false,
              SELECT_DOCUMENTS " WHERE d.document_id = $1::uuid"
                               " AND d.session_id = coalesce($2::uuid, " CONV__POSTGRES_NIL ")"},
    [LIST] = {"conv_document_list", ACTION_LIST, 7, true,
              SELECT_DOCUMENTS " WHERE ($1::uuid IS NULL OR d.session_id = $1::uuid)"
                               " AND ($2::uuid IS NULL OR d.user_id = $2::uuid)"
                               " AND ($3::bytea IS NULL OR d.sha256 = $3::bytea)"
                               " AND ($4::timestamptz IS NULL OR"
                               "  (d.created_at, d.document_id, d.session_id)"
                               "   < ($4::timestamptz, $5::uuid, $6::uuid))"
                               " ORDER BY d.created_at DESC, d.document_id DESC, d.session_id DESC"
                               " LIMIT $7::int8"},
    /* An operation that ended earlier may arrive later. The record was queued before, and whether
     * it was new is not known here yet: a row that this transaction inserted has its id. Of a
     * repeat there is no time, and NULL changes nothing. */
    [NOTE] =
        {"conv_document_note", ACTION_NOTE, 6, false,
         "UPDATE chat_documents SET"
         " last_operation = CASE WHEN ended >= updated_at THEN $3::text"
         "  ELSE last_operation END,"
         " last_status = CASE WHEN ended >= updated_at THEN $4::text ELSE last_status END,"
         " updated_at = greatest(updated_at, ended)"
         " FROM (SELECT CASE WHEN EXISTS (SELECT FROM usage_logs l WHERE l.log_id = $6::uuid"
         "  AND l.session_id = coalesce($2::uuid, " CONV__POSTGRES_NIL "::uuid)"
         "  AND l.xmin = pg_current_xact_id()::xid) THEN $5::timestamptz END AS ended) AS record"
         " WHERE" OF_KEY " RETURNING 1"},
    [REMOVE] = {"conv_document_remove", ACTION_DELETE, 2, false,
                "WITH gone AS (DELETE FROM chat_documents WHERE" OF_KEY " RETURNING user_id)"
                " SELECT user_id, (SELECT count(*) FROM usage_logs WHERE" OF_KEY ") FROM gone"},
    [REMOVE_SESSION] = {"conv_document_remove_session", ACTION_DELETE, 1, false,
                        "DELETE FROM chat_documents WHERE session_id = $1::uuid"
                        " AND session_id <> " CONV__POSTGRES_NIL
                        " RETURNING document_id, session_id, user_id"},
    [STATEMENTS] = {NULL, NULL, 0, false, NULL},
};

static conv_status queue(conv__transaction *transaction, int which, conv__parameters *parameters,
                         conv__receiver receive, void *context, conv_error *error)
{
    return conv__postgres_queue(transaction, &conv__postgres_document_statements[which], parameters,
                                receive, context, error);
}

static conv_status receive_found(void *context, const conv__result *result, conv_error *error)
{
    bool *found = context;
    (void)error;
    *found = conv__result_rows(result) > 0;
    return CONV_OK;
}

static conv_status queue_user(conv__transaction *transaction, const conv__name_row *user,
                              conv_error *error)
{
    if (!conv__postgres_has_spelling(user)) return CONV_OK;
    const void *const users[] = {user};
    conv__parameters parameters = {.count = 0};
    conv__postgres_add_users(&parameters, users, 1);
    return queue(transaction, INSERT_USER, &parameters, NULL, NULL, error);
}

static conv_status insert(conv__document_repository *documents, conv__transaction *transaction,
                          const conv__document_row *row, bool *inserted, conv_error *error)
{
    (void)documents;
    conv__parameters parameters = {.count = 0};
    *inserted = false;
    conv_status status = queue_user(transaction, &row->user, error);
    if (status != CONV_OK) return status;
    conv__parameter_uuid(&parameters, row->document_id);
    conv__parameter_uuid(&parameters, row->session_id);
    conv__parameter_bytes(&parameters, row->external_id);
    conv__parameter_bytes(&parameters, row->external_session_id);
    conv__parameter_uuid(&parameters, row->user.id);
    conv__parameter_bytes(&parameters, row->name);
    conv__parameter_bytes(&parameters, row->media_type);
    conv__parameter_int8(&parameters, row->size_bytes);
    conv__parameter_bytes(&parameters, row->sha256);
    conv__parameter_bytes(&parameters,
                          conv_view((const char *)row->content_hash, sizeof row->content_hash));
    conv__parameter_json(&parameters, row->metadata);
    conv__parameter_bytes(&parameters, row->last_operation);
    conv__parameter_bytes(&parameters, conv_text(conv_outcome_name(row->last_status)));
    conv__parameter_bytes(&parameters, row->originals);
    conv__parameter_time(&parameters, row->created_us);
    status = queue(transaction, INSERT, &parameters, receive_found, inserted, error);
    if (status != CONV_OK) return status;
    return conv__postgres_ask(transaction, error);
}

typedef struct page {
    conv__arena *arena;
    conv__document_list *list;
    size_t limit;
} page;

static conv_status read_document(conv__reader *reader, conv__stored_document *stored)
{
    conv__document_row row = {.document_id = conv__next_uuid(reader)};
    row.session_id = conv__next_uuid(reader);
    row.external_id = conv__next_bytes(reader);
    row.external_session_id = conv__next_bytes(reader);
    row.user.id = conv__next_uuid(reader);
    row.name = conv__next_bytes(reader);
    row.media_type = conv__next_bytes(reader);
    row.size_bytes = conv__next_int8(reader);
    row.sha256 = conv__next_bytes(reader);
    conv__postgres_next_hash(reader, stored->content_hash);
    row.metadata = conv__next_json(reader);
    row.last_operation = conv__next_bytes(reader);
    row.last_status = conv__postgres_next_outcome(reader);
    row.originals = conv__next_bytes(reader);
    row.created_us = conv__next_time(reader);
    row.updated_us = conv__next_time(reader);
    row.user.external_id = conv__next_bytes(reader);
    row.user.originals = conv__next_bytes(reader);
    if (reader->status != CONV_OK) return reader->status;
    return conv__document_from_row(reader->arena, &row, &stored->document, NULL);
}

/* One row more than the page was asked for, to see whether there is more. */
static conv_status receive_page(void *context, const conv__result *result, conv_error *error)
{
    page *self = context;
    (void)error;
    size_t count = conv__result_rows(result);
    *self->list = (conv__document_list){.has_more = count > self->limit};
    if (count > self->limit) count = self->limit;
    self->list->rows = conv__arena_allocate(self->arena, count * sizeof *self->list->rows);
    if (self->list->rows == NULL) return CONV_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        conv__reader reader = conv__reader_at(result, i, self->arena);
        conv_status status = read_document(&reader, &self->list->rows[i]);
        if (status != CONV_OK) return status;
        self->list->count++;
    }
    return CONV_OK;
}

static void add_key(conv__parameters *parameters, const conv__document_key *key)
{
    conv__parameter_uuid(parameters, key->document_id);
    conv__parameter_uuid(parameters, key->session_id);
}

static conv_status read_one(conv__document_repository *documents, conv__transaction *transaction,
                            const conv__document_key *key, conv__arena *arena,
                            conv__document_list *list, conv_error *error)
{
    (void)documents;
    page self = {arena, list, 1};
    conv__parameters parameters = {.count = 0};
    *list = (conv__document_list){.count = 0};
    add_key(&parameters, key);
    conv_status status = queue(transaction, READ, &parameters, receive_page, &self, error);
    if (status == CONV_OK) status = conv__postgres_ask(transaction, error);
    if (status == CONV_OK && list->count == 0)
        return conv__fail(error, CONV_NOT_FOUND, ACTION_READ,
                          "there is no document with this id in this session");
    return status;
}

static void add_uuid_or_nil(conv__parameters *parameters, const conv_uuid *id)
{
    conv__parameter_bytes(parameters, conv_view((const char *)id->bytes, sizeof id->bytes));
}

static conv_status list_documents(conv__document_repository *documents,
                                  conv__transaction *transaction, const conv__document_query *query,
                                  conv__arena *arena, conv__document_list *list, conv_error *error)
{
    (void)documents;
    page self = {arena, list, query->limit};
    conv__parameters parameters = {.count = 0};
    *list = (conv__document_list){.count = 0};
    conv__parameter_uuid(&parameters, query->session_id);
    conv__parameter_uuid(&parameters, query->user_id);
    conv__parameter_bytes(&parameters, query->sha256);
    if (query->after_us == 0 && conv_uuid_is_nil(query->after_id))
        conv__parameter_null(&parameters);
    else
        conv__parameter_time(&parameters, query->after_us);
    add_uuid_or_nil(&parameters, &query->after_id);
    add_uuid_or_nil(&parameters, &query->after_session_id);
    conv__parameter_int8(&parameters, (int64_t)query->limit + 1);
    conv_status status = queue(transaction, LIST, &parameters, receive_page, &self, error);
    if (status != CONV_OK) return status;
    return conv__postgres_ask(transaction, error);
}

static conv_status note(conv__document_repository *documents, conv__transaction *transaction,
                        const conv__document_note *made, bool *saved, bool *found,
                        conv_error *error)
{
    (void)documents;
    conv__usage_repository *usage = transaction->store->usage;
    const conv__usage_row *record = made->record;
    conv__parameters parameters = {.count = 0};
    *found = false;
    conv_status status = usage->functions->save(usage, transaction, &record, 1, saved, error);
    if (status != CONV_OK) return status;
    add_key(&parameters, &(conv__document_key){record->document_id, record->session_id});
    conv__parameter_bytes(&parameters, record->usage.operation);
    conv__parameter_bytes(&parameters, conv_text(conv_outcome_name(record->usage.status)));
    conv__parameter_time(&parameters, made->ended_us);
    conv__parameter_uuid(&parameters, record->usage.log_id);
    return queue(transaction, NOTE, &parameters, receive_found, found, error);
}

static conv_status receive_removed(void *context, const conv__result *result, conv_error *error)
{
    conv__removed_document *removed = context;
    (void)error;
    *removed = (conv__removed_document){.found = conv__result_rows(result) > 0};
    if (!removed->found) return CONV_OK;
    conv__reader reader = conv__reader_at(result, 0, NULL);
    removed->user_id = conv__next_uuid(&reader);
    removed->usage_records = conv__next_int8(&reader);
    return reader.status;
}

static conv_status remove_document(conv__document_repository *documents,
                                   conv__transaction *transaction, const conv__document_key *key,
                                   conv__removed_document *removed, conv_error *error)
{
    (void)documents;
    conv__parameters parameters = {.count = 0};
    *removed = (conv__removed_document){.found = false};
    add_key(&parameters, key);
    conv_status status = queue(transaction, REMOVE, &parameters, receive_removed, removed, error);
    if (status != CONV_OK) return status;
    return conv__postgres_ask(transaction, error);
}

conv_status conv__postgres_receive_gone(void *context, const conv__result *result,
                                        conv_error *error)
{
    conv__gone_documents *gone = context;
    (void)error;
    size_t count = conv__result_rows(result);
    gone->count = 0;
    gone->rows = conv__arena_allocate(gone->arena, count * sizeof *gone->rows);
    if (gone->rows == NULL) return CONV_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        conv__reader reader = conv__reader_at(result, i, NULL);
        conv__gone_document *row = &gone->rows[i];
        row->key.document_id = conv__next_uuid(&reader);
        row->key.session_id = conv__next_uuid(&reader);
        row->user_id = conv__next_uuid(&reader);
        if (reader.status != CONV_OK) return reader.status;
    }
    gone->count = count;
    return CONV_OK;
}

static conv_status remove_session(conv__document_repository *documents,
                                  conv__transaction *transaction, conv_uuid session_id,
                                  conv__gone_documents *gone, conv_error *error)
{
    (void)documents;
    conv__parameters parameters = {.count = 0};
    gone->count = 0;
    conv__parameter_uuid(&parameters, session_id);
    return queue(transaction, REMOVE_SESSION, &parameters, conv__postgres_receive_gone, gone,
                 error);
}

const conv__document_repository_functions conv__postgres_document_functions = {
    .insert = insert,
    .read = read_one,
    .list = list_documents,
    .note = note,
    .remove = remove_document,
    .remove_session = remove_session,
};
