/* Opening the journal. What to do about a damaged file is journal_rescue.c's. */
#include "repositories/sqlite/journal.h"

#include <string.h>

#include "core/error.h"
#include "core/time.h"
#include "db/sqlite/migrations.h"
#include "repositories/sqlite/journal_internal.h"
#include "repositories/sqlite/journal_signs.h"

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

static conv_status bring_up_to_date(conv__sqlite *connection, const char *path, conv_error *error)
{
    conv_schema_state state;
    int64_t deadline = conv__deadline_in_ms(OPEN_TIMEOUT_MS);
    conv_status status =
        conv__sqlite_read_schema(connection, conv__migrations_journal, deadline, &state, error);
    /* No other form of a journal's migrations was ever made. */
    if (status == CONV_STATE) return CONV_BAD_DATA;
    if (status == CONV_OK && state.foreign)
        return conv__fail(error, CONV_BAD_DATA, ACTION, "%s has lost its schema's version", path);
    if (status == CONV_OK && state.version > state.wanted)
        return conv__fail(error, CONV_STATE, ACTION,
                          "%s was written by a newer version of this library, and nothing was "
                          "changed: use that version",
                          path);
    if (status == CONV_OK)
        status =
            conv__sqlite_migrate(connection, conv__migrations_journal, deadline, &state, error);
    return status;
}

/* All that can be read; a schema that does not fit although its version does is a damaged one. */
static conv_status look_through(conv__journal *journal, conv_error *error)
{
    conv_status status = read_all(journal, error);
    return status == CONV_STATE ? CONV_BAD_DATA : status;
}

conv_status conv__sqlite_journal_open_file(const char *path, bool unsynced, conv__journal **journal,
                                           conv_error *error)
{
    conv__sqlite_params params = {
        .path = path, .create = true, .exclusive = true, .unsynced = unsynced};
    *journal = NULL;
    conv__sqlite_journal *made = conv__allocate(sizeof *made);
    if (made == NULL) return conv__fail_memory(error, ACTION);
    made->journal.functions = &conv__sqlite_journal_functions;
    made->path = conv__copy_text(path);
    conv_status status = made->path == NULL ? conv__fail_memory(error, ACTION)
                                            : conv__sqlite_open(&params, &made->connection, error);
    if (status == CONV_OK) status = conv__sqlite_check(made->connection, error);
    if (status == CONV_OK) status = bring_up_to_date(made->connection, path, error);
    if (status == CONV_OK) status = look_through(&made->journal, error);
    /* A header or a schema that it does not understand SQLite takes for a mistake in what was
     * asked.
     */
    if (status == CONV_INTERNAL) status = CONV_BAD_DATA;
    if (status == CONV_OK) {
        conv__sqlite_found_whole(made->connection);
        *journal = &made->journal;
    } else {
        made->journal.functions->close(&made->journal);
    }
    return status;
}

/* What was named by mistake is neither opened, which may change it, nor moved out of the way. */
static conv_status refuse_foreign(const char *path, conv_error *error)
{
    conv__journal_look look;
    conv_status status = conv__sqlite_journal_look(path, &look, error);
    if (status == CONV_OK && look == CONV__JOURNAL_LOOK_FOREIGN)
        return conv__fail(error, CONV_BAD_DATA, ACTION,
                          "%s is no journal, and nothing was changed: name another file", path);
    if (status == CONV_OK && look == CONV__JOURNAL_LOOK_DATABASE)
        return conv__fail(error, CONV_STATE, ACTION,
                          "%s is a database of something else; nothing was changed: name another "
                          "file",
                          path);
    return status;
}

conv_status conv__sqlite_journal_name_file(const char *path, const char *action, conv_status status,
                                           conv_error *error)
{
    if (status == CONV_OK || error == NULL) return status;
    conv_error why = *error;
    bool named = strstr(why.message, path) != NULL;
    conv__fail(error, why.status, action, "%s%s%s", named ? "" : path, named ? "" : ": ",
               why.message);
    error->recovery = why.recovery;
    error->outcome_unknown = why.outcome_unknown;
    memcpy(error->sqlstate, why.sqlstate, sizeof error->sqlstate);
    return status;
}

conv_status conv__sqlite_journal_open(const char *path, bool unsynced, char **set_aside,
                                      conv__journal **journal, conv_error *error)
{
    conv_error why = CONV_ERROR_INIT;
    *set_aside = NULL;
    *journal = NULL;
    conv_status status = refuse_foreign(path, error);
    if (status != CONV_OK) return conv__sqlite_journal_name_file(path, ACTION, status, error);
    status = conv__sqlite_journal_needs_rescue(path)
                 ? CONV_BAD_DATA
                 : conv__sqlite_journal_open_file(path, unsynced, journal, &why);
    if (status == CONV_BAD_DATA)
        status = conv__sqlite_journal_rescue(path, unsynced, journal, set_aside, &why);
    if (status != CONV_OK && error != NULL) *error = why;
    return conv__sqlite_journal_name_file(path, ACTION, status, error);
}
