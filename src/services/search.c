/* Searching: what was saved is indexed first, then asked for. */
#include "services/search.h"

#include "core/error.h"
#include "core/memory.h"
#include "core/time.h"
#include "repositories/search.h"
#include "services/question.h"
#include "services/words.h"

#define ACTION "search messages"

enum { DEFAULT_LIMIT = 20, MAX_LIMIT = 100, QUERY_BYTES = 10000 };

struct conv_search_page {
    conv__arena arena; /* everything below lives here */
    conv_search_hit *hits;
    size_t count;
    bool has_more;
    bool has_words;
    bool complete;
};

typedef struct search_work {
    conv__search_query query;
    conv__search_list list;
    bool more;
} search_work;

static conv_status index_some(conv__transaction *transaction, conv__arena *arena, void *context,
                              conv_error *error)
{
    search_work *work = context;
    conv__search_repository *search = transaction->store->search;
    (void)arena;
    return search->functions->index(search, transaction, &work->more, error);
}

static conv_status find(conv__transaction *transaction, conv__arena *arena, void *context,
                        conv_error *error)
{
    search_work *work = context;
    conv__search_repository *search = transaction->store->search;
    return search->functions->find(search, transaction, &work->query, arena, &work->list, error);
}

static conv_status purge_some(conv__transaction *transaction, conv__arena *arena, void *context,
                              conv_error *error)
{
    search_work *work = context;
    conv__search_repository *search = transaction->store->search;
    (void)arena;
    return search->functions->purge(search, transaction, &work->more, error);
}

conv_status conv__search_purge(conv__store *store, int64_t timeout_ms, conv_error *error)
{
    search_work work = {.more = store->search->functions->purge != NULL};
    conv_error why = CONV_ERROR_INIT;
    conv_status status = CONV_OK;
    while (status == CONV_OK && work.more)
        status = conv__ask(store, CONV__ASK_WRITE, conv__deadline_in_ms(timeout_ms), purge_some,
                           NULL, &work, &why);
    if (status == CONV_OK) return CONV_OK;
    return conv__fail(error, status, "purge search index",
                      "the deletion is committed, but until the next one words of it may be left "
                      "in the bytes of the search index: %s",
                      why.message);
}

conv_status conv__search_index(conv__store *store, int64_t deadline_ns, bool *complete,
                               conv_error *error)
{
    search_work work = {.more = true};
    if (complete != NULL) *complete = false;
    while (work.more && !conv__deadline_passed(deadline_ns)) {
        conv_status status =
            conv__ask(store, CONV__ASK_WRITE, deadline_ns, index_some, NULL, &work, error);
        if (status != CONV_OK) return status;
    }
    if (complete != NULL) *complete = !work.more;
    return CONV_OK;
}

static const char *what_is_wrong(const conv_search_params *params)
{
    if (params == NULL || params->size != sizeof *params)
        return "the parameters were not begun with CONV_SEARCH_PARAMS_INIT";
    if (params->limit > MAX_LIMIT) return "limit is over 100";
    if (params->query.size > QUERY_BYTES) return "the query is over 10,000 bytes";
    if ((unsigned)params->archived > CONV_ARCHIVED_TOO) return "archived is none of conv_archived";
    if (params->after_us < 0 || params->after_position < 0) return "the cursor is negative";
    return NULL;
}

static conv_status take_hits(conv_search_page *page, const search_work *work)
{
    page->hits = conv__arena_allocate(&page->arena, (work->list.count + 1) * sizeof *page->hits);
    if (page->hits == NULL) return CONV_NO_MEMORY;
    for (size_t i = 0; i < work->list.count; i++) {
        page->hits[i] = work->list.rows[i].hit;
        if (conv__words_snippet(&page->arena, work->list.rows[i].text, work->query.terms,
                                work->query.term_count, &page->hits[i]) != CONV_OK)
            return CONV_NO_MEMORY;
    }
    page->count = work->list.count;
    page->has_more = work->list.has_more;
    page->complete = work->list.complete;
    return CONV_OK;
}

/* Whatever keeps words from being indexed, the others are there: the page says that it is not
 * complete. */
static void index_first(conv__store *store, int64_t timeout_ms)
{
    conv_error unused = CONV_ERROR_INIT;
    conv_status status =
        conv__search_index(store, conv__deadline_in_ms(timeout_ms / 2), NULL, &unused);
    (void)status;
}

static conv_status fill(conv__store *store, int64_t timeout_ms, bool may_index,
                        const conv_search_params *params, conv_search_page *page, conv_error *error)
{
    int64_t deadline = conv__deadline_in_ms(timeout_ms);
    conv__arena terms_arena = {0}; /* the question empties the page's before it repeats */
    conv__search_term *terms = NULL;
    search_work work = {.query = {.archived = params->archived,
                                  .limit = params->limit > 0 ? params->limit : DEFAULT_LIMIT,
                                  .after_us = params->after_us,
                                  .after_id = params->after_id,
                                  .after_position = params->after_position}};
    if (params->session_id != NULL)
        work.query.session_id = conv_uuid_ensure(conv_text(params->session_id));
    if (params->user_id != NULL) work.query.user_id = conv_uuid_ensure(conv_text(params->user_id));
    conv_status status =
        conv__words_parse(&terms_arena, params->query, &terms, &work.query.term_count);
    if (status != CONV_OK) conv__fail_memory(error, ACTION);
    work.query.terms = terms;
    page->has_words = work.query.term_count > 0;
    page->complete = true;
    if (status == CONV_OK && page->has_words) {
        if (may_index) index_first(store, timeout_ms);
        status = conv__ask(store, CONV__ASK_READ, deadline, find, &page->arena, &work, error);
        if (status == CONV_OK && take_hits(page, &work) != CONV_OK)
            status = conv__fail_memory(error, ACTION);
    }
    conv__arena_reset(&terms_arena);
    return status;
}

conv_status conv__search(conv__store *store, int64_t timeout_ms, bool may_index,
                         const conv_search_params *params, conv_search_page **page,
                         conv_error *error)
{
    const char *wrong = what_is_wrong(params);
    if (wrong != NULL) return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION, "%s", wrong);
    conv_search_page *made = conv__allocate(sizeof *made);
    if (made == NULL) return conv__fail_memory(error, ACTION);
    conv_status status = fill(store, timeout_ms, may_index, params, made, error);
    if (status == CONV_OK)
        *page = made;
    else
        conv_search_page_free(made);
    return status;
}

size_t conv_search_page_count(const conv_search_page *page)
{
    return page->count;
}

const conv_search_hit *conv_search_page_hit(const conv_search_page *page, size_t index)
{
    return index < page->count ? &page->hits[index] : NULL;
}

bool conv_search_page_has_more(const conv_search_page *page)
{
    return page->has_more;
}

bool conv_search_page_has_words(const conv_search_page *page)
{
    return page->has_words;
}

bool conv_search_page_is_complete(const conv_search_page *page)
{
    return page->complete;
}

void conv_search_page_free(conv_search_page *page)
{
    if (page == NULL) return;
    conv__arena_reset(&page->arena);
    conv__release(page);
}
