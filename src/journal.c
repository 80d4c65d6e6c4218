/* A journal without a store: opening its file, counting, and deciding about single entries. What
 * entries look like from outside stands in journal_page.c. */
#include "journal_file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "core/error.h"
#include "core/time.h"
#include "repositories/sqlite/journal.h"
#include "saving/record.h"
#include "saving/saving.h"
#include "saving/spool.h"

#define ACTION_OPEN  "open journal"
#define ACTION_COUNT "count journal"
#define ACTION_RETRY "retry journal entry"
#define ACTION_DROP  "drop journal entry"

#define INTERRUPTED "the program ended before the answer was there"

enum { TIMEOUT_MS = 10000 };

int64_t conv__journal_deadline(void)
{
    return conv__deadline_in_ms(TIMEOUT_MS);
}

static conv_status apply(conv_journal *journal, conv__journal_change *change, conv_error *error)
{
    return journal->entries->functions->apply(journal->entries, change, 1, conv__journal_deadline(),
                                              error);
}

/* What is no whole record becomes a dead letter. */
static conv_status take_damaged(conv_journal *journal, conv_bytes bytes, conv_error *error)
{
    conv_error why = CONV_ERROR_INIT;
    conv__journal_change change = {.what = CONV__JOURNAL_PUT};
    conv__fail(&why, CONV_BAD_DATA, ACTION_OPEN, "a part of the usage spool is damaged");
    conv__journal_make_damaged(&change.entry, bytes, &why);
    return apply(journal, &change, error);
}

static conv_status take_record(conv_journal *journal, conv_bytes record, bool *damaged,
                               conv_error *error)
{
    conv__usage_row row;
    conv_status status = conv__record_read_usage(record, &row, error);
    *damaged = status == CONV_BAD_DATA;
    if (*damaged) return take_damaged(journal, record, error);
    if (status != CONV_OK) return status;
    conv__journal_change change = {.what = CONV__JOURNAL_PUT,
                                   .entry = {.kind = CONV__JOURNAL_USAGE,
                                             .session_id = row.session_id,
                                             .item_id = row.usage.log_id,
                                             .is_usage = true,
                                             .record = record,
                                             .created_us = row.usage.created_us}};
    bool again = true;
    while (status == CONV_OK && again) {
        status = apply(journal, &change, error);
        again = status == CONV_OK && change.unchanged;
        if (again)
            status = conv__journal_settle_usage(journal->entries, &change, conv__journal_deadline(),
                                                &again, error);
    }
    return status;
}

static conv_status take_spool(conv_journal *journal, const char *path, conv_error *error)
{
    conv__spool spool = {.descriptor = -1};
    conv__buffer frames = {0};
    conv_bytes record;
    size_t position = 0;
    if (access(path, F_OK) != 0) return CONV_OK;
    conv_status status = conv__spool_open(path, &spool, &frames, error);
    bool damaged = false;
    while (status == CONV_OK &&
           conv__frame_next(conv__buffer_bytes(&frames), &position, &record, &damaged)) {
        if (damaged) {
            status = take_damaged(journal, record, error);
            continue;
        }
        status = take_record(journal, record, &damaged, error);
        /* Its length may be what is damaged: the next one may begin inside. */
        if (damaged) position = (size_t)(record.data - frames.data);
    }
    if (status == CONV_OK && spool.size > 0) status = conv__spool_clear(&spool, error);
    if (spool.descriptor >= 0) conv__spool_close(&spool);
    conv__buffer_free(&frames);
    return status;
}

/* What a tracker had buffered beside the journal when its process died. */
static conv_status take_spools(conv_journal *journal, const char *path, conv_error *error)
{
    conv_status status = CONV_OK;
    for (int i = 0; status == CONV_OK && i < CONV__SPOOLS; i++) {
        conv__buffer name = {0};
        conv__spool_name(path, i, &name);
        status = name.failed ? conv__fail_memory(error, ACTION_OPEN)
                             : take_spool(journal, name.data, error);
        conv__buffer_free(&name);
    }
    return status;
}

conv_status conv_journal_open(const char *path, conv_journal **journal, conv_error *error)
{
    conv__error_clear(error);
    if (journal != NULL) *journal = NULL;
    if (path == NULL || path[0] == '\0' || journal == NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION_OPEN,
                          "there is no path, or nowhere to put the journal");
    if (access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
        return conv__fail(error, CONV_NOT_FOUND, ACTION_OPEN, "%s does not exist", path);
    conv_journal *made = conv__allocate(sizeof *made);
    if (made == NULL) return conv__fail_memory(error, ACTION_OPEN);
    conv_status status =
        conv__sqlite_journal_open(path, false, &made->set_aside, &made->entries, error);
    if (status == CONV_OK) status = take_spools(made, path, error);
    if (status == CONV_OK)
        *journal = made;
    else
        conv_journal_close(made);
    return status;
}

const char *conv_journal_set_aside(const conv_journal *journal)
{
    return journal->set_aside;
}

void conv_journal_close(conv_journal *journal)
{
    if (journal == NULL) return;
    if (journal->entries != NULL) journal->entries->functions->close(journal->entries);
    conv__release(journal->set_aside);
    conv__release(journal);
}

static void give_counts(const conv__journal_counts *found, size_t buffered,
                        conv_journal_counts *counts)
{
    *counts = (conv_journal_counts){.turns = found->turns,
                                    .exchanges = found->exchanges,
                                    .usage = found->usage,
                                    .dead = found->dead,
                                    .buffered = (int64_t)buffered,
                                    .oldest_us = found->oldest_us,
                                    .bytes = found->bytes};
}

static conv_status no_place(conv_error *error)
{
    return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION_COUNT,
                      "there is no journal, or nowhere to put the counts");
}

