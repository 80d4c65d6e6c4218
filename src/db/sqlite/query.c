/* Prepared statements: kept by the connection, bound, stepped, reset. Knows no table. */
#include "db/sqlite/query.h"

#include <string.h>

#include "conversation/usage.h"
#include "core/error.h"
#include "core/time.h"
#include "db/sqlite/connection_internal.h"
#include "db/sqlite/zone_date.h"

static sqlite3_stmt **find_slot(conv__sqlite *connection, const conv__sqlite_statement *statement)
{
    uint64_t hash = ((uintptr_t)statement >> 3) * UINT64_C(0x9E3779B97F4A7C15);
    unsigned index = (unsigned)(hash >> 32) % CONV__SQLITE_SLOTS;
    for (int tries = 0; tries < CONV__SQLITE_SLOTS; tries++) {
        if (connection->slots[index].statement == NULL)
            connection->slots[index].statement = statement;
        if (connection->slots[index].statement == statement)
            return &connection->slots[index].prepared;
        index = (index + 1) % CONV__SQLITE_SLOTS;
    }
    return NULL;
}

void conv__sqlite_forget_statements(conv__sqlite *connection)
{
    for (int i = 0; i < CONV__SQLITE_SLOTS; i++) {
        sqlite3_finalize(connection->slots[i].prepared);
        connection->slots[i].prepared = NULL;
    }
}

void conv__sqlite_prepare(conv__sqlite_query *query, conv__sqlite *connection,
                          const conv__sqlite_statement *statement, const char *action)
{
    query->prepared = NULL;
    query->connection = connection;
    query->action = action;
    query->parameter = 0;
    query->text = 0;
    query->code = SQLITE_OK;
    query->damaged = false;
    query->no_memory = false;
    if (connection->failure.status != CONV_OK) {
        query->code = SQLITE_ABORT;
        return;
    }
    sqlite3_stmt **kept = find_slot(connection, statement);
    if (kept == NULL) {
        query->code = SQLITE_INTERNAL;
        return;
    }
    if (*kept == NULL)
        query->code = sqlite3_prepare_v3(connection->database, statement->sql, -1,
                                         SQLITE_PREPARE_PERSISTENT, kept, NULL);
    query->prepared = *kept;
}

static void bound(conv__sqlite_query *query, int code)
{
    if (query->code == SQLITE_OK) query->code = code;
}

static bool next_parameter(conv__sqlite_query *query)
{
    query->parameter++;
    return query->code == SQLITE_OK;
}

void conv__sqlite_bind_text(conv__sqlite_query *query, conv_bytes text)
{
    if (!next_parameter(query)) return;
    bound(query, sqlite3_bind_text64(query->prepared, query->parameter, text.data, text.size,
                                     SQLITE_STATIC, SQLITE_UTF8));
}

void conv__sqlite_bind_blob(conv__sqlite_query *query, conv_bytes blob)
{
    if (!next_parameter(query)) return;
    bound(query, sqlite3_bind_blob64(query->prepared, query->parameter, blob.data, blob.size,
                                     SQLITE_STATIC));
}

void conv__sqlite_bind_integer(conv__sqlite_query *query, int64_t integer)
{
    if (!next_parameter(query)) return;
    bound(query, sqlite3_bind_int64(query->prepared, query->parameter, integer));
}

void conv__sqlite_bind_count(conv__sqlite_query *query, int64_t count)
{
    if (count == CONV_UNKNOWN)
        conv__sqlite_bind_text(query, conv_text(NULL));
    else
        conv__sqlite_bind_integer(query, count);
}

/* Room for a short text that must live as long as the query. */
static char *take_text(conv__sqlite_query *query)
{
    if (query->text < CONV__SQLITE_TEXTS) return query->texts[query->text++];
    bound(query, SQLITE_INTERNAL);
    return NULL;
}

void conv__sqlite_bind_uuid_or_nil(conv__sqlite_query *query, conv_uuid uuid)
{
    char *text = take_text(query);
    if (text == NULL) return;
    conv_uuid_format(uuid, text);
    conv__sqlite_bind_text(query, conv_view(text, CONV_UUID_TEXT_SIZE - 1));
}

void conv__sqlite_bind_uuid(conv__sqlite_query *query, conv_uuid uuid)
{
    if (conv_uuid_is_nil(uuid))
        conv__sqlite_bind_text(query, conv_text(NULL));
    else
        conv__sqlite_bind_uuid_or_nil(query, uuid);
}

void conv__sqlite_bind_time(conv__sqlite_query *query, int64_t time_us)
{
    char *text = take_text(query);
    if (text == NULL) return;
    conv__time_format(time_us, text);
    conv__sqlite_bind_text(query, conv_view(text, CONV__TIME_TEXT_SIZE - 1));
}

void conv__sqlite_bind_decimal(conv__sqlite_query *query, const conv_decimal *decimal)
{
    if (decimal == NULL) {
        conv__sqlite_bind_text(query, conv_text(NULL));
        return;
    }
    char *text = take_text(query);
    if (text == NULL) return;
    conv_decimal_format(*decimal, text);
    conv__sqlite_bind_text(query, conv_text(text));
}

