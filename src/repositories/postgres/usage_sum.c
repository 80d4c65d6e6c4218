/* Sums of usage records. PostgreSQL adds bigints as numeric, so nothing wraps; what does not fit
 * into 63 bits is an error. */
#include <string.h>

#include "core/error.h"
#include "repositories/postgres/columns.h"
#include "repositories/postgres/transaction.h"
#include "repositories/postgres/usage.h"
#include "repositories/postgres/usage_filter.h"

#define ACTION       "sum usage"
#define UNKNOWN_ZONE "22023"

/* A record has no token count if its total is unknown. */
#define SUMS                                                                                       \
    " count(*) AS records, count(*) FILTER (WHERE l.status = 'failed') AS failed,"                 \
    " count(*) - count(l.total_tokens) AS unreported, count(*) - count(l.cost_usd) AS unpriced,"   \
    " sum(l.input_tokens) AS input, sum(l.output_tokens) AS output,"                               \
    " sum(l.total_tokens) AS total, sum(l.cache_read_tokens) AS cache_read,"                       \
    " sum(l.cache_write_tokens) AS cache_write, sum(l.reasoning_tokens) AS reasoning,"             \
    " sum(l.cost_usd) AS cost FROM usage_logs l WHERE " CONV__POSTGRES_FILTER

#define BY_TEXT(name, key)                                                                         \
    {                                                                                              \
        name, ACTION, CONV__POSTGRES_FILTER_PARAMETERS, true,                                      \
            "SELECT " key " AS key," SUMS " GROUP BY 1"                                            \
    }
/* The spelling comes after the grouping, so that it is looked up once for each name. */
#define BY_NAME(name, key, table, column)                                                          \
    {                                                                                              \
        name, ACTION, CONV__POSTGRES_FILTER_PARAMETERS, true,                                      \
            "SELECT g.*, n.external_id, n.originals FROM (SELECT " key " AS key," SUMS             \
            " GROUP BY 1) g LEFT JOIN " table " n ON n." column " = g.key"                         \
    }

enum { STATEMENTS = CONV_USAGE_GROUP_SESSION + 1 };

const conv__statement conv__postgres_usage_sum_statements[] = {
    [CONV_USAGE_GROUP_NONE] = {"conv_sum_all", ACTION, CONV__POSTGRES_FILTER_PARAMETERS, true,
                               "SELECT NULL::text," SUMS},
    [CONV_USAGE_GROUP_DAY] = {"conv_sum_day", ACTION, CONV__POSTGRES_FILTER_PARAMETERS + 1, true,
                              "SELECT to_char(l.created_at AT TIME ZONE coalesce($9::text, 'UTC'),"
                              " 'YYYY-MM-DD') AS key," SUMS " GROUP BY 1"},
    [CONV_USAGE_GROUP_SERVICE] = BY_TEXT("conv_sum_service", "l.service"),
    [CONV_USAGE_GROUP_OPERATION] = BY_TEXT("conv_sum_operation", "l.operation"),
    [CONV_USAGE_GROUP_MODEL] = BY_TEXT("conv_sum_model", "l.model"),
    [CONV_USAGE_GROUP_USER] = BY_NAME("conv_sum_user", "l.user_id", "chat_users", "user_id"),
    [CONV_USAGE_GROUP_SESSION] =
        BY_NAME("conv_sum_session", "nullif(l.session_id, " CONV__POSTGRES_NIL ")", "chat_sessions",
                "session_id"),
    [STATEMENTS] = {NULL, NULL, 0, false, NULL},
};

typedef struct totals {
    conv__arena *arena;
    conv__usage_total_list *list;
    bool by_name;
} totals;

static conv_status read_total(conv__reader *reader, bool by_name, conv_usage_total *total)
{
    conv__name_row name = {.id = {{0}}};
    if (by_name)
        name.id = conv__next_uuid(reader);
    else
        total->key = conv__next_bytes(reader);
    total->records = conv__next_int8(reader);
    total->failed = conv__next_int8(reader);
    total->unreported = conv__next_int8(reader);
    total->unpriced = conv__next_int8(reader);
    total->input_tokens = conv__next_sum(reader);
    total->output_tokens = conv__next_sum(reader);
    total->total_tokens = conv__next_sum(reader);
    total->cache_read_tokens = conv__next_sum(reader);
    total->cache_write_tokens = conv__next_sum(reader);
    total->reasoning_tokens = conv__next_sum(reader);
    (void)conv__next_decimal(reader, &total->cost_usd);
    if (reader->status != CONV_OK || !by_name) return reader->status;
    name.external_id = conv__next_bytes(reader);
    name.originals = conv__next_bytes(reader);
    if (reader->status != CONV_OK) return reader->status;
    return conv__name_from_row(reader->arena, &name, &total->key, NULL);
}

static conv_status receive_totals(void *context, const conv__result *result, conv_error *error)
{
    totals *self = context;
    (void)error;
    size_t count = conv__result_rows(result);
    *self->list = (conv__usage_total_list){
        .rows = conv__arena_allocate(self->arena, count * sizeof *self->list->rows)};
    if (self->list->rows == NULL) return CONV_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        conv__reader reader = conv__reader_at(result, i, self->arena);
        conv_status status = read_total(&reader, self->by_name, &self->list->rows[i]);
        if (status != CONV_OK) return status;
        self->list->count++;
    }
    conv__usage_totals_sort(self->list);
    return CONV_OK;
}

conv_status conv__postgres_sum_usage(conv__usage_repository *usage, conv__transaction *transaction,
                                     const conv__usage_query *query, conv_usage_group group,
                                     conv__arena *arena, conv__usage_total_list *list,
                                     conv_error *error)
{
    (void)usage;
    bool by_name = group == CONV_USAGE_GROUP_USER || group == CONV_USAGE_GROUP_SESSION;
    totals self = {arena, list, by_name};
    conv__parameters parameters = {.count = 0};
    *list = (conv__usage_total_list){.count = 0};
    conv__postgres_add_filter(&parameters, arena, query);
    if (group == CONV_USAGE_GROUP_DAY) conv__parameter_bytes(&parameters, query->zone_name);
    conv_status status =
        conv__postgres_queue(transaction, &conv__postgres_usage_sum_statements[group], &parameters,
                             receive_totals, &self, error);
    if (status != CONV_OK) return status;
    conv_error failure = CONV_ERROR_INIT;
    status = conv__postgres_ask(transaction, &failure);
    if (status == CONV_BAD_DATA && query->zone_name.data != NULL &&
        strcmp(failure.sqlstate, UNKNOWN_ZONE) == 0)
        return conv__fail(error, CONV_INVALID_ARGUMENT, ACTION,
                          "the server's time zone database has no zone of this name");
    if (status != CONV_OK && error != NULL) *error = failure;
    return status;
}
