/* See fake_internal.h: the statements by which the library saves, looks up and tracks. They are
 * told apart by their text, and their parameters by their places (src/repositories/postgres). */
#include <string.h>

#include "fault/fake_internal.h"

enum { ARRAY_HEAD = 20, ARRAY_COUNT = 12 };

/* The parameters of the statement that saves exchanges. */
enum {
    SESSION_IDS,
    EXCHANGE_IDS,
    REQUEST_HASHES,
    REPLY_HASHES,
    STATUSES,
    MESSAGE_COUNTS,
    LOG_IDS = 7,
    MESSAGE_ORDINALS = 15,
    USAGE_TIMES = 29
};

/* An array that was sent in binary. */
typedef struct array {
    uint32_t count;
    const char *at; /* of the next element's length */
} array;

static array open_array(const fake_session *self, int number)
{
    const char *data = self->parameters;
    for (int i = 0; i < number; i++) {
        uint32_t size = fake_read_int4(data);
        data += 4 + (size == UINT32_MAX ? 0 : size);
    }
    if (fake_read_int4(data) <= ARRAY_COUNT || fake_read_int4(data) == UINT32_MAX)
        return (array){0, NULL};
    return (array){fake_read_int4(data + 4 + ARRAY_COUNT), data + 4 + ARRAY_HEAD};
}

/* Takes the next element; one that is NULL leaves zeros. */
static void next(array *self, char *value, size_t size)
{
    memset(value, 0, size);
    uint32_t length = fake_read_int4(self->at);
    self->at += 4;
    if (length == UINT32_MAX) return;
    memcpy(value, self->at, length < size ? length : size);
    self->at += length;
}

static uint32_t next_number(array *self, size_t size)
{
    char value[8];
    next(self, value, size);
    return fake_read_int4(value + size - 4);
}

static long count_messages(const fake_session *self, uint32_t ordinal)
{
    long count = 0;
    array ordinals = open_array(self, MESSAGE_ORDINALS);
    for (uint32_t i = 0; i < ordinals.count; i++)
        count += next_number(&ordinals, 8) == ordinal;
    return count;
}

static void put_int8_value(fake_session *self, uint32_t value)
{
    fake_put_int4(self, 8);
    fake_put_int4(self, 0);
    fake_put_int4(self, value);
}

static void put_bytes_value(fake_session *self, const char *value, size_t size)
{
    fake_put_int4(self, (uint32_t)size);
    fake_put(self, value, size);
}

/* Also one that this transaction removes before is new. */
static bool is_new(fake_session *self, const fake_exchange *one)
{
    fake_exchange found;
    const fake_changes *changes = &self->changes;
    if (!fake_find_exchange(&self->owner->store, one->session_id, one->exchange_id, &found))
        return true;
    return changes->removes && strcmp(found.status, "failed") == 0 &&
           memcmp(found.request_hash, changes->removed.request_hash, FAKE_HASH) == 0 &&
           memcmp(found.exchange_id, changes->removed.exchange_id, FAKE_ID) == 0;
}

static void put_saved(fake_session *self, uint32_t ordinal)
{
    size_t start = fake_begin(self, 'D');
    fake_put_int2(self, 3);
    put_int8_value(self, ordinal);
    put_int8_value(self, 1);
    put_bytes_value(self, "\1", 1); /* the session is new */
    fake_end(self, start);
}

