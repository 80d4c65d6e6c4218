/* Sums of usage records. Tokens are summed as integers that must not wrap, amounts as decimals. */
#include "core/error.h"
#include "repositories/sqlite/columns.h"
#include "repositories/sqlite/internal.h"
#include "repositories/sqlite/usage_filter.h"

#define ACTION "sum usage"

/* A record has no token count if its total is unknown. */
#define SUMS                                                                                       \
    " count(*) AS records, count(CASE l.status WHEN 'failed' THEN 1 END) AS failed,"               \
    " count(*) - count(l.total_tokens) AS unreported, count(*) - count(l.cost_usd) AS unpriced,"   \
    " sum(l.input_tokens) AS input, sum(l.output_tokens) AS output,"                               \
    " sum(l.total_tokens) AS total, sum(l.cache_read_tokens) AS cache_read,"                       \
    " sum(l.cache_write_tokens) AS cache_write, sum(l.reasoning_tokens) AS reasoning,"             \
    " decimal_sum(l.cost_usd) AS cost FROM usage_logs l"

#define ONE_ROW(path)                                                                              \
    {                                                                                              \
        "SELECT NULL," SUMS path                                                                   \
    }
#define BY(key, path)                                                                              \
    {                                                                                              \
        "SELECT " key " AS key," SUMS path " GROUP BY 1"                                           \
    }
#define BY_USER(path)                                                                              \
    {                                                                                              \
        "SELECT g.*, u.external_id, u.originals FROM (SELECT l.user_id AS key," SUMS path          \
        " GROUP BY 1) g LEFT JOIN chat_users u ON u.user_id = g.key"                               \
    }
#define BY_SESSION(path)                                                                           \
    {                                                                                              \
        "SELECT g.*, s.external_id, s.originals FROM"                                              \
        " (SELECT nullif(l.session_id, " CONV__SQLITE_NIL ") AS key," SUMS path                    \
        " GROUP BY 1) g LEFT JOIN chat_sessions s ON s.session_id = g.key"                         \
    }

#define GROUPS(path_name, path)                                                                    \
    [CONV_USAGE_GROUP_NONE * CONV__USAGE_PATHS +                                                   \
        path_name] = ONE_ROW(path),                                                                \
        [CONV_USAGE_GROUP_DAY * CONV__USAGE_PATHS + path_name] =                                   \
            BY("zone_date(l.created_at, ?10)", path),                                              \
        [CONV_USAGE_GROUP_SERVICE * CONV__USAGE_PATHS + path_name] = BY("l.service", path),        \
        [CONV_USAGE_GROUP_OPERATION * CONV__USAGE_PATHS + path_name] = BY("l.operation", path),    \
        [CONV_USAGE_GROUP_MODEL * CONV__USAGE_PATHS + path_name] = BY("l.model", path),            \
        [CONV_USAGE_GROUP_USER * CONV__USAGE_PATHS + path_name] = BY_USER(path),                   \
        [CONV_USAGE_GROUP_SESSION * CONV__USAGE_PATHS + path_name] = BY_SESSION(path)

enum { END = (CONV_USAGE_GROUP_SESSION + 1) * CONV__USAGE_PATHS };

const conv__sqlite_statement conv__sqlite_usage_sum_statements[] = {
    GROUPS(CONV__USAGE_BY_TIME, CONV__SQLITE_USAGE_BY_TIME),
    GROUPS(CONV__USAGE_BY_USER, CONV__SQLITE_USAGE_BY_USER),
    GROUPS(CONV__USAGE_BY_SESSION, CONV__SQLITE_USAGE_BY_SESSION),
    GROUPS(CONV__USAGE_BY_DOCUMENT, CONV__SQLITE_USAGE_BY_DOCUMENT),
    [END] = {NULL},
};

static bool is_name(conv_usage_group group)
{
    return group == CONV_USAGE_GROUP_USER || group == CONV_USAGE_GROUP_SESSION;
}

/* Users and sessions are given in the application's spelling. */
static conv_bytes read_key(conv__sqlite_query *query, conv_usage_group group, conv__arena *arena)
{
    if (!is_name(group)) return conv__sqlite_copy(query, 0, arena);
    return conv__sqlite_copy_name(query, 0, 12, arena);
}

static void append_total(conv__sqlite_query *query, conv_usage_group group, conv__arena *arena,
                         conv__usage_total_list *list, size_t *capacity)
{
    void *rows = list->rows;
    conv_usage_total *row = conv__sqlite_grow(arena, &rows, list->count, capacity, sizeof *row);
    if (row == NULL) {
        conv__sqlite_no_memory(query);
        return;
    }
    list->rows = rows;
    row->key = read_key(query, group, arena);
    row->records = conv__sqlite_integer(query, 1);
    row->failed = conv__sqlite_integer(query, 2);
    row->unreported = conv__sqlite_integer(query, 3);
    row->unpriced = conv__sqlite_integer(query, 4);
    row->input_tokens = conv__sqlite_integer(query, 5); /* 0 where nothing is known */
    row->output_tokens = conv__sqlite_integer(query, 6);
    row->total_tokens = conv__sqlite_integer(query, 7);
    row->cache_read_tokens = conv__sqlite_integer(query, 8);
    row->cache_write_tokens = conv__sqlite_integer(query, 9);
    row->reasoning_tokens = conv__sqlite_integer(query, 10);
    (void)conv__sqlite_decimal(query, 11, &row->cost_usd);
    list->count++;
}

conv_status conv__sqlite_sum_usage(conv__usage_repository *usage, conv__transaction *transaction,
                                   const conv__usage_query *question, conv_usage_group group,
                                   conv__arena *arena, conv__usage_total_list *list,
                                   conv_error *error)
{
    (void)usage;
    size_t capacity = 0;
    *list = (conv__usage_total_list){0};
    int which = (int)group * CONV__USAGE_PATHS + conv__sqlite_usage_path(question);
    conv__sqlite_query query;
    conv__sqlite_prepare(&query, conv__sqlite_of(transaction),
                         &conv__sqlite_usage_sum_statements[which], ACTION);
    conv__sqlite_bind_usage_filter(&query, arena, question, false);
    if (group == CONV_USAGE_GROUP_DAY) conv__sqlite_bind_zone(&query, question->zone);
    while (conv__sqlite_step(&query))
        append_total(&query, group, arena, list, &capacity);
    conv_status status = conv__sqlite_finish(&query, error);
    if (status == CONV_OK) conv__usage_totals_sort(list);
    return status;
}