conv_status conv_journal_count(conv_journal *journal, conv_journal_counts *counts,
                               conv_error *error)
{
    conv__journal_counts found = {0};
    conv__error_clear(error);
    if (journal == NULL || counts == NULL) return no_place(error);
    conv_status status = journal->entries->functions->count(
        journal->entries, conv__journal_deadline(), &found, error);
    give_counts(&found, 0, counts);
    return status;
}

conv_status conv_client_journal_count(conv_client *client, conv_journal_counts *counts,
                                      conv_error *error)
{
    conv__journal_counts found = {0};
    if (counts == NULL) return no_place(error);
    *counts = (conv_journal_counts){0};
    conv_status status = conv__client_enter(client, ACTION_COUNT, error);
    if (status != CONV_OK) return status;
    status = conv__saving_count(client->saving, conv__journal_deadline(), &found, error);
    give_counts(&found, conv__tracker_buffered(client->tracker), counts);
    conv__client_leave(client);
    return status;
}

conv_status conv_client_journal_cause(conv_client *client, conv_error *cause, conv_error *error)
{
    if (cause == NULL) return no_place(error);
    conv__error_clear(cause);
    conv_status status = conv__client_enter(client, ACTION_COUNT, error);
    if (status != CONV_OK) return status;
    conv__saving_cause(client->saving, cause);
    conv__client_leave(client);
    return CONV_OK;
}

conv_status conv__journal_find_entry(conv_journal *journal, int64_t entry_id, const char *action,
                                     conv__arena *arena, conv__journal_entry *entry,
                                     conv_error *error)
{
    static const conv__journal_kind kinds[] = {CONV__JOURNAL_TURN, CONV__JOURNAL_EXCHANGE,
                                               CONV__JOURNAL_USAGE, CONV__JOURNAL_DEAD};
    conv__journal_list list = {0};
    if (journal == NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, action, "there is no journal");
    conv_status status = CONV_OK;
    if (entry_id > 0)
        status = journal->entries->functions->list(journal->entries, kinds, 4, entry_id - 1, 1,
                                                   conv__journal_deadline(), arena, &list, error);
    if (status != CONV_OK) return status;
    if (list.count == 0 || list.entries[0].entry_id != entry_id)
        return conv__fail(error, CONV_NOT_FOUND, action, "the journal has no entry %lld",
                          (long long)entry_id);
    *entry = list.entries[0];
    return CONV_OK;
}

/* What is known of a turn that broke off: the question, and that there is no answer. */
static conv_status fail_turn(conv__arena *arena, conv_bytes record, conv__buffer *failed,
                             conv_error *error)
{
    conv__exchange exchange;
    conv_status status = conv__record_read_exchange(arena, record, &exchange, error);
    if (status != CONV_OK) return status;
    conv__message_row *rows = conv__arena_allocate(arena, exchange.message_count * sizeof *rows);
    if (rows == NULL) return conv__fail_memory(error, ACTION_RETRY);
    for (size_t i = 0; i < exchange.message_count; i++) {
        rows[i] = exchange.messages[i];
        rows[i].message.status = CONV_OUTCOME_FAILED;
    }
    exchange.messages = rows;
    exchange.status = CONV_OUTCOME_FAILED;
    exchange.usage.usage.status = CONV_OUTCOME_FAILED;
    exchange.usage.usage.error = conv_text(INTERRUPTED);
    conv__record_append_exchange(failed, &exchange);
    return failed->failed ? conv__fail_memory(error, ACTION_RETRY) : CONV_OK;
}

static conv_status check_record(conv__arena *arena, conv_bytes record, conv_error *error)
{
    conv__exchange exchange;
    conv__usage_row row;
    return conv__record_is_usage(record)
               ? conv__record_read_usage(record, &row, error)
               : conv__record_read_exchange(arena, record, &exchange, error);
}

static conv_status retry(conv_journal *journal, conv__arena *arena, conv__journal_entry *entry,
                         conv_error *error)
{
    conv__buffer failed = {0};
    conv__journal_change change = {.what = CONV__JOURNAL_PUT, .entry = *entry};
    conv_status status = CONV_OK;
    change.entry.kind =
        conv__record_is_usage(entry->record) ? CONV__JOURNAL_USAGE : CONV__JOURNAL_EXCHANGE;
    change.entry.reason = conv_text(NULL);
    change.entry.sqlstate[0] = '\0';
    if (entry->kind == CONV__JOURNAL_TURN) {
        status = fail_turn(arena, entry->record, &failed, error);
        change.entry.record = conv__buffer_bytes(&failed);
    } else {
        status = check_record(arena, entry->record, error);
    }
    if (status == CONV_OK) status = apply(journal, &change, error);
    conv__buffer_free(&failed);
    return status;
}

conv_status conv_journal_retry(conv_journal *journal, int64_t entry_id, conv_error *error)
{
    conv__arena arena = {0};
    conv__journal_entry entry;
    conv__error_clear(error);
    conv_status status =
        conv__journal_find_entry(journal, entry_id, ACTION_RETRY, &arena, &entry, error);
    if (status == CONV_OK && (entry.kind == CONV__JOURNAL_TURN || entry.kind == CONV__JOURNAL_DEAD))
        status = retry(journal, &arena, &entry, error);
    conv__arena_reset(&arena);
    return status;
}

conv_status conv_journal_drop(conv_journal *journal, int64_t entry_id, conv_error *error)
{
    conv__arena arena = {0};
    conv__journal_change change = {.what = CONV__JOURNAL_REMOVE};
    conv__error_clear(error);
    conv_status status =
        conv__journal_find_entry(journal, entry_id, ACTION_DROP, &arena, &change.entry, error);
    if (status == CONV_OK) status = apply(journal, &change, error);
    conv__arena_reset(&arena);
    return status;
}
