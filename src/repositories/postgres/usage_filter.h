/* Which usage records a question is about, as SQL and its parameters; for usage.c and usage_sum.c.
 */
#ifndef CONV__REPOSITORIES_POSTGRES_USAGE_FILTER_H
#define CONV__REPOSITORIES_POSTGRES_USAGE_FILTER_H

#include "core/memory.h"
#include "db/postgres/parameters.h"
#include "repositories/usage.h"

enum { CONV__POSTGRES_FILTER_PARAMETERS = 8 };

/* Parameters that are NULL ask for nothing. Planned anew each time, so that what is not asked for
 * is gone before the planner chooses an index. */
#define CONV__POSTGRES_FILTER                                                                      \
    "($1::timestamptz IS NULL OR l.created_at >= $1::timestamptz)"                                 \
    " AND ($2::timestamptz IS NULL OR l.created_at < $2::timestamptz)"                             \
    " AND ($3::text IS NULL OR l.service = $3::text)"                                              \
    " AND ($4::text IS NULL OR l.operation = $4::text)"                                            \
    " AND ($5::text IS NULL OR l.model = $5::text)"                                                \
    " AND ($6::uuid IS NULL OR l.user_id = $6::uuid)"                                              \
    " AND ($7::uuid IS NULL OR l.session_id = $7::uuid)"                                           \
    " AND ($8::uuid IS NULL OR l.document_id = $8::uuid)"

void conv__postgres_add_filter(conv__parameters *parameters, conv__arena *arena,
                               const conv__usage_query *query);

#endif
