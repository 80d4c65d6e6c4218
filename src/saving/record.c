/* Writing and reading of records: kind, version, fields in a fixed order, checksum. Integers are
 * little-endian; a text is its length in eight bytes (all ones: absent) and its bytes. Records of
 * earlier forms are read, too: what was on disk before an update of the program. */
#include "saving/record.h"

#include <string.h>

#include "core/error.h"
#include "core/hash.h"

#define ACTION "read journal"

/* An exchange that follows the session's last message is written without what it goes on after, so
 * that earlier libraries read it, too. */
enum {
    VERSION = 2,
    VERSION_WITH_DOCUMENTS = 2,
    VERSION_WITH_PARENT = 3,
    CHECKSUM_SIZE = 8,
    KIND_EXCHANGE = 'E',
    KIND_USAGE = 'U'
};

/* Both directions walk over the same fields, so that they can't drift apart: `field` functions
 * write when `buffer` is set and read otherwise. */
typedef struct walker {
    conv__buffer *buffer;
    conv_bytes rest;
    int version;
    bool damaged;
} walker;

static void walk_raw(walker *self, void *data, size_t size)
{
    if (self->buffer != NULL) {
        conv__buffer_append(self->buffer, data, size);
        return;
    }
    if (self->rest.size < size) {
        self->damaged = true;
        self->rest.size = 0;
        return;
    }
    memcpy(data, self->rest.data, size);
    self->rest.data += size;
    self->rest.size -= size;
}

static void walk_integer(walker *self, int64_t *value)
{
    uint8_t bytes[8];
    uint64_t bits = (uint64_t)*value;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(bits >> (8 * i));
    walk_raw(self, bytes, sizeof bytes);
    if (self->buffer != NULL || self->damaged) return;
    bits = 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        bits |= (uint64_t)bytes[i] << (8 * i);
    *value = (int64_t)bits;
}

static void walk_bool(walker *self, bool *value)
{
    uint8_t byte = *value ? 1 : 0;
    walk_raw(self, &byte, 1);
    if (byte > 1) self->damaged = true;
    *value = byte == 1;
}

/* A number from 0 to `greatest`, kept in one byte. */
static int walk_choice(walker *self, int value, int greatest)
{
    uint8_t byte = (uint8_t)value;
    walk_raw(self, &byte, 1);
    if (byte > greatest) {
        self->damaged = true;
        return 0;
    }
    return byte;
}

static void walk_uuid(walker *self, conv_uuid *uuid)
{
    walk_raw(self, uuid->bytes, sizeof uuid->bytes);
}

static void walk_bytes(walker *self, conv_bytes *bytes)
{
    int64_t size = bytes->data == NULL ? -1 : (int64_t)bytes->size;
    walk_integer(self, &size);
    if (self->buffer != NULL) {
        conv__buffer_append_bytes(self->buffer, *bytes);
        return;
    }
    *bytes = conv_text(NULL);
    if (self->damaged || size == -1) return;
    if (size < 0 || (uint64_t)size > self->rest.size) {
        self->damaged = true;
        return;
    }
    *bytes = conv_view(self->rest.data, (size_t)size);
    self->rest.data += size;
    self->rest.size -= (size_t)size;
}

static void walk_decimal(walker *self, conv_decimal *decimal)
{
    int64_t low = (int64_t)decimal->low;
    int64_t high = (int64_t)decimal->high;
    walk_integer(self, &low);
    walk_integer(self, &high);
    decimal->low = (uint64_t)low;
    decimal->high = (uint64_t)high;
    decimal->scale = (uint8_t)walk_choice(self, decimal->scale, CONV_DECIMAL_DIGITS);
    walk_bool(self, &decimal->negative);
}

static void walk_name(walker *self, conv__name_row *name)
{
    walk_uuid(self, &name->id);
    walk_bytes(self, &name->external_id);
    walk_bytes(self, &name->originals);
}

static void walk_session(walker *self, conv__session_row *session)
{
    walk_uuid(self, &session->session_id);
    walk_name(self, &session->user);
    walk_bytes(self, &session->external_id);
    walk_bytes(self, &session->title);
    walk_bytes(self, &session->metadata);
    walk_bytes(self, &session->originals);
    walk_integer(self, &session->created_us);
}

