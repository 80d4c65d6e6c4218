/* Documents: the rules around their rows. Every change goes with the usage record of the operation
 * that made it, in one transaction. */
#include "services/documents.h"

#include <string.h>

#include "core/error.h"
#include "core/hash.h"
#include "core/memory.h"
#include "core/time.h"
#include "repositories/documents.h"
#include "repositories/usage.h"
#include "services/question.h"
#include "services/tracking.h"

#define SERVICE "documents"

enum { DEFAULT_LIMIT = 50, MAX_LIMIT = 1000 };

struct conv_document_page {
    conv__arena arena; /* everything in the list lives here */
    conv__document_list list;
    bool repeat;
};

/* What the questions below work on. */
typedef struct document_work {
    conv__document_key key;
    conv__document_list *list;
    bool wants_page;
    int tries;   /* of the registration, or of the record of an operation */
    bool repeat; /* it had been registered before the first of them */
    bool ours;   /* an earlier one registered it, and its answer was lost */
    const conv__document_row *row;
    conv__usage_row usage;
    conv__document_note note;
    conv__document_query query;
    conv__removed_document removed;
    bool saved; /* of the usage record, valid after commit */
    bool found;
} document_work;

static conv_status save_usage(conv__transaction *transaction, document_work *work,
                              conv_error *error)
{
    conv__usage_repository *usage = transaction->store->usage;
    const conv__usage_row *row = &work->usage;
    return usage->functions->save(usage, transaction, &row, 1, &work->saved, error);
}

/* After a COMMIT without answer nobody knows whose record it was; most likely that of the try
 * before. */
static bool is_fresh(const document_work *work)
{
    return work->saved || work->tries > 1;
}

static void tell(const conv__document_listener *listener, conv__document_change change,
                 const document_work *work, bool recorded)
{
    if (listener == NULL || (change == CONV__DOCUMENT_NONE && !recorded)) return;
    listener->hear(listener->context, &(conv__document_news){change, &work->usage, recorded}, 1);
}

static conv_status read(conv__transaction *transaction, conv__arena *arena, void *context,
                        conv_error *error)
{
    document_work *work = context;
    conv__document_repository *documents = transaction->store->documents;
    return documents->functions->read(documents, transaction, &work->key, arena, work->list, error);
}

/* The id exists: a repeat, or somebody else's. */
static conv_status compare(conv__transaction *transaction, conv__arena *arena, document_work *work,
                           conv_error *error)
{
    static const char action[] = "register document";
    conv_status status = read(transaction, arena, work, error);
    if (status == CONV_NOT_FOUND)
        return conv__fail(error, CONV_CONFLICT, action,
                          "the document was deleted while it was being registered: register it "
                          "again");
    if (status != CONV_OK) return status;
    if (memcmp(work->list->rows[0].content_hash, work->row->content_hash,
               sizeof work->row->content_hash) == 0) {
        /* An earlier try may have been committed though its answer was lost. */
        work->repeat =
            work->tries == 1 || work->list->rows[0].document.created_us != work->row->created_us;
        work->ours = !work->repeat;
        return CONV_OK;
    }
    return conv__fail(error, CONV_CONFLICT, action,
                      "the id is registered with other content; nothing was changed, use a new id "
                      "or delete that document first");
}

static conv_status insert(conv__transaction *transaction, conv__arena *arena, void *context,
                          conv_error *error)
{
    document_work *work = context;
    conv__document_repository *documents = transaction->store->documents;
    bool inserted = false;
    work->tries++;
    work->saved = false; /* a try before may have been told so, and been undone */
    conv_status status =
        documents->functions->insert(documents, transaction, work->row, &inserted, error);
    if (status != CONV_OK) return status;
    if (!inserted) return compare(transaction, arena, work, error);
    status = save_usage(transaction, work, error);
    if (status != CONV_OK || !work->wants_page) return status;
    return read(transaction, arena, work, error);
}

