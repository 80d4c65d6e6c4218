/* Rescuing a damaged journal: the file is set aside as it was found, and what can be read of a copy
 * goes on in a fresh one. A process that dies meanwhile leaves FILE.damaged behind, and the next
 * one goes on. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/buffer.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/time.h"
#include "db/sqlite/file_copy.h"
#include "db/sqlite/file_lock.h"
#include "db/sqlite/header_repair.h"
#include "db/sqlite/log_repair.h"
#include "repositories/sqlite/journal.h"
#include "repositories/sqlite/journal_internal.h"

#define ACTION "rescue journal"

enum { LOCK_TIMEOUT_MS = 5000, SKIPPED_AT_MOST = 1000000 };

static bool exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0;
}

bool conv__sqlite_journal_needs_rescue(const char *path)
{
    char *damaged = conv__join_text(path, ".damaged");
    bool found = damaged != NULL && exists(damaged);
    conv__release(damaged);
    return found;
}

static conv_status move(const char *from, const char *to, const char *ending, conv_error *error)
{
    char *source = conv__join_text(from, ending);
    char *target = conv__join_text(to, ending);
    conv_status status = CONV_OK;
    if (source == NULL || target == NULL)
        status = conv__fail_memory(error, ACTION);
    else if (rename(source, target) != 0 && errno != ENOENT)
        status =
            conv__fail(error, CONV_UNAVAILABLE, ACTION, "%s is damaged and can't be set aside: %s",
                       source, strerrordesc_np(errno));
    conv__release(source);
    conv__release(target);
    return status;
}

/* The log belongs to whichever file lies beside it, so the order decides what an interrupted move
 * means: the file goes first, and a log without a file then belongs to the damaged one. */
static conv_status set_aside_file(const char *path, const char *damaged, conv_error *error)
{
    conv_status status = exists(damaged) ? CONV_OK : move(path, damaged, "", error);
    if (status == CONV_OK && !exists(path)) status = move(path, damaged, "-wal", error);
    return status;
}

/* FILE.damaged-2026-11-23T04:05:06.123456Z, with its log, which goes first: the file alone would be
 * read once more, which does no harm. */
static conv_status name_for_good(const char *damaged, char **name, conv_error *error)
{
    char time[CONV__TIME_TEXT_SIZE];
    conv__buffer text = {0};
    conv__time_format(conv__now_us(), time);
    conv__buffer_format(&text, "%s-%s", damaged, time);
    *name = text.failed ? NULL : conv__copy_text(text.data);
    conv__buffer_free(&text);
    if (*name == NULL) return conv__fail_memory(error, ACTION);
    conv_status status = move(damaged, *name, "-wal", error);
    return status == CONV_OK ? move(damaged, *name, "", error) : status;
}

/* From one end as far as it goes. Around a damage ids are tried one by one. */
static conv_status take_over(conv__journal *old, conv__journal *journal, int64_t from, int64_t to,
                             bool up, int64_t *reached, conv_error *error)
{
    conv__arena arena = {0};
    conv_status status = CONV_OK;
    int64_t skipped = 0;
    while (status == CONV_OK && (up || from > to)) {
        conv__journal_entry entry = {0};
        conv_status found = conv__sqlite_journal_beside(old, from, up, &arena, &entry, NULL);
        if (found == CONV_NO_MEMORY) status = conv__fail_memory(error, ACTION);
        if (found != CONV_OK && found != CONV_BAD_DATA) break;
        if (found == CONV_BAD_DATA && (up || ++skipped > SKIPPED_AT_MOST)) break;
        if (found == CONV_OK && entry.entry_id > to)
            status = conv__sqlite_journal_take_over(journal, &entry, error);
        from = found == CONV_OK ? entry.entry_id : from - 1;
        if (status == CONV_OK) *reached = from;
        conv__arena_reset(&arena);
    }
    conv__arena_reset(&arena);
    return status;
}

