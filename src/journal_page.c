/* Entries of a journal as the application sees them: ids and texts as it gave them. */
#include "journal_file.h"

#include <string.h>

#include "core/error.h"
#include "saving/record.h"
#include "services/copy.h"

#define ACTION "read journal"

enum { DEFAULT_LIMIT = 50, MAX_LIMIT = 1000, STEP = 8, PAGE_BYTES = 32 << 20 };

struct conv_journal_page {
    conv__arena arena; /* everything below lives here */
    conv_journal_entry *entries;
    size_t count;
    bool has_more;
};

const char *conv_journal_kind_name(conv_journal_kind kind)
{
    switch (kind) {
    case CONV_JOURNAL_TURN:
        return "turn";
    case CONV_JOURNAL_EXCHANGE:
        return "exchange";
    case CONV_JOURNAL_USAGE:
        return "usage";
    case CONV_JOURNAL_DEAD:
        return "dead";
    default:
        return "any";
    }
}

static conv_journal_kind kind_of(conv__journal_kind kind)
{
    return (conv_journal_kind)(kind - CONV__JOURNAL_TURN + CONV_JOURNAL_TURN);
}

/* The originals in place, and every text apart from the record, a NUL behind it. */
static conv_status give_messages(conv__arena *arena, const conv__exchange *exchange,
                                 conv_journal_entry *given, conv_error *error)
{
    conv_message *messages =
        conv__arena_allocate(arena, exchange->message_count * sizeof *messages);
    if (messages == NULL) return conv__fail_memory(error, ACTION);
    for (size_t i = 0; i < exchange->message_count; i++) {
        conv__message_row row = exchange->messages[i];
        conv_status status = conv__message_from_row(&row, error);
        if (status != CONV_OK) return status;
        messages[i] = row.message;
        if (conv__copy_message(arena, &messages[i]) != CONV_OK)
            return conv__fail_memory(error, ACTION);
    }
    given->messages = messages;
    given->message_count = exchange->message_count;
    return CONV_OK;
}

static conv_status copy(conv__arena *arena, conv_bytes *bytes, conv_error *error)
{
    return conv__arena_copy(arena, *bytes, bytes) == CONV_OK ? CONV_OK
                                                             : conv__fail_memory(error, ACTION);
}

static conv_status give_uuid(conv__arena *arena, conv_uuid id, conv_bytes *text, conv_error *error)
{
    char characters[CONV_UUID_TEXT_SIZE];
    if (conv_uuid_is_nil(id)) return CONV_OK;
    conv_uuid_format(id, characters);
    *text = conv_text(characters);
    return copy(arena, text, error);
}

static conv_status give_usage(conv__arena *arena, const conv__usage_row *row,
                              conv_journal_entry *given, conv_error *error)
{
    conv__usage_row restored = *row;
    conv_usage *usage = conv__arena_allocate(arena, sizeof *usage);
    if (usage == NULL) return conv__fail_memory(error, ACTION);
    conv_status status = conv__usage_from_row(&restored, error);
    if (status != CONV_OK) return status;
    *usage = restored.usage;
    usage->session_id = given->session_id;
    usage->user_id = given->user_id;
    status = give_uuid(arena, row->document_id, &usage->document_id, error);
    if (status != CONV_OK) return status;
    if (conv__copy_usage(arena, usage) != CONV_OK) return conv__fail_memory(error, ACTION);
    given->usage = usage;
    return CONV_OK;
}