static conv_status track(conv__transaction *transaction, conv__arena *arena, void *context,
                         conv_error *error)
{
    (void)arena;
    document_work *work = context;
    conv__document_repository *documents = transaction->store->documents;
    work->tries++;
    work->saved = false;
    return documents->functions->note(documents, transaction, &work->note, &work->saved,
                                      &work->found, error);
}

static conv_status list(conv__transaction *transaction, conv__arena *arena, void *context,
                        conv_error *error)
{
    document_work *work = context;
    conv__document_repository *documents = transaction->store->documents;
    return documents->functions->list(documents, transaction, &work->query, arena, work->list,
                                      error);
}

static conv_status erase(conv__transaction *transaction, conv__arena *arena, void *context,
                         conv_error *error)
{
    (void)arena;
    document_work *work = context;
    conv__document_repository *documents = transaction->store->documents;
    conv_status status =
        documents->functions->remove(documents, transaction, &work->key, &work->removed, error);
    if (status != CONV_OK) return status;
    if (!work->removed.found)
        return conv__fail(error, CONV_NOT_FOUND, "delete document",
                          "there is no document with this id in this session");
    work->usage.user.id = work->removed.user_id;
    return save_usage(transaction, work, error);
}

static conv_status ask_for_page(conv__store *store, conv__ask_mode mode, int64_t deadline_ns,
                                conv__question question, document_work *work, const char *action,
                                conv_document_page **page, conv_error *error)
{
    conv_document_page *made = conv__allocate(sizeof *made);
    if (made == NULL) return conv__fail_memory(error, action);
    work->list = &made->list;
    conv_status status = conv__ask(store, mode, deadline_ns, question, &made->arena, work, error);
    made->repeat = work->repeat;
    if (status == CONV_OK && page != NULL)
        *page = made;
    else
        conv_document_page_free(made);
    return status;
}

/* Of all that makes one registration different from another. */
static conv_status hash_content(const conv_document_params *params, conv__document_row *row,
                                conv_error *error)
{
    uint8_t digest[CONV__SHA256_SIZE];
    uint8_t size[8];
    conv__sha256 *hash = conv__sha256_create();
    if (hash == NULL) return conv__fail_memory(error, "register document");
    for (size_t i = 0; i < sizeof size; i++)
        size[i] = (uint8_t)((uint64_t)params->size_bytes >> (8 * i));
    conv__sha256_field(hash, conv_text(params->user_id));
    conv__sha256_field(hash, params->name);
    conv__sha256_field(hash, params->media_type);
    conv__sha256_field(hash, conv_view((const char *)size, sizeof size));
    conv__sha256_field(hash, row->sha256);
    conv__sha256_field(hash, conv_text(params->metadata));
    if (conv__sha256_finish(hash, digest) != CONV_OK)
        return conv__fail_memory(error, "register document");
    memcpy(row->content_hash, digest, sizeof row->content_hash);
    return CONV_OK;
}

/* A record of the service, about the document of the key. */
static conv_status make_usage(conv__arena *arena, const conv__prices *prices, conv_usage *usage,
                              const char *operation, document_work *work, conv_error *error)
{
    if (usage->service.data == NULL) usage->service = conv_text(SERVICE);
    if (usage->operation.data == NULL) usage->operation = conv_text(operation);
    conv__usage_complete(prices, usage);
    conv_status status = conv__usage_to_row(arena, usage, &work->usage, error);
    work->usage.document_id = work->key.document_id;
    work->usage.session_id = work->key.session_id;
    return status;
}