static void walk_message(walker *self, conv__message_row *row)
{
    conv_message *message = &row->message;
    message->role = (conv_role)walk_choice(self, (int)message->role, CONV_ROLE_TOOL);
    walk_bytes(self, &message->content);
    walk_bytes(self, &message->parts);
    walk_bytes(self, &message->tool_calls);
    walk_bytes(self, &message->tool_call_id);
    walk_bytes(self, &message->name);
    walk_bytes(self, &message->model);
    walk_bytes(self, &message->metadata);
    walk_uuid(self, &message->message_id);
    message->status = (conv_outcome)walk_choice(self, (int)message->status, CONV_OUTCOME_FAILED);
    walk_integer(self, &message->created_us);
    walk_bytes(self, &row->originals);
}

/* One byte where there is none: most records are of turns. */
static void walk_document(walker *self, conv__usage_row *row)
{
    bool has_document = self->buffer != NULL && (row->usage.processed_bytes != CONV_UNKNOWN ||
                                                 !conv_uuid_is_nil(row->document_id));
    if (self->buffer == NULL) row->usage.processed_bytes = CONV_UNKNOWN;
    if (self->version >= VERSION_WITH_DOCUMENTS) walk_bool(self, &has_document);
    if (!has_document) return;
    walk_integer(self, &row->usage.processed_bytes);
    walk_uuid(self, &row->document_id);
}

static void walk_usage(walker *self, conv__usage_row *row)
{
    conv_usage *usage = &row->usage;
    walk_uuid(self, &usage->log_id);
    walk_integer(self, &usage->created_us);
    walk_uuid(self, &row->session_id);
    walk_name(self, &row->user);
    walk_bytes(self, &usage->user_email);
    walk_bytes(self, &usage->service);
    walk_bytes(self, &usage->operation);
    walk_bytes(self, &usage->model);
    walk_bytes(self, &usage->provider);
    walk_integer(self, &usage->input_tokens);
    walk_integer(self, &usage->output_tokens);
    walk_integer(self, &usage->total_tokens);
    walk_integer(self, &usage->cache_read_tokens);
    walk_integer(self, &usage->cache_write_tokens);
    walk_integer(self, &usage->reasoning_tokens);
    walk_integer(self, &usage->latency_ms);
    walk_bool(self, &usage->priced);
    walk_decimal(self, &usage->cost_usd);
    walk_bytes(self, &usage->price);
    usage->status = (conv_outcome)walk_choice(self, (int)usage->status, CONV_OUTCOME_FAILED);
    walk_bytes(self, &usage->error);
    walk_bytes(self, &usage->raw);
    walk_bytes(self, &usage->metadata);
    walk_bytes(self, &row->originals);
    walk_document(self, row);
}

/* The messages apart: reading has to make their array first. */
static void walk_exchange(walker *self, conv__exchange *exchange, int64_t *message_count)
{
    walk_session(self, &exchange->session);
    walk_uuid(self, &exchange->exchange_id);
    walk_raw(self, exchange->request_hash, sizeof exchange->request_hash);
    walk_raw(self, exchange->reply_hash, sizeof exchange->reply_hash);
    exchange->status = (conv_outcome)walk_choice(self, (int)exchange->status, CONV_OUTCOME_FAILED);
    walk_integer(self, &exchange->created_us);
    walk_usage(self, &exchange->usage);
    walk_bool(self, &exchange->replaces_failed);
    walk_integer(self, message_count);
}

static bool checksum(conv_bytes bytes, uint8_t sum[CHECKSUM_SIZE])
{
    uint8_t digest[CONV__SHA256_SIZE];
    conv__sha256 *hash = conv__sha256_create();
    if (hash == NULL) return false;
    conv__sha256_update(hash, bytes.data, bytes.size);
    if (conv__sha256_finish(hash, digest) != CONV_OK) return false;
    memcpy(sum, digest, CHECKSUM_SIZE);
    return true;
}

static void begin(walker *self, conv__buffer *buffer, uint8_t kind, uint8_t version)
{
    uint8_t head[2] = {kind, version};
    *self = (walker){.buffer = buffer, .version = version};
    walk_raw(self, head, sizeof head);
}

