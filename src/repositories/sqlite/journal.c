/* The journal's SQL. One connection, one process; every change is on the disk when it is answered.
 */
#include "repositories/sqlite/journal.h"

#include <string.h>
#include <sys/stat.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/time.h"
#include "repositories/sqlite/columns.h"
#include "repositories/sqlite/journal_internal.h"

#define ACTION_WRITE "write journal"
#define ACTION_READ  "read journal"

enum { OPEN_TIMEOUT_MS = 5000 };

enum {
    PUT,
    REPLACE,
    ADD,
    TAKE_OVER,
    REMOVE,
    SELECT_NEXT,
    SELECT_PREVIOUS,
    SELECT_GREATEST,
    SELECT_COUNTER,
    SELECT_USED,
    SELECT_PAGE,
    SELECT_PAGE_OF_KINDS,
    SELECT_NOT_HELD,
    SELECT_ONE,
    SELECT_WAITS,
    SELECT_OLDEST,
    SELECT_COUNTS
};

#define COLUMNS_OF(is_usage)                                                                       \
    "entry_id, kind, session_id, item_id, compare_reply, record, sqlstate, reason, created_at,"    \
    " " is_usage
#define COLUMNS COLUMNS_OF("is_usage")

/* A damaged file is read as it is, and may be older than the column. */
#define COLUMNS_OF_ANY                                                                             \
    COLUMNS_OF("kind = 'usage' OR (kind = 'dead' AND substr(record, 1, 1) = x'55')")

/* Each in the index' order, so that SQLite merges them and sorts nothing. */
#define OF_KIND(kind)     "SELECT " COLUMNS " FROM journal WHERE kind = " kind " AND entry_id > ?1"
#define AND_OF_KIND(kind) " UNION ALL " OF_KIND(kind)

#define INSERT                                                                                     \
    "INSERT INTO journal (kind, session_id, item_id, compare_reply, record, sqlstate, reason,"     \
    " created_at, is_usage) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
#define UPSERT                                                                                     \
    INSERT " ON CONFLICT (item_id, session_id, is_usage) DO UPDATE SET kind = excluded.kind,"      \
           " compare_reply = excluded.compare_reply, record = excluded.record,"                    \
           " sqlstate = excluded.sqlstate, reason = excluded.reason, created_at = "                \
           "excluded.created_at"