static conv_status make_row(conv__arena *arena, const conv__prices *prices,
                            const conv_document_params *params, conv__document_row *row,
                            document_work *work, conv_error *error)
{
    static const conv_usage nothing = CONV_USAGE_INIT;
    conv_status status = conv__document_to_row(arena, params, row, error);
    if (status == CONV_OK) status = hash_content(params, row, error);
    if (status != CONV_OK) return status;
    if (params->document_id == NULL) row->document_id = conv_uuid_v7();
    row->created_us = params->created_us != 0 ? params->created_us : conv__now_us();
    row->updated_us = row->created_us;
    work->key = (conv__document_key){row->document_id, row->session_id};
    conv_usage usage = params->upload != NULL ? *params->upload : nothing;
    usage.created_us = row->created_us;
    usage.user_id = conv_text(params->user_id);
    usage.session_id = usage.document_id = conv_text(NULL); /* the key has them */
    if (usage.processed_bytes == CONV_UNKNOWN) usage.processed_bytes = row->size_bytes;
    status = make_usage(arena, prices, &usage, "upload", work, error);
    row->last_operation = work->usage.usage.operation;
    row->last_status = usage.status;
    return status;
}

conv_status conv__documents_register(conv__store *store, const conv__prices *prices,
                                     const conv__document_listener *listener, int64_t deadline_ns,
                                     const conv_document_params *params,
                                     conv_document_page **document, conv_error *error)
{
    static const char action[] = "register document";
    if (params == NULL || params->size != sizeof *params)
        return conv__fail(error, CONV_INVALID_ARGUMENT, action,
                          "the parameters were not begun with CONV_DOCUMENT_PARAMS_INIT");
    conv__arena arena = {0};
    conv__document_row row;
    document_work work = {.row = &row, .wants_page = document != NULL};
    conv_status status = make_row(&arena, prices, params, &row, &work, error);
    if (status == CONV_OK)
        status = ask_for_page(store, CONV__ASK_WRITE, deadline_ns, insert, &work, action, document,
                              error);
    if (status == CONV_OK && !work.repeat)
        tell(listener, CONV__DOCUMENT_REGISTERED, &work, work.saved || work.ours);
    conv__arena_reset(&arena);
    return status;
}

static conv_status key_of(const char *document_id, const char *session_id, const char *action,
                          conv__document_key *key, conv_error *error)
{
    if (document_id == NULL)
        return conv__fail(error, CONV_INVALID_ARGUMENT, action, "no document id was given");
    *key = (conv__document_key){conv_uuid_ensure(conv_text(document_id)),
                                conv_uuid_ensure(conv_text(session_id))};
    return CONV_OK;
}

conv_status conv__documents_get(conv__store *store, int64_t deadline_ns, const char *document_id,
                                const char *session_id, conv_document_page **document,
                                conv_error *error)
{
    static const char action[] = "read document";
    document_work work = {.found = false};
    conv_status status = key_of(document_id, session_id, action, &work.key, error);
    if (status != CONV_OK) return status;
    return ask_for_page(store, CONV__ASK_READ, deadline_ns, read, &work, action, document, error);
}

static conv_status check_filter(const conv_document_filter *filter, const char *action,
                                uint8_t digest[CONV__SHA256_SIZE], conv_error *error)
{
    const char *wrong = NULL;
    if (filter->size != sizeof *filter)
        wrong = "the filter was not begun with CONV_DOCUMENT_FILTER_INIT";
    else if (filter->limit > MAX_LIMIT)
        wrong = "limit is over 1000";
    else if (filter->sha256 != NULL && !conv__sha256_parse(filter->sha256, digest))
        wrong = "sha256 is not 64 hexadecimal digits";
    return wrong == NULL ? CONV_OK : conv__fail(error, CONV_INVALID_ARGUMENT, action, "%s", wrong);
}