static conv_status give_exchange(conv__arena *arena, const conv__journal_entry *entry,
                                 conv_journal_entry *given, conv_error *error)
{
    conv__exchange exchange;
    conv_session session = {0};
    conv_status status = conv__record_read_exchange(arena, entry->record, &exchange, error);
    if (status == CONV_OK)
        status = conv__session_from_row(arena, &exchange.session, &session, error);
    given->session_id = session.external_id;
    given->user_id = session.external_user_id;
    given->title = session.title;
    given->status = exchange.status;
    if (status == CONV_OK) status = copy(arena, &given->session_id, error);
    if (status == CONV_OK) status = copy(arena, &given->user_id, error);
    if (status == CONV_OK) status = copy(arena, &given->title, error);
    if (status == CONV_OK) status = give_messages(arena, &exchange, given, error);
    if (status == CONV_OK && entry->kind != CONV__JOURNAL_TURN)
        status = give_usage(arena, &exchange.usage, given, error);
    return status;
}

static conv_status give_record(conv__arena *arena, const conv__journal_entry *entry,
                               conv_journal_entry *given, conv_error *error)
{
    conv__usage_row row;
    conv_status status = conv__record_read_usage(entry->record, &row, error);
    /* A record keeps the session's UUID alone, not its spelling. */
    if (status == CONV_OK) status = give_uuid(arena, row.session_id, &given->session_id, error);
    if (status == CONV_OK) status = conv__name_from_row(arena, &row.user, &given->user_id, error);
    if (status == CONV_OK) status = copy(arena, &given->user_id, error);
    if (status != CONV_OK) return status;
    given->status = row.usage.status;
    return give_usage(arena, &row, given, error);
}

/* An entry of which only the columns can be read. */
static conv_status give_unreadable(conv__arena *arena, const conv__journal_entry *entry,
                                   const conv_error *why, conv_journal_entry *given,
                                   conv_error *error)
{
    *given = (conv_journal_entry){.entry_id = entry->entry_id,
                                  .kind = kind_of(entry->kind),
                                  .created_us = entry->created_us,
                                  .reason = entry->reason.size > 0 ? entry->reason
                                                                   : conv_text(why->message)};
    memcpy(given->sqlstate, entry->sqlstate, sizeof given->sqlstate);
    conv_status status = copy(arena, &given->reason, error);
    if (status == CONV_OK) status = give_uuid(arena, entry->session_id, &given->session_id, error);
    return status;
}

conv_status conv__journal_give(conv__arena *arena, const conv__journal_entry *entry,
                               conv_journal_entry *given, conv_error *error)
{
    conv_error details = CONV_ERROR_INIT;
    bool is_usage = conv__record_is_usage(entry->record);
    *given = (conv_journal_entry){.entry_id = entry->entry_id,
                                  .kind = kind_of(entry->kind),
                                  .readable = true,
                                  .created_us = entry->created_us,
                                  .reason = entry->reason};
    memcpy(given->sqlstate, entry->sqlstate, sizeof given->sqlstate);
    conv_status status = copy(arena, &given->reason, &details);
    if (status == CONV_OK)
        status = is_usage ? give_record(arena, entry, given, &details)
                          : give_exchange(arena, entry, given, &details);
    if (status == CONV_OK && !is_usage)
        status = give_uuid(arena, entry->item_id, &given->turn_id, &details);
    if (status != CONV_OK && status != CONV_NO_MEMORY)
        return give_unreadable(arena, entry, &details, given, error);
    if (status != CONV_OK && error != NULL) *error = details;
    return status;
}

static const char *what_is_wrong(const conv_journal *journal, const conv_journal_filter *filter,
                                 conv_journal_page **page)
{
    if (journal == NULL) return "there is no journal";
    if (page == NULL) return "there is nowhere to put the result";
    if (filter->size != sizeof *filter)
        return "the filter was not begun with CONV_JOURNAL_FILTER_INIT";
    if ((unsigned)filter->kind > CONV_JOURNAL_DEAD) return "kind is none of conv_journal_kind";
    if (filter->limit > MAX_LIMIT) return "limit is over 1000";
    return filter->after_id < 0 ? "after_id is negative" : NULL;
}

