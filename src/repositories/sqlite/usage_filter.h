/* Which usage records a question is about, as SQL and its parameters; for usage.c and usage_sum.c.
 */
#ifndef CONV__REPOSITORIES_SQLITE_USAGE_FILTER_H
#define CONV__REPOSITORIES_SQLITE_USAGE_FILTER_H

#include "core/memory.h"
#include "db/sqlite/query.h"
#include "repositories/usage.h"

/* One path for each index that can help: the conditions of FILTER alone hide the columns from the
 * planner. A session's index is partial, so the statement must say that the id is not nil. */
enum {
    CONV__USAGE_BY_TIME,
    CONV__USAGE_BY_USER,
    CONV__USAGE_BY_SESSION,
    CONV__USAGE_BY_DOCUMENT,
    CONV__USAGE_PATHS
};

/* Upper bound and cursor are one condition: a bound is a cursor at the smallest id of its time. */
#define CONV__SQLITE_USAGE_BY_TIME                                                                 \
    " WHERE (l.created_at, l.log_id) < (?1, ?2) AND l.created_at >= ?3"                            \
    " AND (?4 IS NULL OR l.service = ?4) AND (?5 IS NULL OR l.operation = ?5)"                     \
    " AND (?6 IS NULL OR l.model = ?6)"                                                            \
    " AND (?7 IS NULL OR l.user_id = ?7) AND (?8 IS NULL OR l.session_id = ?8)"                    \
    " AND (?9 IS NULL OR l.document_id = ?9)"
#define CONV__SQLITE_USAGE_BY_USER CONV__SQLITE_USAGE_BY_TIME " AND l.user_id = ?7"
#define CONV__SQLITE_USAGE_BY_SESSION                                                              \
    CONV__SQLITE_USAGE_BY_TIME " AND l.session_id = ?8 AND l.session_id <> " CONV__SQLITE_NIL
#define CONV__SQLITE_USAGE_BY_DOCUMENT CONV__SQLITE_USAGE_BY_TIME " AND l.document_id = ?9"

int conv__sqlite_usage_path(const conv__usage_query *question);

/* Binds ?1 to ?9. `with_cursor`: only what comes after it. */
void conv__sqlite_bind_usage_filter(conv__sqlite_query *query, conv__arena *arena,
                                    const conv__usage_query *question, bool with_cursor);

#endif