void conv__sqlite_bind_zone(conv__sqlite_query *query, const conv__zone *zone)
{
    if (!next_parameter(query)) return;
    /* SQLite hands it to zone_date alone, which changes nothing of it. */
    bound(query, sqlite3_bind_pointer(query->prepared, query->parameter, (void *)zone,
                                      CONV__ZONE_POINTER, NULL));
}

bool conv__sqlite_step(conv__sqlite_query *query)
{
    if (query->code != SQLITE_OK || query->damaged || query->no_memory) return false;
    int code = sqlite3_step(query->prepared);
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) query->code = code;
    return false;
}

conv_bytes conv__sqlite_bytes(conv__sqlite_query *query, int column)
{
    int type = sqlite3_column_type(query->prepared, column);
    if (type == SQLITE_NULL) return conv_text(NULL);
    const char *data = type == SQLITE_BLOB
                           ? sqlite3_column_blob(query->prepared, column)
                           : (const char *)sqlite3_column_text(query->prepared, column);
    size_t size = (size_t)sqlite3_column_bytes(query->prepared, column);
    if (data == NULL && size > 0) query->no_memory = true;
    /* An empty blob has no address, but is not absent. */
    return conv_view(data == NULL ? "" : data, data == NULL ? 0 : size);
}

int64_t conv__sqlite_integer(conv__sqlite_query *query, int column)
{
    return sqlite3_column_int64(query->prepared, column);
}

int64_t conv__sqlite_count(conv__sqlite_query *query, int column)
{
    if (sqlite3_column_type(query->prepared, column) == SQLITE_NULL) return CONV_UNKNOWN;
    return sqlite3_column_int64(query->prepared, column);
}

conv_uuid conv__sqlite_uuid(conv__sqlite_query *query, int column)
{
    conv_uuid uuid = {{0}};
    conv_bytes text = conv__sqlite_bytes(query, column);
    if (text.data != NULL && !conv_uuid_parse(text, &uuid)) query->damaged = true;
    return uuid;
}

int64_t conv__sqlite_time(conv__sqlite_query *query, int column)
{
    int64_t time_us = 0;
    if (!conv__time_parse(conv__sqlite_bytes(query, column), &time_us)) query->damaged = true;
    return time_us;
}

bool conv__sqlite_decimal(conv__sqlite_query *query, int column, conv_decimal *decimal)
{
    conv_bytes text = conv__sqlite_bytes(query, column);
    if (text.data == NULL) return false;
    if (conv_decimal_parse(text, decimal) == CONV_OK) return true;
    query->damaged = true;
    return false;
}

void conv__sqlite_damaged(conv__sqlite_query *query)
{
    query->damaged = true;
}

void conv__sqlite_no_memory(conv__sqlite_query *query)
{
    query->no_memory = true;
}

/* sum() of integers has no result code of its own for the passing of 64 bits. */
static bool is_overflow(const conv__sqlite_query *query)
{
    return query->code == SQLITE_ERROR &&
           strcmp(sqlite3_errmsg(query->connection->database), "integer overflow") == 0;
}

static conv_status report(const conv__sqlite_query *query, conv_error *error)
{
    if (query->no_memory) return conv__fail_memory(error, query->action);
    if (query->damaged) {
        conv__fail(error, CONV_BAD_DATA, query->action, "a stored row is damaged");
        if (error != NULL) error->recovery = CONV_RECOVERY_OPERATOR;
        return CONV_BAD_DATA;
    }
    if (query->code == SQLITE_OK) return CONV_OK;
    if (is_overflow(query))
        return conv__fail(error, CONV_LIMIT, query->action, "a sum is larger than 2^63-1");
    /* Nothing could be prepared: the tables are not those that the statement was written for. */
    if (query->code == SQLITE_ERROR && query->prepared == NULL)
        return conv__fail(error, CONV_STATE, query->action,
                          "the schema does not fit this library (%s): run `conversation migrate`; "
                          "if that says up to date, restore what is missing",
                          sqlite3_errmsg(query->connection->database));
    return conv__sqlite_fail(query->connection->database, query->code, query->action, error);
}

conv_status conv__sqlite_finish(conv__sqlite_query *query, conv_error *error)
{
    /* SQLite undoes one statement or the whole transaction, depending on the failure; what follows
     * must not be committed on its own in either case. */
    conv_error *failure = &query->connection->failure;
    if (failure->status == CONV_OK) (void)report(query, failure);
    if (failure->status != CONV_OK && error != NULL) *error = *failure;
    conv_status status = failure->status;
    if (query->prepared != NULL) {
        sqlite3_reset(query->prepared);
        sqlite3_clear_bindings(query->prepared);
    }
    return status;
}

conv_status conv__sqlite_execute(conv__sqlite_query *query, int64_t *changes, conv_error *error)
{
    while (conv__sqlite_step(query))
        continue;
    if (changes != NULL)
        *changes = query->code == SQLITE_OK ? sqlite3_changes64(query->connection->database) : 0;
    return conv__sqlite_finish(query, error);
}
