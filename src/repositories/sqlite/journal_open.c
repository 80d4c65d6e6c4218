/* Opening the journal. What to do about a damaged file is journal_rescue.c's. */
#include "repositories/sqlite/journal.h"

#include "core/error.h"
#include "core/time.h"
#include "db/sqlite/migrations.h"
#include "repositories/sqlite/journal_internal.h"

#define ACTION "open journal"

enum { OPEN_TIMEOUT_MS = 5000, PAGE = 256 };

/* One entry with an unreadable column would keep all others from being listed. */
static conv_status read_all(conv__journal *journal, conv_error *error)
{
    static const conv__journal_kind kinds[] = {CONV__JOURNAL_TURN, CONV__JOURNAL_EXCHANGE,
                                               CONV__JOURNAL_USAGE, CONV__JOURNAL_DEAD};
    conv__arena arena = {0};
    conv__journal_list list = {.has_more = true};
    conv_status status = CONV_OK;
    for (int64_t after = 0; status == CONV_OK && list.has_more;) {
        status =
            journal->functions->list(journal, kinds, 4, after, PAGE,
                                     conv__deadline_in_ms(OPEN_TIMEOUT_MS), &arena, &list, error);
        if (status == CONV_OK && list.count > 0) after = list.entries[list.count - 1].entry_id;
        conv__arena_reset(&arena);
    }
    return status;
}

conv_status conv__sqlite_journal_open_file(const char *path, bool unsynced, conv__journal **journal,
                                           conv_error *error)
{
    conv__sqlite_params params = {
        .path = path, .create = true, .exclusive = true, .unsynced = unsynced};
    conv_schema_state state;
    *journal = NULL;
    conv__sqlite_journal *made = conv__allocate(sizeof *made);
    if (made == NULL) return conv__fail_memory(error, ACTION);
    made->journal.functions = &conv__sqlite_journal_functions;
    made->path = conv__copy_text(path);
    conv_status status = made->path == NULL ? conv__fail_memory(error, ACTION)
                                            : conv__sqlite_open(&params, &made->connection, error);
    if (status == CONV_OK) status = conv__sqlite_check(made->connection, error);
    if (status == CONV_OK)
        status = conv__sqlite_migrate(made->connection, conv__migrations_journal,
                                      conv__deadline_in_ms(OPEN_TIMEOUT_MS), &state, error);
    if (status == CONV_OK) status = read_all(&made->journal, error);
    if (status == CONV_OK)
        *journal = &made->journal;
    else
        made->journal.functions->close(&made->journal);
    return status;
}

conv_status conv__sqlite_journal_open(const char *path, bool unsynced, bool *set_aside,
                                      conv__journal **journal, conv_error *error)
{
    bool unused = false;
    if (set_aside == NULL) set_aside = &unused;
    *set_aside = false;
    if (!conv__sqlite_journal_needs_rescue(path)) {
        conv_status status = conv__sqlite_journal_open_file(path, unsynced, journal, error);
        if (status != CONV_BAD_DATA) return status;
    }
    return conv__sqlite_journal_rescue(path, unsynced, journal, set_aside, error);
}