/* Reads entries few at a time, because each may be large. */
static conv_status read_entries(conv_journal *journal, const conv_journal_filter *filter,
                                size_t limit, conv_journal_page *page, conv_error *error)
{
    static const conv__journal_kind all[] = {CONV__JOURNAL_TURN, CONV__JOURNAL_EXCHANGE,
                                             CONV__JOURNAL_USAGE, CONV__JOURNAL_DEAD};
    bool any = filter->kind == CONV_JOURNAL_ANY;
    const conv__journal_kind *kinds = any ? all : &all[filter->kind - CONV_JOURNAL_TURN];
    int64_t after = filter->after_id;
    size_t bytes = 0;
    for (page->has_more = true;
         page->has_more && page->count < limit && bytes < (size_t)PAGE_BYTES;) {
        size_t step = limit - page->count < STEP ? limit - page->count : STEP;
        conv__arena arena = {0};
        conv__journal_list list = {0};
        conv_status status =
            journal->entries->functions->list(journal->entries, kinds, any ? 4 : 1, after, step,
                                              conv__journal_deadline(), &arena, &list, error);
        for (size_t i = 0; status == CONV_OK && i < list.count; i++) {
            status = conv__journal_give(&page->arena, &list.entries[i], &page->entries[page->count],
                                        error);
            if (status == CONV_OK) page->count++;
            after = list.entries[i].entry_id;
            bytes += list.entries[i].record.size;
        }
        page->has_more = list.has_more;
        conv__arena_reset(&arena);
        if (status != CONV_OK) return status;
    }
    return CONV_OK;
}

static conv_journal_page *create_page(size_t limit)
{
    conv_journal_page *page = conv__allocate(sizeof *page);
    if (page == NULL) return NULL;
    page->entries = conv__arena_allocate(&page->arena, limit * sizeof *page->entries);
    if (page->entries != NULL) return page;
    conv__release(page);
    return NULL;
}

conv_status conv_journal_list(conv_journal *journal, const conv_journal_filter *filter,
                              conv_journal_page **page, conv_error *error)
{
    static const conv_journal_filter defaults = CONV_JOURNAL_FILTER_INIT;
    conv__error_clear(error);
    if (page != NULL) *page = NULL;
    if (filter == NULL) filter = &defaults;
    const char *wrong = what_is_wrong(journal, filter, page);
    if (wrong != NULL) return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION, "%s", wrong);
    size_t limit = filter->limit > 0 ? filter->limit : DEFAULT_LIMIT;
    conv_journal_page *made = create_page(limit);
    if (made == NULL) return conv__fail_memory(error, ACTION);
    conv_status status = read_entries(journal, filter, limit, made, error);
    if (status == CONV_OK)
        *page = made;
    else
        conv_journal_page_free(made);
    return status;
}

conv_status conv_journal_get(conv_journal *journal, int64_t entry_id, conv_journal_page **page,
                             conv_error *error)
{
    conv__arena arena = {0};
    conv__journal_entry entry;
    conv__error_clear(error);
    if (page == NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "there is nowhere to put the result");
    *page = NULL;
    conv_journal_page *made = create_page(1);
    if (made == NULL) return conv__fail_memory(error, ACTION);
    conv_status status = conv__journal_find_entry(journal, entry_id, ACTION, &arena, &entry, error);
    if (status == CONV_OK)
        status = conv__journal_give(&made->arena, &entry, &made->entries[0], error);
    conv__arena_reset(&arena);
    if (status == CONV_OK) {
        made->count = 1;
        *page = made;
    } else {
        conv_journal_page_free(made);
    }
    return status;
}

size_t conv_journal_page_count(const conv_journal_page *page)
{
    return page->count;
}

const conv_journal_entry *conv_journal_page_entry(const conv_journal_page *page, size_t index)
{
    return index < page->count ? &page->entries[index] : NULL;
}

bool conv_journal_page_has_more(const conv_journal_page *page)
{
    return page->has_more;
}

void conv_journal_page_free(conv_journal_page *page)
{
    if (page == NULL) return;
    conv__arena_reset(&page->arena);
    conv__release(page);
}