static void finish(conv__buffer *buffer, size_t start)
{
    uint8_t sum[CHECKSUM_SIZE];
    if (buffer->failed) return;
    if (checksum(conv_view(buffer->data + start, buffer->size - start), sum))
        conv__buffer_append(buffer, sum, sizeof sum);
    else
        buffer->failed = true;
}

void conv__record_append_exchange(conv__buffer *buffer, const conv__exchange *exchange)
{
    size_t start = buffer->size;
    walker self;
    conv__exchange copy = *exchange;
    int64_t count = (int64_t)exchange->message_count;
    begin(&self, buffer, KIND_EXCHANGE, exchange->has_parent ? VERSION_WITH_PARENT : VERSION);
    walk_exchange(&self, &copy, &count);
    for (size_t i = 0; i < exchange->message_count; i++) {
        conv__message_row row = exchange->messages[i];
        walk_message(&self, &row);
    }
    if (copy.has_parent) walk_uuid(&self, &copy.parent_id);
    finish(buffer, start);
}

void conv__record_append_usage(conv__buffer *buffer, const conv__usage_row *row)
{
    size_t start = buffer->size;
    walker self;
    conv__usage_row copy = *row;
    begin(&self, buffer, KIND_USAGE, VERSION);
    walk_usage(&self, &copy);
    finish(buffer, start);
}

bool conv__record_is_usage(conv_bytes record)
{
    return record.size > 0 && record.data[0] == KIND_USAGE;
}

static conv_status damaged(conv_error *error)
{
    return conv__fail(error, CONV_BAD_DATA, ACTION, "a record of the journal is damaged");
}

static conv_status open_record(walker *self, conv_bytes record, uint8_t kind, conv_error *error)
{
    uint8_t head[2] = {0};
    uint8_t sum[CHECKSUM_SIZE];
    if (record.size < sizeof head + CHECKSUM_SIZE) return damaged(error);
    conv_bytes body = conv_view(record.data, record.size - CHECKSUM_SIZE);
    if (!checksum(body, sum)) return conv__fail_memory(error, ACTION);
    if (memcmp(sum, record.data + body.size, CHECKSUM_SIZE) != 0) return damaged(error);
    *self = (walker){.rest = body};
    walk_raw(self, head, sizeof head);
    if (head[0] != kind) return damaged(error);
    if (head[1] < 1 || (head[1] == VERSION_WITH_PARENT && kind != KIND_EXCHANGE))
        return damaged(error);
    if (head[1] > VERSION_WITH_PARENT)
        return conv__fail(error, CONV_STATE, ACTION,
                          "a record of the journal has form %d, this library reads up to form %d: "
                          "update the program",
                          head[1], VERSION_WITH_PARENT);
    self->version = head[1];
    return CONV_OK;
}

conv_status conv__record_read_exchange(conv__arena *arena, conv_bytes record,
                                       conv__exchange *exchange, conv_error *error)
{
    walker self;
    int64_t count = 0;
    conv_status status = open_record(&self, record, KIND_EXCHANGE, error);
    if (status != CONV_OK) return status;
    *exchange = (conv__exchange){0};
    walk_exchange(&self, exchange, &count);
    /* A message takes more than one byte, which bounds what a damaged count can ask for. */
    if (self.damaged || count < 1 || (uint64_t)count > self.rest.size) return damaged(error);
    conv__message_row *rows = conv__arena_allocate(arena, (size_t)count * sizeof *rows);
    if (rows == NULL) return conv__fail_memory(error, ACTION);
    for (int64_t i = 0; i < count; i++)
        walk_message(&self, &rows[i]);
    exchange->has_parent = self.version >= VERSION_WITH_PARENT;
    if (exchange->has_parent) walk_uuid(&self, &exchange->parent_id);
    if (self.damaged || self.rest.size != 0) return damaged(error);
    exchange->messages = rows;
    exchange->message_count = (size_t)count;
    return CONV_OK;
}

conv_status conv__record_read_usage(conv_bytes record, conv__usage_row *row, conv_error *error)
{
    walker self;
    conv_status status = open_record(&self, record, KIND_USAGE, error);
    if (status != CONV_OK) return status;
    *row = (conv__usage_row){0};
    walk_usage(&self, row);
    return self.damaged || self.rest.size != 0 ? damaged(error) : CONV_OK;
}
