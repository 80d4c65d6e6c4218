/* Usage records and their sums, from the ledger itself. */
#include "services/reports.h"

#include "core/error.h"
#include "core/memory.h"
#include "repositories/usage.h"
#include "services/question.h"
#include "services/zones.h"

#define ACTION "query usage"

enum { DEFAULT_LIMIT = 100, MAX_LIMIT = 1000 };

struct conv_usage_page {
    conv__arena arena;
    conv__usage_list list;
};

struct conv_usage_totals {
    conv__arena arena;
    conv__usage_total_list list;
};

typedef struct report_work {
    conv__usage_query query;
    conv_usage_group group;
    conv__usage_list *records;
    conv__usage_total_list *totals;
} report_work;

static conv_status read_records(conv__transaction *transaction, conv__arena *arena, void *context,
                                conv_error *error)
{
    report_work *work = context;
    conv__usage_repository *usage = transaction->store->usage;
    return usage->functions->query(usage, transaction, &work->query, arena, work->records, error);
}

static conv_status read_sums(conv__transaction *transaction, conv__arena *arena, void *context,
                             conv_error *error)
{
    report_work *work = context;
    conv__usage_repository *usage = transaction->store->usage;
    return usage->functions->sum(usage, transaction, &work->query, work->group, arena, work->totals,
                                 error);
}

static const char *what_is_wrong(const conv_usage_filter *filter)
{
    if (filter->size != sizeof *filter)
        return "the filter was not begun with CONV_USAGE_FILTER_INIT";
    if (filter->limit > MAX_LIMIT) return "limit is over 1000";
    if (filter->to_us != 0 && filter->to_us < filter->from_us)
        return "the end of the time range is before its start";
    return NULL;
}

static conv_status make_query(const conv_usage_filter *filter, conv__usage_query *query,
                              conv_error *error)
{
    static const conv_usage_filter everything = CONV_USAGE_FILTER_INIT;
    if (filter == NULL) filter = &everything;
    const char *wrong = what_is_wrong(filter);
    if (wrong != NULL) return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION, "%s", wrong);
    *query = (conv__usage_query){.from_us = filter->from_us,
                                 .to_us = filter->to_us,
                                 .service = filter->service,
                                 .operation = filter->operation,
                                 .model = filter->model,
                                 .limit = filter->limit > 0 ? filter->limit : DEFAULT_LIMIT,
                                 .after_us = filter->after_us,
                                 .after_id = filter->after_id};
    if (!conv__zone_is_utc(filter->zone)) query->zone_name = filter->zone;
    if (filter->user_id.data != NULL) query->user_id = conv_uuid_ensure(filter->user_id);
    if (filter->session_id.data != NULL) query->session_id = conv_uuid_ensure(filter->session_id);
    query->document_id = conv_uuid_ensure(filter->document_id);
    return CONV_OK;
}

conv_status conv__usage_records(conv__store *store, int64_t deadline_ns,
                                const conv_usage_filter *filter, conv_usage_page **page,
                                conv_error *error)
{
    report_work work = {0};
    conv_status status = make_query(filter, &work.query, error);
    if (status != CONV_OK) return status;
    conv_usage_page *made = conv__allocate(sizeof *made);
    if (made == NULL) return conv__fail_memory(error, ACTION);
    work.records = &made->list;
    status =
        conv__ask(store, CONV__ASK_READ, deadline_ns, read_records, &made->arena, &work, error);
    if (status == CONV_OK)
        *page = made;
    else
        conv_usage_page_free(made);
    return status;
}

conv_status conv__usage_sums(conv__store *store, int64_t deadline_ns,
                             const conv_usage_filter *filter, conv_usage_group group,
                             conv_usage_totals **totals, conv_error *error)
{
    report_work work = {.group = group};
    conv_status status = make_query(filter, &work.query, error);
    if (status != CONV_OK) return status;
    if ((unsigned)group > CONV_USAGE_GROUP_SESSION)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION, "there is no group %d", (int)group);
    /* Also where the server does the reckoning: what a zone is called is the same on each store. */
    conv__zone *zone = NULL;
    status = conv__zone_open(work.query.zone_name, ACTION, &zone, error);
    if (status != CONV_OK) return status;
    work.query.zone = zone;
    conv_usage_totals *made = conv__allocate(sizeof *made);
    if (made == NULL) {
        conv__zone_free(zone);
        return conv__fail_memory(error, ACTION);
    }
    work.totals = &made->list;
    status = conv__ask(store, CONV__ASK_READ, deadline_ns, read_sums, &made->arena, &work, error);
    conv__zone_free(zone);
    if (status == CONV_OK)
        *totals = made;
    else
        conv_usage_totals_free(made);
    return status;
}

size_t conv_usage_page_count(const conv_usage_page *page)
{
    return page->list.count;
}

const conv_usage *conv_usage_page_record(const conv_usage_page *page, size_t index)
{
    return index < page->list.count ? &page->list.records[index] : NULL;
}

bool conv_usage_page_has_more(const conv_usage_page *page)
{
    return page->list.has_more;
}

void conv_usage_page_free(conv_usage_page *page)
{
    if (page == NULL) return;
    conv__arena_reset(&page->arena);
    conv__release(page);
}

size_t conv_usage_totals_count(const conv_usage_totals *totals)
{
    return totals->list.count;
}

const conv_usage_total *conv_usage_totals_row(const conv_usage_totals *totals, size_t index)
{
    return index < totals->list.count ? &totals->list.rows[index] : NULL;
}

void conv_usage_totals_free(conv_usage_totals *totals)
{
    if (totals == NULL) return;
    conv__arena_reset(&totals->arena);
    conv__release(totals);
}