/* The gate: gives a row for each exchange whose id is new. */
static void save(fake_session *self)
{
    array sessions = open_array(self, SESSION_IDS);
    array ids = open_array(self, EXCHANGE_IDS);
    array requests = open_array(self, REQUEST_HASHES);
    array replies = open_array(self, REPLY_HASHES);
    array statuses = open_array(self, STATUSES);
    array counts = open_array(self, MESSAGE_COUNTS);
    array logs = open_array(self, LOG_IDS);
    uint32_t usages = open_array(self, USAGE_TIMES).count;
    for (uint32_t i = 0; i < ids.count; i++) {
        fake_exchange one = {.whole = false};
        next(&sessions, one.session_id, FAKE_ID);
        next(&ids, one.exchange_id, FAKE_ID);
        next(&requests, one.request_hash, FAKE_HASH);
        next(&replies, one.reply_hash, FAKE_HASH);
        next(&statuses, one.status, sizeof one.status - 1);
        next(&logs, one.log_id, FAKE_ID);
        uint32_t messages = next_number(&counts, 4);
        one.whole = usages == ids.count && count_messages(self, i + 1) == (long)messages &&
                    messages == (strcmp(one.status, "failed") == 0 ? 1 : 2);
        if (!is_new(self, &one)) continue;
        if (self->changes.exchange_count == FAKE_PENDING) fake_die("too many exchanges");
        self->changes.exchanges[self->changes.exchange_count++] = one;
        put_saved(self, i + 1);
    }
    fake_put_tag(self, "SELECT 1");
}

static void look_up(fake_session *self)
{
    array sessions = open_array(self, SESSION_IDS);
    array ids = open_array(self, EXCHANGE_IDS);
    for (uint32_t i = 0; i < ids.count; i++) {
        fake_exchange one;
        char session_id[FAKE_ID];
        char exchange_id[FAKE_ID];
        next(&sessions, session_id, FAKE_ID);
        next(&ids, exchange_id, FAKE_ID);
        if (!fake_find_exchange(&self->owner->store, session_id, exchange_id, &one)) continue;
        size_t start = fake_begin(self, 'D');
        fake_put_int2(self, 5);
        put_int8_value(self, i + 1);
        put_bytes_value(self, one.status, strlen(one.status));
        put_bytes_value(self, one.request_hash, FAKE_HASH);
        put_bytes_value(self, one.reply_hash, FAKE_HASH);
        put_bytes_value(self, one.log_id, FAKE_ID);
        fake_end(self, start);
    }
    fake_put_tag(self, "SELECT 1");
}

/* Its parameters are single values. */
static void remove_failed(fake_session *self)
{
    fake_exchange *keys = &self->changes.removed;
    char *const values[] = {keys->session_id, keys->exchange_id, keys->request_hash};
    const char *at = self->parameters;
    for (int i = 0; i < 3; i++) {
        memcpy(values[i], at + 4, FAKE_ID);
        at += 4 + fake_read_int4(at);
    }
    self->changes.removes = true;
    fake_put_tag(self, "UPDATE 1");
}

static void put_tracked(fake_session *self, uint32_t ordinal)
{
    size_t start = fake_begin(self, 'D');
    fake_put_int2(self, 1);
    put_int8_value(self, ordinal);
    fake_end(self, start);
}

static void refuse_known_record(fake_session *self)
{
    static const fake_plan known = {.sqlstate = "23505",
                                    .severity = "ERROR",
                                    .constraint = "usage_logs_pkey",
                                    .message = "it is there already"};
    fake_put_error(self, &known);
    self->failed = true;
    self->status = 'I';
}

static void track(fake_session *self, bool all_new)
{
    array logs = open_array(self, 0);
    array sessions = open_array(self, 1);
    for (uint32_t i = 0; i < logs.count; i++) {
        fake_record one;
        next(&logs, one.log_id, FAKE_ID);
        next(&sessions, one.session_id, FAKE_ID);
        bool known = fake_has_record(&self->owner->store, &one);
        if (known && all_new) {
            refuse_known_record(self);
            return;
        }
        if (known) continue;
        if (self->changes.record_count == FAKE_PENDING) fake_die("too many records");
        self->changes.records[self->changes.record_count++] = one;
        if (!all_new) put_tracked(self, i + 1);
    }
    fake_put_tag(self, all_new ? "INSERT 0 1" : "SELECT 1");
}

static void commit(fake_session *self)
{
    fake_commit(&self->owner->store, &self->changes);
    self->changes = (fake_changes){.removes = false};
}

