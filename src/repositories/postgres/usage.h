/* The usage repository on PostgreSQL: its functions, and all of its statements. */
#ifndef CONV__REPOSITORIES_POSTGRES_USAGE_H
#define CONV__REPOSITORIES_POSTGRES_USAGE_H

#include "db/postgres/statement.h"
#include "repositories/usage.h"

extern const conv__usage_repository_functions conv__postgres_usage_functions;

/* Each ends with a NULL name. */
extern const conv__statement conv__postgres_usage_statements[];
extern const conv__statement conv__postgres_usage_sum_statements[];
extern const conv__statement conv__postgres_refresh_statements[];
extern const conv__statement conv__postgres_reconcile_statements[];

conv_status conv__postgres_sum_usage(conv__usage_repository *usage, conv__transaction *transaction,
                                     const conv__usage_query *query, conv_usage_group group,
                                     conv__arena *arena, conv__usage_total_list *list,
                                     conv_error *error);
conv_status conv__postgres_refresh_usage(conv__usage_repository *usage,
                                         conv__transaction *transaction, conv__refresh *refresh,
                                         conv_error *error);
conv_status conv__postgres_reconcile_usage(conv__usage_repository *usage,
                                           conv__transaction *transaction, size_t limit,
                                           conv__arena *arena, conv__reconciliation *result,
                                           conv_error *error);

#endif