const conv__sqlite_statement conv__sqlite_journal_statements[] = {
    [PUT] = {UPSERT " WHERE journal.kind = 'turn'"
                    " OR (journal.kind <> excluded.kind AND excluded.kind <> 'turn'"
                    " AND journal.record = excluded.record)"},
    [REPLACE] = {"UPDATE journal SET kind = ?1, compare_reply = ?4, record = ?5, sqlstate = ?6,"
                 " reason = ?7, created_at = ?8 WHERE session_id = ?2 AND item_id = ?3"
                 " AND is_usage = ?9 AND kind = 'exchange' AND record = ?10"},
    [ADD] = {INSERT " ON CONFLICT (item_id, session_id, is_usage) DO NOTHING"},
    [REMOVE] = {"DELETE FROM journal WHERE item_id = ?1 AND session_id = ?2 AND kind = ?3"
                " AND (?4 IS NULL OR record = ?4) AND is_usage = ?5"},
    [TAKE_OVER] = {"INSERT INTO journal (kind, session_id, item_id, compare_reply, record,"
                   " sqlstate, reason, created_at, is_usage, entry_id)"
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING"},
    [SELECT_NEXT] = {"SELECT " COLUMNS_OF_ANY " FROM journal NOT INDEXED WHERE entry_id > ?1"
                     " ORDER BY entry_id LIMIT 1"},
    [SELECT_PREVIOUS] = {"SELECT " COLUMNS_OF_ANY " FROM journal NOT INDEXED WHERE entry_id < ?1"
                         " ORDER BY entry_id DESC LIMIT 1"},
    [SELECT_GREATEST] = {"SELECT entry_id FROM journal NOT INDEXED ORDER BY entry_id DESC LIMIT 1"},
    [SELECT_COUNTER] = {"SELECT seq FROM sqlite_sequence WHERE name = 'journal'"},
    [SELECT_USED] = {"SELECT (page_count - freelist_count) * page_size"
                     " FROM pragma_page_count, pragma_freelist_count, pragma_page_size"},
    [SELECT_PAGE] = {"SELECT " COLUMNS " FROM journal WHERE entry_id > ?1"
                     " ORDER BY entry_id LIMIT ?2"},
    [SELECT_PAGE_OF_KINDS] = {OF_KIND("?2") AND_OF_KIND("?3")
                                  AND_OF_KIND("?4") " ORDER BY entry_id LIMIT ?5"},
    [SELECT_NOT_HELD] = {"SELECT " COLUMNS " FROM journal WHERE kind = ?1 AND"
                         " CASE kind WHEN 'usage' THEN item_id ELSE session_id END"
                         " NOT IN (SELECT value FROM json_each(?2))"
                         " ORDER BY entry_id LIMIT ?3"},
    [SELECT_ONE] = {"SELECT " COLUMNS " FROM journal WHERE item_id = ?1 AND session_id = ?2"
                    " AND is_usage = ?3"},
    [SELECT_WAITS] = {"SELECT 1 FROM journal WHERE session_id = ?1 AND kind = 'exchange' LIMIT 1"},
    [SELECT_OLDEST] = {"SELECT min(created_at) FROM ("
                       " SELECT * FROM (SELECT created_at FROM journal WHERE kind = 'exchange'"
                       "  AND session_id NOT IN (SELECT value FROM json_each(?1))"
                       "  ORDER BY entry_id LIMIT 1)"
                       " UNION ALL"
                       " SELECT * FROM (SELECT created_at FROM journal WHERE kind = 'usage'"
                       "  AND item_id NOT IN (SELECT value FROM json_each(?1))"
                       "  ORDER BY entry_id LIMIT 1))"},
    [SELECT_COUNTS] = {"SELECT count(*) FILTER (WHERE kind = 'turn'),"
                       " count(*) FILTER (WHERE kind = 'exchange'),"
                       " count(*) FILTER (WHERE kind = 'usage'),"
                       " count(*) FILTER (WHERE kind = 'dead'),"
                       " min(created_at) FILTER (WHERE kind IN ('exchange', 'usage')),"
                       " max(entry_id) FROM journal"},
    {NULL},
};

static const char *const kind_names[] = {[CONV__JOURNAL_TURN] = "turn",
                                         [CONV__JOURNAL_EXCHANGE] = "exchange",
                                         [CONV__JOURNAL_USAGE] = "usage",
                                         [CONV__JOURNAL_DEAD] = "dead"};
enum { KINDS = sizeof kind_names / sizeof kind_names[0] };

static conv__sqlite *connection_of(conv__journal *journal)
{
    return ((conv__sqlite_journal *)journal)->connection;
}

static void prepare(conv__sqlite_query *query, conv__journal *journal, int which,
                    const char *action)
{
    conv__sqlite_prepare(query, connection_of(journal), &conv__sqlite_journal_statements[which],
                         action);
}

static void bind_entry(conv__sqlite_query *query, const conv__journal_entry *entry)
{
    conv__sqlite_bind_text(query, conv_text(kind_names[entry->kind]));
    conv__sqlite_bind_uuid_or_nil(query, entry->session_id);
    conv__sqlite_bind_uuid(query, entry->item_id);
    conv__sqlite_bind_integer(query, entry->compare_reply);
    conv__sqlite_bind_blob(query, entry->record);
    conv__sqlite_bind_text(query, conv_text(entry->sqlstate[0] != '\0' ? entry->sqlstate : NULL));
    conv__sqlite_bind_text(query, entry->reason);
    conv__sqlite_bind_time(query, entry->created_us);
    conv__sqlite_bind_integer(query, entry->is_usage);
}

static conv_status put(conv__journal *journal, conv__journal_change *change, conv_error *error)
{
    static const int statements[] = {
        [CONV__JOURNAL_PUT] = PUT, [CONV__JOURNAL_REPLACE] = REPLACE, [CONV__JOURNAL_ADD] = ADD};
    int64_t changed = 0;
    conv__sqlite_query query;
    prepare(&query, journal, statements[change->what], ACTION_WRITE);
    bind_entry(&query, &change->entry);
    if (change->what == CONV__JOURNAL_REPLACE) conv__sqlite_bind_blob(&query, change->replaced);
    conv_status status = conv__sqlite_execute(&query, &changed, error);
    change->unchanged = changed == 0;
    return status;
}

static conv_status remove_entry(conv__journal *journal, conv__journal_change *change,
                                conv_error *error)
{
    const conv__journal_entry *entry = &change->entry;
    int64_t changed = 0;
    conv__sqlite_query query;
    prepare(&query, journal, REMOVE, ACTION_WRITE);
    conv__sqlite_bind_uuid(&query, entry->item_id);
    conv__sqlite_bind_uuid_or_nil(&query, entry->session_id);
    conv__sqlite_bind_text(&query, conv_text(kind_names[entry->kind]));
    conv__sqlite_bind_blob(&query, entry->record);
    conv__sqlite_bind_integer(&query, entry->is_usage);
    conv_status status = conv__sqlite_execute(&query, &changed, error);
    change->unchanged = changed == 0;
    return status;
}

static conv_status read_used(conv__journal *journal, int64_t *used, conv_error *error)
{
    conv__sqlite_query query;
    prepare(&query, journal, SELECT_USED, ACTION_READ);
    if (conv__sqlite_step(&query)) *used = conv__sqlite_integer(&query, 0);
    return conv__sqlite_finish(&query, error);
}

static conv_status apply_once(conv__journal *journal, conv__journal_change *changes, size_t count,
                              int64_t deadline_ns, conv_error *error)
{
    conv__sqlite *connection = connection_of(journal);
    int64_t used = 0;
    conv_status status = conv__sqlite_begin(connection, CONV__SQLITE_WRITE, deadline_ns, error);
    if (status != CONV_OK) return status;
    for (size_t i = 0; status == CONV_OK && i < count; i++)
        status = changes[i].what == CONV__JOURNAL_REMOVE ? remove_entry(journal, &changes[i], error)
                                                         : put(journal, &changes[i], error);
    if (status == CONV_OK) status = read_used(journal, &used, error);
    if (status != CONV_OK) {
        conv__sqlite_rollback(connection);
        return status;
    }
    status = conv__sqlite_commit(connection, error);
    if (status == CONV_OK) atomic_store(&((conv__sqlite_journal *)journal)->used_bytes, used);
    return status;
}

static conv_status apply(conv__journal *journal, conv__journal_change *changes, size_t count,
                         int64_t deadline_ns, conv_error *error)
{
    conv_error failure = CONV_ERROR_INIT;
    conv_status status = apply_once(journal, changes, count, deadline_ns, &failure);
    /* The log did not take it. The next transaction begins a new one, so it is tried once more. If
     * that fails too, the first try may still stand in the old one. */
    if (status != CONV_OK && failure.outcome_unknown) {
        status = apply_once(journal, changes, count, deadline_ns, &failure);
        failure.outcome_unknown = status != CONV_OK;
    }
    if (status != CONV_OK && error != NULL) *error = failure;
    return conv__sqlite_journal_name_file(((conv__sqlite_journal *)journal)->path, ACTION_WRITE,
                                          status, error);
}

conv_status conv__sqlite_journal_take_over(conv__journal *journal, const conv__journal_entry *entry,
                                           conv_error *error)
{
    int64_t changed = 0;
    conv__sqlite_query query;
    int64_t deadline = conv__deadline_in_ms(OPEN_TIMEOUT_MS);
    conv_status status =
        conv__sqlite_begin(connection_of(journal), CONV__SQLITE_WRITE, deadline, error);
    if (status != CONV_OK) return status;
    prepare(&query, journal, TAKE_OVER, ACTION_WRITE);
    bind_entry(&query, entry);
    conv__sqlite_bind_integer(&query, entry->entry_id);
    status = conv__sqlite_execute(&query, &changed, error);
    conv__journal_change change = {.what = CONV__JOURNAL_PUT, .entry = *entry};
    if (status == CONV_OK && changed == 0) status = put(journal, &change, error);
    if (status == CONV_OK) return conv__sqlite_commit(connection_of(journal), error);
    conv__sqlite_rollback(connection_of(journal));
    return status;
}

static void read_kind(conv__sqlite_query *query, int column, conv__journal_kind *kind)
{
    conv_bytes name = conv__sqlite_bytes(query, column);
    for (int i = 0; i < KINDS; i++) {
        if (!conv_bytes_equal(name, conv_text(kind_names[i]))) continue;
        *kind = (conv__journal_kind)i;
        return;
    }
    conv__sqlite_damaged(query);
}

static void read_entry(conv__sqlite_query *query, conv__arena *arena, conv__journal_entry *entry)
{
    conv_bytes sqlstate = conv__sqlite_bytes(query, 6);
    *entry = (conv__journal_entry){.entry_id = conv__sqlite_integer(query, 0),
                                   .session_id = conv__sqlite_uuid(query, 2),
                                   .item_id = conv__sqlite_uuid(query, 3),
                                   .compare_reply = conv__sqlite_integer(query, 4) != 0,
                                   .created_us = conv__sqlite_time(query, 8),
                                   .is_usage = conv__sqlite_integer(query, 9) != 0};
    read_kind(query, 1, &entry->kind);
    if (sqlstate.size < sizeof entry->sqlstate && sqlstate.size > 0)
        memcpy(entry->sqlstate, sqlstate.data, sqlstate.size);
    entry->record = conv__sqlite_copy(query, 5, arena);
    entry->reason = conv__sqlite_copy(query, 7, arena);
}

static conv_status begin_read(conv__journal *journal, int64_t deadline_ns, conv_error *error)
{
    return conv__sqlite_begin(connection_of(journal), CONV__SQLITE_READ, deadline_ns, error);
}

static conv_status end_read(conv__journal *journal, conv__sqlite_query *query, conv_error *error)
{
    conv_status status = conv__sqlite_finish(query, error);
    conv__sqlite_rollback(connection_of(journal));
    return status;
}

/* What the query gives, and whether there is more. */
static void read_list(conv__sqlite_query *query, size_t limit, conv__arena *arena,
                      conv__journal_list *result)
{
    size_t bytes = 0;
    conv__sqlite_bind_integer(query, (int64_t)limit + 1);
    result->entries = conv__arena_allocate(arena, limit * sizeof *result->entries);
    if (result->entries == NULL) conv__sqlite_no_memory(query);
    while (conv__sqlite_step(query)) {
        result->has_more = result->count == limit || bytes > CONV__JOURNAL_LIST_BYTES;
        if (result->has_more) break;
        conv__journal_entry *entry = &result->entries[result->count++];
        read_entry(query, arena, entry);
        bytes += entry->record.size;
    }
}

/* Either statement reads in its order what it gives: a page sorts nothing of what is behind it. */
static conv_status list(conv__journal *journal, const conv__journal_kind *kinds, size_t kind_count,
                        int64_t after_id, size_t limit, int64_t deadline_ns, conv__arena *arena,
                        conv__journal_list *result, conv_error *error)
{
    conv__sqlite_query query;
    bool any = kind_count == KINDS;
    *result = (conv__journal_list){0};
    conv_status status = begin_read(journal, deadline_ns, error);
    if (status != CONV_OK) return status;
    prepare(&query, journal, any ? SELECT_PAGE : SELECT_PAGE_OF_KINDS, ACTION_READ);
    conv__sqlite_bind_integer(&query, after_id);
    for (size_t i = 0; !any && i < KINDS - 1; i++)
        conv__sqlite_bind_text(&query, conv_text(i < kind_count ? kind_names[kinds[i]] : NULL));
    read_list(&query, limit, arena, result);
    return end_read(journal, &query, error);
}

static conv_status next(conv__journal *journal, conv__journal_kind kind, conv_bytes held,
                        size_t limit, int64_t deadline_ns, conv__arena *arena,
                        conv__journal_list *result, conv_error *error)
{
    conv__sqlite_query query;
    *result = (conv__journal_list){0};
    conv_status status = begin_read(journal, deadline_ns, error);
    if (status != CONV_OK) return status;
    prepare(&query, journal, SELECT_NOT_HELD, ACTION_READ);
    conv__sqlite_bind_text(&query, conv_text(kind_names[kind]));
    conv__sqlite_bind_text(&query, held);
    read_list(&query, limit, arena, result);
    return end_read(journal, &query, error);
}

static conv_status waits(conv__journal *journal, conv_uuid session_id, int64_t deadline_ns,
                         bool *found, conv_error *error)
{
    conv__sqlite_query query;
    conv_status status = begin_read(journal, deadline_ns, error);
    if (status != CONV_OK) return status;
    prepare(&query, journal, SELECT_WAITS, ACTION_READ);
    conv__sqlite_bind_uuid(&query, session_id);
    *found = conv__sqlite_step(&query);
    return end_read(journal, &query, error);
}

static conv_status oldest(conv__journal *journal, conv_bytes held, int64_t deadline_ns,
                          int64_t *oldest_us, conv_error *error)
{
    conv__sqlite_query query;
    *oldest_us = 0;
    conv_status status = begin_read(journal, deadline_ns, error);
    if (status != CONV_OK) return status;
    prepare(&query, journal, SELECT_OLDEST, ACTION_READ);
    conv__sqlite_bind_text(&query, held);
    if (conv__sqlite_step(&query) && conv__sqlite_bytes(&query, 0).data != NULL)
        *oldest_us = conv__sqlite_time(&query, 0);
    return end_read(journal, &query, error);
}

static conv_status find(conv__journal *journal, conv_uuid session_id, conv_uuid item_id,
                        bool is_usage, int64_t deadline_ns, conv__arena *arena,
                        conv__journal_entry *entry, conv_error *error)
{
    conv__sqlite_query query;
    conv_status status = begin_read(journal, deadline_ns, error);
    if (status != CONV_OK) return status;
    prepare(&query, journal, SELECT_ONE, ACTION_READ);
    conv__sqlite_bind_uuid(&query, item_id);
    conv__sqlite_bind_uuid_or_nil(&query, session_id);
    conv__sqlite_bind_integer(&query, is_usage);
    bool found = conv__sqlite_step(&query);
    if (found) read_entry(&query, arena, entry);
    status = end_read(journal, &query, error);
    if (status != CONV_OK || found) return status;
    return conv__fail(error, CONV_NOT_FOUND, ACTION_READ, "the journal has no such entry");
}

conv_status conv__sqlite_journal_beside(conv__journal *journal, int64_t entry_id, bool up,
                                        conv__arena *arena, conv__journal_entry *entry,
                                        conv_error *error)
{
    conv__sqlite_query query;
    conv_status status = begin_read(journal, conv__deadline_in_ms(OPEN_TIMEOUT_MS), error);
    if (status != CONV_OK) return status;
    prepare(&query, journal, up ? SELECT_NEXT : SELECT_PREVIOUS, ACTION_READ);
    conv__sqlite_bind_integer(&query, entry_id);
    bool found = conv__sqlite_step(&query);
    if (found) read_entry(&query, arena, entry);
    status = end_read(journal, &query, error);
    if (status != CONV_OK || found) return status;
    return conv__fail(error, CONV_NOT_FOUND, ACTION_READ, "the journal has no such entry");
}

conv_status conv__sqlite_journal_greatest(conv__journal *journal, bool counter, int64_t *entry_id,
                                          conv_error *error)
{
    conv__sqlite_query query;
    conv_status status = begin_read(journal, conv__deadline_in_ms(OPEN_TIMEOUT_MS), error);
    if (status != CONV_OK) return status;
    prepare(&query, journal, counter ? SELECT_COUNTER : SELECT_GREATEST, ACTION_READ);
    *entry_id = conv__sqlite_step(&query) ? conv__sqlite_integer(&query, 0) : 0;
    return end_read(journal, &query, error);
}

static int64_t size_of(const char *path, const char *suffix)
{
    struct stat status;
    char *name = conv__join_text(path, suffix);
    int64_t size = name != NULL && stat(name, &status) == 0 ? (int64_t)status.st_size : 0;
    conv__release(name);
    return size;
}

static int64_t bytes(conv__journal *journal)
{
    return atomic_load(&((conv__sqlite_journal *)journal)->used_bytes);
}

static conv_status count(conv__journal *journal, int64_t deadline_ns, conv__journal_counts *counts,
                         conv_error *error)
{
    conv__sqlite_query query;
    *counts = (conv__journal_counts){0};
    conv_status status = begin_read(journal, deadline_ns, error);
    if (status != CONV_OK) return status;
    prepare(&query, journal, SELECT_COUNTS, ACTION_READ);
    if (conv__sqlite_step(&query)) {
        counts->turns = conv__sqlite_integer(&query, 0);
        counts->exchanges = conv__sqlite_integer(&query, 1);
        counts->usage = conv__sqlite_integer(&query, 2);
        counts->dead = conv__sqlite_integer(&query, 3);
        if (counts->exchanges + counts->usage > 0) counts->oldest_us = conv__sqlite_time(&query, 4);
        int64_t last = conv__sqlite_count(&query, 5);
        counts->last_id = last == CONV_UNKNOWN ? 0 : last;
    }
    status = conv__sqlite_finish(&query, error);
    int64_t used = 0;
    if (status == CONV_OK) status = read_used(journal, &used, error);
    conv__sqlite_rollback(connection_of(journal));
    if (status != CONV_OK) return status;
    conv__sqlite_journal *self = (conv__sqlite_journal *)journal;
    atomic_store(&self->used_bytes, used);
    counts->bytes = size_of(self->path, "") + size_of(self->path, "-wal");
    return CONV_OK;
}

static void close_journal(conv__journal *journal)
{
    conv__sqlite_journal *self = (conv__sqlite_journal *)journal;
    conv__sqlite_close(self->connection);
    conv__release(self->path);
    conv__release(self);
}

const conv__journal_functions conv__sqlite_journal_functions = {.apply = apply,
                                                                .list = list,
                                                                .next = next,
                                                                .waits = waits,
                                                                .find = find,
                                                                .count = count,
                                                                .oldest = oldest,
                                                                .bytes = bytes,
                                                                .close = close_journal};
