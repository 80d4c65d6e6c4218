/* Opening the journal, also where its file was damaged: what can be read is never given up. */
#include "repositories/sqlite/journal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/buffer.h"
#include "core/error.h"
#include "core/time.h"
#include "db/sqlite/migrations.h"
#include "repositories/sqlite/journal_internal.h"

#define ACTION "open journal"

enum { OPEN_TIMEOUT_MS = 5000, SALVAGE_PAGE = 64 };

static conv_status open_file(const char *path, conv__journal **journal, conv_error *error)
{
    conv__sqlite_params params = {.path = path, .create = true, .exclusive = true};
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
    if (status == CONV_OK)
        *journal = &made->journal;
    else
        made->journal.functions->close(&made->journal);
    return status;
}

/* Moves the file and its log out of the way: FILE.damaged-2026-11-23T04:05:06.123456Z. */
static conv_status move_aside(const char *path, char **moved, conv_error *error)
{
    static const char *const suffixes[] = {"", "-wal"};
    char time[CONV__TIME_TEXT_SIZE];
    conv__buffer name = {0};
    conv__time_format(conv__now_us(), time);
    conv__buffer_format(&name, "%s.damaged-%s", path, time);
    *moved = name.failed ? NULL : conv__copy_text(name.data);
    conv__buffer_free(&name);
    if (*moved == NULL) return conv__fail_memory(error, ACTION);
    for (size_t i = 0; i < 2; i++) {
        conv__buffer from = {0};
        conv__buffer to = {0};
        conv__buffer_format(&from, "%s%s", path, suffixes[i]);
        conv__buffer_format(&to, "%s%s", *moved, suffixes[i]);
        bool failed =
            from.failed || to.failed || (rename(from.data, to.data) != 0 && errno != ENOENT);
        int code = errno;
        conv__buffer_free(&from);
        conv__buffer_free(&to);
        if (failed)
            return conv__fail(error, CONV_UNAVAILABLE, ACTION,
                              "%s is damaged and can't be moved aside: %s", path,
                              strerrordesc_np(code));
    }
    return CONV_OK;
}

/* Takes over entries for as long as the damaged file gives some. */
static void salvage(const char *damaged, conv__journal *journal)
{
    static const conv__journal_kind kinds[] = {CONV__JOURNAL_TURN, CONV__JOURNAL_EXCHANGE,
                                               CONV__JOURNAL_USAGE, CONV__JOURNAL_DEAD};
    conv__sqlite_params params = {.path = damaged, .exclusive = true};
    conv__sqlite_journal old = {.journal.functions = &conv__sqlite_journal_functions,
                                .path = (char *)damaged};
    conv__arena arena = {0};
    if (conv__sqlite_open(&params, &old.connection, NULL) != CONV_OK) return;
    for (int64_t after = 0;;) {
        conv__journal_list list = {0};
        int64_t deadline = conv__deadline_in_ms(OPEN_TIMEOUT_MS);
        /* A page of one row at a time would read on longest; entries before the damage count. */
        conv_status status = old.journal.functions->list(
            &old.journal, kinds, 4, after, SALVAGE_PAGE, deadline, &arena, &list, NULL);
        for (size_t i = 0; i < list.count; i++) {
            conv__journal_change change = {.what = CONV__JOURNAL_PUT, .entry = list.entries[i]};
            after = list.entries[i].entry_id;
            if (journal->functions->apply(journal, &change, 1, deadline, NULL) != CONV_OK) break;
        }
        if (status != CONV_OK || list.count == 0) break;
        conv__arena_reset(&arena);
    }
    conv__arena_reset(&arena);
    conv__sqlite_close(old.connection);
}

conv_status conv__sqlite_journal_open(const char *path, bool *set_aside, conv__journal **journal,
                                      conv_error *error)
{
    char *damaged = NULL;
    if (set_aside != NULL) *set_aside = false;
    conv_status status = open_file(path, journal, error);
    if (status != CONV_BAD_DATA) return status;
    status = move_aside(path, &damaged, error);
    if (status == CONV_OK) status = open_file(path, journal, error);
    if (status == CONV_OK) {
        salvage(damaged, *journal);
        if (set_aside != NULL) *set_aside = true;
    }
    conv__release(damaged);
    return status;
}