/* What the statement does; it did not fail. */
static void act(fake_session *self)
{
    switch (self->bound) {
    case FAKE_KIND_BEGIN:
        self->status = 'T';
        self->writes = false;
        self->changes = (fake_changes){.removes = false};
        fake_put_tag(self, "BEGIN");
        break;
    case FAKE_KIND_SAVE:
        save(self);
        break;
    case FAKE_KIND_COMMIT:
        commit(self);
        self->committed = self->writes;
        self->status = 'I';
        fake_put_tag(self, "COMMIT");
        break;
    case FAKE_KIND_LOOKUP:
        look_up(self);
        break;
    case FAKE_KIND_REMOVE:
        remove_failed(self);
        break;
    case FAKE_KIND_TRACK:
    case FAKE_KIND_TRACK_NEW:
        track(self, self->bound == FAKE_KIND_TRACK_NEW);
        break;
    case FAKE_KIND_ROLLBACK:
        self->status = 'I';
        fake_put_tag(self, "ROLLBACK");
        break;
    case FAKE_KIND_DELETED: /* nothing was */
    case FAKE_OTHER:
        fake_put_tag(self, "SET");
        break;
    }
}

void fake_execute(fake_session *self)
{
    static const fake_step steps[] = {
        [FAKE_OTHER] = FAKE_NEVER,          [FAKE_KIND_BEGIN] = FAKE_BEGIN,
        [FAKE_KIND_SAVE] = FAKE_SAVE,       [FAKE_KIND_COMMIT] = FAKE_COMMIT,
        [FAKE_KIND_ROLLBACK] = FAKE_NEVER,  [FAKE_KIND_LOOKUP] = FAKE_LOOKUP,
        [FAKE_KIND_REMOVE] = FAKE_REMOVE,   [FAKE_KIND_TRACK] = FAKE_TRACK,
        [FAKE_KIND_TRACK_NEW] = FAKE_TRACK, [FAKE_KIND_DELETED] = FAKE_DELETED};
    fake_plan plan;
    fake_step step = steps[self->bound];
    if (step == FAKE_SAVE || step == FAKE_REMOVE || step == FAKE_TRACK) self->writes = true;
    if (step == FAKE_COMMIT && !self->writes) step = FAKE_NEVER;
    if (step == FAKE_NEVER || !fake_fails(self, step, &plan)) {
        act(self);
        return;
    }
    if (self->bound == FAKE_KIND_COMMIT && plan.commits) commit(self);
    self->changes = (fake_changes){.removes = false};
}

int fake_columns(fake_kind what)
{
    switch (what) {
    case FAKE_KIND_SAVE:
        return 3;
    case FAKE_KIND_LOOKUP:
        return 5;
    case FAKE_KIND_TRACK:
        return 1;
    default:
        return 0;
    }
}

fake_kind fake_kind_of(const char *sql)
{
    if (strncmp(sql, "BEGIN", 5) == 0) return FAKE_KIND_BEGIN;
    if (strncmp(sql, "COMMIT", 6) == 0) return FAKE_KIND_COMMIT;
    if (strncmp(sql, "ROLLBACK", 8) == 0) return FAKE_KIND_ROLLBACK;
    if (strncmp(sql, "INSERT INTO usage_logs", 22) == 0) return FAKE_KIND_TRACK_NEW;
    if (strstr(sql, "INSERT INTO chat_exchanges") != NULL) return FAKE_KIND_SAVE;
    if (strstr(sql, "INSERT INTO usage_logs") != NULL) return FAKE_KIND_TRACK;
    if (strstr(sql, "DELETE FROM chat_exchanges") != NULL) return FAKE_KIND_REMOVE;
    if (strstr(sql, "JOIN chat_exchanges e USING") != NULL) return FAKE_KIND_LOOKUP;
    if (strstr(sql, "FROM chat_deletions") != NULL) return FAKE_KIND_DELETED;
    return FAKE_OTHER;
}
