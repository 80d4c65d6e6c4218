/* Telling other processes, over PostgreSQL's NOTIFY. */
#ifndef CONV__REPOSITORIES_POSTGRES_NOTIFY_H
#define CONV__REPOSITORIES_POSTGRES_NOTIFY_H

#include "db/postgres/pool.h"
#include "db/postgres/statement.h"
#include "repositories/store.h"

extern const conv__statement conv__postgres_notify_statements[];

/* One notification, in a transaction of its own. */
CONV_WARN_UNUSED conv_status conv__postgres_notify(conv__store *store, conv__pool *pool,
                                                   const char *channel, const char *payload,
                                                   int64_t deadline_ns, conv_error *error);

#endif