conv_status conv__documents_list(conv__store *store, int64_t deadline_ns,
                                 const conv_document_filter *filter, conv_document_page **page,
                                 conv_error *error)
{
    static const char action[] = "list documents";
    static const conv_document_filter everything = CONV_DOCUMENT_FILTER_INIT;
    uint8_t digest[CONV__SHA256_SIZE];
    if (filter == NULL) filter = &everything;
    conv_status status = check_filter(filter, action, digest, error);
    if (status != CONV_OK) return status;
    document_work work = {.query = {.session_id = conv_uuid_ensure(filter->session_id),
                                    .user_id = conv_uuid_ensure(filter->user_id),
                                    .limit = filter->limit > 0 ? filter->limit : DEFAULT_LIMIT,
                                    .after_us = filter->after_us,
                                    .after_id = filter->after_id,
                                    .after_session_id = filter->after_session_id}};
    if (filter->sha256 != NULL) work.query.sha256 = conv_view((const char *)digest, sizeof digest);
    return ask_for_page(store, CONV__ASK_READ, deadline_ns, list, &work, action, page, error);
}

conv_status conv__documents_delete(conv__store *store, const conv__document_listener *listener,
                                   int64_t deadline_ns, const char *document_id,
                                   const char *session_id, conv_document_receipt *receipt,
                                   conv_error *error)
{
    conv__arena arena = {0};
    document_work work = {.found = false};
    conv_usage usage = CONV_USAGE_INIT;
    conv_status status = key_of(document_id, session_id, "delete document", &work.key, error);
    if (status == CONV_OK) status = make_usage(&arena, NULL, &usage, "delete", &work, error);
    if (status == CONV_OK)
        status = conv__ask(store, CONV__ASK_WRITE_ONCE, deadline_ns, erase, NULL, &work, error);
    if (status == CONV_OK) tell(listener, CONV__DOCUMENT_DELETED, &work, work.saved);
    conv__arena_reset(&arena);
    if (status == CONV_OK && receipt != NULL)
        *receipt = (conv_document_receipt){1, work.removed.usage_records + 1};
    return status;
}

static conv_status note_of(const conv__usage_row *record, conv__document_note *note,
                           conv_error *error)
{
    const conv_usage *usage = &record->usage;
    *note = (conv__document_note){record, usage->created_us};
    if (usage->latency_ms > 0) note->ended_us += usage->latency_ms * 1000; /* both are bounded */
    if (conv__time_is_storable(note->ended_us)) return CONV_OK;
    return conv__fail(error, CONV_INVALID_ARGUMENT, "track document",
                      "created_us and latency_ms together are not within the years 1 to 9999: they "
                      "count microseconds and milliseconds");
}

conv_status conv__documents_track(conv__store *store, const conv__document_listener *listener,
                                  int64_t deadline_ns, const conv_usage *usage, conv_error *error)
{
    conv__arena arena = {0};
    document_work work = {.found = false};
    conv_status status = conv__usage_to_row(&arena, usage, &work.usage, error);
    if (status == CONV_OK) status = note_of(&work.usage, &work.note, error);
    if (status == CONV_OK) {
        status = conv__ask(store, CONV__ASK_WRITE, deadline_ns, track, NULL, &work, error);
    }
    if (status == CONV_OK && is_fresh(&work))
        tell(listener, work.found ? CONV__DOCUMENT_PROCESSED : CONV__DOCUMENT_NONE, &work, true);
    conv__arena_reset(&arena);
    if (status != CONV_OK || work.found) return status;
    return conv__fail(error, CONV_NOT_FOUND, "track document",
                      "there is no document with this id in this session; what the operation used "
                      "was recorded");
}

size_t conv_document_page_count(const conv_document_page *page)
{
    return page->list.count;
}

const conv_document *conv_document_page_document(const conv_document_page *page, size_t index)
{
    return index < page->list.count ? &page->list.rows[index].document : NULL;
}

bool conv_document_page_has_more(const conv_document_page *page)
{
    return page->list.has_more;
}

bool conv_document_page_is_repeat(const conv_document_page *page)
{
    return page->repeat;
}

void conv_document_page_free(conv_document_page *page)
{
    if (page == NULL) return;
    conv__arena_reset(&page->arena);
    conv__release(page);
}