static conv_status read_copy(const char *copy, conv__journal *journal, conv_error *error)
{
    conv__sqlite_params params = {.path = copy, .exclusive = true, .unsynced = true};
    conv__sqlite_journal old = {.journal.functions = &conv__sqlite_journal_functions};
    conv_error failure = CONV_ERROR_INIT;
    int64_t greatest = 0;
    int64_t reached = 0;
    /* What is no database any more gives nothing. */
    conv_status status =
        conv__sqlite_log_is_damaged(copy) ? conv__sqlite_log_repair(copy, &failure) : CONV_OK;
    if (status == CONV_OK) status = conv__sqlite_header_repair(copy, &failure);
    if (status == CONV_OK) status = conv__sqlite_open(&params, &old.connection, &failure);
    if (status == CONV_BAD_DATA) return CONV_OK;
    if (status != CONV_OK) {
        if (error != NULL) *error = failure;
        return status;
    }
    if (conv__sqlite_journal_greatest(&old.journal, false, &greatest, NULL) != CONV_OK)
        status = conv__sqlite_journal_greatest(&old.journal, true, &greatest, NULL);
    if (status != CONV_OK) greatest = 0;
    status = take_over(&old.journal, journal, 0, 0, true, &reached, error);
    if (status == CONV_OK && reached < greatest)
        status = take_over(&old.journal, journal, greatest + 1, reached, false, &greatest, error);
    conv__sqlite_close(old.connection);
    return status;
}

/* Mending changes a file, and SQLite one that it closes: what was found is read from a copy. */
static conv_status salvage(const char *damaged, conv__journal *journal, conv_error *error)
{
    char *copy = conv__join_text(damaged, ".copy");
    if (copy == NULL) return conv__fail_memory(error, ACTION);
    conv_status status = conv__sqlite_copy_file(damaged, copy, error);
    if (status == CONV_OK) status = read_copy(copy, journal, error);
    /* Synced, whatever the journal promises: these records may have been on the disk before. */
    if (status == CONV_OK)
        status = conv__sqlite_run_script(((conv__sqlite_journal *)journal)->connection,
                                         "PRAGMA wal_checkpoint(FULL)", ACTION, error);
    conv__sqlite_remove_copy(copy);
    conv__release(copy);
    return status;
}

/* A lasting trace that somebody will see: a dead letter that names the file. */
static conv_status leave_trace(conv__journal *journal, const char *name, conv_error *error)
{
    conv__buffer reason = {0};
    conv__buffer_append_text(&reason, "the journal was damaged; what could be read of it was taken "
                                      "over, and the damaged file is ");
    conv__buffer_append_text(&reason, name);
    conv__journal_change change = {.what = CONV__JOURNAL_PUT,
                                   .entry = {.kind = CONV__JOURNAL_DEAD,
                                             .item_id = conv_uuid_v7(),
                                             .record = conv_text(name),
                                             .reason = conv__buffer_bytes(&reason),
                                             .created_us = conv__now_us()}};
    conv_status status =
        reason.failed ? conv__fail_memory(error, ACTION)
                      : journal->functions->apply(journal, &change, 1,
                                                  conv__deadline_in_ms(LOCK_TIMEOUT_MS), error);
    conv__buffer_free(&reason);
    return status;
}

static conv_status rescue(const char *path, const char *damaged, bool unsynced,
                          conv__journal **journal, char **set_aside, conv_error *error)
{
    char *name = NULL;
    conv_status status = CONV_BAD_DATA;
    /* Another process may have done it while this one waited. */
    if (!exists(damaged)) status = conv__sqlite_journal_open_file(path, unsynced, journal, error);
    if (status != CONV_BAD_DATA) return status;
    status = set_aside_file(path, damaged, error);
    if (status == CONV_OK) status = conv__sqlite_journal_open_file(path, unsynced, journal, error);
    if (status != CONV_OK) return status;
    status = salvage(damaged, *journal, error);
    if (status == CONV_OK) status = name_for_good(damaged, &name, error);
    if (status == CONV_OK) status = leave_trace(*journal, name, error);
    if (status == CONV_OK) {
        *set_aside = name;
        return CONV_OK;
    }
    conv__release(name);
    (*journal)->functions->close(*journal);
    *journal = NULL;
    return status;
}

conv_status conv__sqlite_journal_rescue(const char *path, bool unsynced, conv__journal **journal,
                                        char **set_aside, conv_error *error)
{
    conv__file_lock lock = {.descriptor = -1};
    char *damaged = conv__join_text(path, ".damaged");
    char *rescue_name = conv__join_text(path, ".rescue");
    *journal = NULL;
    conv_status status = damaged == NULL || rescue_name == NULL
                             ? conv__fail_memory(error, ACTION)
                             : conv__file_lock_open(rescue_name, &lock, error);
    if (status == CONV_OK)
        status = conv__file_lock_acquire(&lock, conv__deadline_in_ms(LOCK_TIMEOUT_MS), error);
    if (status == CONV_OK) status = rescue(path, damaged, unsynced, journal, set_aside, error);
    conv__file_lock_close(&lock);
    conv__release(damaged);
    conv__release(rescue_name);
    return status;
}
